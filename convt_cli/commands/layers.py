"""Going through the conv-like layers of several specs; where one fails, the others still run."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from convt_cli.arithmetic.network import MatrixLayer, Network
from convt_cli.commands.networks import Loaded, choose_layer
from convt_cli.errors import ConvtError, OutputIsInput

if TYPE_CHECKING:
    from convt_cli.operators.dtypes import Array

_T = TypeVar("_T")

LayerWork = Callable[[MatrixLayer, "Array"], _T]
"""(layer, its weight) to what a command wants to know of it."""


def each_layer(
    loaded: Loaded, name: str | None, work: LayerWork[_T], *, label: str, allow_outside: bool
) -> list[tuple[Network, list[tuple[MatrixLayer, _T]]]]:
    """What `work` gives for every layer of every network, or for the one called `name`.

    Errors are printed and counted, not raised.  A network without that layer, and one whose layers
    all failed, is left out, and removed from `loaded.networks`.
    """
    from convt_cli.files.weights import Weights
    from convt_cli.render.progress import progress

    chosen = [(network, _chosen(loaded, network, name)) for network in loaded.networks]
    found = []
    with progress(label, sum(len(layers or ()) for _, layers in chosen)) as advance:
        for network, layers in chosen:
            if layers is None:
                continue
            weights = Weights(network, allow_outside=allow_outside)
            done = []
            for layer in layers:
                try:
                    done.append((layer, work(layer, weights.weight(layer))))
                except OutputIsInput:
                    raise
                except ConvtError as error:
                    loaded.note(network.spec, error, layer.name)
                advance(1)
            if done or not layers:
                found.append((network, done))
    loaded.networks[:] = [network for network, _ in found]
    return found


def _chosen(loaded: Loaded, network: Network, name: str | None) -> tuple[MatrixLayer, ...] | None:
    """All layers, or the one called `name`; None where there is none of that name."""
    if name is None:
        return network.matrix_layers
    try:
        return (choose_layer(network, name),)
    except ConvtError as error:
        loaded.note(network.spec, error)
        return None
