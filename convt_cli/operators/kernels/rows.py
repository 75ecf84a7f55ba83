"""im2col row by row: one matrix product for each row of the result.

A *row* is one position of the first axis, with all positions of the axes behind it.  The formula
is that of `im2col`, and the taps of the last axes are copied as there.  But here the copies are
laid out row by row: (rows, taps * channels, positions), and a run of neighbouring rows is, without
another copy, one matrix (rows * taps * channels, positions).  The windows of one row of the result
read such a run, and those of the next row a run that begins `stride` rows further down:

    (phases * channels, taps * channels) @ (taps * channels, positions), a product for each row,

where the taps are those of all axes.  So nothing is copied for the taps of the first axis, and no
products are added up.  Each product is only as wide as a row of the result: this is best for few
channels, where copying and adding take longer than multiplying.

With a dilation the rows that a window reads lie `gap` apart.  The source's rows are then kept by
their residue modulo `gap`, so that they are neighbours again, and the result's rows are computed
in `turns`, each of which reads rows of one residue.

The zeros of the padding are gathered too, so weights must be finite: 0 * inf is nan.
"""

from __future__ import annotations

from itertools import product
from math import gcd, prod
from typing import Any, ClassVar

import numpy as np
from numpy.lib.stride_tricks import as_strided

from convt_cli.arithmetic.axis import ceil_div
from convt_cli.operators.dtypes import Array
from convt_cli.operators.kernels import products
from convt_cli.operators.kernels.kernel import Kernel
from convt_cli.operators.kernels.polyphase import Branch, Branches, all_covered
from convt_cli.operators.kernels.scratch import LINE, scratch, scratch_rows
from convt_cli.operators.kernels.views import Places, as_slice, lies_flat, source_range, spread
from convt_cli.operators.kernels.workload import (
    CALLS_PER_COPY,
    COPY,
    REARRANGE,
    Cost,
    Workload,
)

_PRODUCT = 5_000  # the cost to start one of the many products of a call

# A multiply-add costs 1 + _SHORT_ROW / (each of the rows and columns of the matrix, and the width
# of a row of the result).
_SHORT_ROW = 8

_Chosen = tuple[Branch, ...]
"""One branch of every axis, or of every axis but the first."""
_Leading = tuple[Branch, ...]
"""All the branches of the first axis."""


class Rows(Kernel):
    """The kernel that computes a product for each row of the result."""

    name: ClassVar = "rows"
    copies: ClassVar = "source"

    @classmethod
    def cost(cls, work: Workload) -> Cost:
        """The cost of many small products, which are short where rows are."""
        # Each product is (rows, inner) @ (inner, positions behind the first axis).
        inner = work.inner * prod(work.most_starts)
        rows = work.rows * work.phases
        share = 1 + _SHORT_ROW * (1 / prod(work.sizes[1:]) + 1 / rows + 1 / inner)
        count = work.sizes[0] * prod(map(len, work.branches))
        # A sum this long is not cut into small products: BLAS copies the matrix for each.
        matrix = rows * inner if inner > products.LONGEST else 0
        # Rows copied for each row of the shortest tile, those between the rows read included.
        between = work.branches[0][0].source_step + work.span / work.shortest
        copied = work.inner * prod(work.starts[1:]) * between
        # Places every step-th element loads the cache lines in between as well.
        apart = 1 + work.itemsize * (work.branches[-1][0].source_step - 1) / LINE
        return Cost(
            work=work.multiply_adds * share
            + count * (_PRODUCT + COPY * matrix)
            + work.positions * COPY * copied * apart
            + REARRANGE * work.rows * work.inner * work.tap_count,
            calls=CALLS_PER_COPY * (prod(work.starts[1:]) + prod(map(len, work.branches))),
            elements=work.inner * prod(work.most_starts[1:]) * between + work.rows * work.phases,
        )

    def __init__(self, weight: Array) -> None:
        self._weight = weight
        self._matrices: dict[tuple[Any, ...], Array] = {}

    def __call__(self, branches: Branches, source: Array, result: Array) -> None:
        """Fill `result`, (batch, channels, *sizes), from `source`, (batch, channels, *sizes)."""
        if not all_covered(branches):
            result[...] = 0  # the positions that no tap writes
        for others in product(*branches[1:]):
            # (batch, groups, gap, rows, taps, channels, positions)
            rows = self._gathered(branches[0], others, source)
            for leading in branches[0]:
                self._fill((leading, *others), branches[0], rows, result)

    def are_undivided(self, branches: Branches) -> bool:
        """Whether BLAS computes every product for `branches` in a single thread."""
        _, channels, inner, *_ = self._weight.shape
        return all(
            products.are_undivided(
                channels * prod(len(branch.phases) for branch in chosen),
                inner * prod(len(branch.starts) for branch in chosen),
                prod(branch.length for branch in chosen[1:]),
                self._weight.dtype,
            )
            for chosen in product(*branches)
        )

    def _gathered(self, all_leading: _Leading, others: _Chosen, source: Array) -> Array:
        """(batch, groups, gap, rows, taps, channels, positions), zero outside `source`.

        Row q of residue r is row first + r + q * gap of the source, where `first` is the first
        row that any branch reads.  The taps are those of the axes behind the first.
        """
        (first, past), gap = source_range(all_leading), _gap(all_leading)
        batch, channels, *sizes = source.shape
        groups, depth = len(self._weight), ceil_div(past - first, gap)
        lengths = [branch.length for branch in others]
        starts = list(product(*(branch.starts for branch in others)))
        shape = batch, groups, gap, depth, len(starts), channels // groups, prod(lengths)
        gathered = scratch_rows("gathered", shape, source.dtype)
        # (batch, groups, gap, channels, taps, rows, *lengths)
        target = gathered.reshape(*shape[:-1], *lengths).swapaxes(3, 5)
        # (batch, groups, channels, *sizes)
        grouped = source.reshape(batch, groups, channels // groups, *sizes)
        for residue, (tap, begins) in product(range(gap), enumerate(starts)):
            readings = [
                Places(first + residue, gap, depth),
                *(
                    Places(begin, branch.source_step, branch.length)
                    for begin, branch in zip(begins, others, strict=True)
                ),
            ]
            # into (batch, groups, channels, rows, *lengths)
            _copy(grouped, readings, target[:, :, residue, :, tap])
        return gathered

    def _fill(self, branches: _Chosen, all_leading: _Leading, rows: Array, result: Array) -> None:
        """Write to `result` the sums of one branch of every axis."""
        matrix = self._matrix_of(branches)
        batch, groups, channels = len(result), len(matrix), self._weight.shape[1]
        lengths = tuple(branch.length for branch in branches)
        # (batch, groups, phases * channels, rows, positions)
        shape = batch, groups, matrix.shape[1], lengths[0], prod(lengths[1:])
        grouped = result.reshape(batch, groups, channels, *result.shape[2:])
        target = grouped[:, :, :, branches[0].results(0)]
        is_plain = matrix.shape[1] == channels and target.shape[3:] == lengths
        if is_plain and lies_flat(target, axis=4):  # multiplied right into the result
            self._multiply(matrix, branches[0], all_leading, rows, target.reshape(shape))
        else:
            total = scratch("total", shape, rows.dtype)
            self._multiply(matrix, branches[0], all_leading, rows, total)
            spread(branches, total, result)

    def _multiply(
        self, matrix: Array, leading: Branch, all_leading: _Leading, rows: Array, total: Array
    ) -> None:
        """Write the sums to `total`, (batch, groups, phases * channels, rows, positions).

        Turn t computes the rows t, t + turns, t + 2 * turns, ..., which all read one residue.
        """
        step, gap = leading.source_step, _gap(all_leading)
        turns = gap // gcd(gap, step)
        for turn in range(min(turns, leading.length)):
            start = leading.starts[0] - source_range(all_leading)[0] + turn * step
            # (batch, groups, rows, taps, channels, positions), from the first row that is read
            part, into = rows[:, :, start % gap, start // gap :], total[:, :, :, turn::turns]
            by_batch, by_group, by_row, _, by_channel, by_position = part.strides
            # (batch, groups, rows of the result, all taps * channels, positions): neighbours
            # overlap, as each begins turns * step // gap rows after the one before
            windows = as_strided(
                part,
                (*part.shape[:2], into.shape[3], matrix.shape[2], part.shape[-1]),
                (by_batch, by_group, turns * step // gap * by_row, by_channel, by_position),
                writeable=False,
            )
            # (groups, phases * channels, all taps * channels) @ windows
            products.multiply_each(matrix, windows, into.swapaxes(2, 3))

    def _matrix_of(self, branches: _Chosen) -> Array:
        """(groups, phases * channels, taps * channels), the source's channels innermost."""
        taps = tuple(branch.taps for branch in branches)
        if taps not in self._matrices:
            groups, channels, *_ = self._weight.shape
            # per phase (groups, channels, *taps, source channels)
            blocks = [
                np.moveaxis(self._weight[:, :, :, *map(as_slice, chosen)], 2, -1)
                for chosen in product(*taps)
            ]
            # (groups, phases, channels, taps * source channels)
            shape = groups, len(blocks), channels, blocks[0][0, 0].size
            matrices = np.empty(shape, self._weight.dtype)
            for number, block in enumerate(blocks):
                matrices[:, number] = block.reshape(groups, channels, -1)
            self._matrices[taps] = matrices.reshape(groups, len(blocks) * channels, -1)
        return self._matrices[taps]


def _gap(all_leading: _Leading) -> int:
    """How many rows apart neighbouring taps of the first axis read: the same in all branches."""
    gaps = [branch.starts[1] - branch.starts[0] for branch in all_leading if len(branch.starts) > 1]
    return gaps[0] if gaps else 1


def _copy(source: Array, readings: list[Places], target: Array) -> None:
    """Copy the `readings` of the last axes of `source` to those of `target`, zero outside."""
    ahead: tuple[Any, ...] = (slice(None),) * (source.ndim - len(readings))
    parts: tuple[slice, ...] = ()
    filled = ahead
    for reading, size in zip(readings, source.shape[len(ahead) :], strict=True):
        low, high = reading.inside(size)
        if low:
            target[*filled, :low] = 0
        if high < reading.length:
            target[*filled, high:] = 0
        filled = *filled, slice(low, high)
        parts = *parts, reading.elements(low, high) if low < high else slice(0)
    target[filled] = source[*ahead, *parts]
