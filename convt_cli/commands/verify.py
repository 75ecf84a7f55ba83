"""convt verify: every route to C x and Cᵀ y compared with every other, and with libraries."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from convt_cli.arithmetic.convolution import Shape
from convt_cli.commands.emit import emit
from convt_cli.commands.layers import each_layer
from convt_cli.commands.main import FOUND
from convt_cli.commands.networks import load_all
from convt_cli.commands.options import (
    format_option,
    input_option,
    output_options,
    outside_option,
    specs_argument,
)
from convt_cli.commands.threads import compute_by_tiles
from convt_cli.errors.suggestions import suggestion
from convt_cli.library.layer import Layer
from convt_cli.library.network import Network

if TYPE_CHECKING:
    from convt_cli.analysis.peers import Peer
    from convt_cli.analysis.verify import Check


@click.command(
    "verify",
    short_help="Check C and Cᵀ on real numbers, and against other libraries.",
    epilog="""\b
Exit status: 0 all checks passed, 1 one did not, 2 one could not be made.
\b
Examples:
  convt verify net.yaml
  convt verify net.yaml --layer conv1 --against torch,onnxruntime
  convt verify configs --format json -o verified.json""",
)
@specs_argument(required=True)
@click.option("--layer", metavar="NAME", help="Verify this layer alone.")
@click.option(
    "--against",
    metavar="NAMES",
    default="",
    help="Compare with these libraries, of torch,onnxruntime,jax,tensorflow.",
)
@input_option
@outside_option
@format_option()
@output_options
def command(
    specs: tuple[str, ...],
    layer: str | None,
    against: str,
    inputs: tuple[tuple[str, Shape], ...],
    output_format: str,
    output: str | None,
    force: bool,
) -> int:
    """Check every conv and conv_transpose layer on real numbers, with its own weight.

    The dot test <Cx, y> = <x, Cᵀy>, all methods against each other (within the bound of rounding,
    and exactly on integers), the shape of the transpose, and equality with other libraries.
    """
    compute_by_tiles()
    peers = _peers(against)

    def verified(_: Network, layer: Layer) -> tuple[Check, ...]:
        from convt_cli.analysis.verify import verify_layer

        return verify_layer(layer, peers)

    loaded = load_all(specs, inputs)
    found, loaded = each_layer(loaded, layer, verified, label="verifying")
    if loaded.complete(output, output_format):
        from convt_cli.reports.verification import verification_report

        emit(verification_report(found, loaded.problems), output_format, output, force=force)
    checks = (check for _, layers in found for _, checks in layers for check in checks)
    missed = any(check.passed is False for check in checks)
    return max(loaded.status, FOUND if missed else 0)


def _peers(text: str) -> tuple[Peer, ...]:
    """The libraries of a list such as `torch,jax`, each once.  Raises RequestError (E504)."""
    if not text:
        return ()
    from convt_cli.analysis.peers import PEERS, require_installed

    names = dict.fromkeys(part.strip() for part in text.split(","))
    for name in names:
        if name not in PEERS:
            hint = suggestion(name, list(PEERS))
            raise click.BadParameter(f"no library {name!r}: {hint}", param_hint="--against")
    peers = tuple(PEERS[name] for name in names)
    for peer in peers:
        require_installed(peer)
    return peers
