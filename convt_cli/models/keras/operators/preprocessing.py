"""Layers that do something in training alone, and those that scale images by fixed numbers."""

from __future__ import annotations

from math import sqrt
from typing import Any

from convt_cli.models.keras.operation import Operation, Translator, inline, numbers_in
from convt_cli.models.translation import Activation

_DROPOUTS = (
    *("Dropout", "SpatialDropout1D", "SpatialDropout2D", "SpatialDropout3D", "AlphaDropout"),
    *("GaussianDropout", "GaussianNoise"),
)
_RANDOM = (
    *("RandomFlip", "RandomRotation", "RandomZoom", "RandomTranslation", "RandomContrast"),
    *("RandomBrightness", "RandomHeight", "RandomWidth", "RandomShear", "RandomPerspective"),
    *("RandomSaturation", "RandomHue", "RandomSharpness", "RandomColorJitter", "RandomErasing"),
    *("RandomGrayscale", "RandomInvert", "RandomPosterization", "RandomGaussianBlur"),
    *("RandomColorDegeneration", "RandomElasticTransform", "RandomApply"),
    *("MixUp", "CutMix", "AugMix", "RandAugment"),
)
"""Layers that change their images in training alone."""

_NOTHING = ("InputLayer", "Identity", "ActivityRegularization")

_LEAST_DEVIATION = 1e-7
"""Keras's epsilon, below which Normalization divides by it."""


def _dropout(operation: Operation) -> Activation:
    if operation.is_training():
        return operation.stand_in("dropout", operation.source)
    return operation.layer("dropout", operation.source)


def _augmentation(operation: Operation) -> Activation:
    operation.notes.append(f"identity for {operation.node.operator}, which works in training alone")
    return operation.layer("identity", operation.source)


def _nothing(operation: Operation) -> Activation:
    return operation.layer("identity", operation.source)


def _rescaling(operation: Operation) -> Activation:
    source = operation.source
    scale, offset = (
        numbers_in(default if operation.setting(name) is None else operation.setting(name))
        for name, default in (("scale", 1.0), ("offset", 0.0))
    )
    if not scale or not offset:
        operation.refuse("its scale or its offset is not known")
    axis = operation.axis(-1, source)
    return operation.along(source, axis, lambda turned: _scaled(operation, turned, scale, offset))


def _normalization(operation: Operation) -> Activation:
    source = operation.source
    if operation.setting("axis") is None:
        axes: list[int] = []
    else:
        axes = operation.axes("axis", source, -1)
    if len(axes) > 1 or operation.flag("invert"):
        operation.refuse("it normalises along several axes, or is inverted")
    mean, variance = (numbers_in(operation.setting(name)) for name in ("mean", "variance"))

    def normalised(turned: Activation) -> Activation:
        if mean and variance:
            deviations = [max(sqrt(max(one, 0)), _LEAST_DEVIATION) for one in variance]
            factors, addends = _line(operation, mean, deviations)
            return _scaled(operation, turned, factors, addends)
        return _adapted(operation, turned, bool(axes))

    return operation.along(source, axes[0] if axes else 0, normalised)


def _line(
    operation: Operation, mean: list[float], deviations: list[float]
) -> tuple[list[float], list[float]]:
    """The factors and the addends of (x - mean) / deviation."""
    count = max(len(mean), len(deviations))
    if {len(mean), len(deviations)} - {1, count}:
        operation.refuse("its mean and its variance have different sizes")
    means, spread = (one * count if len(one) == 1 else one for one in (mean, deviations))
    return [1 / one for one in spread], [-one / by for one, by in zip(means, spread)]


def _adapted(operation: Operation, source: Activation, per_channel: bool) -> Activation:
    """By the numbers that `adapt` has found, which the file holds as variables."""
    if not per_channel:
        operation.refuse("it has found one mean for all axes")
    shape = source.shape[:1]
    operation.notes.append("Normalization counts one number more, of its examples")
    return operation.layer(
        "batch_norm",
        source,
        affine=False,
        eps=0.0,
        running_mean=operation.variable("mean", shape=shape),
        running_var=operation.variable("variance", shape=shape),
    )


def _scaled(
    operation: Operation, source: Activation, factors: list[float], addends: list[float]
) -> Activation:
    """`source` times numbers plus numbers, one for all channels or one for each."""
    if {len(factors), len(addends)} - {1, source.shape[0]}:
        operation.refuse(f"its numbers are not one for each of {source.shape[0]} channels")
    keys: dict[str, Any] = {}
    for key, numbers, nothing in (("weight", factors, 1), ("bias", addends, 0)):
        if any(number != nothing for number in numbers):
            keys[key] = inline(numbers)
    if not keys:
        return operation.layer("identity", source)
    return operation.layer("scale", source, **keys, learned=False)


OPERATORS: dict[str, Translator] = {
    **dict.fromkeys(_DROPOUTS, _dropout),
    **dict.fromkeys(_RANDOM, _augmentation),
    **dict.fromkeys(_NOTHING, _nothing),
    "Rescaling": _rescaling,
    "Normalization": _normalization,
}
