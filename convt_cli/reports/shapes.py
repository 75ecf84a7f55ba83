"""The report of `shapes`: each layer with its shapes, counts and receptive field.

People get the columns that fit a terminal unless they ask for all; programs get all of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from math import prod

from convt_cli.arithmetic.network import Network, NetworkLayer
from convt_cli.arithmetic.questions.receptive import Jump, Receptive, receptives
from convt_cli.errors import Diagnostic
from convt_cli.io import memory
from convt_cli.reports.table import VERSION, Cell, CellKind, Report, Table, column

_COLUMNS = (
    column("layer"),
    column("type"),
    column("from"),
    column("input", kind=CellKind.SHAPE, optional=3),
    column("output", kind=CellKind.SHAPE),
    column("parameters", kind=CellKind.TALLY),
    column("multiply_adds", kind=CellKind.AMOUNT, optional=1),
    column("receptive_field", kind=CellKind.SHAPE, optional=2),
    column("jump", kind=CellKind.SHAPE),
    column("parameter_percent", "share %", kind=CellKind.TALLY),
    column("activations", kind=CellKind.AMOUNT),
    column("nnz", kind=CellKind.AMOUNT),
)
_NARROW = 8
"""How many columns, from the first on, a table has that is not wide."""

_FLOAT32_BYTES = 4
"""The bytes of a float32 number, for the memory that the notes tell."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Summary:
    """A network with its totals, and the receptive field of every layer, by name."""

    network: Network
    receptive: dict[str, Receptive]
    parameters: int
    multiply_adds: int
    activations: int
    not_trained: int
    """How many of the parameters training does not change."""
    not_counted: tuple[str, ...]
    """The layers that stand for an operation whose parameters a spec cannot hold."""

    @classmethod
    def of(cls, network: Network) -> _Summary:
        layers = network.layers
        return cls(
            network=network,
            receptive=receptives(network),
            parameters=sum(layer.geometry.parameters for layer in layers),
            multiply_adds=sum(layer.geometry.multiply_adds for layer in layers),
            activations=sum(prod(layer.output) for layer in layers),
            not_trained=sum(layer.geometry.not_trained for layer in layers),
            not_counted=tuple(layer.name for layer in layers if layer.stands_for is not None),
        )


def shapes_report(
    networks: Sequence[Network], problems: Sequence[Diagnostic], *, wide: bool = True
) -> Report:
    """One table per network; `problems` of specs that have none go into the document.

    With `wide` the tables have all columns, however narrow the terminal; otherwise the first
    `_NARROW`.
    """
    summaries = [_Summary.of(network) for network in networks]
    return Report(
        tables=tuple(_table(summary, wide=wide) for summary in summaries),
        plain=lambda: {
            "version": VERSION,
            "networks": [_document(summary) for summary in summaries],
            "problems": [problem.document() for problem in problems],
        },
    )


def _table(summary: _Summary, *, wide: bool) -> Table:
    network = summary.network
    table = Table(
        title=f"{network.name} ({network.rules.title}), {_inputs_text(network)}",
        columns=tuple(replace(one, optional=0) for one in _COLUMNS) if wide else _COLUMNS,
        rows=tuple(_row(layer, before, summary) for layer, before in _with_layer_before(network)),
        total=_total(summary),
        notes=tuple(_notes(summary, wide=wide)),
        spec=network.spec,
        # layers that change no shape and have no parameters, such as activations
        quiet=frozenset(
            number
            for number, layer in enumerate(network.layers)
            if layer.inputs == (layer.output,) and not layer.geometry.parameters
        ),
    )
    return table if wide else table.of_columns(range(_NARROW))


def _with_layer_before(network: Network) -> list[tuple[NetworkLayer, str]]:
    """Each layer with the name of the layer written before it, or of the first input."""
    names = [network.inputs[0][0], *(layer.name for layer in network.layers)]
    return list(zip(network.layers, names))


def _row(layer: NetworkLayer, before: str, summary: _Summary) -> tuple[Cell, ...]:
    """The cells of one layer; `from` names its sources unless that is just the layer before."""
    geometry, seen = layer.geometry, summary.receptive[layer.name]
    return (
        layer.name,
        layer.type,
        None if layer.sources == (before,) else ", ".join(layer.sources),
        layer.inputs[0] if len(layer.inputs) == 1 else layer.inputs,
        layer.output,
        geometry.parameters,
        geometry.multiply_adds,
        _field_cell(seen),
        _jump_cell(seen.jump),
        str(_percent(layer, summary)) if geometry.parameters else 0,
        prod(layer.output),
        None if geometry.convolution is None else geometry.convolution.nnz,
    )


def _total(summary: _Summary) -> tuple[Cell, ...]:
    outputs = tuple(summary.network.output_shapes.values())
    return (
        *("total", None, None, None, outputs[0] if len(outputs) == 1 else outputs),
        *(summary.parameters, summary.multiply_adds, None),
        *(None, None, summary.activations, None),
    )


def _percent(layer: NetworkLayer, summary: _Summary) -> float:
    """The layer's share of all parameters in per cent, rounded to one decimal."""
    return round(100 * layer.geometry.parameters / max(1, summary.parameters), 1)


def _field_cell(seen: Receptive) -> tuple[int | str, ...]:
    """The receptive field, with ≤ in front where it is an upper bound; empty for a vector."""
    first, *others = seen.field or ("",)
    return (f"≤ {first}", *others) if seen.is_bound else (first, *others)


def _jump_cell(jump: Jump | None) -> tuple[int | str, ...] | None:
    """The jump per axis: an integer, a fraction as text, or 0 where all outputs see the same."""
    if jump is None:
        return None
    return tuple(
        0 if one is None else one.numerator if one.denominator == 1 else str(one) for one in jump
    )


def _notes(summary: _Summary, *, wide: bool) -> Iterator[str]:
    """Remarks on what the numbers leave out and, with `wide`, the memory that the arrays take."""
    if wide:
        yield _bytes_note(summary)
    if any(seen.is_bound for seen in summary.receptive.values()):
        yield "≤ marks a receptive field that is an upper bound: it can be smaller."
    if summary.not_trained:
        yield f"Of the parameters, {summary.not_trained:,} are not trained."
    if summary.not_counted:
        names = ", ".join(summary.not_counted)
        yield f"Parameters that are not known, and so not counted: those of {names}."


def _bytes_note(summary: _Summary) -> str:
    parameters, activations = (
        memory.text(count * _FLOAT32_BYTES) for count in (summary.parameters, summary.activations)
    )
    return f"In float32 the parameters take {parameters} and all outputs together {activations}."


def _inputs_text(network: Network) -> str:
    several = len(network.inputs) > 1
    return "input " + ", ".join(
        f"{name} {list(shape)}" if several else str(list(shape)) for name, shape in network.inputs
    )


def _document(summary: _Summary) -> dict[str, object]:
    network = summary.network
    (_, first), *more = network.inputs
    return {
        "spec": network.spec,
        "name": network.name,
        "framework": network.framework,
        "input": dict(network.inputs) if more else first,
        "layers": [_layer_document(layer, summary) for layer in network.layers],
        "output": network.output_shapes if len(network.outputs) > 1 else network.output,
        "parameters": summary.parameters,
        "not_trained": summary.not_trained,
        "not_counted": summary.not_counted,
        "multiply_adds": summary.multiply_adds,
        "activations": summary.activations,
    }


def _layer_document(layer: NetworkLayer, summary: _Summary) -> dict[str, object]:
    geometry, seen = layer.geometry, summary.receptive[layer.name]
    document: dict[str, object] = {
        "name": layer.name,
        "type": layer.type,
        "line": layer.line or None,
        "from": layer.sources,
        "inputs": layer.inputs,
        "output": layer.output,
        "activations": prod(layer.output),
        "parameters": geometry.parameters,
        "not_trained": geometry.not_trained,
        "parameter_percent": _percent(layer, summary),
        "multiply_adds": geometry.multiply_adds,
    }
    if geometry.convolution is not None:
        document["nnz"] = geometry.convolution.nnz
    document["receptive_field"] = seen.field
    document["receptive_field_is_bound"] = seen.is_bound
    document["jump"] = _jump_cell(seen.jump)
    return document
