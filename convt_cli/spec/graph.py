"""A spec as the graph that its layers make, whatever the sizes of its input."""

from __future__ import annotations

import os

from convt_cli.arithmetic.closing import Graph, Step
from convt_cli.io.reading import STDIN, read_bytes
from convt_cli.spec.layers import LayerSpec
from convt_cli.spec.load import NO_OVERRIDE
from convt_cli.spec.reader import InputOverride, read
from convt_cli.spec.resolve import resolve
from convt_cli.spec.source import MOST_BYTES, Problems, decode


def load_graph(path: str, *, input: InputOverride = NO_OVERRIDE) -> Graph:
    """The graph of the spec at `path` ('-' is standard input), which need not close as written.

    Raises SpecError where the spec is wrong whatever its sizes are, FileError when it cannot be
    read, RequestError for an input that it does not have.
    """
    problems = decode(path, read_bytes(path, MOST_BYTES))
    stem = "network" if path == STDIN else os.path.splitext(os.path.basename(path))[0]
    spec = read(problems, stem, input)
    steps = [
        Step(name=layer.name, definition=layer.definition, sources=needed)
        for layer in spec.layers
        if layer.definition is not None and (needed := _needed(layer)) is not None
    ]
    if any(any(step.definition.problems(spec.framework)) for step in steps):
        resolve(spec, problems, Problems(path, problems.text))
    problems.raise_any()
    return Graph(
        name=spec.name,
        framework=spec.framework,
        inputs=tuple(spec.inputs.items()),
        steps=tuple(steps),
    )


def _needed(layer: LayerSpec) -> tuple[str, ...] | None:
    """The names of all whose shapes the layer needs; None where they are not known."""
    if layer.sources is None or layer.linked is None:
        return None
    return (*layer.sources, *layer.linked)
