"""Element-wise arithmetic of two activations, of an activation and a number, or a constant."""

from __future__ import annotations

from dataclasses import replace
from math import isfinite, prod
from typing import Any

from convt_cli.arithmetic.keys import Inline
from convt_cli.models.pt2.graph import Constant
from convt_cli.models.pt2.operation import Operation, Translator
from convt_cli.models.translation import Activation

_STAND_INS = {
    **dict.fromkeys(("maximum", "minimum", "max", "min"), "add"),
    **dict.fromkeys(("pow", "remainder", "fmod", "atan2"), "mul"),
}
"""The layers that have the shapes of an operator and other numbers."""

_MOST_FACTORS = 4
"""The largest power that is written as a product."""


def _elementwise(operation: Operation) -> Activation:
    first, second = operation.argument("self"), operation.argument("other", "exponent")
    if isinstance(first, Activation) and isinstance(second, Activation):
        operation.require_one_batch([first, second])
        return _joined(operation, first, second)
    source, other = (first, second) if isinstance(first, Activation) else (second, first)
    if not isinstance(source, Activation):
        operation.refuse("it joins no activation")
    if other is None:  # the largest of one tensor, not of two
        operation.refuse("no layer type does what it does")
    if isinstance(other, int | float):
        found = _with_number(operation, source, float(other), is_first=source is second)
    else:
        found = _with_constant(operation, source, other, is_first=source is second)
    if found is not None:
        return found
    _require_fitting(operation, source, other)
    return operation.stand_in("identity", source)


def _joined(operation: Operation, first: Activation, second: Activation) -> Activation:
    """The layer of two activations."""
    factor = operation.number(1, "alpha")
    match operation.node.operator:
        case "add":
            return operation.layer("add", first, operation.scaled(second, factor))
        case "sub":
            return operation.layer("add", first, operation.scaled(second, -factor))
        case "rsub":
            return operation.layer("add", operation.scaled(first, -factor), second)
        case "mul":
            return operation.layer("mul", first, second)
        case "div" | "true_divide" if operation.argument("rounding_mode") is None:
            return operation.layer("mul", first, _reciprocal(operation, second))
        case "div" | "true_divide":
            return operation.stand_in("mul", first, second, stands_for="a division that is rounded")
    return operation.stand_in(_STAND_INS[operation.node.operator], first, second)


def _with_number(
    operation: Operation, source: Activation, number: float, *, is_first: bool
) -> Activation | None:
    """The layer of an activation and a number; None where there is none.

    `is_first`: the number stands in front.
    """
    operator = operation.node.operator
    if operator == "pow" and not is_first and isfinite(number):
        return _power(operation, source, number)
    if operation.argument("rounding_mode") is not None:
        return None
    if operator in ("div", "true_divide") and is_first and isfinite(number):
        return operation.scaled(_reciprocal(operation, source), number)
    factor = operation.number(1, "alpha")
    found = _line(operator, number, factor, is_first=is_first != (operator == "rsub"))
    if not found or not all(map(isfinite, found.values())):
        return None
    keys = {key: Inline(shape=(), values=(float(one),)) for key, one in found.items()}
    return operation.layer("scale", source, **keys)


def _line(operator: str, number: float, factor: float, *, is_first: bool) -> dict[str, float]:
    """The keys of a scale by a number; empty where there is none.

    >>> _line("sub", 2.0, 1, is_first=True), _line("div", 4.0, 1, is_first=False)
    ({'weight': -1, 'bias': 2.0}, {'weight': 0.25})
    """
    match operator:
        case "add":
            return {"weight": factor, "bias": number} if is_first else {"bias": number * factor}
        case "mul":
            return {"weight": number}
        case "sub" | "rsub":
            # first - alpha * second; the source is the one that the number is not
            if is_first:
                return {"weight": -factor, "bias": number}
            return {"bias": -number * factor}
        case "div" | "true_divide" if number and not is_first:
            return {"weight": 1 / number}
    return {}


def _power(operation: Operation, source: Activation, exponent: float) -> Activation:
    """A power: a product, where the exponent is a small whole number."""
    if exponent == 1:
        return operation.layer("identity", source)
    if exponent in range(2, _MOST_FACTORS + 1):
        return operation.layer("mul", *[source] * int(exponent))
    return operation.layer("power", source, exponent=exponent)


def _reciprocal(operation: Operation, source: Activation) -> Activation:
    return operation.layer("power", source, exponent=-1.0)


def _square(operation: Operation) -> Activation:
    return _power(operation, operation.activation(), 2)


def _with_constant(
    operation: Operation, source: Activation, constant: object, *, is_first: bool
) -> Activation | None:
    """The layers of an activation and a tensor of the model; None where there are none."""
    if not isinstance(constant, Constant) or constant.key is None:
        return None
    if operation.number(1, "alpha") != 1:
        return None
    match operation.node.operator:
        case "add":
            return _scale(operation, source, constant, "bias")
        case "mul":
            return _scale(operation, source, constant, "weight")
        case "sub" | "rsub":
            negative = _scale(operation, source, constant, "bias", factor=-1)
            if negative is None or is_first != (operation.node.operator == "rsub"):
                return negative  # constant - source
            return operation.scaled(negative, -1)
    return None


def _scale(
    operation: Operation, source: Activation, constant: Constant, key: str, factor: float = 1
) -> Activation | None:
    """A scale by `factor` and a tensor, which is its weight or its bias, as `key` says.

    None unless the tensor is one number, or one for each place of one axis.
    """
    sizes = _aligned(source, constant)
    varied = [axis for axis, size in enumerate(sizes) if size > 1]
    if len(sizes) != len(source.full_shape) or len(varied) > 1:
        return None
    axis = varied[0] if varied else 1
    if axis == 0 or (varied and sizes[axis] != source.full_shape[axis]):
        return None
    place = operation.reference(constant, (prod(sizes),))
    # one number is for all channels where a shape says that it is one
    keys: dict[str, Any] = {key: replace(place, shape=(1,)) if place and not varied else place}
    if factor != 1:
        keys["weight"] = Inline(shape=(), values=(float(factor),))
    if not constant.is_parameter:
        keys["learned"] = False
    if axis == 1:
        return operation.layer("scale", source, **keys)
    # that axis exchanged with the channels, and back
    order = list(range(len(sizes)))
    order[1], order[axis] = axis, 1
    scaled = operation.layer("scale", operation.in_order(source, order), **keys)
    return operation.in_order(scaled, order)


def _aligned(source: Activation, constant: Constant) -> tuple[int, ...]:
    """The sizes of a constant, with an axis for every one of the source and the batch."""
    # broadcasting aligns shapes at their last axes
    missing = len(source.full_shape) - len(constant.sizes)
    return (1,) * missing + constant.sizes


def _require_fitting(operation: Operation, source: Activation, other: object) -> None:
    """Refuse a constant that makes the result larger than its source."""
    if not isinstance(other, Constant):
        return
    full, aligned = source.full_shape, _aligned(source, other)
    if len(aligned) > len(full) or any(size not in (1, own) for size, own in zip(aligned, full)):
        operation.refuse(f"its constant {list(other.sizes)} does not fit its source {list(full)}")


OPERATORS: dict[str, Translator] = {
    **dict.fromkeys(("add", "sub", "rsub", "mul", "div", "true_divide", *_STAND_INS), _elementwise),
    "square": _square,
}
