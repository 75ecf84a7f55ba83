"""The dtypes that convt computes with, and the conversion to a result's dtype without loss.

The result of x and a weight has dtype np.result_type(x, weight).  float16 is summed in float32.
Integers are summed exactly: in float64, which BLAS multiplies fast, where no partial sum can be
2^53 or more, else in int64; a result that its dtype cannot hold is refused, never wrapped.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from convt_cli.errors import ArrayError

Array = NDArray[Any]

_EXACT_IN_FLOAT64 = 2**53
"""Integers of a lower magnitude are exact in float64."""
_INT64_BOUND = 2**63
"""Integers of a lower magnitude fit int64."""


def require_numeric(array: Array, what: str) -> Array:
    """`array` in native byte order.  Raises ArrayError (E302) unless it holds numbers."""
    if array.dtype.kind not in "iufc":
        raise ArrayError(
            "E302",
            f"{what} must hold integers, floats or complex numbers",
            value=f"got dtype {array.dtype}",
            help="convert it, for example with .astype('float64')",
        )
    return array if array.dtype.isnative else array.astype(array.dtype.newbyteorder("="))


def widened(bits: Array) -> Array:
    """bfloat16 numbers, given as integers of their bits, as float32: they are its upper 16 bits."""
    return (bits.astype(np.uint32) << 16).view(np.float32)


def as_array(values: ArrayLike, what: str) -> Array:
    """`values` as an array of numbers.  Raises ArrayError (E302)."""
    try:
        array = np.asarray(values)
    except ValueError as error:  # lists of different lengths
        raise ArrayError(
            "E302", f"{what} must be an array", value=str(error), help="make its rows as long"
        ) from None
    return require_numeric(array, what)


def result_dtype(x: Array, weight: Array) -> np.dtype[Any]:
    """The np.result_type of both, in native byte order."""
    return np.result_type(x.dtype, weight.dtype).newbyteorder("=")


def working_dtype(x: Array, weight: Array, products: int) -> np.dtype[Any]:
    """The dtype in which the products of `x` and `weight` are summed, at most `products` a sum.

    Raises ArrayError (E304) when an integer sum could pass 2^63.
    """
    result = result_dtype(x, weight)
    if result == np.float16:
        return np.dtype(np.float32)
    if result.kind not in "iu":
        return result
    bound = _magnitude(x) * _magnitude(weight) * products
    if bound < _EXACT_IN_FLOAT64:
        return np.dtype(np.float64)
    if bound < _INT64_BOUND:
        return np.dtype(np.int64)
    raise ArrayError(
        "E304",
        "a sum of integers could pass 2^63",
        value=f"{products:,} products of up to {_magnitude(x)} * {_magnitude(weight)}",
        help="convert one of the arrays to float64",
        dtype="float64",
    )


def finish(total: Array, result: np.dtype[Any]) -> Array:
    """`total` as dtype `result`.  Raises ArrayError (E304) where an integer does not fit."""
    if result.kind in "iu" and total.size:
        limits = np.iinfo(result)
        low, high = int(total.min()), int(total.max())
        if low < limits.min or high > limits.max:
            raise ArrayError(
                "E304",
                f"the result does not fit {result}",
                value=f"it reaches from {low} to {high}",
                help="convert the input to a wider dtype, such as int64",
                dtype="int64",
            )
    return total.astype(result, copy=False)


def exact_sum(first: Array, second: Array) -> Array:
    """The sum first + second, of dtype np.result_type.

    Raises ArrayError (E304) where an integer does not fit.
    """
    dtype = result_dtype(first, second)
    if dtype.kind not in "iu":
        return finish(first + second, dtype)
    if _magnitude(first) + _magnitude(second) >= _INT64_BOUND:
        raise ArrayError(
            "E304",
            "a sum of integers could pass 2^63",
            value=f"{_magnitude(first)} + {_magnitude(second)}",
            help="convert one of the arrays to float64",
            dtype="float64",
        )
    return finish(first.astype(np.int64) + second.astype(np.int64), dtype)


def _magnitude(array: Array) -> int:
    """The largest absolute value of an integer array, as a Python int."""
    return max(abs(int(array.min())), abs(int(array.max()))) if array.size else 0
