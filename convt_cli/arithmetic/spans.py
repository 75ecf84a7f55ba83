"""Spans: the interval of source positions that a position reads, on one axis without ends.

Every layer that does not see a whole axis reads an interval whose ends are rounded fractions of
the position; here belong the formulas of these fractions, one function a kind of layer.
`questions.receptive` composes them through a network.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import gcd

from convt_cli.arithmetic.axis import Axis
from convt_cli.arithmetic.keys import Ratio


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """Position q reads floor((q*step + first) / per) ... floor((q*step + last) / per).

    Position q + per reads `step` elements further on; an interval that ends before it begins is
    empty.  Unless `exact`, a position can read fewer elements than the interval has.

    >>> Span(step=2, first=-1, last=1).of(3)
    (5, 7)
    """

    step: int = 1
    per: int = 1
    first: int = 0
    last: int = 0
    exact: bool = True

    def of(self, position: int) -> tuple[int, int]:
        """The first and the last position that `position` reads."""
        start = position * self.step
        return (start + self.first) // self.per, (start + self.last) // self.per

    @property
    def most(self) -> int:
        """The largest number of positions that a position reads.

        >>> Span(step=2, per=3, last=2).most, Span(per=4, first=1, last=2).most
        (2, 2)
        """
        common = gcd(self.step, self.per)
        remainder = self.per - common + self.first % common  # the largest of q*step + first
        return max(0, (remainder + self.last - self.first) // self.per + 1)


def direct_span(axis: Axis) -> Span:
    """q*stride - before ... q*stride - before + effective_kernel - 1."""
    span = axis.effective_kernel - 1
    return Span(step=axis.stride, first=-axis.before, last=span - axis.before)


def transposed_span(axis: Axis) -> Span:
    """ceil((q + before - effective_kernel + 1) / stride) ... floor((q + before) / stride).

    With a stride and a dilation a phase can miss the taps at the ends.
    """
    first = axis.before - axis.effective_kernel + axis.stride
    exact = axis.stride == 1 or axis.dilation == 1
    return Span(per=axis.stride, first=first, last=axis.before, exact=exact)


def unknown_span(size: int) -> Span:
    """The whole of an axis of `size`, of which each position reads an unknown part."""
    return Span(step=0, last=size - 1, exact=False)


def shared_span(input_size: int, output_size: int) -> Span:
    """floor(q*input/output) ... ceil((q + 1)*input/output) - 1: an adaptive pool's window.

    >>> [shared_span(7, 3).of(position) for position in range(3)]
    [(0, 2), (2, 4), (4, 6)]
    """
    return Span(step=input_size, per=output_size, last=input_size - 1)


def nearest_span(factor: Ratio) -> Span:
    """floor(q/factor): one position."""
    return Span(step=factor.denominator, per=factor.numerator)


def linear_span(factor: Ratio) -> Span:
    """The two positions around (q + 1/2)/factor - 1/2, or the one that it falls on.

    >>> [linear_span(Ratio(numerator=3)).of(position) for position in range(3)]
    [(-1, 0), (0, 0), (0, 1)]
    """
    up, down = factor.numerator, factor.denominator
    return Span(step=2 * down, per=2 * up, first=down - up, last=down + up - 1)


def cubic_span(factor: Ratio) -> Span:
    """The four positions around (q + 1/2)/factor - 1/2, two on each side.

    A position that falls on one of the source's reads that one alone.  If all of them do, the span
    is that of linear; if only some do, it is not exact.
    """
    up, down = factor.numerator, factor.denominator
    linear = linear_span(factor)
    if up == 1 and down % 2:  # every position falls on one of the source's
        return linear
    return Span(
        step=linear.step,
        per=linear.per,
        first=linear.first - 2 * up,
        last=down - up + 4 * up,
        exact=(up - down) % 2 == 1,
    )
