"""The step of an upsample, in every mode but area, whose windows are those of an adaptive pool.

On each axis a position of the output is a weighted sum of up to four positions of the input.  Which
they are, and what each weighs, follows from the framework's own arithmetic of positions:

    q reads around (q + 1/2) / factor - 1/2, where a nearest of some frameworks reads q / factor
    linear      the two positions there, by their distance
    cubic       the four positions there, by Keys's kernel with parameter a
    at the ends a position outside is the last one inside; for a = -1/2 it has no weight, and the
                others share it

Sources: `UpSampleKernel.cpp` in PyTorch, "Resize" in ONNX's operators, `resize_bicubic_op.cc` in
TensorFlow, `jax.image.resize`; R. Keys, "Cubic convolution interpolation" (1981).
"""

from __future__ import annotations

import numpy as np

from convt_cli.analysis.backward.step import PreparedLayer, Sources, Step
from convt_cli.arithmetic.dialects.frameworks import Framework, Upsampling, interpolation
from convt_cli.arithmetic.keys import Ratio
from convt_cli.arithmetic.layers.resampling import Upsample
from convt_cli.operators.dtypes import Array

_TABLE_STEPS = 1024
"""Between two positions TensorFlow knows the cubic kernel at so many distances."""

Reading = tuple[Array, Array]
"""For each tap and position of the output, (taps, output size): the place read, and its weight."""


def resize(prepared: PreparedLayer[Upsample], sources: Sources) -> Step:
    """The source resized one axis after the other; back by the transpose."""
    sizes, output = prepared.layer.inputs[0][1:], prepared.layer.output[1:]
    definition, rules = prepared.definition, prepared.rules
    readings = [
        _reading(definition.mode, size, wanted, factor, rules.upsampling)
        for size, wanted, factor in zip(
            sizes, output, definition.factors(sizes, rules), strict=True
        )
    ]
    value = sources[0]
    for axis, (places, weights) in enumerate(readings, start=2):
        value = _read_along(value, axis, places, weights.astype(value.dtype))

    def back(signal: Array) -> Array:
        for axis, (places, weights) in enumerate(readings, start=2):
            signal = _returned(signal, axis, places, weights, sizes[axis - 2])
        return signal

    return Step(value, lambda signal, _: (back(signal),))


def has_resize(definition: Upsample, size_pairs: list[tuple[int, int]], rules: Framework) -> bool:
    """Whether the numbers of an upsample are known, for (input size, output size) of each axis.

    They are not where a framework widens its kernel to shrink, or weighs the parts of elements.
    """
    if definition.mode == "area":
        return not rules.upsampling.area_shares or all(
            size % output == 0 for size, output in size_pairs
        )
    shrinks = any(output < size for size, output in size_pairs)
    return definition.mode == "nearest" or not (rules.upsampling.smooths and shrinks)


def _reading(mode: str, size: int, output: int, factor: Ratio, facts: Upsampling) -> Reading:
    positions = np.arange(output, dtype=np.int64)
    up, down = factor.numerator, factor.denominator
    kind = interpolation(mode)
    if kind == "nearest":
        centre = facts.nearest_rounds == "centre"
        places = (2 * positions + 1) * down // (2 * up) if centre else positions * down // up
        return np.minimum(places, size - 1)[None], np.ones((1, output))
    # (q + 1/2) / factor - 1/2 as a whole number and the rest, exactly
    before, rest = np.divmod((2 * positions + 1) * down - up, 2 * up)
    distance = rest / (2 * up)
    if kind == "linear":
        taps, weights = np.arange(2), np.stack([1 - distance, distance])
    else:
        taps, weights = np.arange(-1, 3), _cubic(distance, facts.cubic_kernel)
    places = before + taps[:, None]
    if kind == "cubic" and facts.cubic_kernel != "-3/4":
        weights = np.where((places >= 0) & (places < size), weights, 0)
        weights = weights / weights.sum(0)
    return np.clip(places, 0, size - 1), weights


def _cubic(distance: Array, kernel: str) -> Array:
    """(4, output size): Keys's kernel at the positions 1 + d, d, 1 - d and 2 - d away."""
    if kernel == "-1/2 tabulated":
        distance = np.rint(distance * _TABLE_STEPS) / _TABLE_STEPS
    a = -0.75 if kernel == "-3/4" else -0.5
    far, near = np.stack([1 + distance, 2 - distance]), np.stack([distance, 1 - distance])
    outer = a * (((far - 5) * far + 8) * far - 4)
    inner = ((a + 2) * near - (a + 3)) * near * near + 1
    weights: Array = np.stack([outer[0], inner[0], inner[1], outer[1]])
    return weights


def _read_along(x: Array, axis: int, places: Array, weights: Array) -> Array:
    """The weighted sum of the places of every tap, along one axis."""
    behind = (1,) * (x.ndim - axis - 1)
    total: Array = x.take(places[0], axis) * weights[0].reshape(-1, *behind)
    for place, weight in zip(places[1:], weights[1:], strict=True):
        total += x.take(place, axis) * weight.reshape(-1, *behind)
    return total


def _returned(signal: Array, axis: int, places: Array, weights: Array, size: int) -> Array:
    """The transpose of `_read_along`, onto an axis of `size`."""
    rows = np.moveaxis(signal, axis, 0)
    result = np.zeros((size, *rows.shape[1:]), signal.dtype)
    for place, weight in zip(places, weights.astype(signal.dtype), strict=True):
        np.add.at(result, place, rows * weight.reshape(-1, *(1,) * (rows.ndim - 1)))
    return np.moveaxis(result, 0, axis)
