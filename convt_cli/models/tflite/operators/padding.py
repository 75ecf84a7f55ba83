"""PAD, PADV2 and MIRROR_PAD."""

from __future__ import annotations

from math import isfinite

from convt_cli.arithmetic.keys import LARGEST, Pair
from convt_cli.models.channels_last import channels_first
from convt_cli.models.tflite.operation import Operation, Translator
from convt_cli.models.translation import Activation, short_pairs

_REFLECT = 0


def _pad(operation: Operation) -> Activation:
    source, pairs = operation.activation(), _pairs(operation)
    value = _value(operation)
    if value is None:
        return operation.stand_in("pad", _moved(operation, source, pairs, "zeros"), padding=0)
    # other numbers than zeros: the zeros of a source that is less by so much
    lower = operation.scaled(source, 1.0, -value)
    return operation.scaled(_moved(operation, lower, pairs, "zeros"), 1.0, value)


def _value(operation: Operation) -> float | None:
    """The number that is added around the source; None for one that is infinite or not known."""
    if operation.constant(2) is None:
        return 0.0
    numbers = operation.numbers(2)
    return float(numbers[0]) if numbers and isfinite(numbers[0]) else None


def _mirror_pad(operation: Operation) -> Activation:
    source, pairs = operation.activation(), _pairs(operation)
    if operation.option("mode") == _REFLECT:
        return _moved(operation, source, pairs, "reflect")
    for axis, (before, after) in enumerate(pairs):
        source = _mirrored(operation, source, axis, before, after)
    return source


def _mirrored(
    operation: Operation, source: Activation, axis: int, before: int, after: int
) -> Activation:
    """`source` between its first and last elements along `axis`, in reverse."""
    size = source.shape[axis]
    if max(before, after) > size:
        operation.refuse(f"it mirrors {max(before, after)} of {size} elements", code="E116")
    parts = [source]
    if before:
        start = operation.layer("slice", source, axis=axis, begin=before - 1, end=None, step=-1)
        parts.insert(0, start)
    if after:
        end = size - after - 1
        end_part = operation.layer(
            "slice", source, axis=axis, begin=size - 1, end=end if end >= 0 else None, step=-1
        )
        parts.append(end_part)
    return operation.layer("concat", *parts, axis=axis) if len(parts) > 1 else source


def _pairs(operation: Operation) -> tuple[Pair, ...]:
    """One (before, after) pair for each axis as a spec counts them.  Raises Untranslatable."""
    rank = len(operation.activation().shape) + 1
    numbers = operation.integers(1)
    if len(numbers) != 2 * rank or not all(0 <= number <= LARGEST for number in numbers):
        operation.refuse(f"its pads are {list(numbers)}, on {rank} axes", code="E107")
    if any(numbers[:2]):
        operation.refuse("it pads the batch")
    before, after = channels_first(numbers[2::2]), channels_first(numbers[3::2])
    return tuple(zip(before, after))


def _moved(
    operation: Operation, source: Activation, pairs: tuple[Pair, ...], mode: str
) -> Activation:
    """`source` with so many more elements on each axis; channels are padded as a spatial axis."""
    if not any(map(any, pairs)):
        return operation.layer("identity", source)
    if len(pairs) == 1:
        return operation.layer("pad", source, padding=short_pairs(pairs), mode=mode)
    if any(map(any, pairs[1:])):
        source = operation.layer("pad", source, padding=short_pairs(pairs[1:]), mode=mode)
    if not any(pairs[0]):
        return source
    order = (1, 0, *range(2, len(pairs)))
    turned = operation.layer("transpose", source, axes=order)
    on_channels = (pairs[0], *((0, 0),) * (len(pairs) - 2))
    padded = operation.layer("pad", turned, padding=short_pairs(on_channels), mode=mode)
    return operation.layer("transpose", padded, axes=order)


OPERATORS: dict[str, Translator] = {"PAD": _pad, "PADV2": _pad, "MIRROR_PAD": _mirror_pad}
