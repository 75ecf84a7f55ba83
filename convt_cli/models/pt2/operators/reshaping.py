"""Operators that move, add or drop elements."""

from __future__ import annotations

from math import isfinite, prod

from convt_cli.arithmetic.convolution import Shape
from convt_cli.arithmetic.keys import LARGEST, Pair
from convt_cli.models.pt2.operation import Operation, Rows, Translator
from convt_cli.models.translation import Activation, short, short_pairs

_PRODUCTS = {"mm", "addmm"}
"""The operators that multiply rows by a matrix."""


def _view(operation: Operation) -> Activation | Rows:
    given = operation.argument("self")
    source = given.source if isinstance(given, Rows) else operation.activation()
    asked = operation.full_sizes("size" if operation.argument("size") else "shape")
    wanted = _completed(operation, source.full_shape, asked)
    *others, last = source.full_shape
    are_rows = wanted == (prod(others), last) and wanted[0] != source.batch
    if are_rows and operation.readers and operation.readers <= _PRODUCTS:
        return Rows(source)
    return operation.in_shape(source, wanted)


def _completed(operation: Operation, full: Shape, asked: Shape) -> Shape:
    """`asked`, with the size that the others leave in place of -1."""
    known = prod(size for size in asked if size != -1)
    found = tuple(prod(full) // known if size == -1 and known > 0 else size for size in asked)
    if prod(found) != prod(full) or min(found, default=0) < 1:
        operation.refuse(f"{list(full)} has no shape {list(asked)}", code="E120")
    return found


def _as_strided(operation: Operation) -> Activation:
    """The elements of one axis in another shape of one axis; its other sizes are 1."""
    source, wanted = operation.activation(), operation.full_sizes("size")
    longest = prod(source.full_shape)
    same = prod(wanted) == longest == max(wanted, default=0) == max(source.full_shape)
    if not same or operation.integer(0, "storage_offset"):
        operation.refuse("it reads memory in another order")
    strides = dict(zip(wanted, operation.integers("stride") or ()))
    if strides.get(longest, 1) != 1:
        operation.refuse("it reads memory in another order")
    return operation.in_shape(source, wanted)


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
    return operation.in_order(source, operation.axes(source, "dims") or ())


def _transpose(operation: Operation) -> Activation:
    source = operation.activation()
    order = list(range(len(source.full_shape)))
    first, second = (
        operation.counted(operation.integer(axis, f"dim{axis}", f"axis{axis}"), len(order))
        for axis in (0, 1)
    )
    order[first], order[second] = order[second], order[first]
    return operation.in_order(source, tuple(order))


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
    if any(on_all[0]):
        operation.refuse("it pads the batch")
    return _padded(operation, source, on_all[1:])


def _padded(operation: Operation, source: Activation, pairs: tuple[Pair, ...]) -> Activation:
    """Slices for what is negative, then a pad; it stands in for one that no layer does."""
    added = tuple((max(0, before), max(0, after)) for before, after in pairs)
    cropped = _sliced(operation, source, pairs)
    if not any(map(any, added)):
        return operation.layer("identity", source) if cropped is source else cropped
    mode, value = _mode(operation), operation.argument("value") or 0.0
    if not isinstance(value, int | float):
        operation.refuse("its value is not known")
    if mode != "constant":
        return _padded_channels_too(operation, cropped, added, mode)
    if not isfinite(value):
        operation.notes.append(f"pad with zeros stands for pad with {value:g}")
        return _padded_channels_too(operation, cropped, added, "zeros")
    # other numbers than zeros: the zeros of a source that is less by so much
    lower = operation.scaled(cropped, 1, -value)
    padded = _padded_channels_too(operation, lower, added, "zeros")
    return operation.scaled(padded, 1, value)


def _sliced(operation: Operation, source: Activation, pairs: tuple[Pair, ...]) -> Activation:
    """`source` without what negative pads cut off."""
    for axis, (before, after) in enumerate(pairs):
        if before < 0 or after < 0:
            end = after if after < 0 else None
            source = operation.layer("slice", source, axis=axis, begin=max(0, -before), end=end)
    return source


def _padded_channels_too(
    operation: Operation, source: Activation, pairs: tuple[Pair, ...], mode: str
) -> Activation:
    """A pad of the spatial axes, after one of the channels, for which they become spatial."""
    if len(pairs) == 1:
        return operation.layer("pad", source, padding=short_pairs(pairs), mode=mode)
    if any(pairs[0]):
        channels, *sizes = source.shape
        apart = operation.layer("reshape", source, shape=(1, channels, prod(sizes)))
        padded = operation.layer("pad", apart, padding=(pairs[0], (0, 0)), mode=mode)
        full = (channels + sum(pairs[0]), *sizes)
        source = operation.layer("reshape", padded, shape=full)
    if not any(map(any, pairs[1:])):
        return source
    return operation.layer("pad", source, padding=short_pairs(pairs[1:]), mode=mode)


def _mode(operation: Operation) -> str:
    for mode in ("reflect", "replicat"):
        if operation.node.operator.startswith(mode):
            return mode.replace("cat", "cate")
    word = operation.argument("mode")
    return word if isinstance(word, str) else "constant"


def _expand(operation: Operation) -> Activation:
    source = operation.activation()
    asked = operation.full_sizes("size")
    missing = len(asked) - len(source.full_shape)
    full = (1,) * missing + source.full_shape
    wanted = tuple(own if size == -1 else size for own, size in zip(full, asked))
    return _expanded(operation, source, wanted)


def _expand_as(operation: Operation) -> Activation:
    return _expanded(operation, operation.activation(), operation.activation("other").full_shape)


def _expanded(operation: Operation, source: Activation, wanted: Shape) -> Activation:
    """A repetition along spatial axes of size 1, which is a nearest upsample."""
    full = source.full_shape
    if wanted == full:
        return operation.layer("identity", source)
    if len(wanted) != len(full) or wanted[:2] != full[:2]:
        operation.refuse(f"it repeats channels or the batch: {list(full)} to {list(wanted)}")
    if min(wanted) < 1 or any(own not in (1, size) for own, size in zip(full, wanted)):
        operation.refuse(f"{list(full)} cannot become {list(wanted)}", code="E505")
    return operation.layer("upsample", source, output_size=short(wanted[2:]))


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
    "as_strided": _as_strided,
    "flatten": _flatten,
    "unflatten": _unflatten,
    "squeeze": _squeeze,
    "unsqueeze": _unsqueeze,
    "permute": _permute,
    **dict.fromkeys(("transpose", "swapaxes"), _transpose),
    **dict.fromkeys(("pad", "constant_pad_nd"), _pad),
    **{f"{mode}_pad{rank}d": _pad for mode in ("reflection", "replication") for rank in (1, 2, 3)},
    **dict.fromkeys(("expand", "broadcast_to"), _expand),
    "expand_as": _expand_as,
    "channel_shuffle": _channel_shuffle,
}
