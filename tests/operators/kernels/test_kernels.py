"""Every kernel on its own, in both directions, compared with the naive oracle and with itself.

`matrix_free` chooses one kernel for a layer; here each has to do every layer.  Result arrays are
filled with a number that no sum is equal to, so that an element left out shows.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings

from convt_cli.arithmetic.axis import Axis
from convt_cli.arithmetic.convolution import Convolution, Shape
from convt_cli.operators.kernels import KERNELS
from convt_cli.operators.kernels.choice import Choice
from convt_cli.operators.kernels.im2col import PartialIm2col
from convt_cli.operators.kernels.kernel import Kernel
from convt_cli.operators.kernels.polyphase import forward_branches, transpose_branches
from convt_cli.operators.kernels.taps import Taps
from convt_cli.operators.matrix_free import MatrixFree, apply_forward, apply_transpose
from tests import oracle
from tests.layers import ZERO_PADDED
from tests.strategies import geometry, with_arrays, zero_padded_convolutions

Array = oracle.Array
Drawn = tuple[Convolution, Array, Array, Array]

UNWRITTEN = 10**9 + 7


@dataclass(frozen=True)
class Forced:
    """One kernel in one direction."""

    kernel: type[Kernel]
    forward: bool

    def __str__(self) -> str:
        return f"{self.kernel.name}, {'C' if self.forward else 'Cᵀ'}"

    def suited(self, convolution: Convolution) -> Convolution:
        """The convolution, with stride 1 where the kernel reads nothing else; its sizes stay."""
        if self.kernel.name == "col2im" and self.forward:
            return replace(convolution, axes=tuple(replace(a, stride=1) for a in convolution.axes))
        return convolution

    def shapes(self, convolution: Convolution) -> tuple[Shape, Shape]:
        """The shapes of the source and of the result."""
        both = convolution.input_shape, convolution.output_shape
        return both if self.forward else both[::-1]

    def fill(self, convolution: Convolution, weight: Array, source: Array, result: Array) -> None:
        """Fill `result` from `source`, both (batch, channels, *sizes), by the kernel itself."""
        grouped = weight.reshape(convolution.groups, -1, *weight.shape[1:])
        turned = grouped if self.forward else grouped.swapaxes(1, 2)
        branches_of = forward_branches if self.forward else transpose_branches
        branches = tuple(map(branches_of, convolution.axes))
        if not all(branches):  # as in MatrixFree: no tap meets any source
            result[...] = 0
        else:
            self.kernel(turned)(branches, source, result)

    def on(self, convolution: Convolution, weight: Array, source: Array) -> Array:
        """The result for a batch."""
        _, after = self.shapes(convolution)
        result = np.full((len(source), *after), UNWRITTEN, source.dtype)
        self.fill(convolution, weight, source, result)
        return result


FORWARD, TRANSPOSE = ([Forced(kernel, forward) for kernel in KERNELS] for forward in (True, False))
CHOSEN = [forced for forced in FORWARD + TRANSPOSE if forced.kernel is not Taps]
"""The kernels that use scratch memory."""

every_kernel = pytest.mark.parametrize("forced", FORWARD + TRANSPOSE, ids=str)
every_chosen = pytest.mark.parametrize("forced", CHOSEN, ids=str)


def dense(forced: Forced, convolution: Convolution, weight: Array) -> Array:
    """The oracle's C or Cᵀ, whichever the direction asks for."""
    sizes = convolution.input_shape[1:]
    matrix = oracle.matrix(weight, sizes, **geometry(convolution))
    return matrix if forced.forward else matrix.T


def times(matrix: Array, source: Array, shape: Shape) -> Array:
    """The matrix on every item of a batch."""
    columns: Array = matrix @ source.reshape(len(source), -1).T
    return columns.T.reshape(len(source), *shape)


def random_integers(shape: Shape) -> Array:
    return np.random.default_rng(list(shape)).integers(-9, 10, shape)


def random_numbers(shape: Shape, dtype: Any) -> Array:
    random = np.random.default_rng(list(shape))
    numbers = random.standard_normal(shape) + 1j * random.standard_normal(shape)
    return (numbers if np.dtype(dtype).kind == "c" else numbers.real).astype(dtype)


def convolution_of(
    out_channels: int, in_channels: int, *axes: Axis, groups: int = 1
) -> Convolution:
    return Convolution(out_channels=out_channels, in_channels=in_channels, axes=axes, groups=groups)


def assert_is_the_oracles(
    forced: Forced, convolution: Convolution, weight: Array, source: Array
) -> None:
    """Exactly: the arrays hold integers."""
    expected = times(dense(forced, convolution, weight), source, forced.shapes(convolution)[1])
    np.testing.assert_array_equal(forced.on(convolution, weight, source), expected)


def assert_same_bytes(first: Array, second: Array) -> None:
    assert (first.shape, first.dtype) == (second.shape, second.dtype)
    assert first.tobytes() == second.tobytes()


@every_kernel
class TestIntegers:
    @settings(deadline=None, max_examples=60)
    @given(drawn=with_arrays(zero_padded_convolutions()))
    def test_are_the_oracles(self, forced: Forced, drawn: Drawn) -> None:
        drawn_one, weight, x, y = drawn
        convolution = forced.suited(drawn_one)
        one = (x if forced.forward else y)[None]
        assert_is_the_oracles(forced, convolution, weight, np.concatenate([one, 1 - one]))

    @pytest.mark.parametrize("name", ZERO_PADDED)
    def test_are_the_oracles_for_each_layer(self, forced: Forced, name: str) -> None:
        convolution = forced.suited(ZERO_PADDED[name])
        source = random_integers((2, *forced.shapes(convolution)[0]))
        assert_is_the_oracles(
            forced, convolution, random_integers(convolution.weight_shape), source
        )

    @pytest.mark.parametrize(
        ("positions", "out_channels", "in_channels"),
        [(1, 7, 33), (64, 5, 1), (65, 7, 33), (300, 1, 5)],
    )
    def test_are_the_oracles_for_short_and_long_products(
        self, forced: Forced, positions: int, out_channels: int, in_channels: int
    ) -> None:
        axis = Axis.conv(input_size=positions, kernel_size=3, before=1, after=1)
        convolution = convolution_of(out_channels, in_channels, axis)
        weight = random_integers(convolution.weight_shape)
        matrix = dense(forced, convolution_of(1, 1, axis), np.array([[[1, 10, 100]]]))
        taps = [np.where(matrix == power, 1, 0) for power in (1, 10, 100)]
        source = random_integers((1, *forced.shapes(convolution)[0]))
        sent = (weight if forced.forward else weight.swapaxes(0, 1)).transpose(2, 0, 1)
        expected = sum(sent[tap] @ source[0] @ taps[tap].T for tap in range(3))
        np.testing.assert_array_equal(forced.on(convolution, weight, source)[0], expected)

    def test_an_empty_batch_gives_an_empty_one(self, forced: Forced) -> None:
        axis = Axis.conv(input_size=5, kernel_size=3, stride=2, before=1)
        convolution = forced.suited(convolution_of(2, 3, axis, axis))
        before, after = forced.shapes(convolution)
        weight = random_integers(convolution.weight_shape)
        assert forced.on(convolution, weight, np.empty((0, *before), int)).shape == (0, *after)


class TestHowArraysLie:
    """Results depend on the numbers, not on the order in which memory holds them."""

    AXES = (
        Axis.conv(input_size=7, kernel_size=3, stride=2, before=1),
        Axis.conv(input_size=6, kernel_size=2, before=1),
    )

    @every_kernel
    @pytest.mark.parametrize(("rank", "kernel_size"), [(1, 3), (2, 1), (2, 3), (3, 3)])
    def test_results_go_into_a_part_of_an_array_and_nowhere_else(
        self, forced: Forced, kernel_size: int, rank: int
    ) -> None:
        axis = Axis.conv(input_size=7, kernel_size=kernel_size, before=1, after=1)
        convolution = convolution_of(4, 6, *[axis] * rank, groups=2)
        before, after = forced.shapes(convolution)
        weight, source = random_integers(convolution.weight_shape), random_integers((2, *before))
        larger = np.full((2, *(size + 2 for size in after)), UNWRITTEN)
        inside = (slice(None), *(slice(1, -1) for _ in after))
        forced.fill(convolution, weight, source, larger[inside])
        np.testing.assert_array_equal(larger[inside], forced.on(convolution, weight, source))
        larger[inside] = UNWRITTEN
        assert (larger == UNWRITTEN).all()

    @pytest.mark.parametrize("forward", [True, False])
    @pytest.mark.parametrize("channels", [(4, 6), (2, 100)])
    @pytest.mark.parametrize(
        "laid",
        [
            pytest.param(np.asfortranarray, id="column by column"),
            pytest.param(lambda array: np.repeat(array, 2, axis=-1)[..., ::2], id="apart"),
            pytest.param(lambda array: array[..., ::-1].copy()[..., ::-1], id="backwards"),
            pytest.param(lambda array: array.swapaxes(0, 1).copy().swapaxes(0, 1), id="turned"),
        ],
    )
    def test_sources_and_weights_may_lie_in_any_order(
        self, forward: bool, channels: tuple[int, int], laid: Any
    ) -> None:
        convolution = convolution_of(*channels, *self.AXES, groups=2)
        shape = convolution.input_shape if forward else convolution.output_shape
        weight, source = random_integers(convolution.weight_shape), random_integers((2, *shape))
        apply = apply_forward if forward else apply_transpose
        expected = apply(convolution, weight, source)
        np.testing.assert_array_equal(apply(convolution, laid(weight), laid(source)), expected)

    @every_kernel
    def test_sources_and_weights_may_be_read_only(self, forced: Forced) -> None:
        convolution = forced.suited(convolution_of(4, 6, *self.AXES, groups=2))
        weight = random_integers(convolution.weight_shape)
        source = random_integers((2, *forced.shapes(convolution)[0]))
        expected = forced.on(convolution, weight, source)
        weight.flags.writeable = source.flags.writeable = False
        np.testing.assert_array_equal(forced.on(convolution, weight, source), expected)

    @every_kernel
    def test_sums_past_2_to_the_53_are_exact_in_int64(self, forced: Forced) -> None:
        convolution = forced.suited(convolution_of(4, 6, *self.AXES, groups=2))
        weight = random_integers(convolution.weight_shape) * (2**27 + 1)
        source = random_integers((1, *forced.shapes(convolution)[0])) * (2**26 + 3)
        assert_is_the_oracles(forced, convolution, weight, source)


@pytest.mark.parametrize(
    "forced", [f for f in CHOSEN if issubclass(f.kernel, PartialIm2col)], ids=str
)
@pytest.mark.parametrize("groups", [1, 6])
def test_no_product_reads_the_weight_backwards(forced: Forced, groups: int) -> None:
    """Cᵀ of stride 1 takes the taps from the last to the first, which BLAS cannot."""
    axis = Axis.conv(input_size=7, kernel_size=3, before=1, after=1)
    convolution = convolution_of(6, 6, axis, axis, groups=groups)
    weight = random_numbers(convolution.weight_shape, np.float32)
    grouped = weight.reshape(groups, -1, *weight.shape[1:])
    turned = grouped if forced.forward else grouped.swapaxes(1, 2)
    kernel: Any = forced.kernel(turned)
    branches_of = forward_branches if forced.forward else transpose_branches
    before, after = forced.shapes(convolution)
    branches = tuple(map(branches_of, convolution.axes))
    kernel(branches, np.ones((1, *before), np.float32), np.empty((1, *after), np.float32))
    matrices = [one for kept in kernel._matrices.values() for one in kept]
    assert matrices
    assert all(one.flags.c_contiguous for one in matrices)


@every_kernel
@pytest.mark.parametrize(("dtype", "share"), [(np.complex128, 1e-12), (np.float32, 1e-5)])
@settings(deadline=None, max_examples=15)
@given(drawn=with_arrays(zero_padded_convolutions()))
def test_rounded_sums_are_near_the_oracles(
    forced: Forced, dtype: Any, share: float, drawn: Drawn
) -> None:
    """Within a share of the sum of the products' absolute values."""
    convolution = forced.suited(drawn[0])
    before, after = forced.shapes(convolution)
    weight = random_numbers(convolution.weight_shape, dtype)
    source = random_numbers((1, *before), dtype)
    result = forced.on(convolution, weight, source)
    wider = np.result_type(dtype, np.float64)
    matrix = dense(forced, convolution, weight.astype(wider))
    expected = times(matrix, source.astype(wider), after)
    bound = times(np.abs(matrix), np.abs(source).astype(np.float64), after)
    assert result.dtype == dtype
    assert (np.abs(result - expected) <= share * bound).all()


SHAPES = [
    pytest.param((1, 7), (5, 3), 3, np.float32, id="1 by 7 channels"),
    pytest.param((7, 1), (5, 3), 3, np.float64, id="7 by 1 channels"),
    pytest.param((100, 33), (5, 3), 1, np.float32, id="100 by 33 channels, one tap"),
    pytest.param((33, 100), (2, 1), 3, np.float32, id="33 by 100 channels, few positions"),
    pytest.param((333, 7), (12, 12), 3, np.float64, id="333 by 7 channels"),
    pytest.param((3, 333), (1, 4), 1, np.float64, id="3 by 333 channels, one row, one tap"),
    pytest.param((64, 64), (3, 50), 3, np.float32, id="64 by 64 channels, long rows"),
]
"""Channels and sizes on either side of what products are cut at (see `products`)."""


def square(channels: tuple[int, int], sizes: tuple[int, int], kernel_size: int) -> Convolution:
    """A convolution that keeps the sizes."""
    before, after = kernel_size // 2, (kernel_size - 1) // 2
    axes = [
        Axis.conv(input_size=size, kernel_size=kernel_size, before=before, after=after)
        for size in sizes
    ]
    return convolution_of(*channels, *axes)


@every_kernel
@pytest.mark.parametrize(("channels", "sizes", "kernel_size", "dtype"), SHAPES)
class TestBytes:
    """Bytes depend on the plan alone, not on other items, nor on earlier calls."""

    @pytest.mark.parametrize("positions", [2, 1000])
    def test_do_not_depend_on_the_batch(
        self,
        *,
        monkeypatch: pytest.MonkeyPatch,
        forced: Forced,
        dtype: Any,
        channels: tuple[int, int],
        sizes: tuple[int, int],
        kernel_size: int,
        positions: int,
    ) -> None:
        convolution = square(channels, sizes, kernel_size)
        plan = planned(monkeypatch, forced, convolution, dtype, positions)
        before, after = forced.shapes(convolution)
        source = random_numbers((3, *before), dtype)
        together, alone = (np.empty((3, *after), dtype) for _ in range(2))
        for tile in plan.tiles():
            plan.fill(tile, source[:, :, *tile.sources], together[:, :, *tile.results])
            for item in (slice(0, 1), slice(1, 2), slice(2, 3)):
                into = alone[item, :, *tile.results]
                plan.fill(tile, source[item, :, *tile.sources], into)
        assert_same_bytes(together, alone)

    def test_of_a_batch_are_those_of_its_items(
        self,
        *,
        monkeypatch: pytest.MonkeyPatch,
        forced: Forced,
        dtype: Any,
        channels: tuple[int, int],
        sizes: tuple[int, int],
        kernel_size: int,
    ) -> None:
        force(monkeypatch, forced.kernel, 10**6)
        convolution = square(channels, sizes, kernel_size)
        apply = apply_forward if forced.forward else apply_transpose
        weight = random_numbers(convolution.weight_shape, dtype)
        batch = random_numbers((3, *forced.shapes(convolution)[0]), dtype)
        items = [apply(convolution, weight, batch[item : item + 1]) for item in range(3)]
        assert_same_bytes(apply(convolution, weight, batch), np.concatenate(items))

    def test_do_not_depend_on_how_source_and_result_lie(
        self,
        *,
        monkeypatch: pytest.MonkeyPatch,
        forced: Forced,
        dtype: Any,
        channels: tuple[int, int],
        sizes: tuple[int, int],
        kernel_size: int,
    ) -> None:
        """A tile of an array in memory is a part of it, one of a file is all there is."""
        convolution = square(channels, sizes, kernel_size)
        plan = planned(monkeypatch, forced, convolution, dtype, positions=1)
        before, after = forced.shapes(convolution)
        source = random_numbers((1, *before), dtype)
        from_memory, from_file = (np.empty((1, *after), dtype) for _ in range(2))
        for tile in plan.tiles():
            part = source[:, :, *tile.sources]
            plan.fill(tile, part, from_memory[:, :, *tile.results])
            own = np.empty((1, after[0], *tile.result_sizes), dtype)
            plan.fill(tile, part.copy(), own)
            from_file[:, :, *tile.results] = own
        assert_same_bytes(from_memory, from_file)


def force(patch: pytest.MonkeyPatch, kernel: type[Kernel], positions: int) -> None:
    """Have every layer computed by this kernel, in tiles of `positions` positions."""
    forced = Choice(kernel=kernel, cost=0, positions=positions)
    patch.setattr("convt_cli.operators.matrix_free.cheapest", lambda _: forced)


def planned(
    monkeypatch: pytest.MonkeyPatch,
    forced: Forced,
    convolution: Convolution,
    dtype: Any,
    positions: int,
) -> MatrixFree:
    """C or Cᵀ of a convolution by this kernel, in tiles of `positions` positions."""
    force(monkeypatch, forced.kernel, positions)
    weight = random_numbers(convolution.weight_shape, dtype)
    return MatrixFree(convolution, weight, forward=forced.forward)


@pytest.mark.parametrize("kernel", [kernel for kernel in KERNELS if kernel is not Taps])
@pytest.mark.parametrize("forward", [True, False])
class TestBytesBesideWhatIsNotFinite:
    """A weight or a neighbour that is not finite changes no other item."""

    @pytest.fixture(autouse=True)
    def _by(self, monkeypatch: pytest.MonkeyPatch, kernel: type[Kernel]) -> None:
        force(monkeypatch, kernel, 10**6)

    CONVOLUTION = square((20, 20), (4, 4), 3)

    def fill(self, weight: Array, batch: Array, *, forward: bool) -> tuple[Array, Array]:
        """The batch together, and its items alone."""
        plan = MatrixFree(self.CONVOLUTION, weight, forward=forward)
        (tile,) = plan.tiles()
        together, alone = np.empty_like(batch), np.empty_like(batch)
        with np.errstate(all="ignore"):
            plan.fill(tile, batch, together)
            for number in range(len(batch)):
                plan.fill(tile, batch[number : number + 1], alone[number : number + 1])
        return together, alone

    def test_an_infinite_weight(self, forward: bool) -> None:
        weight = random_numbers(self.CONVOLUTION.weight_shape, np.float64)
        weight[0, 0, 0, 0] = np.inf  # meets the padding
        batch = np.abs(random_numbers((30, *self.CONVOLUTION.input_shape), np.float64))
        together, alone = self.fill(weight, batch, forward=forward)
        assert np.isinf(together).any()
        assert not np.isnan(together).any()
        assert_same_bytes(together, alone)

    def test_an_infinite_weight_beside_nan_in_another_item(self, forward: bool) -> None:
        weight = random_numbers(self.CONVOLUTION.weight_shape, np.float64)
        weight[0, 0, 1, 1] = np.inf
        batch = np.abs(random_numbers((2, *self.CONVOLUTION.input_shape), np.float64))
        batch[1, 0, 0, 0] = np.nan
        together, alone = self.fill(weight, batch, forward=forward)
        assert_same_bytes(together[:1], alone[:1])
