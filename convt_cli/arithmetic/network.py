"""A resolved network: a graph of layers, each with its shapes, in the order they were written."""

from __future__ import annotations

from dataclasses import dataclass

from convt_cli.arithmetic.convolution import Convolution, Shape
from convt_cli.arithmetic.frameworks import Framework
from convt_cli.arithmetic.kinds import DEFAULT_FILL, FileReference, WeightSource
from convt_cli.arithmetic.layers import Convolutional, Geometry, LayerType
from convt_cli.arithmetic.weight_layout import WeightLayout
from convt_cli.errors import Diagnostic


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkLayer:
    """One layer in its place: what it reads and comes to; `definition` is its keys as written.

    `stands_for` names an operation that has the layer's shapes and not its numbers.
    """

    name: str
    type: str
    line: int
    definition: LayerType
    sources: tuple[str, ...]
    inputs: tuple[Shape, ...]
    geometry: Geometry
    stands_for: str | None = None

    @property
    def output(self) -> Shape:
        return self.geometry.output

    @property
    def operation(self) -> str:
        """What it does, in a word."""
        return self.stands_for or self.type


@dataclass(frozen=True, slots=True, kw_only=True)
class MatrixLayer:
    """A layer that is a matrix C: its convolution, and where its numbers come from."""

    name: str
    convolution: Convolution
    layout: WeightLayout
    weight: WeightSource
    bias: bool | WeightSource
    is_filled: bool
    """The spec names no weight, so that `weight` is the default fill."""
    shuffles: tuple[str, ...] = ()
    """The pixel_shuffle layers that what this layer makes comes to before another convolution."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """A network with every shape known; its output is its last layer's.

    `warnings` say what of its spec is likely not meant as it is written.
    """

    spec: str
    name: str
    rules: Framework
    inputs: tuple[tuple[str, Shape], ...]
    layers: tuple[NetworkLayer, ...]
    warnings: tuple[Diagnostic, ...] = ()

    @property
    def framework(self) -> str:
        """The name of the framework whose rules hold."""
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

    def _shuffles(self) -> dict[str, list[str]]:
        """The pixel_shuffle layers behind each conv and conv_transpose layer, by its name."""
        layers = {layer.name: layer for layer in self.layers}
        found: dict[str, list[str]] = {}
        for shuffle in self.layers:
            waiting = list(shuffle.sources) if shuffle.type == "pixel_shuffle" else []
            seen: set[str] = set()
            while waiting:
                name = waiting.pop()
                if name in seen or name not in layers:
                    continue
                seen.add(name)
                if isinstance(layers[name].definition, Convolutional):
                    found.setdefault(name, []).append(shuffle.name)
                else:
                    waiting.extend(layers[name].sources)
        return found

    @property
    def weight_files(self) -> tuple[str, ...]:
        """The files that weights and biases name, as written, each once, in order."""
        found: dict[str, None] = {}
        for layer in self.layers:
            for field in ("weight", "bias"):
                source = getattr(layer.definition, field, None)
                if isinstance(source, FileReference):
                    found[source.file] = None
        return tuple(found)
