"""The problems found by `check`, as a document and as a one-line summary."""

from __future__ import annotations

from collections.abc import Sequence

from convt_cli.errors import Diagnostic
from convt_cli.reports.table import VERSION, Report


def check_report(checked: int, found: Sequence[Diagnostic]) -> Report:
    """A document with the number of specs checked and every problem; there is no table."""
    return Report(
        tables=(),
        plain=lambda: {
            "version": VERSION,
            "checked": checked,
            "problems": [problem.document() for problem in found],
        },
    )


def summary(checked: int, found: Sequence[Diagnostic]) -> str:
    """The summary line: how many specs, errors and warnings.

    >>> summary(3, [])
    'checked 3 specs: no problems'
    """
    errors = [problem for problem in found if problem.severity == "error"]
    warnings = len(found) - len(errors)
    bad = len({problem.spec for problem in errors})
    where = f" in {bad:,} of them" if errors and checked > 1 else ""
    problems = _count(len(errors), "problem") if errors else "no problems"
    warned = f", {_count(warnings, 'warning')}" if warnings else ""
    return f"checked {_count(checked, 'spec')}: {problems}{where}{warned}"


def has_errors(found: Sequence[Diagnostic]) -> bool:
    """Whether any of the problems is an error and not just a warning."""
    return any(problem.severity == "error" for problem in found)


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
