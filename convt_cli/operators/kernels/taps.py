"""C x and Cᵀ y tap by tap, on existing elements only: the one relation as it stands.

For one tap (t_1, ..., t_r) the one relation joins a range of outputs to a range of inputs with
step `stride`, so both are slices.  Nothing is multiplied by a zero of the padding: so this
holds for weights that are infinite or not a number, where the other kernels' 0 * inf is nan.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from math import prod

import numpy as np

from convt_cli.arithmetic.axis import Axis
from convt_cli.operators.dtypes import Array

_Place = tuple[tuple[slice, ...], tuple[slice, ...]]
"""The outputs that a tap reaches, and the inputs that it reads there."""


def add_tap_by_tap(
    axes: tuple[Axis, ...], weight: Array, source: Array, result: Array, *, forward: bool
) -> None:
    """Fill `result`, (batch, channels, *sizes), from `source`, (batch, channels, *sizes).

    `weight` is (groups, result channels, source channels, *kernel_size), channels per group.
    """
    groups, channels, inner, *kernel = weight.shape
    taps = weight.reshape(groups, channels, inner, prod(kernel))
    result[...] = 0
    for number, (outputs, inputs) in enumerate(_places(axes)):
        read, written = (inputs, outputs) if forward else (outputs, inputs)
        part = source[:, :, *read]
        flat = np.ascontiguousarray(part).reshape(len(part), groups, inner, prod(part.shape[2:]))
        sent = np.matmul(taps[..., number], flat)
        shape = (len(part), groups * channels, *part.shape[2:])
        result[:, :, *written] += sent.reshape(shape)


def _places(axes: tuple[Axis, ...]) -> Iterator[_Place]:
    """For every tap in row-major order: the outputs it reaches, and the inputs it reads there."""
    per_axis = []
    for axis in axes:
        places = []
        for tap in range(axis.kernel_size):
            first, past = axis.outputs_of_tap(tap)
            start = first * axis.stride + tap * axis.dilation - axis.before
            stop = start + max(0, past - first - 1) * axis.stride + (past > first)
            places.append((slice(first, past), slice(start, stop, axis.stride)))
        per_axis.append(places)
    for combination in product(*per_axis):
        yield tuple(outputs for outputs, _ in combination), tuple(i for _, i in combination)
