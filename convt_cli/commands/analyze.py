"""convt analyze: the singular values of C, its overlap counts, and inputs that nothing reads."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from convt_cli.arithmetic.convolution import Shape
from convt_cli.arithmetic.questions.shuffles import shuffles_behind
from convt_cli.commands.emit import emit
from convt_cli.commands.layers import each_layer
from convt_cli.commands.networks import load_all
from convt_cli.commands.options import (
    format_option,
    input_option,
    output_options,
    outside_option,
    specs_argument,
)
from convt_cli.commands.threads import compute_by_tiles
from convt_cli.library.layer import Layer
from convt_cli.library.network import Network

if TYPE_CHECKING:
    from convt_cli.reports.analysis import Analysis


@click.command(
    "analyze",
    short_help="Singular values of C, checkerboard, unread inputs.",
    epilog="""\b
Examples:
  convt analyze net.yaml
  convt analyze net.yaml --layer up1
  convt analyze configs --format json -o analysis.json""",
)
@specs_argument(required=True)
@click.option("--layer", metavar="NAME", help="Analyze this layer alone.")
@input_option
@outside_option
@format_option()
@output_options
def command(
    specs: tuple[str, ...],
    layer: str | None,
    inputs: tuple[tuple[str, Shape], ...],
    output_format: str,
    output: str | None,
    force: bool,
) -> int:
    """Print the properties of C of every conv and conv_transpose layer.

    Its entries, its largest and smallest singular value and its condition number; beside the
    largest one the shortcuts that people use for it, and how far off they are; how often windows
    overlap, and whether that shows as a checkerboard; and how many elements of the layer's input
    nothing reads.
    """
    compute_by_tiles()
    loaded = load_all(specs, inputs)
    found, loaded = each_layer(loaded, layer, _analysis, label="analyzing")
    if loaded.complete(output, output_format):
        from convt_cli.reports.analysis import analysis_report

        emit(analysis_report(found, loaded.problems), output_format, output, force=force)
    return loaded.status


def _analysis(network: Network, layer: Layer) -> Analysis:
    """All that the table says about one layer."""
    from convt_cli.analysis.coverage import coverage
    from convt_cli.analysis.phases import phase_difference
    from convt_cli.analysis.singular.values import shortcuts, singular_values
    from convt_cli.operators.operator import own_action
    from convt_cli.reports.analysis import Analysis

    action, shuffles = own_action(layer), shuffles_behind(network, layer)
    return Analysis(
        convolution=action.convolution,
        itemsize=action.weight.itemsize,
        coverage=coverage(action),
        spectrum=singular_values(action),
        shortcuts=shortcuts(action),
        shuffles=shuffles,
        phase_differences={
            one.name: phase_difference(action.convolution, action.weight, one.phases)
            for one in shuffles
            if one.is_immediate and not action.convolution.adjoint
        },
    )
