"""A small C entry by entry, as numbers or as the taps that stand in it."""

from __future__ import annotations

from math import prod

import numpy as np
from scipy.sparse import csr_array

from convt_cli.arithmetic.convolution import Convolution, Shape
from convt_cli.errors import RequestError
from convt_cli.io import memory
from convt_cli.operators.matrix import build_matrix

LARGEST_SHOWN = 256

Entries = list[list[str | None]]


def require_small(convolution: Convolution) -> None:
    """Raise RequestError (E503) where C is too large to be read."""
    rows, columns = convolution.matrix_shape
    if max(rows, columns) > LARGEST_SHOWN:
        raise RequestError(
            "E503",
            f"a matrix of up to {LARGEST_SHOWN} rows and columns is shown",
            value=f"C is {rows:,} by {columns:,}",
            help="use a smaller --input, or export it with -o",
        )


def numbers(matrix: csr_array) -> Entries:
    """Every entry as a number; None where nothing is stored."""
    return _rows(matrix, [_number_text(value) for value in matrix.data])


def symbols(convolution: Convolution, *, transpose: bool) -> Entries:
    """Every entry of C, or Cᵀ, as the name of its tap.

    w0,1 is row 0 and column 1 of the kernel; between several channels the names begin with the
    output and the input channel.
    """
    shape = convolution.weight_shape
    memory.require(8 * prod(shape), "the kernel", help="use a smaller kernel_size")
    taps = np.arange(prod(shape)).reshape(shape)
    matrix = build_matrix(convolution, taps, transpose=transpose)
    return _rows(matrix, [_tap_name(int(tap), shape) for tap in matrix.data])


def _number_text(value: np.number) -> str:
    if isinstance(value, np.floating):
        return np.format_float_positional(value, trim="-")
    return str(value)


def _tap_name(tap: int, shape: Shape) -> str:
    first = 2 if shape[:2] == (1, 1) else 0
    return "w" + ",".join(str(index) for index in np.unravel_index(tap, shape)[first:])


def _rows(matrix: csr_array, labels: list[str]) -> Entries:
    """`labels`, one per stored entry, in their rows and columns."""
    rows, columns = matrix.shape
    entries: Entries = [[None] * columns for _ in range(rows)]
    for row in range(rows):
        for place in range(matrix.indptr[row], matrix.indptr[row + 1]):
            entries[row][matrix.indices[place]] = labels[place]
    return entries
