"""A resolved network: a graph of layers, each with its shapes, in the order they were written."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from convt_cli.arithmetic.convolution import Convolution, Shape
from convt_cli.arithmetic.dialects.frameworks import Framework
from convt_cli.arithmetic.dialects.weight_layout import WeightLayout
from convt_cli.arithmetic.keys import DEFAULT_FILL, FileReference, Pair, WeightSource
from convt_cli.arithmetic.layers import (
    Biased,
    Convolutional,
    Definition,
    Geometry,
    Weighted,
    Windows,
)
from convt_cli.arithmetic.layers.linear import Linear
from convt_cli.errors import Diagnostic, RequestError, UnknownLayer, shown
from convt_cli.errors.suggestions import suggestion


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkLayer:
    """One layer of a network with every shape known.

    `definition` holds its keys as written, `inputs` the shapes of its `sources`, and `line` its
    place in the spec, 0 in a model.  `stands_for` names the operation that the layer replaces: one
    with the same shapes, which computes something else.  `pool_sources` names what the pool reads
    that a max_unpool undoes: where its maxima stand decides where values go back to.
    """

    name: str
    type: str
    line: int
    definition: Definition
    sources: tuple[str, ...]
    inputs: tuple[Shape, ...]
    geometry: Geometry
    stands_for: str | None = None
    pool_sources: tuple[str, ...] = ()

    @property
    def reads(self) -> tuple[str, ...]:
        """The names of all layers and inputs whose numbers the layer needs, its sources first."""
        return (*self.sources, *self.pool_sources)

    @property
    def output(self) -> Shape:
        return self.geometry.output

    @property
    def operation(self) -> str:
        """The operation that the layer stands for, or else its own type."""
        return self.stands_for or self.type

    @property
    def convolution(self) -> Convolution | None:
        """The direct convolution of a conv or conv_transpose layer; None for other layers."""
        return self.geometry.convolution

    def require_convolution(self) -> Convolution:
        """The direct convolution.  Raises RequestError (E502) for a layer that has none."""
        if self.geometry.convolution is None:
            raise RequestError(
                "E502",
                "a layer with a matrix is wanted",
                value=f"{shown(self.name)} is {self.type}",
                help="choose a conv or conv_transpose layer",
            )
        return self.geometry.convolution

    @property
    def padding(self) -> tuple[Pair, ...] | None:
        """(before, after) on each spatial axis; None for a layer without windows."""
        windows = self.geometry.dependence
        if not isinstance(windows, Windows):
            return None
        return tuple((axis.before, axis.after) for axis in windows.axes)

    @property
    def is_filled(self) -> bool:
        """Whether the layer needs a weight and the spec names none, so that it is filled."""
        definition = self.definition
        return isinstance(definition, (Convolutional, Linear)) and definition.weight is None

    @property
    def weight_layout(self) -> WeightLayout:
        """The order in which `weight_source` has the numbers."""
        return self.geometry.weight_layout

    @property
    def weight_source(self) -> WeightSource | None:
        """Where the numbers of the weight come from; None for a layer that has no weight."""
        if self.is_filled:
            return DEFAULT_FILL
        return self.definition.weight if isinstance(self.definition, Weighted) else None

    @property
    def bias_source(self) -> WeightSource | None:
        """Where the numbers of the bias come from; None without any, or if it is only counted."""
        if not isinstance(self.definition, Biased) or isinstance(self.definition.bias, bool):
            return None
        return self.definition.bias


_Layer = TypeVar("_Layer", bound=NetworkLayer)


@dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """A network with every shape known.

    `outputs` names the layers that give its outputs, the main one first.  `warnings` point out
    parts of the spec that are probably mistakes.  Files of weights are read from the spec's folder
    alone, unless `allow_outside`.
    """

    spec: str
    name: str
    rules: Framework
    inputs: tuple[tuple[str, Shape], ...]
    layers: tuple[NetworkLayer, ...]
    outputs: tuple[str, ...]
    warnings: tuple[Diagnostic, ...] = ()
    allow_outside: bool = False

    @property
    def framework(self) -> str:
        """The name of the framework whose rules the network follows."""
        return self.rules.name

    @property
    def output(self) -> Shape:
        """The shape of the main output."""
        return self.output_shapes[self.outputs[0]]

    @property
    def output_shapes(self) -> dict[str, Shape]:
        """The shape of every output, by the name of the layer that gives it."""
        shapes = {layer.name: layer.output for layer in self.layers}
        return {name: shapes[name] for name in self.outputs}

    def __getitem__(self, name: str) -> NetworkLayer:
        """The layer called `name`.  Raises UnknownLayer (E502), a KeyError."""
        return layer_called(name, self.layers, self.name)

    @property
    def matrix_layers(self) -> tuple[NetworkLayer, ...]:
        """The conv and conv_transpose layers, in order."""
        return with_matrix(self.layers)

    @property
    def weight_files(self) -> tuple[str, ...]:
        """The files that weights and biases name, as written, each once, in order."""
        found: dict[str, None] = {}  # a dict keeps the order, and each name once
        for layer in self.layers:
            definition: Any = layer.definition
            names = [field.name for field in dataclasses.fields(definition)]
            for name in sorted(names, key="weight".__ne__):  # the weight first
                source = getattr(definition, name)
                if isinstance(source, FileReference):
                    found[source.file] = None
        return tuple(found)


def layer_called(name: str, layers: Sequence[_Layer], network: str) -> _Layer:
    """The layer called `name` of the network called `network`.  Raises UnknownLayer (E502)."""
    for layer in layers:
        if layer.name == name:
            return layer
    raise UnknownLayer(
        "E502",
        f"{network} has no layer '{name}'",
        help=suggestion(name, [layer.name for layer in layers]),
    )


def with_matrix(layers: Sequence[_Layer]) -> tuple[_Layer, ...]:
    """The layers that have a convolution, and so a matrix C."""
    return tuple(layer for layer in layers if layer.convolution is not None)
