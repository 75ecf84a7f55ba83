"""A resolved network: a graph of layers, each with its shapes, in the order they were written."""

from __future__ import annotations

from dataclasses import dataclass

from convt_cli.arithmetic.convolution import Convolution, Shape
from convt_cli.arithmetic.layers import Geometry, LayerType


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkLayer:
    """One layer in its place: what it is, what it reads and what it comes to.

    `definition` holds the keys as written; `receptive_field` has one extent per spatial axis of
    the network's input, in input elements.
    """

    name: str
    type: str
    line: int
    definition: LayerType
    sources: tuple[str, ...]
    inputs: tuple[Shape, ...]
    geometry: Geometry
    receptive_field: Shape | None

    @property
    def output(self) -> Shape:
        return self.geometry.output

    @property
    def convolution(self) -> Convolution | None:
        return self.geometry.convolution


@dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """A network with every shape known; its output is its last layer's."""

    spec: str
    name: str
    framework: str
    inputs: tuple[tuple[str, Shape], ...]
    layers: tuple[NetworkLayer, ...]

    @property
    def output(self) -> Shape:
        return self.layers[-1].output

    @property
    def convolutions(self) -> tuple[NetworkLayer, ...]:
        """The layers that are a matrix."""
        return tuple(layer for layer in self.layers if layer.convolution is not None)
