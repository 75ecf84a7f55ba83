"""conv and conv_transpose: the two layer types that are a matrix C, and its transpose."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import prod

from convt_cli.arithmetic.axis import effective_kernel
from convt_cli.arithmetic.convolution import Convolution, Shape
from convt_cli.arithmetic.folding import PADDING_MODES
from convt_cli.arithmetic.frameworks import Framework
from convt_cli.arithmetic.kinds import (
    Bias,
    Integer,
    IntegerPerAxis,
    Padding,
    PaddingPerAxis,
    Pair,
    PerAxis,
    Weight,
    WeightSource,
    Word,
    key,
    per_axis,
)
from convt_cli.arithmetic.layers.base import (
    Geometry,
    Layer,
    Windows,
    check_inline,
    spatial_source,
)
from convt_cli.arithmetic.padding import (
    FRAMEWORK_WORDS,
    WORDS,
    conv_pads,
    legal_output_padding,
    pads,
    refused_word,
)
from convt_cli.arithmetic.windows import Window, direct_axes, transposed_axes
from convt_cli.errors import GeometryError


@dataclass(frozen=True, slots=True, kw_only=True)
class Convolutional(Layer):
    """The keys that conv and conv_transpose have in common."""

    out_channels: int = key(Integer(1), "channels of the output")
    kernel_size: PerAxis = key(IntegerPerAxis(1), "taps of the kernel")
    stride: PerAxis = key(IntegerPerAxis(1), "step of the window", default=1)
    padding: Padding = key(PaddingPerAxis(WORDS), "zeros around the direct input", default=0)
    dilation: PerAxis = key(IntegerPerAxis(1), "step between taps", default=1)
    groups: int = key(Integer(1), "parts that the channels are split into", default=1)
    bias: bool | WeightSource = key(Bias(), "one number per output channel", default=True)
    in_channels: int | None = key(Integer(1), "checked against the source", default=None)
    weight: WeightSource | None = key(Weight(), "the numbers of the kernel", default=None)

    def problems(self) -> Iterator[GeometryError]:
        if self.out_channels % self.groups:
            yield GeometryError(
                "E111",
                "groups must divide out_channels",
                field="groups",
                value=f"got groups {self.groups} with out_channels {self.out_channels}",
                help="use a common divisor of both channel counts",
            )

    def _window(self, rank: int) -> Window:
        return Window(
            kernel_size=per_axis(self.kernel_size, rank, "kernel_size"),
            stride=per_axis(self.stride, rank, "stride"),
            dilation=per_axis(self.dilation, rank, "dilation"),
        )

    def _source(self, sources: tuple[Shape, ...]) -> Shape:
        shape = spatial_source(sources)
        if self.in_channels not in (None, shape[0]):
            raise GeometryError(
                "E114",
                "in_channels must equal the channels of the source",
                field="in_channels",
                value=f"got {self.in_channels}, the source has {shape[0]}",
                help=f"use {shape[0]}, or leave it out",
            )
        return shape

    def _geometry(self, convolution: Convolution) -> Geometry:
        check_inline("weight", self.weight, convolution.weight_shape)
        check_inline("bias", self.bias, (self.out_channels,))
        bias = 0 if self.bias is False else self.out_channels
        return Geometry(
            output=convolution.action_shapes[1],
            parameters=prod(convolution.weight_shape) + bias,
            multiply_adds=convolution.multiply_adds,
            reach=Windows(axes=convolution.axes, adjoint=convolution.adjoint),
            convolution=convolution,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Conv(Convolutional):
    """y = Cx: a direct convolution."""

    padding_mode: str = key(Word(PADDING_MODES), "what the padding reads", default="zeros")

    def resolve(self, sources: tuple[Shape, ...], framework: Framework) -> Geometry:
        channels, *sizes = self._source(sources)
        window = self._window(len(sizes))
        pairs = conv_pads(self.padding, window, framework)
        return self._geometry(
            Convolution(
                out_channels=self.out_channels,
                in_channels=channels,
                axes=direct_axes(tuple(sizes), window, pairs),
                groups=self.groups,
                padding_mode=self.padding_mode,
            )
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ConvTranspose(Convolutional):
    """y = Cᵀx: C is the matrix of the direct convolution that this layer transposes."""

    padding_mode: str = key(Word(("zeros",)), "zeros is all there is", default="zeros")
    output_padding: PerAxis | None = key(
        IntegerPerAxis(0), "which of the sizes that a stride allows; 0 if left out", default=None
    )
    output_size: PerAxis | None = key(
        IntegerPerAxis(1), "the wanted size, in place of output_padding", default=None
    )

    def problems(self) -> Iterator[GeometryError]:
        yield from Convolutional.problems(self)
        if self.output_size is not None and self.output_padding is not None:
            yield GeometryError(
                "E122",
                "output_padding and output_size exclude each other",
                field="output_padding",
                value="both are given",
                help="keep one of them",
            )
        yield from self._excess_output_padding()

    def _excess_output_padding(self) -> Iterator[GeometryError]:
        values = (self.output_padding or 0, self.stride, self.dilation)
        lengths = {len(value) for value in values if isinstance(value, tuple)}
        if len(lengths) > 1:
            return  # E106, once the rank is known
        rank = max(lengths, default=1)
        expanded = (per_axis(value, rank, "output_padding") for value in values)
        for number, steps in enumerate(zip(*expanded, strict=True)):
            try:
                legal_output_padding(*steps)
            except GeometryError as error:
                yield error.on_axis(number)

    def resolve(self, sources: tuple[Shape, ...], framework: Framework) -> Geometry:
        channels, *sizes = self._source(sources)
        window = self._window(len(sizes))
        if self.padding in FRAMEWORK_WORDS:
            raise refused_word(str(self.padding), "conv_transpose", framework)
        pairs = pads(self.padding, window)
        extras = self._output_paddings(tuple(sizes), window, pairs)
        return self._geometry(
            Convolution(
                out_channels=channels,
                in_channels=self.out_channels,
                axes=transposed_axes(tuple(sizes), window, pairs, extras),
                groups=self.groups,
                adjoint=True,
            )
        )

    def _output_paddings(
        self, sizes: tuple[int, ...], window: Window, pairs: tuple[Pair, ...]
    ) -> tuple[int, ...]:
        rank = len(sizes)
        if self.output_size is None:
            return per_axis(self.output_padding or 0, rank, "output_padding")
        wanted = per_axis(self.output_size, rank, "output_size")
        least = _least_outputs(sizes, window, pairs)
        for number, (want, low, stride) in enumerate(zip(wanted, least, window.stride)):
            if not max(low, 1) <= want < low + stride:
                raise GeometryError(
                    "E118",
                    "output_size must be one the layer can reach",
                    field="output_size",
                    axis=number,
                    value=f"got {want}, reachable {_range_text(max(low, 1), low + stride - 1)}",
                    help="choose another size, or change stride or padding",
                )
        return tuple(want - low for want, low in zip(wanted, least))


def _range_text(low: int, high: int) -> str:
    if high < low:
        return "is none"
    return f"are {low} to {high}" if low < high else f"is {low}"


def _least_outputs(
    sizes: tuple[int, ...], window: Window, pairs: tuple[Pair, ...]
) -> tuple[int, ...]:
    """The output size of a transposed convolution with output_padding 0, per axis."""
    steps = zip(sizes, window.kernel_size, window.stride, window.dilation, pairs, strict=True)
    return tuple((i - 1) * s + effective_kernel(k, d) - sum(pair) for i, k, s, d, pair in steps)
