"""convt diff: what differs between two networks, layer by layer."""

from __future__ import annotations

from functools import partial

import click

from convt_cli.arithmetic.convolution import Shape
from convt_cli.arithmetic.questions.difference import difference
from convt_cli.commands.emit import emit
from convt_cli.commands.main import FOUND
from convt_cli.commands.networks import load_each
from convt_cli.commands.options import (
    format_option,
    input_option,
    model_outside_option,
    output_options,
    reading,
    reading_options,
    require_one_stdin,
)
from convt_cli.reports.difference import difference_report, unread_report


@click.command(
    "diff",
    short_help="What differs between two networks, layer by layer.",
    epilog="""\b
Exit status: 0 nothing differs, 1 something does, 2 a network cannot be read.
\b
Examples:
  convt diff net.yaml net.onnx
  convt diff net.yaml net.yaml --set conv1.stride=2
  git show main:net.yaml | convt diff - net.yaml --format markdown""",
)
@click.argument("was", metavar="A")
@click.argument("now", metavar="B")
@partial(reading_options, set_help="Give a key of B, or of a layer of B, this value.")
@input_option
@model_outside_option
@format_option()
@output_options
def command(
    was: str,
    now: str,
    inputs: tuple[tuple[str, Shape], ...],
    output_format: str,
    output: str | None,
    force: bool,
) -> int:
    """Print what differs between the networks A and B: types, shapes, windows, counts.

    A and B are specs, models or expressions.  Layers are the same by their names, or else by their
    place among the others; another name alone is no difference, nor is another framework.  Weights
    are not compared.  --input and --partial are for both, --set for B.
    """
    require_one_stdin(was, now, "B", of="A")
    way = reading()
    loaded = load_each([(was, way._replace(settings=())), (now, way)], inputs)
    if loaded.status:
        if output_format == "json":
            emit(unread_report(loaded.problems), output_format, output, force=force)
        return loaded.status
    found = difference(*loaded.networks)
    every = output_format in {"csv", "json"}
    report = difference_report(found, loaded.problems, every=every)
    emit(report, output_format, output, force=force)
    return 0 if found.is_equal else FOUND
