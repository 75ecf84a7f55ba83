"""C of a layer written to a matrix file: band by band where format and layer allow it, or whole."""

from __future__ import annotations

from scipy.sparse import csr_array

from convt_cli.arithmetic.convolution import Convolution
from convt_cli.files.matrices import write_bands, write_matrix
from convt_cli.files.matrix_formats.base import MatrixFormat, banded_bytes
from convt_cli.io import memory
from convt_cli.io.progress import Progress, no_progress
from convt_cli.operators.dtypes import Array
from convt_cli.operators.matrix.build import (
    BandedMatrix,
    banded_matrix,
    build_matrix,
    can_be_banded,
)


def exported_matrix(
    convolution: Convolution,
    weight: Array,
    file_format: MatrixFormat,
    sparse_format: str,
    *,
    transpose: bool,
) -> BandedMatrix | csr_array:
    """C, or Cᵀ, as `write_exported` takes it: in bands of rows (of columns for csc), or whole.

    Raises ArrayError (E302), RequestError (E501).
    """
    turned = transpose != (sparse_format == "csc")
    if sparse_format in file_format.banded and can_be_banded(convolution, transpose=turned):
        return banded_matrix(convolution, weight, transpose=turned)
    memory.require(
        2 * convolution.matrix_bytes(weight.itemsize),
        "C in two forms",
        help="use --sparse-format csr, csc or coo, or a smaller input",
    )
    return build_matrix(convolution, weight, transpose=transpose)


def write_exported(
    path: str,
    matrix: BandedMatrix | csr_array,
    *,
    sparse_format: str,
    compress: bool,
    force: bool,
    progress: Progress = no_progress,
) -> None:
    """Write an `exported_matrix` to `path`, whole or not at all.

    Raises FileError (E402, E403), ArrayError (E302), RequestError (E501).
    """
    if not isinstance(matrix, BandedMatrix):
        write_matrix(path, matrix, sparse_format=sparse_format, compress=compress, force=force)
        return
    with progress("writing", banded_bytes(matrix, sparse_format)) as advance:
        write_bands(
            path,
            matrix,
            sparse_format=sparse_format,
            compress=compress,
            force=force,
            advance=advance,
        )
