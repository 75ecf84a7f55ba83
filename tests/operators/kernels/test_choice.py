"""The kernel chosen for a layer is the one that suits it, in tiles of a bounded size."""

from __future__ import annotations

from math import prod

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from convt_cli.arithmetic.convolution import Convolution
from convt_cli.operators.kernels import KERNELS, choice
from convt_cli.operators.kernels.choice import cheapest, choices, positions_per_tile
from convt_cli.operators.kernels.kernel import Kernel
from convt_cli.operators.kernels.polyphase import forward_branches, transpose_branches
from convt_cli.operators.kernels.workload import Workload
from convt_cli.operators.matrix_free import MatrixFree
from tests.layers import PRICED, Priced, same
from tests.operators.kernels.test_kernels import convolution_of, random_numbers
from tests.strategies import LARGEST, direct_axes, transposed_axes


def work(convolution: Convolution, *, forward: bool) -> Workload:
    """The workload of C (`forward`) or Cᵀ of a convolution, in float32."""
    sides = convolution.out_channels, convolution.in_channels
    rows, inner = sides if forward else sides[::-1]
    branches_of = forward_branches if forward else transpose_branches
    return Workload(
        branches=tuple(map(branches_of, convolution.axes)),
        rows=rows // convolution.groups,
        inner=inner // convolution.groups,
        sizes=convolution.output_shape[1:],
        groups=convolution.groups,
        itemsize=4,
        forward=forward,
    )


def works_of(out_channels: int, in_channels: int, size: int) -> list[Workload]:
    """The workloads of C and Cᵀ of a 3 by 3 convolution that keeps the size."""
    convolution = convolution_of(out_channels, in_channels, *[same(size)] * 2)
    return [work(convolution, forward=forward) for forward in (True, False)]


@st.composite
def works(draw: st.DrawFn) -> Workload:
    """A workload of any rank and direction, with up to thousands of channels."""
    forward, channels = draw(st.booleans()), st.integers(1, 3000)
    axes = draw(st.lists(direct_axes(LARGEST) | transposed_axes(LARGEST), min_size=1, max_size=3))
    assume(all(axis.entries() for axis in axes))  # where no tap meets an element, nothing is done
    return work(convolution_of(draw(channels), draw(channels), *axes), forward=forward)


every_priced = pytest.mark.parametrize("priced", PRICED, ids=str)


class TestKernel:
    @every_priced
    def test_is_the_one_that_suits_the_layer(self, priced: Priced) -> None:
        chosen = cheapest(work(priced.convolution, forward=priced.forward))
        assert chosen.kernel.name == priced.kernel

    @every_priced
    def test_is_what_the_layer_is_computed_by(self, priced: Priced) -> None:
        weight = random_numbers(priced.convolution.weight_shape, "float32")
        plan = MatrixFree(priced.convolution, weight, forward=priced.forward)
        assert plan._choice == cheapest(work(priced.convolution, forward=priced.forward))
        assert type(plan._kernel).name == priced.kernel

    @settings(deadline=None, max_examples=100)
    @given(drawn=works())
    def test_is_the_cheapest_and_col2im_can_do_what_is_read_with_step_1(
        self, drawn: Workload
    ) -> None:
        costs = {choice.kernel.name: choice.cost for choice in choices(drawn)}
        assert cheapest(drawn).cost == costs[cheapest(drawn).kernel.name] == min(costs.values())
        assert set(costs) >= {"im2col partial", "im2col full", "rows", "taps"}
        steps = {branch.source_step for axis in drawn.branches for branch in axis}
        assert ("col2im" in costs) == (steps == {1})

    @settings(deadline=None, max_examples=100)
    @given(drawn=works())
    def test_costs_at_least_its_multiply_adds(self, drawn: Workload) -> None:
        taps = 1
        for branches in drawn.branches:
            taps *= sum(len(taps) for branch in branches for taps in branch.taps)
        least = drawn.rows * drawn.inner * prod(drawn.sizes) * taps
        assert cheapest(drawn).cost >= least

    @settings(deadline=None, max_examples=60)
    @given(groups=st.integers(1, 4), forward=st.booleans())
    def test_is_chosen_for_one_group(self, groups: int, forward: bool) -> None:
        one = convolution_of(6, 10, same(9), same(9))
        several = convolution_of(6 * groups, 10 * groups, same(9), same(9), groups=groups)
        plan = MatrixFree(several, random_numbers(several.weight_shape, "float32"), forward=forward)
        assert plan._choice.kernel == cheapest(work(one, forward=forward)).kernel


class TestTileSize:
    def test_a_large_layer_has_two_tiles(self) -> None:
        for large in works_of(256, 128, 56):
            assert [-(-(56 * 56) // kernel.positions) for kernel in choices(large)] == [2] * len(
                KERNELS
            )

    def test_a_small_layer_has_one_tile(self) -> None:
        for small in works_of(64, 3, 32):
            assert all(kernel.positions >= 32 * 32 for kernel in choices(small))

    @settings(deadline=None, max_examples=100)
    @given(drawn=works())
    def test_two_threads_have_work_unless_tiles_would_be_short(self, drawn: Workload) -> None:
        taps = prod(sum(len(c.phases) * len(c.starts) for c in axis) for axis in drawn.branches)
        positions = prod(drawn.sizes)
        if drawn.rows * drawn.inner * taps * positions > choice._WORTH_TWO_THREADS:
            half = max(choice._FEWEST_POSITIONS, -(-positions // 2))
            assert all(kernel.positions <= half for kernel in choices(drawn))

    @given(size=st.integers(1, 2**40))
    def test_a_tile_has_a_position_and_no_more_bytes_than_the_largest(self, size: int) -> None:
        positions = positions_per_tile(size, Kernel.tile_bytes)
        assert positions >= 1
        assert positions == 1 or positions * size <= choice._LARGEST_TILE_BYTES

    @given(size=st.integers(1, 2**40))
    def test_a_tile_fits_the_cache_unless_its_products_would_be_short(self, size: int) -> None:
        positions = positions_per_tile(size, Kernel.tile_bytes)
        fits = positions * size <= Kernel.tile_bytes
        assert fits or positions <= choice._FEWEST_POSITIONS

    @given(size=st.integers(1, 2**26))
    def test_a_tile_is_as_large_as_that_allows(self, size: int) -> None:
        positions = positions_per_tile(size, Kernel.tile_bytes)
        one_more = (positions + 1) * size
        assert one_more > Kernel.tile_bytes
        assert positions >= choice._FEWEST_POSITIONS or one_more > choice._LARGEST_TILE_BYTES

    @given(size=st.integers(1, 2**30), more=st.integers(0, 2**30))
    def test_more_bytes_are_never_more_positions(self, size: int, more: int) -> None:
        assert positions_per_tile(size + more, Kernel.tile_bytes) <= positions_per_tile(
            size, Kernel.tile_bytes
        )
