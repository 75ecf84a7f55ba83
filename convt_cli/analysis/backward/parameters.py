"""The weights and biases of a network's layers, read as arrays, whatever the layer type."""

from __future__ import annotations

from convt_cli.arithmetic.keys import DEFAULT_FILL, WeightSource
from convt_cli.arithmetic.layers import Convolutional, Weighted
from convt_cli.arithmetic.layers.linear import Linear
from convt_cli.arithmetic.layers.pointwise import Scale
from convt_cli.arithmetic.network import Network, NetworkLayer
from convt_cli.files.weights import Weights
from convt_cli.operators.dtypes import Array


def is_filled(layer: NetworkLayer) -> bool:
    """Whether the layer needs a weight and the spec names none, so that DEFAULT_FILL is used."""
    definition = layer.definition
    return isinstance(definition, (Convolutional, Linear)) and definition.weight is None


def parameters_of(layer: NetworkLayer, network: Network, weights: Weights) -> dict[str, Array]:
    """The layer's arrays by key, `weight` and `bias`; a key the layer does not have is missing.

    So is a bias that the spec only counts (`bias: true`): it acts as zeros.  A kernel is in C's
    layout, (out_channels, in_channels // groups, *kernel_size); the weight of a linear layer is
    (out_features, in_features); all others are (channels,).  Raises FileError, ArrayError (E121,
    E302, E303).
    """
    definition, name = layer.definition, layer.name
    arrays: dict[str, Array] = {}
    if isinstance(definition, Convolutional):
        matrix = next(one for one in network.matrix_layers if one.name == name)
        arrays["weight"] = weights.weight(matrix)
    elif isinstance(definition, Linear):
        arrays["weight"] = _linear_weight(layer, definition, network, weights)
    elif isinstance(definition, Scale) and definition.weight is not None:
        arrays["weight"] = weights.numbers(definition.weight, layer.output[:1], f"weight of {name}")
    if isinstance(definition, Weighted) and isinstance(definition.bias, WeightSource):
        arrays["bias"] = weights.numbers(definition.bias, layer.output[:1], f"bias of {name}")
    return arrays


def _linear_weight(
    layer: NetworkLayer, definition: Linear, network: Network, weights: Weights
) -> Array:
    """The weight of a linear layer as (out_features, in_features), however the file stores it."""
    source = DEFAULT_FILL if definition.weight is None else definition.weight
    shape = definition.stored_shape(layer.inputs[0], network.rules)
    stored = weights.numbers(source, shape, f"weight of {layer.name}")
    return stored.T if network.rules.taps_first else stored
