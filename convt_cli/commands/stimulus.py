"""convt stimulus: the bounded input that excites one unit most."""

from __future__ import annotations

import click

from convt_cli.arithmetic.convolution import Shape
from convt_cli.arithmetic.vocabulary import NORMS, Norm
from convt_cli.commands.emit import emit, is_stdout
from convt_cli.commands.main import remark_notes
from convt_cli.commands.networks import load_network
from convt_cli.commands.options import (
    force_option,
    format_option,
    input_option,
    output_array_option,
    outside_option,
    require_one_stdin,
    spec_argument,
    unit_option,
)
from convt_cli.commands.threads import compute_by_tiles
from convt_cli.io.writing import require_writable
from convt_cli.reports.reconstruction import stimulus_report


@click.command(
    "stimulus",
    short_help="The bounded input that excites one unit most.",
    epilog="""\b
Examples:
  convt stimulus net.yaml --layer conv1 --unit 7,3,12 -o x.npy
  convt stimulus net.yaml --layer conv1 --unit 7,3,12 --norm inf
  convt stimulus net.yaml --layer conv3 --unit 7,3,12 --at image.npy -o x.npy""",
)
@spec_argument
@click.option("--layer", metavar="NAME", required=True, help="The layer that the unit is in.")
@unit_option(required=True, help="The unit: its channel and position.")
@click.option(
    "--norm",
    type=click.Choice(NORMS),
    default=NORMS[0],
    show_default=True,
    help="The norm of the input that is to be 1.",
)
@click.option(
    "--through",
    is_flag=True,
    help="Find an input of the network, not of the layer; linear layers only.",
)
@click.option(
    "--at", metavar="IMAGE", help="Find an input of the network, with its layers linear at IMAGE."
)
@input_option
@output_array_option(required=False)
@format_option()
@outside_option
@force_option
def command(
    spec: str,
    layer: str,
    unit: Shape,
    norm: Norm,
    through: bool,
    at: str | None,
    inputs: tuple[tuple[str, Shape], ...],
    output: str | None,
    output_format: str,
    force: bool,
) -> int:
    """Find the input of norm 1 that excites a unit of a layer most, its bias left out.

    A unit's response to x is <c, x>, where c is the unit's row of the layer's own action, C or Cᵀ.
    Of all x with 2-norm 1 it is largest for c / |c|; of all x with no number beyond 1, for the
    signs of c.  x is an input of the layer.  With --through or --at it is an input of the network,
    and c is the row of all layers up to this one; with --at, maxima and signs are those of IMAGE.

    The random share is the root mean square of the responses to random inputs of the same norm, as
    a share of the largest response.
    """
    compute_by_tiles()
    from convt_cli.analysis.backward.run import way_to
    from convt_cli.analysis.backward.stimulus import stimulus
    from convt_cli.files.arrays import locate
    from convt_cli.files.batches import write_batch
    from convt_cli.files.images import read_image
    from convt_cli.files.layout import Form

    require_one_stdin(spec, at, "IMAGE")
    require_writable(output and locate(output).path, force=force)
    network = load_network(spec, inputs)
    image = None if at is None else read_image(at, way_to(network, layer).input_shape)[0]
    found = stimulus(network, layer=layer, unit=unit, norm=norm, through=through, at=image)
    if output is not None:
        write_batch(output, found.x[None], Form(channels_last=False), force=force)
    remark_notes(found.notes)
    if output is None or not is_stdout(output):
        emit(stimulus_report(spec, found), output_format, None, force=force)
    return 0
