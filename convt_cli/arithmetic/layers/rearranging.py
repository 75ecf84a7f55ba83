"""Layers that rearrange, drop or add elements: reshape, transpose, slice, pad, crop."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import prod

from convt_cli.arithmetic.axis import Axis
from convt_cli.arithmetic.convolution import Shape
from convt_cli.arithmetic.dialects.frameworks import Framework
from convt_cli.arithmetic.dialects.padding import pads
from convt_cli.arithmetic.keys import (
    LARGEST,
    EarlierShape,
    Integer,
    IntegerPerAxis,
    Padding,
    PaddingPerAxis,
    Pair,
    PerAxis,
    Sizes,
    Word,
    key,
    per_axis,
)
from convt_cli.arithmetic.layers.base import (
    Geometry,
    Layer,
    Permuted,
    Reshaped,
    Spans,
    Windows,
    excluding,
    require_axis,
    single_source,
    spatial_source,
    unsupported_key,
)
from convt_cli.arithmetic.padding_modes import PADDING_MODES, most_padding
from convt_cli.arithmetic.spans import Span, direct_span, unknown_span
from convt_cli.arithmetic.stencil import Stencil, each_axis
from convt_cli.errors import GeometryError, SourcesError

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
class Slice(Layer):
    """Elements begin, begin + step, ... before `end` of one axis, by the rules of ONNX.

    A negative begin or end counts from the end of the axis.  A begin outside is moved to the
    nearest element, an end to the nearest element or the place beyond it.  So it is in Python,
    but for a begin before the first element and a negative step, which there take nothing.
    """

    axis: int = key(Integer(0), "the axis to take elements of; 0 is the channels")
    begin: int = key(Integer(-LARGEST), "the first element; below 0 it counts from the end")
    end: int | None = key(
        Integer(-LARGEST), "the element to stop before; all the rest if left out", default=None
    )
    step: int = key(Integer(-LARGEST), "distance to the next element; below 0 backwards", default=1)

    def problems(self, framework: Framework) -> Iterator[GeometryError]:
        if self.step == 0:
            yield GeometryError(
                "E107",
                "step is not 0",
                field="step",
                value="got 0",
                help="write 1 to take every element, or leave step out",
            )
        elif self.step != 1 and not framework.slices_with_step:
            yield unsupported_key("step", self.step, framework)

    @property
    def is_clamped(self) -> bool:
        """Whether the size stays the same from some size of the source on."""
        if self.step > 0:
            return self.begin < 0 or (self.end is not None and self.end >= 0)
        return self.begin >= 0 or (self.end is not None and self.end < 0)

    def resolve(self, sources: tuple[Shape, ...], framework: Framework) -> Geometry:
        source = single_source(sources)
        require_axis(self.axis, len(source))
        taken = self.elements(source[self.axis])
        if not taken:
            raise GeometryError(
                "E112",
                "the output must have at least one element",
                field="begin",
                value=f"{self._written} takes nothing of {source[self.axis]}",
                help="move begin or end, counted from 0",
            )
        spans = [Span()] * len(source)
        spans[self.axis] = _slice_span(taken, source[self.axis])
        return Geometry(
            output=(*source[: self.axis], len(taken), *source[self.axis + 1 :]),
            dependence=Spans(axes=tuple(spans[1:]), channels=(spans[0],)),
        )

    def elements(self, size: int) -> range:
        """The elements taken of an axis of `size`, in the order of the output."""
        last = size - 1
        if self.step > 0:
            end = size if self.end is None else _place(self.end, size, (0, size))
            return range(_place(self.begin, size, (0, size)), end, self.step)
        end = -1 if self.end is None else _place(self.end, size, (-1, last))
        return range(_place(self.begin, size, (0, last)), end, self.step)

    @property
    def _written(self) -> str:
        end = "" if self.end is None else self.end
        return f"[{self.begin}:{end}:{self.step}]"


def _place(number: int, size: int, bounds: Pair) -> int:
    """A place on an axis of `size`, counted from its end below 0, moved to within `bounds`."""
    return min(max(number + size if number < 0 else number, bounds[0]), bounds[1])


def _slice_span(taken: range, size: int) -> Span:
    """The span of a slice; of one that runs backwards, only that it reads somewhere in `size`."""
    if taken.step < 0 and len(taken) > 1:
        return unknown_span(size)
    return Span(step=abs(taken.step), first=taken.start, last=taken.start)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pad(Layer):
    """Elements around the spatial axes: zeros, or those of the source again, as `mode` says."""

    padding: Padding = key(PaddingPerAxis(), "elements to add before and after")
    mode: str = key(Word(PADDING_MODES), "what the padding reads", default="zeros")

    def problems(self, framework: Framework) -> Iterator[GeometryError]:
        if self.mode not in framework.pad_modes:
            yield unsupported_key("mode", self.mode, framework)

    def resolve(self, sources: tuple[Shape, ...], framework: Framework) -> Geometry:
        source = _padded_source(sources)
        pairs = _pairs(self.padding, source)
        if self.mode not in framework.pad_repeats:
            for number, (size, pair) in enumerate(zip(_sizes(source), pairs)):
                self._check_fold(size, max(pair), number)
        return _one_tap(source, pairs)

    def _check_fold(self, size: int, padding: int, number: int) -> None:
        most = most_padding(size, self.mode)
        if most is not None and padding > most:
            raise GeometryError(
                "E116",
                f"mode {self.mode} takes a padding of at most {most} here",
                field="padding",
                axis=number,
                value=f"got {padding} on {size} elements",
                help=f"use at most {most}, or mode zeros or replicate",
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Crop(Layer):
    """Elements cut off the spatial axes: so many before and after, or to another layer's size."""

    padding: Padding | None = key(
        PaddingPerAxis(), "elements to cut off before and after", default=None
    )
    like: str | None = key(
        EarlierShape(), "the layer or input whose spatial size this gets", default=None
    )
    offset: PerAxis | None = key(
        IntegerPerAxis(0), "with like: elements to cut off before; 0 if left out", default=None
    )

    def problems(self, framework: Framework) -> Iterator[GeometryError]:
        if self.padding is None and self.like is None:
            yield GeometryError(
                "E102",
                "crop needs padding or like",
                field="type",
                value="got neither",
                help="add `padding: 1`, or `like:` and the name of a layer",
            )
        for field, other in (("padding", "like"), ("offset", "padding")):
            if None not in (getattr(self, field), getattr(self, other)):
                yield excluding(field, other)

    def resolve(self, sources: tuple[Shape, ...], framework: Framework) -> Geometry:
        if self.like is None:
            source = _padded_source(sources)
            pairs = _pairs(self.padding or 0, source)
        else:
            *own, wanted = sources  # an EarlierShape comes last, see `keys`
            source = _padded_source(tuple(own))
            pairs = self._pairs_to(wanted, source)
        return _one_tap(source, tuple((-before, -after) for before, after in pairs))

    def _pairs_to(self, wanted: Shape, source: Shape) -> tuple[Pair, ...]:
        """What to cut off (before, after) so that the spatial sizes of `wanted` are left."""
        sizes, targets = _sizes(source), _sizes(wanted)
        if len(sizes) != len(targets):
            raise GeometryError(
                "E119",
                "crop and the layer that it is like have the same number of spatial axes",
                field="like",
                value=f"the source is {list(source)}, {self.like} is {list(wanted)}",
                help="name a layer with as many axes",
            )
        offsets = per_axis(self.offset or 0, len(sizes), "offset")
        for number, one in enumerate(zip(sizes, targets, offsets)):
            self._check_room(*one, number)
        return tuple(
            (offset, size - target - offset)
            for size, target, offset in zip(sizes, targets, offsets)
        )

    def _check_room(self, size: int, target: int, offset: int, number: int) -> None:
        if offset + target > size:
            raise SourcesError(
                "crop takes a source that is at least as large as what it is like",
                field="like",
                value=f"offset {offset} and the {target} of {self.like} are more than {size}"
                f" on axis {number}",
                help="use a smaller offset, or pad what is cropped first",
            )


def _padded_source(sources: tuple[Shape, ...]) -> Shape:
    """The one shape in `sources`: a vector, or one with spatial axes."""
    shape = single_source(sources)
    return shape if len(shape) == 1 else spatial_source(sources)


def _sizes(shape: Shape) -> Shape:
    """The sizes that pad and crop change: the spatial ones, or the one of a vector."""
    return shape[1:] or shape


def _pairs(padding: Padding, source: Shape) -> tuple[Pair, ...]:
    return pads(padding, [Stencil(kernel_size=1)] * len(_sizes(source)))


def _one_tap(source: Shape, pairs: tuple[Pair, ...]) -> Geometry:
    """The geometry with (before, after) more elements on each axis, fewer where negative."""
    sizes = _sizes(source)
    axes = each_axis(_shifted_axis, sizes, pairs)
    output = tuple(axis.output_size for axis in axes)
    if len(source) == 1:
        return Geometry(output=output, dependence=Spans(axes=(), channels=(direct_span(axes[0]),)))
    return Geometry(output=(source[0], *output), dependence=Windows(axes=axes))


def _shifted_axis(size: int, pair: Pair) -> Axis:
    if size + sum(pair) < 1:
        raise GeometryError(
            "E112",
            "the output must have at least one element",
            field="padding",
            value=f"{-pair[0]} + {-pair[1]} cut off all of {size}",
            help="cut off less",
        )
    return Axis.conv(input_size=size, kernel_size=1, before=pair[0], after=pair[1])
