"""convt apply: Cᵀ, or C, applied to an array file."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from convt_cli.arithmetic.convolution import Shape
from convt_cli.arithmetic.network import MatrixLayer
from convt_cli.commands.networks import choose_layer, note_fill
from convt_cli.commands.options import (
    dtype_option,
    force_option,
    input_option,
    layer_option,
    outside_option,
    spec_argument,
)
from convt_cli.errors import RequestError
from convt_cli.io.reading import STDIN
from convt_cli.spec.load import load_spec

if TYPE_CHECKING:
    from convt_cli.files.weights import Weights
    from convt_cli.operators.dtypes import Array

METHODS = ("auto", "matrix", "direct", "zero-insert")
LAYOUTS = ("channels_first", "channels_last")
DTYPES = ("int32", "int64", "float16", "float32", "float64", "complex64", "complex128")


@click.command(
    "apply",
    short_help="Apply Cᵀ, or C, of a layer to an array file.",
    epilog="""\b
Examples:
  convt apply configs/dcgan_generator.yaml z.npy --layer up1 -o image.npy
  convt apply spec.yaml x.npy --forward --bias -o y.npy
  convt apply spec.yaml y.npz#y --layout channels_last -o x.npy""",
)
@spec_argument
@click.argument("array", metavar="ARRAY")
@click.option("-o", "--output", metavar="OUT", required=True, help="The array file to write.")
@layer_option
@input_option
@click.option("--forward", is_flag=True, help="Apply C instead of Cᵀ.")
@click.option("--bias", is_flag=True, help="Add the layer's bias.")
@click.option("--layout", type=click.Choice(LAYOUTS), default=LAYOUTS[0], show_default=True)
@click.option("--method", type=click.Choice(METHODS), default=METHODS[0], show_default=True)
@dtype_option(*DTYPES)
@outside_option
@force_option
def command(
    spec: str,
    array: str,
    output: str,
    layer: str | None,
    inputs: tuple[tuple[str, Shape], ...],
    forward: bool,
    bias: bool,
    layout: str,
    method: str,
    dtype: str | None,
    allow_outside: bool,
    force: bool,
) -> int:
    """Apply Cᵀ of a layer, the transposed convolution, to ARRAY; with --forward, C.

    ARRAY and OUT are .npy, .npz#key, .csv or .txt, or - for a stream of .npy.  ARRAY is
    (channels, *spatial), may have a batch axis in front, or be flat; OUT comes in the same form.
    """
    from convt_cli.files.arrays import is_text, locate, read_array, write_array
    from convt_cli.files.layout import arrange, give_back
    from convt_cli.files.weights import Weights
    from convt_cli.io.writing import require_writable
    from convt_cli.operators.dtypes import exact_sum, require_numeric

    if spec == array == STDIN:
        raise click.UsageError("standard input can be SPEC or ARRAY, not both")
    require_writable(locate(output).path, force=force)
    network = load_spec(spec, input=dict(inputs))
    chosen = choose_layer(network, layer)
    _require_own_action(chosen, forward=forward, bias=bias)
    expected, _ = _shapes(chosen, forward=forward)
    source = require_numeric(read_array(array), "the array")
    batch, form = arrange(source, expected, layout, text=is_text(array))
    weights = Weights(network, allow_outside=allow_outside)
    result = _applied(chosen, weights, batch, method, dtype, forward=forward)
    if bias and not isinstance(chosen.bias, bool):
        result = exact_sum(result, _bias(chosen, weights, dtype))
    write_array(output, give_back(result, form, text=is_text(output)), force=force)
    note_fill(chosen)
    return 0


def _applied(
    layer: MatrixLayer,
    weights: Weights,
    batch: Array,
    method: str,
    dtype: str | None,
    *,
    forward: bool,
) -> Array:
    import numpy as np

    from convt_cli.files.weights import cast
    from convt_cli.operators.functions import apply
    from convt_cli.operators.routes import route

    wanted = None if dtype is None else np.dtype(dtype)
    source = batch if wanted is None else cast(batch, wanted, "array")
    expected, _ = _shapes(layer, forward=forward)
    weight = weights.weight(layer, wanted)
    return apply(route(method, forward=forward), layer.convolution, weight, source, expected)


def _bias(layer: MatrixLayer, weights: Weights, dtype: str | None) -> Array:
    """The bias as (channels, 1, ..., 1)."""
    import numpy as np

    bias = weights.bias(layer, None if dtype is None else np.dtype(dtype))
    return bias.reshape(-1, *(1 for _ in layer.convolution.axes))


def _shapes(layer: MatrixLayer, *, forward: bool) -> tuple[Shape, Shape]:
    """(source, result) shape of C or Cᵀ."""
    shapes = layer.convolution.input_shape, layer.convolution.output_shape
    return shapes if forward else shapes[::-1]


def _require_own_action(layer: MatrixLayer, *, forward: bool, bias: bool) -> None:
    """Raise RequestError (E305) where a bias is wanted in the direction that has none."""
    if bias and forward == layer.convolution.adjoint:
        own, other = ("Cᵀ", "C") if layer.convolution.adjoint else ("C", "Cᵀ")
        raise RequestError(
            "E305",
            f"the bias of {layer.name} belongs to {own}",
            value=f"{other} was asked for",
            help="leave out --forward" if forward else "add --forward, or leave out --bias",
        )
