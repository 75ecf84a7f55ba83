"""C on disk: .npz in five sparse formats, as scipy.sparse.load_npz reads it, and .mtx.

`write_matrix` writes a matrix that is in memory.  `write_bands` writes the same bytes for a matrix
that is computed in bands meanwhile, and so needs memory for a few bands only; an .npz holds its
arrays one after the other, so the bands are computed once for each array.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from io import BytesIO
from typing import Any, BinaryIO

import numpy as np
from scipy.io import mmwrite
from scipy.sparse import coo_array, csr_array

from convt_cli.errors import ArrayError, FileError, shown
from convt_cli.files.archive import Pieces, write_npz
from convt_cli.io import memory
from convt_cli.io.progress import Advance
from convt_cli.io.writing import STDOUT, is_file, output
from convt_cli.operators.dtypes import Array
from convt_cli.operators.matrix.build import STREAMED_BAND_BYTES, Band, BandedMatrix

MATRIX_SUFFIXES = (".npz", ".mtx")
BANDED_FORMATS = ("csr", "csc", "coo")
"""The sparse formats that `write_bands` can write in an .npz."""

_BANDS_HELD = 4  # bands' worth of memory: the columns and data of one, and what they come from
_MOST_COMPRESSION = 1032  # bytes that deflate can pack into one: 258 bytes into 2 bits


def matrix_suffix(path: str) -> str:
    """The suffix of a matrix file; .npz for a stream.  Raises FileError (E402) for others."""
    suffix = ".npz" if path == STDOUT else os.path.splitext(path)[1].lower()
    if suffix not in MATRIX_SUFFIXES:
        raise FileError(
            "E402",
            "a matrix file is named by its format",
            value=f"got {shown(path)}",
            help=f"known are {', '.join(MATRIX_SUFFIXES)}",
        )
    return suffix


def write_matrix(
    path: str, matrix: csr_array, *, sparse_format: str | None, compress: bool, force: bool
) -> None:
    """Write C to `path`, whole or not at all, in CSR unless `sparse_format` says otherwise.

    Raises FileError (E402, E403), RequestError (E501).
    """
    suffix = matrix_suffix(path)
    converted = matrix if suffix == ".mtx" else _converted(matrix, sparse_format)
    with output(path, force=force) as file:
        if suffix == ".mtx":
            mmwrite(file, converted, symmetry="general", precision=_digits(matrix.dtype))
        else:
            write_npz(file, _members(converted), compress=compress)


def write_bands(
    path: str,
    matrix: BandedMatrix,
    *,
    sparse_format: str,
    compress: bool,
    force: bool,
    advance: Advance,
) -> None:
    """Write `matrix` to `path`, whole or not at all, in one of BANDED_FORMATS or as .mtx.

    For csc `matrix` is the transpose of what is written: its rows are the columns.  `advance`
    is told of `banded_bytes` in all.  Raises FileError (E402, E403), RequestError (E501).
    """
    suffix = matrix_suffix(path)
    _require_room(path, _least_bytes(matrix, sparse_format, suffix=suffix, compress=compress))
    memory.require(
        _BANDS_HELD * STREAMED_BAND_BYTES, "what makes C band by band", help="free some memory"
    )
    with output(path, force=force) as file:
        if suffix == ".mtx":
            _write_text(file, matrix, advance)
        else:
            members = _banded_members(matrix, sparse_format, advance)
            write_npz(file, members, compress=compress)


def banded_bytes(matrix: BandedMatrix, sparse_format: str) -> int:
    """The bytes of all arrays that `write_bands` computes; for an .mtx those of coo."""
    index = matrix.index_dtype.itemsize
    of_rows = matrix.nnz if sparse_format == "coo" else matrix.shape[0] + 1
    return matrix.nnz * (matrix.dtype.itemsize + index) + of_rows * index


def _least_bytes(matrix: BandedMatrix, sparse_format: str, *, suffix: str, compress: bool) -> int:
    """The bytes that the file takes at least."""
    if suffix == ".mtx":
        return len(b"1 1 1\n") * matrix.nnz
    return banded_bytes(matrix, sparse_format) // (_MOST_COMPRESSION if compress else 1)


def _require_room(path: str, size: int) -> None:
    """Raise FileError (E402) where the disk has no room for a new file of `size` bytes."""
    if not is_file(path):
        return
    try:
        free = shutil.disk_usage(os.path.dirname(os.path.realpath(path))).free
    except OSError:
        return  # opening the file will say why
    if size > free:
        raise FileError(
            "E402",
            f"the disk has no room for {shown(path)}",
            value=f"{memory.text(size)} needed, {memory.text(free)} there",
            help="choose another disk, a smaller --dtype or --compress",
        )


def _converted(matrix: csr_array, sparse_format: str | None) -> Any:
    if sparse_format is None:
        return matrix
    if sparse_format == "dia":
        rows = np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr))
        diagonals = np.unique(matrix.indices - rows).size
        memory.require(
            diagonals * matrix.shape[1] * matrix.dtype.itemsize,
            f"C as {diagonals:,} diagonals",
            help="use --sparse-format csr",
        )
    return matrix.asformat(sparse_format)  # type: ignore[call-overload]  # one of five words


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
    columns = pieces(matrix.nnz, index, (_columns(band, index) for band in matrix.bands))
    data = pieces(matrix.nnz, matrix.dtype, (_data(band, matrix.dtype) for band in matrix.bands))
    if sparse_format == "coo":
        rows = pieces(matrix.nnz, index, _rows(matrix))
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


def _data(band: Band, dtype: np.dtype[Any]) -> Array:
    data = np.empty(band.entries, dtype)
    band.fill_data(data)
    return data


def _columns(band: Band, dtype: np.dtype[Any]) -> Array:
    columns = np.empty(band.entries, dtype)
    band.fill_columns(columns)
    return columns


def _pointers(matrix: BandedMatrix) -> Iterator[Array]:
    """The row pointers of CSR: first 0, then those at the ends of each band's rows."""
    before = np.zeros(1, matrix.index_dtype)
    yield before
    for band in matrix.bands:
        # (rows of the band): entries up to the end of each row, counted from the first band
        ends = np.cumsum(band.row_entries(), dtype=matrix.index_dtype) + before
        before = ends[-1:]
        yield ends


def _rows(matrix: BandedMatrix) -> Iterator[Array]:
    """The row of every entry, one array for each band."""
    first = 0
    for band in matrix.bands:
        counts = band.row_entries()
        yield np.repeat(np.arange(first, first + len(counts), dtype=matrix.index_dtype), counts)
        first += len(counts)


def _write_text(file: BinaryIO, matrix: BandedMatrix, advance: Advance) -> None:
    """Write an .mtx: one head, which gives the size of the whole, and the lines of every band.

    SciPy writes whole matrices only, so the head is taken from a matrix of one entry, and the lines
    of each band from a matrix that has the entries of that band alone.
    """
    rows, columns = matrix.shape
    precision = _digits(matrix.dtype)
    size = f"{rows} {columns} {matrix.nnz}".encode()
    one = np.ones(min(1, matrix.nnz), matrix.dtype)
    sample = coo_array((one, np.zeros((2, one.size), np.int32)), shape=matrix.shape)
    file.write(b"\n".join((*_text(sample, precision)[0], size, b"")))
    for band, row in zip(matrix.bands, _rows(matrix)):
        places = (row, _columns(band, matrix.index_dtype))
        part = coo_array((_data(band, matrix.dtype), places), shape=matrix.shape)
        file.write(_text(part, precision)[1])
        advance(sum(array.nbytes for array in (part.data, part.row, part.col)))


def _text(matrix: coo_array, precision: int | None) -> tuple[list[bytes], bytes]:
    """(head, entries) of an .mtx: the lines above the one that gives the size, and those below."""
    text = BytesIO()
    mmwrite(text, matrix, symmetry="general", precision=precision)
    *head, _, body = text.getvalue().split(b"\n", 3)
    return head, body
