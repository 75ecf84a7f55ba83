"""Cᵀ y by scattering: one matrix product with the weight as it lies, then sums of its rows.

Wᵀ y holds, for every input channel and tap, what each output sends through that tap.  An input
of phase p (`arithmetic.combs`) is the sum over the phase's taps of what arrives from the
outputs starts[n] + b.  Behind every axis but the first y gets as many zeros as a window
overhangs it; so on the flattened positions a tap is one shift, and adding it one addition of
long runs: where the shift leaves a row it meets the zeros.

The weight is read once and not copied, which is most of the work where it is larger than y.
The zeros are multiplied too, so weights must be finite: 0 * inf is nan.
"""

from __future__ import annotations

from itertools import product
from math import prod
from typing import Any

import numpy as np

from convt_cli.arithmetic.combs import Comb, Combs, all_covered, overhang
from convt_cli.operators.dtypes import Array
from convt_cli.operators.scratch import scratch

_NARROW = 128
"""Up to so many positions the product is formed the other way round: the weight's side long."""


class Scattering:
    """The transposed sum of windows for one weight and any sources.

    `weight` is (groups, source channels, result channels, *kernel_size), channels per group.
    """

    def __init__(self, weight: Array) -> None:
        self._weight = weight

    def __call__(self, combs: Combs, source: Array, result: Array) -> None:
        """Fill `result`, (batch, channels, *sizes), from `source`, (batch, channels, *sizes)."""
        if not all_covered(combs):
            result[...] = 0
        groups, inner, channels, *kernel = self._weight.shape
        padded = _padded(combs, source)
        batch, _, *sizes = padded.shape
        sent = self._sent(padded.reshape(batch, groups, inner, prod(sizes)))
        by_tap = sent.reshape(batch, groups, channels, *kernel, prod(sizes))
        into = result.reshape(batch, groups, channels, *result.shape[2:])
        for chosen in product(*combs):
            _collect(chosen, sizes, by_tap, into)

    def _sent(self, flat: Array) -> Array:
        """(batch, groups, channels * taps, positions): what goes through every tap."""
        matrix = self._weight.reshape(*self._weight.shape[:2], -1)
        batch, groups, _, positions = flat.shape
        sent = scratch("sent", (batch, groups, matrix.shape[2], positions), flat.dtype)
        if positions > _NARROW:
            return np.matmul(matrix.swapaxes(1, 2), flat, out=sent)
        sent[...] = np.matmul(flat.swapaxes(2, 3), matrix).swapaxes(2, 3)
        return sent


def _padded(combs: Combs, source: Array) -> Array:
    """`source` with zeros behind every axis but the first, as many as a window overhangs it."""
    sizes = source.shape[3:]
    pitches = [size + overhang(axis, size) for axis, size in zip(combs[1:], sizes, strict=True)]
    if pitches == list(sizes) and source.flags.c_contiguous:
        return source
    padded = scratch("padded", (*source.shape[:3], *pitches), source.dtype)
    padded[...] = 0
    padded[:, :, :, *map(slice, sizes)] = source
    return padded


def _collect(combs: tuple[Comb, ...], sizes: list[int], sent: Array, result: Array) -> None:
    """Put the sums over the taps of every phase, of one comb per axis, on its results."""
    lengths = [combs[0].length, *sizes[1:]]
    shifts = [_flat_position(starts, sizes) for starts in product(*(c.starts for c in combs))]
    for phases in product(*(range(len(comb.phases)) for comb in combs)):
        taps = product(*(comb.taps[phase] for comb, phase in zip(combs, phases, strict=True)))
        parts = [(_of_tap(sent, tap), shift) for tap, shift in zip(taps, shifts, strict=True)]
        total = _shifted_sum(parts, prod(lengths))
        target = result[
            :, :, :, *(comb.results(phase) for comb, phase in zip(combs, phases, strict=True))
        ]
        rows = total.reshape(*total.shape[:3], *lengths)
        target[...] = rows[:, :, :, *map(slice, target.shape[3:])]


def _of_tap(sent: Array, tap: tuple[int, ...]) -> Array:
    index: tuple[Any, ...] = (slice(None), slice(None), slice(None), *tap)
    part: Array = sent[index]
    return part


def _flat_position(position: tuple[int, ...], sizes: list[int]) -> int:
    flat = 0
    for size, index in zip(sizes, position, strict=True):
        flat = flat * size + index
    return flat


def _shifted_sum(parts: list[tuple[Array, int]], length: int) -> Array:
    """The sum over `parts` of part[..., b + shift], zero outside, for b = 0 ... length - 1."""
    size = parts[0][0].shape[-1]
    runs = []
    for part, shift in parts:
        low, high = max(0, -shift), min(length, size - shift)
        if low < high:
            runs.append((low, high, part[..., low + shift : high + shift]))
    runs.sort(key=lambda run: run[0] - run[1])  # the longest first: less to clear
    total = scratch("total", (*parts[0][0].shape[:-1], length), parts[0][0].dtype)
    if not runs:
        total[...] = 0
    for number, (low, high, run) in enumerate(runs):
        if number:
            total[..., low:high] += run
        else:
            total[..., :low], total[..., low:high], total[..., high:] = 0, run, 0
    return total
