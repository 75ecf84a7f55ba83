"""Layers with several sources: add, mul and concat."""

from __future__ import annotations

from dataclasses import dataclass

from convt_cli.arithmetic.convolution import Shape
from convt_cli.arithmetic.dialects.frameworks import Framework
from convt_cli.arithmetic.keys import Integer, key
from convt_cli.arithmetic.layers.base import Geometry, Layer, require_axis, whole_along
from convt_cli.errors import SourcesError

_RANK_HELP = "bring them to one number of axes with reshape or flatten"
_SIZE_HELP = "crop, pad or resample one of them to the size of the other"
_CHANNELS_HELP = "give them one number of channels, for example by a conv with `kernel_size: 1`"


@dataclass(frozen=True, slots=True, kw_only=True)
class Elementwise(Layer):
    """Element by element over all sources; a size of 1 broadcasts."""

    def resolve(self, sources: tuple[Shape, ...], framework: Framework) -> Geometry:
        _require_several(sources)
        if len({len(shape) for shape in sources}) > 1:
            raise _mismatch("sources must have the same number of axes", sources, _RANK_HELP)
        for number, sizes in enumerate(zip(*sources)):
            if len({size for size in sizes if size != 1}) > 1:
                remedy = _SIZE_HELP if number else _CHANNELS_HELP
                raise _mismatch("sources must have equal sizes, or size 1", sources, remedy)
        # A size of 1 is broadcast, so the largest size is the output's.
        output = tuple(max(sizes) for sizes in zip(*sources))
        stretched = {n for n, sizes in enumerate(zip(*sources)) if len(set(sizes)) > 1}
        return Geometry(output=output, dependence=whole_along(stretched, len(output)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Add(Elementwise):
    """The sum of the sources."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Multiply(Elementwise):
    """The product of the sources."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Concat(Layer):
    """The sources one after the other along `axis`; 0 is the channels."""

    axis: int = key(Integer(0), "the axis to join along; 0 is the channels", default=0)

    def resolve(self, sources: tuple[Shape, ...], framework: Framework) -> Geometry:
        _require_several(sources)
        first = sources[0]
        require_axis(self.axis, len(first))
        if len({len(shape) for shape in sources}) > 1:
            raise _mismatch("sources must have the same number of axes", sources, _RANK_HELP)
        # the axes on which the sources do not all have one size
        differing = [n for n, sizes in enumerate(zip(*sources)) if len(set(sizes)) > 1]
        if differing not in ([], [self.axis]):
            remedy = _CHANNELS_HELP if 0 in differing and self.axis else _SIZE_HELP
            raise _mismatch(f"sources may differ along axis {self.axis} alone", sources, remedy)
        joined = sum(shape[self.axis] for shape in sources)
        output = (*first[: self.axis], joined, *first[self.axis + 1 :])
        return Geometry(output=output, dependence=whole_along({self.axis}, len(first)))


def _require_several(sources: tuple[Shape, ...]) -> None:
    if len(sources) < 2:
        raise SourcesError(
            "this type joins two sources or more",
            value=f"got {len(sources)}",
            help="name them: `from: [A, B]`",
        )


def _mismatch(rule: str, sources: tuple[Shape, ...], remedy: str) -> SourcesError:
    return SourcesError(
        rule,
        value="got " + " and ".join(str(list(shape)) for shape in sources),
        help=remedy,
    )
