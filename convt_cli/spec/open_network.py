"""Loading a spec as an `OpenNetwork`: its layers and their sources, whatever its input's sizes."""

from __future__ import annotations

from collections.abc import Iterable

from convt_cli.arithmetic.questions.closing import OpenLayer, OpenNetwork
from convt_cli.spec.load import NO_OVERRIDE, read_spec
from convt_cli.spec.reader import InputOverride, NetworkSpec
from convt_cli.spec.resolve import resolve
from convt_cli.spec.source import Problems


def load_open_network(
    path: str, *, input: InputOverride = NO_OVERRIDE, settings: Iterable[str] = ()
) -> OpenNetwork:
    """The spec at `path` ('-' is standard input), whose sizes need not fit as they are written.

    Raises SpecError where the spec is wrong whatever its sizes are, FileError when it cannot be
    read, RequestError for an input that it does not have.
    """
    return opened(*read_spec(path, input, settings))


def opened(spec: NetworkSpec, problems: Problems) -> OpenNetwork:
    """`spec` with its sizes left open.  Raises SpecError where it is wrong whatever they are."""
    steps = [
        OpenLayer(name=layer.name, definition=layer.definition, sources=needed)
        for layer in spec.layers
        if layer.definition is not None and (needed := layer.needed) is not None
    ]
    if any(any(step.definition.problems(spec.framework)) for step in steps):
        # only to note these problems: the network is not wanted, nor what `expect` says
        resolve(spec, problems, Problems(problems.spec, problems.text))
    problems.raise_any()
    return OpenNetwork(
        name=spec.name,
        framework=spec.framework,
        inputs=tuple(spec.inputs.items()),
        layers=tuple(steps),
        warnings=problems.diagnostics,
    )
