"""Receptive fields: which input positions a position of a layer can depend on.

Pulled back through one axis of a layer, an interval [lo, hi] of positions becomes the interval
from what lo reads first to what hi reads last, as the axis's `Span` says.  For a window that is

    direct      [lo*stride - before,                          hi*stride - before + ke - 1]
    transposed  [ceil((lo + before - ke + 1) / stride),       floor((hi + before) / stride)]

A `Trace` composes these from the input down to a layer.  Layers that upsample treat positions
differently by their phase, so a trace keeps one (lo, hi) per phase of its period: position
q + period reads `jump` further on.  Several sources are joined by the hull of their intervals.
The result is not cut at the borders.  Under dilation, behind a transposed layer whose kernel is
shorter than its stride, and behind a cubic upsample, it can contain elements that are not read:
then it is an upper bound.  So it is where sources move at different speeds, because sizes were
rounded on one way and not on the other.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import gcd, lcm

from convt_cli.arithmetic.convolution import Shape
from convt_cli.arithmetic.kinds import Ratio
from convt_cli.arithmetic.layers import Permuted, Reach, Spans, Windows
from convt_cli.arithmetic.network import Network
from convt_cli.arithmetic.spans import Span, direct_span, transposed_span

# A trace with more phases than this is not followed further: the extent is not known.
_MOST_PHASES = 4096
_MOST_POSITIONS = 2**14

Jump = tuple[Ratio | None, ...]
"""Per spatial axis of the input; None where positions do not move over it."""


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

    def through(self, span: Span) -> Trace | None:
        """The trace behind one more layer; None where it has too many phases to follow."""
        if span == Span():
            return self
        common = gcd(span.step, span.per)
        step, own = span.step // common, span.per // common
        shared = gcd(self.period, step)
        phases = own * self.period // shared
        if phases > _MOST_PHASES:
            return None
        pulled = (span.of(position) for position in range(phases))
        return Trace(
            jump=self.jump * step // shared,
            intervals=tuple((self.first(lo), self.last(hi)) for lo, hi in pulled),
        )


IDENTITY = Trace(jump=1, intervals=((0, 0),))


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """What a layer sees of one axis of the input.

    Its positions along its spatial axis number `axis` move over the input as `trace` says, or,
    without a trace, as nobody knows; where `axis` is None every position sees the same.
    """

    axis: int | None
    trace: Trace | None

    @classmethod
    def whole(cls, size: int) -> View:
        """All of an axis of `size`, from everywhere."""
        return cls(axis=None, trace=Trace(jump=0, intervals=((0, size - 1),)))

    @property
    def jump(self) -> Ratio | None:
        """How far apart neighbours look; None where they see the same, or it is not known."""
        if self.axis is None or self.trace is None:
            return None
        return Ratio.of(self.trace.jump, self.trace.period)

    def through(self, span: Span | None, size: int) -> View:
        """The view behind an axis of one more layer; None is one that sees all of its source."""
        if span is None:
            return View.whole(size)
        return View(axis=self.axis, trace=self.trace and self.trace.through(span))


@dataclass(frozen=True, slots=True, kw_only=True)
class Receptive:
    """What one position of a layer depends on: a view of every axis of an input of `sizes`."""

    sizes: Shape
    views: tuple[View, ...]

    @classmethod
    def of_input(cls, shape: Shape) -> Receptive:
        """Every position of an input (channels, *sizes) depends on itself."""
        sizes = shape[1:]
        views = tuple(View(axis=n, trace=IDENTITY) for n in range(len(sizes)))
        return cls(sizes=sizes, views=views)

    @classmethod
    def of_all(cls, sizes: Shape) -> Receptive:
        """Every position depends on the whole input."""
        return cls(sizes=sizes, views=tuple(View.whole(size) for size in sizes))

    @property
    def field(self) -> Shape | None:
        """The extent on every spatial axis of the input, the largest over the phases."""
        extents = tuple(view.trace.extent for view in self.views if view.trace is not None)
        return extents if len(extents) == len(self.views) else None

    @property
    def jump(self) -> Jump | None:
        """How far neighbours look apart on every axis; None where none moves, or one is unknown."""
        jumps = tuple(view.jump for view in self.views)
        return jumps if self.field is not None and any(jumps) else None

    def behind(self, reach: Reach) -> Receptive:
        """The same, seen from a layer that reaches its source like `reach`."""
        match reach:
            case "same":
                return self
            case "whole":
                return Receptive.of_all(self.sizes)
            case Permuted(axes=axes):
                return self._permuted(axes)
            case Windows(axes=axes, adjoint=adjoint):
                span_of = transposed_span if adjoint else direct_span
                return self._followed(tuple(span_of(axis) for axis in axes))
            case Spans(axes=spans):
                return self._followed(spans)

    def _followed(self, spans: tuple[Span | None, ...]) -> Receptive:
        views = (
            view if view.axis is None else view.through(spans[view.axis], size)
            for view, size in zip(self.views, self.sizes, strict=True)
        )
        return Receptive(sizes=self.sizes, views=tuple(views))

    def _permuted(self, axes: tuple[int, ...]) -> Receptive:
        """The views along the new axes; what becomes channels is seen by every position."""
        views = []
        for view, size in zip(self.views, self.sizes, strict=True):
            place = None if view.axis is None else axes.index(view.axis + 1)
            if place is None:
                views.append(view)
            elif place == 0:
                views.append(View.whole(size))
            else:
                views.append(View(axis=place - 1, trace=view.trace))
        return Receptive(sizes=self.sizes, views=tuple(views))


def receptives(network: Network) -> dict[str, Receptive]:
    """What one position of every layer depends on, by the layer's name."""
    found = {name: Receptive.of_input(shape) for name, shape in network.inputs}
    for layer in network.layers:
        sources = [found[name] for name in layer.sources]
        lengths = tuple(max(sizes) for sizes in zip(*layer.inputs))[1:]
        found[layer.name] = join(sources, lengths).behind(layer.geometry.reach)
    return {layer.name: found[layer.name] for layer in network.layers}


def join(sources: list[Receptive], lengths: Shape) -> Receptive:
    """What a layer with these sources, of these spatial sizes, depends on: their hull."""
    if len(set(sources)) == 1:
        return sources[0]
    sizes = max((one.sizes for one in sources), key=lambda sizes: (len(sizes), sizes))
    seen = [one.views for one in sources if len(one.sizes) == len(sizes)]
    if len(seen) < len(sources):
        return Receptive.of_all(sizes)
    axes = zip(zip(*seen), sizes, strict=True)
    return Receptive(sizes=sizes, views=tuple(_hull(views, size, lengths) for views, size in axes))


def _hull(views: tuple[View, ...], size: int, lengths: Shape) -> View:
    """The view that holds all of `views`: the whole axis unless they move along the same one."""
    if len(set(views)) == 1:
        return views[0]
    axis = views[0].axis
    if axis is None or any(view.axis != axis for view in views):
        return View.whole(size)
    traces = [view.trace for view in views if view.trace is not None]
    known = len(traces) == len(views)
    return View(axis=axis, trace=_hull_of_traces(traces, lengths[axis]) if known else None)


def _hull_of_traces(traces: list[Trace], length: int) -> Trace | None:
    """The trace that covers all of `traces`; None where it has too many phases to follow."""
    period = lcm(*(trace.period for trace in traces))
    jumps = {trace.jump * (period // trace.period) for trace in traces}
    if len(jumps) > 1:
        return _hull_of_drifting(traces, length)
    if period > _MOST_PHASES:
        return None
    return Trace(
        jump=jumps.pop(),
        intervals=tuple(
            (min(t.first(q) for t in traces), max(t.last(q) for t in traces)) for q in range(period)
        ),
    )


def _hull_of_drifting(traces: list[Trace], length: int) -> Trace | None:
    """A trace at the pace of the simplest that covers all of them for the first `length` positions.

    Speeds differ where sizes are rounded on one way and not on the other.  None for very many
    positions.
    """
    if length > _MOST_POSITIONS:
        return None
    pace = min(traces, key=lambda trace: trace.period)
    intervals = list(pace.intervals)
    for position in range(length):
        turns, phase = divmod(position, pace.period)
        first, last = intervals[phase]
        moved = turns * pace.jump
        intervals[phase] = (
            min(first, *(trace.first(position) - moved for trace in traces)),
            max(last, *(trace.last(position) - moved for trace in traces)),
        )
    return Trace(jump=pace.jump, intervals=tuple(intervals))
