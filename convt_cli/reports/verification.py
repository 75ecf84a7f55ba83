"""What `convt verify` compared: a row for each check, and how many passed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from convt_cli.analysis.verify import Check
from convt_cli.arithmetic.network import MatrixLayer, Network
from convt_cli.errors import Diagnostic
from convt_cli.reports.numbers import finite, number
from convt_cli.reports.table import VERSION, Cell, Report, Table, column

Verified = Sequence[tuple[Network, Sequence[tuple[MatrixLayer, tuple[Check, ...]]]]]

_COLUMNS = (
    column("layer"),
    column("check"),
    column("result"),
    column("value", optional=1),
    column("bound", optional=2),
    column("note"),
)
_RESULTS = {True: "passed", False: "FAILED", None: "left out"}


def verification_report(verified: Verified, problems: Sequence[Diagnostic]) -> Report:
    """One table per network; `problems` of specs and layers that have no checks."""
    return Report(
        tables=tuple(_table(network, layers) for network, layers in verified),
        plain=lambda: {
            "version": VERSION,
            "layers": [
                _document(network, layer, checks)
                for network, layers in verified
                for layer, checks in layers
            ],
            "problems": [problem.document() for problem in problems],
        },
    )


def _table(network: Network, layers: Sequence[tuple[MatrixLayer, tuple[Check, ...]]]) -> Table:
    return Table(
        title=f"{network.name} ({network.rules.title})",
        columns=_COLUMNS,
        rows=tuple(_row(layer, check) for layer, checks in layers for check in checks),
        notes=tuple(_notes(layers)),
        spec=network.spec,
    )


def _row(layer: MatrixLayer, check: Check) -> tuple[Cell, ...]:
    figures = number(check.value, 3), number(check.bound, 3)
    return (layer.name, check.name, _RESULTS[check.passed], *figures, check.note or None)


def _notes(layers: Sequence[tuple[MatrixLayer, tuple[Check, ...]]]) -> Iterator[str]:
    counted = Counter(check.passed for _, checks in layers for check in checks)
    parts = [f"{counted[result]} {_RESULTS[result]}" for result in _RESULTS if counted[result]]
    yield f"{', '.join(parts) or 'nothing to check'}."
    yield from fill_notes([layer for layer, _ in layers])


def fill_notes(layers: Sequence[MatrixLayer]) -> Iterator[str]:
    """Which layers have no weight of their own, and what was taken for it."""
    names = [layer.name for layer in layers if layer.is_filled]
    if names:
        weight = next(layer.weight for layer in layers if layer.is_filled)
        yield f"Without a weight of their own, with {weight}: {', '.join(names)}."


def _document(network: Network, layer: MatrixLayer, checks: tuple[Check, ...]) -> dict[str, object]:
    return {
        "spec": network.spec,
        "layer": layer.name,
        "weight": str(layer.weight),
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
