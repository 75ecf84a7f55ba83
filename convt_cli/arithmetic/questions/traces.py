"""Traces: which interval of one axis of the input each position of a layer's axis reads.

Here belongs what happens to one trace: behind a span, spread over other axes, added to another.
What a whole layer sees, and how layers are joined, is `receptive`'s business.

Layers that upsample treat positions differently by their phase, so a trace keeps one interval
per phase of its period: position q + period reads `jump` further on.  Positions outside a layer
are followed as if it went on.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from math import gcd, lcm

from convt_cli.arithmetic.spans import Span

MOST_PHASES = 4096
"""A trace with a longer period is not followed further: its movement is then unknown."""

_MOST_STEPS = 2**20
"""Positions that are looked at, at most, to follow a trace that does not move one way."""

Interval = tuple[int, int]
"""The first and the last position; one that ends before it begins is empty."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trace:
    """Position q reads [first, last] = intervals[q mod period], moved by jump * (q div period)."""

    jump: int
    intervals: tuple[Interval, ...]

    @property
    def period(self) -> int:
        return len(self.intervals)

    @property
    def extent(self) -> int:
        """The largest number of elements that a position spans, over all phases."""
        return max(0, *(last - first + 1 for first, last in self.intervals))

    @property
    def has_gaps(self) -> bool:
        """Some positions read nothing."""
        return any(last < first for first, last in self.intervals)

    @property
    def is_monotone(self) -> bool:
        """A later position never reads from further in front, nor ends there."""
        first, last = self.intervals[0]
        turned = (*self.intervals, (first + self.jump, last + self.jump))
        return all(a[0] <= b[0] and a[1] <= b[1] for a, b in pairwise(turned))

    def at(self, position: int) -> Interval:
        """What `position` reads."""
        turns, phase = divmod(position, self.period)
        first, last = self.intervals[phase]
        return first + turns * self.jump, last + turns * self.jump

    def hull(self, first: int, last: int) -> Interval:
        """The interval that holds all that the positions `first` to `last` read; empty for none.

        Every jump is at least 0, so the least lies in the first period and the greatest in the
        last.
        """
        if last < first:
            return self.at(first)[0], self.at(first)[0] - 1
        if self.is_monotone:
            return self.at(first)[0], self.at(last)[1]
        begins = range(first, min(last + 1, first + self.period))
        ends = range(max(first, last + 1 - self.period), last + 1)
        return min(self.at(q)[0] for q in begins), max(self.at(q)[1] for q in ends)

    def through(self, span: Span) -> Trace | None:
        """The trace behind one more layer; None where it has too many phases to follow."""
        if span == Span():
            return self
        common = gcd(span.step, span.per)
        step, own = span.step // common, span.per // common
        shared = gcd(self.period, step)
        phases = own * self.period // shared
        if phases > MOST_PHASES or not (self.is_monotone or phases * self.period <= _MOST_STEPS):
            return None
        intervals = tuple(self.hull(*span.of(position)) for position in range(phases))
        return Trace(jump=self.jump * step // shared, intervals=intervals)

    def repeated(self, each: int, count: int) -> Trace | None:
        """Position q reads what (q div each) mod count reads here; None for too many phases."""
        if each * count > MOST_PHASES:
            return None
        return Trace(jump=0, intervals=tuple(self.at(q // each) for q in range(each * count)))

    def plus(self, other: Trace) -> Trace | None:
        """Both intervals added, position by position; None for too many phases."""
        period = lcm(self.period, other.period)
        if period > MOST_PHASES:
            return None
        both = (zip(self.at(q), other.at(q), strict=True) for q in range(period))
        intervals = (tuple(a + b for a, b in pairs) for pairs in both)
        return Trace(
            jump=sum(one.jump * (period // one.period) for one in (self, other)),
            intervals=tuple((first, last) for first, last in intervals),
        )

    def widened(self, interval: Interval) -> Trace:
        """The same interval added to all."""
        intervals = ((a + interval[0], b + interval[1]) for a, b in self.intervals)
        return Trace(jump=self.jump, intervals=tuple(intervals))

    def within(self, length: int) -> Trace:
        """The trace with the shortest period that is the same for positions 0 to `length` - 1."""
        known = [self.at(q) for q in range(min(length, 2 * self.period))]
        if length == 1:
            return Trace(jump=0, intervals=tuple(known))
        for period in range(1, len(known)):
            jump = known[period][0] - known[0][0]
            moved = ((a[0] + jump, a[1] + jump) for a in known)
            if jump >= 0 and all(a == b for a, b in zip(moved, known[period:])):
                return Trace(jump=jump, intervals=tuple(known[:period]))
        return self


IDENTITY = Trace(jump=1, intervals=((0, 0),))
