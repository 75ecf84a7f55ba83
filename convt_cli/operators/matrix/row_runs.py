"""Runs of rows that repeat in the matrix of one axis, C or Cᵀ.

Row `output` of C holds the taps inside the input, at columns `dilation` apart.  The next row
holds the same taps `stride` columns on, until a tap enters or leaves the input: C repeats row by
row.  Row `input` of Cᵀ holds the taps by which some output reads that input.  The row `stride`
further on holds the same taps one column on: Cᵀ repeats in periods of `stride` rows.

Integers alone: the arrays are made in `bands`.
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
    """A row with entries: its place in the period, its taps, and their columns."""

    place: int
    taps: slice
    columns: range


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """`times` periods of `period` rows, from row `first` on, each `shift` columns on from the last.

    `rows` are the rows of the first period that have entries, in order.
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


_CACHED_AXES = 64
"""How many axes' runs are cached: every band of a matrix asks for them."""


@lru_cache(maxsize=_CACHED_AXES)
def axis_runs(axis: Axis, rows: range, *, transpose: bool) -> Runs:
    """The runs of neighbouring `rows` of C or Cᵀ; `Run.first` counts from the first of them.

    For Cᵀ the taps are numbered from the kernel's last, so that they grow with the columns.
    """
    return _transpose_runs(axis, rows) if transpose else _direct_runs(axis, rows)


def _direct_runs(axis: Axis, rows: range) -> Runs:
    # A run ends where some tap enters or leaves the input.
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
    """The row at one place of every period of Cᵀ, a phase of the polyphase decomposition.

    Its taps are first_tap + n * tap_step.  In period p output p - turns[n] reads the row's input
    by tap number n, where there is such an output.
    """

    place: int
    first_tap: int
    tap_step: int
    turns: range

    def row(self, axis: Axis, period: int) -> Row | None:
        """The row in this period; None where no output reads its input."""
        # Taps with 0 <= period - turn < output_size, of growing turns.
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
    # Whole periods; a run ends where some tap's output begins or ends to exist.
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
    if left_over:  # the first rows of one more period
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
    """The phases with taps, by their place in periods that begin at `first_row`.

    Taps stride / g apart, with g = gcd(stride, dilation), share a phase; the outputs that read by
    them are dilation / g apart.
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
