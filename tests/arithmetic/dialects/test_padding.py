"""Padding as it is written, against pairs worked out by hand."""

from __future__ import annotations

import pytest
from hypothesis import given, settings

from convt_cli.arithmetic.axis import Axis
from convt_cli.arithmetic.dialects.frameworks import FRAMEWORKS
from convt_cli.arithmetic.dialects.padding import direct_pads, legal_output_padding, pads
from convt_cli.arithmetic.keys import Padding, Pair, per_axis
from convt_cli.arithmetic.stencil import Stencil, stencils_of
from convt_cli.errors import GeometryError
from tests.strategies import direct_axes

PYTORCH = FRAMEWORKS["pytorch"]


def conv_pads(padding: Padding, stencils: list[Stencil], size: int = 9) -> tuple[Pair, ...]:
    """The pads of PyTorch's convolutions over inputs of `size`."""
    return direct_pads(padding, [size] * len(stencils), stencils, PYTORCH, "conv")


def alike(kernel_size: int, *, dilation: int = 1, rank: int = 1) -> list[Stencil]:
    """The same stencil on every axis."""
    return [Stencil(kernel_size=kernel_size, dilation=dilation)] * rank


def assert_refused(error: GeometryError, code: str, field: str) -> None:
    assert (error.code, error.field) == (code, field)


class TestWords:
    @pytest.mark.parametrize(
        ("word", "kernel_size", "dilation", "pair"),
        [
            ("valid", 4, 1, (0, 0)),
            ("valid", 3, 2, (0, 0)),
            ("half", 1, 1, (0, 0)),
            ("half", 3, 1, (1, 1)),
            ("half", 4, 1, (2, 2)),
            ("half", 3, 2, (2, 2)),
            ("half", 2, 2, (1, 1)),
            ("full", 1, 1, (0, 0)),
            ("full", 3, 1, (2, 2)),
            ("full", 3, 2, (4, 4)),
            ("causal", 1, 1, (0, 0)),
            ("causal", 3, 1, (2, 0)),
            ("causal", 3, 4, (8, 0)),
        ],
    )
    def test_that_mean_the_same_everywhere(
        self, word: str, kernel_size: int, dilation: int, pair: Pair
    ) -> None:
        described = alike(kernel_size, dilation=dilation)
        assert pads(word, described) == conv_pads(word, described) == (pair,)

    @pytest.mark.parametrize(
        ("kernel_size", "dilation", "pair"),
        [
            (1, 1, (0, 0)),
            (2, 1, (0, 1)),
            (3, 1, (1, 1)),
            (4, 1, (1, 2)),
            (2, 2, (1, 1)),
            (2, 3, (1, 2)),
            (4, 3, (4, 5)),
        ],
    )
    def test_same_puts_the_odd_zero_after(
        self, kernel_size: int, dilation: int, pair: Pair
    ) -> None:
        assert conv_pads("same", alike(kernel_size, dilation=dilation)) == (pair,)

    @settings(deadline=None, max_examples=60)
    @given(axis=direct_axes())
    def test_same_keeps_the_size(self, axis: Axis) -> None:
        described = alike(axis.kernel_size, dilation=axis.dilation)
        ((before, after),) = conv_pads("same", described, axis.input_size)
        padded = Axis.conv(
            input_size=axis.input_size,
            kernel_size=axis.kernel_size,
            before=before,
            after=after,
            dilation=axis.dilation,
        )
        assert padded.output_size == axis.input_size

    def test_a_word_speaks_of_each_axis_by_its_own_kernel(self) -> None:
        described = list(stencils_of((3, 5, 2), (1, 2, 3), (1, 2, 1)))
        assert pads("half", described) == ((1, 1), (4, 4), (1, 1))


class TestNumbers:
    @pytest.mark.parametrize(
        ("padding", "pairs"),
        [
            (0, ((0, 0), (0, 0))),
            (2, ((2, 2), (2, 2))),
            ((1, 2), ((1, 1), (2, 2))),
            (((1, 2), (0, 3)), ((1, 2), (0, 3))),
        ],
    )
    def test_become_a_pair_for_each_axis(self, padding: Padding, pairs: tuple[Pair, ...]) -> None:
        assert pads(padding, alike(3, rank=2)) == pairs
        assert conv_pads(padding, alike(3, rank=2)) == pairs

    @pytest.mark.parametrize("padding", [(1,), (1, 2, 3), ((1, 2),)])
    def test_in_a_list_of_the_wrong_length_are_refused(self, padding: tuple[int, ...]) -> None:
        with pytest.raises(GeometryError, match=f"got {len(padding)} entries") as caught:
            pads(padding, alike(3, rank=2))
        assert_refused(caught.value, "E106", "padding")


class TestRefusedWords:
    def test_same_lower_is_unknown_to_pytorch(self) -> None:
        with pytest.raises(GeometryError, match="pytorch has no padding 'same_lower'") as caught:
            conv_pads("same_lower", alike(3))
        assert_refused(caught.value, "E113", "padding")

    @pytest.mark.parametrize(
        ("stride", "shown"), [((2, 2), "got stride 2"), ((1, 2), r"got stride \[1, 2\]")]
    )
    def test_same_needs_unit_stride_in_pytorch(self, stride: tuple[int, ...], shown: str) -> None:
        described = list(stencils_of((3, 3), stride, (1, 1)))
        with pytest.raises(GeometryError, match=shown) as caught:
            conv_pads("same", described)
        assert_refused(caught.value, "E113", "padding")


class TestOutputPadding:
    @pytest.mark.parametrize(
        ("output_padding", "stride", "dilation"),
        [(0, 1, 1), (1, 2, 1), (1, 1, 2), (2, 3, 1), (2, 2, 3)],
    )
    def test_below_stride_or_dilation_is_legal(
        self, output_padding: int, stride: int, dilation: int
    ) -> None:
        assert legal_output_padding(output_padding, stride, dilation) == output_padding

    @pytest.mark.parametrize(
        ("output_padding", "stride", "dilation", "remedy"),
        [
            (1, 1, 1, "use 0"),
            (2, 2, 1, "use 0 or 1"),
            (2, 1, 2, "use 0 or 1"),
            (7, 3, 2, "use 0 to 2"),
        ],
    )
    def test_from_both_on_is_refused(
        self, output_padding: int, stride: int, dilation: int, remedy: str
    ) -> None:
        with pytest.raises(GeometryError, match=f"got {output_padding} with stride") as caught:
            legal_output_padding(output_padding, stride, dilation)
        assert_refused(caught.value, "E105", "output_padding")
        assert caught.value.help == remedy


class TestPerAxis:
    def test_one_integer_stands_for_every_axis(self) -> None:
        assert per_axis(2, 3, "stride") == (2, 2, 2)

    def test_a_list_stands_as_it_is(self) -> None:
        assert per_axis((1, 2, 3), 3, "stride") == (1, 2, 3)

    def test_a_list_of_the_wrong_length_is_refused(self) -> None:
        with pytest.raises(GeometryError, match="each of the 3 spatial axes") as caught:
            per_axis((1, 2), 3, "stride")
        assert_refused(caught.value, "E106", "stride")
