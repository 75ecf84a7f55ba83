"""Operators that leave the shape of their first input as it is."""

from __future__ import annotations

from collections.abc import Callable

from convt_cli.spec.onnx.values import Activation, Operation

_LAYERS = {
    "Relu": "relu",
    "LeakyRelu": "leaky_relu",
    "PRelu": "prelu",
    "Clip": "clip",
    "Elu": "elu",
    "Gelu": "gelu",
    "com.microsoft.Gelu": "gelu",
    "Sigmoid": "sigmoid",
    "Tanh": "tanh",
    "Softmax": "softmax",
    "BatchNormalization": "batch_norm",
    "InstanceNormalization": "instance_norm",
    "LayerNormalization": "layer_norm",
    "GroupNormalization": "group_norm",
    "LRN": "lrn",
    "Dropout": "dropout",
    "Identity": "identity",
    "Cast": "identity",
}

_STAND_INS = (
    *("Abs", "Neg", "Sign", "Reciprocal", "Floor", "Ceil", "Round", "Sqrt", "Exp", "Log", "Erf"),
    *("Sin", "Cos", "Tan", "Asin", "Acos", "Atan", "Sinh", "Cosh", "Asinh", "Acosh", "Atanh"),
    *("Selu", "Celu", "Mish", "Swish", "HardSigmoid", "HardSwish", "Softplus", "Softsign"),
    *("ThresholdedRelu", "Shrink", "LogSoftmax", "Hardmax", "CumSum", "LpNormalization"),
    *("MeanVarianceNormalization", "RMSNormalization", "com.microsoft.QuickGelu"),
)
"""What no layer computes, and what keeps the shape by the operator's own text."""


def _preserving(layer_type: str) -> Callable[[Operation], Activation]:
    return lambda operation: operation.layer(layer_type, operation.activation())


OPERATORS: dict[str, Callable[[Operation], Activation]] = {
    **{operator: _preserving(layer_type) for operator, layer_type in _LAYERS.items()},
    **dict.fromkeys(
        _STAND_INS, lambda operation: operation.stand_in("identity", operation.activation())
    ),
}
