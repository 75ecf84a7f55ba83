"""Layers that change the number of positions without a kernel: upsample and the pixel shuffles.

Frameworks shuffle pixels on two axes; on one and on three it is the same rearrangement.  An
upsample is PyTorch's with half-pixel centres, which Keras, TensorFlow and ONNX have too.

The size of an upsample is floor(size * scale_factor).  A whole factor, a fraction and a short
binary number such as 1.5 are exact.  Any other decimal is rounded to a floating-point number, and
each framework multiplies in its own precision: `scaled_size` follows the framework.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from struct import pack, unpack

from convt_cli.arithmetic.convolution import Shape
from convt_cli.arithmetic.dialects.frameworks import Framework
from convt_cli.arithmetic.keys import (
    Factor,
    FactorPerAxis,
    Integer,
    IntegerPerAxis,
    PerAxis,
    Ratio,
    Word,
    key,
    per_axis,
    require_rank,
)
from convt_cli.arithmetic.layers.base import (
    Geometry,
    Layer,
    Permuted,
    Rearranged,
    Reshaped,
    Spans,
    excluding,
    spatial_source,
    unsupported_key,
)
from convt_cli.arithmetic.spans import (
    Span,
    cubic_span,
    linear_span,
    nearest_span,
    shared_span,
)
from convt_cli.arithmetic.stencil import each_axis
from convt_cli.errors import GeometryError

_RANKS = {"bilinear": 2, "bicubic": 2, "trilinear": 3}
"""The number of spatial axes of each mode that fits one number alone."""
MODES = ("nearest", "linear", "bilinear", "trilinear", "cubic", "bicubic", "area")
"""nearest, linear, cubic and area take any number of axes that a framework has, the rest one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Upsample(Layer):
    """A resize of the spatial axes to floor(size * scale_factor), or to `output_size`."""

    scale_factor: Factor | tuple[Factor, ...] | None = key(
        FactorPerAxis(), "how much larger it gets", default=None
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
            yield excluding("scale_factor", "output_size")
        if framework.upsample_factor == "whole" and not all(map(_is_whole, self._factors)):
            yield GeometryError(
                "E125",
                f"{framework.title} has no scale_factor but whole numbers",
                field="scale_factor",
                value=f"got {', '.join(map(str, self._factors))}",
                help="use a whole number, or write the size that is wanted as output_size",
            )

    @property
    def _factors(self) -> tuple[Factor, ...]:
        if self.scale_factor is None:
            return ()
        return self.scale_factor if isinstance(self.scale_factor, tuple) else (self.scale_factor,)

    @property
    def is_rounded(self) -> bool:
        """Whether the size depends on how a product of floating-point numbers is rounded."""
        return any(isinstance(factor, float) for factor in self._factors)

    def resolve(self, sources: tuple[Shape, ...], framework: Framework) -> Geometry:
        channels, *sizes = spatial_source(sources)
        self._check_rank(len(sizes))
        _require_mode(self.mode, len(sizes), framework)
        output, factors = self._sizes_and_factors(tuple(sizes), framework)
        spans = (self._span(*axis) for axis in zip(sizes, output, factors))
        return Geometry(output=(channels, *output), dependence=Spans(axes=tuple(spans)))

    def factors(self, sizes: Shape, framework: Framework) -> tuple[Ratio, ...]:
        """By how much each axis grows, as the framework scales positions."""
        output, factors = self._sizes_and_factors(sizes, framework)
        if framework.upsampling.scales_by == "factor":
            return factors
        return tuple(map(Ratio.of, output, sizes))

    def _sizes_and_factors(
        self, sizes: tuple[int, ...], framework: Framework
    ) -> tuple[tuple[int, ...], tuple[Ratio, ...]]:
        rank = len(sizes)
        if self.output_size is None and self.scale_factor is not None:
            factors = _factor_per_axis(self.scale_factor, rank)
            output = each_axis(
                lambda size, factor: _scaled(size, factor, framework), sizes, factors
            )
            return output, tuple(map(_simplest, factors))
        output = sizes
        if self.output_size is not None:
            output = per_axis(self.output_size, rank, "output_size")
        return output, tuple(Ratio.of(wanted, size) for size, wanted in zip(sizes, output))

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
            yield unsupported_key("type", "pixel_shuffle", framework)

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
        rank = len(sizes)
        # (channels, factor, ..., size, ...), then each size and its factor side by side
        apart = (channels // block, *(self.factor,) * rank, *sizes)
        pairs = [axis for n in range(rank) for axis in (1 + rank + n, 1 + n)]
        output = (channels // block, *(size * self.factor for size in sizes))
        return _rearranged(apart, (0, *pairs), output)


@dataclass(frozen=True, slots=True, kw_only=True)
class PixelUnshuffle(Layer):
    """Positions become channels: a block of factor on every axis is factor**rank of them."""

    factor: int = key(Integer(1), "how much shorter every spatial axis gets")

    def problems(self, framework: Framework) -> Iterator[GeometryError]:
        if not framework.reorders_axes:
            yield unsupported_key("type", "pixel_unshuffle", framework)

    def resolve(self, sources: tuple[Shape, ...], framework: Framework) -> Geometry:
        channels, *sizes = spatial_source(sources)
        shorter = each_axis(lambda size: _divided(size, self.factor), sizes)
        rank = len(sizes)
        # (channels, size, factor, size, factor, ...), then all factors before all sizes
        apart = (channels, *(one for size in shorter for one in (size, self.factor)))
        factor_axes = range(2, 2 * rank + 1, 2)
        size_axes = range(1, 2 * rank, 2)
        output = (channels * self.factor**rank, *shorter)
        return _rearranged(apart, (0, *factor_axes, *size_axes), output)


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


def scaled_size(size: int, factor: Factor, framework: Framework) -> int:
    """floor(size * factor): exact for a ratio, and for a float in the framework's precision.

    Sources: `compute_output_size` in PyTorch's ATen multiplies doubles; ONNX stores float32
    scales, and ONNX Runtime's Resize multiplies them by the size as a float32.
    """
    if isinstance(factor, Ratio):
        return size * factor.numerator // factor.denominator
    if framework.upsample_factor == "single":
        return int(_single(_single(size) * _single(factor)))
    return int(size * factor)


def _single(number: float) -> float:
    """The float32 nearest to `number`.

    A double holds the product of two float32 exactly, so that rounding it gives their product.
    """
    rounded: float = unpack("f", pack("f", number))[0]
    return rounded


def _is_whole(factor: Factor) -> bool:
    return isinstance(factor, Ratio) and factor.denominator == 1


def _simplest(factor: Factor) -> Ratio:
    """A ratio with a small denominator that rounds to the same double: 4/3 for 1.333...."""
    if isinstance(factor, Ratio):
        return factor
    from fractions import Fraction  # noqa: PLC0415  # only decimals need it

    exact, limit = Fraction(factor), 1
    # The bound on the denominator doubles, so the first fraction found is not far from the least.
    while float(found := exact.limit_denominator(limit)) != factor:
        limit *= 2
    return Ratio(numerator=found.numerator, denominator=found.denominator)


def _rearranged(apart: Shape, axes: tuple[int, ...], output: Shape) -> Geometry:
    """A reshape to `apart`, its axes brought into another order, and a reshape to `output`."""
    steps = (Reshaped(target=apart), Permuted(axes=axes), Reshaped(target=output))
    return Geometry(output=output, dependence=Rearranged(steps=steps))


def _factor_per_axis(factor: Factor | tuple[Factor, ...], rank: int) -> tuple[Factor, ...]:
    if not isinstance(factor, tuple):
        return (factor,) * rank
    require_rank(len(factor), rank, "scale_factor")
    return factor


def _scaled(size: int, factor: Factor, framework: Framework) -> int:
    scaled = scaled_size(size, factor, framework)
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
