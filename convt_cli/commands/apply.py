"""convt apply: Cᵀ, or C, applied to an array file."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from convt_cli.arithmetic.convolution import Shape
from convt_cli.arithmetic.network import MatrixLayer
from convt_cli.arithmetic.vocabulary import APPLY_DTYPES, LAYOUTS, METHODS
from convt_cli.commands.networks import choose_layer, load_network, note_fill
from convt_cli.commands.options import (
    dtype_option,
    force_option,
    input_option,
    layer_option,
    outside_option,
    spec_argument,
)
from convt_cli.commands.threads import compute_by_tiles
from convt_cli.errors import RequestError
from convt_cli.io.reading import STDIN

if TYPE_CHECKING:
    from convt_cli.files.tiled import Action
    from convt_cli.files.weights import Weights


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
@click.option(
    "--layout",
    type=click.Choice(LAYOUTS),
    default=LAYOUTS[0],
    show_default=True,
    help="Where ARRAY and OUT have their channels.",
)
@click.option(
    "--method",
    type=click.Choice(METHODS),
    default=METHODS[0],
    show_default=True,
    help="How to compute it; all give the same numbers, to rounding.",
)
@dtype_option(*APPLY_DTYPES)
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
    compute_by_tiles()
    from convt_cli.files.arrays import locate
    from convt_cli.files.tiled import apply_by_tiles
    from convt_cli.files.weights import Weights
    from convt_cli.io.writing import require_writable
    from convt_cli.render.progress import progress

    if spec == array == STDIN:
        raise click.UsageError("standard input can be SPEC or ARRAY, not both")
    require_writable(locate(output).path, force=force)
    network = load_network(spec, inputs)
    chosen = choose_layer(network, layer)
    _require_own_action(chosen, forward=forward, bias=bias)
    action = _action(chosen, Weights(network, allow_outside=allow_outside), dtype, forward, bias)
    if _is_tiled(action, method, array, output):
        apply_by_tiles(action, array, output, layout, force=force, progress=progress)
    else:
        _apply_in_memory(action, method, array, output, layout, force=force)
    note_fill(chosen)
    return 0


def _is_tiled(action: Action, method: str, source: str, target: str) -> bool:
    """Whether both files and the method allow applying the layer tile by tile."""
    from convt_cli.files.arrays import locate
    from convt_cli.files.boxes import SUPPORTED
    from convt_cli.io.writing import is_file

    places = locate(source), locate(target)
    return (
        SUPPORTED
        and method in ("auto", "direct")
        and action.convolution.padding_mode == "zeros"
        and all(place.format.has_boxes for place in places)
        and is_file(places[1].path)
    )


def _apply_in_memory(
    action: Action, method: str, source: str, target: str, layout: str, *, force: bool
) -> None:
    """Read the whole array, apply the layer by any method, and write the whole result."""
    from convt_cli.files.arrays import is_text, read_array, write_array
    from convt_cli.files.layout import arrange, give_back
    from convt_cli.operators.dtypes import require_numeric
    from convt_cli.operators.functions import apply
    from convt_cli.operators.routes import route

    expected, _ = action.shapes
    applied = route(method, forward=action.forward)
    array = require_numeric(read_array(source), "the array")
    action.form(array.shape, layout, text=is_text(source))
    batch, form = arrange(array, expected, layout, text=is_text(source))
    result = apply(applied, action.convolution, action.weight, action.cast(batch), expected)
    write_array(target, give_back(action.biased(result), form, text=is_text(target)), force=force)


def _action(
    layer: MatrixLayer, weights: Weights, dtype: str | None, forward: bool, bias: bool
) -> Action:
    """The action to apply, with the layer's weight and bias read from their files."""
    import numpy as np

    from convt_cli.files.tiled import Action

    wanted = None if dtype is None else np.dtype(dtype)
    added = None
    if bias and not isinstance(layer.bias, bool):
        # (channels, 1, ..., 1)
        added = weights.bias(layer, wanted).reshape(-1, *(1 for _ in layer.convolution.axes))
    return Action(
        convolution=layer.convolution,
        weight=weights.weight(layer, wanted),
        forward=forward,
        bias=added,
        dtype=wanted,
    )


def _require_own_action(layer: MatrixLayer, *, forward: bool, bias: bool) -> None:
    """Raise RequestError (E305) where `bias` is asked for in the direction that has none."""
    if bias and forward == layer.convolution.adjoint:
        own, other = ("Cᵀ", "C") if layer.convolution.adjoint else ("C", "Cᵀ")
        raise RequestError(
            "E305",
            f"the bias of {layer.name} belongs to {own}",
            value=f"{other} was asked for",
            help="leave out --forward" if forward else "add --forward, or leave out --bias",
        )
