"""Cᵀ y by scattering: matrix products with the weight as it lies, then sums of their rows.

Wᵀ y holds, for every input channel and tap, what each output sends through that tap.  An input
of phase p (`polyphase`) is the sum over the phase's taps of what arrives from the
outputs starts[n] + b.  On the flattened positions a tap is one shift, so what the taps of a phase
add are runs that begin at even distances: one strided view, whose sum over the taps is one call.
A shift leads out of a row and into the next one; but what it meets there, d deep for a tap that
starts d further on, is what outputs at the row's edge send past the border of x.  No input takes
that, so it is cleared before the sums; and what a shift meets beyond the first and the last row
is a margin of zeros.  C x is the same where its stride is 1.

The weight of Cᵀ is read once and not copied, which is most of the work where it is larger than
y.  So many channels are computed at a time that what is sent to them stays in the cache.  Where
x is longer than y zeros are multiplied too, so weights must be finite: 0 * inf is nan.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import product
from math import prod
from typing import Any

import numpy as np

from convt_cli.operators.dtypes import Array
from convt_cli.operators.kernels.polyphase import Branch, Branches, all_covered, pitch
from convt_cli.operators.kernels.scratch import scratch
from convt_cli.operators.kernels.views import lies_flat

_BLOCK_BYTES = 2**22
ROWS_AT_ONCE = 256
"""A product's result fits the cache, unless it had fewer rows then than a fast one has."""
_NARROW = 8
"""Of so many positions for each byte of a number, or fewer, the product is formed the other way
round: the weight's side long."""
_SHORT_RUN = 256
"""Shorter runs are added tap by tap: one call for all takes longer to begin each of them."""
_REMEMBERED = 64
"""Shapes of tiles of which it is kept what is added where."""


class Scattering:
    """The sum of windows for one weight and any sources that are read with step 1.

    `weight` is (groups, source channels, result channels, *kernel_size), channels per group.
    """

    def __init__(self, weight: Array) -> None:
        self._weight = weight

    def __call__(self, branches: Branches, source: Array, result: Array) -> None:
        """Fill `result`, (batch, channels, *sizes), from `source`, (batch, channels, *sizes)."""
        if not len(result):
            return
        if not all_covered(branches):
            result[...] = 0
        groups, inner, channels, *kernel = self._weight.shape
        padded = _padded(branches, source)
        batch, _, *sizes = padded.shape
        flat = padded.reshape(batch, groups, inner, prod(sizes))
        into = result.reshape(batch, groups, channels, *result.shape[2:])
        plan = _plan(branches, tuple(kernel), tuple(sizes))
        for part in self._blocks(prod(sizes) * source.itemsize):
            memory, sent = self._sent(part, flat[:, part[0]], plan.margin)
            _clear(branches, sent[..., plan.margin :].reshape(*sent.shape[:-1], *sizes))
            for phase in plan.phases:
                phase.collect(memory, sent, into[:, *part])

    def _blocks(self, row_bytes: int) -> Iterator[tuple[slice, slice]]:
        """The groups and channels that are computed together; a row is a channel and a tap."""
        groups, _, channels, *kernel = self._weight.shape
        rows = max(_BLOCK_BYTES // row_bytes, ROWS_AT_ONCE)
        together = max(1, rows // (channels * prod(kernel)))
        wide = max(1, min(channels, -(-rows // prod(kernel))))
        for group in range(0, groups, together):
            for channel in range(0, channels, wide):
                yield slice(group, group + together), slice(channel, channel + wide)

    def _sent(self, part: tuple[slice, slice], flat: Array, margin: int) -> tuple[Array, Array]:
        """(batch, groups, channels, *kernel_size, margin + positions): what every tap is sent.

        The margins are zero, and so is one behind it all in its memory, which comes first.
        """
        weight = self._weight[part[0], :, part[1]]
        groups, inner, *rows = weight.shape
        matrix = weight.reshape(groups, inner, prod(rows))
        batch, *_, positions = flat.shape
        shape = batch, groups, prod(rows), margin + positions
        memory = scratch("sent", (prod(shape) + margin,), flat.dtype)
        memory[prod(shape) :] = 0
        whole = memory[: prod(shape)].reshape(shape)
        whole[..., :margin] = 0
        sent = whole[..., margin:]
        if positions > _NARROW * flat.itemsize:
            np.matmul(matrix.swapaxes(1, 2), flat, out=sent)
        else:
            sent[...] = np.matmul(flat.swapaxes(2, 3), matrix).swapaxes(2, 3)
        return memory, whole.reshape(batch, groups, *rows, margin + positions)


def _padded(branches: Branches, source: Array) -> Array:
    """`source` with zeros behind every axis but the first, so that a row holds the results'.

    It is contiguous, or each channel is, where there are so many positions that BLAS computes
    the same either way.
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
    """Clear what no result takes: `sent` is (batch, groups, channels, *kernel_size, *sizes)."""
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
class _Phase:
    """The results of one phase of every axis: where they are, and the taps that add up to them.

    Their sums have `lengths`, those of the last axes with the zeros behind them.  What a tap adds
    is a run of what was sent.  The first tap's begins at `first`; there are `counts` of them on
    the axes, and one begins `steps` behind the one before it.
    """

    results: tuple[slice, ...]
    lengths: tuple[int, ...]
    first: int
    counts: tuple[int, ...]
    steps: tuple[int, ...]

    def collect(self, memory: Array, sent: Array, result: Array) -> None:
        """Put the sums of what was sent, as `_sent` returns it, where they belong."""
        shape = *sent.shape[:3], prod(self.lengths)
        target = result[:, :, :, *self.results]
        is_flat = target.shape[3:] == self.lengths and lies_flat(target, axis=3)
        total = target.reshape(shape) if is_flat else scratch("total", shape, sent.dtype)
        size = sent.itemsize
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
    """The sum over all but the first three axes and the last one."""
    if runs.shape[-1] < _SHORT_RUN:
        by_tap = runs.transpose(*range(3, runs.ndim - 1), 0, 1, 2, -1)
        first, *others = product(*map(range, by_tap.shape[:-4]))
        total[...] = by_tap[first]
        for tap in others:
            total += by_tap[tap]
    else:
        np.add.reduce(runs, axis=tuple(range(3, runs.ndim - 1)), out=total)


@dataclass(frozen=True, slots=True)
class _Plan:
    """Every phase of the results, and how far past an end of the positions their taps reach."""

    margin: int
    phases: tuple[_Phase, ...]


@lru_cache(maxsize=_REMEMBERED)
def _plan(branches: Branches, kernel: tuple[int, ...], sizes: tuple[int, ...]) -> _Plan:
    """What is added where, to the results of `branches`, of sources in rows of `sizes`."""
    apart = [prod(sizes[axis + 1 :]) for axis in range(len(sizes))]
    starts = [[start for branch in axis for start in branch.starts] for axis in branches]
    before = -sum(min(axis) * row for axis, row in zip(starts, apart, strict=True))
    behind = sum(max(axis) * row for axis, row in zip(starts, apart, strict=True))
    longer = (max(branch.length for branch in branches[0]) - sizes[0]) * apart[0]
    margin = max(0, before, behind + longer)
    between = [(margin + prod(sizes)) * prod(kernel[axis + 1 :]) for axis in range(len(kernel))]
    phases = []
    for chosen in product(*branches):
        for numbers in product(*(range(len(branch.phases)) for branch in chosen)):
            runs = list(map(_beginnings, chosen, numbers, apart, between))
            phase = _Phase(
                results=tuple(map(Branch.results, chosen, numbers)),
                lengths=(chosen[0].length, *sizes[1:]),
                first=margin + sum(axis[0] for axis in runs),
                counts=tuple(map(len, runs)),
                steps=tuple(axis[1] - axis[0] if len(axis) > 1 else 0 for axis in runs),
            )
            phases.append(phase)
    return _Plan(margin, tuple(phases))


def _beginnings(branch: Branch, phase: int, apart: int, between: int) -> list[int]:
    """Where the runs of an axis's taps begin: elements lie `apart` on it, and taps `between`."""
    taps = zip(branch.taps[phase], branch.starts, strict=True)
    return [tap * between + start * apart for tap, start in taps]
