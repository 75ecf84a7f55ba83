"""im2col: what the windows read is copied into a matrix, which the weight is multiplied with.

On every axis the results are split into branches (`polyphase`): result phase + b * result_step
sums its taps over the sources starts[n] + b * source_step.  So, for one branch of every axis,

    result[m, b] = the sum over channels c and taps n of
                   weight[m, c, tap n] * source[c, starts[n] + b * source_step],

which is one matrix product:

    (phases * result channels, source channels * taps) @ (source channels * taps, positions).

`FullIm2col` gathers the taps of all axes and takes one product.  `PartialIm2col` gathers those of
the axes behind the first only.  A tap of the first axis then reads the same gathered rows further
down, which is a view: the source is copied fewer times, and the products of the first axis's taps
are added up.

The zeros of the padding are gathered too, so weights must be finite: 0 * inf is nan.
"""

from __future__ import annotations

from itertools import product
from math import prod
from typing import Any, ClassVar

import numpy as np
from numpy.lib.stride_tricks import as_strided

from convt_cli.arithmetic.axis import ceil_div
from convt_cli.operators.dtypes import Array
from convt_cli.operators.kernels.kernel import Kernel
from convt_cli.operators.kernels.polyphase import UNIT, Branch, Branches, all_covered
from convt_cli.operators.kernels.products import multiply
from convt_cli.operators.kernels.scratch import scratch
from convt_cli.operators.kernels.views import as_slice, lies_flat, source_range, spread
from convt_cli.operators.kernels.workload import (
    CALLS_PER_COPY,
    COPY,
    REARRANGE,
    SUM,
    Cost,
    Workload,
)

_Taps = tuple[tuple[tuple[int, ...], ...], ...]
"""The taps of one branch of every axis, by axis and phase."""


class PartialIm2col(Kernel):
    """The kernel that gathers the taps of the axes behind the first."""

    name: ClassVar = "im2col partial"
    copies: ClassVar = "source"

    @classmethod
    def cost(cls, work: Workload) -> Cost:
        """The cost of gathering for the last axes, and adding up for the first."""
        first, *behind = work.most_starts
        depth = _depth(work)
        # Elements copied, and partial sums added, for each position.
        copied = work.inner * prod(work.starts[1:]) * depth
        summed = work.rows * work.result_steps * (first - 1)
        return Cost(
            work=work.products(work.rows * work.phases, work.inner * prod(behind))
            + work.positions * (COPY * copied + SUM * summed)
            + REARRANGE * work.rows * work.inner * work.tap_count,
            calls=CALLS_PER_COPY
            * prod(map(len, work.branches[1:]))
            * len(_residues(work.branches[0]))
            + 2 * first * prod(map(len, work.branches)),
            elements=work.inner * (prod(behind) * depth + work.source_steps)
            + 2 * work.rows * work.phases,
        )

    def __init__(self, weight: Array) -> None:
        self._weight = weight
        self._matrices: dict[_Taps, list[Array]] = {}

    def __call__(self, branches: Branches, source: Array, result: Array) -> None:
        """Fill `result`, (batch, channels, *sizes), from `source`, (batch, channels, *sizes)."""
        if not all_covered(branches):
            result[...] = 0  # the positions that no tap writes
        for others in product(*branches[1:]):
            # (batch, groups, source channels * taps, residues, rows * positions)
            rows = self._gathered(branches[0], others, source)
            for leading in branches[0]:
                self._fill((leading, *others), branches[0], rows, result)

    def _gathered(
        self, leading: tuple[Branch, ...], others: tuple[Branch, ...], source: Array
    ) -> Array:
        """(batch, groups, channels * taps, residues, rows * positions), zero outside `source`.

        Row q of residue r is row first + r + q * step of the source, where `first` is the first
        row that any branch reads: so rows that are `step` apart lie side by side.
        """
        step, (first, past), residues = (
            leading[0].source_step,
            source_range(leading),
            _residues(leading),
        )
        depth = ceil_div(past - first, step)
        rows = first, first + residues[-1] + (depth - 1) * step + 1
        # (batch, channels, rows read, *positions read)
        window = _window(source, [rows, *(source_range((branch,)) for branch in others)])
        # per residue (batch, channels, *taps, depth, *positions)
        parts = [_by_tap(window[:, :, residue:], others, step, depth) for residue in residues]
        channels, *counts = parts[0].shape[1 : 2 + len(others)]
        groups, taps = len(self._weight), prod(counts)
        sizes = parts[0].shape[2 + len(others) :]
        inner = channels // groups * taps
        merged = len(source), groups, inner, len(residues), prod(sizes)
        if len(parts) == taps == 1 and lies_flat(parts[0], axis=1):  # nothing to copy
            return parts[0].reshape(merged)
        shape = len(source), channels, *counts, len(residues), *sizes
        # (batch, channels, *taps, residues, depth, *positions)
        gathered = scratch("gathered", shape, source.dtype)
        for place, part in enumerate(parts):
            ahead: tuple[Any, ...] = (slice(None),) * (2 + len(others))
            gathered[*ahead, place] = part
        return gathered.reshape(merged)

    def _fill(
        self,
        branches: tuple[Branch, ...],
        all_leading: tuple[Branch, ...],
        rows: Array,
        result: Array,
    ) -> None:
        """Write to `result` the sums of one branch of every axis."""
        batch, groups = rows.shape[:2]
        matrices = self._matrices_of(branches)
        sizes = tuple(branch.length for branch in branches)
        shape = (batch, groups, matrices[0].shape[1], prod(sizes))
        if len(matrices) == 1 and result.shape[2:] == sizes and lies_flat(result, axis=2):
            # One phase that is the whole result: multiplied right into it.
            self._sum(matrices, branches, all_leading, rows, result.reshape(shape))
        else:
            # (batch, groups, phases * channels, rows * positions)
            total = scratch("total", shape, rows.dtype)
            self._sum(matrices, branches, all_leading, rows, total)
            spread(branches, total, result)

    def _sum(
        self,
        matrices: list[Array],
        branches: tuple[Branch, ...],
        all_leading: tuple[Branch, ...],
        rows: Array,
        total: Array,
    ) -> None:
        """Write to `total` the sum over the first axis's taps.

        `rows` is (batch, groups, channels * taps, residues, rows * positions), as gathered, and
        `total` (batch, groups, phases * channels, rows * positions).
        """
        leading, *others = branches
        (first, _), residues = source_range(all_leading), _residues(all_leading)
        width = prod(branch.length for branch in others)
        for number, (matrix, start) in enumerate(zip(matrices, leading.starts, strict=True)):
            # This tap reads the gathered rows from number `depth` of its residue on.
            depth, residue = divmod(start - first, leading.source_step)
            part = slice(depth * width, (depth + leading.length) * width)
            # (batch, groups, channels * taps, rows * positions), a view
            view = rows[:, :, :, residues.index(residue), part]
            # (groups, phases * channels, channels * taps) @ view
            if number == 0:
                multiply(matrix, view, out=total)
            else:
                more = scratch("more", total.shape, total.dtype)
                multiply(matrix, view, out=more)
                total += more

    def _matrices_of(self, branches: tuple[Branch, ...]) -> list[Array]:
        """The weight as matrices (groups, phases * channels, channels * taps of the last axes).

        There is one for each tap of the first axis.
        """
        taps = tuple(branch.taps for branch in branches)
        if taps not in self._matrices:
            self._matrices[taps] = [self._matrix(taps, tap) for tap in range(len(taps[0][0]))]
        return self._matrices[taps]

    def _matrix(self, taps: _Taps, number: int) -> Array:
        """(groups, phases * channels, channels * taps) of tap `number` of the first axis."""
        groups, channels = self._weight.shape[:2]
        # per phase (groups, channels, source channels, *taps of the last axes)
        blocks = [
            self._weight[_tap_index(first[number], others)] for first, *others in product(*taps)
        ]
        # (groups, phases, channels, source channels, *taps), or without the axis of phases
        stacked = blocks[0] if len(blocks) == 1 else np.stack(blocks, axis=1)
        matrix = stacked.reshape(groups, len(blocks) * channels, -1)
        # BLAS takes no negative strides, which reversed taps have.
        return np.ascontiguousarray(matrix)


class FullIm2col(PartialIm2col):
    """The kernel that gathers the taps of all axes: the partial one behind an axis of size 1."""

    name: ClassVar = "im2col full"

    @classmethod
    def cost(cls, work: Workload) -> Cost:
        """The cost of gathering for all axes."""
        rearranged = 0 if work.forward else work.rows * work.inner * work.tap_count
        return Cost(
            work=work.products(work.rows * work.phases, work.inner * prod(work.most_starts))
            + COPY * work.positions * work.inner * prod(work.starts)
            + REARRANGE * rearranged,
            calls=(CALLS_PER_COPY + 1) * prod(map(len, work.branches)) + work.phases,
            elements=work.inner * (prod(work.most_starts) + work.source_steps)
            + 2 * work.rows * work.phases,
        )

    def __init__(self, weight: Array) -> None:
        # (groups, result channels, source channels, 1, *kernel_size)
        super().__init__(weight[:, :, :, np.newaxis])

    def __call__(self, branches: Branches, source: Array, result: Array) -> None:
        """Fill `result`, (batch, channels, *sizes), from `source`, (batch, channels, *sizes)."""
        super().__call__(((UNIT,), *branches), source[:, :, np.newaxis], result[:, :, np.newaxis])


def _depth(work: Workload) -> float:
    """Rows gathered for each position of the first axis, in the shortest tile: 1 and a halo."""
    first = work.branches[0]
    return len(_residues(first)) * (1 + work.span / first[0].source_step / work.shortest)


def _residues(leading: tuple[Branch, ...]) -> list[int]:
    """The residues, modulo the step, of the distances from the first row that is read."""
    first, _ = source_range(leading)
    return sorted(
        {(start - first) % branch.source_step for branch in leading for start in branch.starts}
    )


def _window(source: Array, ranges: list[tuple[int, int]]) -> Array:
    """`source`, (batch, channels, *sizes), at the positions in `ranges`; zero outside of it.

    It is a view where all ranges lie inside.
    """
    sizes = source.shape[2:]
    inside = [
        (max(0, low), max(0, min(past, size)))
        for (low, past), size in zip(ranges, sizes, strict=True)
    ]
    part = source[:, :, *(slice(*pair) for pair in inside)]
    if inside == ranges:
        return part
    shape = (*source.shape[:2], *(past - low for low, past in ranges))
    window = scratch("window", shape, source.dtype)
    places = zip(ranges, inside, part.shape[2:], strict=True)
    # Where the part that exists lies in the window; around it are zeros.
    middle = [slice(first - low, first - low + n) for (low, _), (first, _), n in places]
    window[:, :, *middle] = part
    for axis, place in enumerate(middle, start=2):
        ahead: tuple[Any, ...] = (slice(None),) * axis
        window[*ahead, : place.start] = window[*ahead, place.stop :] = 0
    return window


def _by_tap(window: Array, others: tuple[Branch, ...], step: int, depth: int) -> Array:
    """(batch, channels, *taps, rows, *positions), what every tap reads: a view of `window`.

    `window` is (batch, channels, rows, *positions) and begins where the first taps start; its
    rows are read `step` apart.  The starts of a branch's taps lie evenly apart.
    """
    batch, channels, row, *elements = window.strides
    gaps = [
        branch.starts[1] - branch.starts[0] if len(branch.starts) > 1 else 0 for branch in others
    ]
    counts = [len(branch.starts) for branch in others]
    by_tap = [gap * stride for gap, stride in zip(gaps, elements, strict=True)]
    by_position = [
        branch.source_step * stride for branch, stride in zip(others, elements, strict=True)
    ]
    return as_strided(
        window,
        (*window.shape[:2], *counts, depth, *(branch.length for branch in others)),
        (batch, channels, *by_tap, step * row, *by_position),
        writeable=False,
    )


def _tap_index(first: int, others: list[tuple[int, ...]]) -> tuple[Any, ...]:
    """The index of one tap of the first axis, and of `others`, for every group and channel."""
    return (slice(None), slice(None), slice(None), first, *map(as_slice, others))
