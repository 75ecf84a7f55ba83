"""Operators on integers that stand for real numbers; products of them are with those of floats.

Layers have their shapes and parameters and stand in for them, since no layer rounds.
"""

from __future__ import annotations

import numpy as np

from convt_cli.models.onnx.folding import uniform
from convt_cli.models.onnx.operation import Constant, Operation, Translator
from convt_cli.models.onnx.operators.pools import pool_keys
from convt_cli.models.translation import Activation


def _dynamic(operation: Operation) -> tuple[Activation | Constant, ...]:
    """DynamicQuantizeLinear: its scale and zero point are single numbers, known once it runs."""
    source = operation.stand_in("identity", operation.activation())
    scale, zero = (
        Constant(array=uniform((), dtype(0)), known=False) for dtype in (np.float32, np.uint8)
    )
    return source, scale, zero


def _join(layer_type: str) -> Translator:
    """The translator of a join: inputs 0 and 3 are what is joined, each before its numbers."""

    def translate(operation: Operation) -> Activation:
        given = [operation.inputs[number] for number in (0, 3) if number < len(operation.inputs)]
        sources = [value for value in given if isinstance(value, Activation)]
        if len(sources) == 2:
            operation.require_one_batch(sources)
            return operation.stand_in(layer_type, *sources)
        (other,) = (value for value in given if not isinstance(value, Activation))
        shape = other.shape if isinstance(other, Constant) else ()
        if np.broadcast_shapes(sources[0].full_shape, shape) != sources[0].full_shape:
            operation.refuse(f"its constant is {list(shape)}, larger than its source")
        return operation.stand_in("identity", sources[0])

    return translate


def _concat(operation: Operation) -> Activation:
    """Sources from input 2 on, each before its scale and zero point."""
    sources = [operation.activation(number) for number in range(2, len(operation.inputs), 3)]
    operation.require_one_batch(sources)
    axis = operation.axis("axis", 1, len(sources[0].full_shape))
    if axis == 0:
        operation.refuse("it joins batches")
    return operation.stand_in("concat", *sources, axis=axis - 1)


def _preserving(operation: Operation) -> Activation:
    return operation.stand_in("identity", operation.activation())


def _average_pool(operation: Operation) -> Activation:
    _require_channels_first(operation)
    return operation.stand_in("avg_pool", operation.activation(), **pool_keys(operation))


def _global_average_pool(operation: Operation) -> Activation:
    _require_channels_first(operation)
    return operation.stand_in("global_avg_pool", operation.activation())


def _require_channels_first(operation: Operation) -> None:
    if operation.node.integer("channels_last", 0):
        operation.refuse("its channels are last")


OPERATORS: dict[str, Translator] = {
    "DynamicQuantizeLinear": _dynamic,
    "com.microsoft.QLinearAdd": _join("add"),
    "com.microsoft.QLinearMul": _join("mul"),
    "com.microsoft.QLinearConcat": _concat,
    "com.microsoft.QLinearAveragePool": _average_pool,
    "com.microsoft.QLinearGlobalAveragePool": _global_average_pool,
    **dict.fromkeys(
        (
            *("com.microsoft.QLinearLeakyRelu", "com.microsoft.QLinearSigmoid"),
            *("com.microsoft.QLinearSoftmax", "com.microsoft.QuantizeLinear"),
            "com.microsoft.DequantizeLinear",
        ),
        _preserving,
    ),
}
