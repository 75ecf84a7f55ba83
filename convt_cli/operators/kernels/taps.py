"""C x and Cᵀ y tap by tap, on existing elements only.

For one tap (t_1, ..., t_r) the relation input = output * stride + tap * dilation - before joins a
range of outputs to a range of inputs with step `stride`: two slices.  No zero of the padding is
multiplied, so this is right for weights with inf or nan too, where the 0 * inf of the other
kernels is nan.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from math import prod

import numpy as np

from convt_cli.arithmetic.axis import Axis
from convt_cli.operators.dtypes import Array

_TapSlices = tuple[tuple[slice, ...], tuple[slice, ...]]
"""The outputs that read a tap inside the input, and the inputs that they read by it."""


def add_tap_by_tap(
    axes: tuple[Axis, ...], weight: Array, source: Array, result: Array, *, forward: bool
) -> None:
    """Fill `result`, (batch, channels, *sizes), from `source`, (batch, channels, *sizes).

    `weight` is (groups, result channels, source channels, *kernel_size), channels per group.
    """
    groups, channels, inner, *kernel = weight.shape
    # (groups, result channels, source channels, taps)
    taps = weight.reshape(groups, channels, inner, prod(kernel))
    result[...] = 0
    for number, (outputs, inputs) in enumerate(_places(axes)):
        read, written = (inputs, outputs) if forward else (outputs, inputs)
        part = source[:, :, *read]
        # (batch, groups, source channels, positions)
        flat = np.ascontiguousarray(part).reshape(len(part), groups, inner, prod(part.shape[2:]))
        # per item and group (result channels, source channels) @ (source channels, positions)
        sent = np.matmul(taps[..., number], flat)
        # (batch, result channels, *positions)
        shape = (len(part), groups * channels, *part.shape[2:])
        result[:, :, *written] += sent.reshape(shape)


def _places(axes: tuple[Axis, ...]) -> Iterator[_TapSlices]:
    """The place of every tap, in row-major order."""
    places_per_axis = []
    for axis in axes:
        places = []
        for tap in range(axis.kernel_size):
            first, past = axis.outputs_of_tap(tap)
            start = first * axis.stride + tap * axis.dilation - axis.before
            # One past the last input; where no output reads the tap, both slices are empty.
            stop = start + max(0, past - first - 1) * axis.stride + (past > first)
            places.append((slice(first, past), slice(start, stop, axis.stride)))
        places_per_axis.append(places)
    for combination in product(*places_per_axis):
        yield tuple(outputs for outputs, _ in combination), tuple(i for _, i in combination)
