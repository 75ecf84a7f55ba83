"""Element-wise arithmetic: a join of activations, or a scale by a constant per channel."""

from __future__ import annotations

from math import isfinite
from typing import Any

import numpy as np

from convt_cli.arithmetic.keys import Inline
from convt_cli.models.onnx.operation import Constant, Operation, Translator, is_per_channel
from convt_cli.models.translation import Activation

_MOST_WRITTEN = 16
"""How many numbers of a computed constant are written into the spec, if it has no name."""

_MOST_FACTORS = 4
"""The highest power that is written as a product."""

_JOINS = {"Add": "add", "Sum": "add", "Mul": "mul"}
"""The layers that compute a join of activations."""

_STAND_INS = {"Sub": "add", "Max": "add", "Min": "add", "Mean": "add", "Div": "mul", "Pow": "mul"}
"""The layers that have the shapes of a join and other numbers."""

_SCALE_KEYS = {"Add": "bias", "Sum": "bias", "Mul": "weight"}
"""The key of a scale that a constant of the model is, as it is stored."""


def _elementwise(operation: Operation) -> Activation:
    given = operation.inputs
    activations = [value for value in given if isinstance(value, Activation)]
    constants = [value for value in given if isinstance(value, Constant)]
    if not activations:
        operation.refuse("all its inputs are constant")
    if len(given) == 1:
        return operation.layer("identity", activations[0])
    if not constants:
        return _joined(operation, activations)
    if len(given) != 2:
        operation.refuse(f"it has {len(activations)} computed inputs and {len(constants)} constant")
    return _with_constant(operation, activations[0], constants[0])


def _joined(operation: Operation, sources: list[Activation]) -> Activation:
    operation.require_one_batch(sources)
    operator = operation.node.operator
    if operator in _JOINS:
        return operation.layer(_JOINS[operator], *sources)
    if operator == "Sub" and len(sources) == 2:
        minus = Inline(shape=(), values=(-1.0,))
        return operation.layer(
            "add", sources[0], operation.layer("scale", sources[1], weight=minus)
        )
    return operation.stand_in(_STAND_INS[operator], *sources)


def _with_constant(operation: Operation, source: Activation, constant: Constant) -> Activation:
    try:
        result = np.broadcast_shapes(source.full_shape, constant.shape)
    except (ValueError, RuntimeError):  # RuntimeError: NumPy broadcasts up to 32 axes
        result = ()
    if result != source.full_shape:
        shapes = f"{list(source.full_shape)} and {list(constant.shape)}"
        operation.refuse(f"its constant does not fit its source: {shapes}")
    power = _power(operation, constant)
    if power is not None:
        return operation.layer("mul", *[source] * power)
    keys = _scale_keys(operation, source, constant)
    if keys is None:
        return operation.stand_in("identity", source)
    return operation.layer("scale", source, **keys)


def _power(operation: Operation, constant: Constant) -> int | None:
    """The exponent of a Pow that is a product of a few factors; None for others."""
    is_exponent = operation.node.operator == "Pow" and operation.inputs[1] is constant
    if not is_exponent or constant.array.size != 1 or not constant.known:
        return None
    exponent = float(constant.array.flat[0])
    return int(exponent) if exponent in range(2, _MOST_FACTORS + 1) else None


def _scale_keys(
    operation: Operation, source: Activation, constant: Constant
) -> dict[str, Any] | None:
    """The keys of a scale that does what the node does; None where no scale does.

    A single number is written out, and so are a few that the node makes of the constant's, as a
    division does.  Otherwise the scale refers to the constant in the model's file.
    """
    if not is_per_channel(source, constant):
        return None
    written = _written_out(operation, constant) if constant.array.size == 1 else None
    if written is not None:
        return written
    key = _SCALE_KEYS.get(operation.node.operator)
    if key is not None and constant.name is not None:
        return {key: operation.reference(constant)}
    return _written_out(operation, constant)


def _written_out(operation: Operation, constant: Constant) -> dict[str, Any] | None:
    """The keys of a scale with numbers in the spec itself; None for many or unknown ones.

    A number without axes stays one; that is how exporters write the numbers of a formula.
    """
    if constant.array.size > _MOST_WRITTEN or not constant.known:
        return None
    numbers = constant.array.ravel().astype(float).tolist()
    first = isinstance(operation.inputs[0], Constant)
    written = _written(operation.node.operator, numbers, constant_first=first)
    are_finite = all(isfinite(number) for values in written.values() for number in values)
    if not written or not are_finite:
        return None
    shape = (len(numbers),) if constant.shape else ()
    return {key: Inline(shape=shape, values=tuple(values)) for key, values in written.items()}


def _written(
    operator: str, numbers: list[float], *, constant_first: bool
) -> dict[str, list[float]]:
    """The numbers of the keys of a scale that does what the operator does; empty if none does."""
    match operator, constant_first:
        case (("Add" | "Sum"), _):
            return {"bias": numbers}
        case "Mul", _:
            return {"weight": numbers}
        case "Sub", False:
            return {"bias": [-number for number in numbers]}
        case "Sub", True:
            return {"weight": [-1.0] * len(numbers), "bias": numbers}
        case "Div", False if all(numbers):
            return {"weight": [1 / number for number in numbers]}
        case _:
            return {}


def _negated(operation: Operation) -> Activation:
    return operation.layer("scale", operation.activation(), weight=Inline(shape=(), values=(-1,)))


OPERATORS: dict[str, Translator] = {
    **dict.fromkeys((*_JOINS, *_STAND_INS), _elementwise),
    "Neg": _negated,
}
