"""convt invert: the x that a layer maps to a given array, or as near to it as possible."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING

import click

from convt_cli.arithmetic.convolution import Shape
from convt_cli.arithmetic.vocabulary import (
    INVERSE_DTYPES,
    LAYOUTS,
    MOST_ITERATIONS,
    TOLERANCE,
)
from convt_cli.commands.emit import emit_beside, is_stdout
from convt_cli.commands.networks import choose_layer, load_network, note_fill
from convt_cli.commands.options import (
    array_argument,
    force_option,
    format_option,
    input_option,
    layer_option,
    layout_option,
    output_array_option,
    outside_option,
    require_one_stdin,
    spec_argument,
)
from convt_cli.commands.threads import compute_by_tiles
from convt_cli.io.writing import require_writable
from convt_cli.library.layer import Layer

if TYPE_CHECKING:
    from convt_cli.analysis.invert import Inverse


def _number_up_to(most: float) -> Callable[[str], float]:
    """An option's type: a number from 0 to `most`, not nan."""

    def read(text: str) -> float:
        with suppress(ValueError):
            if 0 <= float(text) <= most:
                return float(text)
        raise click.BadParameter(f"{text!r} is no number from 0 to {most:g}")

    return read


@click.command(
    "invert",
    short_help="Least-squares, least-norm x with Cx = y, beside Cᵀy.",
    epilog="""\b
Examples:
  convt invert net.yaml y.npy -o x.npy
  convt invert net.yaml y.npy --layer up1 --bias --damping 0.01 -o x.npy
  convt invert net.yaml y.npy -o x.npy --format json""",
)
@spec_argument
@array_argument
@output_array_option(required=True)
@layer_option
@input_option
@click.option("--bias", is_flag=True, help="Subtract the layer's bias from ARRAY first.")
@layout_option(*LAYOUTS)
@click.option(
    "--damping",
    type=_number_up_to(1e150),
    metavar="NUMBER",
    default=0.0,
    show_default=True,
    help="Minimise |Ax - y|² + damping² |x|².",
)
@click.option(
    "--tolerance",
    type=_number_up_to(1),
    metavar="NUMBER",
    default=TOLERANCE,
    show_default=True,
    help="Stop where the residual, or its gradient, is this small beside its first value.",
)
@click.option(
    "--max-iterations",
    type=click.IntRange(min=1, max=10**9),
    default=MOST_ITERATIONS,
    show_default=True,
    help="The most iterations of LSMR, the solver.",
)
@click.option(
    "--dtype", type=click.Choice(INVERSE_DTYPES), help="Write this dtype; the solver uses float64."
)
@format_option()
@outside_option
@force_option
def command(
    spec: str,
    array: str,
    output: str,
    layer: str | None,
    inputs: tuple[tuple[str, Shape], ...],
    bias: bool,
    layout: str,
    damping: float,
    tolerance: float,
    max_iterations: int,
    dtype: str | None,
    output_format: str,
    force: bool,
) -> int:
    """Find the shortest x that the layer maps closest to ARRAY, and write it to OUT.

    The layer's own action A is C for conv and Cᵀ for conv_transpose.  The table shows how far
    Aᵀy, and its best multiple, are from the inverse.  ARRAY and OUT are as for `convt apply`.
    """
    compute_by_tiles()
    from convt_cli.files.arrays import locate
    from convt_cli.reports.inversion import inversion_report

    require_one_stdin(spec, array, "ARRAY")
    if is_stdout(output) and output_format != "text":
        raise click.UsageError("--format goes with an OUT that is a file")
    require_writable(locate(output).path, force=force)
    network = load_network(spec, inputs)
    chosen = choose_layer(network, layer)
    solver = {"damping": damping, "tolerance": tolerance, "most_iterations": max_iterations}
    found = _inverted(chosen, array, output, layout, dtype, solver, bias=bias, force=force)
    note_fill(chosen)
    report = inversion_report(
        network, chosen, found, damping=damping, tolerance=tolerance, output=output
    )
    emit_beside(report, output_format, output)
    return 0


def _inverted(
    layer: Layer,
    source: str,
    target: str,
    layout: str,
    dtype: str | None,
    solver: Mapping[str, float],
    *,
    bias: bool,
    force: bool,
) -> tuple[Inverse, ...]:
    """The solutions for all items of the array file `source`; their x are written to `target`."""
    import numpy as np

    from convt_cli.analysis.invert import invert_batch, stacked
    from convt_cli.files.batches import read_batch, write_batch
    from convt_cli.operators.dtypes import result_dtype
    from convt_cli.operators.operator import own_action
    from convt_cli.render.progress import progress

    added = layer.bias() if bias else None
    action = own_action(layer)
    batch, form = read_batch(source, layer.output, layout)
    found = invert_batch(action, batch, bias=added, progress=progress, **solver)
    written = result_dtype(batch, action.weight) if dtype is None else np.dtype(dtype)
    write_batch(target, stacked(found, written), form, force=force)
    return found
