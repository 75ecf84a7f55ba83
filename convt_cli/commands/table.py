"""convt table: the guide's relationships, a spec's arithmetic, or a sweep."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from convt_cli.arithmetic.convolution import Shape
from convt_cli.commands.emit import emit
from convt_cli.commands.networks import load_all
from convt_cli.commands.options import (
    format_option,
    input_option,
    integers,
    model_outside_option,
    output_options,
    reading,
    specs_argument,
)
from convt_cli.reports.derivation import derivation_report
from convt_cli.reports.guide import guide_report
from convt_cli.reports.sweep import SWEPT, sweep_report

_F = TypeVar("_F", bound=Callable[..., Any])

_DEFAULTS = {"stride": [1], "padding": [0], "output_padding": [0], "dilation": [1]}
"""The values of a sweep's options that are not given."""


def _range_option(name: str, minimum: int, help: str) -> Callable[[_F], _F]:
    """An option of a sweep: integers of at least `minimum`."""
    return click.option(f"--{name}", type=integers(minimum), metavar="RANGE", help=help)


@click.command(
    "table",
    short_help="Padding and stride arithmetic: the guide's, a spec's, or a sweep.",
    epilog="""\b
Examples:
  convt table
  convt table configs/dcgan_generator.yaml
  convt table --type conv --input-size 4..8 --kernel-size 3 --stride 1,2""",
)
@specs_argument(required=False)
@input_option
@model_outside_option
@click.option(
    "--type", "layer_type", type=click.Choice(("conv", "conv_transpose")), help="Sweep this type."
)
@click.option(
    "--input-size", type=integers(1), metavar="RANGE", help="Sizes to sweep over: 7, 4..8 or 4,6."
)
@click.option(
    "--kernel-size", type=integers(1), metavar="RANGE", help="Kernel sizes to sweep over."
)
@_range_option("stride", 1, "Strides; 1 if not given.")
@click.option(
    "--padding", type=integers(0), metavar="RANGE", help="Paddings on both sides; 0 if not given."
)
@click.option(
    "--output-padding",
    type=integers(0),
    metavar="RANGE",
    help="Output paddings of a conv_transpose; 0 if not given.",
)
@_range_option("dilation", 1, "Dilations; 1 if not given.")
@format_option()
@output_options
def command(
    specs: tuple[str, ...],
    inputs: tuple[tuple[str, Shape], ...],
    layer_type: str | None,
    output_format: str,
    output: str | None,
    force: bool,
    **swept: list[int] | None,
) -> int:
    """Print padding and stride arithmetic.

    Without a SPEC: the fifteen relationships of Dumoulin and Visin's guide, each with its worked
    example.  With one: every layer's formula with its numbers put in.  With --type: the output size
    for every combination of the values given.
    """
    given = {name: values for name, values in swept.items() if values is not None}
    if layer_type is None and not given:
        return _print_specs(specs, inputs, output_format, output, force=force)
    if specs or inputs or reading().settings:
        raise click.UsageError("a sweep takes no SPEC, no --input and no --set")
    if layer_type is None:
        raise click.UsageError("a sweep needs --type conv or --type conv_transpose")
    if layer_type == "conv" and "output_padding" in given:
        raise click.UsageError("--output-padding goes with --type conv_transpose")
    values = _DEFAULTS | given
    missing = [f"--{name.replace('_', '-')}" for name in SWEPT if name not in values]
    if missing:
        raise click.UsageError(f"a sweep needs {' and '.join(missing)}")
    emit(sweep_report(layer_type, values), output_format, output, force=force)
    return 0


def _print_specs(
    specs: tuple[str, ...],
    inputs: tuple[tuple[str, Shape], ...],
    output_format: str,
    output: str | None,
    *,
    force: bool,
) -> int:
    """Print the guide's table without specs, else each layer's formula; returns the status."""
    if (inputs or reading().settings) and not specs:
        raise click.UsageError("--input and --set go with a SPEC")
    if not specs:
        emit(guide_report(), output_format, output, force=force)
        return 0
    loaded = load_all(specs, inputs)
    if loaded.complete(output, output_format):
        report = derivation_report(loaded.networks, loaded.problems)
        emit(report, output_format, output, force=force)
    return loaded.status
