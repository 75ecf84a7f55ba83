"""Operators that keep the shape of their first input: activation functions, norms and their kin."""

from __future__ import annotations

from math import isclose, prod
from typing import Any

from convt_cli.arithmetic.layers.assumed import (
    CLIP_BOUNDS,
    CLIP_TEXT,
    ELU_ALPHA,
    LEAKY_SLOPE,
    PRELU_SLOPE,
)
from convt_cli.models.onnx.operation import Constant, Operation, Translator
from convt_cli.models.translation import Activation

_LAYERS = {
    "Relu": "relu",
    "LeakyRelu": "leaky_relu",
    "PRelu": "prelu",
    "Clip": "clip",
    "Elu": "elu",
    "Gelu": "gelu",
    "com.microsoft.Gelu": "gelu",
    "Selu": "selu",
    "Mish": "mish",
    "Softplus": "softplus",
    "HardSigmoid": "hard_sigmoid",
    "HardSwish": "hard_swish",
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
"""The layer type of an operator; that some lose numbers on the way is noted, see `_ASSUMED`."""

_STAND_INS = (
    *("Abs", "Neg", "Sign", "Reciprocal", "Floor", "Ceil", "Round", "Sqrt", "Exp", "Log", "Erf"),
    *("Sin", "Cos", "Tan", "Asin", "Acos", "Atan", "Sinh", "Cosh", "Asinh", "Acosh", "Atanh"),
    *("Celu", "Swish", "Softsign", "ThresholdedRelu", "Shrink", "LogSoftmax", "Hardmax"),
    *("CumSum", "LpNormalization"),
    *("MeanVarianceNormalization", "RMSNormalization", "com.microsoft.QuickGelu"),
)
"""Operators that no layer computes, and that keep the shape by the definition of ONNX."""

_LEARNING = ("prelu", "batch_norm", "instance_norm", "layer_norm", "group_norm")
"""Layer types with parameters."""

_LEARNED_INPUTS = (1, 2)
"""The numbers of the inputs that hold these parameters: slopes, or a scale and a shift."""

_ASSUMED = {
    "clip": f"its bounds: a clip is one to {CLIP_TEXT}",
    "leaky_relu": f"its slope: that of a leaky_relu is {LEAKY_SLOPE}",
    "prelu": f"its slopes: that of a prelu is {PRELU_SLOPE}",
    "elu": f"its alpha: that of an elu is {ELU_ALPHA:g}",
    "selu": "its alpha and its gamma: a selu has those of its paper",
    "batch_norm": "its statistics: a batch_norm passes signals unchanged",
    "lrn": "its numbers: an lrn passes signals unchanged",
}
"""By layer type: what is lost of a node, and what convt assumes instead."""


def _preserving(layer_type: str) -> Translator:
    """The translator of an operator that is the one layer `layer_type`."""

    def translate(operation: Operation) -> Activation:
        if layer_type in _ASSUMED and not _is_assumed(operation):
            operation.notes.append(f"{operation.node.operator} loses {_ASSUMED[layer_type]}")
        source = operation.activation()
        keys = _keys(layer_type, operation, source)
        if layer_type in _LEARNING:
            _note_other_count(operation, operation.geometry(layer_type, source, **keys).parameters)
        return operation.layer(layer_type, source, **keys)

    return translate


def _keys(layer_type: str, operation: Operation, source: Activation) -> dict[str, Any]:
    """The keys of a layer that have another value than their default."""
    if layer_type == "prelu":
        slopes = operation.weight(1).array.size
        legal = (source.shape[0], prod(source.shape))
        return {"num_parameters": slopes} if slopes in legal and slopes > 1 else {}
    if layer_type == "hard_sigmoid":
        given = operation.node.attributes
        return {name: given[name] for name in ("alpha", "beta") if name in given}
    if layer_type == "layer_norm":
        rank = len(source.full_shape)
        first = operation.axis("axis", -1, rank)
        if first == 0:
            operation.refuse("it normalises over the batch")
        axes = tuple(range(first - 1, rank - 1))
        return {} if len(axes) == 1 else {"normalized_axes": axes}
    return {}


def _note_other_count(operation: Operation, counted: int) -> None:
    """Add a note if the model stores another number of parameters than the layer counts."""
    inputs = [operation.constant(number) for number in _LEARNED_INPUTS]
    stored = sum(one.array.size for one in inputs if one is not None)
    if stored != counted:
        name = operation.node.operator
        operation.notes.append(
            f"{name} has {stored:,} learned numbers, its layer counts {counted:,}"
        )


def _is_assumed(operation: Operation) -> bool:
    """Whether a node has the very numbers that convt assumes for its layer."""
    attributes = operation.node.attributes
    match operation.node.operator:
        case "Clip":
            given = [attributes.get("min"), attributes.get("max")]
            for number, bound in enumerate(operation.inputs[1:3]):
                if isinstance(bound, Constant) and bound.known and bound.array.size == 1:
                    given[number] = bound.array.item()
            return given == [*CLIP_BOUNDS]
        case "LeakyRelu":
            alpha = attributes.get("alpha", 0.01)
            return isinstance(alpha, float) and isclose(alpha, LEAKY_SLOPE, rel_tol=1e-6)
        case "Elu":
            return attributes.get("alpha", 1.0) == ELU_ALPHA
        case "Selu":
            return not attributes
    return False


OPERATORS: dict[str, Translator] = {
    **{operator: _preserving(layer_type) for operator, layer_type in _LAYERS.items()},
    **dict.fromkeys(
        _STAND_INS, lambda operation: operation.stand_in("identity", operation.activation())
    ),
}
