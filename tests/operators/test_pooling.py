"""Pools on arrays: by hand, against loops over windows, and every adjoint by its dot-test."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from typing import NamedTuple

import numpy as np
import pytest

from convt_cli.arithmetic.axis import Axis
from convt_cli.arithmetic.keys import Ratio
from convt_cli.arithmetic.layers.pools import pool_axis
from convt_cli.arithmetic.spans import nearest_span, shared_span
from convt_cli.arithmetic.stencil import Stencil
from convt_cli.operators.pooling import (
    Walk,
    divided,
    elements_met,
    max_pool,
    max_pool_transpose,
    span_walk,
    taps_within,
    window_sum,
    window_sum_transpose,
    window_walk,
)
from tests.oracle import Array

Members = Callable[[int], list[int]]
"""The input positions of an output position's window."""


class Case(NamedTuple):
    """One axis: its walk, and the inputs of each output's window by brute force."""

    walk: Walk
    members: Members


def windowed(axis: Axis) -> Case:
    def members(output: int) -> list[int]:
        start = output * axis.stride - axis.before
        places = [start + tap * axis.dilation for tap in range(axis.kernel_size)]
        return [place for place in places if 0 <= place < axis.input_size]

    return Case(window_walk(axis), members)


def pooled(size: int, kernel_size: int, stride: int, padding: int = 0, dilation: int = 1) -> Case:
    """A pool that takes the ceiling."""
    stencil = Stencil(kernel_size=kernel_size, stride=stride, dilation=dilation)
    return windowed(pool_axis(size, stencil, (padding, padding), True))


def shared(size: int, outputs: int) -> Case:
    def members(output: int) -> list[int]:
        return [
            place
            for place in range(size)
            if (place + 1) * outputs > output * size and place * outputs < (output + 1) * size
        ]

    return Case(span_walk(shared_span(size, outputs), size, outputs), members)


def nearest(size: int, outputs: int) -> Case:
    walk = span_walk(nearest_span(Ratio.of(outputs, size)), size, outputs)
    return Case(walk, lambda output: [output * size // outputs])


CASES = [
    pytest.param([pooled(7, 3, 2)], id="overlapping"),
    pytest.param([pooled(8, 2, 2), pooled(6, 3, 3)], id="side-by-side"),
    pytest.param([pooled(8, 3, 2, padding=1), pooled(5, 2, 3)], id="padded-and-cut"),
    pytest.param([pooled(9, 2, 1, dilation=3), pooled(4, 3, 1, padding=1)], id="dilated"),
    pytest.param([pooled(3, 2, 2), pooled(4, 2, 1), pooled(5, 3, 2)], id="three-axes"),
    pytest.param([shared(7, 3), shared(5, 5)], id="adaptive"),
    pytest.param([shared(3, 7), shared(6, 1)], id="adaptive-to-more"),
    pytest.param([nearest(3, 7), nearest(8, 3)], id="nearest"),
    pytest.param([Case(span_walk(None, 6, 1), lambda _: list(range(6)))], id="whole-axis"),
]


def drawn(cases: list[Case]) -> Array:
    """(2, 3, *sizes) of few different integers, so that many are equal."""
    sizes = [case.walk.input_size for case in cases]
    array: Array = np.random.default_rng(len(sizes)).integers(-2, 3, (2, 3, *sizes))
    return array.astype(np.float64)


def walks_of(cases: list[Case]) -> list[Walk]:
    return [case.walk for case in cases]


def outputs_of(cases: list[Case]) -> list[int]:
    return [case.walk.output_size for case in cases]


def assert_adjoint(x: Array, y: Array, forward: Array, back: Array) -> None:
    """<A x, y> = <x, Aᵀ y>, on integers."""
    assert (forward * y).sum() == (x * back).sum()
    assert np.abs(back).sum() > 0


@pytest.mark.parametrize("cases", CASES)
class TestAgainstLoops:
    def test_the_maximum_and_the_first_place_of_it(self, cases: list[Case]) -> None:
        x = drawn(cases)
        largest, switches = max_pool(x, walks_of(cases))
        assert largest.shape == switches.shape == (2, 3, *outputs_of(cases))
        for item, channel, *output in np.ndindex(largest.shape):
            window = product(*(case.members(o) for case, o in zip(cases, output, strict=True)))
            plane = x[item, channel]
            found = max(window, key=lambda place: plane[place])  # the first of equals
            assert largest[item, channel, *output] == plane[found]
            expected = np.ravel_multi_index(found, plane.shape)
            assert switches[item, channel, *output] == expected

    def test_the_sum_and_the_number_of_elements(self, cases: list[Case]) -> None:
        x = drawn(cases)
        total = window_sum(x, walks_of(cases))
        counts = elements_met(walks_of(cases))
        for item, channel, *output in np.ndindex(total.shape):
            members = [case.members(o) for case, o in zip(cases, output, strict=True)]
            assert total[item, channel, *output] == x[item, channel][np.ix_(*members)].sum()
            assert [count[o] for count, o in zip(counts, output)] == [*map(len, members)]

    def test_the_adjoint_of_a_sum_is_its_transpose(self, cases: list[Case]) -> None:
        x, walks = drawn(cases), walks_of(cases)
        y = np.arange(1.0, 1 + 6 * np.prod(outputs_of(cases))).reshape(2, 3, *outputs_of(cases))
        assert_adjoint(x, y, window_sum(x, walks), window_sum_transpose(y, walks))

    def test_the_adjoint_of_a_maximum_is_its_transpose_at_the_switches(
        self, cases: list[Case]
    ) -> None:
        x, walks = drawn(cases), walks_of(cases)
        largest, switches = max_pool(x, walks)
        y = np.arange(1.0, 1 + largest.size).reshape(largest.shape)
        assert_adjoint(x, y, largest, max_pool_transpose(y, switches, walks))


class TestByHand:
    def test_ties_go_to_the_first(self) -> None:
        x = np.array([[[[5.0, 7, 7], [7, 7, 5], [5, 7, 7]]]])
        _, switches = max_pool(x, [window_walk(Axis.conv(input_size=3, kernel_size=2))] * 2)
        assert switches.tolist() == [[[[1, 1], [3, 4]]]]

    def test_overlaps_add_up(self) -> None:
        walks = [window_walk(Axis.conv(input_size=5, kernel_size=3))]
        x = np.array([[[0.0, 1, 9, 1, 0]]])
        _, switches = max_pool(x, walks)
        assert max_pool_transpose(np.array([[[1.0, 10, 100]]]), switches, walks).tolist() == [
            [[0, 0, 111, 0, 0]]
        ]

    def test_a_window_that_meets_nothing_gives_nothing_back(self) -> None:
        walks = [window_walk(Axis.conv(input_size=1, kernel_size=2, dilation=2, before=1, after=1))]
        largest, switches = max_pool(np.array([[[3.0]]]), walks)
        assert (largest.tolist(), switches.tolist()) == ([[[-np.inf]]], [[[-1]]])
        assert max_pool_transpose(np.ones((1, 1, 1)), switches, walks).tolist() == [[[0]]]

    def test_negative_numbers_beat_the_padding(self) -> None:
        walks = [window_walk(Axis.conv(input_size=2, kernel_size=2, before=1, after=1))]
        assert max_pool(np.array([[[-5.0, -3]]]), walks)[0].tolist() == [[[-5, -3, -3]]]

    def test_a_divisor_counts_padding_up_to_its_end_alone(self) -> None:
        """PyTorch's rule: with ceil_mode a window is cut off at size + padding."""
        axis = pool_axis(6, Stencil(kernel_size=3, stride=2), (1, 1), True)
        assert [count.tolist() for count in taps_within([axis], [1])] == [[3, 3, 3, 2]]
        assert elements_met([window_walk(axis)])[0].tolist() == [2, 3, 3, 1]

    def test_a_count_of_0_divides_by_1(self) -> None:
        assert divided(np.array([[[6.0, 6, 6]]]), [np.array([2, 0, 3])]).tolist() == [[[3, 6, 2]]]

    @pytest.mark.parametrize("dtype", [np.float32, np.float64])
    def test_the_dtype_stays(self, dtype: type[np.floating]) -> None:
        walks = [window_walk(Axis.conv(input_size=4, kernel_size=2, stride=2))]
        x = np.arange(4, dtype=dtype).reshape(1, 1, 4)
        largest, switches = max_pool(x, walks)
        mean = divided(window_sum(x, walks), [np.array([2, 2])])
        found = (largest, max_pool_transpose(largest, switches, walks), mean)
        assert {array.dtype for array in found} == {np.dtype(dtype)}

    def test_places_past_int32_are_counted_in_int64(self) -> None:
        walks = [Walk(input_size=2**16, output_size=1, taps=())] * 2
        assert max_pool(np.empty((0, 1, 2**16, 2**16)), walks)[1].dtype == np.int64
