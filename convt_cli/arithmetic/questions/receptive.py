"""Receptive fields: which input positions a position of a layer can depend on.

Pulled back through one axis of a layer, an interval [lo, hi] of positions becomes the interval
from the first position that lo reads to the last that hi reads, by the axis's `Span`.  For a
window that is

    direct      [lo*stride - before,                          hi*stride - before + ke - 1]
    transposed  [ceil((lo + before - ke + 1) / stride),       floor((hi + before) / stride)]

A `Trace` composes these from the input down to one axis of a layer.  A `View` has one trace for
each axis of the layer along which positions move over an axis of the input: one, unless a reshape
has split it.  Channels are an axis too, since a transpose or a reshape can turn positions into
channels and back; a field is that of a position with all its channels.

Several sources are joined by the hull of their intervals, and nothing is cut at the borders.
Where the interval can contain elements that are not read, or a movement cannot be followed, the
field is an upper bound, and `View.is_bound` is true.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import lcm

from convt_cli.arithmetic.convolution import Shape
from convt_cli.arithmetic.keys import Ratio
from convt_cli.arithmetic.layers import Dependence, Permuted, Reshaped, Spans, Windows
from convt_cli.arithmetic.layers.base import ChannelsRead, Rearranged, SimpleDependence
from convt_cli.arithmetic.network import Network
from convt_cli.arithmetic.questions.reshapes import Traces, reshaped_traces
from convt_cli.arithmetic.questions.traces import IDENTITY, MOST_PHASES, Interval, Trace
from convt_cli.arithmetic.spans import Span, direct_span, transposed_span

_MOST_POSITIONS = 2**14
"""The most positions of a layer over which sources that drift apart are followed."""

Jump = tuple[Ratio | None, ...]
"""Input elements between neighbouring positions, per spatial axis of the input.

None where neighbours read the same elements, or the distance is not the same for all.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """The part of one axis of the input, of `size` elements, that positions of a layer read.

    A position reads the sum of the intervals that `traces` give for its places along axes of the
    layer (0 is the channels); a trace is None when the movement is too irregular to follow.
    Without traces every position reads `fixed`.  `is_bound`: a position can read less than that.
    """

    size: int
    traces: Traces = ()
    fixed: Interval = (0, 0)
    is_bound: bool = False

    @classmethod
    def whole(cls, size: int, *, is_bound: bool = False) -> View:
        """The view in which every position reads all of an axis of `size`."""
        return cls(size=size, fixed=(0, size - 1), is_bound=is_bound)

    @property
    def is_whole(self) -> bool:
        return not self.traces and not self.is_bound and self.fixed == (0, self.size - 1)

    @property
    def jump(self) -> Ratio | None:
        """Input elements between neighbouring positions, see `Jump`."""
        moving = [trace for axis, trace in self.traces if axis > 0]
        if len(moving) != 1 or moving[0] is None or not moving[0].jump:
            return None
        return Ratio.of(moving[0].jump, moving[0].period)

    def field(self, channels: int) -> tuple[int, bool]:
        """(elements that a position spans, is_bound): the largest number over the phases.

        A position counts with all its `channels`; where the channels are the places along the
        axis, it sees the whole of it.
        """
        if self.traces and all(axis == 0 for axis, _ in self.traces):
            return self.size, self.is_bound
        known = [(axis, trace) for axis, trace in self.traces if trace is not None]
        if len(known) < len(self.traces):
            return self.size, True
        if not known:
            return self.fixed[1] - self.fixed[0] + 1, self.is_bound
        # Intervals of a and b elements add up to one of a + b - 1; with an empty one, to an empty.
        extents = [_extent(axis, trace, channels) for axis, trace in known]
        return 0 if 0 in extents else 1 + sum(one - 1 for one in extents), self.is_bound

    def behind(self, reads: Sequence[ChannelsRead], shape: Shape) -> View:
        """The view behind one more layer, whose axes read those of its source through `reads`.

        `shape` is the source's.
        """
        if not self.traces:
            return self
        if all(reads[axis] is None for axis, _ in self.traces):
            return View.whole(self.size)
        traces, interval = _narrowed(self.traces, reads, shape)
        if interval is None:
            return View.whole(self.size, is_bound=True)
        is_bound = self.is_bound
        followed: list[tuple[int, Trace | None]] = []
        for axis, trace in traces:
            for span in reads[axis] or ():
                is_bound |= trace is not None and (not span.exact or _can_miss(trace, span))
                trace = trace and trace.through(span)  # noqa: PLW2901  # span after span
            followed.append((axis, trace))
        return replace(self, traces=_widened(followed, interval), is_bound=is_bound)

    def permuted(self, axes: tuple[int, ...]) -> View:
        """The view from a layer whose axis n is axis `axes[n]` of its source."""
        traces = sorted(((axes.index(axis), trace) for axis, trace in self.traces), key=_axis)
        return replace(self, traces=tuple(traces))

    def reshaped(self, source: Shape, target: Shape) -> View:
        """The view from a layer that has the elements of its source in another shape."""
        if not self.traces:
            return self
        found = reshaped_traces(self.traces, source, target)
        if found is None:
            return View.whole(self.size, is_bound=True)
        return replace(self, traces=found[0], fixed=found[1])


@dataclass(frozen=True, slots=True, kw_only=True)
class Receptive:
    """The input positions that one position of a layer of `shape` depends on, a view per axis."""

    shape: Shape
    views: tuple[View, ...]

    @classmethod
    def of_input(cls, shape: Shape) -> Receptive:
        """The fields of an input (channels, *sizes): every position depends on itself."""
        views = (View(size=size, traces=((n + 1, IDENTITY),)) for n, size in enumerate(shape[1:]))
        return cls(shape=shape, views=tuple(views))

    @property
    def sizes(self) -> Shape:
        """The spatial sizes of the input."""
        return tuple(view.size for view in self.views)

    @property
    def field(self) -> Shape:
        """The extent on every spatial axis of the input; the largest over the phases."""
        return tuple(view.field(self.shape[0])[0] for view in self.views)

    @property
    def is_bound(self) -> bool:
        """A position can depend on fewer elements than `field` says, never on more."""
        return any(view.field(self.shape[0])[1] for view in self.views)

    @property
    def jump(self) -> Jump | None:
        """Input elements between neighbouring positions, per axis; None if none moves evenly."""
        jumps = tuple(view.jump for view in self.views)
        return jumps if any(jumps) else None

    def behind(self, dependence: Dependence, output: Shape) -> Receptive:
        """The positions that a layer behind this one depends on, of shape `output`.

        `dependence` says which positions of this layer it reads.
        """
        if isinstance(dependence, Rearranged):
            seen = self
            for step in dependence.steps:
                seen = Receptive(shape=step.shape(seen.shape), views=tuple(seen._views(step)))
            return seen
        return Receptive(shape=output, views=tuple(self._views(dependence)))

    def _views(self, dependence: SimpleDependence) -> Sequence[View]:
        match dependence:
            case "same":
                return self.views
            case "whole":
                return [View.whole(size) for size in self.sizes]
            case Permuted(axes=axes):
                return [view.permuted(axes) for view in self.views]
            case Reshaped(target=target):
                return [view.reshaped(self.shape, target) for view in self.views]
            case Windows(axes=axes, adjoint=adjoint, channels=channels):
                span_of = transposed_span if adjoint else direct_span
                return self._followed(channels, tuple(map(span_of, axes)))
            case Spans(axes=spans, channels=channels):
                return self._followed(channels, spans)

    def _followed(self, channels: ChannelsRead, spans: Sequence[Span | None]) -> Sequence[View]:
        reads = (channels, *(None if span is None else (span,) for span in spans))
        return [view.behind(reads, self.shape) for view in self.views]


def receptives(network: Network) -> dict[str, Receptive]:
    """The input positions that one position of every layer depends on, by the layer's name."""
    found = {name: Receptive.of_input(shape) for name, shape in network.inputs}
    for layer in network.layers:
        joined = join([found[name] for name in layer.sources])
        found[layer.name] = joined.behind(layer.geometry.dependence, layer.output)
    return {layer.name: found[layer.name] for layer in network.layers}


def join(sources: list[Receptive]) -> Receptive:
    """The hull of several sources: the positions that elements of any of them depend on.

    The shape is the largest on every axis, since a size of 1 broadcasts.
    """
    first = sources[0]
    shape = tuple(max(sizes) for sizes in zip(*(one.shape for one in sources)))
    if all(one.views == first.views for one in sources):
        return replace(first, shape=shape)
    if len({len(one.views) for one in sources}) > 1:
        largest = max((one.sizes for one in sources), key=lambda sizes: (len(sizes), sizes))
        bounds = tuple(View.whole(size, is_bound=True) for size in largest)
        return Receptive(shape=shape, views=bounds)
    views = (_hull(views, shape) for views in zip(*(one.views for one in sources)))
    return Receptive(shape=shape, views=tuple(views))


def _hull(views: tuple[View, ...], lengths: Shape) -> View:
    """The view that contains all of `views`; the whole axis if they move along several axes."""
    if len(set(views)) == 1:
        return views[0]
    size = max(view.size for view in views)
    if any(view.is_whole for view in views):
        return View.whole(size)
    moves_along = {tuple(axis for axis, _ in view.traces) for view in views}
    first = moves_along.pop()
    if moves_along or len(first) != 1:
        return View.whole(size, is_bound=True)
    axis = first[0]
    traces = [trace for view in views for _, trace in view.traces if trace is not None]
    is_bound = any(view.is_bound for view in views) or any(one.has_gaps for one in traces)
    if len(traces) < len(views):
        return View(size=size, traces=((axis, None),), is_bound=is_bound)
    trace, drifts = _hull_of_traces(traces, lengths[axis])
    return View(size=size, traces=((axis, trace),), is_bound=is_bound or drifts)


def _hull_of_traces(traces: list[Trace], length: int) -> tuple[Trace | None, bool]:
    """(trace, drifts): the trace that covers all of `traces`, or None where it is not known.

    `drifts`: the traces move at different speeds, so that the hull holds more than they read.
    """
    period = lcm(*(trace.period for trace in traces))
    jumps = {trace.jump * (period // trace.period) for trace in traces}
    if len(jumps) > 1:
        return _hull_of_drifting(traces, length), True
    if period > MOST_PHASES:
        return None, False
    # At equal speeds one common period shows all phases.
    read = ([trace.at(q) for trace in traces] for q in range(period))
    intervals = ((min(a for a, _ in each), max(b for _, b in each)) for each in read)
    return Trace(jump=jumps.pop(), intervals=tuple(intervals)), False


def _hull_of_drifting(traces: list[Trace], length: int) -> Trace | None:
    """A trace that covers all of `traces` for the first `length` positions; None for very many.

    It moves like the one with the shortest period.  Speeds differ where sizes are rounded on one
    path through the network and not on the other.
    """
    if length > _MOST_POSITIONS:
        return None
    pace = min(traces, key=lambda trace: trace.period)
    intervals = list(pace.intervals)
    for position in range(length):
        turns, phase = divmod(position, pace.period)
        first, last = intervals[phase]
        moved = turns * pace.jump
        # Widen the phase's interval, counted in the first period, to hold what all traces read.
        intervals[phase] = (
            min(first, *(trace.at(position)[0] - moved for trace in traces)),
            max(last, *(trace.at(position)[1] - moved for trace in traces)),
        )
    return Trace(jump=pace.jump, intervals=tuple(intervals))


def _can_miss(trace: Trace, span: Span) -> bool:
    """Whether the hull over a span can have elements at its ends that no tap reads.

    It can where places that read nothing stand at an end, and where a later place reads from
    further in front: the hull's end may then belong to a place between a dilated window's taps.
    """
    return span.most > 1 and (trace.has_gaps or (span.most > 2 and not trace.is_monotone))


def _narrowed(
    traces: Traces, reads: Sequence[ChannelsRead], shape: Shape
) -> tuple[Traces, Interval | None]:
    """The traces along axes that are not read whole, and the interval read along those that are.

    The interval is None where it is not known.
    """
    first, last = 0, 0
    for axis, trace in traces:
        if reads[axis] is None:
            if trace is None:
                return (), None
            hull = trace.hull(0, shape[axis] - 1)
            first, last = first + hull[0], last + hull[1]
    return tuple(one for one in traces if reads[one[0]] is not None), (first, last)


def _widened(traces: Sequence[tuple[int, Trace | None]], interval: Interval) -> Traces:
    """The traces, at least one, with an interval added to their sum."""
    (axis, trace), *others = traces
    return (axis, trace and trace.widened(interval)), *others


def _extent(axis: int, trace: Trace, channels: int) -> int:
    """The elements that a place along the axis spans; along the channels all of them together."""
    if axis > 0:
        return trace.extent
    first, last = trace.hull(0, channels - 1)
    return max(0, last - first + 1)


def _axis(entry: tuple[int, Trace | None]) -> int:
    return entry[0]
