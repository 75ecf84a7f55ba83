"""Every layer type: its output shape, its counts, its dependence on the source and its refusals."""

from __future__ import annotations

import re
from dataclasses import is_dataclass
from math import prod
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from convt_cli.arithmetic.convolution import Shape
from convt_cli.arithmetic.dialects.frameworks import FRAMEWORKS
from convt_cli.arithmetic.keys import FileReference, Inline, Ratio
from convt_cli.arithmetic.layers import Conv, ConvTranspose, Definition, Geometry
from convt_cli.arithmetic.layers.adaptive_pools import (
    AdaptiveAveragePool,
    AdaptiveMaxPool,
    GlobalAveragePool,
    GlobalMaxPool,
)
from convt_cli.arithmetic.layers.base import Permuted, Reshaped, Spans, Windows
from convt_cli.arithmetic.layers.joins import Add, Concat, Multiply
from convt_cli.arithmetic.layers.linear import Linear
from convt_cli.arithmetic.layers.norms import BatchNorm, GroupNorm, InstanceNorm, LayerNorm
from convt_cli.arithmetic.layers.pointwise import (
    Dropout,
    Identity,
    Mish,
    PRelu,
    Relu,
    Scale,
    Selu,
    Sigmoid,
    Silu,
    Softplus,
    Tanh,
)
from convt_cli.arithmetic.layers.pools import AveragePool, MaxPool, MaxUnpool
from convt_cli.arithmetic.layers.rearranging import Crop, Flatten, Pad, Reshape, Transpose
from convt_cli.arithmetic.layers.resampling import PixelShuffle, PixelUnshuffle, Upsample
from convt_cli.arithmetic.questions.traces import IDENTITY, Trace
from convt_cli.errors import GeometryError
from tests import oracle

PYTORCH = FRAMEWORKS["pytorch"]

Keys = dict[str, Any]
Shapes = tuple[Shape, ...]
Refusal = tuple[str, str, int | None]
"""Code, field and axis of a GeometryError."""


def shown(value: object) -> str:
    """The name of a layer's type, or the value as it is, for the id of a case."""
    return type(value).__name__ if is_dataclass(value) else str(value)


def resolved(layer: Definition, *sources: Shape) -> Geometry:
    return layer.resolve(sources, PYTORCH)


def assert_refused(layer: Definition, sources: Shapes, refusal: Refusal) -> None:
    with pytest.raises(GeometryError) as caught:
        resolved(layer, *sources)
    error = caught.value
    assert (error.code, error.field, error.axis) == refusal


def assert_problems(layer: Definition, *expected: Refusal) -> None:
    """Exactly these problems, in this order, are found in the keys of `layer`."""
    found = [(error.code, error.field, error.axis) for error in layer.problems(PYTORCH)]
    assert found == list(expected)


def numbers(*shape: int) -> Inline:
    """A weight of ones, written in the spec."""
    return Inline(shape=shape, values=(1,) * prod(shape))


class TestConv:
    @pytest.mark.parametrize(
        ("keys", "source", "output"),
        [
            ({"kernel_size": 3}, (2, 8), (6, 6)),
            ({"kernel_size": 3}, (2, 8, 9), (6, 6, 7)),
            ({"kernel_size": (1, 2, 3)}, (2, 4, 4, 4), (6, 4, 3, 2)),
            ({"kernel_size": 7, "stride": 2, "padding": 1}, (3, 224, 224), (6, 110, 110)),
            ({"kernel_size": 3, "padding": ((0, 1), (2, 3))}, (2, 5, 5), (6, 4, 8)),
            ({"kernel_size": 3, "padding": (0, 2)}, (2, 5, 5), (6, 3, 7)),
            ({"kernel_size": (3, 4), "padding": "same"}, (2, 5, 6), (6, 5, 6)),
            ({"kernel_size": 3, "dilation": 4, "padding": "causal"}, (2, 20), (6, 20)),
            ({"kernel_size": 4, "padding": "half"}, (2, 20), (6, 21)),
            ({"kernel_size": 3, "dilation": (1, 2)}, (2, 7, 7), (6, 5, 3)),
            ({"kernel_size": 3, "padding": 3, "padding_mode": "circular"}, (2, 3), (6, 7)),
            ({"kernel_size": 1, "groups": 2}, (4, 3), (6, 3)),
            ({"kernel_size": 1, "in_channels": 4}, (4, 3), (6, 3)),
            ({"kernel_size": 2, "weight": numbers(6, 2, 2)}, (2, 4), (6, 3)),
            ({"kernel_size": 2, "bias": numbers(6)}, (2, 4), (6, 3)),
        ],
        ids=shown,
    )
    def test_gives(self, keys: Keys, source: Shape, output: Shape) -> None:
        layer = Conv(out_channels=6, **keys)
        assert_problems(layer)
        assert resolved(layer, source).output == output

    @pytest.mark.parametrize(
        ("keys", "sources", "refusal"),
        [
            ({"kernel_size": (3, 3)}, ((2, 9),), ("E106", "kernel_size", None)),
            ({"kernel_size": 3, "stride": (1, 1)}, ((2, 9),), ("E106", "stride", None)),
            ({"kernel_size": 3, "dilation": (1,)}, ((2, 9, 9),), ("E106", "dilation", None)),
            ({"kernel_size": 3, "padding": ((1, 1),)}, ((2, 9, 9),), ("E106", "padding", None)),
            ({"kernel_size": (3, 0)}, ((2, 9, 9),), ("E107", "kernel_size", 1)),
            ({"kernel_size": 1, "stride": (0, 1)}, ((2, 9, 9),), ("E107", "stride", 0)),
            ({"kernel_size": (3, 5)}, ((2, 4, 4),), ("E110", "kernel_size", 1)),
            ({"kernel_size": 3, "dilation": 3}, ((2, 6),), ("E110", "kernel_size", 0)),
            ({"kernel_size": 1, "groups": 2}, ((3, 4),), ("E111", "groups", None)),
            (
                {"kernel_size": 3, "stride": 2, "padding": "same"},
                ((2, 9),),
                ("E113", "padding", None),
            ),
            ({"kernel_size": 3, "padding": "same_lower"}, ((2, 9),), ("E113", "padding", None)),
            ({"kernel_size": 3, "in_channels": 3}, ((2, 9),), ("E114", "in_channels", None)),
            ({"kernel_size": 3}, (), ("E115", "from", None)),
            ({"kernel_size": 3}, ((2, 9), (2, 9)), ("E115", "from", None)),
            (
                {"kernel_size": 3, "padding": (2, 3), "padding_mode": "reflect"},
                ((2, 3, 3),),
                ("E116", "padding", 1),
            ),
            (
                {"kernel_size": 3, "padding": (2, 3), "padding_mode": "circular"},
                ((2, 2, 2),),
                ("E116", "padding", 1),
            ),
            ({"kernel_size": 3}, ((9,),), ("E119", "type", None)),
            ({"kernel_size": 1}, ((2, 2, 2, 2, 2),), ("E119", "type", None)),
            ({"kernel_size": 2, "weight": numbers(6, 2)}, ((2, 9),), ("E121", "weight", None)),
            ({"kernel_size": 2, "bias": numbers(2)}, ((2, 9),), ("E121", "bias", None)),
        ],
        ids=shown,
    )
    def test_refuses(self, keys: Keys, sources: Shapes, refusal: Refusal) -> None:
        assert_refused(Conv(out_channels=6, **keys), sources, refusal)

    def test_groups_divide_out_channels_whatever_the_input(self) -> None:
        assert_problems(Conv(out_channels=3, kernel_size=1, groups=2), ("E111", "groups", None))


class TestConvTranspose:
    @pytest.mark.parametrize(
        ("keys", "source", "output"),
        [
            ({"kernel_size": 4}, (100, 1, 1), (6, 4, 4)),
            ({"kernel_size": 4, "stride": 2, "padding": 1}, (8, 32, 32), (6, 64, 64)),
            ({"kernel_size": (1, 2, 3), "stride": (3, 2, 1)}, (8, 2, 2, 2), (6, 4, 4, 4)),
            ({"kernel_size": 3, "stride": 2, "output_padding": (0, 1)}, (2, 3, 3), (6, 7, 8)),
            ({"kernel_size": 3, "dilation": 3, "output_padding": 2}, (2, 3), (6, 11)),
            ({"kernel_size": 3, "stride": 2, "output_size": (8, 7)}, (2, 3, 3), (6, 8, 7)),
            ({"kernel_size": 3, "padding": ((0, 1), (2, 0))}, (2, 5, 5), (6, 6, 5)),
            ({"kernel_size": 3, "padding": "full"}, (2, 7), (6, 5)),
            ({"kernel_size": 3, "padding": "causal"}, (2, 7), (6, 7)),
            ({"kernel_size": 1, "groups": 3}, (9, 2), (6, 2)),
            ({"kernel_size": 2, "weight": numbers(2, 6, 2)}, (2, 4), (6, 5)),
        ],
        ids=shown,
    )
    def test_gives(self, keys: Keys, source: Shape, output: Shape) -> None:
        layer = ConvTranspose(out_channels=6, **keys)
        assert_problems(layer)
        assert resolved(layer, source).output == output

    @pytest.mark.parametrize(
        ("keys", "source", "refusal"),
        [
            (
                {"kernel_size": 3, "output_padding": (0,)},
                (2, 9, 9),
                ("E106", "output_padding", None),
            ),
            ({"kernel_size": 3, "output_size": (11,)}, (2, 9, 9), ("E106", "output_size", None)),
            ({"kernel_size": 3, "stride": (0, 1)}, (2, 9, 9), ("E107", "stride", 0)),
            ({"kernel_size": 1, "groups": 2}, (3, 4), ("E111", "groups", None)),
            ({"kernel_size": 3, "padding": (1, 2)}, (2, 2, 2), ("E112", "padding", 1)),
            ({"kernel_size": 3, "padding": "same"}, (2, 9), ("E113", "padding", None)),
            ({"kernel_size": 3, "padding": "same_lower"}, (2, 9), ("E113", "padding", None)),
            ({"kernel_size": 3, "in_channels": 3}, (2, 9), ("E114", "in_channels", None)),
            ({"kernel_size": 3, "output_size": (5, 4)}, (2, 3, 3), ("E118", "output_size", 1)),
            ({"kernel_size": 3, "output_size": 6}, (2, 3), ("E118", "output_size", 0)),
            ({"kernel_size": 3}, (9,), ("E119", "type", None)),
            ({"kernel_size": 2, "weight": numbers(6, 2, 2)}, (2, 4), ("E121", "weight", None)),
        ],
        ids=shown,
    )
    def test_refuses(self, keys: Keys, source: Shape, refusal: Refusal) -> None:
        assert_refused(ConvTranspose(out_channels=6, **keys), (source,), refusal)

    @pytest.mark.parametrize(
        ("keys", "problems"),
        [
            ({"groups": 4}, [("E111", "groups", None)]),
            ({"output_padding": 1}, [("E105", "output_padding", 0)]),
            (
                {"stride": (1, 3, 2), "dilation": (1, 1, 2), "output_padding": (1, 2, 2)},
                [("E105", "output_padding", 0), ("E105", "output_padding", 2)],
            ),
            (
                {"stride": 2, "output_padding": 1, "output_size": 9},
                [("E122", "output_padding", None)],
            ),
            (
                {"groups": 4, "output_padding": 1},
                [("E111", "groups", None), ("E105", "output_padding", 0)],
            ),
            ({"stride": (2, 2), "output_padding": (3, 3, 3)}, []),
        ],
        ids=shown,
    )
    def test_has_problems_whatever_the_input(self, keys: Keys, problems: list[Refusal]) -> None:
        assert_problems(ConvTranspose(out_channels=6, kernel_size=3, **keys), *problems)


@pytest.mark.parametrize("pool", [MaxPool, AveragePool])
class TestPools:
    @pytest.mark.parametrize(
        ("keys", "source", "output"),
        [
            ({"kernel_size": 2}, (3, 9, 8), (3, 4, 4)),
            ({"kernel_size": 2}, (3, 4, 4, 4), (3, 2, 2, 2)),
            ({"kernel_size": 3, "stride": (2, 1), "padding": 1}, (3, 9, 8), (3, 5, 8)),
            ({"kernel_size": 3, "stride": 2, "padding": "half"}, (3, 7), (3, 4)),
            ({"kernel_size": 3, "stride": 2, "ceil_mode": True}, (3, 110, 110), (3, 55, 55)),
            ({"kernel_size": 3, "stride": 2}, (3, 110, 110), (3, 54, 54)),
            (
                {"kernel_size": 2, "stride": 3, "padding": 1, "ceil_mode": True},
                (3, 5),
                (3, 2),
            ),
            ({"kernel_size": 4, "padding": ((0, 2),), "stride": 1}, (3, 5), (3, 4)),
        ],
        ids=shown,
    )
    def test_give(
        self, pool: type[MaxPool | AveragePool], keys: Keys, source: Shape, output: Shape
    ) -> None:
        assert resolved(pool(**keys), source).output == output

    @pytest.mark.parametrize(
        ("keys", "sources", "refusal"),
        [
            ({"kernel_size": (3,)}, ((1, 9, 9),), ("E106", "kernel_size", None)),
            ({"kernel_size": 3, "padding": (1,)}, ((1, 9, 9),), ("E106", "padding", None)),
            ({"kernel_size": 3, "stride": (1, 0)}, ((1, 9, 9),), ("E107", "stride", 1)),
            ({"kernel_size": (2, 5)}, ((1, 4, 4),), ("E110", "kernel_size", 1)),
            ({"kernel_size": 2, "padding": "same"}, ((1, 9),), ("E113", "padding", None)),
            ({"kernel_size": 2}, ((1, 9), (1, 9)), ("E115", "from", None)),
            ({"kernel_size": 3, "padding": (1, 2)}, ((1, 9, 9),), ("E117", "padding", 1)),
            ({"kernel_size": 4, "padding": ((2, 3),)}, ((1, 9),), ("E117", "padding", 0)),
            ({"kernel_size": 2}, ((9,),), ("E119", "type", None)),
        ],
        ids=shown,
    )
    def test_refuse(
        self, pool: type[MaxPool | AveragePool], keys: Keys, sources: Shapes, refusal: Refusal
    ) -> None:
        assert_refused(pool(**keys), sources, refusal)

    @pytest.mark.parametrize(
        ("size", "kernel_size", "stride"), [(2, 3, 2), (1, 3, 3), (5, 8, 4), (3, 4, 2)]
    )
    def test_take_a_lone_window_that_sticks_out_by_less_than_a_stride_with_ceil_mode(
        self, pool: type[MaxPool | AveragePool], size: int, kernel_size: int, stride: int
    ) -> None:
        layer = pool(kernel_size=kernel_size, stride=stride, ceil_mode=True)
        assert resolved(layer, (1, size)).output == (1, 1)

    @pytest.mark.parametrize(("size", "kernel_size", "stride"), [(1, 3, 2), (1, 4, 3), (4, 8, 4)])
    def test_refuse_a_lone_window_that_sticks_out_by_a_stride_even_with_ceil_mode(
        self, pool: type[MaxPool | AveragePool], size: int, kernel_size: int, stride: int
    ) -> None:
        layer = pool(kernel_size=kernel_size, stride=stride, ceil_mode=True)
        assert_refused(layer, ((1, size),), ("E110", "kernel_size", 0))

    def test_step_by_their_kernel_unless_told(self, pool: type[MaxPool | AveragePool]) -> None:
        told = pool(kernel_size=(2, 3), stride=(2, 3))
        assert resolved(pool(kernel_size=(2, 3)), (1, 8, 9)) == resolved(told, (1, 8, 9))


class TestDilatedPools:
    @settings(deadline=None, max_examples=300)
    @given(data=st.data(), kernel_size=st.integers(1, 6), ceil_mode=st.booleans())
    def test_have_as_many_outputs_as_windows(
        self, data: st.DataObject, kernel_size: int, ceil_mode: bool
    ) -> None:
        stride, dilation = data.draw(st.integers(1, 7)), data.draw(st.integers(1, 3))
        padding = data.draw(st.integers(0, kernel_size // 2))
        least = max(1, (kernel_size - 1) * dilation + 1 - 2 * padding)
        size = data.draw(st.integers(least, least + 12))
        pool = MaxPool(
            kernel_size=kernel_size,
            stride=stride,
            padding=padding,
            dilation=dilation,
            ceil_mode=ceil_mode,
        )
        windows = oracle.pool_size(
            size,
            kernel_size=kernel_size,
            stride=stride,
            pads=(padding, padding),
            dilation=dilation,
            ceil_mode=ceil_mode,
        )
        assert resolved(pool, (2, size)).output == (2, windows)

    def test_are_padded_by_half_the_kernel_before_dilation(self) -> None:
        layer = MaxPool(kernel_size=3, padding=2, dilation=3)
        assert_refused(layer, ((1, 9),), ("E117", "padding", 0))


class TestAveragePoolsOnThreeAxes:
    def test_refuse_a_bare_input_smaller_than_the_window(self) -> None:
        layer = AveragePool(kernel_size=(2, 3, 2), padding=1)
        assert_refused(layer, ((1, 2, 2, 2),), ("E110", "kernel_size", 1))

    def test_max_pools_do_not(self) -> None:
        layer = MaxPool(kernel_size=(2, 3, 2), padding=1, stride=1)
        assert resolved(layer, (1, 2, 2, 2)).output == (1, 3, 2, 3)


class TestMaxUnpool:
    """Its sources are its own one, and that of the pool which it undoes."""

    POOL = MaxPool(kernel_size=3, stride=2)

    @pytest.mark.parametrize(
        ("keys", "pooled", "output"),
        [
            ({}, (5, 8, 7), (5, 7, 7)),
            ({}, (5, 7, 7), (5, 7, 7)),
            ({"output_size": "source"}, (5, 8, 7), (5, 8, 7)),
            ({"output_size": 8}, (5, 7, 7), (5, 8, 8)),
            ({"output_size": (7, 8)}, (5, 8, 7), (5, 7, 8)),
        ],
        ids=shown,
    )
    def test_gives(self, keys: Keys, pooled: Shape, output: Shape) -> None:
        layer = MaxUnpool(pool=self.POOL, **keys)
        assert resolved(layer, (5, 3, 3), pooled).output == output

    @pytest.mark.parametrize(
        ("keys", "sources", "refusal"),
        [
            ({}, ((5, 3, 4), (5, 7, 7)), ("E115", "pool", None)),
            ({}, ((4, 3, 3), (5, 7, 7)), ("E115", "pool", None)),
            ({}, ((5, 3, 3), (5, 3, 3), (5, 7, 7)), ("E115", "from", None)),
            ({}, ((9,), (5, 7, 7)), ("E119", "type", None)),
            ({"output_size": (8,)}, ((5, 3, 3), (5, 7, 7)), ("E106", "output_size", None)),
        ],
        ids=shown,
    )
    def test_refuses(self, keys: Keys, sources: Shapes, refusal: Refusal) -> None:
        assert_refused(MaxUnpool(pool=self.POOL, **keys), sources, refusal)

    def test_reaches_the_pooled_values_as_a_transposed_convolution_does(self) -> None:
        reach = resolved(MaxUnpool(pool=self.POOL), (5, 3), (5, 7)).dependence
        pooled = resolved(self.POOL, (5, 7)).dependence
        assert isinstance(reach, Windows)
        assert isinstance(pooled, Windows)
        assert (reach.axes, reach.adjoint) == (pooled.axes, True)


class TestAdaptivePool:
    @pytest.mark.parametrize(
        ("output_size", "source", "output"),
        [
            (1, (3, 7, 8), (3, 1, 1)),
            ((2, 3), (3, 7, 8), (3, 2, 3)),
            (7, (3, 3), (3, 7)),
            (5, (3, 5, 6, 7), (3, 5, 5, 5)),
        ],
    )
    def test_gives(self, output_size: int | Shape, source: Shape, output: Shape) -> None:
        layer = AdaptiveMaxPool(output_size=output_size)
        assert_problems(layer)
        assert resolved(layer, source).output == output

    def test_refuses_another_number_of_axes(self) -> None:
        assert_refused(
            AdaptiveAveragePool(output_size=(2, 2)), ((1, 9),), ("E106", "output_size", None)
        )

    def test_needs_spatial_axes(self) -> None:
        assert_refused(AdaptiveAveragePool(output_size=2), ((9,),), ("E119", "type", None))


class TestUpsample:
    TWO, HALF, THREE_HALVES = Ratio.of(2, 1), Ratio.of(1, 2), Ratio.of(3, 2)

    @pytest.mark.parametrize(
        ("keys", "source", "output"),
        [
            ({"scale_factor": TWO}, (3, 4, 5), (3, 8, 10)),
            ({"scale_factor": (TWO, THREE_HALVES)}, (3, 4, 5), (3, 8, 7)),
            ({"scale_factor": HALF}, (3, 7), (3, 3)),
            ({"scale_factor": Ratio.of(29, 100)}, (3, 100), (3, 29)),
            ({"output_size": (4, 9)}, (3, 5, 5), (3, 4, 9)),
            ({"output_size": 6, "mode": "bilinear"}, (3, 5, 5), (3, 6, 6)),
            ({"scale_factor": TWO, "mode": "trilinear"}, (3, 2, 2, 2), (3, 4, 4, 4)),
            ({"scale_factor": TWO, "mode": "bicubic"}, (3, 2, 2), (3, 4, 4)),
            ({"scale_factor": TWO, "mode": "linear"}, (3, 2), (3, 4)),
            ({"scale_factor": HALF, "mode": "area"}, (3, 5), (3, 2)),
        ],
        ids=shown,
    )
    def test_gives(self, keys: Keys, source: Shape, output: Shape) -> None:
        layer = Upsample(**keys)
        assert_problems(layer)
        assert resolved(layer, source).output == output

    @pytest.mark.parametrize(
        ("keys", "source", "refusal"),
        [
            ({"scale_factor": (TWO, TWO)}, (3, 4), ("E106", "scale_factor", None)),
            ({"output_size": (2, 2)}, (3, 4), ("E106", "output_size", None)),
            ({"scale_factor": (TWO, HALF)}, (3, 4, 1), ("E112", "scale_factor", 1)),
            ({"scale_factor": TWO, "mode": "bilinear"}, (3, 4), ("E119", "mode", None)),
            ({"scale_factor": TWO, "mode": "trilinear"}, (3, 4, 4), ("E119", "mode", None)),
            ({"scale_factor": TWO}, (9,), ("E119", "type", None)),
        ],
        ids=shown,
    )
    def test_refuses(self, keys: Keys, source: Shape, refusal: Refusal) -> None:
        assert_refused(Upsample(**keys), (source,), refusal)

    def test_needs_one_of_two_keys(self) -> None:
        assert_problems(Upsample(), ("E102", "type", None))
        both = Upsample(scale_factor=self.TWO, output_size=4)
        assert_problems(both, ("E122", "scale_factor", None))
        assert resolved(both, (1, 3)).output == (1, 4)


class TestPixelShuffles:
    @pytest.mark.parametrize(
        ("layer", "source", "output"),
        [
            (PixelShuffle(factor=3), (18, 4, 5), (2, 12, 15)),
            (PixelShuffle(factor=2), (4, 5), (2, 10)),
            (PixelShuffle(factor=2), (8, 1, 2, 3), (1, 2, 4, 6)),
            (PixelUnshuffle(factor=3), (2, 12, 15), (18, 4, 5)),
            (PixelUnshuffle(factor=2), (2, 10), (4, 5)),
            (PixelUnshuffle(factor=2), (1, 2, 4, 6), (8, 1, 2, 3)),
        ],
        ids=shown,
    )
    def test_give(self, layer: Definition, source: Shape, output: Shape) -> None:
        assert_problems(layer)
        assert resolved(layer, source) == Geometry(
            output=output, dependence=resolved(layer, source).dependence
        )

    @pytest.mark.parametrize(
        ("layer", "source", "refusal"),
        [
            (PixelShuffle(factor=2), (6, 4, 4), ("E126", "factor", None)),
            (PixelShuffle(factor=3), (9, 2, 2, 2), ("E126", "factor", None)),
            (PixelUnshuffle(factor=2), (1, 4, 5), ("E126", "factor", 1)),
            (PixelShuffle(factor=1), (9,), ("E119", "type", None)),
            (PixelUnshuffle(factor=1), (9,), ("E119", "type", None)),
        ],
        ids=shown,
    )
    def test_refuse(self, layer: Definition, source: Shape, refusal: Refusal) -> None:
        assert_refused(layer, (source,), refusal)


class TestTranspose:
    @pytest.mark.parametrize(
        ("axes", "source", "output"),
        [
            ((0, 2, 1), (3, 4, 5), (3, 5, 4)),
            ((2, 0, 1), (3, 4, 5), (5, 3, 4)),
            ((0,), (3,), (3,)),
            ((3, 1, 0, 2), (3, 4, 5, 6), (6, 4, 3, 5)),
        ],
    )
    def test_gives(self, axes: Shape, source: Shape, output: Shape) -> None:
        layer = Transpose(axes=axes)
        assert_problems(layer)
        assert resolved(layer, source).output == output

    @pytest.mark.parametrize("axes", [(1, 2), (0, 0), (0, 2), (3, 1, 2)])
    def test_names_every_axis_once(self, axes: Shape) -> None:
        assert_problems(Transpose(axes=axes), ("E127", "axes", None))

    @pytest.mark.parametrize("axes", [(1, 0), (0, 1, 3, 2)])
    def test_names_every_axis_of_the_source(self, axes: Shape) -> None:
        assert_refused(Transpose(axes=axes), ((3, 4, 5),), ("E127", "axes", None))


class TestScale:
    FILE = FileReference(file="s.npy")

    @pytest.mark.parametrize(
        ("keys", "each"),
        [
            ({}, 2),
            ({"weight": FILE}, 1),
            ({"bias": FILE}, 1),
            ({"weight": FILE, "bias": FILE}, 2),
            ({"bias": True}, 1),
            ({"bias": False}, 1),
            ({"weight": FILE, "bias": True}, 2),
            ({"weight": FILE, "bias": False}, 1),
        ],
        ids=shown,
    )
    def test_counts_what_is_given(self, keys: Keys, each: int) -> None:
        layer = Scale(**keys)
        assert_problems(layer)
        assert resolved(layer, (7, 4, 4)) == Geometry(output=(7, 4, 4), parameters=each * 7)

    @pytest.mark.parametrize("field", ["weight", "bias"])
    def test_has_one_number_per_channel(self, field: str) -> None:
        keys: Keys = {field: numbers(4)}
        assert_refused(Scale(**keys), ((7, 4, 4),), ("E121", field, None))
        keys = {field: numbers(7)}
        assert resolved(Scale(**keys), (7, 4, 4)).parameters == 7
        assert resolved(Scale(**keys, learned=False), (7, 4, 4)).parameters == 0

    @pytest.mark.parametrize(("shape", "count"), [((), 0), ((1,), 1)])
    def test_one_number_for_all_channels_counts_once_in_a_list_and_else_not(
        self, shape: tuple[int, ...], count: int
    ) -> None:
        one = Inline(shape=shape, values=(0.5,))
        assert resolved(Scale(weight=one, bias=False), (7, 4, 4)).parameters == count
        assert resolved(Scale(bias=one), (7, 4, 4)).parameters == count
        assert resolved(Scale(weight=one, bias=self.FILE), (7, 4, 4)).parameters == count + 7

    def test_an_array_of_one_number_is_for_all_channels(self) -> None:
        one = FileReference(file="w.npy", shape=(1,))
        assert resolved(Scale(weight=one), (7, 4, 4)).parameters == 1


class TestReshaping:
    @pytest.mark.parametrize(
        ("layer", "source", "output"),
        [
            (GlobalMaxPool(), (5, 7, 8, 9), (5, 1, 1, 1)),
            (Linear(out_features=10), (64,), (10,)),
            (Flatten(), (3, 4, 5), (60,)),
            (Reshape(shape=(2, 30)), (3, 4, 5), (2, 30)),
            (Reshape(shape=(4, -1, 3)), (3, 4, 5), (4, 5, 3)),
            (Pad(padding=2), (3, 4, 5), (3, 8, 9)),
            (Pad(padding=((1, 2), (0, 3))), (3, 4, 5), (3, 7, 8)),
            (Crop(padding=((1, 2), (0, 3))), (3, 4, 5), (3, 1, 2)),
            (BatchNorm(), (3, 4, 5), (3, 4, 5)),
            (Relu(), (3, 4, 5), (3, 4, 5)),
        ],
        ids=shown,
    )
    def test_gives(self, layer: Definition, source: Shape, output: Shape) -> None:
        assert_problems(layer)
        assert resolved(layer, source).output == output

    @pytest.mark.parametrize(
        ("layer", "source", "refusal"),
        [
            (GlobalAveragePool(), (9,), ("E119", "type", None)),
            (Linear(out_features=2), (3, 4), ("E119", "type", None)),
            (Linear(out_features=2, weight=numbers(3, 2)), (3,), ("E121", "weight", None)),
            (Linear(out_features=2, bias=numbers(3)), (3,), ("E121", "bias", None)),
            (Reshape(shape=(2, 5)), (3, 4), ("E120", "shape", None)),
            (Reshape(shape=(5, -1)), (3, 4), ("E120", "shape", None)),
            (Pad(padding=(1,)), (1, 4, 4), ("E106", "padding", None)),
            (Crop(padding=((1, 1), (2, 2))), (1, 4, 4), ("E112", "padding", 1)),
        ],
        ids=shown,
    )
    def test_refuses(self, layer: Definition, source: Shape, refusal: Refusal) -> None:
        assert_refused(layer, (source,), refusal)

    @pytest.mark.parametrize(
        "layer",
        [Relu(), BatchNorm(), Flatten(), Reshape(shape=(-1,)), Linear(out_features=1)],
        ids=shown,
    )
    def test_takes_one_source(self, layer: Definition) -> None:
        assert_refused(layer, ((9,), (9,)), ("E115", "from", None))

    @pytest.mark.parametrize("shape", [(-1, -1), (2, 0), (-1, 0, 3)])
    def test_a_reshape_has_one_open_size_and_no_empty_one(self, shape: Shape) -> None:
        assert_problems(Reshape(shape=shape), ("E120", "shape", None))

    @pytest.mark.parametrize(
        "keys",
        [
            *(Relu, Silu, Mish, Softplus, Selu, Sigmoid, Tanh),
            *(Dropout, Identity, InstanceNorm),
        ],
    )
    def test_an_activation_keeps_its_shape(self, keys: type[Definition]) -> None:
        assert resolved(keys(), (3, 4, 5)) == Geometry(output=(3, 4, 5))


class TestJoins:
    @pytest.mark.parametrize(
        ("layer", "sources", "output"),
        [
            (Add(), ((3, 4, 5), (3, 4, 5), (3, 4, 5)), (3, 4, 5)),
            (Multiply(), ((1, 4, 5), (3, 1, 1)), (3, 4, 5)),
            (Add(), ((7,), (7,)), (7,)),
            (Concat(), ((3, 4, 5), (2, 4, 5)), (5, 4, 5)),
            (Concat(axis=2), ((3, 4, 5), (3, 4, 1), (3, 4, 2)), (3, 4, 8)),
        ],
        ids=shown,
    )
    def test_gives(self, layer: Definition, sources: Shapes, output: Shape) -> None:
        assert_problems(layer)
        assert resolved(layer, *sources).output == output

    @pytest.mark.parametrize(
        ("layer", "sources", "refusal"),
        [
            (Add(), ((1, 4),), ("E115", "from", None)),
            (Multiply(), ((1, 4), (1, 5)), ("E115", "from", None)),
            (Add(), ((1, 4), (1, 4, 4)), ("E115", "from", None)),
            (Concat(), ((1, 4),), ("E115", "from", None)),
            (Concat(), ((1, 4), (1, 5)), ("E115", "from", None)),
            (Concat(axis=1), ((1, 4), (2, 4)), ("E115", "from", None)),
            (Concat(axis=1), ((1, 4), (1, 4, 4)), ("E115", "from", None)),
            (Concat(axis=2), ((1, 4), (1, 4)), ("E107", "axis", None)),
            (PRelu(num_parameters=3), ((7, 4),), ("E111", "num_parameters", None)),
            (LayerNorm(normalized_axes=(0, 2)), ((7, 4),), ("E127", "normalized_axes", None)),
        ],
        ids=shown,
    )
    def test_refuses(self, layer: Definition, sources: Shapes, refusal: Refusal) -> None:
        assert_refused(layer, sources, refusal)


class TestCounts:
    def test_of_a_real_conv(self) -> None:
        layer = Conv(out_channels=96, kernel_size=7, stride=2, padding=1)
        geometry = resolved(layer, (3, 224, 224))
        assert geometry.convolution is not None
        assert geometry.convolution.nnz == 170_311_968
        assert (geometry.parameters, geometry.multiply_adds) == (14208, 170_755_200)

    @pytest.mark.parametrize(
        ("layer", "source", "parameters"),
        [
            (Conv(out_channels=6, kernel_size=3), (2, 8), 6 * 2 * 3 + 6),
            (Conv(out_channels=6, kernel_size=3, bias=False), (2, 8), 6 * 2 * 3),
            (Conv(out_channels=6, kernel_size=3, bias=FileReference(file="b.npy")), (2, 8), 42),
            (Conv(out_channels=6, kernel_size=3, groups=2), (2, 8), 6 * 3 + 6),
            (ConvTranspose(out_channels=6, kernel_size=3), (2, 8), 2 * 6 * 3 + 6),
            (Linear(out_features=10), (64,), 650),
            (Linear(out_features=10, bias=False), (64,), 640),
            (BatchNorm(), (7, 4, 4), 14),
            (BatchNorm(affine=False), (7, 4, 4), 0),
            (PRelu(), (7, 4, 4), 1),
            (PRelu(num_parameters=7), (7, 4, 4), 7),
            (GroupNorm(), (7, 4, 4), 14),
            (GroupNorm(affine=False), (7, 4, 4), 0),
            (InstanceNorm(), (7, 4, 4), 0),
            (InstanceNorm(affine=True), (7, 4, 4), 14),
            (LayerNorm(), (7, 4, 5), 2 * 7 * 4 * 5),
            (LayerNorm(normalized_axes=(1, 2)), (7, 4, 5), 2 * 4 * 5),
            (LayerNorm(normalized_axes=(0,)), (7, 4, 5), 14),
            (LayerNorm(affine=False), (7, 4, 5), 0),
            (MaxPool(kernel_size=2), (7, 4, 4), 0),
            (Relu(), (7, 4, 4), 0),
        ],
        ids=shown,
    )
    def test_parameters(self, layer: Definition, source: Shape, parameters: int) -> None:
        assert resolved(layer, source).parameters == parameters

    @pytest.mark.parametrize(
        ("framework", "layer", "parameters", "not_trained"),
        [
            ("keras", BatchNorm(), 256, 128),
            ("keras", BatchNorm(affine=False), 128, 128),
            ("keras", PRelu(), 64 * 3 * 5, 0),
            ("keras", PRelu(num_parameters=64), 64, 0),
            ("keras", LayerNorm(), 128, 0),
            ("keras", InstanceNorm(), 128, 0),
            ("onnx", LayerNorm(), 10, 0),
            ("onnx", InstanceNorm(), 128, 0),
            ("onnx", BatchNorm(), 128, 0),
            ("caffe", PRelu(), 64, 0),
        ],
        ids=shown,
    )
    def test_parameters_as_a_framework_counts_them(
        self, framework: str, layer: Definition, parameters: int, not_trained: int
    ) -> None:
        geometry = layer.resolve(((64, 3, 5),), FRAMEWORKS[framework])
        assert (geometry.parameters, geometry.not_trained) == (parameters, not_trained)

    @pytest.mark.parametrize(
        ("layer", "source", "multiply_adds"),
        [
            (Conv(out_channels=6, kernel_size=3, padding=1), (2, 8), 8 * 3 * 2 * 6),
            (Conv(out_channels=6, kernel_size=3, groups=2), (2, 8), 6 * 3 * 1 * 6),
            (ConvTranspose(out_channels=6, kernel_size=3, stride=2), (2, 8), 8 * 3 * 6 * 2),
            (Linear(out_features=10), (64,), 640),
            (AveragePool(kernel_size=2), (7, 4, 4), 0),
            (BatchNorm(), (7, 4, 4), 0),
        ],
        ids=shown,
    )
    def test_multiply_adds(self, layer: Definition, source: Shape, multiply_adds: int) -> None:
        assert resolved(layer, source).multiply_adds == multiply_adds


class TestReach:
    @pytest.mark.parametrize(
        ("layer", "adjoint"),
        [
            (Conv(out_channels=1, kernel_size=3), False),
            (ConvTranspose(out_channels=1, kernel_size=3), True),
            (MaxPool(kernel_size=3), False),
            (AveragePool(kernel_size=3), False),
            (Pad(padding=2), False),
            (Crop(padding=2), False),
        ],
        ids=shown,
    )
    def test_under_a_window(self, layer: Definition, adjoint: bool) -> None:
        geometry = resolved(layer, (1, 8))
        assert isinstance(geometry.dependence, Windows)
        assert geometry.dependence.adjoint is adjoint
        (axis,) = geometry.dependence.axes
        sizes = (axis.input_size, axis.output_size)
        assert (sizes[::-1] if adjoint else sizes) == (8, geometry.output[1])

    @pytest.mark.parametrize(
        ("layer", "sources"),
        [
            (Relu(), ((3, 8),)),
            (BatchNorm(), ((3, 8),)),
            (Add(), ((3, 8), (3, 8))),
        ],
        ids=shown,
    )
    def test_of_the_same_position(self, layer: Definition, sources: Shapes) -> None:
        assert resolved(layer, *sources).dependence == "same"

    def test_of_the_whole_input(self) -> None:
        assert resolved(Linear(out_features=2), (8,)).dependence == "whole"

    @pytest.mark.parametrize(
        ("layer", "target"), [(Flatten(), (24,)), (Reshape(shape=(8, 3)), (8, 3))], ids=shown
    )
    def test_of_the_element_in_another_shape(self, layer: Definition, target: Shape) -> None:
        assert resolved(layer, (3, 8)).dependence == Reshaped(target=target)

    @pytest.mark.parametrize(
        ("layer", "sources"),
        [
            (Conv(out_channels=1, kernel_size=1), ((3, 8),)),
            (ConvTranspose(out_channels=1, kernel_size=1), ((3, 8),)),
            (Add(), ((1, 8), (3, 8))),
            (Concat(), ((3, 8), (2, 8))),
        ],
        ids=shown,
    )
    def test_of_all_channels(self, layer: Definition, sources: Shapes) -> None:
        reach = resolved(layer, *sources).dependence
        assert isinstance(reach, Windows | Spans)
        assert reach.channels is None

    @pytest.mark.parametrize(
        ("layer", "source", "read"),
        [
            (MaxPool(kernel_size=2), (4, 8), [(0, 0), (1, 1), (2, 2), (3, 3)]),
            (GlobalAveragePool(), (3, 8), [(0, 0), (1, 1), (2, 2)]),
            (
                Conv(out_channels=4, kernel_size=1, groups=2),
                (6, 8),
                [(0, 2), (0, 2), (3, 5), (3, 5)],
            ),
            (
                ConvTranspose(out_channels=6, kernel_size=1, groups=2),
                (4, 8),
                [(0, 1), (0, 1), (0, 1), (2, 3), (2, 3), (2, 3)],
            ),
        ],
        ids=shown,
    )
    def test_of_some_channels(
        self, layer: Definition, source: Shape, read: list[tuple[int, int]]
    ) -> None:
        geometry = resolved(layer, source)
        assert isinstance(geometry.dependence, Windows | Spans)
        trace: Trace | None = IDENTITY
        for span in geometry.dependence.channels or ():
            assert trace is not None
            trace = trace.through(span)
        assert trace is not None
        assert [trace.at(channel) for channel in range(geometry.output[0])] == read

    @pytest.mark.parametrize(
        ("layer", "sources"),
        [
            # Position 7 of the sum reads position 0 of the first source, and not position 7.
            (Add(), ((3, 4, 1), (3, 4, 8))),
            (Concat(axis=2), ((3, 4, 8), (3, 4, 2))),
            (AdaptiveAveragePool(output_size=(4, 1)), ((3, 4, 8),)),
        ],
        ids=shown,
    )
    def test_of_all_along_one_axis(self, layer: Definition, sources: Shapes) -> None:
        reach = resolved(layer, *sources).dependence
        assert isinstance(reach, Spans)
        along, across = reach.axes
        assert across is None
        assert along is not None
        assert [along.of(position) for position in range(4)] == [(q, q) for q in range(4)]

    def test_of_the_same_position_by_another_order_of_the_axes(self) -> None:
        assert resolved(Transpose(axes=(0, 2, 1)), (3, 4, 8)).dependence == Permuted(axes=(0, 2, 1))


class TestMessages:
    @pytest.mark.parametrize(
        ("layer", "source", "said"),
        [
            (Conv(out_channels=4, kernel_size=1, groups=2), (3, 5), "in_channels 3"),
            (ConvTranspose(out_channels=4, kernel_size=1, groups=2), (3, 5), "in_channels 3"),
            (
                ConvTranspose(out_channels=1, kernel_size=3, stride=2, output_size=6),
                (1, 3),
                "got 6, reachable are 7 to 8 on axis 0",
            ),
            (Linear(out_features=1), (3, 4), "the source is [3, 4]"),
            (Conv(out_channels=1, kernel_size=1, in_channels=2), (3, 4), "the source has 3"),
            (MaxPool(kernel_size=3, padding=2), (3, 4), "got 2 with kernel_size 3 on axis 0"),
            (Reshape(shape=(5, -1)), (3, 4), "[3, 4] has 12"),
        ],
        ids=shown,
    )
    def test_say_what_was_got_in_the_words_of_the_layer(
        self, layer: Definition, source: Shape, said: str
    ) -> None:
        with pytest.raises(GeometryError, match=re.escape(said)):
            resolved(layer, source)
