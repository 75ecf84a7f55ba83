"""Traces: which interval of one axis of the input each position of a layer's axis reads.

Here belong the operations on one trace: through a span, spread over other axes, added to another.
`receptive` combines traces into the field of a whole layer and joins layers.

Layers that upsample treat positions differently by their phase, so a trace keeps one interval
per phase of its period: position q + period reads `jump` elements further on.  Positions outside a
layer are followed as if the layer went on.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from math import gcd, lcm

from convt_cli.arithmetic.spans import Span

MOST_PHASES = 4096
"""The longest period of a trace that is followed; with a longer one the movement is unknown."""

_MOST_STEPS = 2**20
"""The most positions that are looked at to follow a trace that also moves backwards."""

Interval = tuple[int, int]
"""(first, last) position; an interval that ends before it begins is empty."""


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
        """Whether some positions read nothing."""
        return any(last < first for first, last in self.intervals)

    @property
    def is_monotone(self) -> bool:
        """Whether no later position begins, or ends, further in front."""
        first, last = self.intervals[0]
        turned = (*self.intervals, (first + self.jump, last + self.jump))
        return all(a[0] <= b[0] and a[1] <= b[1] for a, b in pairwise(turned))

    def at(self, position: int) -> Interval:
        """The interval that `position` reads."""
        turns, phase = divmod(position, self.period)
        first, last = self.intervals[phase]
        return first + turns * self.jump, last + turns * self.jump

    def hull(self, first: int, last: int) -> Interval:
        """The smallest interval that contains those of the positions `first` to `last`.

        Empty if there are no positions.  Every jump is at least 0, so the least element lies in
        the first period of these positions and the greatest in the last.
        """
        if last < first:
            return self.at(first)[0], self.at(first)[0] - 1
        if self.is_monotone:
            return self.at(first)[0], self.at(last)[1]
        # Without an order every phase must be looked at: of the first period for the least element,
        # of the last for the greatest.
        begins = range(first, min(last + 1, first + self.period))
        ends = range(max(first, last + 1 - self.period), last + 1)
        return min(self.at(q)[0] for q in begins), max(self.at(q)[1] for q in ends)

    def through(self, span: Span) -> Trace | None:
        """The trace behind one more layer with this span; None for too many phases."""
        if span == Span():
            return self
        # The span repeats every `own` positions, `step` further on; this trace every `period`.
        common = gcd(span.step, span.per)
        step, own = span.step // common, span.per // common
        shared = gcd(self.period, step)
        phases = own * self.period // shared
        if phases > MOST_PHASES or not (self.is_monotone or phases * self.period <= _MOST_STEPS):
            return None
        intervals = tuple(self.hull(*span.of(position)) for position in range(phases))
        return Trace(jump=self.jump * step // shared, intervals=intervals)

    def repeated(self, each: int, count: int) -> Trace | None:
        """The trace whose position q reads what (q div each) mod count reads in this one.

        None for too many phases.
        """
        if each * count > MOST_PHASES:
            return None
        return Trace(jump=0, intervals=tuple(self.at(q // each) for q in range(each * count)))

    def plus(self, other: Trace) -> Trace | None:
        """The trace that reads the sum of both intervals; None for too many phases."""
        period = lcm(self.period, other.period)
        if period > MOST_PHASES:
            return None
        both = ((self.at(q), other.at(q)) for q in range(period))
        return Trace(
            jump=sum(one.jump * (period // one.period) for one in (self, other)),
            intervals=tuple((a[0] + b[0], a[1] + b[1]) for a, b in both),
        )

    def widened(self, interval: Interval) -> Trace:
        """The trace with `interval` added to all of its own."""
        intervals = ((a + interval[0], b + interval[1]) for a, b in self.intervals)
        return Trace(jump=self.jump, intervals=tuple(intervals))

    def within(self, length: int) -> Trace:
        """The trace of the shortest period that agrees with this one at 0 to `length` - 1."""
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
"""The trace of an axis of the input itself: every position reads itself."""
