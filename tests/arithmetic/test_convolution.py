"""A convolution as a matrix: its shapes, its entries, its index type and its bytes."""

from __future__ import annotations

from math import prod

import numpy as np
import pytest
from hypothesis import given, settings

from convt_cli.arithmetic.axis import Axis
from convt_cli.arithmetic.convolution import Convolution
from convt_cli.errors import GeometryError
from tests import oracle
from tests.strategies import (
    convolutions,
    direct_convolutions,
    folded_convolutions,
    geometry,
    transposed_convolutions,
    zero_padded_convolutions,
)

_ZFNET_FIRST = Convolution(
    out_channels=96,
    in_channels=3,
    axes=(Axis.conv(input_size=224, kernel_size=7, stride=2, before=1, after=1),) * 2,
)


def pattern(convolution: Convolution) -> oracle.Array:
    """The oracle's C with ones for taps: positive exactly where C has an entry."""
    ones = np.ones(convolution.weight_shape, np.int64)
    return oracle.matrix(ones, convolution.input_shape[1:], **geometry(convolution))


def padded(rows: int) -> Convolution:
    """A convolution over one element and zeros after it: `rows` rows and a single entry."""
    axis = Axis.conv(input_size=1, kernel_size=1, after=rows - 1)
    return Convolution(out_channels=1, in_channels=1, axes=(axis,))


def line(columns: int, *, rows: int | None = None) -> Convolution:
    """A kernel of one tap on one axis: one entry in each of the first `rows` rows."""
    axis = Axis.conv(input_size=columns, kernel_size=1, output_size=rows)
    return Convolution(out_channels=1, in_channels=1, axes=(axis,))


class TestEntries:
    @settings(deadline=None, max_examples=150)
    @given(convolution=convolutions())
    def test_nnz_is_the_number_of_pairs_that_the_oracle_joins(
        self, convolution: Convolution
    ) -> None:
        assert convolution.nnz == np.count_nonzero(pattern(convolution))

    @settings(deadline=None, max_examples=60)
    @given(convolution=folded_convolutions())
    def test_folded_taps_that_meet_are_one_entry(self, convolution: Convolution) -> None:
        products = convolution.multiply_adds
        dense = pattern(convolution)
        assert convolution.nnz == products - (dense.sum() - np.count_nonzero(dense))

    def test_nnz_of_a_real_layer(self) -> None:
        assert _ZFNET_FIRST.nnz == 170_311_968

    def test_multiply_adds_of_a_real_layer_count_the_padding(self) -> None:
        assert _ZFNET_FIRST.multiply_adds == 170_755_200

    def test_multiply_adds_of_a_transposed_layer_go_by_its_input(self) -> None:
        axis = Axis.conv_transpose(input_size=4, kernel_size=4, stride=2, before=1, after=1)
        up = Convolution(out_channels=8, in_channels=2, axes=(axis, axis), adjoint=True)
        assert up.multiply_adds == 4 * 4 * (4 * 4) * 8 * 2


class TestShapes:
    @settings(deadline=None, max_examples=80)
    @given(convolution=convolutions())
    def test_the_matrix_is_outputs_by_inputs(self, convolution: Convolution) -> None:
        sizes = prod(convolution.output_shape), prod(convolution.input_shape)
        assert convolution.matrix_shape == sizes == pattern(convolution).shape

    @settings(deadline=None, max_examples=30)
    @given(convolution=direct_convolutions())
    def test_a_direct_layer_acts_from_input_to_output(self, convolution: Convolution) -> None:
        shapes = (convolution.input_shape, convolution.output_shape)
        assert convolution.action_shapes == shapes

    @settings(deadline=None, max_examples=30)
    @given(convolution=transposed_convolutions())
    def test_a_transposed_layer_acts_from_output_to_input(self, convolution: Convolution) -> None:
        shapes = (convolution.output_shape, convolution.input_shape)
        assert convolution.action_shapes == shapes

    def test_shapes_worked_by_hand(self) -> None:
        axes = (
            Axis.conv(input_size=5, kernel_size=3),
            Axis.conv(input_size=8, kernel_size=2, stride=2),
        )
        grouped = Convolution(out_channels=6, in_channels=4, axes=axes, groups=2)
        assert grouped.weight_shape == (6, 2, 3, 2)
        assert grouped.input_shape == (4, 5, 8)
        assert grouped.output_shape == (6, 3, 4)

    @settings(deadline=None, max_examples=80)
    @given(convolution=zero_padded_convolutions())
    def test_zero_insertion_exchanges_input_and_output(self, convolution: Convolution) -> None:
        inserted = convolution.zero_inserted()
        stretched = [(axis.output_size - 1) * axis.stride + 1 for axis in convolution.axes]
        assert inserted.input_shape == (convolution.out_channels, *stretched)
        assert inserted.output_shape == convolution.input_shape


class TestIndices:
    """The index type is int32 if every size and the number of entries fit."""

    @pytest.mark.parametrize(
        ("convolution", "index_dtype"),
        [
            pytest.param(line(2**31 - 1), "int32", id="2^31-1 of all three"),
            pytest.param(line(2**31), "int64", id="2^31 of all three"),
            pytest.param(line(2**31 + 1), "int64", id="2^31+1 of all three"),
            pytest.param(line(2**31 - 1, rows=1), "int32", id="2^31-1 columns"),
            pytest.param(line(2**31, rows=1), "int64", id="2^31 columns"),
            pytest.param(line(2**31 + 1, rows=1), "int64", id="2^31+1 columns"),
            pytest.param(padded(2**31 - 1), "int32", id="2^31-1 rows"),
            pytest.param(padded(2**31), "int64", id="2^31 rows"),
            pytest.param(padded(2**31 + 1), "int64", id="2^31+1 rows"),
        ],
    )
    def test_the_index_dtype_of_sizes_around_the_limit(
        self, convolution: Convolution, index_dtype: str
    ) -> None:
        assert convolution.index_dtype == index_dtype

    @pytest.mark.parametrize(
        ("out_channels", "in_channels", "index_dtype"),
        [
            pytest.param(42966, 49981, "int32", id="2^31-2 entries"),
            pytest.param(2**16, 2**15, "int64", id="2^31 entries"),
            pytest.param(3, 715827883, "int64", id="2^31+1 entries"),
        ],
    )
    def test_the_index_dtype_of_entries_around_the_limit(
        self, out_channels: int, in_channels: int, index_dtype: str
    ) -> None:
        axis = Axis.conv(input_size=1, kernel_size=1)
        dense = Convolution(out_channels=out_channels, in_channels=in_channels, axes=(axis,))
        assert dense.index_dtype == index_dtype

    @pytest.mark.parametrize(
        ("columns", "itemsize", "expected"),
        [
            pytest.param(5, 8, 5 * 8 + 5 * 4 + 6 * 4, id="small, float64"),
            pytest.param(5, 4, 5 * 4 + 5 * 4 + 6 * 4, id="small, float32"),
            pytest.param(2**31 - 1, 8, (2**31 - 1) * 12 + 2**31 * 4, id="the last of int32"),
            pytest.param(2**31, 8, 2**31 * 16 + (2**31 + 1) * 8, id="the first of int64"),
        ],
    )
    def test_bytes_are_data_and_indices_and_row_pointers(
        self, columns: int, itemsize: int, expected: int
    ) -> None:
        assert line(columns).matrix_bytes(itemsize) == expected

    @pytest.mark.parametrize(("transpose", "pointers"), [(False, 3 + 1), (True, 9 + 1)])
    def test_row_pointers_are_those_of_the_matrix_that_is_meant(
        self, transpose: bool, pointers: int
    ) -> None:
        taken = line(9, rows=3).matrix_bytes(8, transpose=transpose)
        assert taken == 3 * (8 + 4) + pointers * 4


class TestRefusals:
    @pytest.mark.parametrize(
        ("out_channels", "in_channels", "field"), [(3, 4, "out_channels"), (4, 3, "in_channels")]
    )
    def test_groups_divide_both_channel_counts(
        self, out_channels: int, in_channels: int, field: str
    ) -> None:
        axis = Axis.conv(input_size=3, kernel_size=1)
        with pytest.raises(GeometryError, match=f"got groups 2 with {field} 3") as caught:
            Convolution(out_channels=out_channels, in_channels=in_channels, axes=(axis,), groups=2)
        assert (caught.value.code, caught.value.field) == ("E111", "groups")

    def test_a_fold_that_reaches_too_far_names_its_axis(self) -> None:
        axes = (
            Axis.conv(input_size=3, kernel_size=3, before=1, after=1),
            Axis.conv(input_size=3, kernel_size=3, before=3, after=0),
        )
        with pytest.raises(GeometryError, match="got 3 on an input of 3 on axis 1") as caught:
            Convolution(out_channels=1, in_channels=1, axes=axes, padding_mode="reflect")
        error = caught.value
        assert (error.code, error.field, error.axis) == ("E116", "padding", 1)
