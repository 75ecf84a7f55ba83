"""convt shapes: every layer's shapes, parameters, multiply-adds and receptive field."""

from __future__ import annotations

import click

from convt_cli.arithmetic.convolution import Shape
from convt_cli.commands.emit import emit
from convt_cli.commands.networks import load_all
from convt_cli.commands.options import format_option, input_option, output_options, specs_argument
from convt_cli.reports.shapes import shapes_report


@click.command(
    "shapes",
    short_help="Shapes, parameters, multiply-adds, receptive fields.",
    epilog="""\b
Examples:
  convt shapes configs/zfnet.yaml
  convt shapes configs/vgg16.yaml --input 3,448,448
  convt shapes configs/*.yaml --format markdown -o shapes.md""",
)
@specs_argument(required=True)
@input_option
@format_option()
@output_options
def command(
    specs: tuple[str, ...],
    inputs: tuple[tuple[str, Shape], ...],
    output_format: str,
    output: str | None,
    force: bool,
) -> int:
    """Print every layer's input and output shape, parameters, multiply-adds, receptive field."""
    loaded = load_all(specs, inputs)
    if loaded.complete(output, output_format):
        report = shapes_report(loaded.networks, loaded.problems)
        emit(report, output_format, output, force=force)
    return loaded.status
