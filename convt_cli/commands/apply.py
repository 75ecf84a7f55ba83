"""convt apply: Cᵀ, or C, applied to an array file."""

from __future__ import annotations

import click

from convt_cli.arithmetic.convolution import Shape
from convt_cli.arithmetic.vocabulary import APPLY_DTYPES, LAYOUTS, METHODS
from convt_cli.commands.networks import choose_layer, load_network, note_fill
from convt_cli.commands.options import (
    array_argument,
    dtype_option,
    force_option,
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
@array_argument
@output_array_option(required=True)
@layer_option
@input_option
@click.option("--forward", is_flag=True, help="Apply C instead of Cᵀ.")
@click.option("--bias", is_flag=True, help="Add the layer's bias.")
@layout_option(*LAYOUTS)
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
    force: bool,
) -> int:
    """Apply Cᵀ of a layer, the transposed convolution, to ARRAY; with --forward, C.

    ARRAY and OUT are .npy, .npz#key, .csv or .txt, or - for a stream of .npy.  ARRAY is
    (channels, *spatial), may have a batch axis in front, or be flat; OUT comes in the same form.
    """
    compute_by_tiles()
    import numpy as np

    from convt_cli.files.apply import action_of, apply_file
    from convt_cli.files.arrays import locate
    from convt_cli.files.weights import Weights
    from convt_cli.render.progress import progress

    require_one_stdin(spec, array, "ARRAY")
    require_writable(locate(output).path, force=force)
    network = load_network(spec, inputs)
    chosen = choose_layer(network, layer)
    wanted = None if dtype is None else np.dtype(dtype)
    action = action_of(chosen, Weights(network), forward=forward, bias=bias, dtype=wanted)
    apply_file(action, array, output, layout=layout, method=method, force=force, progress=progress)
    note_fill(chosen)
    return 0
