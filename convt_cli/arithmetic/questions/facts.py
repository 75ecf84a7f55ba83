"""What convt knows of a layer of a network, by name: its type, shapes, windows, keys and counts.

A fact says what a layer does, however it is written: pads are (before, after) pairs, a number that
was left out is the framework's, and types of which one is a case of the other have one name.  Two
layers with equal facts compute the same of the same weights.  Weights are none.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from convt_cli.arithmetic.averages import counts_padding
from convt_cli.arithmetic.dialects.frameworks import Framework
from convt_cli.arithmetic.layers import Convolutional, Windows
from convt_cli.arithmetic.layers.activations import (
    Clip,
    Elu,
    Function,
    Gelu,
    HardSigmoid,
    HardSwish,
    LeakyRelu,
    Power,
    Softmax,
)
from convt_cli.arithmetic.layers.joins import Concat
from convt_cli.arithmetic.layers.linear import Linear
from convt_cli.arithmetic.layers.norms import GroupNorm, LayerNorm, Lrn, Norm
from convt_cli.arithmetic.layers.pools import AveragePool
from convt_cli.arithmetic.layers.rearranging import Pad, Slice, Transpose
from convt_cli.arithmetic.layers.resampling import Upsample
from convt_cli.arithmetic.network import NetworkLayer
from convt_cli.arithmetic.questions.receptive import Receptive

Facts = Mapping[str, Any]
"""Facts by name: integers, decimals, words, truth values, and nested tuples of integers."""

_DIGITS = 6
"""The significant digits of a decimal, as model files keep numbers in single precision."""

_MODES = {"bilinear": "linear", "trilinear": "linear", "bicubic": "cubic"}
"""The modes of an upsample that say how many axes there are, and the same without."""


def facts_of(layer: NetworkLayer, rules: Framework, seen: Receptive) -> dict[str, Any]:
    """All that is known of a layer; `seen` is its receptive field."""
    geometry = layer.geometry
    return {
        **form_of(layer),
        **_keys_of(layer, rules),
        "parameters": geometry.parameters,
        "not_trained": geometry.not_trained,
        "multiply_adds": geometry.multiply_adds,
        "receptive_field": seen.field,
        "receptive_field_is_bound": seen.is_bound,
    }


def form_of(layer: NetworkLayer) -> dict[str, Any]:
    """The type, the shapes and the windows, by which a layer is known when its name is another."""
    return {
        "type": _common_type(layer),
        "inputs": layer.inputs,
        "output": layer.output,
        **_window(layer),
    }


def _common_type(layer: NetworkLayer) -> str:
    """The operation; that of a global pool or a flatten for the layers that come to the same."""
    positions = layer.output[1:]
    if layer.operation == "reshape" and not positions:
        return "flatten"
    if layer.operation.startswith("adaptive_") and set(positions) == {1}:
        return layer.operation.replace("adaptive", "global")
    return layer.operation


def _window(layer: NetworkLayer) -> dict[str, Any]:
    """The facts of a layer with a window, per spatial axis; none for other layers."""
    windows, convolution = layer.geometry.dependence, layer.convolution
    if not isinstance(windows, Windows):
        return {}
    axes = windows.axes
    facts: dict[str, Any] = {
        "kernel_size": tuple(axis.kernel_size for axis in axes),
        "stride": tuple(axis.stride for axis in axes),
        "padding": layer.padding,
        "dilation": tuple(axis.dilation for axis in axes),
    }
    if windows.adjoint:
        facts["output_padding"] = tuple(axis.output_padding for axis in axes)
    if convolution is not None:
        facts |= {"groups": convolution.groups, "padding_mode": convolution.padding_mode}
    return facts


def _keys_of(layer: NetworkLayer, rules: Framework) -> dict[str, Any]:
    """What the layer's keys say beyond shapes and windows, the framework's where they are not."""
    definition: Any = layer.definition
    for definitions, read in _KEYS.items():
        if isinstance(definition, definitions):
            return {name: _rounded(value) for name, value in read(definition, layer, rules).items()}
    return {}


def _rounded(value: object) -> object:
    return float(f"{value:.{_DIGITS}g}") if isinstance(value, float) else value


def _line(line: tuple[float, float]) -> dict[str, Any]:
    return dict(zip(("alpha", "beta"), line, strict=True))


def _of_lrn(lrn: Lrn, rules: Framework) -> dict[str, Any]:
    """The keys of an lrn; alpha is that of each single square."""
    numbers = zip(("k", "alpha", "beta"), lrn.numbers(rules), strict=True)
    return {"size": lrn.size or rules.numbers.lrn_size, **dict(numbers)}


def _of_average_pool(layer: NetworkLayer, rules: Framework) -> dict[str, Any]:
    """Whether padding counts, of a pool that has any."""
    padded = any(map(any, layer.padding or ()))
    return {"count_include_pad": counts_padding(layer.definition, rules)} if padded else {}


def _of_slice(taken: Slice, layer: NetworkLayer) -> dict[str, Any]:
    places = taken.elements(layer.inputs[0][taken.axis])
    return {"axis": taken.axis, "begin": places.start, "step": places.step}


_Read = Callable[[Any, NetworkLayer, Framework], dict[str, Any]]

# the class of a type's keys -> their values beyond shapes and windows; special cases come first
_KEYS: dict[type, _Read] = {
    LeakyRelu: lambda one, _, rules: {"alpha": one.slope(rules)},
    Elu: lambda one, _, rules: {"alpha": one.limit(rules)},
    Clip: lambda one, _, __: {"minimum": one.minimum, "maximum": one.maximum},
    HardSigmoid: lambda one, _, rules: _line(one.line(rules)),
    HardSwish: lambda one, _, __: _line(one.line),
    Gelu: lambda one, _, rules: {"approximate": "tanh" if one.uses_tanh(rules) else "none"},
    Softmax: lambda one, layer, rules: {"axes": one.axes(len(layer.output), rules)},
    GroupNorm: lambda one, _, rules: {
        "num_groups": one.groups(rules),
        "eps": one.epsilon(rules),
    },
    LayerNorm: lambda one, layer, rules: {
        "normalized_axes": one.axes(len(layer.output), rules),
        "eps": one.epsilon(rules),
    },
    Norm: lambda one, _, rules: {"eps": one.epsilon(rules)},
    Lrn: lambda one, _, rules: _of_lrn(one, rules),
    AveragePool: lambda _, layer, rules: _of_average_pool(layer, rules),
    Upsample: lambda one, _, __: {"mode": _MODES.get(one.mode, one.mode)},
    Concat: lambda one, _, __: {"axis": one.axis},
    Convolutional: lambda one, _, __: {"bias": one.bias is not False},
    Linear: lambda one, _, __: {"axis": one.axis or 0, "bias": one.bias is not False},
    Function: lambda one, _, __: {"function": one.function},
    Power: lambda one, _, __: {"exponent": one.exponent},
    Pad: lambda one, _, __: {"mode": one.mode},
    Slice: lambda one, layer, _: _of_slice(one, layer),
    Transpose: lambda one, _, __: {"axes": one.axes},
}
