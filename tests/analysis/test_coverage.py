"""Overlap counts, unread inputs and the checkerboard rule, against brute force and dense C."""

from __future__ import annotations

from collections import Counter
from math import gcd

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from convt_cli.analysis.coverage import (
    Coverage,
    coverage,
    empty_columns,
    empty_rows,
    overlap_counts,
)
from convt_cli.arithmetic.axis import Axis
from convt_cli.arithmetic.convolution import Convolution
from convt_cli.operators.operator import ConvOperator
from tests import oracle
from tests.strategies import axes, convolutions, folded_convolutions, geometry


def ones_map(convolution: Convolution) -> oracle.Array:
    """Cᵀ1 of one channel with ones for taps, by brute force."""
    kernel = np.ones((1, 1, *convolution.kernel_size), int)
    keys = geometry(convolution)
    keys["groups"] = 1
    counts: oracle.Array = oracle.matrix(kernel, convolution.input_shape[1:], **keys).sum(axis=0)
    return counts


def dense_ones(convolution: Convolution) -> oracle.Array:
    """C with ones for taps."""
    kernel = np.ones(convolution.weight_shape, int)
    return oracle.matrix(kernel, convolution.input_shape[1:], **geometry(convolution))


def line(**keys: int) -> Convolution:
    """One axis, one channel."""
    return Convolution(out_channels=1, in_channels=1, axes=(Axis.conv(**keys),))


def coverage_of(convolution: Convolution) -> Coverage:
    return coverage(ConvOperator.of(convolution, np.ones(convolution.weight_shape)))


class TestOverlapCounts:
    @given(axis=axes())
    def test_are_those_of_the_map(self, axis: Axis) -> None:
        found = ones_map(Convolution(out_channels=1, in_channels=1, axes=(axis,)))
        assert overlap_counts(axis) == Counter(found.tolist())

    @settings(deadline=None)
    @given(convolution=folded_convolutions())
    def test_count_what_the_padding_reads_again(self, convolution: Convolution) -> None:
        for axis in convolution.axes:
            mode = convolution.padding_mode
            one = Convolution(out_channels=1, in_channels=1, axes=(axis,), padding_mode=mode)
            assert overlap_counts(axis, mode) == Counter(ones_map(one).tolist())

    def test_of_an_axis_longer_than_any_array(self) -> None:
        axis = Axis.conv(input_size=2**50 + 1, kernel_size=3, stride=2)
        found = overlap_counts(axis)
        assert found == {1: 2**49 + 2, 2: 2**49 - 1}
        assert sum(count * positions for count, positions in found.items()) == axis.entries()


class TestCoverage:
    @settings(deadline=None)
    @given(convolution=convolutions())
    def test_the_least_and_the_greatest_count(self, convolution: Convolution) -> None:
        found, counts = coverage_of(convolution), ones_map(convolution)
        assert (found.overlap_min, found.overlap_max) == (counts.min(), counts.max())

    @settings(deadline=None)
    @given(convolution=convolutions())
    def test_unread_inputs_are_the_empty_columns_of_the_own_action(
        self, convolution: Convolution
    ) -> None:
        dense = dense_ones(convolution)
        columns, rows = (int((~dense.any(axis=side)).sum()) for side in (0, 1))
        assert (empty_columns(convolution), empty_rows(convolution)) == (columns, rows)
        assert coverage_of(convolution).unread_inputs == (rows if convolution.adjoint else columns)

    @pytest.mark.parametrize("dilation", [1, 2, 3])
    @pytest.mark.parametrize("stride", [1, 2, 3, 4, 6])
    @pytest.mark.parametrize("kernel_size", [1, 2, 3, 4, 6, 8])
    def test_the_interior_is_that_of_a_long_axis(
        self, kernel_size: int, stride: int, dilation: int
    ) -> None:
        effective = dilation * (kernel_size - 1) + 1
        size = 3 * effective + 40 * stride
        convolution = line(
            input_size=size, kernel_size=kernel_size, stride=stride, dilation=dilation
        )
        middle = ones_map(convolution)[effective : -effective - stride]
        found = coverage_of(convolution)
        assert found.interior == (middle.min(), middle.max())
        (period,) = found.period
        periods = [p for p in range(1, stride + 1) if (middle[p:] == middle[:-p]).all()]
        assert period == periods[0]
        even = kernel_size % stride == 0 and gcd(dilation, stride) == 1
        assert found.is_even is even

    @given(kernel_size=st.integers(1, 20), stride=st.integers(1, 7), dilation=st.integers(1, 5))
    def test_the_nearest_even_kernel_is_even_and_none_is_nearer(
        self, kernel_size: int, stride: int, dilation: int
    ) -> None:
        def even(kernel: int) -> bool | None:
            size = 3 * dilation * kernel + 10 * stride
            window = {"kernel_size": kernel, "stride": stride, "dilation": dilation}
            return coverage_of(line(input_size=size, **window)).is_even

        window = {"kernel_size": kernel_size, "stride": stride, "dilation": dilation}
        found = coverage_of(line(input_size=200 * stride, **window)).even_kernel_size
        nearest = [k for k in range(1, kernel_size + stride + 1) if even(k)]
        if found is None:
            assert not nearest
        else:
            assert abs(found[0] - kernel_size) == min(abs(k - kernel_size) for k in nearest)

    def test_where_every_position_is_near_a_border_there_is_no_interior(self) -> None:
        found = coverage_of(line(input_size=5, kernel_size=4))
        assert (found.interior, found.is_even) == (None, None)
        assert (found.overlap_min, found.overlap_max) == (1, 2)

    def test_one_window_is_even_everywhere(self) -> None:
        found = coverage_of(line(input_size=4, kernel_size=4))
        assert (found.interior, found.is_even) == (None, True)
