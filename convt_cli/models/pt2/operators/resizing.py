"""Operators that change the spatial sizes: upsampling and the pixel shuffles."""

from __future__ import annotations

from typing import Any

from convt_cli.arithmetic.keys import LARGEST, Factor
from convt_cli.models.pt2.operation import Operation, Translator
from convt_cli.models.translation import Activation, short
from convt_cli.spec.values import factor_of

_MODES = {
    "upsample_nearest1d": "nearest",
    "upsample_nearest2d": "nearest",
    "upsample_nearest3d": "nearest",
    "upsample_linear1d": "linear",
    "upsample_bilinear2d": "bilinear",
    "upsample_bicubic2d": "bicubic",
    "upsample_trilinear3d": "trilinear",
}
"""The mode of an upsample that does what the operator does."""

_STAND_INS = {
    "_upsample_nearest_exact1d": "nearest",
    "_upsample_nearest_exact2d": "nearest",
    "_upsample_nearest_exact3d": "nearest",
    "_upsample_bilinear2d_aa": "bilinear",
    "_upsample_bicubic2d_aa": "bicubic",
}
"""The mode of an upsample that has the operator's shapes and takes other elements."""


def _upsample(operation: Operation) -> Activation:
    source, operator = operation.activation(), operation.node.operator
    keys = _size_keys(operation, len(source.shape) - 1)
    if operator in _STAND_INS:
        mode = _STAND_INS[operator]
        # by a whole factor the nearest of the centres are the elements that nearest takes
        if mode == "nearest" and _grows_by_whole_factors(operation, source, keys):
            return operation.layer("upsample", source, **keys, mode=mode)
        return operation.stand_in("upsample", source, **keys, mode=mode)
    if operation.flag("align_corners"):
        other = f"{operator} with align_corners"
        return operation.stand_in(
            "upsample", source, stands_for=other, **keys, mode=_MODES[operator]
        )
    return operation.layer("upsample", source, **keys, mode=_MODES[operator])


def _grows_by_whole_factors(operation: Operation, source: Activation, keys: dict[str, Any]) -> bool:
    output = operation.geometry("upsample", source, **keys).output
    return not any(wanted % size for wanted, size in zip(output[1:], source.shape[1:]))


def _size_keys(operation: Operation, rank: int) -> dict[str, Any]:
    """output_size or scale_factor, whichever of the two the model was given."""
    scales = operation.argument("scale_factors")
    if isinstance(scales, tuple) and scales:
        factors = tuple(_factor(operation, scale) for scale in scales)
        if len(factors) != rank:
            operation.refuse(f"it has {len(factors)} scale_factors for {rank} axes", code="E106")
        return {"scale_factor": factors[0] if len(set(factors)) == 1 else factors}
    return {"output_size": short(operation.per_axis("output_size", rank, 1))}


def _factor(operation: Operation, scale: object) -> Factor:
    if not isinstance(scale, int | float) or not 1 / LARGEST <= scale <= LARGEST:
        operation.refuse("its scale_factors are not known")
    return factor_of(float(scale))


def _pixel_shuffle(operation: Operation) -> Activation:
    factor = operation.integer(1, "upscale_factor")
    return operation.layer("pixel_shuffle", operation.activation(), factor=factor)


def _pixel_unshuffle(operation: Operation) -> Activation:
    factor = operation.integer(1, "downscale_factor")
    return operation.layer("pixel_unshuffle", operation.activation(), factor=factor)


OPERATORS: dict[str, Translator] = {
    **dict.fromkeys((*_MODES, *_STAND_INS), _upsample),
    "pixel_shuffle": _pixel_shuffle,
    "pixel_unshuffle": _pixel_unshuffle,
}
