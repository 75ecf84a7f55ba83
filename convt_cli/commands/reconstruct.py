"""convt reconstruct: pictures of what in an input a layer's activations come from."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from convt_cli.arithmetic.convolution import Shape
from convt_cli.arithmetic.keys import LARGEST
from convt_cli.arithmetic.vocabulary import RULES, Rule
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
from convt_cli.reports.reconstruction import reconstruction_report

if TYPE_CHECKING:
    from convt_cli.files.layout import Form
    from convt_cli.operators.dtypes import Array


@click.command(
    "reconstruct",
    short_help="Pictures of what a layer's activations come from.",
    epilog="""\b
Examples:
  convt reconstruct net.yaml image.npy --layer conv3 --channel 7 -o picture.npy
  convt reconstruct net.yaml photo.jpg --layer conv3 --top 9 --sheet top9.png
  convt reconstruct net.yaml photos --batch --layer conv3 --channel 7 --top 9 --sheet 7.png""",
)
@spec_argument
@click.argument("image", metavar="IMAGE")
@click.option("--layer", metavar="NAME", required=True, help="The layer to look into.")
@click.option(
    "--channel",
    type=click.IntRange(-LARGEST, LARGEST),
    metavar="K",
    help="Keep the activations of channel K alone.",
)
@unit_option(required=False, help="Keep one activation alone: its channel and position.")
@click.option(
    "--top",
    type=click.IntRange(1, LARGEST),
    metavar="N",
    help="Draw the N strongest channels, or with --batch the N strongest images per channel.",
)
@click.option(
    "--rule",
    type=click.Choice(RULES),
    default=RULES[0],
    show_default=True,
    help="Which values pass a relu on the way down.",
)
@click.option("--batch", is_flag=True, help="IMAGE is a batch of images, or a folder of them.")
@input_option
@output_array_option(required=False)
@click.option("--sheet", metavar="FILE.png", help="Write the pictures side by side.")
@format_option()
@outside_option
@force_option
def command(
    spec: str,
    image: str,
    layer: str,
    channel: int | None,
    unit: Shape | None,
    top: int | None,
    rule: Rule,
    batch: bool,
    inputs: tuple[tuple[str, Shape], ...],
    output: str | None,
    sheet: str | None,
    output_format: str,
    force: bool,
) -> int:
    """Run IMAGE forward to a layer, keep some activations, and take them down to the input.

    On the way down a convolution applies Cᵀ, and a max pool puts a value where the maximum was.  A
    relu lets pass, with deconvnet, values that are positive; with gradient, those whose activation
    was positive in the image; with guided, those for which both hold.  All activations are kept, or
    those of --channel, or one --unit; with --top the one strongest of each channel.

    IMAGE and OUT are .npy, .npz#key, .csv or .txt, or - for a stream of .npy; IMAGE can be .png or
    .jpg, which is fitted into the input and has values from 0 to 1.  In a sheet each picture is
    stretched by itself, and 0 is the grey in the middle.
    """
    compute_by_tiles()
    from convt_cli.analysis.backward.reconstruct import reconstruct
    from convt_cli.analysis.backward.run import way_to
    from convt_cli.files.arrays import locate
    from convt_cli.files.batches import write_pictures
    from convt_cli.render.pictures import reconstruction_sheet
    from convt_cli.render.progress import progress

    require_one_stdin(spec, image, "IMAGE")
    require_writable(output and locate(output).path, sheet, force=force)
    network = load_network(spec, inputs)
    images, form = _read(image, way_to(network, layer).input_shape, batch=batch, sheet=sheet)
    found = reconstruct(
        network,
        images,
        layer=layer,
        channel=channel,
        unit=unit,
        top=top,
        rule=rule,
        progress=progress,
    )
    drawn = None if sheet is None else (sheet, reconstruction_sheet(found, images))
    own_form = form if top is None else None
    write_pictures(found.pictures, own_form, output, drawn, force=force)
    remark_notes(found.notes)
    if not any(is_stdout(path) for path in (output, sheet) if path is not None):
        emit(reconstruction_report(spec, found), output_format, None, force=force)
    return 0


def _read(name: str, shape: Shape, *, batch: bool, sheet: str | None) -> tuple[Array, Form | None]:
    """(images, the form of a single one in its file), after checking that a sheet is possible."""
    from convt_cli.files.images import read_image, read_images

    if sheet is not None:
        from convt_cli.render.pictures import require_sheet

        require_sheet(shape)
    return (read_images(name, shape), None) if batch else read_image(name, shape)
