"""C x and Cᵀ y by gathering: copies of the source side by side, then matrix products.

On every axis the results are combs (`arithmetic.combs`): result phase + b * result_step sums
its taps over the sources starts[n] + b * source_step.  For one comb of every axis, then,

    result[m, b] = the sum over channels c and taps n of
                   weight[m, c, tap n] * source[c, starts[n] + b * source_step],

which is one matrix product of the weight, (phases * channels, channels * taps), and of the
gathered source, (channels * taps, positions).  Only the axes behind the first are gathered: a
tap of the first axis reads the same rows further down, a view of what is there already.  So
the source is copied once for each tap of the last axes, and the products of the first axis's
taps add up.  Phases that read the same sources are rows of one product.

The zeros of the padding are gathered too, so weights must be finite: 0 * inf is nan.
"""

from __future__ import annotations

from itertools import product
from math import prod
from typing import Any

import numpy as np

from convt_cli.arithmetic.combs import UNIT, Comb, Combs, all_covered
from convt_cli.operators.dtypes import Array
from convt_cli.operators.scratch import scratch

_Taps = tuple[tuple[tuple[int, ...], ...], ...]
"""For every axis and phase of a comb: the taps."""


class Gathering:
    """The sum of windows as matrix products, for one weight and any sources.

    `weight` is (groups, result channels, source channels, *kernel_size), channels per group.
    With `flat` the first axis is gathered too: one product, the weight in its own order.
    """

    def __init__(self, weight: Array, *, flat: bool) -> None:
        self._flat = flat
        self._weight = weight[:, :, :, np.newaxis] if flat else weight
        self._matrices: dict[_Taps, list[Array]] = {}

    def __call__(self, combs: Combs, source: Array, result: Array) -> None:
        """Fill `result`, (batch, channels, *sizes), from `source`, (batch, channels, *sizes)."""
        if self._flat:
            combs = ((UNIT,), *combs)
            source, result = source[:, :, np.newaxis], result[:, :, np.newaxis]
        if not all_covered(combs):
            result[...] = 0
        for others in product(*combs[1:]):
            rows = self._gathered(combs[0], others, source)
            for leading in combs[0]:
                chosen = (leading, *others)
                _spread(chosen, self._product(combs[0], chosen, rows), result)

    def _gathered(
        self, leading: tuple[Comb, ...], others: tuple[Comb, ...], source: Array
    ) -> Array:
        """(batch, groups, channels * taps, residues, rows * positions), zero outside `source`.

        The rows begin with the first that any comb reads.  They lie apart by their residue
        modulo the first axis's step, so that every step-th row is a plain range.
        """
        batch, channels, height, *sizes = source.shape
        step, (first, last) = leading[0].source_step, _reach(leading)
        depth = (last - first) // step + 1
        residues = _residues(leading)
        counts = [len(comb.starts) for comb in others]
        lengths = [comb.length for comb in others]
        shape = (batch, channels, *counts, len(residues), depth, *lengths)
        gathered = scratch("gathered", shape, source.dtype)
        for place, residue in enumerate(residues):
            into, rows = _overlap(first + residue, step, depth, height)
            for taps in product(*map(range, counts)):
                pairs = [
                    _overlap(comb.starts[tap], comb.source_step, comb.length, size)
                    for comb, tap, size in zip(others, taps, sizes, strict=True)
                ]
                inside = (into, *(pair[0] for pair in pairs))
                index: tuple[Any, ...] = (slice(None), slice(None), *taps, place)
                target = gathered[index]
                target[:, :, *inside] = source[:, :, rows, *(pair[1] for pair in pairs)]
                _clear_outside(target, inside)
        groups = len(self._weight)
        inner = channels // groups * prod(counts)
        return gathered.reshape(batch, groups, inner, len(residues), depth * prod(lengths))

    def _product(
        self, all_leading: tuple[Comb, ...], combs: tuple[Comb, ...], rows: Array
    ) -> Array:
        """(batch, groups, phases * channels, positions): the sum over the first axis's taps."""
        leading, *others = combs
        (first, _), residues = _reach(all_leading), _residues(all_leading)
        width = prod(comb.length for comb in others)
        matrices = self._matrices_of(combs)
        shape = (*rows.shape[:2], matrices[0].shape[1], leading.length * width)
        total = scratch("total", shape, rows.dtype)
        for number, (matrix, start) in enumerate(zip(matrices, leading.starts, strict=True)):
            depth, residue = divmod(start - first, leading.source_step)
            part = slice(depth * width, (depth + leading.length) * width)
            view = rows[:, :, :, residues.index(residue), part]
            if number == 0:
                np.matmul(matrix, view, out=total)
            else:
                total += np.matmul(matrix, view, out=scratch("more", shape, rows.dtype))
        return total

    def _matrices_of(self, combs: tuple[Comb, ...]) -> list[Array]:
        """For every tap of the first axis (groups, phases * channels, channels * taps)."""
        taps = tuple(comb.taps for comb in combs)
        if taps not in self._matrices:
            self._matrices[taps] = [self._matrix(taps, tap) for tap in range(len(taps[0][0]))]
        return self._matrices[taps]

    def _matrix(self, taps: _Taps, number: int) -> Array:
        groups, channels = self._weight.shape[:2]
        blocks = [
            self._weight[_tap_index(first[number], others)] for first, *others in product(*taps)
        ]
        stacked = blocks[0] if len(blocks) == 1 else np.stack(blocks, axis=1)
        return stacked.reshape(groups, len(blocks) * channels, -1)


def _reach(leading: tuple[Comb, ...]) -> tuple[int, int]:
    """The first and the last source that any of the combs reads."""
    first = min(min(comb.starts) for comb in leading)
    return first, max(max(c.starts) + (c.length - 1) * c.source_step for c in leading)


def _residues(leading: tuple[Comb, ...]) -> list[int]:
    """How far, modulo the step, what the combs read lies from the first of it."""
    first, _ = _reach(leading)
    return sorted({(start - first) % comb.source_step for comb in leading for start in comb.starts})


def _spread(combs: tuple[Comb, ...], total: Array, result: Array) -> None:
    """Put a product's rows, phase by phase, on the results that they are."""
    batch, channels, *sizes = result.shape
    groups = total.shape[1]
    counts = [len(comb.phases) for comb in combs]
    lengths = [comb.length for comb in combs]
    blocks = total.reshape(batch, groups, prod(counts), channels // groups, *lengths)
    grouped = result.reshape(batch, groups, channels // groups, *sizes)
    for number, phases in enumerate(product(*map(range, counts))):
        target = grouped[
            :, :, :, *(comb.results(phase) for comb, phase in zip(combs, phases, strict=True))
        ]
        written: tuple[Any, ...] = tuple(map(slice, target.shape[3:]))
        target[...] = blocks[:, :, number, :, *written]


def _overlap(start: int, step: int, length: int, size: int) -> tuple[slice, slice]:
    """Of start + b * step, b = 0 ... length - 1, those below `size` and not negative.

    The bs and the elements.
    """
    low = max(0, -(start // step))
    high = min(length, (size - 1 - start) // step + 1)
    if high <= low:
        return slice(0, 0), slice(0, 0)
    return slice(low, high), slice(start + low * step, start + (high - 1) * step + 1, step)


def _clear_outside(target: Array, inside: tuple[slice, ...]) -> None:
    """Zero what lies outside the box `inside` of the last axes."""
    for axis, part in enumerate(inside, start=2):
        ahead = (slice(None),) * axis
        if part.start > 0:
            target[*ahead, : part.start] = 0
        if part.stop < target.shape[axis]:
            target[*ahead, part.stop :] = 0


def _tap_index(first: int, others: list[tuple[int, ...]]) -> tuple[Any, ...]:
    """One tap of the first axis and some of each other one, of every group and channel."""
    return (slice(None), slice(None), slice(None), first, *map(_as_slice, others))


def _as_slice(taps: tuple[int, ...]) -> slice:
    """Taps that lie evenly apart, as a slice."""
    step = taps[1] - taps[0] if len(taps) > 1 else 1
    past = taps[-1] + step
    return slice(taps[0], None if past < 0 else past, step)
