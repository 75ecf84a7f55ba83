"""C on disk: .npz in five sparse formats, as scipy.sparse.load_npz reads it, and .mtx."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
from scipy.io import mmwrite
from scipy.sparse import csr_array

from convt_cli.errors import ArrayError, FileError, shown
from convt_cli.files.archive import write_npz
from convt_cli.io import memory
from convt_cli.io.writing import STDOUT, output
from convt_cli.operators.dtypes import Array

MATRIX_SUFFIXES = (".npz", ".mtx")


def matrix_suffix(path: str) -> str:
    """The format that `path` names; a stream is .npz.  Raises FileError (E402)."""
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
    """The significant decimal digits that tell every number of `dtype` from all others."""
    if dtype.kind not in "fc":
        return None
    digits = {4: 9, 8: 17}.get(np.empty(0, dtype).real.itemsize)
    if digits is None:
        raise ArrayError(
            "E302", "a .mtx file holds no long doubles", value=f"got {dtype}", help="use float64"
        )
    return digits


def _members(matrix: Any) -> dict[str, Array]:
    """The arrays that scipy.sparse.load_npz looks for, by the matrix's format."""
    names = {"coo": ("row", "col"), "dia": ("offsets",)}.get(matrix.format, ("indices", "indptr"))
    return {
        **{name: getattr(matrix, name) for name in names},
        "format": np.array(matrix.format.encode("ascii")),
        "shape": np.array(matrix.shape),
        "data": matrix.data,
        "_is_array": np.array(True),
    }
