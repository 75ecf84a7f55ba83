"""Dtypes: the result is of np.result_type, and no integer is ever wrapped."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from convt_cli.arithmetic.axis import Axis
from convt_cli.arithmetic.convolution import Convolution
from convt_cli.errors import ArrayError
from convt_cli.operators.functions import apply, conv, conv_transpose
from convt_cli.operators.matrix_free import apply_transpose
from tests.oracle import Array

Function = Callable[..., Array]

FUNCTIONS = pytest.mark.parametrize("function", [conv, conv_transpose])

DTYPES = (
    *("int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64"),
    *("float16", "float32", "float64", "longdouble", "complex64", "complex128", "clongdouble"),
)

# Small enough for every dtype: sums of 2 * 3 products of at most 3 * 2.
SOURCE = np.array([[1, 0, 2, 3], [2, 1, 0, 1]])
WEIGHT = np.array([[[1, 2, 0], [0, 1, 1]], [[2, 0, 1], [1, 1, 0]]])


def one_tap(tap: int, dtype: str) -> Array:
    return np.array([[[tap]]], dtype)


class TestResult:
    @FUNCTIONS
    @pytest.mark.parametrize("of_weight", DTYPES)
    @pytest.mark.parametrize("of_source", DTYPES)
    def test_has_the_result_type_of_both_and_the_same_values(
        self, function: Function, of_source: str, of_weight: str
    ) -> None:
        result = function(SOURCE.astype(of_source), WEIGHT.astype(of_weight), padding=1)
        assert result.dtype == np.result_type(of_source, of_weight)
        np.testing.assert_array_equal(result, function(SOURCE, WEIGHT, padding=1))

    @FUNCTIONS
    @pytest.mark.parametrize(
        ("dtype", "tolerance"),
        [("float16", 2e-3), ("float32", 1e-6), ("longdouble", 1e-14), (">f8", 0), (">f4", 1e-6)],
    )
    def test_of_floats_is_the_float64_one_within_rounding(
        self, function: Function, dtype: str, tolerance: float
    ) -> None:
        random = np.random.default_rng(1)
        source, weight = random.standard_normal((3, 8, 9)), random.standard_normal((3, 3, 2, 4))
        result = function(source.astype(dtype), weight.astype(dtype), stride=2)
        expected = function(source, weight, stride=2)
        scale = np.abs(expected).max()
        np.testing.assert_allclose(result, expected, rtol=0, atol=10 * tolerance * scale)

    def test_of_float16_is_rounded_once_at_the_end(self) -> None:
        """2048 + 1 - 2048 is 0 where every step is rounded to float16."""
        taps, ones = np.array([[[2048, 1, -2048]]], np.float16), np.ones((1, 3), np.float16)
        assert conv(ones, taps)[0, 0] == 1
        assert conv_transpose(ones, taps)[0, 2] == 1

    @FUNCTIONS
    def test_of_complex_numbers_is_not_conjugated(self, function: Function) -> None:
        source, weight = SOURCE + 1j * SOURCE[::-1], WEIGHT - 2j * WEIGHT[..., ::-1]
        parts = (
            function(source.real, weight.real) - function(source.imag, weight.imag),
            function(source.real, weight.imag) + function(source.imag, weight.real),
        )
        np.testing.assert_array_equal(function(source, weight), parts[0] + 1j * parts[1])


class TestIntegers:
    @FUNCTIONS
    @pytest.mark.parametrize(
        ("dtype", "factor", "tap"),
        [
            ("int8", 127, 1),
            ("int8", -128, 1),
            ("uint8", 255, 1),
            ("int16", 2**14, -2),
            ("uint32", 2**32 - 1, 1),
            ("int64", 2**53 + 1, 1),
            ("int64", 2**62, 1),
            ("int64", -(2**61), 3),
            ("uint64", 2**62, 1),
        ],
    )
    def test_that_fit_are_exact(
        self, function: Function, dtype: str, factor: int, tap: int
    ) -> None:
        result = function(np.array([[factor]], dtype), one_tap(tap, dtype))
        assert result.dtype == dtype
        assert int(result[0, 0]) == factor * tap

    @FUNCTIONS
    @pytest.mark.parametrize(
        ("dtype", "factor", "tap", "reached"),
        [
            ("int8", 64, 2, "128"),
            ("int8", -43, 3, "-129"),
            ("uint8", 128, 2, "256"),
            ("int32", 2**30, 2, str(2**31)),
            ("uint32", 2**31, 2, str(2**32)),
        ],
    )
    def test_that_their_dtype_cannot_hold_are_refused_not_wrapped(
        self, function: Function, dtype: str, factor: int, tap: int, reached: str
    ) -> None:
        with pytest.raises(ArrayError, match=f"does not fit {dtype}.*{reached}") as caught:
            function(np.array([[factor]], dtype), one_tap(tap, dtype))
        assert caught.value.code == "E304"

    @FUNCTIONS
    @pytest.mark.parametrize("dtype", ["int64", "uint64"])
    def test_whose_sum_could_pass_the_largest_are_refused(
        self, function: Function, dtype: str
    ) -> None:
        source, weight = np.array([[2**61, 2**61]], dtype), np.full((1, 1, 2), 2, dtype)
        with pytest.raises(ArrayError, match=r"could pass 2\^63") as caught:
            function(source, weight)
        assert caught.value.code == "E304"

    def test_of_a_sum_that_passes_through_what_the_dtype_cannot_hold_are_exact(self) -> None:
        """100 + 100 - 100 fits int8 although its partial sum does not."""
        source = np.array([[100, 100, -100]], np.int8)
        assert conv(source, np.ones((1, 1, 3), np.int8)) == 100

    def test_sums_around_two_to_the_53_are_exact(self) -> None:
        source = np.array([[2**52, 2**52, 1]])
        assert int(conv(source, np.ones((1, 1, 3), np.int64))[0, 0]) == 2**53 + 1


class TestIntegersFoldedOntoOneInput:
    """With replicated padding Cᵀ adds up more outputs at a border than the kernel has taps."""

    AXIS = Axis.conv(input_size=1, kernel_size=1, before=4, after=4)
    FOLDED = Convolution(out_channels=1, in_channels=1, axes=(AXIS,), padding_mode="replicate")

    def transposed(self, value: int) -> Array:
        y = np.full((1, 9), value)
        tap = one_tap(1, "int64")
        return apply(apply_transpose, self.FOLDED, tap, y, self.FOLDED.output_shape)

    @pytest.mark.parametrize("value", [5, 2**50 + 1, 2**52 + 1, 2**59 + 1])
    def test_are_exact(self, value: int) -> None:
        assert int(self.transposed(value)[0, 0]) == 9 * value

    def test_are_refused_beyond_the_largest(self) -> None:
        with pytest.raises(ArrayError) as caught:
            self.transposed(2**61 + 1)
        assert caught.value.code == "E304"
