"""The checks of `convt verify`: a row for each, and how many passed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from convt_cli.analysis.verify import Check
from convt_cli.arithmetic.network import Network, NetworkLayer
from convt_cli.errors import Diagnostic
from convt_cli.reports.cells import finite, number
from convt_cli.reports.per_layer import LayerResults, NetworkResults, fill_notes, per_layer_report
from convt_cli.reports.table import Cell, Report, Table, column

Verified = NetworkResults[tuple[Check, ...]]

_COLUMNS = (
    column("layer"),
    column("check"),
    column("result"),
    column("value", optional=1),
    column("bound", optional=2),
    column("note"),
)
_RESULTS = {True: "passed", False: "FAILED", None: "left out"}
"""The word for each value of `Check.passed`."""


def verification_report(verified: Verified, problems: Sequence[Diagnostic]) -> Report:
    """One table per network; `problems` of specs and layers that have no checks."""
    return per_layer_report(verified, problems, table=_table, document=_document)


def _table(network: Network, layers: LayerResults[tuple[Check, ...]]) -> Table:
    return Table(
        title=f"{network.name} ({network.rules.title})",
        columns=_COLUMNS,
        rows=tuple(_row(layer, check) for layer, checks in layers for check in checks),
        notes=tuple(_notes(layers)),
        spec=network.spec,
    )


def _row(layer: NetworkLayer, check: Check) -> tuple[Cell, ...]:
    figures = number(check.value, 3), number(check.bound, 3)
    return (layer.name, check.name, _RESULTS[check.passed], *figures, check.note or None)


def _notes(layers: LayerResults[tuple[Check, ...]]) -> Iterator[str]:
    counted = Counter(check.passed for _, checks in layers for check in checks)
    parts = [f"{counted[result]} {_RESULTS[result]}" for result in _RESULTS if counted[result]]
    yield f"{', '.join(parts) or 'nothing to check'}."
    yield from fill_notes(layers)


def _document(_: NetworkLayer, checks: tuple[Check, ...]) -> dict[str, object]:
    return {
        "passed": all(check.passed is not False for check in checks),
        "checks": [
            {
                "name": check.name,
                "passed": check.passed,
                "value": finite(check.value),
                "bound": finite(check.bound),
                "note": check.note or None,
            }
            for check in checks
        ],
    }
