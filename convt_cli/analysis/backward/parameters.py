"""The numbers of a network's layers, whatever their type: kernels, matrices, factors, biases."""

from __future__ import annotations

from convt_cli.arithmetic.keys import DEFAULT_FILL, WeightSource
from convt_cli.arithmetic.layers import Convolutional
from convt_cli.arithmetic.layers.linear import Linear
from convt_cli.arithmetic.layers.pointwise import Scale
from convt_cli.arithmetic.network import Network, NetworkLayer
from convt_cli.files.weights import Weights
from convt_cli.operators.dtypes import Array


def is_filled(layer: NetworkLayer) -> bool:
    """Whether the layer has a weight that the spec does not name."""
    definition = layer.definition
    return isinstance(definition, (Convolutional, Linear)) and definition.weight is None


def numbers_of(layer: NetworkLayer, network: Network, weights: Weights) -> dict[str, Array]:
    """The layer's weight and bias by key, as far as it has them; one that is only counted is 0.

    A kernel is in C's layout, the weight of a linear layer (out_features, in_features), all else
    (channels,).  Raises FileError, ArrayError (E121, E302, E303).
    """
    definition, name = layer.definition, layer.name
    found: dict[str, Array] = {}
    if isinstance(definition, Convolutional):
        matrix = next(one for one in network.matrix_layers if one.name == name)
        found["weight"] = weights.weight(matrix)
    elif isinstance(definition, Linear):
        found["weight"] = _matrix(layer, definition, network, weights)
    elif isinstance(definition, Scale) and definition.weight is not None:
        found["weight"] = weights.numbers(definition.weight, layer.output[:1], f"weight of {name}")
    bias = getattr(definition, "bias", None)
    if isinstance(bias, WeightSource):
        found["bias"] = weights.numbers(bias, layer.output[:1], f"bias of {name}")
    return found


def _matrix(layer: NetworkLayer, definition: Linear, network: Network, weights: Weights) -> Array:
    source = DEFAULT_FILL if definition.weight is None else definition.weight
    shape = definition.stored_shape(layer.inputs[0], network.rules)
    stored = weights.numbers(source, shape, f"weight of {layer.name}")
    return stored.T if network.rules.taps_first else stored
