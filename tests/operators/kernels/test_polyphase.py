"""Branches by brute force: each (result, tap, source) of the one relation is in them once."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from convt_cli.arithmetic.axis import Axis
from convt_cli.operators.kernels.polyphase import (
    UNIT,
    Branch,
    all_covered,
    forward_branches,
    transpose_branches,
)
from tests.strategies import axes

Meetings = list[tuple[int, int, int]]


def relation(axis: Axis) -> Meetings:
    """Every (output, tap, input) with input = output * stride + tap * dilation - before."""
    return [
        (output, tap, place)
        for output in range(axis.output_size)
        for tap in range(axis.kernel_size)
        if (place := output * axis.stride + tap * axis.dilation - axis.before) >= 0
        if place < axis.input_size
    ]


def read(branches: tuple[Branch, ...], results: int, sources: int) -> Meetings:
    """Every (result, tap, source) that branches read, by their docstring, as often as they do."""
    return [
        (result, taps[number], source)
        for branch in branches
        for phase, taps in zip(branch.phases, branch.taps, strict=True)
        for number, start in enumerate(branch.starts)
        for step in range(branch.length)
        if (result := phase + step * branch.result_step) < results
        if 0 <= (source := start + step * branch.source_step) < sources
    ]


BOTH = [
    pytest.param(forward_branches, lambda axis: axis.output_size, id="C"),
    pytest.param(transpose_branches, lambda axis: axis.input_size, id="Cᵀ"),
]


class TestMeetings:
    @settings(deadline=None, max_examples=200)
    @given(axis=axes())
    def test_of_the_matrix_come_out_once_each(self, axis: Axis) -> None:
        met = read(forward_branches(axis), axis.output_size, axis.input_size)
        assert sorted(met) == sorted(relation(axis))

    @settings(deadline=None, max_examples=200)
    @given(axis=axes())
    def test_of_its_transpose_come_out_once_each(self, axis: Axis) -> None:
        met = read(transpose_branches(axis), axis.input_size, axis.output_size)
        expected = [(place, tap, output) for output, tap, place in relation(axis)]
        assert sorted(met) == sorted(expected)

    @pytest.mark.parametrize(
        "axis",
        [
            Axis.conv(input_size=3, kernel_size=2, stride=10**9),
            Axis.conv(input_size=3, kernel_size=3, dilation=10**9, before=10**9, after=10**9),
            Axis.conv(input_size=3, kernel_size=2, stride=10**9, before=7, after=3 * 10**9),
        ],
    )
    def test_come_out_once_each_however_far_apart(self, axis: Axis) -> None:
        met = read(transpose_branches(axis), axis.input_size, axis.output_size)
        assert sorted(met) == sorted((i, tap, o) for o, tap, i in relation(axis))


@pytest.mark.parametrize(("branches_of", "size_of"), BOTH)
class TestForm:
    @settings(deadline=None, max_examples=100)
    @given(axis=axes())
    def test_phases_are_apart_and_below_the_step(
        self, branches_of: Callable[[Axis], tuple[Branch, ...]], size_of: Any, axis: Axis
    ) -> None:
        branches = branches_of(axis)
        assume(branches)
        phases = [phase for branch in branches for phase in branch.phases]
        (step,) = {branch.result_step for branch in branches}
        assert len(set(phases)) == len(phases)
        assert set(phases) <= set(range(step))

    @settings(deadline=None, max_examples=100)
    @given(axis=axes())
    def test_a_phase_has_as_many_results_as_its_branch_is_long_or_one_fewer(
        self, branches_of: Callable[[Axis], tuple[Branch, ...]], size_of: Any, axis: Axis
    ) -> None:
        results = range(size_of(axis))
        for branch in branches_of(axis):
            counts = [len(results[branch.results(number)]) for number in range(len(branch.phases))]
            assert counts[0] == branch.length
            assert set(counts) <= {branch.length, branch.length - 1}

    @settings(deadline=None, max_examples=100)
    @given(axis=axes())
    def test_taps_that_read_alike_are_one_branch(
        self, branches_of: Callable[[Axis], tuple[Branch, ...]], size_of: Any, axis: Axis
    ) -> None:
        branches = branches_of(axis)
        starts = [branch.starts for branch in branches]
        assert len(set(starts)) == len(starts)
        assert all(list(start) == sorted(set(start)) for start in starts)
        assert {len(taps) for branch in branches for taps in branch.taps} <= set(map(len, starts))

    @settings(deadline=None, max_examples=100)
    @given(axis=axes())
    def test_a_phases_taps_lie_evenly_apart(
        self, branches_of: Callable[[Axis], tuple[Branch, ...]], size_of: Any, axis: Axis
    ) -> None:
        for taps in (taps for branch in branches_of(axis) for taps in branch.taps):
            gaps = {after - before for before, after in pairwise(taps)}
            assert len(gaps) <= 1


class TestCovered:
    @settings(deadline=None, max_examples=200)
    @given(drawn=st.lists(axes(), min_size=1, max_size=3))
    def test_are_all_where_each_phase_of_each_axis_has_a_tap(self, drawn: list[Axis]) -> None:
        tapped = [{place % axis.stride for _, _, place in relation(axis)} for axis in drawn]
        assume(all(tapped))
        every = all(len(tapped[n]) == axis.stride for n, axis in enumerate(drawn))
        assert all_covered(tuple(map(transpose_branches, drawn))) == every

    @settings(deadline=None, max_examples=100)
    @given(drawn=st.lists(axes(), min_size=1, max_size=3))
    def test_are_all_of_the_direct_convolution(self, drawn: list[Axis]) -> None:
        branches = tuple(map(forward_branches, drawn))
        assume(all(branches))
        assert all_covered(branches)

    @settings(deadline=None, max_examples=100)
    @given(axis=axes())
    def test_leave_out_only_what_reads_nothing(self, axis: Axis) -> None:
        results = range(axis.input_size)
        inside = {
            result
            for branch in transpose_branches(axis)
            for number in range(len(branch.phases))
            for result in results[branch.results(number)]
        }
        assert {place for _, _, place in relation(axis)} <= inside
        branches = transpose_branches(axis)
        assert not branches or not all_covered((branches,)) or inside == set(results)


class TestByHand:
    def test_upsampling_by_two_has_two_branches(self) -> None:
        """Result 2b adds taps 3 and 1, result 2b + 1 taps 2 and 0, one source further on."""
        axis = Axis.conv_transpose(input_size=4, kernel_size=4, stride=2, before=1, after=1)
        even, odd = transpose_branches(axis)
        assert (even.phases, even.taps, even.starts) == ((0,), ((3, 1),), (-1, 0))
        assert (odd.phases, odd.taps, odd.starts) == ((1,), ((2, 0),), (0, 1))

    def test_phases_that_read_the_same_sources_are_one(self) -> None:
        """Without padding a kernel of two strides has all phases read alike."""
        axis = Axis.conv_transpose(input_size=4, kernel_size=4, stride=2)
        (branch,) = transpose_branches(axis)
        assert (branch.phases, branch.taps, branch.starts) == ((0, 1), ((2, 0), (3, 1)), (-1, 0))

    def test_the_unit_is_the_branch_of_an_axis_of_one(self) -> None:
        axis = Axis.conv(input_size=1, kernel_size=1)
        assert forward_branches(axis) == transpose_branches(axis) == (UNIT,)
