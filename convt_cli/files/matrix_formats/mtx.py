"""Matrix Market's text: a head that gives the size, and a line for each entry."""

from __future__ import annotations

from io import BytesIO
from typing import Any, BinaryIO

import numpy as np
from scipy.io import mmwrite
from scipy.sparse import coo_array

from convt_cli.errors import ArrayError
from convt_cli.files.matrix_formats.base import MatrixFormat, columns_of, data_of, rows_of
from convt_cli.io.progress import Advance
from convt_cli.operators.matrix.build import BandedMatrix


class Mtx(MatrixFormat):
    """The entries one by one, as SciPy writes them, with digits that give each number back."""

    suffix = ".mtx"
    default = "coo"
    banded = ("coo",)

    def write(self, file: BinaryIO, matrix: Any, *, compress: bool) -> None:
        mmwrite(file, matrix, symmetry="general", precision=_digits(matrix.dtype))

    def least_bytes(self, matrix: BandedMatrix, sparse_format: str, *, compress: bool) -> int:
        return len(b"1 1 1\n") * matrix.nnz

    def write_bands(
        self,
        file: BinaryIO,
        matrix: BandedMatrix,
        sparse_format: str,
        *,
        compress: bool,
        advance: Advance,
    ) -> None:
        """Write one head, which gives the size of the whole, and the lines of every band.

        SciPy writes whole matrices only, so the head is taken from a matrix of one entry, and the
        lines of each band from a matrix that has the entries of that band alone.
        """
        rows, columns = matrix.shape
        precision = _digits(matrix.dtype)
        size = f"{rows} {columns} {matrix.nnz}".encode()
        one = np.ones(min(1, matrix.nnz), matrix.dtype)
        sample = coo_array((one, np.zeros((2, one.size), np.int32)), shape=matrix.shape)
        file.write(b"\n".join((*_text(sample, precision)[0], size, b"")))
        for band, row in zip(matrix.bands, rows_of(matrix)):
            places = (row, columns_of(band, matrix.index_dtype))
            part = coo_array((data_of(band, matrix.dtype), places), shape=matrix.shape)
            file.write(_text(part, precision)[1])
            advance(sum(array.nbytes for array in (part.data, part.row, part.col)))


def _text(matrix: coo_array, precision: int | None) -> tuple[list[bytes], bytes]:
    """(head, entries) of an .mtx: the lines above the one that gives the size, and those below."""
    text = BytesIO()
    mmwrite(text, matrix, symmetry="general", precision=precision)
    *head, _, body = text.getvalue().split(b"\n", 3)
    return head, body


def _digits(dtype: np.dtype[Any]) -> int | None:
    """The decimal digits with which every number of `dtype` is read back as it was."""
    if dtype.kind not in "fc":
        return None
    digits = {4: 9, 8: 17}.get(np.empty(0, dtype).real.itemsize)
    if digits is None:
        raise ArrayError(
            "E302",
            "a .mtx file holds no long doubles",
            value=f"got {dtype}",
            help="use float64",
            dtype="float64",
        )
    return digits
