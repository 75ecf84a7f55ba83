"""What a format of matrix files has, and the arrays of a matrix that is made in bands."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Any, BinaryIO, ClassVar

import numpy as np
from scipy.sparse import csr_array

from convt_cli.io.progress import Advance
from convt_cli.operators.dtypes import Array
from convt_cli.operators.matrix.build import Band, BandedMatrix


class MatrixFormat(ABC):
    """A format of matrix files, by its `suffix`, and how a matrix is written in it.

    `default` is the sparse format that a file holds unless another is asked for, which takes
    `has_options`.  The matrix of one of the sparse formats `banded` is written band by band, by
    `write_bands`; for csc its bands are those of the transpose.
    """

    suffix: ClassVar[str]
    default: ClassVar[str]
    has_options: ClassVar[bool] = False
    """Whether a file can be compressed, or hold another sparse format than `default`."""
    banded: ClassVar[tuple[str, ...]] = ()

    def converted(self, matrix: csr_array, sparse_format: str) -> Any:
        """The matrix as the file holds it.  Raises RequestError (E501)."""
        return matrix

    @abstractmethod
    def write(self, file: BinaryIO, matrix: Any, *, compress: bool) -> None:
        """Write a converted matrix.  Raises ArrayError (E302) for a dtype that no file holds."""

    def least_bytes(self, matrix: BandedMatrix, sparse_format: str, *, compress: bool) -> int:
        """The bytes that a file written band by band takes at least."""
        raise NotImplementedError

    def write_bands(
        self,
        file: BinaryIO,
        matrix: BandedMatrix,
        sparse_format: str,
        *,
        compress: bool,
        advance: Advance,
    ) -> None:
        """Write the bytes of `write` band by band; `advance` is told of `banded_bytes` in all."""
        raise NotImplementedError


def banded_bytes(matrix: BandedMatrix, sparse_format: str) -> int:
    """The bytes of all arrays of a matrix that is written band by band."""
    index = matrix.index_dtype.itemsize
    of_rows = matrix.nnz if sparse_format == "coo" else matrix.shape[0] + 1
    return matrix.nnz * (matrix.dtype.itemsize + index) + of_rows * index


def data_of(band: Band, dtype: np.dtype[Any]) -> Array:
    """The entries of a band."""
    data = np.empty(band.entries, dtype)
    band.fill_data(data)
    return data


def columns_of(band: Band, dtype: np.dtype[Any]) -> Array:
    """The column of every entry of a band."""
    columns = np.empty(band.entries, dtype)
    band.fill_columns(columns)
    return columns


def rows_of(matrix: BandedMatrix) -> Iterator[Array]:
    """The row of every entry, one array for each band."""
    first = 0
    for band in matrix.bands:
        counts = band.row_entries()
        yield np.repeat(np.arange(first, first + len(counts), dtype=matrix.index_dtype), counts)
        first += len(counts)
