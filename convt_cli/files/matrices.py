"""C on disk, in one of the `matrix_formats`.

`write_matrix` writes a matrix that is in memory.  `write_bands` writes the same bytes for a matrix
that is computed in bands meanwhile, and so needs memory for a few bands only; an .npz holds its
arrays one after the other, so the bands are computed once for each array.
"""

from __future__ import annotations

import os
import shutil

from scipy.sparse import csr_array

from convt_cli.errors import FileError, shown
from convt_cli.files.matrix_formats import MATRIX_FORMATS
from convt_cli.files.matrix_formats.base import MatrixFormat
from convt_cli.io import memory
from convt_cli.io.progress import Advance
from convt_cli.io.writing import STDOUT, is_file, output
from convt_cli.operators.matrix.build import STREAMED_BAND_BYTES, BandedMatrix

_BANDS_HELD = 4  # bands' worth of memory: the columns and data of one, and what they come from


def matrix_format(path: str) -> MatrixFormat:
    """The format of a matrix file, of a stream the first.  Raises FileError (E402) for others."""
    if path == STDOUT:
        return next(iter(MATRIX_FORMATS.values()))
    found = MATRIX_FORMATS.get(os.path.splitext(path)[1].lower())
    if found is None:
        raise FileError(
            "E402",
            "a matrix file is named by its format",
            value=f"got {shown(path)}",
            help=f"known are {', '.join(MATRIX_FORMATS)}",
        )
    return found


def write_matrix(
    path: str, matrix: csr_array, *, sparse_format: str | None, compress: bool, force: bool
) -> None:
    """Write C to `path`, whole or not at all, in the file's own sparse format if none is given.

    Raises FileError (E402, E403), ArrayError (E302), RequestError (E501).
    """
    chosen = matrix_format(path)
    converted = chosen.converted(matrix, sparse_format or chosen.default)
    with output(path, force=force) as file:
        chosen.write(file, converted, compress=compress)


def write_bands(
    path: str,
    matrix: BandedMatrix,
    *,
    sparse_format: str,
    compress: bool,
    force: bool,
    advance: Advance,
) -> None:
    """Write `matrix` to `path`, whole or not at all, in a sparse format of `MatrixFormat.banded`.

    For csc `matrix` is the transpose of what is written: its rows are the columns.  `advance`
    is told of `banded_bytes` in all.  Raises FileError (E402, E403), RequestError (E501).
    """
    chosen = matrix_format(path)
    _require_room(path, chosen.least_bytes(matrix, sparse_format, compress=compress))
    memory.require(
        _BANDS_HELD * STREAMED_BAND_BYTES, "what makes C band by band", help="free some memory"
    )
    with output(path, force=force) as file:
        chosen.write_bands(file, matrix, sparse_format, compress=compress, advance=advance)


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
