"""Operators without numbers that keep the shape of their input: functions of each element."""

from __future__ import annotations

from convt_cli.models.tflite.operation import Operation, Translator
from convt_cli.models.translation import Activation

_LAYERS = {
    "RELU": "relu",
    "LOGISTIC": "sigmoid",
    "TANH": "tanh",
    "HARD_SWISH": "hard_swish",
    "QUANTIZE": "identity",
    "DEQUANTIZE": "identity",
    "FAKE_QUANT": "identity",
}
"""The layer type of an operator."""

_CLIPS = {"RELU6": (0.0, 6.0), "RELU_N1_TO_1": (-1.0, 1.0), "RELU_0_TO_1": (0.0, 1.0)}
"""The bounds of rectifiers that have two."""

_STAND_INS = (
    *("ABS", "EXP", "LOG", "SQRT", "RSQRT", "SIN", "COS", "FLOOR", "CEIL", "ROUND", "SIGN"),
    *("L2_NORMALIZATION", "LOG_SOFTMAX", "CUMSUM", "CAST"),
)
"""Operators that no layer computes, and that keep the shape."""


def _preserving(layer_type: str) -> Translator:
    return lambda operation: operation.layer(layer_type, operation.activation())


def _clip(minimum: float, maximum: float) -> Translator:
    return lambda operation: operation.layer(
        "clip", operation.activation(), minimum=minimum, maximum=maximum
    )


def _standing_in(operation: Operation) -> Activation:
    return operation.stand_in("identity", operation.activation())


OPERATORS: dict[str, Translator] = {
    **{operator: _preserving(layer_type) for operator, layer_type in _LAYERS.items()},
    **{operator: _clip(*bounds) for operator, bounds in _CLIPS.items()},
    **dict.fromkeys(_STAND_INS, _standing_in),
}
