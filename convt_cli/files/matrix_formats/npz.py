"""The .npz that scipy.sparse.load_npz reads, in each of its sparse formats."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, BinaryIO

import numpy as np
from scipy.sparse import csr_array

from convt_cli.files.archive import Pieces, write_npz
from convt_cli.files.matrix_formats.base import (
    MatrixFormat,
    banded_bytes,
    columns_of,
    data_of,
    rows_of,
)
from convt_cli.io import memory
from convt_cli.io.progress import Advance
from convt_cli.operators.dtypes import Array
from convt_cli.operators.matrix.build import BandedMatrix

_MOST_COMPRESSION = 1032  # bytes that deflate can pack into one: 258 bytes into 2 bits


class Npz(MatrixFormat):
    """The arrays of a sparse matrix one after the other; in bands, these are made for each array.

    Written in bands, the file's bytes are those of the whole matrix.
    """

    suffix = ".npz"
    default = "csr"
    has_options = True
    banded = ("csr", "csc", "coo")

    def converted(self, matrix: csr_array, sparse_format: str) -> Any:
        if sparse_format == "dia":
            _require_diagonals(matrix)
        return matrix.asformat(sparse_format)  # type: ignore[call-overload]  # one of five words

    def write(self, file: BinaryIO, matrix: Any, *, compress: bool) -> None:
        write_npz(file, _members(matrix), compress=compress)

    def least_bytes(self, matrix: BandedMatrix, sparse_format: str, *, compress: bool) -> int:
        return banded_bytes(matrix, sparse_format) // (_MOST_COMPRESSION if compress else 1)

    def write_bands(
        self,
        file: BinaryIO,
        matrix: BandedMatrix,
        sparse_format: str,
        *,
        compress: bool,
        advance: Advance,
    ) -> None:
        members = _banded_members(matrix, sparse_format, advance)
        write_npz(file, members, compress=compress)


def _require_diagonals(matrix: csr_array) -> None:
    """Raise RequestError (E501) unless the matrix fits into memory as whole diagonals."""
    rows = np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr))
    diagonals = np.unique(matrix.indices - rows).size
    memory.require(
        diagonals * matrix.shape[1] * matrix.dtype.itemsize,
        f"C as {diagonals:,} diagonals",
        help="use --sparse-format csr",
    )


def _members(matrix: Any) -> dict[str, Array | Pieces]:
    """The arrays that scipy.sparse.load_npz looks for in a file of the matrix's format."""
    names = {"coo": ("row", "col"), "dia": ("offsets",)}.get(matrix.format, ("indices", "indptr"))
    places = {name: getattr(matrix, name) for name in names}
    return _in_order(places, matrix.data, matrix.format, matrix.shape)


def _banded_members(
    matrix: BandedMatrix, sparse_format: str, advance: Advance
) -> dict[str, Array | Pieces]:
    """The same arrays of a matrix in bands; each array computes the bands anew."""

    def pieces(size: int, dtype: np.dtype[Any], parts: Iterator[Array]) -> Pieces:
        return Pieces(size=size, dtype=dtype, parts=_watched(parts, advance))

    index = matrix.index_dtype
    columns = pieces(matrix.nnz, index, (columns_of(band, index) for band in matrix.bands))
    data = pieces(matrix.nnz, matrix.dtype, (data_of(band, matrix.dtype) for band in matrix.bands))
    if sparse_format == "coo":
        rows = pieces(matrix.nnz, index, rows_of(matrix))
        return _in_order({"row": rows, "col": columns}, data, "coo", matrix.shape)
    pointers = pieces(matrix.shape[0] + 1, index, _pointers(matrix))
    shape = matrix.shape[::-1] if sparse_format == "csc" else matrix.shape
    return _in_order({"indices": columns, "indptr": pointers}, data, sparse_format, shape)


def _in_order(
    places: dict[str, Any], data: Array | Pieces, sparse_format: str, shape: tuple[int, int]
) -> dict[str, Array | Pieces]:
    """The members of an .npz in the order in which scipy.sparse.save_npz writes them."""
    return {
        **places,
        "format": np.array(sparse_format.encode("ascii")),
        "shape": np.array(shape),
        "data": data,
        "_is_array": np.array(True),
    }


def _watched(parts: Iterator[Array], advance: Advance) -> Iterator[Array]:
    for part in parts:
        yield part
        advance(part.nbytes)


def _pointers(matrix: BandedMatrix) -> Iterator[Array]:
    """The row pointers of CSR: first 0, then those at the ends of each band's rows."""
    before = np.zeros(1, matrix.index_dtype)
    yield before
    for band in matrix.bands:
        # (rows of the band): entries up to the end of each row, counted from the first band
        ends = np.cumsum(band.row_entries(), dtype=matrix.index_dtype) + before
        before = ends[-1:]
        yield ends
