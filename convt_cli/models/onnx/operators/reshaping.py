"""Operators that move or add elements: Reshape, Transpose, Pad and their kin."""

from __future__ import annotations

from math import prod

from convt_cli.arithmetic.convolution import Shape
from convt_cli.arithmetic.keys import LARGEST, Pair
from convt_cli.models.onnx.operation import Operation, Translator
from convt_cli.models.onnx.operators.attributes import pairs_of, require_bounded
from convt_cli.models.translation import Activation, short_pairs

_PAD_MODES = {
    "constant": "zeros",
    "reflect": "reflect",
    "edge": "replicate",
    "wrap": "circular",
}
"""The mode of a pad layer."""


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
    return operation.in_shape(source, asked)


def _size(shape: Shape, axis: int) -> int:
    """The size of an axis; 0, which no element count allows, for one that is not there."""
    return shape[axis] if axis < len(shape) else 0


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
    if 0 in axes:
        operation.refuse("it takes the batch axis away")
    return operation.in_shape(source, kept)


def _unsqueeze(operation: Operation) -> Activation:
    source = operation.activation()
    given = operation.integers(1, "axes") or ()
    rank = len(source.full_shape) + len(given)
    axes = {operation.counted(axis, rank) for axis in given}
    sizes = iter(source.full_shape)
    full = tuple(1 if axis in axes else next(sizes, 1) for axis in range(rank))
    if 0 in axes:
        operation.refuse("it puts an axis in front of the batch")
    return operation.in_shape(source, full)


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
    batch, *pairs = _on_all_axes(operation, source, pairs_of(given))
    if any(batch):
        operation.refuse("it pads the batch")
    if not any(map(any, pairs)):
        return operation.layer("identity", source)
    # a pad layer pads the axes behind the channels, or the one of a vector
    channels, behind = (pairs[:1], pairs[1:]) if len(pairs) > 1 else ([], pairs)
    padded = _padded(operation, source, tuple(behind))
    if not any(map(any, channels)):
        return padded
    order = (1, 0, *range(2, len(pairs)))
    turned = operation.layer("transpose", padded, axes=order)
    none = ((0, 0),) * (len(pairs) - 2)
    return operation.layer("transpose", _padded(operation, turned, (*channels, *none)), axes=order)


def _padded(operation: Operation, source: Activation, pairs: tuple[Pair, ...]) -> Activation:
    """`source` with one (before, after) pair of elements more on each axis; below 0, fewer."""
    cut = tuple((max(0, -before), max(0, -after)) for before, after in pairs)
    added = tuple((max(0, before), max(0, after)) for before, after in pairs)
    cropped = operation.cropped(source, cut)
    return _added(operation, cropped, added) if any(map(any, added)) else cropped


def _added(operation: Operation, source: Activation, added: tuple[Pair, ...]) -> Activation:
    """The pad layer after `source`; it stands in for a Pad that adds numbers other than zeros."""
    mode, value = operation.node.word("mode", "constant"), _pads_with(operation)
    padding = short_pairs(added)
    if mode not in _PAD_MODES:
        operation.refuse(f"its mode is '{mode}'")
    if mode == "constant" and value:
        other = f"Pad with {value:g}"
        return operation.stand_in("pad", source, stands_for=other, padding=padding)
    return operation.layer("pad", source, padding=padding, mode=_PAD_MODES[mode])


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


OPERATORS: dict[str, Translator] = {
    "Flatten": _flatten,
    "Reshape": _reshape,
    "Squeeze": _squeeze,
    "Unsqueeze": _unsqueeze,
    "Transpose": _transpose,
    "Pad": _pad,
}
