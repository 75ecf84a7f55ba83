"""convt check: whether shapes are legal and every `expect` holds."""

from __future__ import annotations

import sys

import click

from convt_cli.arithmetic.convolution import Shape
from convt_cli.commands.emit import emit, is_stdout, put
from convt_cli.commands.main import FAILED, FOUND, complain_of, terminal_width
from convt_cli.commands.networks import as_diagnostics, expand
from convt_cli.commands.options import (
    format_option,
    input_option,
    model_outside_option,
    output_options,
    reading,
    specs_argument,
)
from convt_cli.errors import ConvtError, Diagnostic, OutputIsInput
from convt_cli.models.load import check_spec
from convt_cli.render.diagnostics import diagnostic_text
from convt_cli.reports.check import check_report, has_errors, summary


@click.command(
    "check",
    short_help="Check that shapes are legal and as expected.",
    epilog="""\b
Exit status: 0 no problem or only warnings, 1 a problem was found, 2 a spec cannot be read.
\b
Examples:
  convt check configs/*.yaml
  convt check configs --format json""",
)
@specs_argument(required=True)
@input_option
@model_outside_option
@format_option("text", "json")
@click.option("--exit-zero", is_flag=True, help="Exit 0 even if something was found.")
@output_options
def command(
    specs: tuple[str, ...],
    inputs: tuple[tuple[str, Shape], ...],
    output_format: str,
    exit_zero: bool,
    output: str | None,
    force: bool,
) -> int:
    """Check that every shape is legal and every `expect` holds; a folder stands for its specs.

    An input that is probably meant in another order gives a warning.
    """
    checked = expand(specs)
    found: list[Diagnostic] = []
    unreadable: list[Diagnostic] = []
    status = 0
    for spec in checked:
        try:
            found.extend(check_spec(spec, input=dict(inputs), **reading()._asdict()))
        except OutputIsInput:
            raise
        except ConvtError as error:
            complain_of(error)
            unreadable.extend(as_diagnostics(spec, error))
            status = FAILED
    if has_errors(found) and not exit_zero:
        status = max(status, FOUND)
    if output_format == "json":
        report = check_report(len(checked), [*found, *unreadable])
        emit(report, output_format, output, force=force)
    else:
        last = summary(len(checked), [*found, *unreadable])
        width = terminal_width(sys.stdout if is_stdout(output) else None)
        texts = [diagnostic_text(one, width) for one in found]
        put("\n".join((*texts, last)) + "\n", output, force=force)
    return status
