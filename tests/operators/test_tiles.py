"""Tiles: boxes that make up the result, each with all of the source that it depends on.

The truth is the oracle's dense C: the C of a tile is the block of it at the tile's rows and
columns, and beside that block those rows hold nothing.
"""

from __future__ import annotations

from dataclasses import replace
from math import ceil, prod
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from convt_cli.arithmetic.axis import Axis
from convt_cli.arithmetic.convolution import Convolution
from convt_cli.operators.kernels import col2im, im2col, rows, scratch
from convt_cli.operators.matrix_free import MatrixFree, apply_forward, apply_transpose
from convt_cli.operators.tiles import Tile, tile_lengths, tiles
from tests import oracle
from tests.operators.kernels.test_kernels import Drawn, Forced, convolution_of, every_chosen, force
from tests.strategies import geometry, with_arrays, zero_padded_convolutions

SHORTEST = 8
MOST = 64 * 2**20

both_directions = pytest.mark.parametrize("forward", [True, False], ids=["C", "Cᵀ"])
plans = st.sampled_from([1, 2, 3, 5, 8, 20])


def dense(convolution: Convolution, weight: oracle.Array) -> oracle.Array:
    """The oracle's C as (out_channels, *output sizes, in_channels, *input sizes)."""
    matrix = oracle.matrix(weight, convolution.input_shape[1:], **geometry(convolution))
    return matrix.reshape(*convolution.output_shape, *convolution.input_shape)


def block(tile: Tile, *, forward: bool) -> tuple[slice, ...]:
    """Where a tile's part of C lies."""
    everything = slice(None)
    rows, columns = tile.results, tile.sources
    if not forward:
        rows, columns = columns, rows
    return (everything, *rows, everything, *columns)


def assert_part_of_the_matrix(
    convolution: Convolution, weight: oracle.Array, tile: Tile, *, forward: bool
) -> None:
    """The tile's own C is its block of the whole, beside which its results read nothing."""
    whole, inside = dense(convolution, weight), block(tile, forward=forward)
    np.testing.assert_array_equal(
        dense(replace(convolution, axes=tile.axes), weight), whole[inside]
    )
    results = block(replace(tile, sources=(slice(None),) * len(tile.axes)), forward=forward)
    whole[inside] = 0
    assert not whole[results].any()


class TestTiles:
    @both_directions
    @settings(deadline=None, max_examples=80)
    @given(convolution=zero_padded_convolutions(), positions=plans)
    def test_hold_every_result_once(
        self, forward: bool, convolution: Convolution, positions: int
    ) -> None:
        after = convolution.output_shape if forward else convolution.input_shape
        times = np.zeros(after[1:], int)
        for tile in tiles(convolution, positions, forward=forward):
            times[tile.results] += 1
            assert times[tile.results].shape == tile.result_sizes
        assert (times == 1).all()

    @both_directions
    @settings(deadline=None, max_examples=80)
    @given(convolution=zero_padded_convolutions(), positions=plans, number=st.integers(0, 99))
    def test_have_the_axes_of_their_part_of_the_matrix(
        self, forward: bool, convolution: Convolution, positions: int, number: int
    ) -> None:
        weight = np.arange(1, 1 + prod(convolution.weight_shape)).reshape(convolution.weight_shape)
        plan = list(tiles(convolution, positions, forward=forward))
        tile = plan[number % len(plan)]
        assert_part_of_the_matrix(convolution, weight, tile, forward=forward)

    @both_directions
    @settings(deadline=None, max_examples=60)
    @given(convolution=zero_padded_convolutions(), positions=plans)
    def test_come_in_row_major_order(
        self, forward: bool, convolution: Convolution, positions: int
    ) -> None:
        plan = list(tiles(convolution, positions, forward=forward))
        begins = [tuple(part.start for part in tile.results) for tile in plan]
        assert begins == sorted(begins)

    @settings(deadline=None, max_examples=60)
    @given(convolution=zero_padded_convolutions(), positions=plans)
    def test_of_the_transpose_begin_at_multiples_of_the_stride(
        self, convolution: Convolution, positions: int
    ) -> None:
        strides = [axis.stride for axis in convolution.axes]
        begins = [
            part.start % stride
            for tile in tiles(convolution, positions, forward=False)
            for part, stride in zip(tile.results, strides, strict=True)
        ]
        assert not any(begins)

    @both_directions
    def test_are_one_where_all_of_it_fits(self, forward: bool) -> None:
        axis = Axis.conv_transpose(input_size=5, kernel_size=4, stride=2, before=1, after=1)
        (tile,) = tiles(convolution_of(1, 1, axis, axis), 25, forward=forward)
        assert tile.axes == (axis, axis)
        assert (tile.results, tile.sources)[not forward] == (slice(0, 5),) * 2


class TestLengths:
    counts = st.lists(st.integers(1, 50), min_size=1, max_size=3)
    positions = st.integers(1, 3000)

    @given(counts=counts, positions=positions)
    def test_are_no_longer_than_their_axes_and_together_no_more_than_asked_for(
        self, counts: list[int], positions: int
    ) -> None:
        lengths = tile_lengths(counts, positions)
        assert all(1 <= length <= count for length, count in zip(lengths, counts, strict=True))
        assert prod(lengths) <= positions

    @given(counts=counts, more=st.integers(0, 100))
    def test_are_whole_where_all_fits(self, counts: list[int], more: int) -> None:
        assert tile_lengths(counts, prod(counts) + more) == counts

    @given(counts=counts, positions=positions, number=st.integers(0, 2))
    def test_are_cut_no_further_than_a_few_positions_of_the_earlier_axes_ask_for(
        self, counts: list[int], positions: int, number: int
    ) -> None:
        number %= len(counts)
        lengths = tile_lengths(counts, positions)
        kept = prod(min(count, SHORTEST) for count in counts[:number])
        parts = ceil(counts[number] / lengths[number])
        if parts > 2:  # in two parts fewer they would be too long; an odd one makes them even
            longer = ceil(counts[number] / (parts - 2))
            assert longer * prod(lengths[number + 1 :]) * kept > positions

    @given(counts=counts, positions=positions, number=st.integers(0, 2))
    def test_are_few_only_behind_axes_cut_to_one(
        self, counts: list[int], positions: int, number: int
    ) -> None:
        number %= len(counts)
        lengths = tile_lengths(counts, positions)
        few = lengths[number] < min(counts[number], SHORTEST)
        assert not few or set(lengths[number + 1 :]) <= {1}

    @pytest.mark.parametrize(
        ("counts", "positions", "lengths"),
        [
            ([9], 4, [4]),
            ([100, 100], 1000, [10, 100]),
            ([100, 100], 80, [8, 10]),
            ([100, 100], 4, [4, 1]),
            ([3, 100], 90, [3, 25]),
            ([100], 60, [50]),
            ([90], 31, [23]),
            ([9], 8, [8]),
            ([100, 1], 7, [7, 1]),
            ([20, 20, 20], 1, [1, 1, 1]),
            ([20, 20, 20], 100, [10, 10, 1]),
        ],
    )
    def test_worked_by_hand(self, counts: list[int], positions: int, lengths: list[int]) -> None:
        assert tile_lengths(counts, positions) == lengths


@every_chosen
@settings(deadline=None, max_examples=60)
@given(drawn=with_arrays(zero_padded_convolutions()), positions=plans)
def test_any_plan_gives_the_same_integers(forced: Forced, drawn: Drawn, positions: int) -> None:
    drawn_one, weight, x, y = drawn
    convolution = forced.suited(drawn_one)
    source = (x if forced.forward else y)[None]
    matrix = oracle.matrix(weight, convolution.input_shape[1:], **geometry(convolution))
    expected = (matrix if forced.forward else matrix.T) @ source.ravel()
    apply = apply_forward if forced.forward else apply_transpose
    with pytest.MonkeyPatch.context() as patch:
        force(patch, forced.kernel, positions)
        result = apply(convolution, weight, source)
    np.testing.assert_array_equal(result.ravel(), expected)


class TooMuchError(Exception):
    """More scratch memory than any tile may take."""


@pytest.fixture
def _little_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """Refuse intermediate arrays of more than `MOST` bytes, twice the size of a tile."""

    def guarded(_: str, shape: tuple[int, ...], dtype: np.dtype[Any]) -> oracle.Array:
        if prod(shape) * dtype.itemsize > MOST:
            raise TooMuchError(f"{prod(shape) * dtype.itemsize / 2**20:,.0f} MiB: {shape}")
        return np.empty(shape, dtype)

    for module in (im2col, rows, col2im, scratch):
        monkeypatch.setattr(module, "scratch", guarded)


def conv(size: int, kernel_size: int, *, stride: int = 1, dilation: int = 1, pad: int = 0) -> Axis:
    return Axis.conv(
        input_size=size,
        kernel_size=kernel_size,
        stride=stride,
        dilation=dilation,
        before=pad,
        after=pad,
    )


FAR_APART = [
    pytest.param(
        convolution_of(1, 100, conv(2, 2, stride=10**6), conv(1000, 1)),
        id="a stride far beyond the input",
    ),
    pytest.param(
        convolution_of(4, 64, conv(4, 3, dilation=10**5, pad=10**5), conv(50, 3, pad=1)),
        id="a dilation far beyond the input",
    ),
    pytest.param(
        convolution_of(64, 2, conv(4, 3, pad=1), conv(4, 3, dilation=10**5, pad=10**5)),
        id="a dilation far beyond the input, on the last axis",
    ),
    pytest.param(
        convolution_of(
            100, 2, conv(8, 3), Axis.conv(input_size=10**5, kernel_size=3, output_size=4)
        ),
        id="few outputs are kept",
    ),
    pytest.param(
        convolution_of(100, 2, conv(8, 3), conv(10**5, 3, pad=-49000)),
        id="most of the input is cropped",
    ),
    pytest.param(
        convolution_of(8, 256, conv(40_000, 2, stride=64)), id="a stride beyond the kernel"
    ),
]


@pytest.mark.usefixtures("_little_memory")
class TestScratchMemory:
    """However far apart taps, windows and results lie, a tile takes a tile's memory."""

    @both_directions
    @pytest.mark.parametrize("convolution", FAR_APART)
    def test_is_bounded_and_so_is_the_result_right(
        self, forward: bool, convolution: Convolution
    ) -> None:
        weight = np.ones(convolution.weight_shape)
        if forward:
            result = apply_forward(convolution, weight, np.ones((1, *convolution.input_shape)))
            met, channels = per_output(convolution), convolution.in_channels
        else:
            result = apply_transpose(convolution, weight, np.ones((1, *convolution.output_shape)))
            met, channels = per_input(convolution), convolution.out_channels
        np.testing.assert_array_equal(result[0, 0], met * channels)

    @both_directions
    def test_is_used_where_c_has_no_entry_as_well(self, forward: bool) -> None:
        axis = Axis(input_size=100_000, output_size=100_000, kernel_size=1, before=200_000)
        convolution = convolution_of(1, 1, axis)
        assert convolution.nnz == 0
        plan = MatrixFree(convolution, np.ones((1, 1, 1)), forward=forward)
        assert len(list(plan.tiles())) == 1
        apply = apply_forward if forward else apply_transpose
        assert not apply(convolution, np.ones((1, 1, 1)), np.ones((1, 1, 100_000))).any()

    @both_directions
    @pytest.mark.parametrize("channels", [(1, 100_000), (100_000, 1)])
    def test_is_bounded_for_many_channels(self, forward: bool, channels: tuple[int, int]) -> None:
        convolution = convolution_of(*channels, conv(16, 3, pad=1), conv(16, 3, pad=1))
        plan = MatrixFree(convolution, np.ones(convolution.weight_shape), forward=forward)
        tile = next(plan.tiles())
        after, before = channels if forward else channels[::-1]
        sizes = [part.stop - part.start for part in tile.sources]
        result = np.empty((1, after, *tile.result_sizes))
        plan.fill(tile, np.ones((1, before, *sizes)), result)
        assert result.nbytes <= MOST
        assert result[0, 0, 0, 0] == before * 4

    @both_directions
    def test_is_bounded_with_the_boxes_of_a_large_stride(self, forward: bool) -> None:
        axis = Axis.conv_transpose(input_size=300, kernel_size=3, stride=100)
        convolution = convolution_of(8, 8, axis, axis)
        plan = MatrixFree(convolution, np.ones(convolution.weight_shape), forward=forward)
        tile = next(plan.tiles())
        sizes = [part.stop - part.start for part in tile.sources]
        assert 8 * 8 * max(prod(sizes), prod(tile.result_sizes)) <= MOST


def per_output(convolution: Convolution) -> oracle.Array:
    """How many taps of every output's window lie inside the input."""
    return over_axes(
        [
            [past - first for first, past in map(axis.taps_of_output, range(axis.output_size))]
            for axis in convolution.axes
        ]
    )


def per_input(convolution: Convolution) -> oracle.Array:
    """How many windows and taps of theirs read every input."""
    counts = []
    for axis in convolution.axes:
        met = np.zeros(axis.input_size, int)
        for tap in range(axis.kernel_size):
            outputs = np.arange(*axis.outputs_of_tap(tap))
            met[outputs * axis.stride + tap * axis.dilation - axis.before] += 1
        counts.append(met.tolist())
    return over_axes(counts)


def over_axes(counts: list[list[int]]) -> oracle.Array:
    total = np.ones((), int)
    for count in counts:
        total = total[..., None] * np.array(count)
    return total
