"""The kernel chosen for a layer is the one that suits it, in tiles of a bounded size."""

from __future__ import annotations

from math import prod

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from convt_cli.arithmetic.axis import Axis
from convt_cli.arithmetic.convolution import Convolution
from convt_cli.operators.kernels import choice
from convt_cli.operators.kernels.choice import Workload, cheapest, positions_per_tile
from convt_cli.operators.kernels.col2im import Col2im
from convt_cli.operators.kernels.im2col import Im2col
from convt_cli.operators.kernels.polyphase import forward_branches, transpose_branches
from convt_cli.operators.kernels.rows import Rows
from convt_cli.operators.matrix_free import MatrixFree
from tests.operators.kernels.test_kernels import convolution_of, random_numbers
from tests.strategies import LARGEST, direct_axes, transposed_axes


def transposed(size: int, kernel_size: int, stride: int) -> Axis:
    """A transposed axis from `size` to size * stride elements."""
    pad = (kernel_size - stride) // 2
    return Axis.conv_transpose(
        input_size=size, kernel_size=kernel_size, stride=stride, before=pad, after=pad
    )


def same(size: int, kernel_size: int = 3) -> Axis:
    """A direct axis that keeps the size."""
    pad = kernel_size // 2
    return Axis.conv(input_size=size, kernel_size=kernel_size, before=pad, after=pad)


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


LAYERS = [
    pytest.param(
        convolution_of(1024, 512, *[transposed(4, 4, 2)] * 2),
        False,
        "col2im",
        id="a layer of DCGAN reads a large weight once",
    ),
    pytest.param(
        convolution_of(64, 64, *[same(224)] * 2),
        True,
        "rows",
        id="a layer of VGG is computed row by row",
    ),
    pytest.param(
        convolution_of(512, 512, *[same(28)] * 2),
        True,
        "im2col full",
        id="many channels would be copied for each of many short rows",
    ),
    pytest.param(
        convolution_of(64, 64, *[same(112, 5)] * 2),
        True,
        "im2col partial",
        id="so long a sum would copy its matrix for each row",
    ),
    pytest.param(
        convolution_of(960, 960, *[same(7, 5)] * 2, groups=960),
        True,
        "im2col partial",
        id="many very short rows would be as many products",
    ),
    pytest.param(
        convolution_of(16, 32, Axis.conv(input_size=65536, kernel_size=25, stride=4)),
        True,
        "im2col partial",
        id="a long kernel on a single axis copies nothing for its taps",
    ),
    pytest.param(
        convolution_of(21, 21, *[transposed(28, 16, 8)] * 2),
        False,
        "im2col full",
        id="upsampling by 8 with few channels sums over channels and taps at once",
    ),
    pytest.param(
        convolution_of(3, 64, *[same(224)] * 2),
        True,
        "col2im",
        id="few results of stride 1 are sums of what many channels send",
    ),
    pytest.param(
        convolution_of(64, 1, *[same(224)] * 2),
        True,
        "rows",
        id="of one channel alone no more is copied than must be",
    ),
    pytest.param(
        convolution_of(512, 512, same(7, 1), same(7, 1)),
        True,
        "im2col full",
        id="a kernel of one tap is one product",
    ),
]


class TestKernel:
    @pytest.mark.parametrize(("convolution", "forward", "kernel"), LAYERS)
    def test_is_the_one_that_suits_the_layer(
        self, convolution: Convolution, forward: bool, kernel: str
    ) -> None:
        assert cheapest(work(convolution, forward=forward)).kernel == kernel

    @pytest.mark.parametrize(("convolution", "forward", "kernel"), LAYERS)
    def test_is_what_the_layer_is_computed_by(
        self, convolution: Convolution, forward: bool, kernel: str
    ) -> None:
        weight = random_numbers(convolution.weight_shape, "float32")
        plan = MatrixFree(convolution, weight, forward=forward)
        assert plan._choice == cheapest(work(convolution, forward=forward))
        kinds = {"rows": Rows, "col2im": Col2im}
        assert isinstance(plan._kernel, kinds.get(kernel, Im2col))
        flat = {"im2col partial": False, "im2col full": True}.get(kernel)
        assert getattr(plan._kernel, "_all_axes", None) is flat

    @settings(deadline=None, max_examples=100)
    @given(drawn=works())
    def test_is_the_cheapest_and_col2im_can_do_what_is_read_with_step_1(
        self, drawn: Workload
    ) -> None:
        costs = {choice.kernel: choice.cost for choice in drawn.choices()}
        assert cheapest(drawn).cost == costs[cheapest(drawn).kernel] == min(costs.values())
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
            assert [-(-(56 * 56) // kernel.positions) for kernel in large.choices()] == [2] * 5

    def test_a_small_layer_has_one_tile(self) -> None:
        for small in works_of(64, 3, 32):
            assert all(kernel.positions >= 32 * 32 for kernel in small.choices())

    @settings(deadline=None, max_examples=100)
    @given(drawn=works())
    def test_two_threads_have_work_unless_tiles_would_be_short(self, drawn: Workload) -> None:
        taps = prod(sum(len(c.phases) * len(c.starts) for c in axis) for axis in drawn.branches)
        positions = prod(drawn.sizes)
        if drawn.rows * drawn.inner * taps * positions > choice._WORTH_TWO_THREADS:
            half = max(choice._FEWEST_POSITIONS, -(-positions // 2))
            assert all(kernel.positions <= half for kernel in drawn.choices())

    @given(size=st.integers(1, 2**40))
    def test_a_tile_has_a_position_and_no_more_bytes_than_the_largest(self, size: int) -> None:
        positions = positions_per_tile(size)
        assert positions >= 1
        assert positions == 1 or positions * size <= choice._LARGEST_TILE_BYTES

    @given(size=st.integers(1, 2**40))
    def test_a_tile_fits_the_cache_unless_its_products_would_be_short(self, size: int) -> None:
        positions = positions_per_tile(size)
        fits = positions * size <= choice._TILE_BYTES
        assert fits or positions <= choice._FEWEST_POSITIONS

    @given(size=st.integers(1, 2**26))
    def test_a_tile_is_as_large_as_that_allows(self, size: int) -> None:
        positions = positions_per_tile(size)
        one_more = (positions + 1) * size
        assert one_more > choice._TILE_BYTES
        assert positions >= choice._FEWEST_POSITIONS or one_more > choice._LARGEST_TILE_BYTES

    @given(size=st.integers(1, 2**30), more=st.integers(0, 2**30))
    def test_more_bytes_are_never_more_positions(self, size: int, more: int) -> None:
        assert positions_per_tile(size + more) <= positions_per_tile(size)
