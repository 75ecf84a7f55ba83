"""The entries of a small C as texts: as numbers, or as the names of their taps."""

from __future__ import annotations

from math import prod

import numpy as np
from scipy.sparse import csr_array

from convt_cli.arithmetic.convolution import Convolution
from convt_cli.arithmetic.dialects.weight_layout import WeightLayout
from convt_cli.errors import RequestError
from convt_cli.io import memory
from convt_cli.operators.dtypes import Array
from convt_cli.operators.matrix.build import build_matrix
from convt_cli.operators.padding import input_columns, without_padding

LARGEST_SHOWN = 256
"""The most rows and columns of a matrix that is shown entry by entry."""

_MOST_TAPS = 2**20
"""The most taps that are named: a few megabytes of text.  Even a small C can have more, where a
long padding is folded onto a short input and each entry is the sum of many taps."""

Entries = list[list[str | None]]
"""Rows of texts, one for each column; None where nothing is stored."""


def require_small(convolution: Convolution) -> None:
    """Raise RequestError (E503) where C is too large to be shown."""
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


def symbols(convolution: Convolution, layout: WeightLayout, *, transpose: bool) -> Entries:
    """Every entry of C, or Cᵀ, as the tap that stands there, named by its index in the weight.

    The index is that of the weight as it is stored; its channels are left out where there is
    one input and one output channel, so that w0,1 is row 0 and column 1 of the kernel.  Where the
    padding repeats the input several taps can meet: the entry is their sum, w0+w2.
    """
    taps, columns = _taps(convolution)
    rows, width = taps.shape[0], convolution.matrix_shape[1]
    terms: list[list[list[str]]] = [[[] for _ in range(width)] for _ in range(rows)]
    for row, entries in enumerate(terms):
        for place in range(taps.indptr[row], taps.indptr[row + 1]):
            name = _tap_name(int(taps.data[place]), convolution, layout)
            entries[columns[taps.indices[place]]].append(name)
    named = [["+".join(names) or None for names in entries] for entries in terms]
    return [list(column) for column in zip(*named)] if transpose else named


def _taps(convolution: Convolution) -> tuple[csr_array, Array]:
    """(C with the index of a tap for each entry, (columns,) the column of C that each stands for).

    Where the padding repeats the input, the first is C over the padded input: taps that meet in an
    entry of C still have columns of their own there.
    """
    shape = convolution.weight_shape
    memory.require(8 * prod(shape), "the kernel", help="use a smaller kernel_size")
    numbered = np.arange(prod(shape)).reshape(shape)
    if convolution.padding_mode == "zeros":
        return build_matrix(convolution, numbered), np.arange(convolution.matrix_shape[1])
    padded = without_padding(convolution)
    if padded.nnz > _MOST_TAPS:
        raise RequestError(
            "E503",
            f"the names of up to {_MOST_TAPS:,} taps are shown",
            value=f"C is made of {padded.nnz:,}",
            help="use a smaller kernel_size, or leave --symbols out",
        )
    return build_matrix(padded, numbered), input_columns(convolution)


def _number_text(value: np.number) -> str:
    if isinstance(value, np.floating):
        return np.format_float_positional(value, trim="-")
    return str(value)


def _tap_name(tap: int, convolution: Convolution, layout: WeightLayout) -> str:
    channels, kernel = convolution.weight_shape[:2], convolution.kernel_size
    index = tuple(int(number) for number in np.unravel_index(tap, (*channels, *kernel)))
    stored = layout.stored_index(convolution, index)
    if channels == (1, 1):
        stored = stored[: len(kernel)] if layout.taps_first else stored[2:]
    return "w" + ",".join(map(str, stored))


def _rows(matrix: csr_array, labels: list[str]) -> Entries:
    """`labels`, one per stored entry, in their rows and columns."""
    rows, columns = matrix.shape
    entries: Entries = [[None] * columns for _ in range(rows)]
    for row in range(rows):
        for place in range(matrix.indptr[row], matrix.indptr[row + 1]):
            entries[row][matrix.indices[place]] = labels[place]
    return entries
