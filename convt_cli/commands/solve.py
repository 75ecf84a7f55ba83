"""convt solve: the layers that lead from one size to another, and the sizes that fit a network."""

from __future__ import annotations

from collections.abc import Container

import click

from convt_cli.arithmetic.convolution import Shape
from convt_cli.arithmetic.dialects.frameworks import FRAMEWORKS
from convt_cli.arithmetic.questions.bounds import Bounds
from convt_cli.arithmetic.questions.closing import closing_base, closing_sizes
from convt_cli.arithmetic.questions.solver import (
    TYPES,
    Question,
    promising_strides,
    solutions,
)
from convt_cli.commands.emit import emit
from convt_cli.commands.main import warn_of
from convt_cli.commands.options import (
    format_option,
    input_option,
    integers,
    model_outside_option,
    output_options,
    reading,
    reading_options,
)
from convt_cli.errors import RequestError
from convt_cli.models.load import load_open_network
from convt_cli.reports.solutions import sizes_report, solutions_report
from convt_cli.reports.table import Report

_SHOWN = 20  # solutions that text and markdown show if --limit is not given
_UP_TO = 1024  # the largest size that --sizes lists if --up-to is not given


def _one_size(text: str) -> int:
    """An option's type: one integer, at least 1."""
    numbers = integers(1)(text)
    if len(numbers) > 1:
        raise click.BadParameter("one integer is wanted here")
    return numbers[0]


@click.command(
    "solve",
    short_help="Layers between two sizes; sizes that fit a network.",
    epilog="""\b
VALUES are as in 3, 1,2 or 0..2.  No solution is an answer too: the exit status is 0.
\b
Examples:
  convt solve --input-size 7 --output-size 14 --type conv_transpose
  convt solve --input-size 224 --output-size 112 --kernel-size 3,5,7
  convt solve --output-size 4 --kernel-size 3 --stride 2 --padding 1
  convt solve --sizes configs/unet.yaml""",
)
@click.option(
    "--input-size",
    type=_one_size,
    metavar="N",
    help="Size of the input along one axis; every size that leads to M if not given.",
)
@click.option(
    "--output-size", type=_one_size, metavar="M", help="Size of the output along that axis."
)
@click.option(
    "--type",
    "layer_type",
    type=click.Choice(TYPES),
    help="Type of the layer; conv_transpose if not given and M is above N.",
)
@click.option(
    "--framework",
    type=click.Choice(list(FRAMEWORKS)),
    help="Whose rules make a layer legal; pytorch if not given.",
)
@click.option(
    "--kernel-size", type=integers(1), metavar="VALUES", help="Kernel sizes; 1..11 if not given."
)
@click.option("--stride", type=integers(1), metavar="VALUES", help="Strides; 1..8 if not given.")
@click.option(
    "--padding",
    type=integers(0),
    metavar="VALUES",
    help="Paddings of a side; 0 to the effective kernel - 1 if not given.",
)
@click.option(
    "--output-padding",
    type=integers(0),
    metavar="VALUES",
    help="Output paddings of a conv_transpose; all legal ones if not given.",
)
@click.option(
    "--dilation", type=integers(1), metavar="VALUES", help="Dilations; 1..4 if not given."
)
@click.option(
    "--limit",
    type=_one_size,
    metavar="ROWS",
    help=f"The most rows; {_SHOWN} in text and markdown, all in json and csv if not given.",
)
@click.option(
    "--sizes",
    "spec",
    metavar="SPEC",
    help="Find the input sizes at which every layer and every add or concat of SPEC fits.",
)
@click.option(
    "--up-to",
    type=_one_size,
    metavar="SIZE",
    help=f"With --sizes: list them up to SIZE; {_UP_TO:,} if not given.",
)
@input_option
@reading_options
@model_outside_option
@format_option()
@output_options
def command(
    spec: str | None,
    up_to: int | None,
    inputs: tuple[tuple[str, Shape], ...],
    input_size: int | None,
    output_size: int | None,
    layer_type: str | None,
    framework: str | None,
    limit: int | None,
    output_format: str,
    output: str | None,
    force: bool,
    **values: list[int] | None,
) -> int:
    """Find the layers that lead from one size to another.

    Every legal kernel_size, stride, padding (before, after), output_padding and dilation within
    bounds is listed, the simplest first: symmetric padding, no dilation, no output_padding, and
    for conv_transpose an even overlap come before the others, then small numbers before large
    ones.  Sizes are those of one spatial axis; without --input-size each layer is listed with the
    input sizes that it takes to the output size.

    With --sizes, find the input sizes at which all layers of a network fit.  One spatial axis
    varies at a time, and with it every input that has the size of the first along it.  `expect`
    keys are ignored.
    """
    given = {name: sorted(set(numbers)) for name, numbers in values.items() if numbers}
    if spec is not None:
        if given or any((input_size, output_size, layer_type, framework, limit)):
            raise click.UsageError("--sizes goes with --up-to and --input alone")
        report = _sizes(spec, dict(inputs), up_to or _UP_TO)
    else:
        if inputs or up_to or any(reading()):
            raise click.UsageError(
                "--input, --up-to, --set, --partial and --allow-outside go with --sizes"
            )
        question = _question(input_size, output_size, layer_type, framework, given)
        if limit is None and output_format in ("text", "markdown"):
            limit = _SHOWN
        report = _layers(question, Bounds(**given), limit)
    emit(report, output_format, output, force=force)
    return 0


def _question(
    input_size: int | None,
    output_size: int | None,
    layer_type: str | None,
    framework: str | None,
    given: Container[str],
) -> Question:
    """What is asked for; `given` are the names of the parameters with values of their own."""
    if output_size is None:
        raise click.UsageError("--output-size is needed, or --sizes SPEC")
    question = Question(
        layer_type=layer_type or _likely_type(input_size, output_size),
        input_size=input_size,
        output_size=output_size,
        framework=FRAMEWORKS[framework or "pytorch"],
    )
    if "output_padding" in given and not question.is_transposed:
        raise click.UsageError("--output-padding goes with --type conv_transpose")
    return question


def _likely_type(input_size: int | None, output_size: int) -> str:
    """conv_transpose where the output is larger than the input; else, and without one, conv."""
    grows = input_size is not None and output_size > input_size
    return "conv_transpose" if grows else "conv"


def _layers(question: Question, bounds: Bounds, limit: int | None) -> Report:
    found = solutions(question, bounds)
    strides = [] if found else promising_strides(question, bounds)
    return solutions_report(question, bounds, found, limit=limit, strides=strides)


def _sizes(spec: str, inputs: dict[str, Shape], up_to: int) -> Report:
    """The input sizes up to `up_to` at which every layer of the spec fits, axis by axis."""
    graph = load_open_network(spec, input=inputs, **reading()._asdict())
    warn_of(graph.warnings)
    first = graph.inputs[0][1]
    if len(first) == 1:
        raise RequestError(
            "E503",
            "--sizes varies the spatial axes of the input",
            value=f"the input {list(first)} has none",
            help="`convt shapes` with --input tries one size",
        )
    base = closing_base(graph)
    closings = [closing_sizes(graph, base, axis, up_to) for axis in range(len(first) - 1)]
    return sizes_report(spec, graph, base, closings, up_to)
