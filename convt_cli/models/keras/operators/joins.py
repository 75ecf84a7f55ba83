"""Layers that join several activations, and functions of an activation and a number."""

from __future__ import annotations

from convt_cli.models.keras.operation import Operation, Translator
from convt_cli.models.translation import Activation


def _add(operation: Operation) -> Activation:
    number = _number(operation)
    if number is not None:
        return operation.scaled(operation.source, 1, number)
    return operation.layer("add", *operation.sources)


def _multiply(operation: Operation) -> Activation:
    number = _number(operation)
    if number is not None:
        return operation.scaled(operation.source, number)
    return operation.layer("mul", *operation.sources)


def _subtract(operation: Operation) -> Activation:
    number = _number(operation)
    if number is not None:
        is_first = not isinstance(operation.arguments[0], Activation)
        if is_first:
            return operation.scaled(operation.source, -1, number)
        return operation.scaled(operation.source, 1, -number)
    first, second = _two(operation)
    return operation.layer("add", first, operation.scaled(second, -1))


def _divide(operation: Operation) -> Activation:
    number = _number(operation)
    if not number or not isinstance(operation.arguments[0], Activation):
        operation.refuse("it divides by what is no number")
    return operation.scaled(operation.source, 1 / number)


def _average(operation: Operation) -> Activation:
    sources = operation.sources
    return operation.scaled(operation.layer("add", *sources), 1 / len(sources))


def _extreme(operation: Operation) -> Activation:
    return operation.stand_in("add", *operation.sources)


def _concatenate(operation: Operation) -> Activation:
    sources = operation.sources
    if len({len(source.shape) for source in sources}) > 1:
        operation.refuse("it joins activations of different numbers of axes")
    axis = operation.axis(operation.integer("axis", -1), sources[0])
    if len(sources) == 1:
        return operation.layer("identity", sources[0])
    return operation.layer("concat", *sources, axis=axis)


def _two(operation: Operation) -> tuple[Activation, Activation]:
    sources = operation.sources
    if len(sources) != 2:
        operation.refuse(f"it joins {len(sources)} activations")
    return sources[0], sources[1]


def _number(operation: Operation) -> float | None:
    """The number that an activation is joined with; None where there is another activation."""
    first, *others = operation.arguments
    pair = [first, *others[:1]]
    numbers = [one for one in pair if isinstance(one, int | float) and not isinstance(one, bool)]
    return float(numbers[0]) if len(numbers) == 1 else None


FUNCTIONS: dict[str, Translator] = {
    "Add": _add,
    "Multiply": _multiply,
    "Subtract": _subtract,
    **dict.fromkeys(("Divide", "TrueDivide"), _divide),
    **dict.fromkeys(("Maximum", "Minimum"), _extreme),
    "Concatenate": _concatenate,
}

OPERATORS: dict[str, Translator] = {
    **dict.fromkeys(("Add", "math.add", "__operators__.add"), _add),
    **dict.fromkeys(("Multiply", "math.multiply"), _multiply),
    **dict.fromkeys(("Subtract", "math.subtract"), _subtract),
    "Average": _average,
    **dict.fromkeys(("Maximum", "Minimum"), _extreme),
    "Concatenate": _concatenate,
}
