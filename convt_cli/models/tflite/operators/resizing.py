"""Operators that change sizes: resizes, the two of space and depth, and repetitions."""

from __future__ import annotations

from convt_cli.models.channels_last import channels_first, full_shape
from convt_cli.models.tflite.operation import Operation, Translator
from convt_cli.models.translation import Activation, short

_MOST_COPIES = 64
"""How often a layer is named as the source of one concat."""


def _resize(mode: str) -> Translator:
    """The translator of a resize: an upsample with half-pixel centres, or one that stands in."""

    def translate(operation: Operation) -> Activation:
        source, sizes = operation.activation(), operation.integers(1)
        if len(sizes) != 2 or min(sizes) < 1 or len(source.shape) != 3:
            operation.refuse(f"it resizes {list(full_shape(source))} to {list(sizes)}")
        keys = {"output_size": short(sizes), "mode": mode}
        how = _sampling(operation)
        # nearest elements of whole factors are the same without half-pixel centres
        is_whole = not any(wanted % size for wanted, size in zip(sizes, source.shape[1:]))
        is_copied = mode == "nearest" and is_whole and how != "align_corners"
        if how == "half_pixel_centers" or is_copied or sizes == source.shape[1:]:
            return operation.layer("upsample", source, **keys)
        other = f"{operation.node.operator} by {how}"
        return operation.stand_in("upsample", source, stands_for=other, **keys)

    return translate


def _sampling(operation: Operation) -> str:
    """How a resize finds the places that it reads."""
    options = ("half_pixel_centers", "align_corners")
    return next((name for name in options if operation.option(name)), "asymmetric places")


def _depth_to_space(operation: Operation) -> Activation:
    factor = _block(operation)
    # channels are counted as (block, depth); a pixel_shuffle takes (depth, block)
    source = operation.exchanged(operation.activation(), factor**2, block_first=True)
    return operation.layer("pixel_shuffle", source, factor=factor)


def _space_to_depth(operation: Operation) -> Activation:
    factor = _block(operation)
    shuffled = operation.layer("pixel_unshuffle", operation.activation(), factor=factor)
    return operation.exchanged(shuffled, factor**2, block_first=False)


def _block(operation: Operation) -> int:
    """The side of a block, which is the factor of the spatial sizes."""
    factor = operation.option("block_size")
    if factor < 1 or len(operation.activation().shape) != 3:
        operation.refuse(f"its block_size is {factor}", code="E107")
    return factor


def _tile(operation: Operation) -> Activation:
    source = operation.activation()
    batch, *counts = operation.integers(1) or (0,)
    if batch != 1 or len(counts) != len(source.shape) or min(counts) < 1:
        operation.refuse(f"it repeats {list(full_shape(source))} {[batch, *counts]} times")
    if max(counts) == 1:
        return operation.layer("identity", source)
    for axis, count in enumerate(channels_first(tuple(counts))):
        if count > _MOST_COPIES:
            operation.refuse(f"it repeats its source {count} times")
        if count > 1:
            source = operation.layer("concat", *[source] * count, axis=axis)
    return source


def _broadcast_to(operation: Operation) -> Activation:
    """A repetition along spatial axes of size 1, which is a nearest upsample."""
    source, wanted = operation.activation(), operation.integers(1)
    full = full_shape(source)
    if wanted == full:
        return operation.layer("identity", source)
    is_same = len(wanted) == len(full) and (wanted[0], wanted[-1]) == (full[0], full[-1])
    if not is_same or any(own not in (1, size) for own, size in zip(full, wanted)):
        operation.refuse(f"it repeats channels or the batch: {list(full)} to {list(wanted)}")
    if min(wanted) < 1:
        operation.refuse(f"{list(full)} cannot become {list(wanted)}")
    return operation.layer("upsample", source, output_size=short(wanted[1:-1]))


OPERATORS: dict[str, Translator] = {
    "RESIZE_BILINEAR": _resize("bilinear"),
    "RESIZE_NEAREST_NEIGHBOR": _resize("nearest"),
    "DEPTH_TO_SPACE": _depth_to_space,
    "SPACE_TO_DEPTH": _space_to_depth,
    "TILE": _tile,
    "BROADCAST_TO": _broadcast_to,
}
