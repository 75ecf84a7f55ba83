"""Index arithmetic that the kernels share: what branches read and write, and the weight of Cᵀ."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from math import prod
from typing import Any

import numpy as np

from convt_cli.arithmetic.axis import ceil_div
from convt_cli.operators.dtypes import Array
from convt_cli.operators.kernels.polyphase import Branch


@dataclass(frozen=True, slots=True)
class Places:
    """Places start, start + step, ... of an axis, `length` of them; some may be outside it."""

    start: int
    step: int
    length: int

    def inside(self, size: int) -> tuple[int, int]:
        """(low, past): those numbered low to past - 1 are inside an axis of `size`."""
        low = min(self.length, max(0, ceil_div(-self.start, self.step)))
        return low, max(low, min(self.length, ceil_div(size - self.start, self.step)))

    def elements(self, low: int, past: int) -> slice:
        """The places numbered `low` to past - 1, as a slice of the axis."""
        return slice(self.start + low * self.step, self.start + past * self.step, self.step)


def source_range(branches: tuple[Branch, ...]) -> tuple[int, int]:
    """(first, past) of the sources that any of the branches of an axis reads."""
    last = max(max(branch.starts) + (branch.length - 1) * branch.source_step for branch in branches)
    return min(min(branch.starts) for branch in branches), last + 1


def as_slice(taps: tuple[int, ...]) -> slice:
    """The slice of evenly spaced taps, rising or falling."""
    step = taps[1] - taps[0] if len(taps) > 1 else 1
    past = taps[-1] + step  # below 0 where falling taps end with the first: the slice is open
    return slice(taps[0], None if past < 0 else past, step)


def transposed_weight(weight: Array, groups: int) -> Array:
    """The weight of Cᵀ as a direct convolution: channels exchanged, kernel flipped.

    (out_channels, in_channels // groups, *kernel_size) becomes (in_channels, out_channels //
    groups, *kernel_size).
    """
    out_channels, inner, *kernel_size = weight.shape
    by_group = weight.reshape(groups, out_channels // groups, inner, *kernel_size)
    # (groups, in channels, out channels, *kernel_size), then groups and in channels as one axis
    exchanged = by_group.swapaxes(1, 2).reshape(-1, out_channels // groups, *kernel_size)
    return np.flip(exchanged, tuple(range(2, exchanged.ndim)))


def lies_flat(array: Array, axis: int) -> bool:
    """Whether the axes from `axis` on are contiguous in C order."""
    expected = array.itemsize
    for size, stride in zip(
        array.shape[: axis - 1 : -1], array.strides[: axis - 1 : -1], strict=True
    ):
        if size != 1 and stride != expected:
            return False
        expected *= size
    return True


def spread(branches: tuple[Branch, ...], total: Array, result: Array) -> None:
    """Write `total`, which has the phases one after the other, to their positions in `result`.

    `total` is (batch, groups, phases * channels, ...) and `result` (batch, groups * channels,
    *sizes), where the phases alternate.
    """
    batch, channels, *sizes = result.shape
    groups = total.shape[1]
    counts = [len(branch.phases) for branch in branches]
    lengths = [branch.length for branch in branches]
    # (batch, groups, phases, channels, *lengths)
    blocks = total.reshape(batch, groups, prod(counts), channels // groups, *lengths)
    grouped = result.reshape(batch, groups, channels // groups, *sizes)
    for number, phases in enumerate(product(*map(range, counts))):
        target = grouped[
            :,
            :,
            :,
            *(branch.results(phase) for branch, phase in zip(branches, phases, strict=True)),
        ]
        # A phase can have one result fewer than its branch is long.
        written: tuple[Any, ...] = tuple(map(slice, target.shape[3:]))
        target[...] = blocks[:, :, number, :, *written]
