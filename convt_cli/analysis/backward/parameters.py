"""The weights and biases of a network's layers, read as arrays, whatever the layer type."""

from __future__ import annotations

from convt_cli.arithmetic.dialects.frameworks import Framework
from convt_cli.arithmetic.keys import DEFAULT_FILL, WeightSource
from convt_cli.arithmetic.layers import Convolutional, Weighted
from convt_cli.arithmetic.layers.linear import Linear
from convt_cli.arithmetic.layers.norms import BatchNorm, Norm
from convt_cli.arithmetic.layers.pointwise import PRelu, Scale, stored_order
from convt_cli.arithmetic.network import Network, NetworkLayer
from convt_cli.files.weights import Weights
from convt_cli.operators.dtypes import Array


def is_filled(layer: NetworkLayer) -> bool:
    """Whether the layer needs a weight and the spec names none, so that DEFAULT_FILL is used."""
    definition = layer.definition
    return isinstance(definition, (Convolutional, Linear)) and definition.weight is None


def parameters_of(layer: NetworkLayer, network: Network, weights: Weights) -> dict[str, Array]:
    """The layer's arrays by key, `weight`, `bias` and such; one it does not have is missing.

    So is a bias that the spec only counts (`bias: true`): it acts as zeros.  A kernel is in C's
    layout, (out_channels, in_channels // groups, *kernel_size); the weight of a linear layer is
    (out_features, in_features) and its bias (out_features,); those of a scale are (channels,).
    The arrays of a norm and a prelu broadcast over (batch, channels, *spatial).  Raises FileError,
    ArrayError (E121, E302, E303).
    """
    definition, name = layer.definition, layer.name
    if isinstance(definition, Norm):
        return _norm_arrays(layer, definition, network.rules, weights)
    if isinstance(definition, PRelu):
        return _slopes(layer, definition, network.rules, weights)
    arrays: dict[str, Array] = {}
    if isinstance(definition, Convolutional):
        matrix = next(one for one in network.matrix_layers if one.name == name)
        arrays["weight"] = weights.weight(matrix)
    elif isinstance(definition, Linear):
        arrays["weight"] = _linear_weight(layer, definition, network, weights)
    elif isinstance(definition, Scale) and definition.weight is not None:
        arrays["weight"] = weights.numbers(definition.weight, layer.output[:1], f"weight of {name}")
    if isinstance(definition, Weighted) and isinstance(definition.bias, WeightSource):
        shape = (definition.out_features,) if isinstance(definition, Linear) else layer.output[:1]
        arrays["bias"] = weights.numbers(definition.bias, shape, f"bias of {name}")
    return arrays


def _norm_arrays(
    layer: NetworkLayer, definition: Norm, rules: Framework, weights: Weights
) -> dict[str, Array]:
    source = layer.inputs[0]
    axes = definition.stored_axes(len(source), rules)
    given = {"weight": definition.weight, "bias": definition.bias}
    if isinstance(definition, BatchNorm):
        given |= {"running_mean": definition.running_mean, "running_var": definition.running_var}
    shape = definition.stored_shape(source, rules)
    return {
        key: _spread(weights.numbers(one, shape, f"{key} of {layer.name}"), axes, len(source))
        for key, one in given.items()
        if isinstance(one, WeightSource)
    }


def _slopes(
    layer: NetworkLayer, definition: PRelu, rules: Framework, weights: Weights
) -> dict[str, Array]:
    if definition.weight is None:
        return {}
    source = layer.inputs[0]
    shape = definition.stored_shape(source, rules)
    stored = weights.numbers(definition.weight, shape, f"weight of {layer.name}")
    every = range(len(source))
    axes = (0,) if len(shape) == 1 else stored_order(tuple(every), rules)
    return {"weight": _spread(stored, axes, len(source))}


def _spread(stored: Array, axes: tuple[int, ...], count: int) -> Array:
    """An array along `axes`, as they are stored, as one of `count` axes that broadcasts."""
    ordered = stored.transpose(sorted(range(len(axes)), key=axes.__getitem__))
    sizes = dict(zip(sorted(axes), ordered.shape, strict=True))
    return ordered.reshape([sizes.get(axis, 1) for axis in range(count)])


def _linear_weight(
    layer: NetworkLayer, definition: Linear, network: Network, weights: Weights
) -> Array:
    """The weight of a linear layer as (out_features, in_features), however the file stores it."""
    source = DEFAULT_FILL if definition.weight is None else definition.weight
    shape = definition.stored_shape(layer.inputs[0], network.rules)
    stored = weights.numbers(source, shape, f"weight of {layer.name}")
    return stored.T if network.rules.taps_first else stored
