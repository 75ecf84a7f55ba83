"""What `check` found, as a document and as one line."""

from __future__ import annotations

from collections.abc import Sequence

from convt_cli.errors import Diagnostic
from convt_cli.reports.table import VERSION, Report


def check_report(checked: int, found: Sequence[Diagnostic]) -> Report:
    """The number of specs checked, and every problem found."""
    return Report(
        tables=(),
        plain=lambda: {
            "version": VERSION,
            "checked": checked,
            "problems": [problem.document() for problem in found],
        },
    )


def summary(checked: int, found: Sequence[Diagnostic]) -> str:
    """One line on all of it.

    >>> summary(3, [])
    'checked 3 specs: no problems'
    """
    specs = _count(checked, "spec")
    if not found:
        return f"checked {specs}: no problems"
    bad = len({problem.spec for problem in found})
    where = f" in {bad:,} of them" if checked > 1 else ""
    return f"checked {specs}: {_count(len(found), 'problem')}{where}"


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
