"""convt shapes: every layer's shapes, parameters, multiply-adds and receptive field."""

from __future__ import annotations

import click

from convt_cli.arithmetic.convolution import Shape
from convt_cli.commands.emit import emit
from convt_cli.commands.networks import load_all
from convt_cli.commands.options import (
    format_option,
    input_option,
    model_outside_option,
    output_options,
    specs_argument,
)
from convt_cli.reports.shapes import shapes_report


@click.command(
    "shapes",
    short_help="Shapes, parameters, multiply-adds, receptive fields.",
    epilog="""\b
Examples:
  convt shapes configs/zfnet.yaml
  convt shapes configs/vgg16.yaml --input 3,448,448
  convt shapes configs/unet.yaml --wide
  convt shapes configs/*.yaml --format markdown -o shapes.md""",
)
@specs_argument(required=True)
@input_option
@model_outside_option
@click.option("--wide", is_flag=True, help="Print all columns, as in the other formats.")
@format_option()
@output_options
def command(
    specs: tuple[str, ...],
    inputs: tuple[tuple[str, Shape], ...],
    wide: bool,
    output_format: str,
    output: str | None,
    force: bool,
) -> int:
    """Print every layer's input and output shape, parameters, multiply-adds, receptive field.

    With --wide also the jump, which is the distance in the input of two neighbouring positions, the
    share of the parameters, the activations (elements of the output) and the entries of C.
    """
    loaded = load_all(specs, inputs)
    if loaded.complete(output, output_format):
        wide = wide or output_format != "text"
        report = shapes_report(loaded.networks, loaded.problems, wide=wide)
        emit(report, output_format, output, force=force)
    return loaded.status
