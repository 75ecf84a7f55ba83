"""Arithmetic of constants, element by element, with the numbers that ONNX Runtime gives.

Inputs have one type, as ONNX demands, and the result keeps it: integers never pass through
floating point.  Sums and products that leave an integer type wrap around, as the runtime's do;
where it has no answer, as for a division by zero, neither has this.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

_REAL, _SIGNED, _FLOATING, _ANY = "iuf", "if", "f", "iufb"
"""NumPy's letters for kinds of types: i and u are integers, f floating point, b truth."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Arithmetic:
    """What an operator does with `fewest` to `most` inputs, whose types are of these kinds.

    The first `conditions` of them are truth values.  `copies` counts the arrays of the result's
    size that are there at once while it is computed.
    """

    function: Callable[..., Any]
    kinds: str
    fewest: int = 2
    most: int = 2
    conditions: int = 0
    copies: int = 1

    def __call__(self, inputs: Sequence[Any]) -> Array:
        """The result for arrays or numbers.  Raises ValueError where there is none."""
        if not self.fewest <= len(inputs) <= self.most:
            raise ValueError(f"it has {len(inputs)} inputs")
        types = [np.asarray(one).dtype for one in inputs]
        values = types[self.conditions :]
        if any(one != values[0] for one in values):
            raise ValueError(f"its inputs are of the types {', '.join(map(str, values))}")
        if values[0].kind not in self.kinds:
            raise ValueError(f"it takes no numbers of the type {values[0]}")
        if any(one.kind != "b" for one in types[: self.conditions]):
            raise ValueError("its condition is no truth value")
        return np.asarray(self.function(*inputs))


def _divided(dividend: Any, divisor: Any) -> Any:
    """The quotient; of integers it is cut towards zero."""
    if dividend.dtype.kind == "f":
        return dividend / divisor
    _require_quotient(dividend, divisor)
    quotient = dividend // divisor
    is_cut_down = (quotient * divisor != dividend) & ((dividend < 0) != (divisor < 0))
    return (quotient + is_cut_down).astype(dividend.dtype)


def _require_quotient(dividend: Any, divisor: Any) -> None:
    if not np.all(divisor):
        raise ValueError("an integer is divided by zero")
    if dividend.dtype.kind == "i":
        lowest = np.iinfo(dividend.dtype).min
        if np.any((dividend == lowest) & (divisor == -1)):
            raise ValueError(f"{lowest} / -1 is beyond the type {dividend.dtype}")


def _remainder(dividend: Any, divisor: Any) -> Any:
    """What is left of integers, with the divisor's sign."""
    _require_quotient(dividend, divisor)
    return np.mod(dividend, divisor)


def _remainder_of_dividend(dividend: Any, divisor: Any) -> Any:
    """What is left, with the dividend's sign."""
    if dividend.dtype.kind != "f":
        _require_quotient(dividend, divisor)
    return np.fmod(dividend, divisor)


MOD = Arithmetic(function=_remainder, kinds="iu", copies=3)
FMOD = Arithmetic(function=_remainder_of_dividend, kinds=_REAL, copies=3)

ARITHMETIC = {
    "Add": Arithmetic(function=np.add, kinds=_REAL),
    "Sub": Arithmetic(function=np.subtract, kinds=_REAL),
    "Mul": Arithmetic(function=np.multiply, kinds=_REAL),
    "Div": Arithmetic(function=_divided, kinds=_REAL, copies=4),
    "Neg": Arithmetic(function=np.negative, kinds=_SIGNED, fewest=1, most=1),
    "Abs": Arithmetic(function=np.abs, kinds=_REAL, fewest=1, most=1),
    "Floor": Arithmetic(function=np.floor, kinds=_FLOATING, fewest=1, most=1),
    "Ceil": Arithmetic(function=np.ceil, kinds=_FLOATING, fewest=1, most=1),
    "Round": Arithmetic(function=np.rint, kinds=_FLOATING, fewest=1, most=1),
    "Sqrt": Arithmetic(function=np.sqrt, kinds=_FLOATING, fewest=1, most=1),
    "Max": Arithmetic(
        function=lambda *arrays: reduce(np.maximum, arrays),
        kinds=_REAL,
        fewest=1,
        most=2**31,
        copies=2,
    ),
    "Min": Arithmetic(
        function=lambda *arrays: reduce(np.minimum, arrays),
        kinds=_REAL,
        fewest=1,
        most=2**31,
        copies=2,
    ),
    "Equal": Arithmetic(function=np.equal, kinds=_ANY),
    "Greater": Arithmetic(function=np.greater, kinds=_REAL),
    "Less": Arithmetic(function=np.less, kinds=_REAL),
    "Where": Arithmetic(function=np.where, kinds=_ANY, fewest=3, most=3, conditions=1),
}
"""By the operator's name; Mod is one of two, `MOD` and `FMOD`."""
