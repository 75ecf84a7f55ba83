"""Cᵀ y by scattering: matrix products with the weight as it lies, then sums of their rows.

Wᵀ y holds, for every input channel and tap, what each output sends through that tap.  An input
of phase p (`arithmetic.combs`) is the sum over the phase's taps of what arrives from the
outputs starts[n] + b.  On the flattened positions a tap is one shift, and adding it one addition
of long runs.  A shift leads out of a row and into the next one; but what it meets there, d deep
for a tap that starts d further on, is what outputs at the row's edge send past the border of x.
No input takes that, so it is cleared before the sums.  C x is the same where its stride is 1.

The weight of Cᵀ is read once and not copied, which is most of the work where it is larger than
y.  So many channels are computed at a time that what is sent to them stays in the cache.  Where
x is longer than y zeros are multiplied too, so weights must be finite: 0 * inf is nan.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise, product
from math import prod
from typing import Any

import numpy as np

from convt_cli.arithmetic.combs import Comb, Combs, all_covered, pitch
from convt_cli.operators.dtypes import Array
from convt_cli.operators.gather import lies_flat
from convt_cli.operators.scratch import scratch

_BLOCK_BYTES = 2**22
ROWS_AT_ONCE = 256
"""A product's result fits the cache, unless it had fewer rows then than a fast one has."""
_NARROW = 8
"""Of so many positions for each byte of a number, or fewer, the product is formed the other way
round: the weight's side long."""
_REMEMBERED = 64
"""Shapes of tiles of which it is kept what is added where."""


class Scattering:
    """The sum of windows for one weight and any sources that are read with step 1.

    `weight` is (groups, source channels, result channels, *kernel_size), channels per group.
    """

    def __init__(self, weight: Array) -> None:
        self._weight = weight

    def __call__(self, combs: Combs, source: Array, result: Array) -> None:
        """Fill `result`, (batch, channels, *sizes), from `source`, (batch, channels, *sizes)."""
        if not all_covered(combs):
            result[...] = 0
        groups, inner, channels, *_ = self._weight.shape
        padded = _padded(combs, source)
        batch, _, *sizes = padded.shape
        flat = padded.reshape(batch, groups, inner, prod(sizes))
        into = result.reshape(batch, groups, channels, *result.shape[2:])
        for part in self._blocks(prod(sizes) * source.itemsize):
            sent = self._sent(part, flat[:, part[0]])
            _clear(combs, sent.reshape(*sent.shape[:-1], *sizes))
            for phase in _phases(combs, tuple(sizes)):
                phase.collect(sent, into[:, *part])

    def _blocks(self, row_bytes: int) -> Iterator[tuple[slice, slice]]:
        """The groups and channels that are computed together; a row is a channel and a tap."""
        groups, _, channels, *kernel = self._weight.shape
        rows = max(_BLOCK_BYTES // row_bytes, ROWS_AT_ONCE)
        together = max(1, rows // (channels * prod(kernel)))
        wide = max(1, min(channels, -(-rows // prod(kernel))))
        for group in range(0, groups, together):
            for channel in range(0, channels, wide):
                yield slice(group, group + together), slice(channel, channel + wide)

    def _sent(self, part: tuple[slice, slice], flat: Array) -> Array:
        """(batch, groups, channels, *kernel_size, positions): what goes through every tap."""
        weight = self._weight[part[0], :, part[1]]
        groups, inner, *rows = weight.shape
        matrix = weight.reshape(groups, inner, prod(rows))
        batch, *_, positions = flat.shape
        sent = scratch("sent", (batch, groups, prod(rows), positions), flat.dtype)
        if positions > _NARROW * flat.itemsize:
            np.matmul(matrix.swapaxes(1, 2), flat, out=sent)
        else:
            sent[...] = np.matmul(flat.swapaxes(2, 3), matrix).swapaxes(2, 3)
        return sent.reshape(batch, groups, *rows, positions)


def _padded(combs: Combs, source: Array) -> Array:
    """`source` with zeros behind every axis but the first, so that a row holds the results'.

    It is contiguous, or each channel is, where there are so many positions that BLAS computes
    the same either way.
    """
    sizes = source.shape[3:]
    pitches = [pitch(axis, size) for axis, size in zip(combs[1:], sizes, strict=True)]
    is_wide = prod(source.shape[2:]) > _NARROW * source.itemsize
    if pitches == list(sizes) and lies_flat(source, axis=2 if is_wide else 1):
        return source
    padded = scratch("padded", (*source.shape[:3], *pitches), source.dtype)
    padded[:, :, :, *map(slice, sizes)] = source
    for axis, size in enumerate(sizes, start=3):
        ahead: tuple[Any, ...] = (slice(None),) * axis
        padded[*ahead, size:] = 0
    return padded


def _clear(combs: Combs, sent: Array) -> None:
    """Clear what no result takes: `sent` is (batch, groups, channels, *kernel_size, *sizes)."""
    rank = len(combs)
    for number in range(1, rank):
        ahead: list[Any] = [slice(None)] * (3 + number)
        between: list[Any] = [slice(None)] * (rank - 1)
        for comb in combs[number]:
            for taps in comb.taps:
                for tap, start in zip(taps, comb.starts, strict=True):
                    if start:
                        edge = slice(start) if start > 0 else slice(start, None)
                        sent[*ahead, tap, *between, edge] = 0


@dataclass(frozen=True, slots=True)
class _Run:
    """What one tap adds: to the sums low ... high - 1 what lies `shift` further on."""

    tap: tuple[int, ...]
    shift: int
    low: int
    high: int

    def part(self, sent: Array, low: int, high: int) -> Array:
        """(batch, groups, channels, high - low): what is added to the sums low ... high - 1."""
        index: Any = (..., *self.tap, slice(low + self.shift, high + self.shift))
        found: Array = sent[index]
        return found


@dataclass(frozen=True, slots=True)
class _Phase:
    """The results of one phase of every axis: where they are, and the taps that add up to them.

    Their sums have `lengths`, those of the last axes with the zeros behind them.  They begin with
    the first two runs, cut where one of these begins or ends, and then the others are added.
    """

    results: tuple[slice, ...]
    lengths: tuple[int, ...]
    beginnings: tuple[tuple[int, int, tuple[_Run, ...]], ...]
    others: tuple[_Run, ...]

    def collect(self, sent: Array, result: Array) -> None:
        """Put the sums of `sent`, (batch, groups, channels, *kernel_size, positions)."""
        total = scratch("total", (*sent.shape[:3], prod(self.lengths)), sent.dtype)
        for low, high, runs in self.beginnings:
            parts = [run.part(sent, low, high) for run in runs]
            if len(parts) == 2:
                np.add(parts[0], parts[1], out=total[..., low:high])
            else:
                total[..., low:high] = parts[0] if parts else 0
        for run in self.others:
            total[..., run.low : run.high] += run.part(sent, run.low, run.high)
        target = result[:, :, :, *self.results]
        rows = total.reshape(*total.shape[:3], *self.lengths)
        target[...] = rows[:, :, :, *map(slice, target.shape[3:])]


@lru_cache(maxsize=_REMEMBERED)
def _phases(combs: Combs, sizes: tuple[int, ...]) -> tuple[_Phase, ...]:
    """Every phase of the results of `combs`, of sources in rows of `sizes`."""
    return tuple(
        _phase(chosen, numbers, sizes)
        for chosen in product(*combs)
        for numbers in product(*(range(len(comb.phases)) for comb in chosen))
    )


def _phase(combs: tuple[Comb, ...], phases: tuple[int, ...], sizes: tuple[int, ...]) -> _Phase:
    runs = tuple(_runs(combs, phases, sizes))
    lengths = combs[0].length, *sizes[1:]
    two = runs[:2]
    ends = sorted({0, prod(lengths), *(end for run in two for end in (run.low, run.high))})
    return _Phase(
        results=tuple(map(Comb.results, combs, phases)),
        lengths=lengths,
        beginnings=tuple(
            (low, high, tuple(run for run in two if run.low <= low and high <= run.high))
            for low, high in pairwise(ends)
        ),
        others=runs[2:],
    )


def _runs(
    combs: tuple[Comb, ...], phases: tuple[int, ...], sizes: tuple[int, ...]
) -> Iterator[_Run]:
    """What the taps of one phase of every axis add, on the flattened positions."""
    length, size = combs[0].length * prod(sizes[1:]), prod(sizes)
    taps = product(*(comb.taps[phase] for comb, phase in zip(combs, phases, strict=True)))
    starts = product(*(comb.starts for comb in combs))
    for tap, start in zip(taps, starts, strict=True):
        shift = _flat_position(start, sizes)
        low, high = max(0, -shift), min(length, size - shift)
        if low < high:
            yield _Run(tap, shift, low, high)


def _flat_position(position: tuple[int, ...], sizes: tuple[int, ...]) -> int:
    flat = 0
    for size, index in zip(sizes, position, strict=True):
        flat = flat * size + index
    return flat
