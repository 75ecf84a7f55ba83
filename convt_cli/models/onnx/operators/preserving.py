"""Operators without numbers that keep the shape of their first input: functions of each element."""

from __future__ import annotations

from convt_cli.models.onnx.operation import Operation, Translator
from convt_cli.models.translation import Activation

_LAYERS = {
    "Relu": "relu",
    "Mish": "mish",
    "Softplus": "softplus",
    "HardSwish": "hard_swish",
    "Sigmoid": "sigmoid",
    "Tanh": "tanh",
    "com.microsoft.Gelu": "gelu",
    "Dropout": "dropout",
    "Identity": "identity",
    "Cast": "identity",
}
"""The layer type of an operator."""

_STAND_INS = (
    *("Abs", "Sign", "Reciprocal", "Floor", "Ceil", "Round", "Sqrt", "Exp", "Log", "Erf"),
    *("Sin", "Cos", "Tan", "Asin", "Acos", "Atan", "Sinh", "Cosh", "Asinh", "Acosh", "Atanh"),
    *("Celu", "Swish", "Softsign", "ThresholdedRelu", "Shrink", "LogSoftmax", "Hardmax"),
    *("CumSum", "LpNormalization", "QuantizeLinear", "DequantizeLinear"),
    *("MeanVarianceNormalization", "RMSNormalization", "com.microsoft.QuickGelu"),
)
"""Operators that no layer computes, and that keep the shape by the definition of ONNX."""


def _preserving(layer_type: str) -> Translator:
    return lambda operation: operation.layer(layer_type, operation.activation())


def _standing_in(operation: Operation) -> Activation:
    return operation.stand_in("identity", operation.activation())


OPERATORS: dict[str, Translator] = {
    **{operator: _preserving(layer_type) for operator, layer_type in _LAYERS.items()},
    **dict.fromkeys(_STAND_INS, _standing_in),
}
