"""Activations: layers of their own, and those inside other layers."""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import Any

from convt_cli.models.keras.config import read_layer
from convt_cli.models.keras.json_text import Fields
from convt_cli.models.keras.operation import Operation, Translator
from convt_cli.models.translation import Activation

Function = Callable[[Operation, Activation], Activation]
"""Adds the layers of an activation behind what a layer gives so far."""

_LAYERS = {
    **{name: name for name in ("relu", "sigmoid", "tanh", "selu", "mish", "softplus", "silu")},
    "swish": "silu",
    "hard_silu": "hard_swish",
    "hard_swish": "hard_swish",
}
"""The layer type of an activation that is one, without keys."""

_STAND_INS = (
    *("softsign", "exponential", "log_softmax", "hard_shrink", "soft_shrink", "tanh_shrink"),
    *("squareplus", "sparse_plus", "sparse_sigmoid", "sparsemax", "threshold"),
)
"""Activations that no layer computes."""

_KERAS_2_SLOPE = 0.2
"""The slope at 0 of Keras 2's hard_sigmoid."""
_LEAKY_SLOPE = 0.2
"""The slope of the activation leaky_relu; that of the layer is another."""


def activated(operation: Operation, given: Activation) -> Activation:
    """`given` behind the activation that a layer has inside."""
    value = operation.setting("activation")
    if isinstance(value, dict) and isinstance(value.get("config"), dict):
        return _of_layer(operation, given, value)
    if isinstance(value, dict):  # a function, whose config is its name
        is_own = value.get("module") in (None, "builtins", "keras.activations")
        value = value.get("config") if is_own else value.get("registered_name")
        value = value if is_own else f"{value}, code of its own"
    return _by_name(operation, given, "linear" if value is None else value)


def _of_layer(operation: Operation, given: Activation, value: Fields) -> Activation:
    """`given` behind an activation that is a layer inside the layer."""
    layer = read_layer(value)
    function = _CLASSES.get(layer.kind)
    if not layer.own or function is None:
        operation.refuse(f"no layer type does what its activation {layer.kind} does")
    operation.config = layer.config
    return function(operation, given)


def _by_name(operation: Operation, given: Activation, name: object) -> Activation:
    function = _FUNCTIONS.get(name) if isinstance(name, str) else None
    if function is None:
        operation.refuse(f"no layer type does what its activation {name} does")
    return function(operation, given)


def _linear(_: Operation, given: Activation) -> Activation:
    return given


def _preserving(layer_type: str) -> Function:
    return lambda operation, given: operation.layer(layer_type, given)


def _standing_in(name: str) -> Function:
    return lambda operation, given: operation.stand_in("identity", given, stands_for=name)


def _clip(minimum: float, maximum: float) -> Function:
    return lambda operation, given: operation.layer("clip", given, minimum=minimum, maximum=maximum)


def _leaky(operation: Operation, given: Activation) -> Activation:
    return operation.layer("leaky_relu", given, alpha=_LEAKY_SLOPE)


def _hard_sigmoid(operation: Operation, given: Activation) -> Activation:
    slope = {"alpha": _KERAS_2_SLOPE} if operation.is_keras_2 else {}
    return operation.layer("hard_sigmoid", given, **slope)


def _gelu(operation: Operation, given: Activation) -> Activation:
    return operation.layer("gelu", given)


def _log_sigmoid(operation: Operation, given: Activation) -> Activation:
    """-log(1 + exp(-x))."""
    return operation.scaled(operation.layer("softplus", operation.scaled(given, -1)), -1)


def _gated(operation: Operation, given: Activation) -> Activation:
    """The first half of the last axis times the sigmoid of the second."""
    axis = operation.axis(-1, given)
    half, odd = divmod(given.shape[axis], 2)
    if odd or not half:
        operation.refuse(f"it halves an axis of {given.shape[axis]}", code="E111")
    kept = operation.layer("slice", given, axis=axis, begin=0, end=half)
    gate = operation.layer("slice", given, axis=axis, begin=half)
    return operation.layer("mul", kept, operation.layer("sigmoid", gate))


def _softmax(operation: Operation, given: Activation) -> Activation:
    axes = operation.axes("axis", given, -1)
    if len(axes) != 1:
        return operation.stand_in("softmax", given, stands_for="Softmax along several axes")
    return operation.layer("softmax", given, axis=axes[0])


def _last_softmax(operation: Operation, given: Activation) -> Activation:
    return operation.layer("softmax", given, axis=operation.axis(-1, given))


def _elu(operation: Operation, given: Activation) -> Activation:
    return operation.layer("elu", given, alpha=operation.number(1, "alpha"))


def _plain_elu(operation: Operation, given: Activation) -> Activation:
    return operation.layer("elu", given)


def _leaky_layer(operation: Operation, given: Activation) -> Activation:
    slope = operation.number(0.3, "negative_slope", "alpha")
    return operation.layer("leaky_relu", given, alpha=slope)


def _relu_layer(operation: Operation, given: Activation) -> Activation:
    """min(x, max_value) above the threshold, negative_slope * (x - threshold) below."""
    slope, threshold = operation.number(0, "negative_slope"), operation.number(0, "threshold")
    most = operation.setting("max_value")
    if threshold:
        return operation.stand_in("relu", given, stands_for="ReLU with a threshold")
    if most is None:
        if not slope:
            return operation.layer("relu", given)
        return operation.layer("leaky_relu", given, alpha=slope)
    if not slope:
        return operation.layer("clip", given, minimum=0.0, maximum=operation.number(0, "max_value"))
    leaky = operation.layer("leaky_relu", given, alpha=slope)
    return operation.layer("clip", leaky, maximum=operation.number(0, "max_value"))


def _prelu(operation: Operation) -> Activation:
    """A slope for each element, but one for all along the axes that share theirs."""
    source = operation.source
    value = operation.setting("shared_axes")
    shared = set(operation.axes("shared_axes", source, 0)) if value else set()
    # the axes, as a spec counts them, along which slopes differ
    varied = [axis for axis, size in enumerate(source.shape) if axis not in shared and size > 1]
    every = [axis for axis, size in enumerate(source.shape) if size > 1]
    if varied not in ([], [0], every):
        operation.refuse("its slopes are shared along some of the spatial axes alone")
    slopes = prod(source.shape[axis] for axis in varied)
    rearranged: dict[str, Any] = {"shape": (slopes,)}
    if len(varied) > 1:
        # a spec has the channels of the slopes last
        is_last = operation.own_shape(source) != source.shape
        order = (*range(1, len(source.shape)), 0)
        rearranged = {} if is_last else {"axes": order}
    weight = operation.variable("alpha", **rearranged)
    return operation.layer("prelu", source, num_parameters=slopes, weight=weight)


def _activation(operation: Operation) -> Activation:
    return activated(operation, operation.source)


def _layer(function: Function) -> Translator:
    return lambda operation: function(operation, operation.source)


_FUNCTIONS: dict[str, Function] = {
    **{name: _preserving(layer_type) for name, layer_type in _LAYERS.items()},
    **{name: _standing_in(name) for name in _STAND_INS},
    "linear": _linear,
    "relu6": _clip(0.0, 6.0),
    "hard_tanh": _clip(-1.0, 1.0),
    "leaky_relu": _leaky,
    "hard_sigmoid": _hard_sigmoid,
    "gelu": _gelu,
    "glu": _gated,
    "log_sigmoid": _log_sigmoid,
    "softmax": _last_softmax,
    **dict.fromkeys(("elu", "celu"), _plain_elu),
}
"""By the name of a function in `keras.activations`."""

_CLASSES: dict[str, Function] = {
    "ReLU": _relu_layer,
    "LeakyReLU": _leaky_layer,
    "ELU": _elu,
    "Softmax": _softmax,
}
"""By the class of a layer that is an activation."""

FUNCTIONS: dict[str, Translator] = {
    name: _layer(_preserving(name.lower()))
    for name in ("Relu", "Sigmoid", "Tanh", "Selu", "Mish", "Softplus", "Silu")
}

OPERATORS: dict[str, Translator] = {
    **{name: _layer(function) for name, function in _CLASSES.items()},
    "Activation": _activation,
    "PReLU": _prelu,
    "nn.relu": _layer(_preserving("relu")),
    "nn.relu6": _layer(_clip(0.0, 6.0)),
}
