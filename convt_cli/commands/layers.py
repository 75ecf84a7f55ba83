"""Going through the conv-like layers of several specs; where one fails, the others still run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar

from convt_cli.commands.networks import Loaded, choose_layer, each_network
from convt_cli.errors import ConvtError, OutputIsInput
from convt_cli.library.layer import Layer
from convt_cli.library.network import Network

_T = TypeVar("_T")

LayerWork = Callable[[Network, Layer], _T]
"""(network, layer of it) to what a command wants to know of the layer."""


def each_layer(
    loaded: Loaded, name: str | None, work: LayerWork[_T], *, label: str
) -> tuple[list[tuple[Network, list[tuple[Layer, _T]]]], Loaded]:
    """What `work` gives for every layer of every network, or for the one called `name`.

    Errors are printed and counted, not raised, in the second value: `loaded` without the networks
    that lack that layer or whose layers all failed, which are left out of the first value as well.
    """
    from convt_cli.render.progress import progress

    chosen, loaded = each_network(loaded, lambda network: (network, _chosen(network, name)))
    found = []
    with progress(label, sum(len(layers) for _, layers in chosen)) as advance:
        for network, layers in chosen:
            done = []
            for layer in layers:
                try:
                    done.append((layer, work(network, layer)))
                except OutputIsInput:
                    raise
                except ConvtError as error:
                    loaded = loaded.failed(network.spec, error, layer.name)
                advance(1)
            if done or not layers:
                found.append((network, done))
    return found, replace(loaded, networks=tuple(network for network, _ in found))


def _chosen(network: Network, name: str | None) -> tuple[Layer, ...]:
    """All layers with a matrix, or the one called `name`.  Raises RequestError (E502)."""
    return network.matrix_layers if name is None else (choose_layer(network, name),)
