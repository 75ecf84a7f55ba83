"""Operators that take parts of an activation, and those that put parts together."""

from __future__ import annotations

from itertools import accumulate

from convt_cli.models.pt2.operation import Operation, Translator
from convt_cli.models.translation import Activation

Parts = tuple[Activation | None, ...]
"""What an operator with several outputs gives; None for one that nothing reads."""


def _slice(operation: Operation) -> Activation:
    source, axis = _source_and_axis(operation)
    end = operation.argument("end")
    begin, step = operation.integer(0, "start"), operation.integer(1, "step")
    part = slice(begin, end if isinstance(end, int) else None, step)
    return _part(operation, source, axis, range(source.full_shape[axis])[part])


def _narrow(operation: Operation) -> Activation:
    source, axis = _source_and_axis(operation)
    begin = operation.integer(0, "start") % source.full_shape[axis]
    return _part(operation, source, axis, range(begin, begin + operation.integer(1, "length")))


def _select(operation: Operation) -> Activation:
    source, axis = _source_and_axis(operation)
    return _selected(operation, source, axis, operation.integer(0, "index"))


def _unbind(operation: Operation) -> Parts:
    source, axis = _source_and_axis(operation)
    return tuple(
        _selected(operation, source, axis, index) if is_read else None
        for index, is_read in enumerate(operation.are_read)
    )


def _split(operation: Operation) -> Parts:
    source, axis = _source_and_axis(operation)
    lengths = operation.integers("split_size", "split_sizes") or (source.full_shape[axis],)
    if len(lengths) == 1:
        lengths = _equal_lengths(operation, source.full_shape[axis], lengths[0])
    return _parts(operation, source, axis, lengths)


def _chunk(operation: Operation) -> Parts:
    source, axis = _source_and_axis(operation)
    size, count = source.full_shape[axis], operation.integer(1, "chunks")
    if count < 1:
        operation.refuse(f"it makes {count} parts")
    return _parts(operation, source, axis, _equal_lengths(operation, size, -(-size // count)))


def _gated(operation: Operation) -> Activation:
    """The first half of an axis times the sigmoid of the second."""
    source = operation.activation()
    axis = operation.counted(operation.integer(-1, "dim"), len(source.full_shape))
    size = source.full_shape[axis]
    if size % 2:
        operation.refuse(f"it halves an axis of {size}", code="E111")
    kept = _part(operation, source, axis, range(size // 2))
    gate = _part(operation, source, axis, range(size // 2, size))
    return operation.layer("mul", kept, operation.layer("sigmoid", gate))


def _equal_lengths(operation: Operation, size: int, length: int) -> tuple[int, ...]:
    """The lengths of the parts of an axis of `size`, the last of which may be shorter."""
    if length < 1:
        operation.refuse(f"its parts have {length} elements")
    if -(-size // length) != len(operation.are_read):
        operation.refuse(f"{size} has not {len(operation.are_read)} parts of {length}")
    return tuple(min(length, size - begin) for begin in range(0, size, length))


def _parts(operation: Operation, source: Activation, axis: int, lengths: tuple[int, ...]) -> Parts:
    """Parts one after the other, of these lengths."""
    ends = accumulate(lengths)
    return tuple(
        _part(operation, source, axis, range(end - length, end)) if is_read else None
        for end, length, is_read in zip(ends, lengths, operation.are_read)
    )


def _source_and_axis(operation: Operation) -> tuple[Activation, int]:
    source = operation.activation()
    return source, operation.counted(operation.integer(0, "dim"), len(source.full_shape))


def _selected(operation: Operation, source: Activation, axis: int, index: int) -> Activation:
    """One element of an axis, which is dropped."""
    full = source.full_shape
    place = operation.counted(index, full[axis])
    part = _part(operation, source, axis, range(place, place + 1))
    return operation.in_shape(part, (*full[:axis], *full[axis + 1 :]) if axis else ())


def _part(operation: Operation, source: Activation, axis: int, taken: range) -> Activation:
    """The elements `taken` of an axis."""
    size = source.full_shape[axis]
    if taken == range(size):
        return operation.layer("identity", source)
    if axis == 0:
        operation.refuse("it takes a part of the batch")
    if not taken or taken.stop > size + taken.step - 1:
        operation.refuse(f"it takes [{taken.start}:{taken.stop}:{taken.step}] of {size}")
    end = None if taken.stop >= size else taken.stop
    return operation.layer(
        "slice", source, axis=axis - 1, begin=taken.start, end=end, step=taken.step
    )


def _flip(operation: Operation) -> Activation:
    flipped = source = operation.activation()
    for axis in operation.axes(source, "dims") or ():
        if axis == 0:
            operation.refuse("it turns the batch round")
        flipped = operation.layer("slice", flipped, axis=axis - 1, begin=-1, step=-1)
    return flipped if flipped is not source else operation.layer("identity", source)


def _roll(operation: Operation) -> Activation:
    rolled = source = operation.activation()
    shifts, axes = operation.integers("shifts") or (), operation.axes(source, "dims") or ()
    if len(shifts) != len(axes) or 0 in axes:
        operation.refuse("it rolls the batch")
    for shift, axis in zip(shifts, axes):
        begin = -shift % source.full_shape[axis]
        if begin:
            behind = operation.layer("slice", rolled, axis=axis - 1, begin=begin)
            before = operation.layer("slice", rolled, axis=axis - 1, begin=0, end=begin)
            rolled = operation.layer("concat", behind, before, axis=axis - 1)
    return rolled if rolled is not source else operation.layer("identity", source)


def _concat(operation: Operation) -> Activation:
    sources = _joined(operation)
    axis = operation.counted(operation.integer(0, "dim", "axis"), len(sources[0].full_shape))
    if axis == 0:
        operation.refuse("it joins batches")
    return _along(operation, sources, axis)


def _stack(operation: Operation) -> Activation:
    sources = _joined(operation)
    full = sources[0].full_shape
    axis = operation.counted(operation.integer(0, "dim"), len(full) + 1)
    if axis == 0:
        operation.refuse("it joins batches")
    shape = (*full[:axis], 1, *full[axis:])
    return _along(operation, [operation.in_shape(one, shape) for one in sources], axis)


def _joined(operation: Operation) -> list[Activation]:
    """The activations that are joined, all with one batch.  Raises Untranslatable."""
    given = operation.argument("tensors")
    parts = given if isinstance(given, tuple) else ()
    sources = [one for one in parts if isinstance(one, Activation)]
    if not sources or len(sources) < len(parts):
        operation.refuse("it joins a constant")
    operation.require_one_batch(sources)
    return sources


def _along(operation: Operation, sources: list[Activation], axis: int) -> Activation:
    if len(sources) == 1:
        return operation.layer("identity", sources[0])
    return operation.layer("concat", *sources, axis=axis - 1)


OPERATORS: dict[str, Translator] = {
    "slice": _slice,
    "narrow": _narrow,
    "select": _select,
    "unbind": _unbind,
    **dict.fromkeys(("split", "split_with_sizes", "unsafe_split"), _split),
    **dict.fromkeys(("chunk", "unsafe_chunk"), _chunk),
    "glu": _gated,
    "flip": _flip,
    "roll": _roll,
    **dict.fromkeys(("cat", "concat", "concatenate"), _concat),
    "stack": _stack,
}
