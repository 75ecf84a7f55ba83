"""The constant that one array is of another, if there is one."""

from __future__ import annotations

from math import floor, isfinite

import numpy as np

from convt_cli.analysis.diagnose.bounds import Reckoning
from convt_cli.analysis.diagnose.precision import Precision
from convt_cli.operators.dtypes import Array

_LEAST_ELEMENTS = 4
"""A constant is only found in as many elements: in one there always is one."""
_MOST_NAMED = 65536
"""The largest integer, or 1 / integer, that is tried as the constant."""


def factor_of(found: Reckoning, got: Array, held: Precision) -> float | None:
    """The constant c with got = c * value for every element that says much; None if none is.

    Each element whose value is well above its error leaves an interval for c, and c lies in all of
    them: an integer or a fraction 1 / n if one does, or else their middle.
    """
    if found.values.shape != got.shape:
        return None
    plain = np.isfinite(found.values) & np.isfinite(got) & np.isfinite(found.errors)
    telling = plain & (abs(found.values) > 100 * found.errors) & (found.values != 0)
    if telling.sum() < _LEAST_ELEMENTS:
        return None
    values, errors, given = found.values[telling], found.errors[telling], got[telling]
    slack = 4 * held.unit * abs(given) + held.smallest
    centres = given / values
    margins = (slack + abs(centres) * errors) / (abs(values) - errors)
    low, high = float((centres - margins).max()), float((centres + margins).min())
    if not (low <= high and isfinite(low) and isfinite(high)):
        return None
    return _simplest(low, high)


def _simplest(low: float, high: float) -> float:
    """The simplest number from `low` to `high`: an integer, 1 / an integer, else the middle."""
    middle = (low + high) / 2
    if low <= round(middle) <= high and abs(middle) < _MOST_NAMED:
        return float(round(middle))
    if abs(middle) > 1 / _MOST_NAMED:
        inverse = 1 / floor(1 / middle + 0.5)
        if low <= inverse <= high:
            return inverse
    for digits in range(1, 16):
        short = float(f"{middle:.{digits}g}")
        if low <= short <= high:
            return short
    return middle
