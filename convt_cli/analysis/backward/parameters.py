"""The weights and biases of a network's layers, read as arrays, whatever the layer type."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from convt_cli.analysis.backward.step import PreparedLayer
from convt_cli.arithmetic.dialects.frameworks import Framework
from convt_cli.arithmetic.keys import WeightSource
from convt_cli.arithmetic.layers import Definition
from convt_cli.arithmetic.layers.norms import BatchNorm, Norm
from convt_cli.arithmetic.layers.pointwise import PRelu, stored_order
from convt_cli.arithmetic.network import NetworkLayer
from convt_cli.errors import ArrayError
from convt_cli.files.weights import Weights
from convt_cli.operators.dtypes import Array


def with_numbers(
    layers: Sequence[NetworkLayer],
    rules: Framework,
    weights: Weights,
    given: np.dtype[Any],
    dtype: np.dtype[Any] | None = None,
) -> tuple[tuple[PreparedLayer[Definition], ...], np.dtype[Any]]:
    """The layers with their numbers, and the dtype that all of these are in.

    It is `dtype`, or else the numpy.result_type of the numbers, of what is `given` and of float32.
    Raises what reading the numbers raises, and ArrayError (E302) where they are complex.
    """
    stored = [parameters_of(layer, rules, weights) for layer in layers]
    dtypes = [array.dtype for parameters in stored for array in parameters.values()]
    working = np.result_type(given, np.float32, *dtypes)
    if working.kind != "f":
        raise ArrayError(
            "E302",
            "images and weights must hold real numbers",
            value=f"together they are {working}",
            help="take their real parts",
        )
    working = working if dtype is None else dtype
    prepared = tuple(
        PreparedLayer(
            layer=layer,
            definition=layer.definition,
            rules=rules,
            parameters={key: array.astype(working, copy=False) for key, array in arrays.items()},
        )
        for layer, arrays in zip(layers, stored, strict=True)
    )
    return prepared, working


def parameters_of(layer: NetworkLayer, rules: Framework, weights: Weights) -> dict[str, Array]:
    """The layer's arrays by key, `weight`, `bias` and such; one it does not have is missing.

    So is a bias that the spec only counts (`bias: true`): it acts as zeros.  Shapes are those that
    `Weights` gives, but the arrays of a norm and a prelu broadcast over (batch, channels,
    *spatial).  Raises FileError, ArrayError (E121, E302, E303).
    """
    if isinstance(layer.definition, Norm):
        return _norm_arrays(layer, layer.definition, rules, weights)
    if isinstance(layer.definition, PRelu):
        return _slopes(layer, layer.definition, rules, weights)
    arrays: dict[str, Array] = {}
    if layer.weight_source is not None:
        arrays["weight"] = weights.weight(layer)
    if layer.bias_source is not None:
        arrays["bias"] = weights.bias(layer)
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
