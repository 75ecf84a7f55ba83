"""conv and conv_transpose: the layer types that apply the matrix C of a convolution, or Cᵀ."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import prod

from convt_cli.arithmetic.convolution import Convolution, Shape, direct_axes, transposed_axes
from convt_cli.arithmetic.dialects.frameworks import Framework
from convt_cli.arithmetic.dialects.padding import (
    FRAMEWORK_WORDS,
    WORDS,
    direct_pads,
    pads,
    require_plain_stencils,
    require_transposed_word,
)
from convt_cli.arithmetic.dialects.transposed import (
    WrittenAxis,
    require_output_padding,
    resolved_pads,
)
from convt_cli.arithmetic.dialects.weight_layout import WeightLayout
from convt_cli.arithmetic.keys import (
    Bias,
    Flag,
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
    ChannelsRead,
    Geometry,
    Layer,
    Windows,
    check_declared,
    check_inline,
    excluding,
    spatial_source,
    unsupported_key,
)
from convt_cli.arithmetic.padding_modes import PADDING_MODES
from convt_cli.arithmetic.spans import Span
from convt_cli.arithmetic.stencil import Stencil, each_axis, stencils_of
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

    def problems(self, framework: Framework) -> Iterator[GeometryError]:
        if self.out_channels % self.groups:
            yield GeometryError(
                "E111",
                "groups must divide out_channels",
                field="groups",
                value=f"got groups {self.groups} with out_channels {self.out_channels}",
                help="use a common divisor of both channel counts",
            )

    def _stencils(self, rank: int, framework: Framework) -> tuple[Stencil, ...]:
        found = stencils_of(
            per_axis(self.kernel_size, rank, "kernel_size"),
            per_axis(self.stride, rank, "stride"),
            per_axis(self.dilation, rank, "dilation"),
        )
        require_plain_stencils(found, framework)
        return found

    def _source(self, sources: tuple[Shape, ...]) -> Shape:
        shape = spatial_source(sources)
        check_declared("in_channels", self.in_channels, shape[0])
        return shape

    def _geometry(self, convolution: Convolution, layout: WeightLayout) -> Geometry:
        check_inline("weight", self.weight, layout.stored_shape(convolution))
        check_inline("bias", self.bias, (self.out_channels,))
        bias = 0 if self.bias is False else self.out_channels
        return Geometry(
            output=convolution.action_shapes[1],
            parameters=prod(convolution.weight_shape) + bias,
            multiply_adds=convolution.multiply_adds,
            dependence=Windows(
                axes=convolution.axes,
                adjoint=convolution.adjoint,
                channels=_channels_read(convolution),
            ),
            convolution=convolution,
            weight_layout=layout,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Conv(Convolutional):
    """y = Cx: a direct convolution."""

    padding_mode: str = key(Word(PADDING_MODES), "what the padding reads", default="zeros")

    def problems(self, framework: Framework) -> Iterator[GeometryError]:
        yield from Convolutional.problems(self, framework)
        if self.padding_mode not in framework.padding_modes:
            yield unsupported_key("padding_mode", self.padding_mode, framework)

    def resolve(self, sources: tuple[Shape, ...], framework: Framework) -> Geometry:
        channels, *sizes = self._source(sources)
        stencils = self._stencils(len(sizes), framework)
        pairs = direct_pads(self.padding, sizes, stencils, framework, "conv")
        convolution = Convolution(
            out_channels=self.out_channels,
            in_channels=channels,
            axes=direct_axes(sizes, stencils, pairs),
            groups=self.groups,
            padding_mode=self.padding_mode,
        )
        return self._geometry(convolution, WeightLayout(taps_first=framework.taps_first))


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

    transpose_kernel: bool | None = key(
        Flag(), "the kernel is a direct convolution's (jax only; false if left out)", default=None
    )

    def problems(self, framework: Framework) -> Iterator[GeometryError]:
        yield from Convolutional.problems(self, framework)
        both = self.output_size is not None and self.output_padding is not None
        if both and not framework.output_size_replaces_padding:
            yield excluding("output_padding", "output_size")
        if self.output_size is not None and not framework.output_size:
            yield unsupported_key("output_size", self.output_size, framework)
        if self.groups > 1 and not framework.transposed_groups:
            yield unsupported_key("groups", self.groups, framework)
        if self.transpose_kernel is not None and not framework.transposed_flipped:
            yield unsupported_key("transpose_kernel", self.transpose_kernel, framework)
        yield from self._excess_output_padding(framework)

    def _excess_output_padding(self, framework: Framework) -> Iterator[GeometryError]:
        values = (self.output_padding or 0, self.stride, self.dilation)
        lengths = {len(value) for value in values if isinstance(value, tuple)}
        if len(lengths) > 1:
            return  # lists of different lengths are reported (E106) once the rank is known
        rank = max(lengths, default=1)
        expanded = (per_axis(value, rank, "output_padding") for value in values)
        for number, (extra, stride, dilation) in enumerate(zip(*expanded, strict=True)):
            try:
                require_output_padding(extra, stride, dilation, framework)
            except GeometryError as error:
                yield error.on_axis(number)

    def resolve(self, sources: tuple[Shape, ...], framework: Framework) -> Geometry:
        channels, *sizes = self._source(sources)
        stencils = self._stencils(len(sizes), framework)
        written = self._written(sizes, stencils, framework)
        found = each_axis(lambda axis: resolved_pads(axis, framework), written)
        pairs = tuple((axis.before, axis.after) for axis in found)
        extras = tuple(axis.output_padding for axis in found)
        convolution = Convolution(
            out_channels=channels,
            in_channels=self.out_channels,
            axes=transposed_axes(sizes, stencils, pairs, extras),
            groups=self.groups,
            adjoint=True,
        )
        layout = WeightLayout(
            taps_first=framework.taps_first,
            flipped=framework.transposed_flipped and not self.transpose_kernel,
        )
        return self._geometry(convolution, layout)

    def _written(
        self, sizes: Sequence[int], stencils: tuple[Stencil, ...], framework: Framework
    ) -> list[WrittenAxis]:
        """What the spec says of every axis."""
        rank = len(sizes)
        word = self.padding if isinstance(self.padding, str) else None
        pairs: tuple[Pair | None, ...] = (None,) * rank
        if word in FRAMEWORK_WORDS:
            require_transposed_word(word, stencils, framework)
        else:
            pairs = pads(self.padding, stencils)
        extras = _per_axis_or_none(self.output_padding, rank, "output_padding")
        wanted = _per_axis_or_none(self.output_size, rank, "output_size")
        axes = zip(sizes, stencils, pairs, extras, wanted, strict=True)
        return [
            WrittenAxis(
                size=size,
                stencil=stencil,
                pair=pair,
                word=word,
                output_padding=extra,
                output_size=output_size,
            )
            for size, stencil, pair, extra, output_size in axes
        ]


def _channels_read(convolution: Convolution) -> ChannelsRead:
    """The spans from an output channel to all source channels of its group; None for one group."""
    if convolution.groups == 1:
        return None
    source, result = (shape[0] // convolution.groups for shape in convolution.action_shapes)
    # output channel -> its group -> all source channels of that group
    return Span(step=source, last=source - 1), Span(per=result)


def _per_axis_or_none(value: PerAxis | None, rank: int, field: str) -> tuple[int | None, ...]:
    return (None,) * rank if value is None else per_axis(value, rank, field)
