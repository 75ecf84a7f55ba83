"""Operators that take some elements along an axis: Slice, Split and Gather."""

from __future__ import annotations

from itertools import accumulate

from convt_cli.models.onnx.operation import Operation, Translator
from convt_cli.models.onnx.slicing import taken
from convt_cli.models.translation import Activation


def _slice(operation: Operation) -> Activation:
    source = operation.activation()
    full = source.full_shape
    try:
        ranges = taken(full, operation.integers)
    except ValueError as error:
        operation.refuse(f"its axes do not fit {list(full)}: {error}")
    return operation.taken(source, ranges)


def _split(operation: Operation) -> tuple[Activation | None, ...]:
    source = operation.activation()
    full = source.full_shape
    axis = operation.axis("axis", 0, len(full))
    sizes = _split_sizes(operation, full[axis])
    ends = accumulate(sizes)
    # the whole of every axis but one
    axes = [range(size) for size in full]
    return tuple(
        operation.taken(source, [*axes[:axis], range(end - size, end), *axes[axis + 1 :]])
        if is_read
        else None
        for is_read, size, end in zip(operation.node.outputs, sizes, ends)
    )


def _split_sizes(operation: Operation, size: int) -> tuple[int, ...]:
    """How many elements each output of a Split has: equally many, but for the last, by default."""
    count = len(operation.node.outputs)
    given = operation.integers(1, "split")
    if given is None:
        each = -(-size // count)
        given = (*(each,) * (count - 1), size - each * (count - 1))
    if len(given) != count or sum(given) != size or min(given) < 1:
        operation.refuse(f"it splits {size} elements into {list(given)}", code="E112")
    return given


def _gather(operation: Operation) -> Activation:
    """A slice, for constant indices that are one step apart; a single one can drop the axis."""
    source, indices = operation.activation(), operation.weight(1)
    full = source.full_shape
    axis = operation.axis("axis", 0, len(full))
    places = [operation.counted(one, full[axis]) for one in operation.integers(1) or ()]
    step = places[1] - places[0] if len(places) > 1 else 1
    if not places or not step or len(indices.shape) > 1:
        operation.refuse(f"it takes elements {places}, which are not one step apart")
    found = range(places[0], places[-1] + (1 if step > 0 else -1), step)
    if [*found] != places:
        operation.refuse(f"it takes elements {places}, which are not one step apart")
    rest = full[:axis] + full[axis + 1 :]
    ranges = [*map(range, full[:axis]), found, *map(range, full[axis + 1 :])]
    chosen = operation.taken(source, ranges)
    return chosen if indices.shape else operation.in_shape(chosen, rest if axis else ())


OPERATORS: dict[str, Translator] = {"Slice": _slice, "Split": _split, "Gather": _gather}
