"""Reports of something known about every conv-like layer of several networks."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

from convt_cli.arithmetic.network import MatrixLayer, Network
from convt_cli.errors import Diagnostic
from convt_cli.reports.table import VERSION, Report, Table

_Known = TypeVar("_Known")

Layers = Sequence[tuple[MatrixLayer, _Known]]
Found = Sequence[tuple[Network, Layers[_Known]]]
"""What is known of each layer, network by network."""


def per_layer_report(
    found: Found[_Known],
    problems: Sequence[Diagnostic],
    *,
    table: Callable[[Network, Layers[_Known]], Table],
    document: Callable[[MatrixLayer, _Known], dict[str, object]],
) -> Report:
    """One `table` per network, and a `document` per layer; `problems` are those of the others."""
    return Report(
        tables=tuple(table(network, layers) for network, layers in found),
        plain=lambda: {
            "version": VERSION,
            "layers": [
                {
                    "spec": network.spec,
                    "layer": layer.name,
                    "weight": str(layer.weight),
                    **document(layer, known),
                }
                for network, layers in found
                for layer, known in layers
            ],
            "problems": [problem.document() for problem in problems],
        },
    )


def fill_notes(layers: Layers[_Known]) -> Iterator[str]:
    """Which layers have no weight of their own, and what was taken for it."""
    filled = [layer for layer, _ in layers if layer.is_filled]
    if filled:
        names = ", ".join(layer.name for layer in filled)
        yield f"Without a weight of their own, with {filled[0].weight}: {names}."
