"""Operators without numbers that keep the shape of their first input: functions of each element."""

from __future__ import annotations

from convt_cli.arithmetic.keys import Inline
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

_FUNCTIONS = ("Abs", "Sign", "Floor", "Ceil", "Round", "Exp", "Log", "Erf", "Sin", "Cos", "Atan")
"""Operators that are the function of their name."""

_POWERS = {"Sqrt": 0.5, "Reciprocal": -1.0}
"""The exponent of an operator that is a power."""

_STAND_INS = (
    *("Tan", "Asin", "Acos", "Sinh", "Cosh", "Asinh", "Acosh", "Atanh"),
    *("Celu", "Swish", "ThresholdedRelu", "Shrink", "Hardmax"),
    *("CumSum", "LpNormalization", "QuantizeLinear", "DequantizeLinear"),
    *("MeanVarianceNormalization", "RMSNormalization", "com.microsoft.QuickGelu"),
    *("com.microsoft.QuantizeLinear", "com.microsoft.DequantizeLinear"),
    *("com.microsoft.QLinearSoftmax", "Not", "IsNaN", "IsInf"),
)
"""Operators that no layer computes, and that keep the shape by the definition of ONNX."""


def _preserving(layer_type: str) -> Translator:
    return lambda operation: operation.layer(layer_type, operation.activation())


def _function(operation: Operation) -> Activation:
    name = operation.node.operator.lower()
    return operation.layer("function", operation.activation(), function=name)


def _power(operation: Operation) -> Activation:
    exponent = _POWERS[operation.node.operator]
    return operation.layer("power", operation.activation(), exponent=exponent)


def _negative(operation: Operation) -> Activation:
    minus = Inline(shape=(), values=(-1.0,))
    return operation.layer("scale", operation.activation(), weight=minus)


def _standing_in(operation: Operation) -> Activation:
    return operation.stand_in("identity", operation.activation())


OPERATORS: dict[str, Translator] = {
    **{operator: _preserving(layer_type) for operator, layer_type in _LAYERS.items()},
    **dict.fromkeys(_FUNCTIONS, _function),
    **dict.fromkeys(_POWERS, _power),
    "Neg": _negative,
    **dict.fromkeys(_STAND_INS, _standing_in),
}
