"""convt run: a whole network on an array file."""

from __future__ import annotations

import click

from convt_cli.arithmetic.convolution import Shape
from convt_cli.arithmetic.vocabulary import LAYOUTS, RUN_DTYPES
from convt_cli.commands.main import remark_notes
from convt_cli.commands.networks import load_network
from convt_cli.commands.options import (
    array_argument,
    dtype_option,
    force_option,
    input_option,
    layout_option,
    output_array_option,
    outside_option,
    require_one_stdin,
    spec_argument,
)
from convt_cli.commands.threads import compute_by_tiles
from convt_cli.io.writing import require_writable


@click.command(
    "run",
    short_help="Run a whole network on an array file.",
    epilog="""\b
Examples:
  convt run configs/lenet5.yaml examples/seven.csv -o scores.npy
  convt run net.yaml x.npy --layer conv1 --layer conv2 -o activations.npz
  convt run model.onnx inputs.npz --all -o activations.npz""",
)
@spec_argument
@array_argument
@output_array_option(required=True)
@click.option(
    "--layer",
    "layers",
    multiple=True,
    metavar="NAME",
    help="Write this layer's activations; several go into an .npz.",
)
@click.option("--all", "everything", is_flag=True, help="Write every layer's activations.")
@input_option
@layout_option(*LAYOUTS)
@dtype_option(*RUN_DTYPES)
@outside_option
@force_option
def command(
    spec: str,
    array: str,
    output: str,
    layers: tuple[str, ...],
    everything: bool,
    inputs: tuple[tuple[str, Shape], ...],
    layout: str,
    dtype: str | None,
    force: bool,
) -> int:
    """Run the network of SPEC on ARRAY, and write its outputs, or the activations of layers.

    Biases are added, and norms use their kept statistics.  ARRAY and OUT are .npy, .npz#key, .csv
    or .txt, or - for a stream of .npy.  ARRAY is (channels, *spatial), may have a batch axis in
    front, or be flat; OUT comes in the same form.  Several inputs are an .npz with their names, and
    so are several outputs, and the activations of several layers.
    """
    compute_by_tiles()
    from convt_cli.analysis.forward import forward, plan, require_same_batch
    from convt_cli.files.activations import read_inputs, require_room_for, write_activations
    from convt_cli.files.arrays import locate
    from convt_cli.render.progress import progress

    require_one_stdin(spec, array, "ARRAY")
    if everything and layers:
        raise click.UsageError("--all and --layer exclude each other")
    require_writable(locate(output).path, force=force)
    network = load_network(spec, inputs)
    made = plan(network, [one.name for one in network.layers] if everything else layers)
    require_room_for(output, made.wanted)
    arrays, form = read_inputs(array, made.inputs, layout)
    require_same_batch({name: len(batch) for name, batch in arrays.items()})
    found = forward(made, arrays, dtype=dtype, progress=progress)
    write_activations(output, found, form, force=force)
    remark_notes(made.notes)
    return 0
