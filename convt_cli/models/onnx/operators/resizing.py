"""Operators that change sizes: Resize, Upsample, Expand, Tile, DepthToSpace, SpaceToDepth."""

from __future__ import annotations

from typing import Any, TypeVar

import numpy as np

from convt_cli.arithmetic.convolution import Shape
from convt_cli.arithmetic.keys import LARGEST, Ratio
from convt_cli.models.onnx.nearest import Sampling
from convt_cli.models.onnx.operation import Operation, Translator
from convt_cli.models.onnx.operators.attributes import require_bounded
from convt_cli.models.translation import Activation, short

_T = TypeVar("_T", int, float)

_MODES = ("nearest", "linear", "cubic")
"""The modes of a Resize that an upsample has, under the same names."""


def _resize(operation: Operation) -> Activation:
    """An upsample for a Resize: of X, roi, scales, sizes from opset 11 on, of X, scales before."""
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
    """The values `given` for the axes that the node names, and `default` for the others."""
    axes = operation.node.integers("axes") or tuple(range(len(default)))
    if len(axes) != len(given):
        operation.refuse(f"it has {len(given)} scales or sizes for {len(axes)} axes")
    found = {operation.counted(axis, len(default)): value for axis, value in zip(axes, given)}
    return tuple(found.get(axis, value) for axis, value in enumerate(default))


def _scaled(operation: Operation, source: Activation, scales: tuple[float, ...]) -> Activation:
    """An upsample by `scales`: a scale_factor if all are whole, else the sizes they lead to.

    Those are floor(size * scale) in float32, as ONNX Runtime computes them.
    """
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
    """An upsample to the shape `full`; without `scales`, they are the ratios of the sizes."""
    if full[:2] != source.full_shape[:2]:
        operation.refuse("it changes the size of the batch or of the channels")
    require_bounded(operation, "sizes", full, 1)
    if not scales:
        scales = tuple(after / before for before, after in zip(source.full_shape, full))
    return _upsampled(operation, source, scales, output_size=short(full[2:]))


def _upsampled(
    operation: Operation, source: Activation, scales: tuple[float, ...], **keys: Any
) -> Activation:
    """An upsample, which stands in for a Resize that takes other elements as the nearest."""
    mode = _mode(operation)
    output = operation.geometry("upsample", source, **keys).output
    axes = zip(source.shape[1:], output[1:], scales[2:])  # (size, output size, scale) per axis
    others = (one for one in axes if not _sampling(operation, one[2]).takes_floors(*one))
    other = next(others, None) if mode == "nearest" else None
    if other is None:
        return operation.layer("upsample", source, **keys, mode=mode)
    _, _, scale = other
    sampling = ", ".join(_sampling(operation, scale))
    return operation.stand_in(
        "upsample", source, stands_for=f"Resize by {sampling}", **keys, mode=mode
    )


def _sampling(operation: Operation, scale: float) -> Sampling:
    """How a Resize finds the nearest elements; before opset 11 it has no attributes that say so."""
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
    return mode


_MOST_COPIES = 64
"""How often a layer is named as the source of one concat."""


def _expand(operation: Operation) -> Activation:
    """A concat for channels that an Expand repeats, and an upsample for spatial axes of size 1."""
    source = operation.activation()
    asked = operation.integers(1) or ()
    try:
        full = np.broadcast_shapes(source.full_shape, asked)
    except (ValueError, RuntimeError):  # RuntimeError: NumPy broadcasts up to 32 axes
        full = ()
    if len(full) != len(source.full_shape) or full[0] != source.batch:
        operation.refuse(f"it makes {list(asked)} of {list(source.full_shape)}")
    if full == source.full_shape:
        return operation.layer("identity", source)
    return grown(operation, source, full[1:])


def grown(operation: Operation, source: Activation, shape: Shape) -> Activation:
    """`source` repeated along its axes of size 1, to which `shape` gives other sizes."""
    widened = _repeated(operation, source, 0, shape[0] // source.shape[0])
    if shape == widened.shape:
        return widened
    return operation.layer("upsample", widened, output_size=short(shape[1:]))


def _tile(operation: Operation) -> Activation:
    source = operation.activation()
    batch, *counts = operation.integers(1) or (0,)
    if batch != 1 or len(counts) != len(source.shape) or min(counts) < 1:
        operation.refuse(f"it repeats {list(source.full_shape)} {[batch, *counts]} times")
    if max(counts) == 1:
        return operation.layer("identity", source)
    for axis, count in enumerate(counts):
        source = _repeated(operation, source, axis, count)
    return source


def _repeated(operation: Operation, source: Activation, axis: int, count: int) -> Activation:
    """`count` times the whole of `source`, one behind the other along `axis`."""
    if count > _MOST_COPIES:
        operation.refuse(f"it repeats its source {count} times")
    return operation.layer("concat", *[source] * count, axis=axis) if count > 1 else source


def _depth_to_space(operation: Operation) -> Activation:
    source, factor = operation.activation(), _block(operation)
    # DCR counts channels as (block, depth); a pixel_shuffle takes (depth, block), which is CRD
    if operation.node.word("mode", "DCR") == "DCR":
        source = operation.exchanged(source, factor**2, block_first=True)
    return operation.layer("pixel_shuffle", source, factor=factor)


def _space_to_depth(operation: Operation) -> Activation:
    factor = _block(operation)
    shuffled = operation.layer("pixel_unshuffle", operation.activation(), factor=factor)
    return operation.exchanged(shuffled, factor**2, block_first=False)


def _block(operation: Operation) -> int:
    """The side of a block, which is the factor of the spatial sizes."""
    factor = operation.node.integer("blocksize", 0)
    require_bounded(operation, "blocksize", (factor,), 1)
    return factor


OPERATORS: dict[str, Translator] = {
    "Resize": _resize,
    "Upsample": _upsample,
    "Expand": _expand,
    "Tile": _tile,
    "DepthToSpace": _depth_to_space,
    "SpaceToDepth": _space_to_depth,
}
