"""convt compare: every layer that frameworks treat differently, under each of them."""

from __future__ import annotations

from collections.abc import Sequence

import click

from convt_cli.arithmetic.convolution import Shape
from convt_cli.arithmetic.dialects.frameworks import FRAMEWORKS, Framework
from convt_cli.arithmetic.network import Network, NetworkLayer
from convt_cli.arithmetic.questions.comparison import compared_layers, left_out, readings
from convt_cli.commands.emit import emit
from convt_cli.commands.networks import each_network, load_all
from convt_cli.commands.options import (
    format_option,
    input_option,
    model_outside_option,
    output_options,
    specs_argument,
)
from convt_cli.errors import RequestError
from convt_cli.errors.suggestions import suggestion
from convt_cli.reports.comparison import Compared, LeftOut, comparison_report


def _frameworks(text: str) -> tuple[Framework, ...]:
    """The frameworks of a list such as `tensorflow,onnx`, each once."""
    names = dict.fromkeys(part.strip() for part in text.split(","))
    for name in names:
        if name not in FRAMEWORKS:
            hint = suggestion(name, list(FRAMEWORKS))
            raise click.BadParameter(f"no framework {name!r}: {hint}")
    return tuple(FRAMEWORKS[name] for name in names)


@click.command(
    "compare",
    short_help="The same layers under each framework: shapes, pads, values.",
    epilog="""\b
Examples:
  convt compare net.yaml
  convt compare net.yaml --with tensorflow,onnx --layer conv1
  convt compare configs --format json -o comparison.json""",
)
@specs_argument(required=True)
@click.option(
    "--with",
    "others",
    type=_frameworks,
    default=",".join(FRAMEWORKS),
    metavar="NAMES",
    help="The frameworks to compare with, as in tensorflow,onnx; all if not given.",
)
@click.option("--layer", metavar="NAME", help="Compare this layer alone.")
@input_option
@model_outside_option
@format_option()
@output_options
def command(
    specs: tuple[str, ...],
    others: tuple[Framework, ...],
    layer: str | None,
    inputs: tuple[tuple[str, Shape], ...],
    output_format: str,
    output: str | None,
    force: bool,
) -> int:
    """Print what each framework makes of every convolution, pool and upsample.

    The output shape, the explicit pads, whether the values are those of the spec's framework or
    shifted, and the line of code that makes them equal, with the input sizes for which it does.
    Layers that are not compared are counted below the table.
    """
    found, loaded = each_network(
        load_all(specs, inputs), lambda network: _compared(network, layer, others)
    )
    if loaded.complete(output, output_format):
        rest = [] if layer is not None else [_left_out(network) for network in loaded.networks]
        compared = [one for layers in found for one in layers]
        report = comparison_report(compared, loaded.problems, rest)
        emit(report, output_format, output, force=force)
    return loaded.status


def _chosen(network: Network, name: str | None) -> list[NetworkLayer]:
    """All layers that are compared, or the one called `name`.  Raises RequestError (E502)."""
    layers = compared_layers(network)
    found = [layer for layer in layers if name in (None, layer.name)]
    if name is not None and not found:
        raise RequestError(
            "E502",
            f"{network.name} has no layer '{name}' that frameworks differ on",
            help=suggestion(name, [layer.name for layer in layers]) if layers else "",
        )
    return found


def _left_out(network: Network) -> LeftOut:
    """How many layers of which types are not compared."""
    chosen = {layer.name for layer in compared_layers(network)}
    return LeftOut(network=network, types=left_out(network, chosen))


def _compared(network: Network, name: str | None, others: Sequence[Framework]) -> list[Compared]:
    """Every layer, or the one called `name`, under its own framework and under the others.

    Raises RequestError (E502).
    """
    own = network.rules
    rest = [framework for framework in others if framework.name != own.name]
    return [
        Compared(network=network, layer=layer, readings=readings(layer, own, rest))
        for layer in _chosen(network, name)
    ]
