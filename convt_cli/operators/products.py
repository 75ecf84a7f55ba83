"""Products of a large matrix with few columns.

Such a product takes as long as reading the matrix.  BLAS does worse: it first copies the matrix
into an order of its own, unless the product is so small that this would not pay.  So a product
with few columns is cut into small ones, along the rows and along what is summed over, and what
these give is added up.  OpenBLAS has ways for small products on processors with AVX-512, where
this takes 0.5 to 0.85 of the time; elsewhere it takes about as long, or a twentieth more.
"""

from __future__ import annotations

from math import isqrt

import numpy as np

from convt_cli.operators.dtypes import Array
from convt_cli.operators.scratch import scratch

_SMALL = 10**6
"""The most multiply-adds of a product that BLAS does without copying."""
_FEW = 4
"""Few columns are so many for each byte of a number, or fewer."""
_ROWS, _DEPTH = (16, 64), (64, 512)
"""The fewest and the most rows of a small product, and what it sums over."""


def multiply(matrix: Array, columns: Array, out: Array) -> None:
    """`matrix` @ `columns` into `out`.

    They are (groups, rows, inner), (batch, groups, inner, columns) and (batch, groups, rows,
    columns).
    """
    (groups, rows, inner), (batch, *_, count) = matrix.shape, columns.shape
    height, depth = _piece(rows, inner, count, matrix.itemsize)
    if (height, depth) == (rows, inner):
        np.matmul(matrix, columns, out=out)
        return
    pieces = matrix.reshape(groups, rows // height, height, inner // depth, depth)
    parts = columns.reshape(batch, groups, inner // depth, 1, depth, count)
    sums = scratch("sums", (batch, groups, inner // depth, rows, count), out.dtype)
    into = sums.reshape(*sums.shape[:3], rows // height, height, count)
    np.matmul(pieces.transpose(0, 3, 1, 2, 4), parts, out=into)
    np.add.reduce(sums, axis=2, out=out)


def _piece(rows: int, inner: int, count: int, itemsize: int) -> tuple[int, int]:
    """The rows of a small product and what it sums over; all of both where nothing is cut."""
    if rows * inner * count > _SMALL and 1 < count <= _FEW * itemsize:
        height = _divisor(rows, _ROWS[1])
        depth = _divisor(inner, min(_DEPTH[1], _SMALL // (height * count)))
        if height >= _ROWS[0] and depth >= _DEPTH[0]:
            return height, depth
    return rows, inner


def _divisor(number: int, most: int) -> int:
    """The largest divisor of `number` that is at most `most`.

    >>> _divisor(2304, 512), _divisor(97, 64)
    (384, 1)
    """
    small = [n for n in range(1, isqrt(number) + 1) if number % n == 0]
    return max(d for n in small for d in (n, number // n) if d <= most)
