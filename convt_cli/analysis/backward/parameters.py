"""The weights and biases of a network's layers, read as arrays, whatever the layer type."""

from __future__ import annotations

from convt_cli.arithmetic.network import NetworkLayer
from convt_cli.files.weights import Weights
from convt_cli.operators.dtypes import Array


def parameters_of(layer: NetworkLayer, weights: Weights) -> dict[str, Array]:
    """The layer's arrays by key, `weight` and `bias`; a key the layer does not have is missing.

    So is a bias that the spec only counts (`bias: true`): it acts as zeros.  Shapes are those that
    `Weights` gives.  Raises FileError, ArrayError (E121, E302, E303).
    """
    arrays: dict[str, Array] = {}
    if layer.weight_source is not None:
        arrays["weight"] = weights.weight(layer)
    if layer.bias_source is not None:
        arrays["bias"] = weights.bias(layer)
    return arrays
