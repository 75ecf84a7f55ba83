"""Operators that move, add or drop elements: Reshape, Transpose, Pad, Slice and their kin."""

from __future__ import annotations

from math import prod

from convt_cli.arithmetic.convolution import Shape
from convt_cli.arithmetic.keys import LARGEST, Pair
from convt_cli.models.onnx.operation import Activation, Operation, Translator
from convt_cli.models.onnx.operators.attributes import (
    pairs_of,
    require_bounded,
    short,
    short_pairs,
)
from convt_cli.models.onnx.slicing import taken


def _flatten(operation: Operation) -> Activation:
    source = operation.activation()
    rank, axis = len(source.full_shape), operation.node.integer("axis", 1)
    if axis == rank or operation.counted(axis, rank) != 1:
        operation.refuse("it does not keep the batch axis to itself")
    return operation.layer("flatten", source)


def _reshape(operation: Operation) -> Activation:
    source = operation.activation()
    asked = operation.integers(1, "shape")
    if asked is None:
        operation.refuse("it has no shape")
    full = source.full_shape
    if not operation.node.integer("allowzero", 0):
        asked = tuple(_size(full, axis) if size == 0 else size for axis, size in enumerate(asked))
    # a size of -1 is what the others leave
    known = prod(size for size in asked if size != -1)
    if known > 0:
        asked = tuple(prod(full) // known if size == -1 else size for size in asked)
    if prod(asked) != prod(full) or min(asked, default=0) < 1:
        operation.refuse(f"{list(full)} has no shape {list(asked)}", code="E120")
    return _in_shape(operation, source, asked)


def _size(shape: Shape, axis: int) -> int:
    """The size of an axis; 0, which no element count allows, for one that is not there."""
    return shape[axis] if axis < len(shape) else 0


def _in_shape(operation: Operation, source: Activation, full: Shape) -> Activation:
    """A layer with the same elements in the shape `full`, whose first axis has to be the batch."""
    if len(full) < 2 or full[0] != source.batch:
        operation.refuse(f"the first axis of {list(full)} is not the batch")
    if full[1:] == source.shape:
        return operation.layer("identity", source)
    if len(full) == 2:
        return operation.layer("flatten", source)
    return operation.layer("reshape", source, shape=full[1:])


def _squeeze(operation: Operation) -> Activation:
    source = operation.activation()
    full = source.full_shape
    given = operation.integers(1, "axes")
    if given is None:
        given = tuple(axis for axis, size in enumerate(full) if size == 1)
    axes = {operation.counted(axis, len(full)) for axis in given}
    if any(full[axis] != 1 for axis in axes):
        operation.refuse(f"{list(full)} has more than one element along axes {sorted(axes)}")
    kept = tuple(size for axis, size in enumerate(full) if axis not in axes)
    return _in_shape(operation, source, kept if 0 not in axes else ())  # () is refused


def _unsqueeze(operation: Operation) -> Activation:
    source = operation.activation()
    given = operation.integers(1, "axes") or ()
    rank = len(source.full_shape) + len(given)
    axes = {operation.counted(axis, rank) for axis in given}
    sizes = iter(source.full_shape)
    full = tuple(1 if axis in axes else next(sizes, 1) for axis in range(rank))
    return _in_shape(operation, source, full if 0 not in axes else ())  # () is refused


def _transpose(operation: Operation) -> Activation:
    source = operation.activation()
    rank = len(source.full_shape)
    order = operation.node.integers("perm") or tuple(reversed(range(rank)))
    if sorted(order) != list(range(rank)) or order[0] != 0:
        operation.refuse(f"{list(order)} does not leave the batch axis where it is")
    if order == tuple(range(rank)):
        return operation.layer("identity", source)
    return operation.layer("transpose", source, axes=tuple(axis - 1 for axis in order[1:]))


def _pad(operation: Operation) -> Activation:
    source = operation.activation()
    given = operation.integers(1, "pads") or operation.node.integers("paddings") or ()
    if len(given) % 2:
        operation.refuse(f"its pads are {len(given)} numbers, which makes no pairs")
    pairs = _on_all_axes(operation, source, pairs_of(given))
    if any(map(any, pairs[:2])):
        operation.refuse("it pads the batch or the channels")
    # a negative pad cuts off: one (before, after) pair for each spatial axis
    cut = tuple((max(0, -before), max(0, -after)) for before, after in pairs[2:])
    added = tuple((max(0, before), max(0, after)) for before, after in pairs[2:])
    cropped = _cropped(operation, source, cut)
    if any(map(any, added)):
        return _added(operation, cropped, added)
    return cropped if any(map(any, cut)) else operation.layer("identity", source)


def _added(operation: Operation, source: Activation, added: tuple[Pair, ...]) -> Activation:
    """The pad layer after `source`; it adds zeros, and stands in for a Pad that adds others."""
    mode, value = operation.node.word("mode", "constant"), _pads_with(operation)
    padding = short_pairs(added)
    if mode == "constant" and not value:
        return operation.layer("pad", source, padding=padding)
    other = f"Pad with {value:g}" if mode == "constant" else f"Pad in mode {mode}"
    return operation.stand_in("pad", source, stands_for=other, padding=padding)


def _pads_with(operation: Operation) -> float:
    """The number that a Pad in mode constant adds."""
    given = operation.numbers(2)
    value = given[0] if given else operation.node.attributes.get("value", 0.0)
    return float(value) if isinstance(value, (int, float)) else 0.0


def _on_all_axes(
    operation: Operation, source: Activation, pairs: tuple[Pair, ...]
) -> tuple[Pair, ...]:
    """`pairs` for the axes that the node names, and (0, 0) for the others."""
    rank = len(source.full_shape)
    axes = operation.integers(3) or tuple(range(rank))
    if len(axes) != len(pairs):
        operation.refuse(f"it has {len(pairs)} pairs of pads for {len(axes)} axes")
    found = {operation.counted(axis, rank): pair for axis, pair in zip(axes, pairs)}
    for pair in pairs:
        require_bounded(operation, "pads", pair, -LARGEST)
    return tuple(found.get(axis, (0, 0)) for axis in range(rank))


def _cropped(operation: Operation, source: Activation, cut: tuple[Pair, ...]) -> Activation:
    """A crop of `source` by one (before, after) pair per spatial axis; `source` if all are 0."""
    if not any(map(any, cut)):
        return source
    return operation.layer("crop", source, padding=short_pairs(cut))


def _slice(operation: Operation) -> Activation:
    source = operation.activation()
    full = source.full_shape
    try:
        ranges = taken(full, operation.integers)
    except ValueError as error:
        operation.refuse(f"its axes do not fit {list(full)}: {error}")
    if any(len(one) < size for one, size in zip(ranges[:2], full)):
        operation.refuse("it takes some of the channels or of the batch")
    if any(not one or one.step < 1 for one in ranges):
        operation.refuse("it takes nothing, or goes backwards")
    # what lies before the first place taken and behind the last, per spatial axis
    cut = tuple((one[0], size - 1 - one[-1]) for one, size in zip(ranges[2:], full[2:]))
    steps = tuple(one.step if len(one) > 1 else 1 for one in ranges[2:])
    cropped = _cropped(operation, source, cut)
    if any(step > 1 for step in steps):
        # every step-th element: a pool of single elements with a stride
        return operation.layer("max_pool", cropped, kernel_size=1, stride=short(steps))
    return cropped if any(map(any, cut)) else operation.layer("identity", source)


OPERATORS: dict[str, Translator] = {
    "Flatten": _flatten,
    "Reshape": _reshape,
    "Squeeze": _squeeze,
    "Unsqueeze": _unsqueeze,
    "Transpose": _transpose,
    "Pad": _pad,
    "Slice": _slice,
}
