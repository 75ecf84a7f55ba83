"""The bands of C or Cᵀ padded with zeros: each of bounded size, computed by itself.

A band is a box of rows: a range of channels, and a range of positions on every axis.  It is filled
axis by axis, the first axis outermost.  The rows of an axis come in runs (`row_runs`): only the
first period of a run is filled, through the axes behind it, and the other periods are copies of
it, with the same data, and column indices that grow by a constant.  So nearly every entry is
written once, as a copy of something that is still in the cache.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import reduce
from itertools import accumulate
from math import prod

import numpy as np

from convt_cli.arithmetic.convolution import Convolution, Shape
from convt_cli.operators.dtypes import Array
from convt_cli.operators.kernels.views import transposed_weight
from convt_cli.operators.matrix.row_runs import Row, Runs, axis_runs

_COPIED_AT_ONCE = 2048
"""Entries: shorter periods are joined to about this length first, as copying them one by one would
spend longer on each copy's start than on its bytes."""

Box = tuple[range, ...]
"""The rows of a band: a range of channels, and of positions on every axis."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ZeroPaddedBands:
    """All bands of C or Cᵀ padded with zeros, from the first row to the last.

    `kernel` is the weight in the order of the matrix: (row channels, column channels of a group,
    *kernel_size), flipped for Cᵀ.  The arrays of a band take at most `band_bytes`, unless a single
    row takes more.
    """

    convolution: Convolution
    kernel: Array
    transpose: bool
    band_bytes: int
    index_dtype: np.dtype[np.signedinteger]

    @classmethod
    def of(
        cls, convolution: Convolution, weight: Array, *, transpose: bool, band_bytes: int
    ) -> ZeroPaddedBands:
        """The bands of C, or Cᵀ, of a `weight` (out_channels, in_channels // groups, *kernel)."""
        kernel = transposed_weight(weight, convolution.groups) if transpose else weight
        return cls(
            convolution=convolution,
            kernel=kernel,
            transpose=transpose,
            band_bytes=band_bytes,
            index_dtype=np.dtype(convolution.index_dtype),
        )

    def __iter__(self) -> Iterator[ZeroPaddedBand]:
        for box in _boxes(self.row_shape, self._bytes_of_one(), self.band_bytes):
            yield ZeroPaddedBand(bands=self, box=box, runs=self.runs(box))

    @property
    def row_shape(self) -> Shape:
        """(row channels, *row positions)."""
        return self.convolution.input_shape if self.transpose else self.convolution.output_shape

    @property
    def column_shape(self) -> Shape:
        """(column channels, *column positions)."""
        return self.convolution.output_shape if self.transpose else self.convolution.input_shape

    def runs(self, box: Box) -> tuple[Runs, ...]:
        """The runs of every axis inside `box`."""
        axes = zip(self.convolution.axes, box[1:], strict=True)
        return tuple(axis_runs(axis, rows, transpose=self.transpose) for axis, rows in axes)

    def _bytes_of_one(self) -> list[int]:
        """(rank + 1,) the most bytes that one channel takes, then one position of each axis.

        A position is one with a single index on the axes before it too, and all behind it.
        """
        runs = self.runs(tuple(range(size) for size in self.row_shape))
        fullest = [_fullest(axis) for axis in runs]
        entries = [_entries(axis) for axis in runs]
        sizes = self.row_shape[1:]
        inner, index = self.kernel.shape[1], self.index_dtype.itemsize
        # The data and column indices of the fullest position, and a row pointer for each row.
        return [
            inner * prod(fullest[:n]) * prod(entries[n:]) * (self.kernel.itemsize + index)
            + prod(sizes[n:]) * index
            for n in range(len(sizes) + 1)
        ]


@dataclass(frozen=True, slots=True, kw_only=True)
class ZeroPaddedBand:
    """The rows of C or Cᵀ in `box`, with their `runs` on each axis."""

    bands: ZeroPaddedBands
    box: Box
    runs: tuple[Runs, ...]

    @property
    def entries(self) -> int:
        """The number of entries in the band."""
        inner: int = self.bands.kernel.shape[1]
        return len(self.box[0]) * inner * prod(_entries(runs) for runs in self.runs)

    def row_entries(self) -> Array:
        """(rows,) entries of each row, in the index dtype."""
        dtype = self.bands.index_dtype
        channels, *positions = self.box
        # per axis (positions,)
        counts = [
            _row_counts(runs, len(rows), dtype)
            for runs, rows in zip(self.runs, positions, strict=True)
        ]
        # (channels,), times the axes' counts one by one: (channels, *positions)
        inner = np.full(len(channels), self.bands.kernel.shape[1], dtype)
        return reduce(np.multiply.outer, counts, inner).ravel()

    def fill_data(self, out: Array) -> None:
        """Write the entries to `out`, of length `entries`."""
        channels = self.box[0]
        # (channels, column channels, *kernel_size)
        kernel = self.bands.kernel[channels.start : channels.stop]
        _fill(out.reshape(len(channels), -1), kernel, self._levels(), _TAPS)

    def fill_columns(self, out: Array) -> None:
        """Write the column index of every entry to `out`, of length `entries`.

        The channels of one group have the same columns, and those of the next group have them
        further on by a constant.  So the first channel is filled, and the others are copies.
        """
        # (channels,) the first column of each channel's group
        groups = self._groups() * (self.bands.kernel.shape[1] * prod(self.bands.column_shape[1:]))
        # (column channels,) the first column of each, from that of the group on
        inner = np.arange(self.bands.kernel.shape[1]) * prod(self.bands.column_shape[1:])
        by_channel = out.reshape(len(groups), -1)
        # (1, column channels)
        lead = (groups[0] + inner).astype(out.dtype)[np.newaxis]
        _fill(by_channel[:1], lead, self._levels(), _COLUMNS)
        further = (groups[1:] - groups[0]).astype(out.dtype)
        np.add(by_channel[0], further[:, np.newaxis], out=by_channel[1:])

    def _groups(self) -> Array:
        """(channels,) the group of each channel."""
        per_group = self.bands.row_shape[0] // self.bands.convolution.groups
        groups: Array = np.array(self.box[0], np.int64) // per_group
        return groups

    def _levels(self) -> list[_Level]:
        """The axes, the first outermost."""
        entries = [_entries(runs) for runs in self.runs]
        sizes = self.bands.column_shape[1:]
        return [
            _Level(runs=runs, step=prod(sizes[n + 1 :]), behind=prod(entries[n + 1 :]))
            for n, runs in enumerate(self.runs)
        ]


def _boxes(shape: Shape, bytes_of_one: Sequence[int], most_bytes: int) -> Iterator[Box]:
    """Boxes of at most `most_bytes` that make up `shape`, in row-major order.

    `bytes_of_one` is what a position of each axis takes.  The first axis of which a position fits
    is cut into ranges, and the axes before it into single positions.
    """
    cut = next((n for n, size in enumerate(bytes_of_one) if size <= most_bytes), len(shape) - 1)
    step = max(1, most_bytes // bytes_of_one[cut])
    whole = [range(size) for size in shape]
    for before in np.ndindex(*shape[:cut]):
        single = [range(at, at + 1) for at in before]
        for start in whole[cut][::step]:
            yield (*single, whole[cut][start : start + step], *whole[cut + 1 :])


def _entries(runs: Runs) -> int:
    """The number of entries in all rows of an axis."""
    return sum(run.times * run.entries for run in runs)


def _fullest(runs: Runs) -> int:
    """The number of entries in the fullest row of an axis."""
    return max((len(row.columns) for run in runs for row in run.rows), default=0)


def _row_counts(runs: Runs, rows: int, dtype: np.dtype[np.signedinteger]) -> Array:
    """(rows,) the number of entries in each row of an axis."""
    counts = np.zeros(rows, dtype)
    for run in runs:
        past = run.first + run.times * run.period
        for row in run.rows:
            counts[run.first + row.place : past : run.period] = len(row.columns)
    return counts


@dataclass(frozen=True, slots=True, kw_only=True)
class _Level:
    """One axis of a band: its runs of rows.

    The next position on this axis is `step` columns on, and each entry of this axis's own matrix
    becomes `behind` entries, those of the axes behind it.
    """

    runs: Runs
    step: int
    behind: int


@dataclass(frozen=True, slots=True, kw_only=True)
class _Filling:
    """How a band is filled with data, or with column indices.

    `narrowed(lead, row, step)` is `lead` cut down to the entries of one row of an axis.
    `repeat(first, periods, start, shift)` writes `first` to each of `periods`, and adds shift *
    (start + number of the period) to column indices.
    """

    narrowed: Callable[[Array, Row, int], Array]
    repeat: Callable[[Array, Array, int, int], None]


def _fill(out: Array, lead: Array, levels: Sequence[_Level], content: _Filling) -> None:
    """Fill `out`, (channels, entries), with the rows of `levels`, the axes that are left.

    `lead` is (channels, entries so far, ...): what the row chosen on the axes before these holds.
    For data it is the weight narrowed to that row, (channels, entries so far, *taps of the axes
    that are left); for columns it is (1, entries so far).
    """
    if not levels:
        out[...] = lead
        return
    level, *behind = levels
    start = 0
    for run in level.runs:
        size = lead.shape[1] * run.entries * level.behind
        # (channels, times, entries of a period), a view
        periods = out[:, start : start + run.times * size].reshape(len(out), run.times, size)
        # (channels, entries of a period); apart where it is copied, to lie side by side
        first = periods[:, 0] if run.times == 1 else np.empty((len(out), size), out.dtype)
        ends = accumulate((len(row.columns) for row in run.rows), initial=0)
        for row, before in zip(run.rows, ends):
            place = lead.shape[1] * before * level.behind
            length = lead.shape[1] * len(row.columns) * level.behind
            narrowed = content.narrowed(lead, row, level.step)
            _fill(first[:, place : place + length], narrowed, behind, content)
        if run.times > 1:
            _repeat(first, periods, run.shift * level.step, content)
        start += run.times * size


def _repeat(first: Array, periods: Array, shift: int, content: _Filling) -> None:
    """Copy `first`, (channels, entries), to each of `periods`, (channels, times, entries).

    Short periods are joined to longer ones first.
    """
    channels, times, size = periods.shape
    joined = _COPIED_AT_ONCE // max(1, size)
    if joined < 2 or times < 2 * joined:
        content.repeat(first, periods, 0, shift)
        return
    # (channels, joined, entries): `joined` periods that are copied as one
    longer = np.empty((channels, joined, size), periods.dtype)
    content.repeat(first, longer, 0, shift)
    whole = times - times % joined
    # (channels, times // joined, joined * entries); then the periods left over
    body = periods[:, :whole].reshape(channels, whole // joined, joined * size)
    content.repeat(longer.reshape(channels, joined * size), body, 0, joined * shift)
    content.repeat(first, periods[:, whole:], whole, shift)


def _narrowed_taps(kernel: Array, row: Row, _step: int) -> Array:
    """(channels, entries, ...) of the taps in `row`, of (channels, entries so far, taps, ...)."""
    taps: Array = kernel[:, :, row.taps]
    return taps.reshape(len(kernel), taps.shape[1] * taps.shape[2], *taps.shape[3:])


def _repeat_taps(first: Array, periods: Array, _start: int, _shift: int) -> None:
    """Copy `first` to every period: the data do not change."""
    periods[...] = first[:, np.newaxis]


def _narrowed_columns(lead: Array, row: Row, step: int) -> Array:
    """(1, entries): the columns so far, (1, entries so far), plus those of each entry of `row`."""
    # (entries of the row,)
    columns = (np.array(row.columns, np.int64) * step).astype(lead.dtype)
    narrowed: Array = lead[..., np.newaxis] + columns
    return narrowed.reshape(1, -1)


def _repeat_columns(first: Array, periods: Array, start: int, shift: int) -> None:
    """Copy `first` to every period, `shift` columns further on for each."""
    # (periods,)
    further = np.arange(start, start + periods.shape[1]) * shift
    np.add(first[:, np.newaxis], further.astype(first.dtype)[:, np.newaxis], out=periods)


_TAPS = _Filling(narrowed=_narrowed_taps, repeat=_repeat_taps)
_COLUMNS = _Filling(narrowed=_narrowed_columns, repeat=_repeat_columns)
