"""Measured numbers as the text of table cells, and as JSON values."""

from __future__ import annotations

from math import isfinite


def number(value: float | None, digits: int = 6) -> str | None:
    """`value` with `digits` significant digits; None stays None.

    >>> number(48.24643564), number(1e-7), number(2.0)
    ('48.2464', '1e-07', '2')
    """
    return None if value is None else f"{value:.{digits}g}"


def off(value: float | None, truth: float) -> str | None:
    """How far `value` is from `truth`, in per cent of `truth`; None where there is no such number.

    >>> off(31.9, 48.2), off(48.2, 48.2)
    ('-33.8%', '+0.0%')
    """
    if value is None or truth == 0:
        return None
    return f"{100 * (value / truth - 1) + 0.0:+.1f}%"


def finite(value: float | None) -> float | None:
    """`value`, or None where it is nan or inf, which JSON cannot express."""
    return None if value is None or not isfinite(value) else value
