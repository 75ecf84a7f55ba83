"""Traces through a reshape: how positions move once the same elements have another shape.

The places of an element along the axes are the digits of its row-major number n: along an axis of
`size` elements, before axes that hold `inner` elements together, the place is
floor(n / inner) mod size.  So an axis of the source is split among the axes of the target whose
digits lie within its own, or is one digit of a larger axis.  Where digits of the two shapes
overlap without one holding the other, the trace is not known.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

from convt_cli.arithmetic.convolution import Shape
from convt_cli.arithmetic.questions.traces import MOST_PHASES, Interval, Trace
from convt_cli.arithmetic.spans import Span

Traces = tuple[tuple[int, Trace | None], ...]
"""Pairs (axis, trace) for some axes of a layer; None is a movement that is not known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Digit:
    """An axis of `size` places, each step of which is `inner` elements."""

    axis: int
    size: int
    inner: int

    @property
    def outer(self) -> int:
        return self.size * self.inner

    def overlaps(self, other: _Digit) -> bool:
        return self.inner < other.outer and other.inner < self.outer

    def holds(self, other: _Digit) -> bool:
        """Whether the other's places are digits of this one's."""
        return (
            self.inner <= other.inner
            and other.outer <= self.outer
            and other.inner % self.inner == 0
            and self.outer % other.outer == 0
        )


def reshaped_traces(traces: Traces, source: Shape, target: Shape) -> tuple[Traces, Interval] | None:
    """The traces along the axes of `target`, given those along the axes of `source`.

    Where nothing moves any more there are none, and every place reads the interval.  The result
    is None where that interval is not known.
    """
    targets = [digit for digit in _digits(target) if digit.size > 1]
    found: dict[int, Trace | None] = {}
    still = (0, 0)  # the interval along axes of one place, which has nothing to move over
    for axis, trace in traces:
        digit = _digits(source)[axis]
        if digit.size == 1 and trace is None:
            return None
        if digit.size == 1 and trace is not None:
            still = _added(still, trace.at(0))
            continue
        for place, part in _parts(digit, trace, targets):
            found[place] = _sum(found[place], part) if place in found else part
    return _settled(found, still, target)


def _digits(shape: Shape) -> list[_Digit]:
    return [
        _Digit(axis=axis, size=size, inner=prod(shape[axis + 1 :]))
        for axis, size in enumerate(shape)
    ]


def _parts(digit: _Digit, trace: Trace | None, targets: list[_Digit]) -> Traces:
    """The traces along axes of the target that replace the trace along one axis of the source."""
    hit = [one for one in targets if one.overlaps(digit)]
    nested = all(one.holds(digit) or digit.holds(one) for one in hit)
    if trace is None or not nested:
        return tuple((one.axis, None) for one in hit)
    if len(hit) == 1 and hit[0].holds(digit):
        return ((hit[0].axis, _merged(digit, trace, hit[0])),)
    return tuple((one.axis, part) for one, part in zip(hit, _split(digit, trace, hit), strict=True))


def _split(digit: _Digit, trace: Trace, parts: list[_Digit]) -> list[Trace | None]:
    """The traces along the axes that a digit is split into; None for those that do not add up."""
    # one place along a part is this many places along the digit
    steps = [part.inner // digit.inner for part in parts]
    # A step of whole periods only moves the interval by whole jumps.
    whole_turns = [step for step in steps[:-1] if step % trace.period == 0]
    jumps = (trace.jump * (step // trace.period) for step in whole_turns)
    outer = [Trace(jump=jump, intervals=((0, 0),)) for jump in jumps]
    inner = list(zip(steps, (part.size for part in parts), strict=True))[len(outer) :]
    if len(inner) == 1:
        return [*outer, trace]
    return [*outer, *_added_up(trace, inner)]


def _added_up(trace: Trace, inner: list[tuple[int, int]]) -> Sequence[Trace | None]:
    """The traces of digits (step, size) whose sum is `trace`; None if some place is no such sum."""
    total = inner[0][0] * inner[0][1]
    if total > MOST_PHASES:
        return [None] * len(inner)
    first, last = trace.at(0)
    # how far one digit alone moves the interval, for each of its places
    moves = [[trace.at(step * place)[0] - first for place in range(size)] for step, size in inner]
    for number in range(total):
        moved = sum(
            move[number // step % size] for move, (step, size) in zip(moves, inner, strict=True)
        )
        if trace.at(number) != (first + moved, last + moved):
            return [None] * len(inner)
    traces = [Trace(jump=0, intervals=tuple((one, one) for one in move)) for move in moves]
    return [*traces[:-1], traces[-1].widened((first, last))]


def _merged(digit: _Digit, trace: Trace, larger: _Digit) -> Trace | None:
    """The trace along a larger axis of which `digit` is one digit."""
    each = digit.inner // larger.inner
    if digit.outer == larger.outer:
        return trace.through(Span(per=each))
    return trace.repeated(each, digit.size)


def _sum(one: Trace | None, other: Trace | None) -> Trace | None:
    return None if one is None or other is None else one.plus(other)


def _settled(
    found: dict[int, Trace | None], still: Interval, target: Shape
) -> tuple[Traces, Interval]:
    """The traces in their simplest form, and the interval if nothing moves.

    The interval of a trace that does not move is added to one that does.
    """
    moving: list[tuple[int, Trace | None]] = []
    for axis, trace in sorted(found.items()):
        simple = trace and trace.within(target[axis])
        if simple is not None and simple.period == 1 and simple.jump == 0:
            still = _added(still, simple.at(0))
        else:
            moving.append((axis, simple))
    if not moving:
        return (), still
    (axis, trace), *others = moving
    return ((axis, trace and trace.widened(still)), *others), (0, 0)


def _added(one: Interval, other: Interval) -> Interval:
    return one[0] + other[0], one[1] + other[1]
