"""The sizes of an input for which a network closes: every layer is legal, every join fits.

One size of the input varies, n.  Every other size is then a chain of floor((f(n) + c) / stride)
and of multiples, so on n = r + period * j it is an affine function of j as soon as the period
makes its slope an integer.  The slopes are measured over a distance so long that rounding does
not count, and a period that fits them all is refined until nothing more is met.  On each
progression the network is then resolved at two far sizes:

- it closes at both: it closes from some size on, and bisection finds which;
- it is refused at both, by sizes that lie equally far apart: it never closes;
- anything else, such as a source of a fixed size: sizes are tried one by one.  So they are where
  an upsample multiplies floating-point numbers, whose rounding follows no progression.

What lies below the size from which all sizes are affine is tried one by one too.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from math import ceil, lcm

from convt_cli.arithmetic.convolution import Shape
from convt_cli.arithmetic.dialects.frameworks import Framework
from convt_cli.arithmetic.layers import Definition
from convt_cli.arithmetic.layers.resampling import Upsample
from convt_cli.arithmetic.questions.size_sets import SizeSet
from convt_cli.errors import Diagnostic, GeometryError

FAR = 2**30
MOST_PERIOD = 1024
MOST_TRIED = 4096

# Sizes of 1 broadcast, and below there is nothing: from here on sizes are as their slopes have it.
_REGULAR = 2

# So many sizes of a progression are looked at for one that gets past a refusal, and another at
# this distance has the same divisors up to 16.
_TURNS = 17
_DIVISIBLE = 1024 * lcm(*range(1, 17))


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenLayer:
    """One layer of a network as it is written; `sources` are all whose shapes it needs."""

    name: str
    definition: Definition
    sources: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Shapes:
    """What a network comes to on some input: shapes in the order of its layers.

    Where a layer is refused, `refused` are its name and the error, and `sources` its sources.
    """

    shapes: tuple[Shape, ...]
    refused: tuple[str, GeometryError] | None = None
    sources: tuple[Shape, ...] = ()

    @property
    def closes(self) -> bool:
        return self.refused is None


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenNetwork:
    """A network whose sizes are open; `inputs` are the shapes as written.

    `warnings` say what of its spec is likely not meant as it is written.
    """

    name: str
    framework: Framework
    inputs: tuple[tuple[str, Shape], ...]
    steps: tuple[OpenLayer, ...]
    warnings: tuple[Diagnostic, ...] = ()

    @property
    def is_rounded(self) -> bool:
        """A size is rounded as floating-point numbers are, which follows no rule of its own."""
        definitions = (step.definition for step in self.steps)
        return any(isinstance(one, Upsample) and one.is_rounded for one in definitions)

    def trace(self, inputs: Mapping[str, Shape]) -> Shapes:
        """The shapes up to the end, or to the first layer that is refused."""
        shapes = dict(inputs)
        for step in self.steps:
            sources = tuple(shapes[name] for name in step.sources)
            try:
                shapes[step.name] = step.definition.resolve(sources, self.framework).output
            except GeometryError as error:
                found = tuple(shapes.values())
                return Shapes(shapes=found, refused=(step.name, error), sources=sources)
        return Shapes(shapes=tuple(shapes.values()))

    def varied(
        self, axes: Collection[int], size: int, base: Mapping[str, Shape]
    ) -> dict[str, Shape]:
        """The inputs in `base` with `size` on these spatial axes of the first one.

        Inputs that are as long as the first one on an axis go along with it.
        """
        first = base[self.inputs[0][0]]
        places = [axis + 1 for axis in axes]
        inputs = {}
        for name, shape in base.items():
            same = {n for n in places if first[n : n + 1] == shape[n : n + 1] != ()}
            inputs[name] = tuple(size if n in same else one for n, one in enumerate(shape))
        return inputs


@dataclass(frozen=True, slots=True, kw_only=True)
class Closing:
    """The sizes that close, and up to where those were tried that stand alone; None: all were."""

    sizes: SizeSet
    tried: int | None = None


_ShapesAt = Callable[[int], Shapes]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Far:
    """The sizes `near` and `far` of one progression, far beyond all that is irregular."""

    near: int
    far: int
    traces: tuple[Shapes, Shapes]

    def slopes(self) -> Iterator[tuple[int, int, Fraction]]:
        """Of every size that both traces have: the two values, and how much it grows with n."""
        for pair in zip(self.traces[0].shapes, self.traces[1].shapes):
            for one, other in zip(*pair):
                slope = Fraction(other - one, self.far - self.near)
                yield one, other, slope.limit_denominator(MOST_PERIOD)

    @property
    def is_affine(self) -> bool:
        """Every size grows by exactly its slope."""
        return len(self.traces[0].shapes) == len(self.traces[1].shapes) and all(
            other - one == slope * (self.far - self.near) for one, other, slope in self.slopes()
        )

    @property
    def closes(self) -> bool:
        return self.traces[0].closes and self.traces[1].closes

    @property
    def never_closes(self) -> bool:
        """A layer is refused for what does not change: sizes that stay equally far apart."""
        one, other = self.traces
        if one.refused is None or other.refused is None or one.refused[0] != other.refused[0]:
            return False
        grown = {
            tuple(b - a for a, b in zip(*pair))
            for pair in zip(one.sources, other.sources, strict=True)
        }
        joins = one.refused[1].code == other.refused[1].code == "E115"
        return len(grown) == 1 if joins else not any(map(any, grown))

    @property
    def regular_from(self) -> int:
        """The size from which on no size that grows is below `_REGULAR`."""
        return max(
            (
                ceil(self.near - (one - _REGULAR) / slope)
                for one, _, slope in self.slopes()
                if slope > 0
            ),
            default=1,
        )


def closing_base(graph: OpenNetwork) -> dict[str, Shape] | None:
    """Inputs at which the network closes: those written, or else some with all axes of a size.

    None where none of `MOST_TRIED` sizes does.
    """
    base = dict(graph.inputs)
    if graph.trace(base).closes:
        return base
    own = graph.inputs[0][1][1:]
    for size in _from_the_middle(max(own)):
        inputs = graph.varied(range(len(own)), size, base)
        if graph.trace(inputs).closes:
            return inputs
    return None


def furthest(graph: OpenNetwork) -> Shapes:
    """Of the same inputs, the trace that gets past most layers."""
    base = dict(graph.inputs)
    own = graph.inputs[0][1][1:]
    others = (graph.varied(range(len(own)), n, base) for n in _from_the_middle(max(own)))
    return max(map(graph.trace, (base, *others)), key=lambda trace: len(trace.shapes))


def closing_sizes(
    graph: OpenNetwork, base: Mapping[str, Shape] | None, axis: int, up_to: int
) -> Closing:
    """The sizes of one spatial axis at which the network closes, the others as in `base`.

    Those that follow no rule are looked for up to `up_to`.  Without a base there are none.
    """
    if base is None:
        return Closing(sizes=SizeSet(progressions=()))

    def traced(size: int) -> Shapes:
        return graph.trace(graph.varied((axis,), size, base))

    return _closing(traced, [] if graph.is_rounded else _progressions(traced), up_to)


def _closing(traced: _ShapesAt, progressions: list[_Far], up_to: int) -> Closing:
    period = max(1, len(progressions))
    most = min(up_to, MOST_TRIED)
    opened = {one.near % period for one in progressions if not _is_decided(one)}
    regular = max((one.regular_from for one in progressions if _is_decided(one)), default=1)
    if not progressions:
        opened = {0}
    alone = [
        size
        for size in range(1, most + 1)
        if (size < regular or size % period in opened) and traced(size).closes
    ]
    firsts = [
        _first_closing(traced, one, max(1, regular), period)
        for one in progressions
        if _is_decided(one) and one.closes
    ]
    complete = most == up_to or (not opened and regular <= most)
    return Closing(sizes=SizeSet.of(period, firsts, alone), tried=None if complete else most)


def _is_decided(one: _Far) -> bool:
    return one.is_affine and (one.closes or one.never_closes)


def _progressions(traced: _ShapesAt) -> list[_Far]:
    """The progressions on which all sizes are affine, by what the period leaves over.

    Empty where the period is more than `MOST_PERIOD`.
    """
    period = 1
    while period <= MOST_PERIOD:
        found = [_far(traced, residue, period) for residue in range(period)]
        needed = _period(period, found)
        if needed == period:
            needed = _period(period, _behind_refusals(traced, found, period))
        if needed == period:
            return found
        period = needed
    return []


def _period(period: int, found: Iterable[_Far]) -> int:
    """The least multiple of `period` that makes every slope in `found` an integer."""
    return lcm(period, *(slope.denominator for one in found for _, _, slope in one.slopes()))


def _far(traced: _ShapesAt, residue: int, period: int) -> _Far:
    near = FAR - FAR % period + residue
    far = near + FAR // period * period
    return _Far(near=near, far=far, traces=(traced(near), traced(far)))


def _behind_refusals(traced: _ShapesAt, found: list[_Far], period: int) -> Iterator[_Far]:
    """Further on in undecided progressions, sizes that are refused later or not at all.

    A rule that a size be divisible hides the layers behind it from a size that is not.
    """
    distance = period * _DIVISIBLE
    for one in found:
        if one.closes or one.never_closes:
            continue
        known = len(one.traces[0].shapes)
        for near in range(one.near + period, one.near + period * _TURNS, period):
            if len((trace := traced(near)).shapes) > known:
                far = near + distance
                yield _Far(near=near, far=far, traces=(trace, traced(far)))
                break


def _first_closing(traced: _ShapesAt, one: _Far, regular: int, period: int) -> int:
    """The first size of a progression that closes, of those where sizes are regular."""
    sizes = range(regular + (one.near - regular) % period, one.near + 1, period)
    if traced(sizes[0]).closes:
        return sizes[0]
    return sizes[bisect_left(sizes, True, key=lambda size: traced(size).closes)]


def _from_the_middle(size: int) -> Iterator[int]:
    """Sizes from `size` upwards, then downwards; `MOST_TRIED` at most."""
    half = MOST_TRIED // 2
    yield from range(size, size + half)
    yield from range(size - 1, max(0, size - 1 - half), -1)
