"""Element-wise arithmetic: a join of activations, or a scale by a constant per channel."""

from __future__ import annotations

from dataclasses import replace
from math import inf, isfinite, prod
from typing import Any

import numpy as np

from convt_cli.arithmetic.keys import FileReference, Inline
from convt_cli.models.onnx.folding import is_uniform
from convt_cli.models.onnx.operation import Constant, Operation, Translator, is_per_channel
from convt_cli.models.onnx.operators.resizing import grown
from convt_cli.models.translation import Activation

_MOST_WRITTEN = 16
"""How many numbers of a computed constant are written into the spec, if it has no name."""

_JOINS = {"Add": "add", "Sum": "add", "Mul": "mul"}
"""The layers that compute a join of activations."""

_STAND_INS = {
    **dict.fromkeys(("Sub", "Max", "Min", "Mean"), "add"),
    "Pow": "mul",
    **dict.fromkeys(("Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual"), "add"),
    **dict.fromkeys(("And", "Or", "Xor"), "mul"),
}
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
    if operator == "Div":
        return operation.layer(
            "mul", sources[0], operation.layer("power", sources[1], exponent=-1.0)
        )
    return operation.stand_in(_STAND_INS.get(operator, "add"), *sources)


def _where(operation: Operation) -> Activation:
    """A choice between two arrays, of which only the shape is known."""
    sources = [value for value in operation.inputs if isinstance(value, Activation)]
    constants = [value for value in operation.inputs if isinstance(value, Constant)]
    joined = _joined(operation, sources) if len(sources) > 1 else sources[0]
    for constant in constants:
        _require_fitting(operation, joined, constant)
    return joined if len(sources) > 1 else operation.stand_in("identity", joined)


def _require_fitting(operation: Operation, source: Activation, constant: Constant) -> None:
    """Refuse a constant that would give `source` another shape."""
    try:
        shape = np.broadcast_shapes(source.full_shape, constant.shape)
    except (ValueError, RuntimeError):
        shape = ()
    if shape != source.full_shape:
        shapes = f"{list(source.full_shape)} and {list(constant.shape)}"
        operation.refuse(f"its constant does not fit its source: {shapes}")


def _with_constant(operation: Operation, source: Activation, constant: Constant) -> Activation:
    try:
        batch, *shape = np.broadcast_shapes(source.full_shape, constant.shape)
    except (ValueError, RuntimeError):  # RuntimeError: NumPy broadcasts up to 32 axes
        batch, shape = 0, []
    if batch != source.batch or len(shape) != len(source.shape):
        shapes = f"{list(source.full_shape)} and {list(constant.shape)}"
        operation.refuse(f"its constant does not fit its source: {shapes}")
    if tuple(shape) != source.shape:
        source = grown(operation, source, tuple(shape))
    exponent = _exponent(operation, constant)
    if exponent is not None:
        return operation.layer("power", source, exponent=exponent)
    keys = _scale_keys(operation, source, constant)
    if keys is not None:
        return operation.layer("scale", source, **keys)
    place = _place(operation, source, constant)
    scales = _scales(operation, place) if place is not None else []
    if not scales:
        return operation.stand_in("identity", source)
    return _scaled_along(operation, source, constant, scales)


def constant_like(operation: Operation, source: Activation, constant: Constant) -> Activation:
    """`constant` as a layer, made of a `source` of its shape.  Raises Untranslatable.

    The source counts for nothing: it is multiplied by 0.
    """
    zero = {"weight": Inline(shape=(), values=(0.0,))}
    number = float(constant.array.flat[0])
    if constant.known and (is_uniform(constant.array) or (constant.array == number).all()):
        return operation.layer("scale", source, **zero, bias=Inline(shape=(), values=(number,)))
    place = _place(operation, source, constant)
    if place is None:
        operation.refuse("its constant follows from the size of an input")
    return _scaled_along(
        operation, operation.layer("scale", source, **zero), constant, [{"bias": place}]
    )


def _place(operation: Operation, source: Activation, constant: Constant) -> FileReference | None:
    """The numbers of a constant as a vector; None where it has a batch, or the model lacks them."""
    varied = prod(_sizes_along(source, constant))
    if varied != constant.array.size or varied == 1 or constant.name is None:
        return None
    found = operation.reference(constant)
    return None if found is None else replace(found, shape=(varied,))


def _sizes_along(source: Activation, constant: Constant) -> tuple[int, ...]:
    """The sizes of a constant along the axes of `source`, with which it is broadcast."""
    sizes = constant.shape[-len(source.shape) :]
    return (1,) * (len(source.shape) - len(sizes)) + sizes


def _scaled_along(
    operation: Operation, source: Activation, constant: Constant, scales: list[dict[str, Any]]
) -> Activation:
    """Scales by a constant that varies along any axes: these are made the channels, and undone."""
    sizes = _sizes_along(source, constant)
    first = [axis for axis, size in enumerate(sizes) if size > 1]
    varied = prod(sizes)
    order = [*first, *(axis for axis in range(len(sizes)) if axis not in first)]
    rest = prod(source.shape) // varied
    turned = _in_order(operation, source, order)
    merged = (source.batch, varied, *([rest] if rest > 1 else []))
    scaled = operation.in_shape(turned, merged)
    for keys in scales:
        scaled = operation.layer("scale", scaled, **keys)
    back = operation.in_shape(scaled, turned.full_shape)
    return _in_order(operation, back, [order.index(axis) for axis in range(len(order))])


def _scales(operation: Operation, place: FileReference) -> list[dict[str, Any]]:
    """The keys of the scales that do what the node does with the numbers at `place`; [] for none.

    A scale adds numbers and cannot take them away: x - c is -(-x + c).
    """
    minus = {"weight": Inline(shape=(), values=(-1.0,))}
    match operation.node.operator, isinstance(operation.inputs[0], Constant):
        case (("Add" | "Sum"), _):
            return [{"bias": place}]
        case "Mul", _:
            return [{"weight": place}]
        case "Sub", True:
            return [{**minus, "bias": place}]
        case "Sub", False:
            return [{**minus, "bias": place}, minus]
    return []


def _in_order(operation: Operation, source: Activation, order: list[int]) -> Activation:
    """The axes of `source` in another order."""
    if order == sorted(order):
        return source
    return operation.layer("transpose", source, axes=tuple(order))


def _exponent(operation: Operation, constant: Constant) -> float | None:
    """The exponent of a power by one known number; None for another operation."""
    is_first = isinstance(operation.inputs[0], Constant)
    if operation.node.operator != "Pow" or is_first or constant.array.size != 1:
        return None
    number = float(constant.array.item()) if constant.known else inf
    return number if isfinite(number) else None


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


OPERATORS: dict[str, Translator] = {
    **dict.fromkeys((*_JOINS, *_STAND_INS, "Div"), _elementwise),
    "Where": _where,
}
