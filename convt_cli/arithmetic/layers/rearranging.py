"""Layers that rearrange, drop or add elements: reshape, transpose, pad, crop."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import prod

from convt_cli.arithmetic.axis import Axis
from convt_cli.arithmetic.convolution import Shape
from convt_cli.arithmetic.dialects.frameworks import Framework
from convt_cli.arithmetic.dialects.padding import pads
from convt_cli.arithmetic.keys import (
    Padding,
    PaddingPerAxis,
    Pair,
    Sizes,
    key,
)
from convt_cli.arithmetic.layers.base import (
    Geometry,
    Layer,
    Permuted,
    Reshaped,
    Windows,
    single_source,
    spatial_source,
)
from convt_cli.arithmetic.stencil import Stencil, each_axis
from convt_cli.errors import GeometryError

_MOST_AXES = 8
"""The most axes of a reshape's target, channels included."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Flatten(Layer):
    """All elements on one axis, row-major."""

    def resolve(self, sources: tuple[Shape, ...], framework: Framework) -> Geometry:
        flat = (prod(single_source(sources)),)
        return Geometry(output=flat, dependence=Reshaped(target=flat))


@dataclass(frozen=True, slots=True, kw_only=True)
class Reshape(Layer):
    """The same elements, row-major, in another shape; one size may be -1."""

    shape: Shape = key(Sizes(-1), "the new sizes; one may be -1")

    def problems(self, framework: Framework) -> Iterator[GeometryError]:
        if len(self.shape) > _MOST_AXES:
            yield GeometryError(
                "E119",
                f"a shape has at most {_MOST_AXES} axes",
                field="shape",
                value=f"got {len(self.shape)}",
                help="join some of them",
            )
        elif self.shape.count(-1) > 1 or 0 in self.shape:
            yield GeometryError(
                "E120",
                "sizes are at least 1, and at most one is -1",
                field="shape",
                value=f"got {list(self.shape)}",
                help="write the sizes out",
            )

    def resolve(self, sources: tuple[Shape, ...], framework: Framework) -> Geometry:
        source = single_source(sources)
        known = prod(size for size in self.shape if size != -1)
        shape = tuple(prod(source) // known if size == -1 else size for size in self.shape)
        if prod(shape) != prod(source):
            raise GeometryError(
                "E120",
                "a reshape keeps the number of elements",
                field="shape",
                value=f"{list(source)} has {prod(source):,}, the known sizes make {known:,}",
                help=self._remedy(prod(source)),
            )
        return Geometry(output=shape, dependence=Reshaped(target=shape))

    def _remedy(self, elements: int) -> str:
        """The advice: `shape` with one size changed so that it has `elements`, if that exists."""
        for number, size in enumerate(self.shape):
            others = prod(self.shape) // size
            if others > 0 and elements % others == 0:
                fitting = [*self.shape[:number], elements // others, *self.shape[number + 1 :]]
                return f"write {fitting}, or other sizes whose product is {elements:,}"
        return f"choose sizes whose product is {elements:,}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Transpose(Layer):
    """The axes in another order: axis n of the output is axis `axes[n]` of the source."""

    axes: Shape = key(Sizes(0), "the source's axes in their new order; 0 is the channels")

    def problems(self, framework: Framework) -> Iterator[GeometryError]:
        if sorted(self.axes) != list(range(len(self.axes))):
            yield GeometryError(
                "E127",
                "axes names every axis once, from 0",
                field="axes",
                value=f"got {list(self.axes)}",
                help="write a permutation such as [0, 2, 1]",
            )

    def resolve(self, sources: tuple[Shape, ...], framework: Framework) -> Geometry:
        source = single_source(sources)
        if len(self.axes) != len(source):
            raise GeometryError(
                "E127",
                "axes names every axis of the source",
                field="axes",
                value=f"got {list(self.axes)}, the source is {list(source)}",
                help=f"write a permutation of 0 to {len(source) - 1}",
            )
        output = tuple(source[axis] for axis in self.axes)
        return Geometry(output=output, dependence=Permuted(axes=self.axes))


@dataclass(frozen=True, slots=True, kw_only=True)
class Pad(Layer):
    """Zeros around the spatial axes: a direct convolution with one tap, padded."""

    padding: Padding = key(PaddingPerAxis(), "elements to add before and after")

    def resolve(self, sources: tuple[Shape, ...], framework: Framework) -> Geometry:
        return _one_tap(spatial_source(sources), self.padding, 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Crop(Layer):
    """Elements cut off the spatial axes: a direct convolution with one tap, padded negatively."""

    padding: Padding = key(PaddingPerAxis(), "elements to cut off before and after")

    def resolve(self, sources: tuple[Shape, ...], framework: Framework) -> Geometry:
        return _one_tap(spatial_source(sources), self.padding, -1)


def _one_tap(shape: Shape, padding: Padding, sign: int) -> Geometry:
    channels, *sizes = shape
    pairs = pads(padding, [Stencil(kernel_size=1)] * len(sizes))
    axes = each_axis(lambda size, pair: _shifted_axis(size, pair, sign), sizes, pairs)
    output = (channels, *(axis.output_size for axis in axes))
    return Geometry(output=output, dependence=Windows(axes=axes))


def _shifted_axis(size: int, pair: Pair, sign: int) -> Axis:
    if size + sign * sum(pair) < 1:
        raise GeometryError(
            "E112",
            "the output must have at least one element",
            field="padding",
            value=f"{pair[0]} + {pair[1]} cut off all of {size}",
            help="cut off less",
        )
    return Axis.conv(input_size=size, kernel_size=1, before=sign * pair[0], after=sign * pair[1])
