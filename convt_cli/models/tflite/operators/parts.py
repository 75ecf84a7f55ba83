"""Operators that take parts of an activation, and those that put parts together."""

from __future__ import annotations

from itertools import accumulate

from convt_cli.models.channels_last import full_shape, reshaped, spec_axis
from convt_cli.models.tflite.operation import Operation, Translator
from convt_cli.models.translation import Activation

Parts = tuple[Activation | None, ...]
"""What an operator with several outputs gives; None for one that nothing reads."""


def _concatenation(operation: Operation) -> Activation:
    sources = [operation.activation(number) for number in range(len(operation.inputs))]
    operation.require_one_batch(sources)
    axis = spec_axis(operation, operation.option("axis"), len(sources[0].shape) + 1)
    return operation.activated(_joined(operation, sources, axis))


def _pack(operation: Operation) -> Activation:
    """A concat along a new axis, for which each source is brought to one more axis."""
    sources = [operation.activation(number) for number in range(len(operation.inputs))]
    operation.require_one_batch(sources)
    full = full_shape(sources[0])
    axis = operation.counted(operation.option("axis"), len(full) + 1)
    wanted = (*full[:axis], 1, *full[axis:])
    apart = [reshaped(operation, source, wanted) for source in sources]
    return _joined(operation, apart, spec_axis(operation, axis, len(wanted)))


def _joined(operation: Operation, sources: list[Activation], axis: int) -> Activation:
    if len(sources) == 1:
        return operation.layer("identity", sources[0])
    return operation.layer("concat", *sources, axis=axis)


def _slice(operation: Operation) -> Activation:
    source = operation.activation()
    full, begins, counts = full_shape(source), operation.integers(1), operation.integers(2)
    if not len(full) == len(begins) == len(counts):
        operation.refuse(f"it takes {list(counts)} from {list(begins)} on of {list(full)}")
    ranges = [
        range(size)[begin : None if count < 0 else begin + count]
        for size, begin, count in zip(full, begins, counts)
    ]
    return _taken(operation, source, ranges)


def _strided_slice(operation: Operation) -> Activation:
    source = operation.activation()
    full = full_shape(source)
    bounds = [operation.integers(number) for number in (1, 2, 3)]
    if any(len(one) != len(full) for one in bounds) or 0 in bounds[2]:
        operation.refuse(f"it takes {bounds} of {list(full)}")
    if any(operation.option(name) for name in ("ellipsis_mask", "new_axis_mask", "offset")):
        operation.refuse("its places are relative, or it adds axes")
    dropped = {axis for axis in range(len(full)) if _has(operation, "shrink_axis_mask", axis)}
    ranges = [
        _range(operation, axis, size, *one, is_single=axis in dropped)
        for axis, (size, *one) in enumerate(zip(full, *bounds))
    ]
    kept = tuple(len(one) for axis, one in enumerate(ranges) if axis not in dropped)
    found = _taken(operation, source, ranges)
    return reshaped(operation, found, kept) if dropped else found


def _range(operation: Operation, axis: int, size: int, *bounds: int, is_single: bool) -> range:
    """The places that a STRIDED_SLICE takes along an axis of `size`."""
    begin, end, step = bounds
    if is_single:
        place = operation.counted(begin, size)
        return range(place, place + 1)
    first = None if _has(operation, "begin_mask", axis) else begin
    last = None if _has(operation, "end_mask", axis) else end
    return range(size)[first:last:step]


def _has(operation: Operation, mask: str, axis: int) -> bool:
    """Whether the bit of an axis is set in the option `mask`."""
    return bool(operation.option(mask) >> axis & 1)


def _split(operation: Operation) -> Parts:
    source, count = operation.activation(1), len(operation.node.outputs)
    axis = _axis(operation, source, operation.integers(0))
    size = full_shape(source)[axis]
    if size % count:
        operation.refuse(f"it splits {size} elements into {count} parts", code="E112")
    return _parts(operation, source, axis, (size // count,) * count)


def _split_by_sizes(operation: Operation) -> Parts:
    source, sizes = operation.activation(), operation.integers(1)
    axis = _axis(operation, source, operation.integers(2))
    size = full_shape(source)[axis]
    rest = size - sum(one for one in sizes if one >= 0)
    sizes = tuple(rest if one < 0 else one for one in sizes)
    if len(sizes) != len(operation.node.outputs) or sum(sizes) != size or min(sizes) < 1:
        operation.refuse(f"it splits {size} elements into {list(sizes)}", code="E112")
    return _parts(operation, source, axis, sizes)


def _parts(operation: Operation, source: Activation, axis: int, sizes: tuple[int, ...]) -> Parts:
    """Parts of these sizes, one behind the other along the file's `axis`."""
    return tuple(
        _along(operation, source, axis, range(end - size, end)) if is_read else None
        for is_read, size, end in zip(operation.are_read, sizes, accumulate(sizes))
    )


def _unpack(operation: Operation) -> Parts:
    source, count = operation.activation(), len(operation.node.outputs)
    full = full_shape(source)
    axis = operation.counted(operation.option("axis"), len(full))
    if full[axis] != count:
        operation.refuse(f"it makes {count} parts of {full[axis]} elements", code="E112")
    rest = full[:axis] + full[axis + 1 :]
    return tuple(
        reshaped(operation, _along(operation, source, axis, range(place, place + 1)), rest)
        if is_read
        else None
        for place, is_read in enumerate(operation.are_read)
    )


def _gather(operation: Operation) -> Activation:
    """A slice, for constant indices that are one step apart; a single one can drop the axis."""
    source, indices = operation.activation(), operation.weight(1)
    full, places = full_shape(source), operation.integers(1)
    axis = operation.counted(operation.option("axis"), len(full))
    step = places[1] - places[0] if len(places) > 1 else 1
    found = range(places[0], places[-1] + (1 if step > 0 else -1), step) if places and step else ()
    is_inside = all(0 <= place < full[axis] for place in places)
    if not isinstance(found, range) or (*found,) != places or not is_inside:
        operation.refuse(f"it takes elements {list(places)[:8]}, which are not one step apart")
    if len(indices.shape) > 1 or operation.option("batch_dims"):
        operation.refuse(f"its indices are {list(indices.shape)}")
    chosen = _along(operation, source, axis, found)
    return chosen if indices.shape else reshaped(operation, chosen, full[:axis] + full[axis + 1 :])


def _reverse(operation: Operation) -> Activation:
    source = operation.activation()
    axis = _axis(operation, source, operation.integers(1))
    return _along(operation, source, axis, range(full_shape(source)[axis])[::-1])


def _axis(operation: Operation, source: Activation, given: tuple[int, ...]) -> int:
    """The one axis of the file's shape of `source` that is `given`."""
    if len(given) != 1:
        operation.refuse(f"it names the axes {list(given)}")
    return operation.counted(given[0], len(source.shape) + 1)


def _along(operation: Operation, source: Activation, axis: int, places: range) -> Activation:
    """The elements of `source` at `places` along the file's `axis`."""
    ranges = [range(size) for size in full_shape(source)]
    ranges[axis] = places
    return _taken(operation, source, ranges)


def _taken(operation: Operation, source: Activation, ranges: list[range]) -> Activation:
    """As `Translation.taken`, of ranges in the order of the file's axes."""
    batch, *others = ranges
    return operation.taken(source, [batch, *others[-1:], *others[:-1]])


OPERATORS: dict[str, Translator] = {
    "CONCATENATION": _concatenation,
    "PACK": _pack,
    "SLICE": _slice,
    "STRIDED_SLICE": _strided_slice,
    "SPLIT": _split,
    "SPLIT_V": _split_by_sizes,
    "UNPACK": _unpack,
    "GATHER": _gather,
    "REVERSE_V2": _reverse,
}
