"""Element-wise arithmetic, concatenation: joins of activations, and scales by a constant."""

from __future__ import annotations

from math import isfinite
from typing import Any

from convt_cli.arithmetic.keys import Inline
from convt_cli.models.pt2.graph import Constant
from convt_cli.models.pt2.operation import Operation, Translator
from convt_cli.models.translation import Activation

_JOINS = {"add": "add", "mul": "mul"}
"""The layers that compute a join of activations."""

_STAND_INS = {
    **dict.fromkeys(("sub", "rsub", "maximum", "minimum", "max", "min"), "add"),
    **dict.fromkeys(("div", "true_divide", "pow", "remainder", "fmod", "atan2"), "mul"),
}
"""The layers that have the shapes of a join and other numbers."""

_SCALE_KEYS = {"add": "bias", "mul": "weight"}
"""The key of a scale that a tensor of the model is, as it is stored."""


def _elementwise(operation: Operation) -> Activation:
    operator = operation.node.operator
    first, second = operation.argument("self"), operation.argument("other", "exponent")
    if isinstance(first, Activation) and isinstance(second, Activation):
        operation.require_one_batch([first, second])
        if operator in _JOINS and operation.number(1, "alpha") == 1:
            return operation.layer(_JOINS[operator], first, second)
        return operation.stand_in({**_JOINS, **_STAND_INS}[operator], first, second)
    source, other = (first, second) if isinstance(first, Activation) else (second, first)
    if not isinstance(source, Activation):
        operation.refuse("it joins no activation")
    keys = _scale(operation, source, other, number_first=source is second)
    if keys is not None:
        return operation.layer("scale", source, **keys)
    _require_fitting(operation, source, other)
    return operation.stand_in("identity", source)


def _scale(
    operation: Operation, source: Activation, other: object, *, number_first: bool
) -> dict[str, Any] | None:
    """The keys of a scale that does what the node does; None where none does."""
    factor = operation.number(1, "alpha")
    if isinstance(other, int | float):
        first = number_first != (operation.node.operator == "rsub")
        found = _of_number(operation.node.operator, float(other), factor, first=first)
        written = all(isfinite(number) for number in found.values())
        return (
            {key: Inline(shape=(), values=(number,)) for key, number in found.items()}
            if (found and written)
            else None
        )
    key = _SCALE_KEYS.get(operation.node.operator)
    if key is None or factor != 1 or not isinstance(other, Constant) or other.key is None:
        return None
    if not _is_per_channel(source, other):
        return None
    if not other.is_parameter:
        operation.notes.append("a scale counts the numbers of a buffer as parameters")
    return {key: operation.reference(other)}


def _of_number(operator: str, number: float, factor: float, *, first: bool) -> dict[str, float]:
    """The keys of a scale by a number; `first` where the number stands in front.

    >>> _of_number("sub", 2.0, 1, first=True), _of_number("div", 4.0, 1, first=False)
    ({'weight': -1.0, 'bias': 2.0}, {'weight': 0.25})
    """
    match operator:
        case "add":
            return {"bias": number * factor}
        case "mul":
            return {"weight": number}
        case "sub" | "rsub" if factor == 1:
            return {"weight": -1.0, "bias": number} if first else {"bias": -number}
        case "div" | "true_divide" if number and not first:
            return {"weight": 1 / number}
        case _:
            return {}


def _is_per_channel(source: Activation, constant: Constant) -> bool:
    """Whether a constant has one number for each channel."""
    # broadcasting aligns shapes at their last axes; axis 1 of the activation is the channels
    missing = len(source.full_shape) - len(constant.sizes)
    aligned = (1,) * missing + constant.sizes
    expected = (1, source.shape[0], *(1 for _ in source.shape[1:]))
    return aligned == expected


def _require_fitting(operation: Operation, source: Activation, other: object) -> None:
    """Refuse a constant that makes the result larger than its source."""
    if not isinstance(other, Constant):
        return
    full = source.full_shape
    missing = len(full) - len(other.sizes)
    aligned = (1,) * missing + other.sizes
    if missing < 0 or any(size not in (1, own) for size, own in zip(aligned, full)):
        operation.refuse(f"its constant {list(other.sizes)} does not fit its source {list(full)}")


def _concat(operation: Operation) -> Activation:
    given = operation.argument("tensors")
    parts = given if isinstance(given, tuple) else ()
    sources = [one for one in parts if isinstance(one, Activation)]
    if not sources or len(sources) < len(parts):
        operation.refuse("it joins a constant")
    operation.require_one_batch(sources)
    axis = operation.counted(operation.integer(0, "dim", "axis"), len(sources[0].full_shape))
    if axis == 0:
        operation.refuse("it joins batches")
    if len(sources) == 1:
        return operation.layer("identity", sources[0])
    return operation.layer("concat", *sources, axis=axis - 1)


OPERATORS: dict[str, Translator] = {
    **dict.fromkeys((*_JOINS, *_STAND_INS), _elementwise),
    **dict.fromkeys(("cat", "concat", "concatenate"), _concat),
}
