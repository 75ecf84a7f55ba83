"""The common form of reports with one result for every conv-like layer of several networks."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

from convt_cli.arithmetic.network import Network, NetworkLayer
from convt_cli.errors import Diagnostic
from convt_cli.reports.table import VERSION, Report, Table

_Result = TypeVar("_Result")

LayerResults = Sequence[tuple[NetworkLayer, _Result]]
"""Each layer of a network with its result."""
NetworkResults = Sequence[tuple[Network, LayerResults[_Result]]]
"""Each network with the results of its layers."""


def per_layer_report(
    results: NetworkResults[_Result],
    problems: Sequence[Diagnostic],
    *,
    table: Callable[[Network, LayerResults[_Result]], Table],
    document: Callable[[NetworkLayer, _Result], dict[str, object]],
) -> Report:
    """A report with one `table` per network and one `document` per layer.

    `problems` are those of specs and layers without a result.
    """
    return Report(
        tables=tuple(table(network, layers) for network, layers in results),
        plain=lambda: {
            "version": VERSION,
            "layers": [
                {
                    "spec": network.spec,
                    "layer": layer.name,
                    "weight": str(layer.weight_source),
                    **document(layer, result),
                }
                for network, layers in results
                for layer, result in layers
            ],
            "problems": [problem.document() for problem in problems],
        },
    )


def fill_notes(layers: LayerResults[_Result]) -> Iterator[str]:
    """A note that names the layers whose weight the spec does not name, and their fill, if any."""
    filled = [layer for layer, _ in layers if layer.is_filled]
    if filled:
        names = ", ".join(layer.name for layer in filled)
        yield f"Without a weight of their own, with {filled[0].weight_source}: {names}."
