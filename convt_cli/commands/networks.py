"""Loading the specs that a command names; a bad one is reported, and the others are still used."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from convt_cli.arithmetic.convolution import Shape
from convt_cli.arithmetic.keys import FILL_NOTE
from convt_cli.commands.emit import is_stdout
from convt_cli.commands.main import FAILED, complain_of, remark, warn_of
from convt_cli.commands.options import Reading, reading
from convt_cli.errors import ConvtError, Diagnostic, OutputIsInput, RequestError, SpecError, shown
from convt_cli.io.writing import is_file
from convt_cli.library.layer import Layer
from convt_cli.library.load import load_spec
from convt_cli.library.network import Network
from convt_cli.models.formats import is_model

_T = TypeVar("_T")

_SPEC_SUFFIXES = (".yaml", ".yml")


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """The networks that could be loaded, and the exit status so far.

    `problems` are the errors of the specs that could not be loaded, and the warnings of all.
    """

    networks: tuple[Network, ...] = ()
    problems: tuple[Diagnostic, ...] = ()
    status: int = 0

    def failed(self, spec: str, error: ConvtError, layer: str | None = None) -> Loaded:
        """The same, with an error of `spec`, or of a layer in it, printed and counted."""
        complain_of(error)
        found = (replace(one, layer=one.layer or layer) for one in as_diagnostics(spec, error))
        return replace(self, problems=(*self.problems, *found), status=FAILED)

    def complete(self, output: str | None, output_format: str) -> bool:
        """Whether there is a report to write.

        In JSON always, as it lists the problems.  Otherwise if every spec was loaded, or some were
        and the output is no file: a file is never written in part.
        """
        in_part = bool(self.networks) and is_stdout(output)
        return not self.status or output_format == "json" or in_part


def load_all(specs: Iterable[str], inputs: Sequence[tuple[str, Shape]]) -> Loaded:
    """The networks of all specs; warnings and errors are printed and counted, not raised."""
    return load_each([(spec, reading()) for spec in expand(specs)], inputs)


def load_each(specs: Iterable[tuple[str, Reading]], inputs: Sequence[tuple[str, Shape]]) -> Loaded:
    """As `load_all`, each spec read in its own way."""
    loaded = Loaded()
    for spec, way in specs:
        try:
            network = load_network(spec, inputs, way)
        except OutputIsInput:
            raise
        except ConvtError as error:
            loaded = loaded.failed(spec, error)
        else:
            loaded = replace(
                loaded,
                networks=(*loaded.networks, network),
                problems=(*loaded.problems, *network.warnings),
            )
    return loaded


def load_network(
    spec: str, inputs: Iterable[tuple[str, Shape]] = (), way: Reading | None = None
) -> Network:
    """The network of a spec or model, its warnings printed; read as the options say, or as `way`.

    Raises SpecError, FileError, RequestError.
    """
    network = load_spec(spec, input=dict(inputs), **(way or reading())._asdict())
    warn_of(network.warnings)
    return network


def each_network(loaded: Loaded, work: Callable[[Network], _T]) -> tuple[list[_T], Loaded]:
    """What `work` gives for every network; where it raises, that is counted and left out of both.

    The second value is `loaded` without the networks that failed.
    """
    found, networks = [], []
    for network in loaded.networks:
        try:
            found.append(work(network))
        except OutputIsInput:
            raise
        except ConvtError as error:
            loaded = loaded.failed(network.spec, error)
        else:
            networks.append(network)
    return found, replace(loaded, networks=tuple(networks))


def as_diagnostics(spec: str, error: ConvtError) -> tuple[Diagnostic, ...]:
    """An error as problems of its spec; without a place it gets the first line, if it has lines."""
    if isinstance(error, SpecError):
        return error.diagnostics
    first = 0 if is_model(spec) else 1
    return (
        Diagnostic(
            code=error.code,
            spec=spec,
            line=first,
            column=first,
            width=1,
            layer=None,
            message=error.message,
            value=error.value,
            help="\n".join((error.help, *getattr(error, "pasted", ()))),
            excerpt="",
        ),
    )


def expand(specs: Iterable[str]) -> list[str]:
    """The specs, with each folder replaced by the .yaml files in it.

    A folder without any stays, so that reading it as a spec gives the error.
    """
    found: list[str] = []
    for spec in specs:
        if not os.path.isdir(spec):
            found.append(spec)
            continue
        names = _specs_in(spec)
        found.extend([os.path.join(spec, name) for name in names] or [spec])
    return found


def _specs_in(folder: str) -> list[str]:
    """The names of the specs in a folder; no pipe or device, which could be waited for in vain."""
    try:
        names = sorted(name for name in os.listdir(folder) if name.endswith(_SPEC_SUFFIXES))
    except OSError:  # reading the folder as a spec will say why
        return []
    return [name for name in names if is_file(os.path.join(folder, name))]


def choose_layer(network: Network, name: str | None) -> Layer:
    """The conv-like layer called `name`, or the only one.  Raises RequestError (E502)."""
    layers = network.matrix_layers
    found = [layer for layer in layers if name in (None, layer.name)]
    if len(found) == 1:
        return found[0]
    names = ", ".join(shown(layer.name) for layer in layers)
    types = {layer.name: layer.type for layer in network.layers}
    if not layers:
        raise RequestError("E502", f"{network.name} has no conv or conv_transpose layer")
    raise RequestError(
        "E502",
        f"{network.name} has several layers" if name is None else "a layer with a matrix is wanted",
        value="" if name is None else f"{name} is {types.get(name, 'no layer of this network')}",
        help=f"choose one with --layer: {names}",
    )


def note_fill(layer: Layer) -> None:
    """Print a note to standard error if the layer had no weight and was filled."""
    if layer.is_filled:
        remark(f"note: {layer.name} has {FILL_NOTE}")
