"""Pooling by windows that take a maximum or a mean, and its undoing.

A pool's axis is that of a direct convolution.  With ceil_mode the last window may reach past the
padding, but not start past the input.  Source: `pooling_output_shape` in PyTorch's ATen.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial

from convt_cli.arithmetic.axis import Axis, ceil_div
from convt_cli.arithmetic.convolution import Shape
from convt_cli.arithmetic.dialects.frameworks import Framework
from convt_cli.arithmetic.dialects.padding import FRAMEWORK_WORDS, WORDS, direct_pads
from convt_cli.arithmetic.keys import (
    EarlierLayer,
    Flag,
    IntegerPerAxis,
    Padding,
    PaddingPerAxis,
    Pair,
    PerAxis,
    key,
    per_axis,
)
from convt_cli.arithmetic.layers.base import (
    Geometry,
    Layer,
    Windows,
    spatial_source,
    unsupported_key,
)
from convt_cli.arithmetic.stencil import Stencil, each_axis, stencils_of
from convt_cli.errors import GeometryError, SourcesError


@dataclass(frozen=True, slots=True, kw_only=True)
class _WindowPool(Layer):
    """The keys that max_pool and avg_pool have in common."""

    kernel_size: PerAxis = key(IntegerPerAxis(1), "size of the window")
    stride: PerAxis | None = key(
        IntegerPerAxis(1), "step of the window; kernel_size where left out", default=None
    )
    padding: Padding = key(PaddingPerAxis(WORDS), "padding around the input", default=0)
    ceil_mode: bool | None = key(
        Flag(), "keep a last window that is not whole; as the framework has it", default=None
    )

    def problems(self, framework: Framework) -> Iterator[GeometryError]:
        if self.ceil_mode and framework.pool_ceil is None:
            yield unsupported_key("ceil_mode", self.ceil_mode, framework)

    def _stencils(self, rank: int, dilation: PerAxis) -> tuple[Stencil, ...]:
        stride = self.kernel_size if self.stride is None else self.stride
        return stencils_of(
            per_axis(self.kernel_size, rank, "kernel_size"),
            per_axis(stride, rank, "stride"),
            per_axis(dilation, rank, "dilation"),
        )

    def _pairs(
        self, sizes: Sequence[int], stencils: Sequence[Stencil], framework: Framework
    ) -> tuple[Pair, ...]:
        """The pads that the spec asks for; with ceil_mode the last window may reach past them."""
        return direct_pads(self.padding, sizes, stencils, framework, "a pool")

    def _geometry(self, shape: Shape, dilation: PerAxis, framework: Framework) -> Geometry:
        channels, *sizes = shape
        stencils = self._stencils(len(sizes), dilation)
        pairs = self._pairs(sizes, stencils, framework)
        if self.padding not in FRAMEWORK_WORDS:
            _check_padding(stencils, pairs, framework)
        ceil_mode = framework.pool_ceil if self.ceil_mode is None else self.ceil_mode
        # whether a last window that starts past the input is dropped, see `pool_axis`
        drops = framework.pool_drops_unpadded or any(map(any, pairs))
        axes = each_axis(
            partial(pool_axis, ceil_mode=bool(ceil_mode), drops=drops), sizes, stencils, pairs
        )
        output = (channels, *(axis.output_size for axis in axes))
        return Geometry(output=output, dependence=Windows(axes=axes))


@dataclass(frozen=True, slots=True, kw_only=True)
class MaxPool(_WindowPool):
    """The maximum under each window; padding never wins."""

    dilation: PerAxis = key(IntegerPerAxis(1), "step between taps", default=1)

    def problems(self, framework: Framework) -> Iterator[GeometryError]:
        yield from _WindowPool.problems(self, framework)
        if _above_one(self.dilation) and not self._takes_dilation(framework):
            yield unsupported_key("dilation", self.dilation, framework)

    def _takes_dilation(self, framework: Framework) -> bool:
        if framework.max_pool_dilation != "alone":
            return framework.max_pool_dilation == "any"
        strided = _above_one(self.kernel_size if self.stride is None else self.stride)
        return not strided and self.padding not in FRAMEWORK_WORDS

    def resolve(self, sources: tuple[Shape, ...], framework: Framework) -> Geometry:
        return self._geometry(spatial_source(sources), self.dilation, framework)

    def unpooled_sizes(self, source: Shape, framework: Framework) -> tuple[range, ...]:
        """The sizes per axis that unpooling can give back for a pool on `source`.

        They lie less than a stride around (i - 1)s + k - before - after, where i is the size that
        the pool gives: the smallest size that it could have had (for an undilated kernel k and
        the pads of the spec).
        """
        pooled = self.resolve((source,), framework).output[1:]
        stencils = self._stencils(len(pooled), self.dilation)
        pairs = self._pairs(source[1:], stencils, framework)
        ranges = []
        for size, stencil, pair in zip(pooled, stencils, pairs, strict=True):
            middle = (size - 1) * stencil.stride + stencil.kernel_size - sum(pair)
            ranges.append(range(middle - stencil.stride + 1, middle + stencil.stride))
        return tuple(ranges)


@dataclass(frozen=True, slots=True, kw_only=True)
class AveragePool(_WindowPool):
    """The mean under each window."""

    count_include_pad: bool | None = key(
        Flag(), "padding counts in the divisor; as the framework has it", default=None
    )
    dilation: PerAxis = key(IntegerPerAxis(1), "step between taps (onnx only)", default=1)

    def problems(self, framework: Framework) -> Iterator[GeometryError]:
        yield from _WindowPool.problems(self, framework)
        if _above_one(self.dilation) and not framework.average_pool_dilation:
            yield unsupported_key("dilation", self.dilation, framework)

    def resolve(self, sources: tuple[Shape, ...], framework: Framework) -> Geometry:
        shape = spatial_source(sources)
        if len(shape) == 4 and framework.average_pool_3d_needs_whole_window:
            self._check_whole_window(shape[1:], framework)
        return self._geometry(shape, self.dilation, framework)

    def _check_whole_window(self, sizes: tuple[int, ...], framework: Framework) -> None:
        kernel = per_axis(self.kernel_size, len(sizes), "kernel_size")
        for number, (size, taps) in enumerate(zip(sizes, kernel)):
            if size < taps:
                raise GeometryError(
                    "E110",
                    f"a 3-D average pool of {framework.name} must fit into the bare input",
                    field="kernel_size",
                    axis=number,
                    value=f"a window of {taps} over {size}",
                    help="use a smaller kernel_size",
                )


@dataclass(frozen=True, slots=True, kw_only=True)
class MaxUnpool(Layer):
    """Each value back where its maximum stood, zeros elsewhere: max_pool undone.

    Without `output_size` the size is the smallest that the pool's source could have had, as in
    `torch.nn.MaxUnpool2d` and ONNX's MaxUnpool; `source` stands for the size that it did have.
    """

    pool: MaxPool = key(EarlierLayer("max_pool"), "the max_pool that it undoes")
    output_size: PerAxis | str | None = key(
        IntegerPerAxis(1, words=("source",)),
        "the wanted size, or `source` for that of the pool's source",
        default=None,
    )

    def problems(self, framework: Framework) -> Iterator[GeometryError]:
        if not framework.max_unpool:
            yield unsupported_key("type", "max_unpool", framework)

    def resolve(self, sources: tuple[Shape, ...], framework: Framework) -> Geometry:
        *own, pooled = sources  # an EarlierLayer's source comes last, see `keys`
        channels, *sizes = spatial_source(tuple(own))
        undone = self.pool.resolve((pooled,), framework)
        if (channels, *sizes) != undone.output:
            raise SourcesError(
                "max_unpool takes what its max_pool gives",
                field="pool",
                value=f"the source is {[channels, *sizes]}, the pool gives {list(undone.output)}",
                help="name the max_pool of this size",
            )
        windows = undone.dependence
        axes = windows.axes if isinstance(windows, Windows) else ()
        output = self._sizes(pooled, framework)
        return Geometry(output=(channels, *output), dependence=Windows(axes=axes, adjoint=True))

    def _sizes(self, pooled: Shape, framework: Framework) -> tuple[int, ...]:
        sizes = self.pool.unpooled_sizes(pooled, framework)
        match self.output_size:
            case None:
                output = tuple(_middle(reachable) for reachable in sizes)
            case str():
                output = pooled[1:]
            case wanted:
                output = per_axis(wanted, len(sizes), "output_size")
        _check_unpooled(output, sizes)
        return output


def pool_axis(
    size: int, stencil: Stencil, pair: Pair, ceil_mode: bool, *, drops: bool = True
) -> Axis:
    """The axis of a pool on `size` elements, with the padding that ceil_mode adds.

    o = floor((n + before + after - ke + (s - 1 if ceil_mode)) / s) + 1, and with ceil_mode and
    `drops` one less where the last window would start at or past n + before, the input's end.
    """
    (before, after), stride = pair, stencil.stride
    room = size + before + after - stencil.effective
    output = None
    if ceil_mode and room > -stride:
        output = ceil_div(room, stride) + 1  # room: the last position a whole window can start at
        if drops and (output - 1) * stride >= size + before:
            output -= 1
        after += max(0, (output - 1) * stride - room)
    return Axis.conv(
        input_size=size,
        kernel_size=stencil.kernel_size,
        stride=stride,
        before=before,
        after=after,
        dilation=stencil.dilation,
        output_size=output,
    )


def _middle(reachable: range) -> int:
    """The smallest size that the pool's source could have had, see `unpooled_sizes`."""
    return reachable[len(reachable) // 2]


def _check_unpooled(output: tuple[int, ...], sizes: tuple[range, ...]) -> None:
    """Raise GeometryError (E112, E118) for a size that unpooling cannot give."""
    for number, (size, reachable) in enumerate(zip(output, sizes, strict=True)):
        if size < 1:
            raise GeometryError(
                "E112",
                "the output must have at least one element",
                field="pool",
                axis=number,
                value=f"the smallest size that the pool could have had is {size}",
                help="add `output_size: source`, the size of the pool's own source",
            )
        if size not in reachable:
            raise GeometryError(
                "E118",
                "output_size must be less than a stride from the smallest size the pool could have",
                field="output_size",
                axis=number,
                value=f"got {size}, reachable are {max(1, reachable[0])} to {reachable[-1]}",
                help="use one of these, or a pool with a larger stride",
            )


def _above_one(steps: PerAxis) -> bool:
    return max(steps) > 1 if isinstance(steps, tuple) else steps > 1


def _check_padding(
    stencils: Sequence[Stencil], pairs: tuple[Pair, ...], framework: Framework
) -> None:
    """Raise GeometryError (E117) for more padding than the framework's pools take."""
    if framework.pool_padding == "any":
        return
    half = framework.pool_padding == "half kernel"
    for number, (stencil, pair) in enumerate(zip(stencils, pairs)):
        taps = stencil.kernel_size
        most = taps // 2 if half else taps - 1
        if max(pair) > most:
            raise GeometryError(
                "E117",
                f"a pool's padding is {'at most half' if half else 'less than'} its kernel_size",
                field="padding",
                axis=number,
                value=f"got {max(pair)} with kernel_size {taps}",
                help=f"use at most {most}",
            )
