"""Layers that change the spatial sizes by interpolation, or by taking the middle."""

from __future__ import annotations

from typing import Any

from convt_cli.arithmetic.keys import Ratio
from convt_cli.models.keras.operation import Operation, Translator
from convt_cli.models.translation import Activation, short, short_pairs

_MODES = ("nearest", "bilinear", "bicubic")
"""The interpolations that an upsample has."""


_OTHER_MODES = ("lanczos3", "lanczos5", "area", "gaussian", "mitchellcubic")
"""Those that it has not."""

_KEEPING = ("crop_to_aspect_ratio", "pad_to_aspect_ratio")
"""Settings by which a Resizing does not distort."""


def _upsampling(operation: Operation) -> Activation:
    source = operation.channels_front(operation.source)
    factors = operation.per_axis("size", len(source.shape) - 1)
    ratios = tuple(Ratio(numerator=factor) for factor in factors)
    factor = ratios[0] if len(set(ratios)) == 1 else ratios
    return _upsampled(operation, source, scale_factor=factor)


def _resizing(operation: Operation) -> Activation:
    source = operation.channels_front(operation.source)
    if len(source.shape) != 3:
        operation.refuse(f"it resizes {len(source.shape) - 1} spatial axes")
    wanted = operation.count("height"), operation.count("width")
    keeps = [
        name for name in ("crop_to_aspect_ratio", "pad_to_aspect_ratio") if operation.flag(name)
    ]
    is_distorted = wanted[0] * source.shape[2] != wanted[1] * source.shape[1]
    if keeps and is_distorted:
        operation.refuse(f"it keeps the ratio of height and width ({keeps[0]})")
    return _upsampled(operation, source, output_size=short(wanted))


def _upsampled(operation: Operation, source: Activation, **keys: Any) -> Activation:
    mode = operation.word("interpolation", _default_mode(operation), *_MODES, *_OTHER_MODES)
    if mode not in _MODES or operation.flag("antialias"):
        other = f"{operation.node.operator} by {mode}" + (
            ", smoothed" if operation.flag("antialias") else ""
        )
        given = operation.stand_in("upsample", source, stands_for=other, **keys)
    else:
        given = operation.layer("upsample", source, **keys, mode=mode)
    return operation.channels_back(given)


def _default_mode(operation: Operation) -> str:
    return "bilinear" if operation.node.operator == "Resizing" else "nearest"


def _center_crop(operation: Operation) -> Activation:
    source = operation.channels_front(operation.source)
    wanted = operation.count("height"), operation.count("width")
    sizes = source.shape[1:]
    if len(sizes) != 2 or any(size < want for size, want in zip(sizes, wanted)):
        operation.refuse(f"it makes {list(sizes)} larger")
    before = [(size - want) // 2 for size, want in zip(sizes, wanted)]
    pairs = tuple((first, size - want - first) for first, size, want in zip(before, sizes, wanted))
    return operation.channels_back(operation.layer("crop", source, padding=short_pairs(pairs)))


OPERATORS: dict[str, Translator] = {
    **{f"UpSampling{rank}D": _upsampling for rank in (1, 2, 3)},
    "Resizing": _resizing,
    "CenterCrop": _center_crop,
}
