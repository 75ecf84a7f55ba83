"""Views of arrays: where branches (`polyphase`) read and write, and a weight as Cᵀ has it."""

from __future__ import annotations

from itertools import product
from math import prod
from typing import Any

import numpy as np

from convt_cli.operators.dtypes import Array
from convt_cli.operators.kernels.polyphase import Branch


def source_range(branches: tuple[Branch, ...]) -> tuple[int, int]:
    """The first source that any of the branches of an axis reads, and the one past the last."""
    last = max(max(branch.starts) + (branch.length - 1) * branch.source_step for branch in branches)
    return min(min(branch.starts) for branch in branches), last + 1


def as_slice(taps: tuple[int, ...]) -> slice:
    """Taps that lie evenly apart, as a slice."""
    step = taps[1] - taps[0] if len(taps) > 1 else 1
    past = taps[-1] + step
    return slice(taps[0], None if past < 0 else past, step)


def transposed_weight(weight: Array, groups: int) -> Array:
    """The weight of Cᵀ as a direct convolution: channels exchanged, taps in reverse.

    (out_channels, in_channels // groups, *kernel_size) becomes (in_channels, out_channels //
    groups, *kernel_size).
    """
    out_channels, inner, *kernel_size = weight.shape
    by_group = weight.reshape(groups, out_channels // groups, inner, *kernel_size)
    exchanged = by_group.swapaxes(1, 2).reshape(-1, out_channels // groups, *kernel_size)
    return np.flip(exchanged, tuple(range(2, exchanged.ndim)))


def lies_flat(array: Array, axis: int) -> bool:
    """Whether the elements of the axes from `axis` on lie side by side, in order."""
    expected = array.itemsize
    for size, stride in zip(
        array.shape[: axis - 1 : -1], array.strides[: axis - 1 : -1], strict=True
    ):
        if size != 1 and stride != expected:
            return False
        expected *= size
    return True


def spread(branches: tuple[Branch, ...], total: Array, result: Array) -> None:
    """Put a product's rows, phase by phase, on the results that they are."""
    batch, channels, *sizes = result.shape
    groups = total.shape[1]
    counts = [len(branch.phases) for branch in branches]
    lengths = [branch.length for branch in branches]
    blocks = total.reshape(batch, groups, prod(counts), channels // groups, *lengths)
    grouped = result.reshape(batch, groups, channels // groups, *sizes)
    for number, phases in enumerate(product(*map(range, counts))):
        target = grouped[
            :,
            :,
            :,
            *(branch.results(phase) for branch, phase in zip(branches, phases, strict=True)),
        ]
        written: tuple[Any, ...] = tuple(map(slice, target.shape[3:]))
        target[...] = blocks[:, :, number, :, *written]
