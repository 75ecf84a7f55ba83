"""Element-wise arithmetic on constants, with the results of ONNX Runtime.

Inputs have one type, as ONNX demands, and the result keeps it: integers never pass through
floating point.  Sums and products that leave an integer type wrap around, as the runtime's do;
what has no result there, such as a division by zero, raises ValueError.
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
"""Kinds of types in NumPy's letters: i and u are integers, f floating point, b truth values."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Arithmetic:
    """One operator: its function, and the inputs that it takes.

    There are `fewest` to `most` inputs, of which the first `conditions` are truth values and the
    others of one type of these `kinds`.  `copies` is how many arrays of the result's size exist
    at once while it is computed.
    """

    function: Callable[..., Any]
    kinds: str
    fewest: int = 2
    most: int = 2
    conditions: int = 0
    copies: int = 1

    def __call__(self, inputs: Sequence[Any]) -> Array:
        """The result for arrays or single numbers.  Raises ValueError where there is none."""
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
    """The quotient; that of integers is rounded towards zero."""
    if dividend.dtype.kind == "f":
        return dividend / divisor
    _require_quotient(dividend, divisor)
    quotient = dividend // divisor  # rounded down, which is off by one below zero
    is_one_too_low = (quotient * divisor != dividend) & ((dividend < 0) != (divisor < 0))
    return (quotient + is_one_too_low).astype(dividend.dtype)


def _require_quotient(dividend: Any, divisor: Any) -> None:
    """Raise ValueError where integers have no quotient in their own type."""
    if not np.all(divisor):
        raise ValueError("an integer is divided by zero")
    if dividend.dtype.kind == "i":
        lowest = np.iinfo(dividend.dtype).min
        if np.any((dividend == lowest) & (divisor == -1)):
            raise ValueError(f"{lowest} / -1 is beyond the type {dividend.dtype}")


def _remainder(dividend: Any, divisor: Any) -> Any:
    """The remainder of integers, with the divisor's sign."""
    _require_quotient(dividend, divisor)
    return np.mod(dividend, divisor)


def _remainder_of_dividend(dividend: Any, divisor: Any) -> Any:
    """The remainder, with the dividend's sign."""
    if dividend.dtype.kind != "f":
        _require_quotient(dividend, divisor)
    return np.fmod(dividend, divisor)


MOD = Arithmetic(function=_remainder, kinds="iu", copies=3)
FMOD = Arithmetic(function=_remainder_of_dividend, kinds=_REAL, copies=3)

_FUNCTIONS: dict[str, Callable[[Any], Any]] = {
    "Exp": np.exp,
    "Log": np.log,
    "Sin": np.sin,
    "Cos": np.cos,
    "Tanh": np.tanh,
    "Reciprocal": lambda numbers: 1 / numbers,
}
"""Functions of one floating-point number; their last digit may be another than the runtime's."""

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
    **{
        operator: Arithmetic(function=function, kinds="f", fewest=1, most=1, copies=2)
        for operator, function in _FUNCTIONS.items()
    },
    "Pow": Arithmetic(function=np.power, kinds=_FLOATING),
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
    "GreaterOrEqual": Arithmetic(function=np.greater_equal, kinds=_REAL),
    "LessOrEqual": Arithmetic(function=np.less_equal, kinds=_REAL),
    "Not": Arithmetic(function=np.logical_not, kinds="b", fewest=1, most=1),
    "And": Arithmetic(function=np.logical_and, kinds="b"),
    "Or": Arithmetic(function=np.logical_or, kinds="b"),
    "Where": Arithmetic(function=np.where, kinds=_ANY, fewest=3, most=3, conditions=1),
}
"""By the operator's name.  Mod is not among them: its attribute chooses `MOD` or `FMOD`."""
