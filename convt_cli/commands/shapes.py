"""convt shapes: every layer's shapes, parameters, multiply-adds and receptive field."""

from __future__ import annotations

from collections.abc import Sequence

import click

from convt_cli.arithmetic.convolution import Shape
from convt_cli.arithmetic.network import Network
from convt_cli.commands.emit import emit, put
from convt_cli.commands.main import remark
from convt_cli.commands.networks import load_all
from convt_cli.commands.options import (
    GRAPH_FORMATS,
    TABLE_FORMATS,
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
  convt shapes configs/*.yaml --format markdown -o shapes.md
  convt shapes configs/resnet18.yaml --format dot | dot -Tsvg -o net.svg""",
)
@specs_argument(required=True)
@input_option
@model_outside_option
@click.option("--wide", is_flag=True, help="Print all columns, as in the other formats.")
@format_option(*TABLE_FORMATS, *GRAPH_FORMATS)
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

    The formats mermaid and dot draw the network as a graph, with shapes on its edges.
    """
    loaded = load_all(specs, inputs)
    if not loaded.complete(output, output_format):
        return loaded.status
    if output_format in GRAPH_FORMATS:
        _put_graphs(loaded.networks, output_format, output, force=force)
    else:
        wide = wide or output_format != "text"
        report = shapes_report(loaded.networks, loaded.problems, wide=wide)
        emit(report, output_format, output, force=force)
    return loaded.status


def _put_graphs(
    networks: Sequence[Network], output_format: str, output: str | None, *, force: bool
) -> None:
    """Write the networks as graphs in one file; a note says if GitHub will not draw it."""
    from convt_cli.render.graphs import GRAPH_RENDERERS, limits_passed
    from convt_cli.reports.graph import graph_of

    several = len(networks) > 1
    graphs = [
        graph_of(network, f"net{n}_" if several else "") for n, network in enumerate(networks)
    ]
    text = GRAPH_RENDERERS[output_format](graphs)
    put(text, output, force=force)
    passed = limits_passed(text, graphs) if output_format == "mermaid" else None
    if passed is not None:
        remark(f"note: {passed}")
