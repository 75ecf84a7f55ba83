"""Layers that change the number of positions without a kernel: upsample and the pixel shuffles.

Frameworks shuffle pixels on two axes; on one and on three it is the same rearrangement.  An
upsample is PyTorch's with half-pixel centres, which Keras, TensorFlow and ONNX have too.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from convt_cli.arithmetic.convolution import Shape
from convt_cli.arithmetic.frameworks import Framework
from convt_cli.arithmetic.kinds import (
    Integer,
    IntegerPerAxis,
    PerAxis,
    Ratio,
    RatioPerAxis,
    Word,
    key,
    per_axis,
    require_rank,
)
from convt_cli.arithmetic.layers.base import Geometry, Layer, Spans, foreign_key, spatial_source
from convt_cli.arithmetic.spans import (
    Span,
    cubic_span,
    linear_span,
    nearest_span,
    shared_span,
)
from convt_cli.arithmetic.windows import each_axis
from convt_cli.errors import GeometryError

_RANKS = {"bilinear": 2, "bicubic": 2, "trilinear": 3}
MODES = ("nearest", "linear", "bilinear", "trilinear", "cubic", "bicubic", "area")
"""`linear` and `cubic` fit every number of axes that a framework takes, the other words one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Upsample(Layer):
    """More positions, or fewer: floor(size * scale_factor), or `output_size`.

    The factor is taken as the fraction that its digits say, so that 100 * 0.29 is 29; frameworks
    that multiply in floating point make 28 of it.
    """

    scale_factor: Ratio | tuple[Ratio, ...] | None = key(
        RatioPerAxis(), "how much larger it gets", default=None
    )
    output_size: PerAxis | None = key(
        IntegerPerAxis(1), "the wanted size, in place of scale_factor", default=None
    )
    mode: str = key(Word(MODES), "how values are interpolated", default="nearest")

    def problems(self, framework: Framework) -> Iterator[GeometryError]:
        if self.scale_factor is None and self.output_size is None:
            yield GeometryError(
                "E102",
                "upsample needs scale_factor or output_size",
                field="type",
                value="got neither",
                help="add `scale_factor: 2`",
            )
        if self.scale_factor is not None and self.output_size is not None:
            yield GeometryError(
                "E122",
                "scale_factor and output_size exclude each other",
                field="scale_factor",
                value="both are given",
                help="keep one of them",
            )

    def resolve(self, sources: tuple[Shape, ...], framework: Framework) -> Geometry:
        channels, *sizes = spatial_source(sources)
        self._check_rank(len(sizes))
        _require_mode(self.mode, len(sizes), framework)
        output, factors = self._sizes_and_factors(tuple(sizes))
        spans = (self._span(n, o, factor) for n, o, factor in zip(sizes, output, factors))
        return Geometry(output=(channels, *output), reach=Spans(axes=tuple(spans)))

    def _sizes_and_factors(
        self, sizes: tuple[int, ...]
    ) -> tuple[tuple[int, ...], tuple[Ratio, ...]]:
        rank = len(sizes)
        if self.output_size is None and self.scale_factor is not None:
            factors = _ratio_per_axis(self.scale_factor, rank)
            return each_axis(rank, lambda n: _scaled(sizes[n], factors[n])), factors
        output = sizes
        if self.output_size is not None:
            output = per_axis(self.output_size, rank, "output_size")
        return output, tuple(Ratio.of(o, n) for n, o in zip(sizes, output))

    def _span(self, input_size: int, output_size: int, factor: Ratio) -> Span:
        if self.mode == "nearest":
            return nearest_span(factor)
        if self.mode == "area":
            return shared_span(input_size, output_size)
        return cubic_span(factor) if self.mode.endswith("cubic") else linear_span(factor)

    def _check_rank(self, rank: int) -> None:
        if _RANKS.get(self.mode, rank) != rank:
            raise GeometryError(
                "E119",
                f"mode {self.mode} needs {_RANKS[self.mode]} spatial axes",
                field="mode",
                value=f"the source has {rank}",
                help="use nearest, linear or cubic, where the framework has them",
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class PixelShuffle(Layer):
    """Channels become positions: factor**rank of them a block of factor on every axis."""

    factor: int = key(Integer(1), "how much longer every spatial axis gets")

    def problems(self, framework: Framework) -> Iterator[GeometryError]:
        if not framework.reorders_axes:
            yield foreign_key("type", "pixel_shuffle", framework)

    def resolve(self, sources: tuple[Shape, ...], framework: Framework) -> Geometry:
        channels, *sizes = spatial_source(sources)
        block = self.factor ** len(sizes)
        if channels % block:
            raise GeometryError(
                "E126",
                f"the channels must be a multiple of {block}, factor to the power of the axes",
                field="factor",
                value=f"got factor {self.factor}, the source has {channels} channels",
                help="give the layer before it more channels, or use another factor",
            )
        span = nearest_span(Ratio(numerator=self.factor))
        output = (channels // block, *(size * self.factor for size in sizes))
        return Geometry(output=output, reach=Spans(axes=(span,) * len(sizes)))


@dataclass(frozen=True, slots=True, kw_only=True)
class PixelUnshuffle(Layer):
    """Positions become channels: a block of factor on every axis is factor**rank of them."""

    factor: int = key(Integer(1), "how much shorter every spatial axis gets")

    def problems(self, framework: Framework) -> Iterator[GeometryError]:
        if not framework.reorders_axes:
            yield foreign_key("type", "pixel_unshuffle", framework)

    def resolve(self, sources: tuple[Shape, ...], framework: Framework) -> Geometry:
        channels, *sizes = spatial_source(sources)
        shorter = each_axis(len(sizes), lambda n: _divided(sizes[n], self.factor))
        span = Span(step=self.factor, last=self.factor - 1)
        output = (channels * self.factor ** len(sizes), *shorter)
        return Geometry(output=output, reach=Spans(axes=(span,) * len(sizes)))


def _require_mode(mode: str, rank: int, framework: Framework) -> None:
    """Raise GeometryError (E125) where the framework has no such mode on `rank` axes."""
    if rank not in framework.upsampling.axes(mode):
        raise GeometryError(
            "E125",
            f"{framework.title} has no such upsampling on {rank} spatial axes",
            field="mode",
            value=f"got {mode}",
            help="use another mode, or another framework",
        )


def _ratio_per_axis(factor: Ratio | tuple[Ratio, ...], rank: int) -> tuple[Ratio, ...]:
    if isinstance(factor, Ratio):
        return (factor,) * rank
    require_rank(len(factor), rank, "scale_factor")
    return factor


def _scaled(size: int, factor: Ratio) -> int:
    scaled = size * factor.numerator // factor.denominator
    if scaled < 1:
        raise GeometryError(
            "E112",
            "the output must have at least one element",
            field="scale_factor",
            value=f"{size} times {factor} is less than 1",
            help="use a larger scale_factor, or output_size",
        )
    return scaled


def _divided(size: int, factor: int) -> int:
    if size % factor:
        raise GeometryError(
            "E126",
            "factor must divide every spatial size",
            field="factor",
            value=f"got {factor} with size {size}",
            help="pad or crop the source to a multiple of it",
        )
    return size // factor
