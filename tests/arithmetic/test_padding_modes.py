"""Padding that repeats the input: the positions that it reads, compared with numpy.pad."""

from __future__ import annotations

from typing import Literal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from convt_cli.arithmetic.axis import Axis
from convt_cli.arithmetic.padding_modes import FOLDS, PADDING_MODES, check_fold, folded_entries
from convt_cli.errors import GeometryError
from tests import oracle
from tests.strategies import FOLDING_MODES, folded_axes

NumpyMode = Literal["wrap", "reflect", "edge"]
NUMPY_MODES: dict[str, NumpyMode] = {
    "circular": "wrap",
    "reflect": "reflect",
    "replicate": "edge",
}
# mode -> the most padding that it takes, minus the size; replicate takes any
_FURTHEST = {"circular": 0, "reflect": -1, "replicate": 30}


def padded(size: int, mode: str) -> oracle.Array:
    """An axis padded by numpy.pad on both sides, by the most that `mode` allows."""
    return np.pad(np.arange(size), size + _FURTHEST[mode], mode=NUMPY_MODES[mode])


def positions(size: int, mode: str) -> range:
    reach = size + _FURTHEST[mode]
    return range(-reach, size + reach)


def axis_padded_by(before: int, after: int, *, input_size: int = 4) -> Axis:
    return Axis.conv(input_size=input_size, kernel_size=1, before=before, after=after)


class TestFolds:
    @pytest.mark.parametrize("mode", FOLDING_MODES)
    @pytest.mark.parametrize("size", [1, 2, 3, 4, 7])
    def test_arrays_of_positions_read_where_numpy_pads_from(self, mode: str, size: int) -> None:
        folded = FOLDS[mode](np.array(positions(size, mode)), size)
        np.testing.assert_array_equal(folded, padded(size, mode))

    @pytest.mark.parametrize("mode", FOLDING_MODES)
    @pytest.mark.parametrize("size", [1, 2, 3, 4, 7])
    def test_single_positions_read_where_numpy_pads_from(self, mode: str, size: int) -> None:
        folded = [FOLDS[mode](position, size) for position in positions(size, mode)]
        assert folded == padded(size, mode).tolist()

    @pytest.mark.parametrize("mode", FOLDING_MODES)
    def test_an_int_folds_to_an_int_of_any_length(self, mode: str) -> None:
        folded = FOLDS[mode](10**30 - 1, 10**30)
        assert folded == 10**30 - 1
        assert type(folded) is int

    def test_every_mode_but_zeros_has_a_fold(self) -> None:
        assert ("zeros", *FOLDS) == PADDING_MODES


class TestReach:
    @pytest.mark.parametrize(
        ("mode", "most"), [("circular", 4), ("reflect", 3), ("replicate", 40), ("zeros", 40)]
    )
    @pytest.mark.parametrize("swap", [False, True])
    def test_the_most_is_accepted_on_either_side(self, mode: str, most: int, swap: bool) -> None:
        check_fold(axis_padded_by(*((0, most) if swap else (most, 0))), mode)

    @pytest.mark.parametrize(("mode", "most"), [("circular", 4), ("reflect", 3)])
    @pytest.mark.parametrize("swap", [False, True])
    def test_one_more_is_refused_on_either_side(self, mode: str, most: int, swap: bool) -> None:
        axis = axis_padded_by(*((0, most + 1) if swap else (most + 1, 0)))
        with pytest.raises(GeometryError, match=f"at most {most} here: got {most + 1}") as caught:
            check_fold(axis, mode)
        assert (caught.value.code, caught.value.field) == ("E116", "padding")


class TestEntries:
    @settings(deadline=None, max_examples=150)
    @given(axis=folded_axes(), mode=st.sampled_from(FOLDING_MODES))
    def test_are_the_distinct_pairs_of_output_and_input(self, axis: Axis, mode: str) -> None:
        walk = oracle.walk(
            axis.input_size,
            kernel_size=axis.kernel_size,
            stride=axis.stride,
            pads=(axis.before, axis.after),
            dilation=axis.dilation,
            padding_mode=mode,
            output_size=axis.output_size,
        )
        pairs = {(output, source) for output, _, source in walk.meetings}
        assert folded_entries(axis, mode) == len(pairs)

    @pytest.mark.parametrize(
        ("mode", "entries"),
        [("circular", 3 * 10**12), ("reflect", 3 * 10**12 - 2), ("replicate", 3 * 10**12 - 2)],
    )
    def test_of_a_huge_axis_with_half_padding(self, mode: str, entries: int) -> None:
        axis = Axis.conv(input_size=10**12, kernel_size=3, before=1, after=1)
        assert folded_entries(axis, mode) == entries

    def test_too_many_border_taps_to_count_are_refused(self) -> None:
        axis = Axis.conv(input_size=10**6, kernel_size=10**6, before=10**5, after=10**5)
        with pytest.raises(GeometryError, match="takes at most 1,000,000 taps") as caught:
            check_fold(axis, "replicate")
        assert (caught.value.code, caught.value.field) == ("E116", "padding")
