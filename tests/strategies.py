"""Hypothesis strategies for axes, convolutions and arrays, small enough for the oracle.

An axis is drawn from its outputs: a number of windows and what is left behind the last one say
how long the padded input is, and the pads are taken out of that.  So every draw is legal.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypedDict

import numpy as np
from hypothesis import strategies as st

from convt_cli.arithmetic.axis import Axis
from convt_cli.arithmetic.convolution import Convolution, Shape
from tests.oracle import Array, Geometry, Window

FOLDING_MODES = ("circular", "reflect", "replicate")
PADDING_MODES = ("zeros", *FOLDING_MODES)


@dataclass(frozen=True)
class Limits:
    """The largest values of an axis; the oracle visits every combination of its axes."""

    kernel_size: int
    outputs: int
    stride: int = 3
    dilation: int = 3


LARGEST = Limits(kernel_size=5, outputs=6)
_BY_RANK = {
    1: LARGEST,
    2: Limits(kernel_size=3, outputs=3),
    3: Limits(kernel_size=2, outputs=2, stride=2, dilation=2),
}


def window(convolution: Convolution) -> Window:
    """What `oracle.transposed` takes beside arrays and output_padding."""
    return {
        "stride": [axis.stride for axis in convolution.axes],
        "pads": [(axis.before, axis.after) for axis in convolution.axes],
        "dilation": [axis.dilation for axis in convolution.axes],
        "groups": convolution.groups,
    }


def geometry(convolution: Convolution) -> Geometry:
    """What `oracle.direct` and `oracle.matrix` take beside arrays and sizes."""
    return {
        **window(convolution),
        "padding_mode": convolution.padding_mode,
        "output_size": [axis.output_size for axis in convolution.axes],
    }


class Arguments(TypedDict):
    """What `conv_matrix`, `conv` and `ConvOperator` take beside arrays and sizes."""

    stride: list[int]
    padding: list[tuple[int, int]]
    dilation: list[int]
    groups: int


def arguments(convolution: Convolution) -> Arguments:
    """The library's arguments for a convolution without negative pads."""
    return {
        "stride": [axis.stride for axis in convolution.axes],
        "padding": [(axis.before, axis.after) for axis in convolution.axes],
        "dilation": [axis.dilation for axis in convolution.axes],
        "groups": convolution.groups,
    }


@st.composite
def direct_axes(
    draw: st.DrawFn, limits: Limits = LARGEST, *, crop: bool = True, short: bool = True
) -> Axis:
    """An axis built by `Axis.conv`; `crop` allows negative pads, `short` fewer outputs than fit."""
    kernel_size, stride, dilation = draw(_windows(limits))
    outputs = draw(st.integers(1, limits.outputs))
    left_over = draw(st.integers(0, stride - 1))
    padded = (outputs - 1) * stride + (kernel_size - 1) * dilation + 1 + left_over
    before, after = draw(_pads(padded, crop=crop))
    return Axis.conv(
        input_size=padded - before - after,
        kernel_size=kernel_size,
        stride=stride,
        before=before,
        after=after,
        dilation=dilation,
        output_size=draw(st.integers(1, outputs)) if short else None,
    )


@st.composite
def transposed_axes(draw: st.DrawFn, limits: Limits = LARGEST, *, crop: bool = True) -> Axis:
    """An axis built by `Axis.conv_transpose`, its output_padding below stride or dilation."""
    kernel_size, stride, dilation = draw(_windows(limits))
    outputs = draw(st.integers(1, limits.outputs))
    output_padding = draw(st.integers(0, max(stride, dilation) - 1))
    full = (outputs - 1) * stride + (kernel_size - 1) * dilation + 1 + output_padding
    before, after = draw(_pads(full, crop=crop))
    return Axis.conv_transpose(
        input_size=outputs,
        kernel_size=kernel_size,
        stride=stride,
        before=before,
        after=after,
        dilation=dilation,
        output_padding=output_padding,
    )


@st.composite
def folded_axes(draw: st.DrawFn, limits: Limits = LARGEST) -> Axis:
    """An axis whose padding every padding_mode can fold."""
    bare = draw(direct_axes(limits, crop=False))
    padded = bare.input_size + bare.before + bare.after
    most = (padded - 1) // 3
    before, after = draw(st.integers(0, most)), draw(st.integers(0, most))
    return Axis.conv(
        input_size=padded - before - after,
        kernel_size=bare.kernel_size,
        stride=bare.stride,
        before=before,
        after=after,
        dilation=bare.dilation,
        output_size=bare.output_size,
    )


def axes() -> st.SearchStrategy[Axis]:
    """Any axis, whichever of the two built it."""
    return st.one_of(direct_axes(), transposed_axes())


def direct_convolutions(*, crop: bool = True, short: bool = True) -> st.SearchStrategy[Convolution]:
    """Convolutions padded with zeros whose own action is C."""
    return st.integers(1, 3).flatmap(
        lambda rank: _convolutions(
            direct_axes(_BY_RANK[rank], crop=crop, short=short), rank, adjoint=False
        )
    )


def transposed_convolutions(*, crop: bool = True) -> st.SearchStrategy[Convolution]:
    """Convolutions whose own action is Cᵀ."""
    return st.integers(1, 3).flatmap(
        lambda rank: _convolutions(transposed_axes(_BY_RANK[rank], crop=crop), rank, adjoint=True)
    )


def folded_convolutions() -> st.SearchStrategy[Convolution]:
    """Convolutions whose padding repeats the input."""
    return st.tuples(st.integers(1, 3), st.sampled_from(FOLDING_MODES)).flatmap(
        lambda drawn: _convolutions(
            folded_axes(_BY_RANK[drawn[0]]), drawn[0], adjoint=False, padding_mode=drawn[1]
        )
    )


def zero_padded_convolutions() -> st.SearchStrategy[Convolution]:
    """MatrixFree and transposed ones."""
    return st.one_of(direct_convolutions(), transposed_convolutions())


def convolutions() -> st.SearchStrategy[Convolution]:
    """MatrixFree, transposed and folded ones."""
    return st.one_of(direct_convolutions(), transposed_convolutions(), folded_convolutions())


def integers(shape: Shape) -> st.SearchStrategy[Array]:
    """int64 arrays of -9 to 9: every sum of their products is exact in float64 as well."""
    return st.integers(0, 2**32 - 1).map(
        lambda seed: np.random.default_rng(seed).integers(-9, 10, shape)
    )


@st.composite
def with_arrays(
    draw: st.DrawFn, drawn: st.SearchStrategy[Convolution]
) -> tuple[Convolution, Array, Array, Array]:
    """(convolution, weight, x, y): x in C's columns and y in its rows."""
    convolution = draw(drawn)
    shapes = (convolution.weight_shape, convolution.input_shape, convolution.output_shape)
    weight, x, y = (draw(integers(shape)) for shape in shapes)
    return convolution, weight, x, y


@st.composite
def _convolutions(
    draw: st.DrawFn,
    axis: st.SearchStrategy[Axis],
    rank: int,
    *,
    adjoint: bool,
    padding_mode: str = "zeros",
) -> Convolution:
    groups, out, inner = (draw(st.integers(1, 2)) for _ in range(3))
    return Convolution(
        out_channels=groups * out,
        in_channels=groups * inner,
        axes=tuple(draw(axis) for _ in range(rank)),
        groups=groups,
        padding_mode=padding_mode,
        adjoint=adjoint,
    )


def _windows(limits: Limits) -> st.SearchStrategy[tuple[int, int, int]]:
    """(kernel_size, stride, dilation)."""
    return st.tuples(
        st.integers(1, limits.kernel_size),
        st.integers(1, limits.stride),
        st.integers(1, limits.dilation),
    )


@st.composite
def _pads(draw: st.DrawFn, padded: int, *, crop: bool) -> tuple[int, int]:
    """(before, after) that leave at least one of `padded` elements to the input."""
    least = -2 if crop else 0
    before = draw(st.integers(least, min(4, padded - 1)))
    return before, draw(st.integers(least, min(4, padded - 1 - before)))
