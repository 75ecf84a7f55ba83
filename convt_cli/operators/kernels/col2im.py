"""col2im: one matrix product with the weight as it lies, whose rows are then added up, shifted.

For Cᵀ y; C x is the same where its stride is 1.

1. The product Wᵀ y, (channels * taps, source channels) @ (source channels, positions), has in row
   (channel, tap) what each output *sends* to the inputs through that tap.
2. Input phase + b * stride (`polyphase`) is the sum over the phase's taps n of what output
   starts[n] + b sends.  On flattened positions each tap is one shift.  The taps' shifts lie evenly
   apart, so what they add is one strided view, and its sum over the taps one call of NumPy.
3. A shift by d moves d elements at an end of each row into the neighbouring row.  They are what
   outputs at the edge send past the border of x, where no input takes it, so they are set to 0
   before the sums.  What a shift reads before the first row or behind the last is zero, the margin.

The weight of Cᵀ is read once and never copied; where it is larger than y, reading it is most of the
work.  The product is computed in blocks of channels that stay in the cache until they are added up.
Where x is longer than y, rows of y are padded with zeros, which are multiplied too: so weights must
be finite, as 0 * inf is nan.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import product
from math import prod
from typing import Any, ClassVar

import numpy as np

from convt_cli.arithmetic.axis import ceil_div
from convt_cli.operators.dtypes import Array
from convt_cli.operators.kernels.kernel import Kernel
from convt_cli.operators.kernels.polyphase import Branch, Branches, all_covered, pitch
from convt_cli.operators.kernels.scratch import scratch
from convt_cli.operators.kernels.views import lies_flat
from convt_cli.operators.kernels.workload import ADD, REARRANGE, Cost, Workload

_BLOCK_BYTES = 2**22
"""Bytes of a product's result: few enough to stay in the cache until it is added up."""
_ROWS_AT_ONCE = 256
"""The fewest rows of a product, even if its result is larger then: with fewer BLAS is slow."""
_NARROW = 8
"""Up to `_NARROW * itemsize` positions the product is (yᵀ W)ᵀ and not Wᵀ y: BLAS is faster with
the long side first."""
_SHORT_RUN = 256
"""Runs of fewer elements are added tap by tap: a call for all taps spends longer on starting each
run than on adding it."""
_CACHED_PLANS = 64
"""How many summation plans are cached, one for each shape of a tile."""


class Col2im(Kernel):
    """The kernel that multiplies first, for sources that are read with step 1."""

    name: ClassVar = "col2im"
    copies: ClassVar = "result"
    # Neighbouring tiles both compute the products along their border.
    tile_bytes: ClassVar = 16 * 2**20

    @classmethod
    def cost(cls, work: Workload) -> Cost | None:
        """The cost of the products and of adding them up; None for sources that lie apart."""
        if work.source_steps > 1:
            return None
        stretch = _stretch(work)
        products = work.products(work.rows * work.tap_count, work.inner)
        summed = ADD * work.positions * work.rows * work.tap_count
        rearranged = work.rows * work.inner * work.tap_count if work.forward else 0
        return Cost(
            work=(products + summed) * stretch + REARRANGE * rearranged,
            calls=work.tap_count,
            elements=(min(work.rows * work.tap_count, _ROWS_AT_ONCE) + work.inner) * stretch,
        )

    def __init__(self, weight: Array) -> None:
        # (groups, source channels, result channels, *kernel_size): no copy for Cᵀ
        self._weight = np.ascontiguousarray(weight.swapaxes(1, 2))

    def __call__(self, branches: Branches, source: Array, result: Array) -> None:
        """Fill `result`, (batch, channels, *sizes), from `source`, (batch, channels, *sizes)."""
        if not len(result):
            return
        if not all_covered(branches):
            result[...] = 0  # the positions that no tap writes
        groups, inner, channels, *kernel = self._weight.shape
        # (batch, channels, *sizes), the sizes behind the first padded to those of the result
        padded = _padded(branches, source)
        batch, _, *sizes = padded.shape
        # (batch, groups, source channels, positions)
        flat = padded.reshape(batch, groups, inner, prod(sizes))
        # (batch, groups, result channels, *sizes)
        into = result.reshape(batch, groups, channels, *result.shape[2:])
        plan = summation_plan(branches, tuple(kernel), tuple(sizes))
        # A part is some groups and some of their channels.
        for part in self._blocks(prod(sizes) * source.itemsize):
            # (batch, groups, channels, *kernel_size, margin + positions)
            memory, sent = self._sent(part, flat[:, part[0]], plan.margin)
            _clear(branches, sent[..., plan.margin :].reshape(*sent.shape[:-1], *sizes))
            for phase in plan.phases:
                phase.collect(memory, sent, into[:, *part])

    def _blocks(self, row_bytes: int) -> Iterator[tuple[slice, slice]]:
        """The groups and channels of each product, whose rows are (channel, tap) pairs."""
        groups, _, channels, *kernel = self._weight.shape
        rows = max(_BLOCK_BYTES // row_bytes, _ROWS_AT_ONCE)
        together = max(1, rows // (channels * prod(kernel)))
        wide = max(1, min(channels, ceil_div(rows, prod(kernel))))
        for group in range(0, groups, together):
            for channel in range(0, channels, wide):
                yield slice(group, group + together), slice(channel, channel + wide)

    def _sent(self, part: tuple[slice, slice], flat: Array, margin: int) -> tuple[Array, Array]:
        """(its memory, what the outputs send through every tap).

        The latter is (batch, groups, channels, *kernel_size, margin + positions) with zeros in the
        margins.  The memory is flat and has one more margin of zeros at its end.
        """
        weight = self._weight[part[0], :, part[1]]
        groups, inner, *rows = weight.shape
        # (groups, source channels, channels * taps)
        matrix = weight.reshape(groups, inner, prod(rows))
        batch, *_, positions = flat.shape
        shape = batch, groups, prod(rows), margin + positions
        memory = scratch("sent", (prod(shape) + margin,), flat.dtype)
        memory[prod(shape) :] = 0
        whole = memory[: prod(shape)].reshape(shape)
        whole[..., :margin] = 0
        # (batch, groups, channels * taps, positions)
        sent = whole[..., margin:]
        if positions > _NARROW * flat.itemsize:
            # per item and group (channels * taps, source channels) @ (source channels, positions)
            np.matmul(matrix.swapaxes(1, 2), flat, out=sent)
        else:
            # per item and group (positions, source channels) @ (source channels, channels * taps)
            sent[...] = np.matmul(flat.swapaxes(2, 3), matrix).swapaxes(2, 3)
        return memory, whole.reshape(batch, groups, *rows, margin + positions)


def _stretch(work: Workload) -> float:
    """The factor by which padded rows (`pitch`) are longer than the source's."""
    return prod(
        pitch(axis, size) / size
        for axis, size in zip(work.branches[1:], work.sizes[1:], strict=True)
    )


def _padded(branches: Branches, source: Array) -> Array:
    """`source` with zeros behind each axis but the first, up to the length of its results.

    It is contiguous; or only each of its channels is, where the product has more than
    `_NARROW * itemsize` positions, as BLAS then gives the same bytes.
    """
    sizes = source.shape[3:]
    pitches = [pitch(axis, size) for axis, size in zip(branches[1:], sizes, strict=True)]
    is_wide = prod(source.shape[2:]) > _NARROW * source.itemsize
    if pitches == list(sizes) and lies_flat(source, axis=2 if is_wide else 1):
        return source
    padded = scratch("padded", (*source.shape[:3], *pitches), source.dtype)
    padded[:, :, :, *map(slice, sizes)] = source
    for axis, size in enumerate(sizes, start=3):
        ahead: tuple[Any, ...] = (slice(None),) * axis
        padded[*ahead, size:] = 0
    return padded


def _clear(branches: Branches, sent: Array) -> None:
    """Set to 0 what no result takes of `sent`, (batch, groups, channels, *kernel_size, *sizes).

    On each axis but the first, a tap that starts d further on would shift its first d elements
    (its last for d < 0) into the row before (behind).
    """
    rank = len(branches)
    for number in range(1, rank):
        ahead: list[Any] = [slice(None)] * (3 + number)
        between: list[Any] = [slice(None)] * (rank - 1)
        for branch in branches[number]:
            for taps in branch.taps:
                for tap, start in zip(taps, branch.starts, strict=True):
                    if start:
                        edge = slice(start) if start > 0 else slice(start, None)
                        sent[*ahead, tap, *between, edge] = 0


@dataclass(frozen=True, slots=True)
class _PhaseSums:
    """How the results of one phase of every axis are summed from what was sent.

    The results lie at `results`; their sums are `lengths` long, padding included.  Each tap
    adds a run of what was sent: `counts` runs on the axes of the kernel, the first from element
    `first` on, and each `steps` elements behind its neighbour on that axis.
    """

    results: tuple[slice, ...]
    lengths: tuple[int, ...]
    first: int
    counts: tuple[int, ...]
    steps: tuple[int, ...]

    def collect(self, memory: Array, sent: Array, result: Array) -> None:
        """Write to `result`, (batch, groups, channels, *sizes), the sums of what was sent.

        `memory` and `sent` are those of `_sent`.
        """
        shape = *sent.shape[:3], prod(self.lengths)
        target = result[:, :, :, *self.results]
        is_flat = target.shape[3:] == self.lengths and lies_flat(target, axis=3)
        total = target.reshape(shape) if is_flat else scratch("total", shape, sent.dtype)
        size = sent.itemsize
        # (batch, groups, channels, *taps of the phase, elements of a run): overlapping views
        runs = np.ndarray(
            (*shape[:3], *self.counts, shape[3]),
            sent.dtype,
            memory,
            self.first * size,
            (*sent.strides[:3], *(step * size for step in self.steps), size),
        )
        _add_up(runs, total)
        if not is_flat:
            rows = total.reshape(*shape[:3], *self.lengths)
            target[...] = rows[:, :, :, *map(slice, target.shape[3:])]


def _add_up(runs: Array, total: Array) -> None:
    """Write to `total`, (batch, groups, channels, elements), the sum of `runs` over the taps.

    `runs` is (batch, groups, channels, *taps, elements).
    """
    if runs.shape[-1] < _SHORT_RUN:
        # (*taps, batch, groups, channels, elements)
        by_tap = runs.transpose(*range(3, runs.ndim - 1), 0, 1, 2, -1)
        first, *others = product(*map(range, by_tap.shape[:-4]))
        total[...] = by_tap[first]
        for tap in others:
            total += by_tap[tap]
    else:
        np.add.reduce(runs, axis=tuple(range(3, runs.ndim - 1)), out=total)


@dataclass(frozen=True, slots=True)
class _SummationPlan:
    """The sums of every phase, and the zeros that their runs read past either end: `margin`."""

    margin: int
    phases: tuple[_PhaseSums, ...]


@lru_cache(maxsize=_CACHED_PLANS)
def summation_plan(
    branches: Branches, kernel: tuple[int, ...], sizes: tuple[int, ...]
) -> _SummationPlan:
    """How what was sent is added up to the results of `branches`.

    `kernel` is the kernel's size, and `sizes` those of the padded source.
    """
    # Elements between neighbours on each axis, of the flattened positions.
    apart = [prod(sizes[axis + 1 :]) for axis in range(len(sizes))]
    starts = [[start for branch in axis for start in branch.starts] for axis in branches]
    # The furthest that a tap's shift reads before the first position, and behind the last.
    before = -sum(min(axis) * row for axis, row in zip(starts, apart, strict=True))
    behind = sum(max(axis) * row for axis, row in zip(starts, apart, strict=True))
    longer = (max(branch.length for branch in branches[0]) - sizes[0]) * apart[0]
    margin = max(0, before, behind + longer)
    # Elements between neighbouring taps on each axis of the kernel.
    between = [(margin + prod(sizes)) * prod(kernel[axis + 1 :]) for axis in range(len(kernel))]
    phases = []
    for chosen in product(*branches):
        for chosen_phases in product(*(range(len(branch.phases)) for branch in chosen)):
            runs = list(map(_beginnings, chosen, chosen_phases, apart, between))
            phase = _PhaseSums(
                results=tuple(map(Branch.results, chosen, chosen_phases)),
                lengths=(chosen[0].length, *sizes[1:]),
                first=margin + sum(axis[0] for axis in runs),
                counts=tuple(map(len, runs)),
                steps=tuple(axis[1] - axis[0] if len(axis) > 1 else 0 for axis in runs),
            )
            phases.append(phase)
    return _SummationPlan(margin, tuple(phases))


def _beginnings(branch: Branch, phase: int, apart: int, between: int) -> list[int]:
    """The offsets of the runs of an axis's taps.

    Neighbouring positions of the axis are `apart` elements apart, neighbouring taps `between`.
    """
    taps = zip(branch.taps[phase], branch.starts, strict=True)
    return [tap * between + start * apart for tap, start in taps]
