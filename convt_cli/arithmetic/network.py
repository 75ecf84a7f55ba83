"""A resolved network: a graph of layers, each with its shapes, in the order they were written."""

from __future__ import annotations

from dataclasses import dataclass

from convt_cli.arithmetic.convolution import Convolution, Shape
from convt_cli.arithmetic.dialects.frameworks import Framework
from convt_cli.arithmetic.dialects.weight_layout import WeightLayout
from convt_cli.arithmetic.keys import DEFAULT_FILL, FileReference, WeightSource
from convt_cli.arithmetic.layers import Convolutional, Definition, Geometry
from convt_cli.arithmetic.layers.resampling import PixelShuffle
from convt_cli.errors import Diagnostic

_ELEMENTWISE = frozenset(
    ("relu", "leaky_relu", "clip", "elu", "gelu", "silu", "sigmoid", "tanh", "dropout", "identity")
)
"""Operations that apply one function to each element by itself, the same in every channel."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkLayer:
    """One layer of a network with every shape known.

    `definition` holds its keys as written, `inputs` the shapes of its `sources`, and `line` its
    place in the spec, 0 in a model.  `stands_for` names the operation that the layer replaces: one
    with the same shapes, which computes something else.
    """

    name: str
    type: str
    line: int
    definition: Definition
    sources: tuple[str, ...]
    inputs: tuple[Shape, ...]
    geometry: Geometry
    stands_for: str | None = None

    @property
    def output(self) -> Shape:
        return self.geometry.output

    @property
    def operation(self) -> str:
        """The operation that the layer stands for, or else its own type."""
        return self.stands_for or self.type


@dataclass(frozen=True, slots=True, kw_only=True)
class Shuffle:
    """A pixel_shuffle that a convolution's output reaches before any other convolution.

    `phases` channels make up one block of its image.  `is_immediate`: only layers that apply one
    function to each element, the same in every channel, stand between.
    """

    name: str
    phases: int
    is_immediate: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class MatrixLayer:
    """A conv or conv_transpose layer: its convolution, and where its weight comes from."""

    name: str
    convolution: Convolution
    layout: WeightLayout
    weight: WeightSource
    bias: bool | WeightSource
    is_filled: bool
    """The spec names no weight, so `weight` is the default fill."""
    shuffles: tuple[Shuffle, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """A network with every shape known; its output is its last layer's.

    `warnings` point out parts of the spec that are probably mistakes.
    """

    spec: str
    name: str
    rules: Framework
    inputs: tuple[tuple[str, Shape], ...]
    layers: tuple[NetworkLayer, ...]
    warnings: tuple[Diagnostic, ...] = ()

    @property
    def framework(self) -> str:
        """The name of the framework whose rules the network follows."""
        return self.rules.name

    @property
    def output(self) -> Shape:
        return self.layers[-1].output

    @property
    def matrix_layers(self) -> tuple[MatrixLayer, ...]:
        """The conv and conv_transpose layers, in order."""
        shuffles = self._shuffles()
        return tuple(
            MatrixLayer(
                name=layer.name,
                convolution=layer.geometry.convolution,
                layout=layer.geometry.weight_layout,
                weight=DEFAULT_FILL if layer.definition.weight is None else layer.definition.weight,
                bias=layer.definition.bias,
                is_filled=layer.definition.weight is None,
                shuffles=tuple(shuffles.get(layer.name, ())),
            )
            for layer in self.layers
            if isinstance(layer.definition, Convolutional)
            and layer.geometry.convolution is not None
        )

    def _shuffles(self) -> dict[str, list[Shuffle]]:
        """The pixel_shuffle layers behind each conv and conv_transpose layer, by its name."""
        layers = {layer.name: layer for layer in self.layers}
        found: dict[str, list[Shuffle]] = {}
        for shuffle in self.layers:
            if not isinstance(shuffle.definition, PixelShuffle):
                continue
            phases = shuffle.definition.factor ** (len(shuffle.output) - 1)
            # Walk up from the shuffle, through all sources, to the nearest convolutions.
            waiting, seen = [(name, True) for name in shuffle.sources], set[str]()
            while waiting:
                name, is_immediate = waiting.pop()
                if name in seen or name not in layers:
                    continue
                seen.add(name)
                layer = layers[name]
                if isinstance(layer.definition, Convolutional):
                    one = Shuffle(name=shuffle.name, phases=phases, is_immediate=is_immediate)
                    found.setdefault(name, []).append(one)
                else:
                    is_immediate = is_immediate and layer.operation in _ELEMENTWISE
                    waiting.extend((source, is_immediate) for source in layer.sources)
        return found

    @property
    def weight_files(self) -> tuple[str, ...]:
        """The files that weights and biases name, as written, each once, in order."""
        found: dict[str, None] = {}  # a dict keeps the order, and each name once
        for layer in self.layers:
            for field in ("weight", "bias"):
                source = getattr(layer.definition, field, None)
                if isinstance(source, FileReference):
                    found[source.file] = None
        return tuple(found)
