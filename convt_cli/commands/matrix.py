"""convt matrix: the sparse matrix C of a layer, exported or shown."""

from __future__ import annotations

import click

from convt_cli.arithmetic.convolution import Shape
from convt_cli.arithmetic.keys import FileReference
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
from convt_cli.library.layer import Layer
from convt_cli.reports.matrix import entries_report, size_report
from convt_cli.reports.table import Report


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
    chosen = choose_layer(load_network(spec, inputs), layer)
    if output is not None:
        kind = {"transpose": transpose, "compress": compress, "force": force}
        _export(chosen, output, dtype, sparse_format, **kind)
        return 0
    if dry_run:
        report = size_report(chosen, _itemsize(chosen, dtype), transpose=transpose)
    else:
        report = _shown(chosen, dtype, transpose=transpose, symbols=symbols)
    emit(report, output_format, None, force=force)
    return 0


def _export(
    layer: Layer,
    path: str,
    dtype: str | None,
    sparse_format: str | None,
    *,
    transpose: bool,
    compress: bool,
    force: bool,
) -> None:
    """Write C, or Cᵀ, to the file `path`."""
    from convt_cli.files.export import exported_matrix, write_exported
    from convt_cli.files.matrices import matrix_format
    from convt_cli.files.matrix_formats import MATRIX_FORMATS
    from convt_cli.render.progress import progress

    chosen = matrix_format(path)
    if not chosen.has_options and (compress or sparse_format is not None):
        suffixes = " and ".join(name for name, one in MATRIX_FORMATS.items() if one.has_options)
        raise click.UsageError(f"--sparse-format and --compress go with {suffixes}")
    written = sparse_format or chosen.default
    convolution, weight = layer.require_convolution(), layer.weight(dtype)
    matrix = exported_matrix(convolution, weight, chosen, written, transpose=transpose)
    note_fill(layer)
    write_exported(
        path, matrix, sparse_format=written, compress=compress, force=force, progress=progress
    )


def _itemsize(layer: Layer, dtype: str | None) -> int:
    """Bytes of one entry: of --dtype, of the file's numbers, or of int64 and float64."""
    import numpy as np

    if dtype is not None:
        return np.dtype(dtype).itemsize
    return layer.weight().itemsize if isinstance(layer.weight_source, FileReference) else 8


def _shown(layer: Layer, dtype: str | None, *, transpose: bool, symbols: bool) -> Report:
    """A small matrix as a table: its entries, or the names of their taps."""
    from convt_cli.operators.matrix import entries
    from convt_cli.operators.matrix.build import build_matrix

    convolution = layer.require_convolution()
    entries.require_small(convolution)
    title = f"{'Cᵀ' if transpose else 'C'} of {layer.name}"
    if symbols:
        named = entries.symbols(convolution, layer.weight_layout, transpose=transpose)
        return entries_report(title, named)
    matrix = build_matrix(convolution, layer.weight(dtype), transpose=transpose)
    note_fill(layer)
    return entries_report(title, entries.numbers(matrix))
