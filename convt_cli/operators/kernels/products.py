"""Matrix products, cut into pieces that BLAS multiplies fast.

BLAS first copies both factors into a layout of its own.  Where one side of a product is short, that
takes as long as the multiplication, or longer.  Some BLAS routines multiply small products without
a copy (see `blas`).  There `multiply_each`, which has many short products, cuts each into small
blocks of rows and columns, and takes three quarters of the time.

A large matrix times few columns takes as long as reading the matrix from memory.  `multiply` cuts
such a product along the rows and along the summed axis, and adds the partial sums.  With the
routines named this takes 0.5 to 0.85 of the time; elsewhere about as long, at most 5 % more.
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
"""The largest product, in multiply-adds, that BLAS computes without copying its factors."""
_UNDIVIDED = 2**18
"""The largest product, in multiply-adds, that BLAS copies but computes in a single thread."""
_WIDTH, _STEP = 32, 24
"""Blocks are `_WIDTH` columns wide and a multiple of `_STEP` rows high (the last may be smaller):
sizes that OpenBLAS's routines for AVX-512 multiply fast."""
LONGEST = _SMALL // (_WIDTH * _STEP)
"""The longest sum of a small block, in terms.  Longer products are not cut, and BLAS copies the
matrix anew for each."""
_FEW = 4
"""A product has few columns if it has at most `_FEW * itemsize`: then reading the matrix takes
about as long as multiplying."""
_ROWS, _DEPTH = (16, 64), (64, 512)
"""The fewest and the most rows of a piece of `multiply`, and terms of its sums.  A product whose
sizes have no divisor in between is not cut."""


def multiply(matrix: Array, columns: Array, out: Array) -> None:
    """Write matrix @ columns to `out`.

    (groups, rows, inner) @ (batch, groups, inner, columns) is (batch, groups, rows, columns).
    """
    (groups, rows, inner), (batch, *_, count) = matrix.shape, columns.shape
    height, depth = _piece(rows, inner, count, matrix.itemsize)
    if (height, depth) == (rows, inner):
        np.matmul(matrix, columns, out=out)
        return
    # (groups, row pieces, height, inner pieces, depth)
    pieces = matrix.reshape(groups, rows // height, height, inner // depth, depth)
    # (batch, groups, inner pieces, 1, depth, columns)
    parts = columns.reshape(batch, groups, inner // depth, 1, depth, count)
    # (batch, groups, inner pieces, rows, columns): the partial sums
    sums = scratch("sums", (batch, groups, inner // depth, rows, count), out.dtype)
    into = sums.reshape(*sums.shape[:3], rows // height, height, count)
    # (groups, inner pieces, row pieces, height, depth) @ parts
    np.matmul(pieces.transpose(0, 3, 1, 2, 4), parts, out=into)
    np.add.reduce(sums, axis=2, out=out)


def multiply_each(matrix: Array, columns: Array, out: Array) -> None:
    """Write the products of `matrix` and each of a stack of `columns` to `out`.

    (groups, rows, inner) @ (batch, groups, stack, inner, columns) is (batch, groups, stack, rows,
    columns).  Each row of the columns begins at a cache line.
    """
    groups, rows, inner = matrix.shape
    count = columns.shape[-1]
    height, width = _block(rows, inner, count, matrix.dtype)
    for top, bottom, tall in _cuts(rows, height):
        number = (bottom - top) // tall
        # (groups, 1, 1, row blocks, tall, inner)
        blocks = matrix[:, top:bottom].reshape(groups, 1, 1, number, tall, inner)
        for first, past, wide in _cuts(count, width):
            shape = (past - first) // wide, wide
            # (batch, groups, stack, inner, column blocks, wide)
            parts = columns[..., first:past].reshape(*columns.shape[:-1], *shape)
            # (batch, groups, stack, column blocks, 1, inner, wide)
            sides = parts.transpose(0, 1, 2, 4, 3, 5)[:, :, :, :, np.newaxis]
            # (batch, groups, stack, row blocks, tall, column blocks, wide)
            into = out[..., top:bottom, first:past].reshape(*out.shape[:3], number, tall, *shape)
            # blocks @ sides: (batch, groups, stack, column blocks, row blocks, tall, wide)
            np.matmul(blocks, sides, out=into.transpose(0, 1, 2, 5, 3, 4, 6))


def are_undivided(rows: int, inner: int, count: int, dtype: np.dtype[Any]) -> bool:
    """Whether BLAS computes (rows, inner) @ (inner, count) in a single thread."""
    height, width = _block(rows, inner, count, dtype)
    most = _SMALL if _is_in_place(dtype) else _UNDIVIDED
    return height * inner * width <= most


def _is_in_place(dtype: np.dtype[Any]) -> bool:
    """Whether BLAS multiplies small products of float32 or float64 without copies."""
    return dtype.char in "fd" and blas.multiplies_small_products_in_place()


def _cuts(size: int, length: int) -> Iterator[tuple[int, int, int]]:
    """(first, past, length of a piece): all the whole pieces at once, then the shorter rest.

    >>> list(_cuts(100, 32)), list(_cuts(64, 32))
    ([(0, 96, 32), (96, 100, 4)], [(0, 64, 32)])
    """
    whole = size // length * length
    if whole:
        yield 0, whole, length
    if whole < size:
        yield whole, size, size - whole


def _block(rows: int, inner: int, count: int, dtype: np.dtype[Any]) -> tuple[int, int]:
    """The height and width of a block of `multiply_each`; (rows, count) where nothing is cut."""
    if rows * inner * count <= _SMALL or not _is_in_place(dtype):
        return rows, count
    width = min(count, _WIDTH)
    most = _SMALL // (inner * width)
    height = min(rows, most - most % _STEP)
    return (height, width) if height else (rows, count)


def _piece(rows: int, inner: int, count: int, itemsize: int) -> tuple[int, int]:
    """(height, depth) of a piece of `multiply`: rows and terms of its sums.

    (rows, inner) where nothing is cut.
    """
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
