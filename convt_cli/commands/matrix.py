"""convt matrix: the sparse matrix C of a layer, exported or shown."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import click

from convt_cli.arithmetic.convolution import Shape
from convt_cli.arithmetic.keys import FileReference
from convt_cli.arithmetic.network import MatrixLayer, Network
from convt_cli.arithmetic.vocabulary import MATRIX_DTYPES, SPARSE_FORMATS
from convt_cli.commands.emit import emit
from convt_cli.commands.networks import choose_layer, load_network, note_fill
from convt_cli.commands.options import (
    dtype_option,
    force_option,
    format_option,
    input_option,
    layer_option,
    outside_option,
    spec_argument,
)
from convt_cli.io.writing import require_writable
from convt_cli.reports.matrix import entries_report, size_report
from convt_cli.reports.table import Report

if TYPE_CHECKING:
    from scipy.sparse import csr_array

    from convt_cli.operators.dtypes import Array
    from convt_cli.operators.matrix.build import BandedMatrix


@click.command(
    "matrix",
    short_help="Export or show C, the sparse matrix of a layer.",
    epilog="""\b
Examples:
  convt matrix configs/lenet5.yaml --layer c1 -o C.npz
  convt matrix configs/lenet5.yaml --layer c1 -o C.mtx --transpose
  convt matrix examples/guide.yaml --show --symbols
  convt matrix configs/vgg16.yaml --layer conv1_2 --dry-run""",
)
@spec_argument
@layer_option
@input_option
@click.option("-o", "--output", metavar="FILE", help="C.npz or C.mtx; - streams .npz.")
@click.option("--transpose", is_flag=True, help="Write Cᵀ instead of C.")
@click.option(
    "--sparse-format",
    type=click.Choice(SPARSE_FORMATS),
    help="The sparse format in an .npz; csr if not given.",
)
@dtype_option(*MATRIX_DTYPES)
@click.option("--compress", is_flag=True, help="Compress the .npz.")
@click.option("--show", is_flag=True, help="Print a small C entry by entry.")
@click.option("--symbols", is_flag=True, help="With --show: name taps by their index, as w0,0.")
@click.option("--dry-run", is_flag=True, help="Print shape, nnz and bytes only.")
@format_option()
@outside_option
@force_option
def command(
    spec: str,
    layer: str | None,
    inputs: tuple[tuple[str, Shape], ...],
    output: str | None,
    transpose: bool,
    sparse_format: str | None,
    dtype: str | None,
    compress: bool,
    show: bool,
    symbols: bool,
    dry_run: bool,
    output_format: str,
    allow_outside: bool,
    force: bool,
) -> int:
    """Export C, the sparse matrix of a layer: y.ravel() = C @ x.ravel().

    Rows are (out_channels, *output), columns (in_channels, *input), both row-major.  For a
    conv_transpose layer C is the matrix of the direct convolution that it transposes.
    """
    if sum((output is not None, show, dry_run)) != 1:
        raise click.UsageError("give one of -o FILE, --show and --dry-run")
    if symbols and not show:
        raise click.UsageError("--symbols goes with --show")
    if output is None and (compress or sparse_format is not None):
        raise click.UsageError("--sparse-format and --compress go with -o")
    if output is not None and output_format != "text":
        raise click.UsageError("--format goes with --show and --dry-run")
    require_writable(output, force=force)
    network = load_network(spec, inputs)
    chosen = choose_layer(network, layer)
    request = _MatrixRequest(network, chosen, dtype, transpose, allow_outside)
    if output is not None:
        _export(request, output, sparse_format, compress=compress, force=force)
    elif dry_run:
        report = size_report(chosen, request.itemsize(), transpose=transpose)
        emit(report, output_format, None, force=force)
    else:
        emit(_shown(request, symbols=symbols), output_format, None, force=force)
    return 0


class _MatrixRequest(NamedTuple):
    """The layer whose matrix is wanted: C or its transpose, with a weight in which dtype."""

    network: Network
    layer: MatrixLayer
    dtype: str | None
    transpose: bool
    allow_outside: bool

    def weight(self) -> Array:
        """The layer's kernel."""
        import numpy as np

        from convt_cli.files.weights import Weights

        weights = Weights(self.network, allow_outside=self.allow_outside)
        return weights.weight(self.layer, None if self.dtype is None else np.dtype(self.dtype))

    def itemsize(self) -> int:
        """Bytes of one entry: of --dtype, of the file's numbers, or of int64 and float64."""
        import numpy as np

        if self.dtype is not None:
            return np.dtype(self.dtype).itemsize
        in_file = isinstance(self.layer.weight, FileReference)
        return int(self.weight().itemsize) if in_file else 8

    def matrix(self) -> csr_array:
        """C, or Cᵀ, in memory."""
        from convt_cli.operators.matrix.build import build_matrix

        matrix = build_matrix(self.layer.convolution, self.weight(), transpose=self.transpose)
        note_fill(self.layer)
        return matrix

    def bands(self, sparse_format: str) -> BandedMatrix | None:
        """C, or Cᵀ, in bands of rows (of columns for csc); None where it cannot be banded."""
        from convt_cli.operators.matrix.build import banded_matrix, can_be_banded

        transpose = self.transpose != (sparse_format == "csc")
        convolution = self.layer.convolution
        if not can_be_banded(convolution, transpose=transpose):
            return None
        matrix = banded_matrix(convolution, self.weight(), transpose=transpose)
        note_fill(self.layer)
        return matrix


def _export(
    request: _MatrixRequest, path: str, sparse_format: str | None, *, compress: bool, force: bool
) -> None:
    """Write the matrix to a file: band by band where the format allows that, else as a whole."""
    from convt_cli.files.matrices import matrix_format, write_bands
    from convt_cli.files.matrix_formats import MATRIX_FORMATS
    from convt_cli.files.matrix_formats.base import banded_bytes
    from convt_cli.render.progress import progress

    chosen = matrix_format(path)
    if not chosen.has_options and (compress or sparse_format is not None):
        suffixes = " and ".join(name for name, one in MATRIX_FORMATS.items() if one.has_options)
        raise click.UsageError(f"--sparse-format and --compress go with {suffixes}")
    written = sparse_format or chosen.default
    bands = request.bands(written) if written in chosen.banded else None
    if bands is None:
        _export_whole(request, path, written, compress=compress, force=force)
        return
    with progress("writing", banded_bytes(bands, written)) as advance:
        write_bands(
            path, bands, sparse_format=written, compress=compress, force=force, advance=advance
        )


def _export_whole(
    request: _MatrixRequest, path: str, sparse_format: str, *, compress: bool, force: bool
) -> None:
    from convt_cli.files.matrices import write_matrix
    from convt_cli.io import memory

    memory.require(
        2 * request.layer.convolution.matrix_bytes(request.itemsize()),
        "C in two forms",
        help="use --sparse-format csr, csc or coo, or a smaller input",
    )
    matrix = request.matrix()
    write_matrix(path, matrix, sparse_format=sparse_format, compress=compress, force=force)


def _shown(request: _MatrixRequest, *, symbols: bool) -> Report:
    """A small matrix as a table: its entries, or the names of their taps."""
    from convt_cli.operators.matrix import entries

    layer, transpose = request.layer, request.transpose
    entries.require_small(layer.convolution)
    title = f"{'Cᵀ' if transpose else 'C'} of {layer.name}"
    if symbols:
        named = entries.symbols(layer.convolution, layer.layout, transpose=transpose)
        return entries_report(title, named)
    return entries_report(title, entries.numbers(request.matrix()))
