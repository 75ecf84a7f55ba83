"""Element-wise arithmetic: a join of activations, or a scale by a constant per channel."""

from __future__ import annotations

from math import isfinite, prod
from typing import Any

from convt_cli.arithmetic.convolution import Shape
from convt_cli.arithmetic.keys import Inline
from convt_cli.models.channels_last import full_shape, reordered
from convt_cli.models.tflite.operation import Constant, Operation, Translator, decimal
from convt_cli.models.translation import Activation

_JOINS = {"ADD": "add", "ADD_N": "add", "MUL": "mul"}
"""The layers that compute a join of activations."""

_STAND_INS = {
    **dict.fromkeys(("MAXIMUM", "MINIMUM"), "add"),
    **dict.fromkeys(("DIV", "POW", "FLOOR_DIV", "FLOOR_MOD", "ATAN2"), "mul"),
}
"""The layers that have the shapes of a join and other numbers."""

_BOUNDS = {"MAXIMUM": "minimum", "MINIMUM": "maximum"}
"""The key of a clip that a number is, by the operator."""


def _elementwise(operation: Operation) -> Activation:
    given = operation.inputs
    activations = [one for one in given if isinstance(one, Activation)]
    constants = [one for one in given if isinstance(one, Constant)]
    if not constants:
        found = _joined(operation, activations)
    elif len(given) == 2:
        found = _with_constant(operation, activations[0], constants[0])
    else:
        operation.refuse(f"it has {len(activations)} computed inputs and {len(constants)} constant")
    return operation.activated(found) if "activation" in operation.node.options else found


def _joined(operation: Operation, sources: list[Activation]) -> Activation:
    operation.require_one_batch(sources)
    rank = max(len(source.shape) for source in sources) + 1
    sources = [operation.in_full_shape(source, rank) for source in sources]
    operator = operation.node.operator
    if len(sources) == 1:
        return operation.layer("identity", sources[0])
    if operator in _JOINS:
        return operation.layer(_JOINS[operator], *sources)
    if operator in ("SUB", "SQUARED_DIFFERENCE"):
        negative = operation.scaled(sources[1], -1.0)
        difference = operation.layer("add", sources[0], negative)
        if operator == "SUB":
            return difference
        return operation.layer("mul", difference, difference)
    return operation.stand_in(_STAND_INS[operator], *sources)


def _with_constant(operation: Operation, source: Activation, constant: Constant) -> Activation:
    """A scale, or a clip, for a constant that has one number, or one for each place of an axis."""
    aligned = _aligned(operation, source, constant)
    number = _number(operation, constant)
    bound = _BOUNDS.get(operation.node.operator)
    if bound is not None and number is not None:
        return operation.layer("clip", source, **{bound: number})
    is_squared = operation.node.operator == "POW" and number == 2.0
    if is_squared and operation.inputs[0] is source:
        return operation.layer("mul", source, source)
    varies = [axis for axis, size in enumerate(aligned) if size != 1]
    axis = varies[0] if varies else len(aligned) - 1
    keys = None
    if axis > 0 and len(varies) < 2:
        keys = _scale_keys(operation, full_shape(source)[axis], constant, number)
    if keys is None:
        return operation.stand_in("identity", source)
    return _scaled(operation, source, axis, keys)


def _scaled(
    operation: Operation, source: Activation, axis: int, keys: dict[str, Any]
) -> Activation:
    """A scale along an axis of the file's, which is exchanged with the channels and back."""
    order = list(range(len(source.shape) + 1))
    if axis == order[-1]:
        return operation.layer("scale", source, **keys)
    order[axis], order[-1] = order[-1], axis
    turned = reordered(operation, source, order)
    return reordered(operation, operation.layer("scale", turned, **keys), order)


def _aligned(operation: Operation, source: Activation, constant: Constant) -> Shape:
    """The shape of a constant, with an axis for every one of the source and the batch.

    Raises Untranslatable for one that makes the result larger.
    """
    full = full_shape(source)
    aligned = (1,) * (len(full) - len(constant.shape)) + constant.shape
    if len(aligned) > len(full) or any(size not in (1, own) for size, own in zip(aligned, full)):
        shapes = f"{list(full)} and {list(constant.shape)}"
        operation.refuse(f"its constant does not fit its source: {shapes}")
    return aligned


def _number(operation: Operation, constant: Constant) -> float | None:
    """The one number of a constant; None for several, or one that is not known or not finite."""
    numbers = operation.numbers_of(constant) if prod(constant.shape) == 1 else None
    if not numbers or not isfinite(numbers[0]):
        return None
    return decimal(float(numbers[0]))


def _scale_keys(
    operation: Operation, channels: int, constant: Constant, number: float | None
) -> dict[str, Any] | None:
    """The keys of a scale that does what the node does; None where no scale does.

    A single number is written out; others are referred to, and those of a SUB are negative.
    """
    operator, is_first = operation.node.operator, operation.inputs[0] is constant
    if number is not None:
        written = _written(operator, number, is_first=is_first)
        return {key: Inline(shape=(), values=(one,)) for key, one in written.items()} or None
    if prod(constant.shape) == 1:
        return None
    if operator in _JOINS and constant.key is not None:
        key = "weight" if operator == "MUL" else "bias"
        return {key: operation.reference(constant, shape=(channels,))}
    numbers = operation.numbers_of(constant)
    return None if numbers is None else _written_out(operator, numbers, is_first=is_first)


def _written(operator: str, number: float, *, is_first: bool) -> dict[str, float]:
    """The numbers of the keys of a scale that does what the operator does; empty if none does."""
    match operator, is_first:
        case (("ADD" | "ADD_N"), _):
            return {"bias": number}
        case "MUL", _:
            return {"weight": number}
        case "SUB", False:
            return {"bias": -number}
        case "SUB", True:
            return {"weight": -1.0, "bias": number}
        case "DIV", False if number:
            return {"weight": 1 / number}
    return {}


_MOST_WRITTEN = 16
"""How many numbers, computed from a constant's, are written into the spec."""


def _written_out(
    operator: str, numbers: tuple[int | float, ...], *, is_first: bool
) -> dict[str, Any] | None:
    """The keys of a scale with numbers of its own for every channel; None for many."""
    if len(numbers) > _MOST_WRITTEN or not all(map(isfinite, numbers)):
        return None
    each = [_written(operator, decimal(float(one)), is_first=is_first) for one in numbers]
    if not all(each):
        return None
    return {
        key: Inline(shape=(len(each),), values=tuple(one[key] for one in each)) for key in each[0]
    }


def _square(operation: Operation) -> Activation:
    return operation.layer("mul", operation.activation(), operation.activation())


def _negative(operation: Operation) -> Activation:
    return operation.scaled(operation.activation(), -1.0)


OPERATORS: dict[str, Translator] = {
    **dict.fromkeys((*_JOINS, *_STAND_INS, "SUB", "SQUARED_DIFFERENCE"), _elementwise),
    "SQUARE": _square,
    "NEG": _negative,
}
