"""The number types that tools compute in: their rounding, and the largest error it makes.

A type has `digits` bits of precision, the leading one counted, so that rounding to it changes a
number by at most u = 2^-digits of itself, or by half of `smallest` where that is more.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from convt_cli.errors import ArrayError
from convt_cli.operators.dtypes import Array, as_array, widened

_OF_NUMPY = ("float64", "float32", "float16")
"""The types that NumPy has, and rounds to faster than `Precision` itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Precision:
    """A number type: bits of precision, and the exponents of its largest and smallest numbers.

    `smallest` is the smallest subnormal number, `largest` the largest finite one.
    """

    name: str
    digits: int
    highest: int
    lowest: int

    @property
    def unit(self) -> float:
        """u, the largest relative error of one rounding."""
        return 2.0**-self.digits

    @property
    def smallest(self) -> float:
        return 2.0 ** max(self.lowest, -1074)

    @property
    def normal(self) -> float:
        """The smallest number with all digits: below it, rounding is off by at most u of this."""
        return self.smallest / (2 * self.unit)

    @property
    def largest(self) -> float:
        return (2.0 - 2.0 ** (1 - self.digits)) * 2.0**self.highest

    def rounded(self, x: Array) -> Array:
        """x as the nearest numbers of this type, ties to even, in float64.

        >>> PRECISIONS["bfloat16"].rounded(np.array([1.0, 257.0, 1e39]))
        array([  1., 256.,  inf])
        """
        wide = x.astype(np.float64, copy=False)
        if self.name in _OF_NUMPY:
            with np.errstate(all="ignore"):
                return wide.astype(self.name, copy=False).astype(np.float64, copy=False)
        _, exponents = np.frexp(wide)
        # the distance of neighbouring numbers of the type around each x
        steps = np.ldexp(1.0, np.maximum(exponents - self.digits, self.lowest))
        with np.errstate(all="ignore"):
            near: Array = np.rint(wide / steps) * steps
        near = np.where(np.isfinite(wide), near, wide)
        return np.where(abs(near) > self.largest, np.copysign(np.inf, wide), near)

    def holds(self, x: Array) -> bool:
        """Whether rounding to this type changes no element of x."""
        return bool(np.array_equal(self.rounded(x), x.astype(np.float64), equal_nan=True))


PRECISIONS = {
    one.name: one
    for one in (
        Precision(name="float64", digits=53, highest=1023, lowest=-1074),
        Precision(name="float32", digits=24, highest=127, lowest=-149),
        Precision(name="tf32", digits=11, highest=127, lowest=-136),
        Precision(name="bfloat16", digits=8, highest=127, lowest=-133),
        Precision(name="float16", digits=11, highest=15, lowest=-24),
    )
}
"""The types that sums can be accumulated in, by name, the widest first."""

LOWER = tuple(PRECISIONS[name] for name in ("float16", "tf32", "bfloat16"))
"""The types that tools round to without being asked."""


def numbers(values: Any, what: str) -> tuple[Array, Precision]:
    """An array in a type that NumPy computes with, and the precision that it came in.

    bfloat16, which NumPy calls V2, is widened to float32; integers count as float64.  Raises
    ArrayError (E302) for what is no real number.

    >>> numbers(np.array([16256, 49152], np.uint16).view("V2"), "the array")[0]
    array([ 1., -2.], dtype=float32)
    """
    array = np.asarray(values)
    if array.dtype.kind == "V" and array.dtype.itemsize == 2 and array.dtype.names is None:
        return widened(array.view(np.uint16)), PRECISIONS["bfloat16"]
    array = as_array(values, what)
    if array.dtype.kind == "c":
        raise ArrayError(
            "E302",
            f"{what} must hold real numbers",
            value=f"got dtype {array.dtype}",
            help="diagnose its real and its imaginary part by themselves",
        )
    return array, PRECISIONS.get(str(array.dtype), PRECISIONS["float64"])
