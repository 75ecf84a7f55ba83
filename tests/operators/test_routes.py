"""One result by every route: the matrix, matrix-free, and zero insertion.

Integers below 2**53 are exact whichever way they are added up, so routes are held to each other
without a tolerance.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_array

from convt_cli.arithmetic.axis import Axis
from convt_cli.arithmetic.convolution import Convolution
from convt_cli.arithmetic.vocabulary import METHODS
from convt_cli.errors import RequestError
from convt_cli.operators import matrix_free as direct
from convt_cli.operators.kernels import choice
from convt_cli.operators.kernels.views import transposed_weight
from convt_cli.operators.matrix.build import build_matrix
from convt_cli.operators.matrix_free import apply_forward, apply_transpose
from convt_cli.operators.routes import FORWARD, TRANSPOSE, route
from convt_cli.operators.zero_insert import apply_transpose_by_zero_insertion
from tests import oracle
from tests.strategies import (
    convolutions,
    direct_convolutions,
    folded_convolutions,
    geometry,
    integers,
    transposed_convolutions,
    window,
    with_arrays,
    zero_padded_convolutions,
)

Drawn = tuple[Convolution, oracle.Array, oracle.Array, oracle.Array]


def forward(convolution: Convolution, weight: oracle.Array, x: oracle.Array) -> oracle.Array:
    """C x of one array, matrix-free."""
    y: oracle.Array = apply_forward(convolution, weight, x[None])[0]
    return y


def transpose(convolution: Convolution, weight: oracle.Array, y: oracle.Array) -> oracle.Array:
    """Cᵀ y of one array, matrix-free."""
    x: oracle.Array = apply_transpose(convolution, weight, y[None])[0]
    return x


def weighted_sum_of_rows(matrix: csr_array, activations: oracle.Array) -> oracle.Array:
    """The sum of the rows of C, each weighted by its output: Cᵀ y by its definition."""
    rows = matrix.toarray()
    total = np.zeros(matrix.shape[1], np.int64)
    for activation, row in zip(activations.ravel(), rows, strict=True):
        total += activation * row
    return total


@contextmanager
def in_tiles(positions: int) -> Iterator[None]:
    """Cut every layer into tiles of this many positions."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(choice, "positions_per_tile", lambda *_: positions)
        yield


def assert_act_as_in_the_matrix(
    convolution: Convolution, weight: oracle.Array, *, is_forward: bool
) -> None:
    """On a batch with zeros, on one of zeros alone, and on items by themselves."""
    shapes = convolution.input_shape, convolution.output_shape
    before, after = shapes if is_forward else shapes[::-1]
    random = np.random.default_rng(7)
    batch = np.maximum(0, random.integers(-2, 3, (3, *before))).astype(np.float64)
    batch[1] = 0
    apply = apply_forward if is_forward else apply_transpose
    built = build_matrix(convolution, weight)
    matrix = built if is_forward else built.T.tocsr()
    with np.errstate(all="ignore"):
        expected = np.array([matrix @ item.ravel() for item in batch]).reshape(3, *after)
        np.testing.assert_array_equal(apply(convolution, weight, batch), expected)


class TestForward:
    @settings(deadline=None, max_examples=200)
    @given(drawn=with_arrays(convolutions()))
    def test_matrix_free_is_the_oracles(self, drawn: Drawn) -> None:
        convolution, weight, x, _ = drawn
        expected = oracle.direct(x, weight, **geometry(convolution))
        np.testing.assert_array_equal(forward(convolution, weight, x), expected)

    @settings(deadline=None, max_examples=150)
    @given(drawn=with_arrays(convolutions()))
    def test_matrix_free_is_the_matrix(self, drawn: Drawn) -> None:
        convolution, weight, x, _ = drawn
        y = forward(convolution, weight, x)
        assert y.shape == convolution.output_shape
        np.testing.assert_array_equal(y.ravel(), build_matrix(convolution, weight) @ x.ravel())


class TestTranspose:
    @settings(deadline=None, max_examples=200)
    @given(drawn=with_arrays(transposed_convolutions()))
    def test_matrix_free_is_the_oracles(self, drawn: Drawn) -> None:
        convolution, weight, _, y = drawn
        extra = [axis.output_padding for axis in convolution.axes]
        expected = oracle.transposed(y, weight, output_padding=extra, **window(convolution))
        np.testing.assert_array_equal(transpose(convolution, weight, y), expected)

    @settings(deadline=None, max_examples=150)
    @given(drawn=with_arrays(convolutions()))
    def test_matrix_free_is_the_transposed_matrix(self, drawn: Drawn) -> None:
        convolution, weight, _, y = drawn
        x = transpose(convolution, weight, y)
        assert x.shape == convolution.input_shape
        np.testing.assert_array_equal(x.ravel(), build_matrix(convolution, weight).T @ y.ravel())

    @settings(deadline=None, max_examples=150)
    @given(drawn=with_arrays(zero_padded_convolutions()))
    def test_zero_insertion_is_matrix_free(self, drawn: Drawn) -> None:
        convolution, weight, _, y = drawn
        (inserted,) = apply_transpose_by_zero_insertion(convolution, weight, y[None])
        np.testing.assert_array_equal(inserted, transpose(convolution, weight, y))

    @settings(deadline=None, max_examples=150)
    @given(drawn=with_arrays(convolutions()))
    def test_the_rows_of_the_matrix_weighted_by_the_activations_are_matrix_free(
        self, drawn: Drawn
    ) -> None:
        convolution, weight, _, y = drawn
        weighted = weighted_sum_of_rows(build_matrix(convolution, weight), y)
        np.testing.assert_array_equal(weighted, transpose(convolution, weight, y).ravel())


class TestAdjoint:
    """<C x, y> = <x, Cᵀ y>."""

    @settings(deadline=None, max_examples=150)
    @given(drawn=with_arrays(convolutions()))
    def test_without_the_matrix(self, drawn: Drawn) -> None:
        convolution, weight, x, y = drawn
        left = np.vdot(forward(convolution, weight, x), y)
        assert left == np.vdot(x, transpose(convolution, weight, y))

    @settings(deadline=None, max_examples=100)
    @given(drawn=with_arrays(convolutions()))
    def test_with_the_matrix(self, drawn: Drawn) -> None:
        convolution, weight, x, y = drawn
        matrix = build_matrix(convolution, weight)
        assert np.vdot(matrix @ x.ravel(), y) == np.vdot(x, matrix.T @ y.ravel())


class TestZeroInsertion:
    @settings(deadline=None, max_examples=80)
    @given(drawn=with_arrays(direct_convolutions()))
    def test_flipping_twice_gives_the_weight_back(self, drawn: Drawn) -> None:
        convolution, weight, _, _ = drawn
        once = transposed_weight(weight, convolution.groups)
        assert once.shape == convolution.zero_inserted().weight_shape
        np.testing.assert_array_equal(transposed_weight(once, convolution.groups), weight)

    @settings(deadline=None, max_examples=20)
    @given(drawn=with_arrays(folded_convolutions()))
    def test_speaks_of_zero_padding_only(self, drawn: Drawn) -> None:
        convolution, weight, _, y = drawn
        with pytest.raises(RequestError, match=convolution.padding_mode) as caught:
            apply_transpose_by_zero_insertion(convolution, weight, y[None])
        assert caught.value.code == "E503"


class TestMethods:
    """The routes by the names that `--method` takes."""

    def test_each_method_applies_the_transpose_and_some_apply_c(self) -> None:
        assert set(TRANSPOSE) == set(METHODS), "make operators/routes and METHODS agree"
        assert set(FORWARD) <= set(METHODS), "add it to METHODS of arithmetic/vocabulary"

    @pytest.mark.parametrize("method", TRANSPOSE)
    @settings(deadline=None, max_examples=50)
    @given(drawn=with_arrays(zero_padded_convolutions()), count=st.integers(0, 2))
    def test_apply_the_transpose_to_a_batch(self, method: str, drawn: Drawn, count: int) -> None:
        convolution, weight, _, y = drawn
        batch = np.repeat(y[None], count, axis=0)
        result = route(method, forward=False)(convolution, weight, batch)
        np.testing.assert_array_equal(result, apply_transpose(convolution, weight, batch))

    @pytest.mark.parametrize("method", FORWARD)
    @settings(deadline=None, max_examples=50)
    @given(drawn=with_arrays(convolutions()), count=st.integers(0, 2))
    def test_apply_the_matrix_to_a_batch(self, method: str, drawn: Drawn, count: int) -> None:
        convolution, weight, x, _ = drawn
        batch = np.repeat(x[None], count, axis=0)
        result = route(method, forward=True)(convolution, weight, batch)
        np.testing.assert_array_equal(result, apply_forward(convolution, weight, batch))

    def test_zero_insertion_applies_no_direct_convolution(self) -> None:
        with pytest.raises(RequestError, match="zero-insert applies Cᵀ only") as caught:
            route("zero-insert", forward=True)
        assert caught.value.code == "E503"


class TestBatches:
    @settings(deadline=None, max_examples=60)
    @given(drawn=with_arrays(convolutions()), count=st.integers(0, 3), seed=st.integers(0, 99))
    def test_are_done_one_by_one(self, drawn: Drawn, count: int, seed: int) -> None:
        convolution, weight, _, _ = drawn
        random = np.random.default_rng(seed)
        batch = random.integers(-9, 10, (count, *convolution.input_shape))
        results = apply_forward(convolution, weight, batch)
        assert results.shape == (count, *convolution.output_shape)
        expected = [forward(convolution, weight, x) for x in batch]
        np.testing.assert_array_equal(results, np.array(expected).reshape(results.shape))

    @settings(deadline=None, max_examples=60)
    @given(drawn=with_arrays(convolutions()), count=st.integers(0, 3), seed=st.integers(0, 99))
    def test_are_transposed_one_by_one(self, drawn: Drawn, count: int, seed: int) -> None:
        convolution, weight, _, _ = drawn
        random = np.random.default_rng(seed)
        batch = random.integers(-9, 10, (count, *convolution.output_shape))
        results = apply_transpose(convolution, weight, batch)
        assert results.shape == (count, *convolution.input_shape)
        expected = [transpose(convolution, weight, y) for y in batch]
        np.testing.assert_array_equal(results, np.array(expected).reshape(results.shape))


class TestTiles:
    """However many positions are done at a time, the result is the same."""

    @settings(deadline=None, max_examples=100)
    @given(drawn=with_arrays(convolutions()), positions=st.sampled_from([1, 3, 20]))
    def test_of_the_direct_convolution(self, drawn: Drawn, positions: int) -> None:
        convolution, weight, x, _ = drawn
        whole = forward(convolution, weight, x)
        with in_tiles(positions):
            np.testing.assert_array_equal(forward(convolution, weight, x), whole)

    @settings(deadline=None, max_examples=100)
    @given(drawn=with_arrays(convolutions()), positions=st.sampled_from([1, 3, 20]))
    def test_of_its_transpose(self, drawn: Drawn, positions: int) -> None:
        convolution, weight, _, y = drawn
        whole = transpose(convolution, weight, y)
        with in_tiles(positions):
            np.testing.assert_array_equal(transpose(convolution, weight, y), whole)

    def test_are_as_many_as_the_positions_ask_for(self) -> None:
        axis = Axis.conv(input_size=9, kernel_size=5)
        convolution = Convolution(out_channels=1, in_channels=1, axes=(axis,))
        with in_tiles(2):
            tiles = direct.MatrixFree(convolution, np.ones((1, 1, 5)), forward=True).tiles()
        assert [tile.results for tile in tiles] == [(slice(0, 2),), (slice(2, 4),), (slice(4, 5),)]


@pytest.mark.parametrize("odd", [np.inf, -np.inf, np.nan])
class TestWeightsThatAreNotFinite:
    """Padding is not multiplied: inf in the weight never meets a zero there and becomes nan."""

    @settings(deadline=None, max_examples=60)
    @given(drawn=with_arrays(convolutions()), place=st.integers(0, 10**6))
    def test_act_as_in_the_matrix(self, odd: float, drawn: Drawn, place: int) -> None:
        convolution, weight, x, _ = drawn
        taps = weight.astype(np.float64)
        taps.flat[place % taps.size] = odd
        with np.errstate(invalid="ignore"):
            y = forward(convolution, taps, x.astype(np.float64))
        expected = build_matrix(convolution, taps) @ x.ravel().astype(np.float64)
        np.testing.assert_array_equal(y.ravel(), expected)

    @settings(deadline=None, max_examples=60)
    @given(drawn=with_arrays(zero_padded_convolutions()), place=st.integers(0, 10**6))
    def test_act_as_in_the_transposed_matrix(self, odd: float, drawn: Drawn, place: int) -> None:
        convolution, weight, _, y = drawn
        taps = weight.astype(np.float64)
        taps.flat[place % taps.size] = odd
        with np.errstate(invalid="ignore"):
            x = transpose(convolution, taps, y.astype(np.float64))
        expected = build_matrix(convolution, taps).T @ y.ravel().astype(np.float64)
        np.testing.assert_array_equal(x.ravel(), expected)

    @settings(deadline=None, max_examples=60)
    @given(drawn=with_arrays(zero_padded_convolutions()), place=st.integers(0, 10**6))
    def test_meet_an_input_that_is_not_finite_as_well(
        self, odd: float, drawn: Drawn, place: int
    ) -> None:
        convolution, weight, x, _ = drawn
        source = x.astype(np.float64)
        source.flat[place % source.size] = odd
        with np.errstate(invalid="ignore"):
            y = forward(convolution, weight.astype(np.float64), source)
        expected = build_matrix(convolution, weight.astype(np.float64)) @ source.ravel()
        np.testing.assert_array_equal(y.ravel(), expected)


AXES_BY_SIZE = [
    pytest.param(Axis.conv(input_size=3, kernel_size=3, before=1, after=1), id="larger"),
    pytest.param(Axis.conv(input_size=40, kernel_size=3, before=1, after=1), id="smaller"),
    pytest.param(Axis.conv(input_size=1, kernel_size=1), id="of one tap"),
    pytest.param(Axis.conv(input_size=3, kernel_size=5, before=2, after=2), id="beyond the input"),
    pytest.param(
        Axis.conv_transpose(input_size=3, kernel_size=2, stride=3, output_padding=2),
        id="below the stride",
    ),
]


@pytest.mark.parametrize("odd", [np.inf, -np.inf, np.nan])
@pytest.mark.parametrize("is_forward", [True, False], ids=["C", "Cᵀ"])
@pytest.mark.parametrize("axis", AXES_BY_SIZE)
@pytest.mark.parametrize(
    ("out_channels", "in_channels"), [(1, 1), (1, 40), (40, 1), (17, 33), (64, 3)]
)
class TestWeightsThatAreNotFiniteOfAnySize:
    """The weight is larger than the result or smaller, with many channels or one."""

    def test_one_number(
        self, odd: float, is_forward: bool, axis: Axis, out_channels: int, in_channels: int
    ) -> None:
        convolution = Convolution(
            out_channels=out_channels, in_channels=in_channels, axes=(axis, axis)
        )
        weight = np.ones(convolution.weight_shape)
        weight[-1, 0, 0, -1] = odd
        assert_act_as_in_the_matrix(convolution, weight, is_forward=is_forward)

    def test_all_numbers_in_tiles(
        self, odd: float, is_forward: bool, axis: Axis, out_channels: int, in_channels: int
    ) -> None:
        convolution = Convolution(out_channels=out_channels, in_channels=in_channels, axes=(axis,))
        weight = np.full(convolution.weight_shape, odd)
        with in_tiles(2):
            assert_act_as_in_the_matrix(convolution, weight, is_forward=is_forward)


@settings(deadline=None, max_examples=40)
@given(x=integers((2, 7)), weight=integers((3, 2, 3)))
def test_no_route_writes_into_its_arguments(x: oracle.Array, weight: oracle.Array) -> None:
    axis = Axis.conv(input_size=7, kernel_size=3, before=1, after=1)
    convolution = Convolution(out_channels=3, in_channels=2, axes=(axis,), padding_mode="reflect")
    kept = x.copy(), weight.copy()
    y = forward(convolution, weight, x)
    transpose(convolution, weight, y)
    np.testing.assert_array_equal(x, kept[0])
    np.testing.assert_array_equal(weight, kept[1])
