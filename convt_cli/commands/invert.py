"""convt invert: the x that a layer maps to a given array, or as near to it as possible."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple

import click

from convt_cli.arithmetic.convolution import Shape
from convt_cli.arithmetic.network import MatrixLayer, Network
from convt_cli.arithmetic.vocabulary import (
    INVERSE_DTYPES,
    LAYOUTS,
    MOST_ITERATIONS,
    TOLERANCE,
)
from convt_cli.commands.emit import emit, is_stdout
from convt_cli.commands.main import complain
from convt_cli.commands.networks import choose_layer, load_network, note_fill
from convt_cli.commands.options import (
    force_option,
    format_option,
    input_option,
    layer_option,
    outside_option,
    spec_argument,
)
from convt_cli.commands.threads import compute_by_tiles
from convt_cli.io.reading import STDIN

if TYPE_CHECKING:
    from convt_cli.analysis.invert import Inverse
    from convt_cli.operators.dtypes import Array


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
@click.argument("array", metavar="ARRAY")
@click.option("-o", "--output", metavar="OUT", required=True, help="The array file to write.")
@layer_option
@input_option
@click.option("--bias", is_flag=True, help="Subtract the layer's bias from ARRAY first.")
@click.option(
    "--layout",
    type=click.Choice(LAYOUTS),
    default=LAYOUTS[0],
    show_default=True,
    help="Where ARRAY and OUT have their channels.",
)
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
    allow_outside: bool,
    force: bool,
) -> int:
    """Find the shortest x that the layer maps closest to ARRAY, and write it to OUT.

    The layer's own action A is C for conv and Cᵀ for conv_transpose.  The table shows how far
    Aᵀy, and its best multiple, are from the inverse.  ARRAY and OUT are as for `convt apply`.
    """
    compute_by_tiles()
    from convt_cli.files.arrays import locate
    from convt_cli.files.weights import Weights
    from convt_cli.io.writing import require_writable

    if spec == array == STDIN:
        raise click.UsageError("standard input can be SPEC or ARRAY, not both")
    if is_stdout(output) and output_format != "text":
        raise click.UsageError("--format goes with an OUT that is a file")
    require_writable(locate(output).path, force=force)
    network = load_network(spec, inputs)
    chosen = choose_layer(network, layer)
    weights = Weights(network, allow_outside=allow_outside)
    added = weights.bias(chosen) if bias else None
    problem = _Problem(chosen, weights.weight(chosen), added, damping, tolerance, max_iterations)
    found = _solve(problem, array, output, layout, dtype, force=force)
    note_fill(chosen)
    _report(network, problem, found, output, output_format)
    return 0


class _Problem(NamedTuple):
    """The layer to invert, its weight and bias, and how exactly the solver works."""

    layer: MatrixLayer
    weight: Array
    bias: Array | None
    damping: float
    tolerance: float
    most_iterations: int

    def solved(self, y: Array) -> Inverse:
        """The solution for one array, (channels, *spatial)."""
        from convt_cli.analysis.invert import invert

        if self.bias is not None:
            y = y - self.bias.reshape(-1, *(1 for _ in y.shape[1:]))  # (channels, 1, ..., 1)
        return invert(
            self.layer.convolution,
            self.weight,
            y,
            damping=self.damping,
            tolerance=self.tolerance,
            most_iterations=self.most_iterations,
        )


def _solve(
    problem: _Problem, source: str, target: str, layout: str, dtype: str | None, *, force: bool
) -> list[Inverse]:
    """Read the array, solve for every item of its batch, and write all x; returns the solutions."""
    import numpy as np

    from convt_cli.files.arrays import is_text, read_array, write_array
    from convt_cli.files.layout import arrange, give_back
    from convt_cli.operators.dtypes import require_numeric, result_dtype
    from convt_cli.render.progress import progress

    array = require_numeric(read_array(source), "the array")
    expected = problem.layer.convolution.action_shapes[1]
    batch, form = arrange(array, expected, layout, text=is_text(source))
    found = []
    with progress("solving", len(batch)) as advance:
        for y in batch:
            found.append(problem.solved(y))
            advance(1)
    wanted = result_dtype(array, problem.weight) if dtype is None else np.dtype(dtype)
    x = np.stack([one.x for one in found]).astype(wanted if wanted.kind == "f" else np.float64)
    write_array(target, give_back(x, form, text=is_text(target)), force=force)
    return found


def _report(
    network: Network, problem: _Problem, found: list[Inverse], output: str, output_format: str
) -> None:
    """Print the table, to standard error where the array goes to standard output."""
    from convt_cli.render.text import as_text
    from convt_cli.reports.inversion import inversion_report

    report = inversion_report(
        network,
        problem.layer,
        found,
        damping=problem.damping,
        tolerance=problem.tolerance,
        output=output,
    )
    if is_stdout(output):
        complain(as_text(report).rstrip("\n"))
    else:
        emit(report, output_format, None, force=False)
