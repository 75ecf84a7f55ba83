"""A network run forward from one of its inputs to a layer, remembering the way back.

`way_to` finds the layers in between, `prepared` reads their weights, and `run` takes a batch of
images through them.  Its result, a `Recorded`, takes a signal at the layer back down to the input;
where several layers read one output, the signals that come back to it are added.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np

from convt_cli.analysis.backward.layers import step_type
from convt_cli.analysis.backward.notes import notes_of
from convt_cli.analysis.backward.parameters import with_numbers
from convt_cli.analysis.backward.step import Back, BackKind, PreparedLayer, StepType
from convt_cli.arithmetic.convolution import Shape
from convt_cli.arithmetic.layers import Definition
from convt_cli.arithmetic.network import Network, NetworkLayer
from convt_cli.arithmetic.vocabulary import Rule
from convt_cli.errors import ArrayError, RequestError
from convt_cli.files.weights import Weights
from convt_cli.io import memory
from convt_cli.operators.dtypes import Array


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """The layers between a source and a layer, in forward order, that layer last.

    The source is an input of the network, or the output of another layer; its shape is
    `input_shape`, (channels, *sizes).
    """

    network: Network
    source: str
    input_shape: Shape
    layers: tuple[NetworkLayer, ...]

    @property
    def layer(self) -> NetworkLayer:
        """The last layer, which the way leads to."""
        return self.layers[-1]

    def require_back(self, rule: Rule) -> None:
        """Raise RequestError (E507) unless `rule` has a way back through every layer."""
        for layer in self.layers:
            if not self.step(layer).has_way_back(rule):
                raise self._no_way_back(layer, f"the rule {rule}", "use gradient or guided")

    def step(self, layer: NetworkLayer) -> StepType:
        """The step of `layer`.  Raises RequestError (E507) where it has no way back."""
        known = step_type(layer, self.network.rules)
        if known is None:
            raise self._no_way_back(layer, "a signal", "choose a layer further down")
        return known

    def _no_way_back(self, layer: NetworkLayer, what: str, remedy: str) -> RequestError:
        return RequestError(
            "E507",
            f"{what} has no way back through {layer.operation}",
            value=f"{layer.name} stands on the way to {self.layer.name}",
            help=remedy,
        )

    @property
    def layers_not_linear(self) -> tuple[NetworkLayer, ...]:
        """The layers whose way back depends on the image."""
        return tuple(
            layer
            for layer, known in self._steps()
            if known is None or known.kind is not BackKind.LINEAR
        )

    @property
    def notes(self) -> tuple[str, ...]:
        """What was assumed about layers for which the spec does not say enough."""
        return notes_of(self.layers, self.network.rules)

    def _steps(self) -> Iterator[tuple[NetworkLayer, StepType | None]]:
        return ((layer, step_type(layer, self.network.rules)) for layer in self.layers)


def way_to(network: Network, name: str) -> Way:
    """The way from the network's input up to the layer `name`.

    Raises RequestError: E502 for an unknown layer, E503 where several inputs lead to it.
    """
    # backwards from the layer: a layer is on the way if one already on it reads its output
    needed, layers = {network[name].name}, []
    for layer in reversed(network.layers):
        if layer.name in needed:
            layers.append(layer)
            needed |= set(layer.reads)
    inputs = [(source, shape) for source, shape in network.inputs if source in needed]
    if len(inputs) > 1:
        raise RequestError(
            "E503",
            "one image goes into one input",
            value=f"{name} reads {', '.join(source for source, _ in inputs)}",
            help="choose a layer that reads one of them",
        )
    ((source, shape),) = inputs
    return Way(network=network, source=source, input_shape=shape, layers=tuple(layers[::-1]))


def way_of(network: Network, name: str) -> Way:
    """The way from the source of the layer `name` to it: that layer alone.

    Raises RequestError: E502 for an unknown layer, E503 for one with several sources.
    """
    layer = network[name]
    if len(layer.reads) > 1:
        raise RequestError(
            "E503",
            "the own action of a layer with several sources has several inputs",
            value=f"{name} joins {', '.join(layer.reads)}",
            help="choose another layer, or go down to the network's input",
        )
    return Way(
        network=network, source=layer.sources[0], input_shape=layer.inputs[0], layers=(layer,)
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """A way, its layers with their weights, and the dtype that everything is computed in."""

    way: Way
    layers: tuple[PreparedLayer[Definition], ...]
    dtype: np.dtype[Any]


def prepared(way: Way, weights: Weights, dtype: np.dtype[Any]) -> Prepared:
    """`way` with its weights, all in the numpy.result_type of the weights, `dtype` and float32.

    Raises what reading the weights raises, and ArrayError (E302) where they are complex.
    """
    layers, working = with_numbers(way.layers, way.network.rules, weights, dtype)
    return Prepared(way=way, layers=layers, dtype=working)


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """The result of a run: the last layer's activations, (batch, *shape), and the way back."""

    way: Way
    activations: Array
    _backs: tuple[tuple[NetworkLayer, Back], ...]

    def down(self, signal: Array, rule: Rule) -> Array:
        """`signal`, shaped as the activations, taken down to the input: (batch, *input_shape)."""
        # the signals still to be taken further down, by the name of the output they belong to
        signals = {self.way.layer.name: signal}
        with np.errstate(all="ignore"):
            for layer, back in reversed(self._backs):
                if layer.name not in signals:  # a max_unpool alone reads it: where its maxima are
                    continue
                at_output = signals.pop(layer.name)
                for source, part in zip(layer.sources, back(at_output, rule), strict=True):
                    signals[source] = signals[source] + part if source in signals else part
        return signals[self.way.source]


def run(prepared: Prepared, images: Array) -> Recorded:
    """The images, (batch, *input_shape), taken forward along the way, in the prepared dtype.

    Raises ArrayError (E302), RequestError (E501).
    """
    way = prepared.way
    _require_memory(prepared, len(images))
    _require_finite(images)
    # the output of every layer so far, (batch, *shape), by name
    values = {way.source: images.astype(prepared.dtype, copy=False)}
    backs = []
    with np.errstate(all="ignore"):  # inf and nan are refused below
        for one in prepared.layers:
            layer = one.layer
            sources = tuple(values[source] for source in layer.reads)
            value, back = way.step(layer).take(one, sources)
            values[layer.name] = value
            backs.append((layer, back))
    activations = values[way.layer.name]
    if not np.isfinite(activations).all():
        raise ArrayError(
            "E302",
            f"the activations of {way.layer.name} must be finite",
            value="some passed the largest number",
            help="check the weights and the scale of the image",
        )
    return Recorded(way=way, activations=activations, _backs=tuple(backs))


def _require_finite(images: Array) -> None:
    """Raise ArrayError (E302) for images with nan or inf."""
    if not np.isfinite(images).all():
        count = int(np.count_nonzero(~np.isfinite(images)))
        raise ArrayError(
            "E302",
            "an image must hold finite numbers",
            value=f"{count:,} of {images.size:,} are nan or inf",
            help="replace them",
        )


def _require_memory(prepared: Prepared, batch: int) -> None:
    """Raise RequestError (E501) unless the run fits into memory.

    It needs room for all activations, and about as much for signals and what the way back holds.
    """
    way = prepared.way
    elements = prod(way.input_shape) + sum(prod(layer.output) for layer in way.layers)
    memory.require(
        2 * batch * elements * prepared.dtype.itemsize,
        f"a run up to {way.layer.name}",
        help="use a smaller --input, or a layer further down",
    )
