"""Operators that move, add or drop elements."""

from __future__ import annotations

from math import prod

from convt_cli.arithmetic.convolution import Shape
from convt_cli.arithmetic.keys import LARGEST, Pair
from convt_cli.models.pt2.operation import Operation, Translator
from convt_cli.models.translation import Activation, short_pairs


def _view(operation: Operation) -> Activation:
    source = operation.activation()
    asked = operation.full_sizes("size" if operation.argument("size") else "shape")
    return operation.in_shape(source, _completed(operation, source.full_shape, asked))


def _completed(operation: Operation, full: Shape, asked: Shape) -> Shape:
    """`asked`, with the size that the others leave in place of -1."""
    known = prod(size for size in asked if size != -1)
    found = tuple(prod(full) // known if size == -1 and known > 0 else size for size in asked)
    if prod(found) != prod(full) or min(found, default=0) < 1:
        operation.refuse(f"{list(full)} has no shape {list(asked)}", code="E120")
    return found


def _flatten(operation: Operation) -> Activation:
    source = operation.activation()
    full = source.full_shape
    start = operation.counted(operation.integer(0, "start_dim"), len(full))
    end = operation.counted(operation.integer(-1, "end_dim"), len(full))
    return operation.in_shape(
        source, (*full[:start], prod(full[start : end + 1]), *full[end + 1 :])
    )


def _unflatten(operation: Operation) -> Activation:
    source = operation.activation()
    full = source.full_shape
    axis = operation.counted(operation.integer(0, "dim"), len(full))
    sizes = _completed(operation, (full[axis],), operation.full_sizes("sizes"))
    return operation.in_shape(source, (*full[:axis], *sizes, *full[axis + 1 :]))


def _squeeze(operation: Operation) -> Activation:
    source = operation.activation()
    full = source.full_shape
    given = operation.axes(source, "dim")
    axes = range(len(full)) if given is None else given
    dropped = {axis for axis in axes if full[axis] == 1}
    kept = tuple(size for axis, size in enumerate(full) if axis not in dropped)
    return operation.in_shape(source, kept if 0 not in dropped else ())  # () is refused


def _unsqueeze(operation: Operation) -> Activation:
    source = operation.activation()
    full = source.full_shape
    axis = operation.counted(operation.integer(0, "dim"), len(full) + 1)
    return operation.in_shape(source, (*full[:axis], 1, *full[axis:]) if axis else ())


def _permute(operation: Operation) -> Activation:
    source = operation.activation()
    return _in_order(operation, source, operation.axes(source, "dims") or ())


def _transpose(operation: Operation) -> Activation:
    source = operation.activation()
    order = list(range(len(source.full_shape)))
    first, second = (
        operation.counted(operation.integer(axis, f"dim{axis}", f"axis{axis}"), len(order))
        for axis in (0, 1)
    )
    order[first], order[second] = order[second], order[first]
    return _in_order(operation, source, tuple(order))


def _in_order(operation: Operation, source: Activation, order: tuple[int, ...]) -> Activation:
    """The axes of `source` in another order, which leaves the batch in front."""
    if sorted(order) != list(range(len(source.full_shape))) or order[0] != 0:
        operation.refuse(f"{list(order)} does not leave the batch axis where it is")
    if list(order) == sorted(order):
        return operation.layer("identity", source)
    return operation.layer("transpose", source, axes=tuple(axis - 1 for axis in order[1:]))


def _pad(operation: Operation) -> Activation:
    source = operation.activation()
    given = operation.integers("pad", "padding") or ()
    rank = len(source.full_shape)
    if len(given) % 2 or len(given) > 2 * rank:
        operation.refuse(f"its pad is {len(given)} numbers for {rank} axes")
    if any(abs(one) > LARGEST for one in given):
        operation.refuse("its pad is beyond 2^53", code="E107")
    # PyTorch begins with the last axis
    pairs = [(before, after) for before, after in zip(given[::2], given[1::2])][::-1]
    on_all = ((0, 0),) * (rank - len(pairs)) + tuple(pairs)
    if any(map(any, on_all[:2])):
        operation.refuse("it pads the batch or the channels")
    return _padded(operation, source, on_all[2:])


def _padded(operation: Operation, source: Activation, pairs: tuple[Pair, ...]) -> Activation:
    """A crop for what is negative, then a pad; it stands in for one that adds other than zeros."""
    cut = tuple((max(0, -before), max(0, -after)) for before, after in pairs)
    added = tuple((max(0, before), max(0, after)) for before, after in pairs)
    cropped = operation.cropped(source, cut)
    if not any(map(any, added)):
        return cropped if any(map(any, cut)) else operation.layer("identity", source)
    mode, value = _mode(operation), operation.number(0, "value")
    padding = short_pairs(added)
    if mode == "constant" and not value:
        return operation.layer("pad", cropped, padding=padding)
    other = f"pad with {value:g}" if mode == "constant" else f"pad in mode {mode}"
    return operation.stand_in("pad", cropped, stands_for=other, padding=padding)


def _mode(operation: Operation) -> str:
    for mode in ("reflect", "replicat"):
        if operation.node.operator.startswith(mode):
            return mode.replace("cat", "cate")
    word = operation.argument("mode")
    return word if isinstance(word, str) else "constant"


def _slice(operation: Operation) -> Activation:
    end = operation.argument("end")
    return _taken(
        operation,
        slice(
            operation.integer(0, "start"),
            end if isinstance(end, int) else None,
            operation.integer(1, "step"),
        ),
    )


def _narrow(operation: Operation) -> Activation:
    start = operation.integer(0, "start")
    return _taken(operation, slice(start, start + operation.integer(1, "length")))


def _taken(operation: Operation, part: slice) -> Activation:
    """`part` of the axis `dim`."""
    source = operation.activation()
    full = source.full_shape
    axis = operation.counted(operation.integer(0, "dim"), len(full))
    ranges = [range(size) for size in full]
    ranges[axis] = ranges[axis][part]
    return operation.taken(source, ranges)


def _channel_shuffle(operation: Operation) -> Activation:
    source, groups = operation.activation(), operation.integer(1, "groups")
    channels, *sizes = source.shape
    if groups < 1 or channels % groups:
        operation.refuse(f"{groups} groups do not divide its {channels} channels", code="E126")
    apart = operation.layer("reshape", source, shape=(groups, channels // groups, *sizes))
    axes = (1, 0, *range(2, 2 + len(sizes)))
    exchanged = operation.layer("transpose", apart, axes=axes)
    return operation.layer("reshape", exchanged, shape=source.shape)


OPERATORS: dict[str, Translator] = {
    **dict.fromkeys(("view", "reshape", "_unsafe_view", "view_copy", "_reshape_alias"), _view),
    "flatten": _flatten,
    "unflatten": _unflatten,
    "squeeze": _squeeze,
    "unsqueeze": _unsqueeze,
    "permute": _permute,
    **dict.fromkeys(("transpose", "swapaxes"), _transpose),
    **dict.fromkeys(("pad", "constant_pad_nd"), _pad),
    **{f"{mode}_pad{rank}d": _pad for mode in ("reflection", "replication") for rank in (1, 2, 3)},
    "slice": _slice,
    "narrow": _narrow,
    "channel_shuffle": _channel_shuffle,
}
