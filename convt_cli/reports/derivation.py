"""The report on a spec's arithmetic: the formula of each axis of each layer that has one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from convt_cli.arithmetic.averages import asked_pads
from convt_cli.arithmetic.axis import Axis, ceil_div
from convt_cli.arithmetic.layers import Definition, Windows
from convt_cli.arithmetic.layers.adaptive_pools import AdaptivePool
from convt_cli.arithmetic.layers.pools import AveragePool, MaxPool
from convt_cli.arithmetic.layers.resampling import PixelShuffle, PixelUnshuffle, Upsample
from convt_cli.arithmetic.network import Network, NetworkLayer
from convt_cli.errors import Diagnostic
from convt_cli.reports.axes import (
    EQUIVALENT_COLUMNS,
    arithmetic_text,
    axis_document,
    ceiling_text,
    equivalent_cells,
)
from convt_cli.reports.table import VERSION, Cell, CellKind, Report, Table, column

_COLUMNS = (
    column("layer"),
    column("type"),
    column("axis"),
    column("arithmetic", "output size"),
    column("output_size", "=", CellKind.COUNT),
    column("left_over", "a", CellKind.COUNT),
    *EQUIVALENT_COLUMNS,
)

_DIRECT_NOTE = (
    "direct: floor((i + before + after - ke) / s) + 1, with ke = d(k - 1) + 1; a is left over."
)
_TRANSPOSED_NOTES = (
    "transposed: (i - 1)s + ke - before - after + output_padding, with ke = d(k - 1) + 1.",
    "It equals a direct one with s' = 1 over its input stretched to i', padded p' on both sides.",
)
_CEILING_NOTE = (
    "ceil((i + before + after - ke) / s) + 1: the last window of a pool with ceil_mode may reach "
    "past the padding."
)
_DROPPED_NOTE = (
    "A window that would begin at or past the end of the input, i + before, is dropped: - 1."
)
_ADAPTIVE_NOTE = (
    "adaptive: o is output_size, and window q reads floor(q*i / o) to ceil((q + 1)*i / o) - 1."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Row:
    """One axis of a layer: its formula with the numbers put in, and its sizes."""

    text: str
    input_size: int
    output_size: int
    axis: Axis | None = None
    """The direct axis of a layer with a window."""
    is_transposed: bool = False
    is_ceiled: bool = False
    """The axis of a pool with ceil_mode."""
    is_dropped: bool = False
    """Its last window would begin past the input, and is left out."""


def derivation_report(networks: Sequence[Network], problems: Sequence[Diagnostic]) -> Report:
    """One table per network: for each axis of its layers the formula with its numbers put in.

    `problems` of specs without a network go into the document.
    """
    return Report(
        tables=tuple(_table(network) for network in networks),
        plain=lambda: {
            "version": VERSION,
            "networks": [
                {
                    "spec": network.spec,
                    "name": network.name,
                    "framework": network.framework,
                    "layers": [_layer_document(layer, rows) for layer, rows in _computed(network)],
                    "left_out": dict(_left_out(network)),
                }
                for network in networks
            ],
            "problems": [problem.document() for problem in problems],
        },
    )


def _table(network: Network) -> Table:
    computed = _computed(network)
    return Table(
        title=f"{network.name} ({network.rules.title})",
        columns=_COLUMNS,
        rows=tuple(cells for layer, rows in computed for cells in _layer_rows(layer, rows)),
        notes=tuple(_notes(network, computed)),
        spec=network.spec,
    )


def _notes(
    network: Network, computed: Sequence[tuple[NetworkLayer, Sequence[_Row]]]
) -> Iterator[str]:
    """The general formulas of the layers in the table, and the layers that have none."""
    rows = [row for _, of_layer in computed for row in of_layer]
    direct = [row for row in rows if row.axis is not None and not row.is_transposed]
    if any(not row.is_ceiled for row in direct):
        yield _DIRECT_NOTE
    if any(row.is_ceiled for row in rows):
        yield _CEILING_NOTE
    if any(row.is_dropped for row in rows):
        yield _DROPPED_NOTE
    if any(row.is_transposed for row in rows):
        yield from _TRANSPOSED_NOTES
    if any(isinstance(layer.definition, AdaptivePool) for layer, _ in computed):
        yield _ADAPTIVE_NOTE
    counted = ", ".join(f"{name} × {count}" for name, count in _left_out(network).items())
    if counted:
        yield f"Without a formula of its own: {counted}."


def _computed(network: Network) -> list[tuple[NetworkLayer, list[_Row]]]:
    """The layers that have a formula, each with a row for every axis."""
    all_rows = ((layer, list(_rows(layer, network))) for layer in network.layers)
    return [(layer, rows) for layer, rows in all_rows if rows]


def _left_out(network: Network) -> Counter[str]:
    """How many layers of each type have no formula."""
    named = {layer.name for layer, _ in _computed(network)}
    return Counter(layer.type for layer in network.layers if layer.name not in named)


def _rows(layer: NetworkLayer, network: Network) -> Iterator[_Row]:
    windows = _windows(layer)
    if windows.axes:
        yield from _window_rows(layer, windows, network)
        return
    for number, (size, result) in enumerate(zip(layer.inputs[0][1:], layer.output[1:])):
        text = _formula(layer.definition, number, size, result)
        if text is not None:
            yield _Row(text=text, input_size=size, output_size=result)


def _window_rows(layer: NetworkLayer, windows: Windows, network: Network) -> Iterator[_Row]:
    asked = _ceiled_pads(layer, windows, network)
    for number, axis in enumerate(windows.axes):
        sizes = (axis.output_size, axis.input_size)
        source, result = sizes if windows.adjoint else sizes[::-1]
        text, dropped = arithmetic_text(axis, windows.adjoint), False
        if asked is not None:
            # the formula counts a window that the axis does not have: that one was dropped
            room = axis.input_size + sum(asked[number]) - axis.effective_kernel
            dropped = ceil_div(room, axis.stride) + 1 > axis.output_size
            text = ceiling_text(axis, asked[number][1], dropped=dropped)
        yield _Row(
            text=text,
            input_size=source,
            output_size=result,
            axis=axis,
            is_transposed=windows.adjoint,
            is_ceiled=asked is not None,
            is_dropped=dropped,
        )


def _ceiled_pads(
    layer: NetworkLayer, windows: Windows, network: Network
) -> tuple[tuple[int, int], ...] | None:
    """The (before, after) that a pool with ceil_mode was written with; None for other layers.

    The axis itself may have another pad after, for its last window to fit.
    """
    pool = layer.definition
    if not isinstance(pool, MaxPool | AveragePool):
        return None
    ceils = network.rules.pool_ceil if pool.ceil_mode is None else pool.ceil_mode
    return asked_pads(pool, windows.axes, network.rules) if ceils else None


def _formula(definition: Definition, number: int, size: int, result: int) -> str | None:
    """The output size of axis `number` as a formula; None for a layer that has none."""
    match definition:
        case PixelShuffle(factor=factor):
            return f"{size}*{factor}"
        case PixelUnshuffle(factor=factor):
            return f"{size} / {factor}"
        case AdaptivePool() | Upsample(scale_factor=None):
            return str(result)
        case Upsample(scale_factor=tuple(factors)):
            return _scaled(size, str(factors[number]))
        case Upsample(scale_factor=one):
            return _scaled(size, str(one))
    return None


def _scaled(size: int, factor: str) -> str:
    return f"{size}*{factor}" if factor.isdigit() else f"floor({size} * {factor})"


def _windows(layer: NetworkLayer) -> Windows:
    """The windows of a convolution or pool; without axes for other layers."""
    windows = layer.geometry.dependence
    if isinstance(windows, Windows) and (layer.geometry.convolution or not windows.adjoint):
        return windows
    return Windows(axes=())


def _layer_rows(layer: NetworkLayer, rows: Sequence[_Row]) -> Iterable[tuple[Cell, ...]]:
    """One row for each axis; axes with equal rows share one, under all their numbers."""
    for row in dict.fromkeys(rows):
        numbers = [str(n) for n, other in enumerate(rows) if other == row]
        yield (
            layer.name,
            layer.type,
            ", ".join(numbers),
            row.text,
            row.output_size,
            None if row.axis is None else row.axis.output_padding,
            *(
                (None,) * len(EQUIVALENT_COLUMNS)
                if row.axis is None
                else equivalent_cells(row.axis, row.is_transposed)
            ),
        )


def _layer_document(layer: NetworkLayer, rows: Sequence[_Row]) -> dict[str, object]:
    return {
        "name": layer.name,
        "type": layer.type,
        "line": layer.line or None,
        "axes": [{"arithmetic": row.text, **_axis_document(row)} for row in rows],
    }


def _axis_document(row: _Row) -> dict[str, object]:
    if row.axis is None:
        return {"input_size": row.input_size, "output_size": row.output_size}
    return axis_document(row.axis, row.is_transposed)
