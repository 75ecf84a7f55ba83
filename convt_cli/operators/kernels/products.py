"""Matrix products, cut into those that BLAS does best.

BLAS copies both sides of a product into an order of its own first.  Where a side is short that
takes as long as multiplying, or longer.  Some kernels of BLAS do small products without a copy
(`blas`): there the many short products of `rows` are cut into small ones, blocks of rows and
columns that sum over everything, which takes three quarters of the time.

A large matrix with few columns takes as long to multiply as to read.  Such a product is cut along
the rows and along what is summed over, and what the pieces give is added up.  With the kernels
named that takes 0.5 to 0.85 of the time; elsewhere about as long, or a twentieth more.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import isqrt
from typing import Any

import numpy as np

from convt_cli.operators.dtypes import Array
from convt_cli.operators.kernels import blas
from convt_cli.operators.kernels.scratch import scratch

_SMALL = 10**6
"""The most multiply-adds of a product that BLAS does without copying."""
_DIVIDED = 2**18
"""The most of one that it does copy, and yet does not divide among threads."""
_WIDTH, _STEP = 32, 24
"""A block has so many columns, and a multiple of so many rows, or all."""
LONGEST = _SMALL // (_WIDTH * _STEP)
"""The most that a block sums over; of longer products each copies its matrix."""
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


def multiply_each(matrix: Array, columns: Array, out: Array) -> None:
    """`matrix` @ each of the stack's `columns` into `out`.

    They are (groups, rows, inner), (batch, groups, stack, inner, columns) and (batch, groups,
    stack, rows, columns).  Each row of the columns begins with a line of the cache.
    """
    groups, rows, inner = matrix.shape
    count = columns.shape[-1]
    height, width = _block(rows, inner, count, matrix.dtype)
    for top, bottom, tall in _cuts(rows, height):
        number = (bottom - top) // tall
        blocks = matrix[:, top:bottom].reshape(groups, 1, 1, number, tall, inner)
        for first, past, wide in _cuts(count, width):
            shape = (past - first) // wide, wide
            parts = columns[..., first:past].reshape(*columns.shape[:-1], *shape)
            sides = parts.transpose(0, 1, 2, 4, 3, 5)[:, :, :, :, np.newaxis]
            into = out[..., top:bottom, first:past].reshape(*out.shape[:3], number, tall, *shape)
            np.matmul(blocks, sides, out=into.transpose(0, 1, 2, 5, 3, 4, 6))


def are_undivided(rows: int, inner: int, count: int, dtype: np.dtype[Any]) -> bool:
    """Whether a product of such a matrix and so many columns is too small for BLAS to divide."""
    height, width = _block(rows, inner, count, dtype)
    most = _SMALL if _is_in_place(dtype) else _DIVIDED
    return height * inner * width <= most


def _is_in_place(dtype: np.dtype[Any]) -> bool:
    return dtype.char in "fd" and blas.multiplies_small_products_in_place()


def _cuts(size: int, length: int) -> Iterator[tuple[int, int, int]]:
    """As many pieces of this length as there are, as (first, past, length); then the shorter one.

    >>> list(_cuts(100, 32)), list(_cuts(64, 32))
    ([(0, 96, 32), (96, 100, 4)], [(0, 64, 32)])
    """
    whole = size // length * length
    if whole:
        yield 0, whole, length
    if whole < size:
        yield whole, size, size - whole


def _block(rows: int, inner: int, count: int, dtype: np.dtype[Any]) -> tuple[int, int]:
    """The rows and columns of a block; all of both where nothing is cut."""
    if rows * inner * count <= _SMALL or not _is_in_place(dtype):
        return rows, count
    width = min(count, _WIDTH)
    most = _SMALL // (inner * width)
    height = min(rows, most - most % _STEP)
    return (height, width) if height else (rows, count)


def _piece(rows: int, inner: int, count: int, itemsize: int) -> tuple[int, int]:
    """The rows of a small product and what it sums over; all of both where nothing is cut."""
    if rows * inner * count > _SMALL and 1 < count <= _FEW * itemsize:
        height = _divisor(rows, _ROWS[1])
        depth = _divisor(inner, min(_DEPTH[1], _SMALL // (height * count)))
        if height >= _ROWS[0] and depth >= _DEPTH[0]:
            return height, depth
    return rows, inner


def _divisor(number: int, most: int) -> int:
    """The largest divisor of `number` that is at most `most`, which is 1 or more.

    >>> _divisor(2304, 512), _divisor(97, 64)
    (384, 1)
    """
    small = [n for n in range(1, isqrt(number) + 1) if number % n == 0]
    return max(d for n in small for d in (n, number // n) if d <= most)
