"""C and Cᵀ as sparse matrices in CSR form, whole or in bands of rows.

Padded with zeros they are made band by band, see `bands`.  Where the padding repeats the input (a
padding_mode other than zeros), C is made over the padded input; then in every band the columns of
the padding are folded onto the input's, and entries that meet are added up.  Cᵀ is then the
transpose of a whole C.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from scipy.sparse import csr_array

from convt_cli.arithmetic.convolution import Convolution
from convt_cli.errors import ArrayError
from convt_cli.io import memory
from convt_cli.operators.dtypes import Array, require_numeric
from convt_cli.operators.matrix.bands import ZeroPaddedBands
from convt_cli.operators.padding import input_columns, without_padding

WHOLE_BAND_BYTES = 64 * 2**20
"""Bytes of a band where the whole matrix is kept: its arrays are filled in place."""
STREAMED_BAND_BYTES = 16 * 2**20
"""Bytes of a band where the matrix is written band by band, and several are held at a time."""


class Band(Protocol):
    """Neighbouring rows of a matrix."""

    @property
    def entries(self) -> int:
        """The number of entries in the band."""
        ...

    def row_entries(self) -> Array:
        """(rows,) entries of each row, in the index dtype."""
        ...

    def fill_data(self, out: Array) -> None:
        """Write the entries to `out`, of length `entries`."""
        ...

    def fill_columns(self, out: Array) -> None:
        """Write the column index of every entry to `out`, of length `entries`."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class BandedMatrix:
    """A matrix that is never held whole: iterating `bands` computes it, in order, each time."""

    shape: tuple[int, int]
    nnz: int
    dtype: np.dtype[Any]
    index_dtype: np.dtype[Any]
    bands: Iterable[Band]


def build_matrix(convolution: Convolution, weight: Array, *, transpose: bool = False) -> csr_array:
    """C with C[output, input] = the weight's tap there; y.ravel() = C @ x.ravel().  Or Cᵀ.

    `weight` is (out_channels, in_channels // groups, *kernel_size) and gives C its dtype.  The
    result is canonical: column indices sorted, no duplicates, zeros of the weight stored.
    Raises ArrayError (E302) for a dtype without a sparse matrix, RequestError (E501) when C
    does not fit into memory.
    """
    weight = _checked(weight)
    folded_transpose = transpose and convolution.padding_mode != "zeros"
    needed = convolution.matrix_bytes(weight.dtype.itemsize, transpose=transpose)
    memory.require(
        2 * needed if folded_transpose else needed,
        f"{'Cᵀ' if transpose else 'C'} with {convolution.nnz:,} entries",
        help="apply it without the matrix, by the method direct, or use a smaller input",
    )
    if folded_transpose:
        return build_matrix(convolution, weight).T.tocsr()
    bands = banded_matrix(convolution, weight, transpose=transpose, band_bytes=WHOLE_BAND_BYTES)
    return _whole(bands)


def banded_matrix(
    convolution: Convolution,
    weight: Array,
    *,
    transpose: bool = False,
    band_bytes: int = STREAMED_BAND_BYTES,
) -> BandedMatrix:
    """The matrix of `build_matrix` in bands of at most `band_bytes`.  Raises ArrayError (E302).

    Only where `can_be_banded`.
    """
    weight = _checked(weight)
    rows, columns = convolution.matrix_shape
    if convolution.padding_mode == "zeros":
        bands: Iterable[Band] = ZeroPaddedBands.of(
            convolution, weight, transpose=transpose, band_bytes=band_bytes
        )
    else:
        bands = _FoldedBands(convolution=convolution, weight=weight, band_bytes=band_bytes)
    return BandedMatrix(
        shape=(columns, rows) if transpose else (rows, columns),
        nnz=convolution.nnz,
        dtype=weight.dtype,
        index_dtype=np.dtype(convolution.index_dtype),
        bands=bands,
    )


def can_be_banded(convolution: Convolution, *, transpose: bool) -> bool:
    """Whether `banded_matrix` can make it: all but Cᵀ where the padding repeats the input."""
    return convolution.padding_mode == "zeros" or not transpose


def require_matrix_dtype(weight: Array) -> None:
    """Raise ArrayError (E302) for float16, which no scipy.sparse matrix holds."""
    if weight.dtype == np.float16:
        raise ArrayError(
            "E302",
            "a sparse matrix holds no float16",
            value="got dtype float16",
            help="convert the weight to float32",
            dtype="float32",
        )


def _checked(weight: Array) -> Array:
    """`weight`, if a sparse matrix can hold its dtype.  Raises ArrayError (E302)."""
    weight = require_numeric(weight, "the weight")
    require_matrix_dtype(weight)
    return weight


def _whole(matrix: BandedMatrix) -> csr_array:
    """The bands as one matrix, each filled in place."""
    data = np.empty(matrix.nnz, matrix.dtype)
    columns = np.empty(matrix.nnz, matrix.index_dtype)
    pointers = np.zeros(matrix.shape[0] + 1, matrix.index_dtype)
    row, entry = 0, 0
    for band in matrix.bands:
        place = slice(entry, entry + band.entries)
        band.fill_data(data[place])
        band.fill_columns(columns[place])
        # (rows of the band,); a row's pointer is the number of entries up to its end
        counts = band.row_entries()
        ends = pointers[row + 1 : row + 1 + len(counts)]
        np.cumsum(counts, out=ends)
        ends += ends.dtype.type(entry)
        row, entry = row + len(counts), place.stop
    whole = csr_array((data, columns, pointers), shape=matrix.shape)
    whole.has_canonical_format = True  # sorted and without duplicates, by construction
    return whole


@dataclass(frozen=True, slots=True, kw_only=True)
class _FoldedBands:
    """The bands of C where the padding repeats the input."""

    convolution: Convolution
    weight: Array
    band_bytes: int

    def __iter__(self) -> Iterator[_FoldedBand]:
        # (columns of the padded C,) the column of C that each is folded onto
        onto = input_columns(self.convolution)
        padded = ZeroPaddedBands.of(
            without_padding(self.convolution),
            self.weight,
            transpose=False,
            band_bytes=self.band_bytes,
        )
        for band in padded:
            data = np.empty(band.entries, self.weight.dtype)
            columns = np.empty(band.entries, padded.index_dtype)
            band.fill_data(data)
            band.fill_columns(columns)
            pointers = np.concatenate([[0], np.cumsum(band.row_entries(), dtype=np.int64)])
            shape = (len(pointers) - 1, self.convolution.matrix_shape[1])
            folded = csr_array((data, onto[columns], pointers), shape=shape)
            folded.sum_duplicates()
            yield _FoldedBand(folded)


@dataclass(frozen=True, slots=True)
class _FoldedBand:
    """Neighbouring rows of C where the padding repeats the input, made already."""

    matrix: csr_array

    @property
    def entries(self) -> int:
        return int(self.matrix.nnz)

    def row_entries(self) -> Array:
        return np.diff(self.matrix.indptr)

    def fill_data(self, out: Array) -> None:
        out[...] = self.matrix.data

    def fill_columns(self, out: Array) -> None:
        out[...] = self.matrix.indices
