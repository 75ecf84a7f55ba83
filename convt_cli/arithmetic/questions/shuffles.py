"""The pixel_shuffle layers behind a convolution: with it they make one image.

Tests are in tests/commands/test_analyze.py, as `analyze` judges the two together.
"""

from __future__ import annotations

from dataclasses import dataclass

from convt_cli.arithmetic.layers import LAYER_TYPES, Convolutional
from convt_cli.arithmetic.layers.pointwise import Pointwise
from convt_cli.arithmetic.layers.resampling import PixelShuffle
from convt_cli.arithmetic.network import Network, NetworkLayer

_POINTWISE = frozenset(name for name, one in LAYER_TYPES.items() if issubclass(one, Pointwise))
"""Operations that apply one function to each element by itself, the same in every channel."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shuffle:
    """A pixel_shuffle that a convolution's output reaches before any other convolution.

    `phases` channels make up one block of its image.  `is_immediate`: only layers that apply one
    function to each element, the same in every channel, stand between.
    """

    name: str
    phases: int
    is_immediate: bool


def shuffles_behind(network: Network, convolution: NetworkLayer) -> tuple[Shuffle, ...]:
    """The pixel_shuffle layers that the output of `convolution` reaches, in order."""
    # each layer that the output reaches: whether only element-wise layers stand in between
    reached = {convolution.name: True}
    found = []
    for layer in network.layers:
        ways = [reached[source] for source in layer.sources if source in reached]
        if not ways or isinstance(layer.definition, Convolutional):
            continue
        if isinstance(layer.definition, PixelShuffle):
            phases = layer.definition.factor ** (len(layer.output) - 1)
            found.append(Shuffle(name=layer.name, phases=phases, is_immediate=all(ways)))
        reached[layer.name] = all(ways) and layer.operation in _POINTWISE
    return tuple(found)
