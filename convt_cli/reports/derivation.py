"""The arithmetic of a spec: per layer with a window, and per axis, its formula with numbers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from convt_cli.arithmetic.layers import Windows
from convt_cli.arithmetic.network import Network, NetworkLayer
from convt_cli.errors import Diagnostic
from convt_cli.reports.axes import (
    EQUIVALENT_COLUMNS,
    arithmetic_text,
    axis_document,
    equivalent_cells,
)
from convt_cli.reports.table import VERSION, Cell, Kind, Report, Table, column

_COLUMNS = (
    column("layer"),
    column("type"),
    column("axis"),
    column("arithmetic", "output size"),
    column("output_size", "=", Kind.COUNT),
    column("left_over", "a", Kind.COUNT),
    *EQUIVALENT_COLUMNS,
)

_DIRECT_NOTE = (
    "direct: floor((i + before + after - ke) / s) + 1, with ke = d(k - 1) + 1; a is left over."
)
_TRANSPOSED_NOTES = (
    "transposed: (i - 1)s + ke - before - after + output_padding, with ke = d(k - 1) + 1.",
    "It equals a direct one with s' = 1 over its input stretched to i', padded p' on both sides.",
)


def derivation_report(networks: Sequence[Network], problems: Sequence[Diagnostic]) -> Report:
    """Per layer with a window, and per axis, the formula with its numbers put in."""
    return Report(
        tables=tuple(_table(network) for network in networks),
        plain=lambda: {
            "version": VERSION,
            "networks": [
                {
                    "spec": network.spec,
                    "name": network.name,
                    "framework": network.framework,
                    "layers": [_layer_document(layer) for layer in _windowed(network)],
                }
                for network in networks
            ],
            "problems": [problem.document() for problem in problems],
        },
    )


def _table(network: Network) -> Table:
    rows = [row for layer in _windowed(network) for row in _layer_rows(layer)]
    return Table(
        title=f"{network.name} ({network.rules.title})",
        columns=_COLUMNS,
        rows=tuple(rows),
        notes=_notes(network),
        spec=network.spec,
    )


def _notes(network: Network) -> tuple[str, ...]:
    """The formulas of the kinds of layer that the network has."""
    kinds = {_windows(layer).adjoint for layer in _windowed(network)}
    return (
        *((_DIRECT_NOTE,) if False in kinds else ()),
        *(_TRANSPOSED_NOTES if True in kinds else ()),
    )


def _windowed(network: Network) -> list[NetworkLayer]:
    """The layers that are a direct or a transposed convolution or a pool."""
    return [layer for layer in network.layers if _windows(layer).axes]


def _windows(layer: NetworkLayer) -> Windows:
    reach = layer.geometry.reach
    if isinstance(reach, Windows) and (layer.geometry.convolution or not reach.adjoint):
        return reach
    return Windows(axes=())


def _layer_rows(layer: NetworkLayer) -> Iterable[tuple[Cell, ...]]:
    """One row for each axis; axes that are alike share one."""
    windows = _windows(layer)
    for axis in dict.fromkeys(windows.axes):
        numbers = [str(n) for n, other in enumerate(windows.axes) if other == axis]
        yield (
            layer.name,
            layer.type,
            ", ".join(numbers),
            arithmetic_text(axis, windows.adjoint),
            axis.input_size if windows.adjoint else axis.output_size,
            axis.output_padding,
            *equivalent_cells(axis, windows.adjoint),
        )


def _layer_document(layer: NetworkLayer) -> dict[str, object]:
    windows = _windows(layer)
    return {
        "name": layer.name,
        "type": layer.type,
        "line": layer.line,
        "axes": [
            {
                "arithmetic": arithmetic_text(axis, windows.adjoint),
                **axis_document(axis, windows.adjoint),
            }
            for axis in windows.axes
        ],
    }
