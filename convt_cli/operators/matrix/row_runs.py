"""The rows of one axis' matrix, C or Cᵀ: neighbours that look alike, as runs.

Row `output` of an axis' C holds the taps inside the input, at columns `dilation` apart; the next
row holds the same taps `stride` columns on, until some tap enters or leaves the input.  Row
`input` of its Cᵀ holds the taps that meet an output there; the row `stride` further on holds the
same taps one column on.  So C repeats itself row by row, and Cᵀ in periods of `stride` rows.
Integers alone: the arrays are made in `matrix_bands`.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from math import gcd

from convt_cli.arithmetic.axis import Axis


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A row with entries: its place in the period, its taps, and the columns they stand at."""

    place: int
    taps: slice
    columns: range


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """`times` periods of rows from row `first` on, each `shift` columns after the one before.

    `rows` are those with entries, in their order.
    """

    first: int
    times: int
    period: int
    shift: int
    rows: tuple[Row, ...]

    @property
    def entries(self) -> int:
        """The number of entries in one period."""
        return sum(len(row.columns) for row in self.rows)


Runs = tuple[Run, ...]


@lru_cache(maxsize=64)
def axis_runs(axis: Axis, rows: range, *, transpose: bool) -> Runs:
    """The runs of `rows` (neighbours) of C, or Cᵀ; `Run.first` counts from the first of them.

    For Cᵀ taps are counted from the kernel's last, so that they grow with the columns.
    """
    return _transpose_runs(axis, rows) if transpose else _direct_runs(axis, rows)


def _direct_runs(axis: Axis, rows: range) -> Runs:
    edges = {rows.start, rows.stop}
    for tap in range(axis.kernel_size):
        edges.update(edge for edge in axis.outputs_of_tap(tap) if edge in rows)
    return tuple(
        Run(
            first=first - rows.start,
            times=past - first,
            period=1,
            shift=axis.stride,
            rows=_direct_row(axis, first),
        )
        for first, past in pairwise(sorted(edges))
    )


def _direct_row(axis: Axis, output: int) -> tuple[Row, ...]:
    first, past = axis.taps_of_output(output)
    taps = range(first, past)
    start = output * axis.stride - axis.before
    columns = range(start + first * axis.dilation, start + past * axis.dilation, axis.dilation)
    return (Row(place=0, taps=slice(first, past), columns=columns),) if taps else ()


@dataclass(frozen=True, slots=True, kw_only=True)
class _RowPhase:
    """The taps that meet outputs at the same place of a period.

    The n-th of them is tap first_tap + n * tap_step; in period p it meets output p - turns[n].
    """

    place: int
    first_tap: int
    tap_step: int
    turns: range

    def row(self, axis: Axis, period: int) -> Row | None:
        """The row at this place of a period, if any tap meets an output there."""
        first = bisect_right(self.turns, period - axis.output_size)
        past = bisect_right(self.turns, period)
        if first == past:
            return None
        column = period - self.turns[past - 1]
        last_tap = self.first_tap + (past - 1) * self.tap_step
        place = axis.kernel_size - 1 - last_tap
        count, step = past - first, self.turns.step
        return Row(
            place=self.place,
            taps=slice(place, place + count * self.tap_step, self.tap_step),
            columns=range(column, column + count * step, step),
        )


def _transpose_runs(axis: Axis, rows: range) -> Runs:
    phases = _phases(axis, rows.start)
    periods, left_over = divmod(len(rows), axis.stride)
    edges = {0, periods}
    for phase in phases:
        for turn in phase.turns:
            edges.update(edge for edge in (turn, turn + axis.output_size) if 0 < edge < periods)
    runs = [
        _transpose_run(axis, phases, first, past - first, axis.stride)
        for first, past in pairwise(sorted(edges))
    ]
    if left_over:
        shown = [phase for phase in phases if phase.place < left_over]
        runs.append(_transpose_run(axis, shown, periods, 1, left_over))
    return tuple(runs)


def _transpose_run(axis: Axis, phases: list[_RowPhase], first: int, times: int, period: int) -> Run:
    rows = (phase.row(axis, first) for phase in phases)
    return Run(
        first=first * axis.stride,
        times=times,
        period=period,
        shift=1,
        rows=tuple(row for row in rows if row is not None),
    )


def _phases(axis: Axis, first_row: int) -> list[_RowPhase]:
    """The places that taps can meet outputs at, in periods counted from `first_row` on.

    Taps stride / g apart, with g = gcd(stride, dilation), share a place; their outputs are
    dilation / g apart.
    """
    common = gcd(axis.stride, axis.dilation)
    tap_step, turn_step = axis.stride // common, axis.dilation // common
    phases = []
    for tap in range(min(axis.kernel_size, tap_step)):
        turn, place = divmod(tap * axis.dilation - axis.before - first_row, axis.stride)
        count = len(range(tap, axis.kernel_size, tap_step))
        turns = range(turn, turn + count * turn_step, turn_step)
        phases.append(_RowPhase(place=place, first_tap=tap, tap_step=tap_step, turns=turns))
    return sorted(phases, key=lambda phase: phase.place)
