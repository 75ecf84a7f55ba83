"""The sizes of an input for which a network closes: every layer is legal, every join fits.

One size of the input varies, n.  Every other size is then a chain of floor((f(n) + c) / stride)
and of multiples, so on a progression n = r + period * j it is an affine function of j as soon as
the period makes its slope an integer.  The slopes are measured over a distance so long that
rounding does not matter, and the period grows until it fits the slopes of all layers reached.  On
each progression the network is then resolved at two far sizes:

- it closes at both: it closes from some size on, and bisection finds which;
- it is refused at both, by sizes whose distance is the same at both: it never closes;
- anything else, such as a source of a fixed size: sizes are tried one by one.  The same holds
  where an upsample multiplies floating-point numbers, whose rounding follows no progression, and
  where a slice stops at a fixed place, so that what holds for small sizes and for large ones can
  fail in between.

Sizes below the one from which all sizes are affine are tried one by one too.
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
from convt_cli.arithmetic.layers.rearranging import Slice
from convt_cli.arithmetic.layers.resampling import Upsample
from convt_cli.arithmetic.questions.size_sets import SizeSet
from convt_cli.errors import Diagnostic, GeometryError, SourcesError

FAR = 2**30
"""A size at which padding and rounding no longer matter for the slopes that are measured."""
MOST_PERIOD = 1024
"""The longest period of a progression that is looked for."""
MOST_TRIED = 4096
"""The most sizes that are tried one by one."""

_REGULAR = 2
"""The least size that follows its slope: 1 broadcasts at a join, and 0 is illegal."""

_TURNS = 17
"""How many sizes of a progression are looked at for one that gets past a refusal, plus one."""
_DIVISIBLE = 1024 * lcm(*range(1, 17))
"""Periods between two sizes that leave the same remainders by all numbers up to 16."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenLayer:
    """One layer of a network as it is written; `sources` names all layers whose shapes it needs."""

    name: str
    definition: Definition
    sources: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Shapes:
    """The shapes of a network on some inputs: those of the inputs, then of the layers in order.

    Where a layer is refused they end before it; `refused` holds its name and the error, and
    `sources` the shapes of its sources.
    """

    shapes: tuple[Shape, ...]
    refused: tuple[str, GeometryError] | None = None
    sources: tuple[Shape, ...] = ()

    @property
    def closes(self) -> bool:
        return self.refused is None


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenNetwork:
    """A network whose input sizes may vary; `inputs` are the shapes as written.

    `warnings` point out parts of the spec that are probably mistakes.
    """

    name: str
    framework: Framework
    inputs: tuple[tuple[str, Shape], ...]
    layers: tuple[OpenLayer, ...]
    warnings: tuple[Diagnostic, ...] = ()

    @property
    def is_irregular(self) -> bool:
        """Whether sizes follow no progression: an upsample rounds them, or a slice clamps them."""
        return any(_is_irregular(layer.definition) for layer in self.layers)

    def shapes_on(self, inputs: Mapping[str, Shape]) -> Shapes:
        """The shapes up to the end, or to the first layer that is refused."""
        shapes = dict(inputs)
        for layer in self.layers:
            sources = tuple(shapes[name] for name in layer.sources)
            try:
                shapes[layer.name] = layer.definition.resolve(sources, self.framework).output
            except GeometryError as error:
                found = tuple(shapes.values())
                return Shapes(shapes=found, refused=(layer.name, error), sources=sources)
        return Shapes(shapes=tuple(shapes.values()))

    def varied(
        self, axes: Collection[int], size: int, base: Mapping[str, Shape]
    ) -> dict[str, Shape]:
        """The inputs in `base` with `size` on these spatial axes of the first one.

        An input that has the first one's size on such an axis gets the new size, too.
        """
        first = base[self.inputs[0][0]]
        places = {axis + 1 for axis in axes}  # after the channels
        inputs = {}
        for name, shape in base.items():
            sizes = list(shape)
            for place in places:
                if place < min(len(first), len(shape)) and shape[place] == first[place]:
                    sizes[place] = size
            inputs[name] = tuple(sizes)
        return inputs


def _is_irregular(definition: Definition) -> bool:
    if isinstance(definition, Upsample):
        return definition.is_rounded
    return isinstance(definition, Slice) and definition.axis > 0 and definition.is_clamped


@dataclass(frozen=True, slots=True, kw_only=True)
class Closing:
    """The sizes at which a network closes.

    `tried` is the bound up to which sizes that follow no progression were tried; None if that
    leaves none out.
    """

    sizes: SizeSet
    tried: int | None = None


_ShapesAt = Callable[[int], Shapes]


@dataclass(frozen=True, slots=True, kw_only=True)
class _FarPair:
    """Two sizes of one progression, beyond all that is irregular, and the shapes at both."""

    near: int
    far: int
    shapes: tuple[Shapes, Shapes]

    def slopes(self) -> Iterator[tuple[int, int, Fraction]]:
        """(value near, value far, slope) of every size that both have; slope: growth by n."""
        for pair in zip(self.shapes[0].shapes, self.shapes[1].shapes):
            for one, other in zip(*pair):
                slope = Fraction(other - one, self.far - self.near)
                # The true slope has a small denominator; rounding adds a tiny error.
                yield one, other, slope.limit_denominator(MOST_PERIOD)

    @property
    def is_affine(self) -> bool:
        """Whether both reach the same layers, and every size grows by exactly its slope."""
        return len(self.shapes[0].shapes) == len(self.shapes[1].shapes) and all(
            other - one == slope * (self.far - self.near) for one, other, slope in self.slopes()
        )

    @property
    def closes(self) -> bool:
        return self.shapes[0].closes and self.shapes[1].closes

    @property
    def never_closes(self) -> bool:
        """Whether one layer is refused at both for a reason that no size of these changes.

        A join is refused for good if the sizes of its sources all grow alike; any other layer if
        its source does not grow.
        """
        one, other = self.shapes
        if one.refused is None or other.refused is None:
            return False
        (name, error), (other_name, other_error) = one.refused, other.refused
        if name != other_name:
            return False
        grown = {
            tuple(b - a for a, b in zip(*pair))
            for pair in zip(one.sources, other.sources, strict=True)
        }
        joins = isinstance(error, SourcesError) and isinstance(other_error, SourcesError)
        return len(grown) == 1 if joins else not any(map(any, grown))

    @property
    def regular_from(self) -> int:
        """The least n from which on every size that grows is at least `_REGULAR`."""
        return max(
            (
                ceil(self.near - (one - _REGULAR) / slope)
                for one, _, slope in self.slopes()
                if slope > 0
            ),
            default=1,
        )


def closing_base(network: OpenNetwork) -> dict[str, Shape] | None:
    """Inputs at which the network closes: those written, or else some with equal spatial axes.

    None where it closes at none of `MOST_TRIED` sizes.
    """
    base = dict(network.inputs)
    if network.shapes_on(base).closes:
        return base
    own = network.inputs[0][1][1:]
    for size in _from_the_middle(max(own)):
        inputs = network.varied(range(len(own)), size, base)
        if network.shapes_on(inputs).closes:
            return inputs
    return None


def furthest(network: OpenNetwork) -> Shapes:
    """The shapes at the input, of those `closing_base` tries, that gets past most layers."""
    base = dict(network.inputs)
    own = network.inputs[0][1][1:]
    others = (network.varied(range(len(own)), n, base) for n in _from_the_middle(max(own)))
    return max(map(network.shapes_on, (base, *others)), key=lambda found: len(found.shapes))


def closing_sizes(
    network: OpenNetwork, base: Mapping[str, Shape] | None, axis: int, up_to: int
) -> Closing:
    """The sizes of one spatial axis at which the network closes, the other axes as in `base`.

    Sizes that follow no progression are looked for up to `up_to`.  Without a base there are none.
    """
    if base is None:
        return Closing(sizes=SizeSet(progressions=()))

    def shapes_at(size: int) -> Shapes:
        return network.shapes_on(network.varied((axis,), size, base))

    return _closing(shapes_at, [] if network.is_irregular else _progressions(shapes_at), up_to)


def _closing(shapes_at: _ShapesAt, progressions: list[_FarPair], up_to: int) -> Closing:
    period = max(1, len(progressions))
    most = min(up_to, MOST_TRIED)
    # the remainders by the period on which single sizes must be tried
    undecided = {one.near % period for one in progressions if not _is_decided(one)}
    regular = max((one.regular_from for one in progressions if _is_decided(one)), default=1)
    if not progressions:
        undecided = {0}  # the period is 1: all sizes must be tried
    alone = [
        size
        for size in range(1, most + 1)
        if (size < regular or size % period in undecided) and shapes_at(size).closes
    ]
    firsts = [
        _first_closing(shapes_at, one, max(1, regular), period)
        for one in progressions
        if _is_decided(one) and one.closes
    ]
    complete = most == up_to or (not undecided and regular <= most)
    return Closing(sizes=SizeSet.of(period, firsts, alone), tried=None if complete else most)


def _is_decided(one: _FarPair) -> bool:
    return one.is_affine and (one.closes or one.never_closes)


def _progressions(shapes_at: _ShapesAt) -> list[_FarPair]:
    """The progressions on which all sizes are affine, in the order of their remainders.

    Empty where their period would be more than `MOST_PERIOD`.
    """
    period = 1
    while period <= MOST_PERIOD:
        found = [_far(shapes_at, residue, period) for residue in range(period)]
        needed = _period(period, found)
        if needed == period:
            needed = _period(period, _behind_refusals(shapes_at, found, period))
        if needed == period:
            return found
        period = needed
    return []


def _period(period: int, found: Iterable[_FarPair]) -> int:
    """The least multiple of `period` that makes every slope in `found` an integer."""
    return lcm(period, *(slope.denominator for one in found for _, _, slope in one.slopes()))


def _far(shapes_at: _ShapesAt, residue: int, period: int) -> _FarPair:
    """The sizes near `FAR` and twice `FAR` that leave `residue` by `period`, and their shapes."""
    near = FAR - FAR % period + residue
    far = near + FAR // period * period
    return _FarPair(near=near, far=far, shapes=(shapes_at(near), shapes_at(far)))


def _behind_refusals(
    shapes_at: _ShapesAt, found: list[_FarPair], period: int
) -> Iterator[_FarPair]:
    """Sizes of undecided progressions at which the network gets further before it is refused.

    A layer that needs a divisible size hides the layers behind it from all other sizes.
    """
    distance = period * _DIVISIBLE
    for one in found:
        if one.closes or one.never_closes:
            continue
        known = len(one.shapes[0].shapes)
        for near in range(one.near + period, one.near + period * _TURNS, period):
            found_near = shapes_at(near)
            if len(found_near.shapes) > known:
                far = near + distance
                yield _FarPair(near=near, far=far, shapes=(found_near, shapes_at(far)))
                break


def _first_closing(shapes_at: _ShapesAt, one: _FarPair, regular: int, period: int) -> int:
    """The first size of a progression, from `regular` on, at which the network closes."""
    sizes = range(regular + (one.near - regular) % period, one.near + 1, period)
    if shapes_at(sizes[0]).closes:
        return sizes[0]
    return sizes[bisect_left(sizes, True, key=lambda size: shapes_at(size).closes)]


def _from_the_middle(size: int) -> Iterator[int]:
    """Sizes from `size` upwards, then from there downwards; `MOST_TRIED` at most."""
    half = MOST_TRIED // 2
    yield from range(size, size + half)
    yield from range(size - 1, max(0, size - 1 - half), -1)
