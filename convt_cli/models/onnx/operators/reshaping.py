"""Operators that keep, drop, repeat or rearrange elements."""

from __future__ import annotations

from math import prod
from typing import Any, TypeVar

import numpy as np

from convt_cli.arithmetic.convolution import Shape
from convt_cli.arithmetic.keys import LARGEST, Pair, Ratio
from convt_cli.models.onnx.nearest import Sampling
from convt_cli.models.onnx.operation import Activation, Operation
from convt_cli.models.onnx.operators.attributes import (
    pairs_of,
    require_bounded,
    short,
    short_pairs,
)
from convt_cli.models.onnx.slicing import taken

_T = TypeVar("_T", int, float)

_MODES = {"nearest": "nearest", "linear": "linear", "cubic": "cubic"}


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
    known = prod(size for size in asked if size != -1)
    if known > 0:
        asked = tuple(prod(full) // known if size == -1 else size for size in asked)
    if prod(asked) != prod(full) or min(asked, default=0) < 1:
        operation.refuse(f"{list(full)} has no shape {list(asked)}", code="E120")
    return _in_shape(operation, source, asked)


def _size(shape: Shape, axis: int) -> int:
    return shape[axis] if axis < len(shape) else 0


def _in_shape(operation: Operation, source: Activation, full: Shape) -> Activation:
    """The same elements in the shape `full`, whose first axis has to be the batch."""
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
    return _in_shape(operation, source, kept if 0 not in axes else ())


def _unsqueeze(operation: Operation) -> Activation:
    source = operation.activation()
    given = operation.integers(1, "axes") or ()
    rank = len(source.full_shape) + len(given)
    axes = {operation.counted(axis, rank) for axis in given}
    sizes = iter(source.full_shape)
    full = tuple(1 if axis in axes else next(sizes, 1) for axis in range(rank))
    return _in_shape(operation, source, full if 0 not in axes else ())


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
    cut = tuple((max(0, -before), max(0, -after)) for before, after in pairs[2:])
    added = tuple((max(0, before), max(0, after)) for before, after in pairs[2:])
    cropped = _cropped(operation, source, cut)
    if any(map(any, added)):
        return _added(operation, cropped, added)
    return cropped if any(map(any, cut)) else operation.layer("identity", source)


def _added(operation: Operation, source: Activation, added: tuple[Pair, ...]) -> Activation:
    """`source` with what a Pad adds; a pad adds zeros, and stands for others."""
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
    """Pads of some axes as pads of all."""
    rank = len(source.full_shape)
    axes = operation.integers(3) or tuple(range(rank))
    if len(axes) != len(pairs):
        operation.refuse(f"it has {len(pairs)} pairs of pads for {len(axes)} axes")
    found = {operation.counted(axis, rank): pair for axis, pair in zip(axes, pairs)}
    for pair in pairs:
        require_bounded(operation, "pads", pair, -LARGEST)
    return tuple(found.get(axis, (0, 0)) for axis in range(rank))


def _cropped(operation: Operation, source: Activation, cut: tuple[Pair, ...]) -> Activation:
    """`source` without what `cut` takes off its spatial axes; a layer only if that is anything."""
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
    cut = tuple((one[0], size - 1 - one[-1]) for one, size in zip(ranges[2:], full[2:]))
    steps = tuple(one.step if len(one) > 1 else 1 for one in ranges[2:])
    cropped = _cropped(operation, source, cut)
    if any(step > 1 for step in steps):
        return operation.layer("max_pool", cropped, kernel_size=1, stride=short(steps))
    return cropped if any(map(any, cut)) else operation.layer("identity", source)


def _resize(operation: Operation) -> Activation:
    """Resize, whose inputs are X, roi, scales and sizes from opset 11 on, X and scales before."""
    source = operation.activation()
    if operation.node.word("coordinate_transformation_mode", "") == "tf_crop_and_resize":
        operation.refuse("it crops and resizes in one")
    newer = operation.opset >= 11
    sizes = operation.integers(3) if newer else None
    if sizes:
        if operation.node.word("keep_aspect_ratio_policy", "stretch") != "stretch":
            operation.refuse("its sizes depend on the ratio of its source's")
        return _resized(operation, source, _of_all_axes(operation, source.full_shape, sizes))
    scales = operation.numbers(2 if newer else 1) or ()
    ones = (1.0,) * len(source.full_shape)
    return _scaled(operation, source, _of_all_axes(operation, ones, scales))


def _upsample(operation: Operation) -> Activation:
    scales = operation.numbers(1, "scales") or ()
    return _scaled(operation, operation.activation(), tuple(map(float, scales)))


def _of_all_axes(
    operation: Operation, default: tuple[_T, ...], given: tuple[_T, ...]
) -> tuple[_T, ...]:
    """What is given for some axes, as something for all of them."""
    axes = operation.node.integers("axes") or tuple(range(len(default)))
    if len(axes) != len(given):
        operation.refuse(f"it has {len(given)} scales or sizes for {len(axes)} axes")
    found = {operation.counted(axis, len(default)): value for axis, value in zip(axes, given)}
    return tuple(found.get(axis, value) for axis, value in enumerate(default))


def _scaled(operation: Operation, source: Activation, scales: tuple[float, ...]) -> Activation:
    """floor(size * scale) in float32, as ONNX Runtime has it; whole factors stay factors."""
    full = source.full_shape
    if len(scales) != len(full) or not all(0 < scale <= LARGEST for scale in scales):
        operation.refuse(f"its scales are {list(scales)}")
    if not all(float(scale).is_integer() for scale in scales):
        sizes = (int(np.float32(size) * np.float32(scale)) for size, scale in zip(full, scales))
        return _resized(operation, source, tuple(sizes), scales)
    if any(scale != 1 for scale in scales[:2]):
        operation.refuse("it scales the batch or the channels")
    require_bounded(operation, "scales", tuple(map(int, scales)), 1)
    factors = tuple(Ratio(numerator=int(scale)) for scale in scales[2:])
    factor = factors[0] if len(set(factors)) == 1 else factors
    return _upsampled(operation, source, scales, scale_factor=factor)


def _resized(
    operation: Operation, source: Activation, full: Shape, scales: tuple[float, ...] = ()
) -> Activation:
    """`source` in the sizes `full`; without `scales` they are those that the sizes come to."""
    if full[:2] != source.full_shape[:2]:
        operation.refuse("it changes the size of the batch or of the channels")
    require_bounded(operation, "sizes", full, 1)
    if not scales:
        scales = tuple(after / before for before, after in zip(source.full_shape, full))
    return _upsampled(operation, source, scales, output_size=short(full[2:]))


def _upsampled(
    operation: Operation, source: Activation, scales: tuple[float, ...], **keys: Any
) -> Activation:
    """An upsample, which only stands for a Resize whose nearest elements are others."""
    mode = _mode(operation)
    output = operation.geometry("upsample", source, **keys).output
    axes = zip(source.shape[1:], output[1:], scales[2:])
    others = (one for one in axes if not _sampling(operation, one[2]).takes_floors(*one))
    other = next(others, None) if mode == "nearest" else None
    if other is None:
        return operation.layer("upsample", source, **keys, mode=mode)
    sampling = ", ".join(_sampling(operation, other[2]))
    return operation.stand_in(
        "upsample", source, stands_for=f"Resize by {sampling}", **keys, mode=mode
    )


def _sampling(operation: Operation, scale: float) -> Sampling:
    """How a Resize of an axis finds the nearest elements; before opset 11 nothing says so."""
    if operation.opset < 11:
        return Sampling("asymmetric", "ceil" if scale < 1 else "floor")
    word = operation.node.word
    return Sampling(
        word("coordinate_transformation_mode", "half_pixel"),
        word("nearest_mode", "round_prefer_floor"),
    )


def _mode(operation: Operation) -> str:
    mode = operation.node.word("mode", "nearest")
    if mode not in _MODES:
        operation.refuse(f"its mode is '{mode}'")
    return _MODES[mode]


def _expand(operation: Operation) -> Activation:
    """Broadcasting along the spatial axes is what the nearest neighbour does to a size of 1."""
    source = operation.activation()
    asked = operation.integers(1) or ()
    try:
        full = np.broadcast_shapes(source.full_shape, asked)
    except (ValueError, RuntimeError):  # RuntimeError: NumPy broadcasts up to 32 axes
        full = ()
    if len(full) != len(source.full_shape) or full[:2] != source.full_shape[:2]:
        operation.refuse(f"it makes {list(asked)} of {list(source.full_shape)}")
    if full == source.full_shape:
        return operation.layer("identity", source)
    return operation.layer("upsample", source, output_size=short(full[2:]))


def _depth_to_space(operation: Operation) -> Activation:
    source, factor = operation.activation(), _block(operation)
    if operation.node.word("mode", "DCR") == "DCR":
        source = _exchanged(operation, source, factor**2, block_first=True)
    return operation.layer("pixel_shuffle", source, factor=factor)


def _space_to_depth(operation: Operation) -> Activation:
    factor = _block(operation)
    shuffled = operation.layer("pixel_unshuffle", operation.activation(), factor=factor)
    return _exchanged(operation, shuffled, factor**2, block_first=False)


def _block(operation: Operation) -> int:
    factor = operation.node.integer("blocksize", 0)
    require_bounded(operation, "blocksize", (factor,), 1)
    return factor


def _exchanged(
    operation: Operation, source: Activation, block: int, *, block_first: bool
) -> Activation:
    """Channels that count blocks before depths, counting depths before blocks, or back."""
    channels, *sizes = source.shape
    depth, left = divmod(channels, block)
    if left:
        operation.refuse(f"{block} does not divide its {channels} channels", code="E126")
    if depth == 1 or block == 1:
        return source
    pair = (block, depth) if block_first else (depth, block)
    axes = (1, 0, *range(2, 2 + len(sizes)))
    apart = operation.layer("reshape", source, shape=(*pair, *sizes))
    return operation.layer(
        "reshape", operation.layer("transpose", apart, axes=axes), shape=source.shape
    )


OPERATORS = {
    "Flatten": _flatten,
    "Reshape": _reshape,
    "Squeeze": _squeeze,
    "Unsqueeze": _unsqueeze,
    "Transpose": _transpose,
    "Pad": _pad,
    "Slice": _slice,
    "Resize": _resize,
    "Upsample": _upsample,
    "Expand": _expand,
    "DepthToSpace": _depth_to_space,
    "SpaceToDepth": _space_to_depth,
}
