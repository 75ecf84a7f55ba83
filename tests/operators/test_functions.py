"""conv, conv_transpose and conv_matrix as Python callers know them: arguments, shapes, errors."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings

from convt_cli.arithmetic.convolution import Convolution, Shape
from convt_cli.errors import ArrayError, GeometryError, RequestError
from convt_cli.io import memory
from convt_cli.operators.functions import conv, conv_matrix, conv_transpose
from tests import oracle
from tests.strategies import (
    arguments,
    direct_convolutions,
    geometry,
    transposed_convolutions,
    window,
    with_arrays,
)

Drawn = tuple[Convolution, oracle.Array, oracle.Array, oracle.Array]
Call = Callable[..., Any]


def random(*shape: int) -> oracle.Array:
    return np.random.default_rng(0).integers(-9, 10, shape)


def assert_raises(
    code: str, field: str, axis: int | None, call: Call, *arrays: object, **keys: object
) -> None:
    """A GeometryError that names code, field and axis."""
    with pytest.raises(GeometryError) as caught:
        call(*arrays, **keys)
    error = caught.value
    assert (error.code, error.field, error.axis) == (code, field, axis)


class TestValues:
    @settings(deadline=None, max_examples=100)
    @given(drawn=with_arrays(direct_convolutions(crop=False, short=False)))
    def test_conv_is_the_oracles(self, drawn: Drawn) -> None:
        convolution, weight, x, _ = drawn
        y = conv(x, weight, **arguments(convolution))
        np.testing.assert_array_equal(y, oracle.direct(x, weight, **geometry(convolution)))

    @settings(deadline=None, max_examples=100)
    @given(drawn=with_arrays(transposed_convolutions(crop=False)))
    def test_conv_transpose_is_the_oracles(self, drawn: Drawn) -> None:
        convolution, weight, _, y = drawn
        extra = [axis.output_padding for axis in convolution.axes]
        x = conv_transpose(y, weight, output_padding=extra, **arguments(convolution))
        expected = oracle.transposed(y, weight, output_padding=extra, **window(convolution))
        np.testing.assert_array_equal(x, expected)

    @settings(deadline=None, max_examples=60)
    @given(drawn=with_arrays(direct_convolutions(crop=False, short=False)))
    def test_conv_is_the_matrix(self, drawn: Drawn) -> None:
        convolution, weight, x, _ = drawn
        matrix = conv_matrix(weight, x.shape[1:], **arguments(convolution))
        y = conv(x, weight, **arguments(convolution))
        np.testing.assert_array_equal(matrix @ x.ravel(), y.ravel())

    def test_worked_by_hand(self) -> None:
        y = conv([[1, 10, 100, 1000]], [[[1, 2, 3]]], padding=1, stride=2)
        np.testing.assert_array_equal(y, [[32, 3210]])

    def test_transposed_by_hand(self) -> None:
        x = conv_transpose([[1, 10, 100]], [[[1, 2, 3]]], stride=2, padding=1, output_padding=1)
        np.testing.assert_array_equal(x, [[2, 13, 20, 130, 200, 300]])

    def test_channels_and_groups_by_hand(self) -> None:
        """Each group of the input feeds its own group of the output."""
        weight = [[[1], [2]], [[3], [4]]]
        y = conv([[1], [10], [100], [1000]], weight, groups=2)
        np.testing.assert_array_equal(y, [[21], [4300]])


class TestArguments:
    """An int, one per axis, or pairs; of any integer type and in any sequence."""

    @pytest.mark.parametrize(
        "padding",
        [1, np.int8(1), (1, 1), [1, 1], np.array([1, 1]), ((1, 1), (1, 1)), np.ones((2, 2), int)],
        ids=repr,
    )
    def test_spellings_of_the_same_padding(self, padding: Any) -> None:
        x, weight = random(2, 5, 6), random(3, 2, 3, 3)
        y = conv(x, weight, padding=padding)
        np.testing.assert_array_equal(y, conv(x, weight, padding=[(1, 1), (1, 1)]))

    @pytest.mark.parametrize("stride", [2, np.uint8(2), (2, 2), [2, np.int64(2)], range(2, 4)[:1]])
    def test_spellings_of_the_same_stride(self, stride: Any) -> None:
        rank = 1 if isinstance(stride, range) else 2
        x, weight = random(2, *(7, 6)[:rank]), random(3, 2, *(3, 3)[:rank])
        y = conv(x, weight, stride=stride)
        np.testing.assert_array_equal(y, conv(x, weight, stride=(2,) * rank))

    def test_each_axis_has_its_own(self) -> None:
        x, weight = random(1, 7, 8), random(1, 1, 2, 3)
        y = conv(x, weight, stride=(1, 2), padding=((0, 1), (2, 0)), dilation=(3, 1))
        expected = oracle.direct(
            x, weight, stride=(1, 2), pads=((0, 1), (2, 0)), dilation=(3, 1), groups=1
        )
        np.testing.assert_array_equal(y, expected)

    def test_nested_lists_are_arrays(self) -> None:
        np.testing.assert_array_equal(conv([[1.0, 2.0]], [[[3.0]]]), [[3.0, 6.0]])

    @pytest.mark.parametrize("size", [5, (5, 5), [5, 5], np.array([5, 5])], ids=repr)
    def test_spellings_of_the_same_input_size(self, size: Any) -> None:
        weight = random(1, 1, 2, 3)
        expected = conv_matrix(weight, (5, 5)).toarray()
        np.testing.assert_array_equal(conv_matrix(weight, size).toarray(), expected)


class TestBatch:
    @pytest.mark.parametrize(
        ("call", "channels", "result"), [(conv, 2, (3, 4)), (conv_transpose, 3, (2, 8))]
    )
    def test_comes_back_and_none_is_added(self, call: Call, channels: int, result: Shape) -> None:
        weight, source = random(3, 2, 3), random(channels, 6)
        assert call(source, weight).shape == result
        assert call(source[None], weight).shape == (1, *result)
        assert call(np.stack([source] * 5), weight).shape == (5, *result)
        assert call(source[None][:0], weight).shape == (0, *result)

    @pytest.mark.parametrize(("call", "channels"), [(conv, 2), (conv_transpose, 3)])
    def test_is_done_one_by_one(self, call: Call, channels: int) -> None:
        weight, batch = random(3, 2, 3, 2), random(4, channels, 6, 5)
        expected = [call(item, weight, stride=2) for item in batch]
        np.testing.assert_array_equal(call(batch, weight, stride=2), expected)


class TestGeometryErrors:
    @pytest.mark.parametrize(
        ("keys", "code", "field", "axis"),
        [
            ({"stride": 0}, "E107", "stride", None),
            ({"stride": (1, -1)}, "E107", "stride", None),
            ({"dilation": 0}, "E107", "dilation", None),
            ({"padding": -1}, "E107", "padding", None),
            ({"padding": ((0, 0), (0, -1))}, "E107", "padding", None),
            ({"groups": 0}, "E107", "groups", None),
            ({"stride": 1.0}, "E103", "stride", None),
            ({"stride": True}, "E103", "stride", None),
            ({"padding": None}, "E103", "padding", None),
            ({"dilation": (1, 1.5)}, "E103", "dilation", None),
            ({"stride": (1, 1, 1)}, "E106", "stride", None),
            ({"dilation": (1,)}, "E106", "dilation", None),
            ({"padding": (1, 1, 1)}, "E106", "padding", None),
            ({"padding": ((1, 1, 1), (1, 1, 1))}, "E106", "padding", None),
            ({"groups": 2}, "E111", "groups", None),
        ],
        ids=str,
    )
    @pytest.mark.parametrize("call", [conv, conv_transpose])
    def test_of_both_functions(
        self, call: Call, keys: dict[str, Any], code: str, field: str, axis: int | None
    ) -> None:
        assert_raises(code, field, axis, call, random(3, 9, 9), random(3, 3, 3, 3), **keys)

    @pytest.mark.parametrize(
        ("keys", "code", "field", "axis"),
        [
            ({}, "E110", "kernel_size", 1),
            ({"dilation": (5, 1), "padding": ((0, 0), (0, 2))}, "E110", "kernel_size", 0),
        ],
        ids=str,
    )
    def test_of_conv(self, keys: dict[str, Any], code: str, field: str, axis: int) -> None:
        assert_raises(code, field, axis, conv, random(1, 5, 2), random(1, 1, 3, 4), **keys)

    @pytest.mark.parametrize(
        ("keys", "code", "field", "axis"),
        [
            ({"output_padding": 1}, "E105", "output_padding", 0),
            ({"output_padding": (1, 2), "stride": 2}, "E105", "output_padding", 1),
            ({"output_padding": -1}, "E107", "output_padding", None),
            ({"output_padding": (0, 0, 0)}, "E106", "output_padding", None),
            ({"output_padding": 0.0}, "E103", "output_padding", None),
            ({"padding": (0, 3)}, "E112", "padding", 1),
        ],
        ids=str,
    )
    def test_of_conv_transpose(
        self, keys: dict[str, Any], code: str, field: str, axis: int | None
    ) -> None:
        y, weight = random(1, 3, 2), random(1, 1, 3, 3)
        assert_raises(code, field, axis, conv_transpose, y, weight, **keys)

    @pytest.mark.parametrize(
        ("keys", "code", "field", "axis"),
        [
            ({"input_size": 0}, "E107", "input_size", None),
            ({"input_size": 5.0}, "E103", "input_size", None),
            ({"input_size": (5, 5, 5)}, "E106", "input_size", None),
            ({"input_size": (5, 2)}, "E110", "kernel_size", 1),
            ({"input_size": 5, "output_size": (3, 4)}, "E118", "output_size", 1),
            ({"input_size": 5, "output_size": 0}, "E107", "output_size", None),
            ({"input_size": 5, "output_size": (1,)}, "E106", "output_size", None),
        ],
        ids=str,
    )
    def test_of_conv_matrix(
        self, keys: dict[str, Any], code: str, field: str, axis: int | None
    ) -> None:
        assert_raises(code, field, axis, conv_matrix, random(1, 1, 3, 3), **keys)

    def test_an_axis_of_no_elements_is_named(self) -> None:
        assert_raises("E107", "input_size", None, conv, np.zeros((1, 0)), random(1, 1, 1))

    @pytest.mark.parametrize(
        ("call", "said"),
        [(conv, "out_channels 3"), (conv_transpose, "in_channels 3")],
    )
    def test_groups_are_told_in_the_words_of_the_function(self, call: Call, said: str) -> None:
        """A weight of 3 channels: outputs of conv, inputs of conv_transpose."""
        with pytest.raises(GeometryError, match=said) as caught:
            call(random(3, 5), random(3, 2, 3), groups=2)
        assert caught.value.code == "E111"

    def test_the_error_is_a_value_error_that_says_rule_and_value(self) -> None:
        with pytest.raises(ValueError, match=r"^stride must be at least 1: got 0$"):
            conv(random(1, 5), random(1, 1, 3), stride=0)


class TestArrayErrors:
    @pytest.mark.parametrize(
        ("source", "got"),
        [((5, 9), r"\(5, 9\)"), ((1, 1, 9), r"\(1, 1, 9\)"), ((7, 3, 9), r"\(7, 3, 9\)")],
    )
    def test_channels_that_differ_name_expected_and_got(self, source: Shape, got: str) -> None:
        with pytest.raises(ArrayError, match=rf"\(2, 9\).*got {got}") as caught:
            conv(random(*source), random(4, 2, 3))
        assert caught.value.code == "E301"

    def test_channels_that_differ_are_named_by_conv_transpose_too(self) -> None:
        with pytest.raises(ArrayError, match=r"\(4, 9\).*got \(2, 9\)") as caught:
            conv_transpose(random(2, 9), random(4, 2, 3))
        assert caught.value.code == "E301"

    @pytest.mark.parametrize("call", [conv, conv_transpose])
    @pytest.mark.parametrize("source", [(9,), (2, 2, 9, 9)])
    def test_axes_that_differ_name_the_shape(self, call: Call, source: Shape) -> None:
        text = re.escape(str(source))
        with pytest.raises(ArrayError, match=f"got an array of shape {text}") as caught:
            call(random(*source), random(2, 2, 3))
        assert caught.value.code == "E301"

    @pytest.mark.parametrize("shape", [(), (3,), (3, 3), (1, 1, 1, 1, 1, 1), (0, 1, 3), (1, 1, 0)])
    def test_a_weight_has_rank_one_to_three_and_elements(self, shape: Shape) -> None:
        with pytest.raises(ArrayError, match="the weight must be") as caught:
            conv_matrix(np.zeros(shape), 5)
        assert caught.value.code == "E301"

    @pytest.mark.parametrize("call", [conv, conv_transpose])
    def test_a_result_that_does_not_fit_into_memory_is_refused(
        self, call: Call, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(memory, "available", lambda: 64)
        with pytest.raises(RequestError, match="does not fit into memory") as caught:
            call(random(1, 100), random(1, 1, 3))
        assert caught.value.code == "E501"
