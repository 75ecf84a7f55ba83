"""Operators that keep the shape of their input: activation functions, norms and their kin."""

from __future__ import annotations

from math import prod
from typing import Any

from convt_cli.arithmetic.layers.assumed import (
    CLIP_BOUNDS,
    CLIP_TEXT,
    ELU_ALPHA,
    LEAKY_SLOPE,
    PRELU_SLOPE,
)
from convt_cli.models.pt2.operation import Operation, Translator, Value
from convt_cli.models.translation import Activation

_LAYERS = {
    "relu": "relu",
    "sigmoid": "sigmoid",
    "tanh": "tanh",
    "silu": "silu",
    "softmax": "softmax",
    "_softmax": "softmax",
    "dropout": "dropout",
    "native_dropout": "dropout",
    "feature_dropout": "dropout",
    "alpha_dropout": "dropout",
    "feature_alpha_dropout": "dropout",
}
"""The layer type of an operator that is one, without keys."""

_STAND_INS = (
    *("abs", "neg", "sign", "sgn", "reciprocal", "floor", "ceil", "round", "trunc", "frac"),
    *("sqrt", "rsqrt", "exp", "exp2", "expm1", "log", "log2", "log10", "log1p", "erf", "square"),
    *("sin", "cos", "tan", "asin", "acos", "atan", "sinh", "cosh", "asinh", "acosh", "atanh"),
    *("selu", "celu", "mish", "hardsigmoid", "hardswish", "softplus", "softsign", "log_sigmoid"),
    *("log_softmax", "_log_softmax", "hardshrink", "softshrink", "threshold", "logit", "rrelu"),
    *("cumsum", "nan_to_num", "log_sigmoid_forward"),
)
"""Operators that no layer computes, and that keep the shape."""

_NOTHING = (
    *("clone", "contiguous", "detach", "alias", "lift_fresh_copy", "to", "_to_copy", "type_as"),
    *("positive", "real", "detach_copy", "alias_copy"),
)
"""Operators that change no number of a network but its type or its place in memory."""


def _preserving(layer_type: str) -> Translator:
    return lambda operation: operation.layer(layer_type, operation.activation())


def _nothing(operation: Operation) -> Activation:
    return operation.activation()


def _assumed(
    operation: Operation, layer_type: str, what: str, *, is_assumed: bool, **keys: Any
) -> Activation:
    """A layer whose numbers a spec does not hold; a note says if the model has other ones."""
    if not is_assumed:
        operation.notes.append(f"{operation.node.operator} loses {what}")
    return operation.layer(layer_type, operation.activation(), **keys)


def _leaky_relu(operation: Operation) -> Activation:
    slope = operation.number(LEAKY_SLOPE, "negative_slope")
    what = f"its slope: that of a leaky_relu is {LEAKY_SLOPE}"
    return _assumed(operation, "leaky_relu", what, is_assumed=slope == LEAKY_SLOPE)


def _elu(operation: Operation) -> Activation:
    is_assumed = operation.number(ELU_ALPHA, "alpha") == ELU_ALPHA
    what = f"its alpha: that of an elu is {ELU_ALPHA:g}"
    return _assumed(operation, "elu", what, is_assumed=is_assumed)


def _clip(operation: Operation) -> Activation:
    given = operation.argument("min_val", "min"), operation.argument("max_val", "max")
    if operation.node.operator == "hardtanh":
        given = operation.number(-1, "min_val"), operation.number(1, "max_val")
    is_assumed = operation.node.operator == "relu6" or given == CLIP_BOUNDS
    what = f"its bounds: a clip is one to {CLIP_TEXT}"
    return _assumed(operation, "clip", what, is_assumed=is_assumed)


def _gelu(operation: Operation) -> Activation:
    what = "its approximation: a gelu is the exact one"
    is_assumed = operation.argument("approximate") in (None, "none")
    return _assumed(operation, "gelu", what, is_assumed=is_assumed)


def _prelu(operation: Operation) -> Activation:
    slopes = prod(operation.weight().sizes)
    keys = {"num_parameters": slopes} if slopes > 1 else {}
    what = f"its slopes: that of a prelu is {PRELU_SLOPE}"
    return _assumed(operation, "prelu", what, is_assumed=False, **keys)


def _batch_norm(operation: Operation) -> Activation:
    affine = operation.constant("weight") is not None
    what = "its statistics: a batch_norm passes signals unchanged"
    return _assumed(operation, "batch_norm", what, is_assumed=False, affine=affine)


def _norm(layer_type: str) -> Translator:
    def translate(operation: Operation) -> Activation:
        affine = operation.constant("weight") is not None
        return operation.layer(layer_type, operation.activation(), affine=affine)

    return translate


def _layer_norm(operation: Operation) -> Activation:
    source = operation.activation()
    rank = len(source.shape)
    count = len(operation.integers("normalized_shape") or ())
    if not 1 <= count <= rank:
        operation.refuse("it normalises over the batch")
    weight, bias = operation.constant("weight"), operation.constant("bias")
    if weight is not None and bias is None:
        operation.notes.append("layer_norm has no shift, its layer counts one")
    axes = tuple(range(rank - count, rank))
    return operation.layer("layer_norm", source, normalized_axes=axes, affine=weight is not None)


def _stand_in(operation: Operation) -> Value:
    return operation.stand_in("identity", operation.activation())


OPERATORS: dict[str, Translator] = {
    **{operator: _preserving(layer_type) for operator, layer_type in _LAYERS.items()},
    **dict.fromkeys(_STAND_INS, _stand_in),
    **dict.fromkeys(_NOTHING, _nothing),
    "leaky_relu": _leaky_relu,
    "elu": _elu,
    **dict.fromkeys(("relu6", "hardtanh", "clamp", "clamp_min", "clamp_max", "clip"), _clip),
    "gelu": _gelu,
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
    **dict.fromkeys(("instance_norm", "_instance_norm"), _norm("instance_norm")),
    **dict.fromkeys(("group_norm", "native_group_norm"), _norm("group_norm")),
    **dict.fromkeys(("layer_norm", "native_layer_norm"), _layer_norm),
}
