"""C of a layer written to a matrix file: band by band where format and layer allow it, or whole."""

from __future__ import annotations

from convt_cli.arithmetic.convolution import Convolution
from convt_cli.files.matrices import (
    BANDED_FORMATS,
    banded_bytes,
    matrix_suffix,
    write_bands,
    write_matrix,
)
from convt_cli.io import memory
from convt_cli.io.progress import Progress, no_progress
from convt_cli.operators.dtypes import Array
from convt_cli.operators.matrix.build import (
    BandedMatrix,
    banded_matrix,
    build_matrix,
    can_be_banded,
)


def export_matrix(
    path: str,
    convolution: Convolution,
    weight: Array,
    *,
    transpose: bool = False,
    sparse_format: str | None = None,
    compress: bool = False,
    force: bool = False,
    progress: Progress = no_progress,
) -> None:
    """Write C, or Cᵀ with `transpose`, to the file `path`, in CSR unless told otherwise.

    Raises FileError (E402, E403), ArrayError (E302), RequestError (E501).
    """
    written = "coo" if matrix_suffix(path) == ".mtx" else sparse_format or "csr"
    bands = _bands(convolution, weight, written, transpose=transpose)
    if bands is not None:
        with progress("writing", banded_bytes(bands, written)) as advance:
            write_bands(
                path, bands, sparse_format=written, compress=compress, force=force, advance=advance
            )
        return
    memory.require(
        2 * convolution.matrix_bytes(weight.itemsize),
        "C in two forms",
        help="use --sparse-format csr, csc or coo, or a smaller input",
    )
    matrix = build_matrix(convolution, weight, transpose=transpose)
    write_matrix(path, matrix, sparse_format=written, compress=compress, force=force)


def _bands(
    convolution: Convolution, weight: Array, sparse_format: str, *, transpose: bool
) -> BandedMatrix | None:
    """C, or Cᵀ, in bands of rows (of columns for csc); None where it cannot be banded."""
    turned = transpose != (sparse_format == "csc")
    if sparse_format not in BANDED_FORMATS or not can_be_banded(convolution, transpose=turned):
        return None
    return banded_matrix(convolution, weight, transpose=turned)
