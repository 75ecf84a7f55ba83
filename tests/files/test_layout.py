"""How an array comes as a batch, and how its result goes back in the form in which it came.

An array is (channels, *spatial), the same with a batch axis, or flat; with `channels_last` the
channels stand last; a text file may leave out the axis of a single channel.
"""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from convt_cli.arithmetic.vocabulary import LAYOUTS
from convt_cli.errors import ArrayError
from convt_cli.files.layout import Form, arrange, axes_in_file, form_of, give_back, shape_in_file

Array = NDArray[Any]
Shape = tuple[int, ...]


def numbered(*shape: int) -> Array:
    return np.arange(prod(shape)).reshape(shape)


def assert_arranged(
    array: Array,
    expected: Shape,
    batch: Array,
    *,
    layout: str = "channels_first",
    text: bool = False,
) -> None:
    """The array becomes this batch, and the batch goes back as the array."""
    found, form = arrange(array, expected, layout, text=text)
    np.testing.assert_array_equal(found, batch)
    back = give_back(found, form, text=text)
    assert back.shape == array.shape
    np.testing.assert_array_equal(back, array)


class TestChannelsFirst:
    @pytest.mark.parametrize("shape", [(2, 5), (1, 5), (3, 4, 5), (2, 1, 1), (2, 3, 4, 5)], ids=str)
    def test_without_a_batch_axis_it_is_one(self, shape: Shape) -> None:
        assert_arranged(numbered(*shape), shape, numbered(1, *shape))

    @pytest.mark.parametrize("batch", [1, 2, 7])
    @pytest.mark.parametrize("shape", [(2, 5), (3, 4, 5), (1, 2, 3, 4)], ids=str)
    def test_with_one_it_is_that(self, shape: Shape, batch: int) -> None:
        assert_arranged(numbered(batch, *shape), shape, numbered(batch, *shape))

    @pytest.mark.parametrize("shape", [(2, 5), (3, 4, 5), (2, 3, 4, 5), (1, 1)], ids=str)
    def test_flat_it_is_row_major(self, shape: Shape) -> None:
        assert_arranged(numbered(prod(shape)), shape, numbered(1, *shape))


class TestChannelsLast:
    @pytest.mark.parametrize("shape", [(2, 5), (3, 4, 5), (2, 3, 4, 5)], ids=str)
    def test_the_channels_come_to_the_front(self, shape: Shape) -> None:
        last = np.moveaxis(numbered(*shape), 0, -1)
        assert_arranged(last, shape, numbered(1, *shape), layout="channels_last")

    @pytest.mark.parametrize("shape", [(2, 5), (3, 4, 5), (2, 3, 4, 5)], ids=str)
    def test_behind_a_batch_axis_as_well(self, shape: Shape) -> None:
        last = np.moveaxis(numbered(6, *shape), 1, -1)
        assert_arranged(last, shape, numbered(6, *shape), layout="channels_last")

    def test_flat_it_is_row_major_with_the_channels_last(self) -> None:
        last = np.moveaxis(numbered(2, 3, 4), 0, -1)
        assert_arranged(last.ravel(), (2, 3, 4), numbered(1, 2, 3, 4), layout="channels_last")


class TestText:
    def test_a_single_channel_s_axis_may_be_left_out(self) -> None:
        assert_arranged(numbered(3, 4), (1, 3, 4), numbered(1, 1, 3, 4), text=True)

    @pytest.mark.parametrize("shape", [(1, 5), (5, 1)], ids=str)
    def test_a_row_or_a_column_is_one_axis(self, shape: Shape) -> None:
        batch, _ = arrange(numbered(*shape), (1, 5), "channels_first", text=True)
        assert batch.tolist() == [[[0, 1, 2, 3, 4]]]

    def test_several_channels_of_one_axis_are_rows(self) -> None:
        assert_arranged(numbered(3, 4), (3, 4), numbered(1, 3, 4), text=True)

    def test_several_channels_of_one_axis_are_columns_with_the_channels_last(self) -> None:
        assert_arranged(
            numbered(3, 4).T, (3, 4), numbered(1, 3, 4), layout="channels_last", text=True
        )

    def test_a_single_channel_is_written_without_its_axis(self) -> None:
        batch, form = arrange(numbered(1, 3, 4), (1, 3, 4), "channels_first", text=False)
        assert give_back(batch, form, text=True).shape == (3, 4)

    def test_several_channels_keep_theirs(self) -> None:
        batch, form = arrange(numbered(2, 3, 4), (2, 3, 4), "channels_first", text=False)
        assert give_back(batch, form, text=True).shape == (2, 3, 4)

    def test_a_result_of_several_channels_has_theirs(self) -> None:
        _, form = arrange(numbered(3, 4), (1, 3, 4), "channels_first", text=True)
        assert give_back(numbered(1, 2, 3, 4), form, text=False).shape == (2, 3, 4)

    def test_only_a_text_file_may_leave_it_out(self) -> None:
        with pytest.raises(ArrayError):
            arrange(numbered(3, 4), (1, 3, 4), "channels_first", text=False)


class TestRefused:
    @pytest.mark.parametrize("layout", LAYOUTS)
    @pytest.mark.parametrize(
        "shape",
        [(), (2, 4, 3), (4, 3), (23,), (25,), (24, 1), (1, 1, 2, 3, 4), (0, 2, 3, 4), (0,), (3, 8)],
        ids=str,
    )
    def test_any_other_shape_is(self, layout: str, shape: Shape) -> None:
        with pytest.raises(ArrayError) as caught:
            arrange(numbered(*shape), (2, 3, 4), layout, text=False)
        assert caught.value.code == "E301"
        assert caught.value.value == f"got {shape}"

    def test_the_message_says_the_shape_in_the_file_s_layout(self) -> None:
        with pytest.raises(ArrayError, match=r"must be \(3, 4, 2\)"):
            arrange(numbered(5), (2, 3, 4), "channels_last", text=False)


class TestPlacesInFiles:
    @pytest.mark.parametrize(
        ("form", "fortran", "axes"),
        [
            (Form(channels_last=False), False, (0, 1, 2, 3)),
            (Form(channels_last=True), False, (0, 2, 3, 1)),
            (Form(channels_last=False), True, (3, 2, 1, 0)),
            (Form(channels_last=True), True, (1, 3, 2, 0)),
            (Form(channels_last=False, flat=True), True, (0, 1, 2, 3)),
            (Form(channels_last=True, flat=True), True, (0, 2, 3, 1)),
        ],
        ids=str,
    )
    def test_the_axes_are_in_the_file_s_order(
        self, form: Form, fortran: bool, axes: tuple[int, ...]
    ) -> None:
        assert axes_in_file(form, 2, fortran=fortran) == axes

    @pytest.mark.parametrize("layout", LAYOUTS)
    @pytest.mark.parametrize("given", [(2, 3, 4), (1, 2, 3, 4), (5, 2, 3, 4), (24,)], ids=str)
    def test_the_shape_is_that_of_what_goes_back(self, given: Shape, layout: str) -> None:
        array = numbered(*given)
        if layout == "channels_last" and len(given) > 1:
            array = np.moveaxis(array, -3, -1)
        batch, form = arrange(array, (2, 3, 4), layout, text=False)
        assert form == form_of(array.shape, (2, 3, 4), layout, text=False)
        result = numbered(len(batch), 7, 5, 6)
        back = give_back(result, form, text=False)
        assert shape_in_file(form, len(batch), (7, 5, 6)) == back.shape


@given(
    shape=st.lists(st.integers(1, 4), min_size=2, max_size=4).map(tuple),
    batch=st.integers(0, 3),
    layout=st.sampled_from(LAYOUTS),
    flat=st.booleans(),
)
def test_whatever_comes_goes_back_as_it_came(
    shape: Shape, batch: int, layout: str, flat: bool
) -> None:
    outside = (*shape[1:], shape[0]) if layout == "channels_last" else shape
    array = numbered(prod(shape)) if flat else numbered(*((batch,) if batch else ()), *outside)
    found, form = arrange(array, shape, layout, text=False)
    assert found.shape[1:] == shape
    back = give_back(found, form, text=False)
    assert back.shape == array.shape
    np.testing.assert_array_equal(back, array)
