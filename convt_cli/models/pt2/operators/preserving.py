"""Operators that keep the shape of their input: activation functions, norms and their kin."""

from __future__ import annotations

from math import isclose, isfinite, log, prod
from typing import Any

from convt_cli.arithmetic.layers.activations import FUNCTIONS
from convt_cli.arithmetic.layers.assumed import SOFTPLUS_THRESHOLD
from convt_cli.models.pt2.operation import Operation, Translator, Value
from convt_cli.models.translation import Activation

_LAYERS = {
    "relu": "relu",
    "sigmoid": "sigmoid",
    "tanh": "tanh",
    "silu": "silu",
    "selu": "selu",
    "mish": "mish",
    "hardsigmoid": "hard_sigmoid",
    "hardswish": "hard_swish",
    "dropout": "dropout",
    "native_dropout": "dropout",
    "feature_dropout": "dropout",
    "alpha_dropout": "dropout",
    "feature_alpha_dropout": "dropout",
}
"""The layer type of an operator that is one, without keys."""

_POWERS = {"sqrt": 0.5, "rsqrt": -0.5, "reciprocal": -1.0}
"""The exponent of an operator that is a power."""

_LOGARITHMS = {"log2": 2.0, "log10": 10.0}
"""The base of an operator that is a logarithm."""

_STAND_INS = (
    *("trunc", "frac", "expm1", "log1p", "tan", "asin", "acos", "sinh", "cosh", "asinh", "acosh"),
    *("atanh", "hardshrink", "softshrink", "threshold", "logit", "cumsum", "nan_to_num"),
)
"""Operators that no layer computes, and that keep the shape."""

_NOTHING = (
    *("clone", "contiguous", "detach", "alias", "lift_fresh_copy", "to", "_to_copy", "type_as"),
    *("positive", "real", "detach_copy", "alias_copy"),
)
"""Operators that change no number of a network but its type or its place in memory."""

_SELU_NUMBERS = (1.6732632423543772, 1.0507009873554805)
"""The alpha and the scale of an elu that is a selu."""


def _preserving(layer_type: str) -> Translator:
    return lambda operation: operation.layer(layer_type, operation.activation())


def _nothing(operation: Operation) -> Activation:
    return operation.activation()


def _function(operation: Operation) -> Activation:
    source, name = operation.activation(), operation.node.operator.replace("sgn", "sign")
    if operation.integer(0, "decimals"):
        return operation.stand_in("identity", source)
    return operation.layer("function", source, function=name)


def _power(operation: Operation) -> Activation:
    exponent = _POWERS[operation.node.operator]
    return operation.layer("power", operation.activation(), exponent=exponent)


def _logarithm(operation: Operation) -> Activation:
    natural = operation.layer("function", operation.activation(), function="log")
    return operation.scaled(natural, 1 / log(_LOGARITHMS[operation.node.operator]))


def _exp2(operation: Operation) -> Activation:
    return operation.layer(
        "function", operation.scaled(operation.activation(), log(2)), function="exp"
    )


def _softsign(operation: Operation) -> Activation:
    """x / (1 + abs(x))."""
    source = operation.activation()
    above = operation.scaled(operation.layer("function", source, function="abs"), 1, 1)
    return operation.layer("mul", source, operation.layer("power", above, exponent=-1.0))


def _leaky_relu(operation: Operation) -> Activation:
    slope = operation.number(0.01, "negative_slope")
    return operation.layer("leaky_relu", operation.activation(), alpha=slope)


def _rrelu(operation: Operation) -> Activation:
    if operation.flag("training"):
        return operation.stand_in("leaky_relu", operation.activation())
    slope = (operation.number(1 / 8, "lower") + operation.number(1 / 3, "upper")) / 2
    return operation.layer("leaky_relu", operation.activation(), alpha=slope)


def _elu(operation: Operation) -> Activation:
    source, alpha = operation.activation(), operation.number(1, "alpha")
    scale, inner = operation.number(1, "scale"), operation.number(1, "input_scale")
    if inner == 1 and all(map(isclose, (alpha, scale), _SELU_NUMBERS)):
        return operation.layer("selu", source)
    if inner <= 0:
        return operation.stand_in("elu", source)
    # inner * x has the sign of x: above 0 it has to become x again
    curved = operation.layer("elu", operation.scaled(source, inner), alpha=alpha * inner)
    return operation.scaled(curved, scale / inner)


def _celu(operation: Operation) -> Activation:
    """alpha * elu(x / alpha): x above 0, alpha * (exp(x / alpha) - 1) below."""
    source, alpha = operation.activation(), operation.number(1, "alpha")
    if alpha <= 0:
        return operation.stand_in("elu", source)
    curved = operation.layer("elu", operation.scaled(source, 1 / alpha), alpha=1.0)
    return operation.scaled(curved, alpha)


def _softplus(operation: Operation) -> Activation:
    """log(1 + exp(beta * x)) / beta."""
    source, beta = operation.activation(), operation.number(1, "beta")
    if operation.number(SOFTPLUS_THRESHOLD, "threshold") < SOFTPLUS_THRESHOLD or beta <= 0:
        return operation.stand_in("softplus", source)
    curved = operation.layer("softplus", operation.scaled(source, beta))
    return operation.scaled(curved, 1 / beta)


def _log_sigmoid(operation: Operation) -> Activation:
    """-log(1 + exp(-x))."""
    negative = operation.scaled(operation.activation(), -1)
    return operation.scaled(operation.layer("softplus", negative), -1)


def _negative(operation: Operation) -> Activation:
    return operation.scaled(operation.activation(), -1)


def _clip(operation: Operation) -> Activation:
    bounds: list[Any] = [
        operation.argument("min_val", "min"),
        operation.argument("max_val", "max"),
    ]
    if operation.node.operator == "hardtanh":
        bounds = [operation.number(-1, "min_val"), operation.number(1, "max_val")]
    if operation.node.operator == "relu6":
        bounds = [0, 6]
    return _clipped(operation, operation.activation(), bounds)


def _clipped(operation: Operation, source: Activation, bounds: list[Any]) -> Activation:
    """A clip to numbers; it stands in for one whose bounds are tensors."""
    if any(bound is not None and not isinstance(bound, int | float) for bound in bounds):
        return operation.stand_in("clip", source)
    low, high = (
        float(bound) if bound is not None and isfinite(bound) else None for bound in bounds
    )
    if low is high is None:
        return operation.layer("identity", source)
    return operation.layer("clip", source, minimum=low, maximum=high)


def _gelu(operation: Operation) -> Activation:
    word = operation.argument("approximate")
    is_tanh = {"approximate": "tanh"} if word == "tanh" else {}
    return operation.layer("gelu", operation.activation(), **is_tanh)


def _softmax(operation: Operation) -> Activation:
    source = operation.activation()
    axis = operation.counted(operation.integer(-1, "dim"), len(source.full_shape))
    if axis == 0:
        operation.refuse("it sums over the batch")
    layer_type = "log_softmax" if "log" in operation.node.operator else "softmax"
    return operation.layer(layer_type, source, axis=axis - 1)


def _prelu(operation: Operation) -> Activation:
    weight = operation.weight()
    slopes = prod(weight.sizes)
    return operation.layer(
        "prelu",
        operation.activation(),
        num_parameters=slopes,
        weight=operation.reference(weight, (slopes,)),
    )


def _batch_norm(operation: Operation) -> Activation:
    source = operation.activation()
    keys = _affine_keys(operation, source.shape[:1])
    kept = [operation.constant(name) for name in ("running_mean", "running_var")]
    if operation.flag("training") or None in kept:
        other = f"{operation.node.operator} by the numbers of its batch"
        return operation.stand_in("batch_norm", source, stands_for=other, **keys)
    mean, variance = (operation.reference(one, source.shape[:1]) for one in kept if one)
    if mean is not None and variance is not None:
        keys |= {"running_mean": mean, "running_var": variance}
    return operation.layer("batch_norm", source, **keys)


def _instance_norm(operation: Operation) -> Activation:
    if not operation.flag("use_input_stats", default=True):
        return _batch_norm(operation)
    source = operation.activation()
    return operation.layer("instance_norm", source, **_affine_keys(operation, source.shape[:1]))


def _group_norm(operation: Operation) -> Activation:
    source = operation.activation()
    groups = operation.integer(1, "num_groups", "group")
    keys = _affine_keys(operation, source.shape[:1])
    return operation.layer("group_norm", source, num_groups=groups, **keys)


def _layer_norm(operation: Operation) -> Activation:
    source = operation.activation()
    rank = len(source.shape)
    count = len(operation.integers("normalized_shape") or ())
    if not 1 <= count <= rank:
        operation.refuse("it normalises over the batch")
    axes = tuple(range(rank - count, rank))
    keys = _affine_keys(operation, source.shape[-count:])
    return operation.layer("layer_norm", source, normalized_axes=axes, **keys)


def _affine_keys(operation: Operation, shape: tuple[int, ...]) -> dict[str, Any]:
    """The keys that norms have in common, with a weight and a bias of `shape`."""
    eps = {"eps": operation.number(1e-5, "eps")}
    if eps["eps"] < 0:
        operation.refuse(f"its eps is {eps['eps']:g}", code="E107")
    weight = operation.constant("weight")
    bias = operation.bias("bias", shape)
    if weight is None and bias is False:
        return {**eps, "affine": False}
    if weight is None:
        operation.notes.append("a norm without a weight counts one")
        return {**eps, "affine": True, "bias": bias}
    return {**eps, "affine": True, "weight": operation.reference(weight, shape), "bias": bias}


def _stand_in(operation: Operation) -> Value:
    return operation.stand_in("identity", operation.activation())


OPERATORS: dict[str, Translator] = {
    **{operator: _preserving(layer_type) for operator, layer_type in _LAYERS.items()},
    **dict.fromkeys(_STAND_INS, _stand_in),
    **dict.fromkeys(_NOTHING, _nothing),
    "leaky_relu": _leaky_relu,
    **dict.fromkeys(("rrelu", "rrelu_with_noise"), _rrelu),
    "elu": _elu,
    "celu": _celu,
    "softplus": _softplus,
    **dict.fromkeys(("log_sigmoid", "log_sigmoid_forward"), _log_sigmoid),
    "neg": _negative,
    **dict.fromkeys(("relu6", "hardtanh", "clamp", "clamp_min", "clamp_max", "clip"), _clip),
    "gelu": _gelu,
    **dict.fromkeys(("softmax", "_softmax", "log_softmax", "_log_softmax"), _softmax),
    **dict.fromkeys((*FUNCTIONS, "sgn"), _function),
    **dict.fromkeys(_POWERS, _power),
    **dict.fromkeys(_LOGARITHMS, _logarithm),
    "exp2": _exp2,
    "softsign": _softsign,
    **dict.fromkeys(("prelu", "_prelu_kernel"), _prelu),
    **dict.fromkeys(
        (
            "batch_norm",
            "native_batch_norm",
            "cudnn_batch_norm",
            "_native_batch_norm_legit_no_training",
            "_native_batch_norm_legit",
        ),
        _batch_norm,
    ),
    **dict.fromkeys(("instance_norm", "_instance_norm"), _instance_norm),
    **dict.fromkeys(("group_norm", "native_group_norm"), _group_norm),
    **dict.fromkeys(("layer_norm", "native_layer_norm"), _layer_norm),
}
