"""Receptive fields: which input positions a position of a layer can depend on.

Pulled back through one axis, an interval [lo, hi] of output positions becomes

    direct      [lo*stride - before,                          hi*stride - before + ke - 1]
    transposed  [ceil((lo + before - ke + 1) / stride),       floor((hi + before) / stride)]

A `Trace` composes these from the input down to a layer.  Transposed layers treat positions
differently by their phase, so a trace keeps one (lo, hi) per phase of its period: position
q + period reads `jump` further on.  Several sources are joined by the hull of their intervals.
The result is not cut at the borders.  Under dilation, and behind a transposed layer whose kernel
is shorter than its stride, it can contain elements that are not read: then it is an upper bound.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import gcd, lcm

from convt_cli.arithmetic.axis import Axis
from convt_cli.arithmetic.convolution import Shape
from convt_cli.arithmetic.layers import Reach
from convt_cli.arithmetic.network import Network

# A trace with more phases than this is not followed further: the extent is not known.
_MOST_PHASES = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class Trace:
    """Position q reads [lo, hi] = intervals[q mod period], moved by jump * (q div period)."""

    jump: int
    intervals: tuple[tuple[int, int], ...]

    @property
    def period(self) -> int:
        return len(self.intervals)

    @property
    def extent(self) -> int:
        """The largest number of elements that a position spans, over all phases."""
        return max(0, *(hi - lo + 1 for lo, hi in self.intervals))

    def first(self, position: int) -> int:
        turns, phase = divmod(position, self.period)
        return self.intervals[phase][0] + turns * self.jump

    def last(self, position: int) -> int:
        turns, phase = divmod(position, self.period)
        return self.intervals[phase][1] + turns * self.jump

    def through(self, axis: Axis, adjoint: bool) -> Trace | None:
        """The trace behind one more layer; None where it has too many phases to follow."""
        if axis.effective_kernel == axis.stride == 1 and axis.before == 0:
            return self
        if adjoint:
            phases, jump = self.period * axis.stride, self.jump
        else:
            common = gcd(self.period, axis.stride)
            phases, jump = self.period // common, self.jump * axis.stride // common
        if phases > _MOST_PHASES:
            return None
        pull = _pull_transposed if adjoint else _pull_direct
        pulled = (pull(axis, position) for position in range(phases))
        return Trace(
            jump=jump, intervals=tuple((self.first(lo), self.last(hi)) for lo, hi in pulled)
        )


IDENTITY = Trace(jump=1, intervals=((0, 0),))


def _pull_direct(axis: Axis, position: int) -> tuple[int, int]:
    start = position * axis.stride - axis.before
    return start, start + axis.effective_kernel - 1


def _pull_transposed(axis: Axis, position: int) -> tuple[int, int]:
    reach = position + axis.before
    return -((axis.effective_kernel - 1 - reach) // axis.stride), reach // axis.stride


@dataclass(frozen=True, slots=True, kw_only=True)
class Receptive:
    """What one position of a layer depends on.

    Without `traces` it is all of an input of `sizes`, or, where it is not `known`, anything.
    """

    sizes: Shape
    traces: tuple[Trace, ...] | None
    known: bool = True

    @classmethod
    def of_input(cls, shape: Shape) -> Receptive:
        """Every position of an input (channels, *sizes) depends on itself."""
        return cls(sizes=shape[1:], traces=(IDENTITY,) * len(shape[1:]))

    @property
    def field(self) -> Shape | None:
        """The extent on every spatial axis of the input, the largest over the phases."""
        if not self.known:
            return None
        if self.traces is None:
            return self.sizes
        return tuple(trace.extent for trace in self.traces)

    def behind(self, reach: Reach) -> Receptive:
        """The same, seen from a layer that reaches its source like `reach`."""
        if reach == "whole":
            return Receptive(sizes=self.sizes, traces=None)
        if reach == "same" or self.traces is None:
            return self
        steps = zip(self.traces, reach.axes, strict=True)
        return _followed(self.sizes, [trace.through(axis, reach.adjoint) for trace, axis in steps])


def receptive_fields(network: Network) -> dict[str, Shape | None]:
    """The extent of one position of every layer on every spatial axis of the input, by name.

    None where upsampling makes more phases than can be followed.
    """
    found = {name: Receptive.of_input(shape) for name, shape in network.inputs}
    for layer in network.layers:
        sources = [found[name] for name in layer.sources]
        found[layer.name] = join(sources).behind(layer.geometry.reach)
    return {layer.name: found[layer.name].field for layer in network.layers}


def join(sources: list[Receptive]) -> Receptive:
    """What a layer with these sources depends on: the hull of their intervals."""
    if len(set(sources)) == 1:
        return sources[0]
    sizes = max((one.sizes for one in sources), key=lambda sizes: (len(sizes), sizes))
    if not all(one.known for one in sources):
        return Receptive(sizes=sizes, traces=None, known=False)
    traces = [one.traces for one in sources if one.traces is not None]
    if len(traces) < len(sources):
        return Receptive(sizes=sizes, traces=None)
    return _followed(sizes, [_hull(axis) for axis in zip(*traces)])


def _followed(sizes: Shape, traces: list[Trace | None]) -> Receptive:
    """The traces of all axes; not known where one could not be followed."""
    known = tuple(trace for trace in traces if trace is not None)
    complete = len(known) == len(traces)
    return Receptive(sizes=sizes, traces=known if complete else None, known=complete)


def _hull(traces: tuple[Trace, ...]) -> Trace | None:
    """The trace that covers all of `traces`; None where they move at different speeds."""
    if len(set(traces)) == 1:
        return traces[0]
    period = lcm(*(trace.period for trace in traces))
    jumps = {trace.jump * (period // trace.period) for trace in traces}
    if len(jumps) > 1 or period > _MOST_PHASES:
        return None
    return Trace(
        jump=jumps.pop(),
        intervals=tuple(
            (min(t.first(q) for t in traces), max(t.last(q) for t in traces)) for q in range(period)
        ),
    )
