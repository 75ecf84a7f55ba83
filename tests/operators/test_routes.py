"""One result by every route: the matrix, matrix-free, and zero insertion.

Integers below 2**53 are exact whichever way they are added up, so routes are held to each other
without a tolerance.
"""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from convt_cli.arithmetic.convolution import Convolution
from convt_cli.arithmetic.vocabulary import METHODS
from convt_cli.errors import RequestError
from convt_cli.operators.kernels import choice
from convt_cli.operators.kernels.views import transposed_weight
from convt_cli.operators.matrix.build import build_matrix
from convt_cli.operators.matrix_free import (
    MatrixFree,
    Route,
    apply_forward,
    apply_transpose,
    own_actions,
)
from convt_cli.operators.routes import FORWARD, TRANSPOSE, route
from convt_cli.operators.zero_insert import apply_transpose_by_zero_insertion
from tests import oracle
from tests.layers import LAYERS, ZERO_PADDED, conv, layer
from tests.strategies import (
    convolutions,
    direct_convolutions,
    folded_convolutions,
    geometry,
    transposed_convolutions,
    window,
    with_arrays,
)

Drawn = tuple[Convolution, oracle.Array, oracle.Array, oracle.Array]

ROUTES = [
    *((method, True) for method in FORWARD if method != "auto"),
    *((method, False) for method in TRANSPOSE if method != "auto"),
]


def in_tiles(patch: pytest.MonkeyPatch, positions: int) -> None:
    """Cut every layer into tiles of this many positions."""
    patch.setattr(choice, "positions_per_tile", lambda *_: positions)


class TestEveryRoute:
    @pytest.mark.parametrize(("method", "is_forward"), ROUTES)
    @settings(deadline=None, max_examples=100)
    @given(drawn=with_arrays(convolutions()), count=st.integers(0, 3))
    def test_gives_the_oracles_result_for_each_item_of_a_batch(
        self, method: str, is_forward: bool, drawn: Drawn, count: int
    ) -> None:
        convolution, weight, x, y = drawn
        assume(method != "zero-insert" or convolution.padding_mode == "zeros")
        matrix = oracle.matrix(weight, convolution.input_shape[1:], **geometry(convolution))
        source, matrix = (x, matrix) if is_forward else (y, matrix.T)
        batch = np.array([source + item for item in range(count)]).reshape(count, *source.shape)
        kept = batch.copy(), weight.copy()
        result = route(method, forward=is_forward)(convolution, weight, batch)
        after = convolution.output_shape if is_forward else convolution.input_shape
        expected = (batch.reshape(count, source.size) @ matrix.T).reshape(count, *after)
        np.testing.assert_array_equal(result, expected)
        np.testing.assert_array_equal(batch, kept[0])  # no route writes into its arguments
        np.testing.assert_array_equal(weight, kept[1])

    def test_the_one_that_is_chosen_is_matrix_free(self) -> None:
        assert FORWARD["auto"] is FORWARD["direct"] is apply_forward
        assert TRANSPOSE["auto"] is TRANSPOSE["direct"] is apply_transpose

    @settings(deadline=None, max_examples=100)
    @given(drawn=with_arrays(transposed_convolutions()))
    def test_transposed_convolutions_have_the_size_and_the_sums_of_their_definition(
        self, drawn: Drawn
    ) -> None:
        convolution, weight, _, y = drawn
        extra = [axis.output_padding for axis in convolution.axes]
        expected = oracle.transposed(y, weight, output_padding=extra, **window(convolution))
        np.testing.assert_array_equal(apply_transpose(convolution, weight, y[None])[0], expected)

    def test_own_actions_are_those_of_the_layer(self) -> None:
        assert own_actions(LAYERS["grouped"]) == (apply_forward, apply_transpose)
        assert own_actions(LAYERS["grouped transposed"]) == (apply_transpose, apply_forward)


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

    def test_applies_no_direct_convolution(self) -> None:
        with pytest.raises(RequestError, match="zero-insert applies Cᵀ only") as caught:
            route("zero-insert", forward=True)
        assert caught.value.code == "E503"


def test_each_method_applies_the_transpose_and_some_apply_c() -> None:
    assert set(TRANSPOSE) == set(METHODS), "make operators/routes and METHODS agree"
    assert set(FORWARD) <= set(METHODS), "add it to METHODS of arithmetic/vocabulary"


class TestTiles:
    """However many positions are done at a time, the result is the same."""

    @pytest.mark.parametrize("name", LAYERS)
    @pytest.mark.parametrize("apply", [apply_forward, apply_transpose])
    def test_do_not_show_in_the_result(
        self, monkeypatch: pytest.MonkeyPatch, apply: Route, name: str
    ) -> None:
        convolution = LAYERS[name]
        shapes = convolution.input_shape, convolution.output_shape
        random = np.random.default_rng(1)
        weight = random.integers(-9, 10, convolution.weight_shape)
        batch = random.integers(-9, 10, (2, *shapes[apply is apply_transpose]))
        whole = apply(convolution, weight, batch)
        in_tiles(monkeypatch, 3)
        np.testing.assert_array_equal(apply(convolution, weight, batch), whole)

    def test_are_as_many_as_the_positions_ask_for(self, monkeypatch: pytest.MonkeyPatch) -> None:
        in_tiles(monkeypatch, 2)
        free = MatrixFree(layer(1, 1, conv(9, 5)), np.ones((1, 1, 5)), forward=True)
        assert [tile.results for tile in free.tiles()] == [
            (slice(0, 2),),
            (slice(2, 4),),
            (slice(4, 5),),
        ]


@pytest.mark.parametrize("positions", [2, 10**6])
@pytest.mark.parametrize("is_forward", [True, False], ids=["C", "Cᵀ"])
@pytest.mark.parametrize("name", ZERO_PADDED)
def test_a_weight_that_is_not_finite_never_meets_the_zeros_of_the_padding(
    monkeypatch: pytest.MonkeyPatch, name: str, is_forward: bool, positions: int
) -> None:
    """On a batch with zeros, on one of zeros alone, and on items by themselves."""
    in_tiles(monkeypatch, positions)
    convolution = ZERO_PADDED[name]
    weight = np.ones(convolution.weight_shape)
    weight[-1, 0, ..., -1] = np.inf
    built = build_matrix(convolution, weight)
    matrix, apply = (built, apply_forward) if is_forward else (built.T.tocsr(), apply_transpose)
    before, after = convolution.input_shape, convolution.output_shape
    if not is_forward:
        before, after = after, before
    batch = np.maximum(0, np.random.default_rng(7).integers(-2, 3, (3, *before))).astype(float)
    batch[1] = 0
    with np.errstate(all="ignore"):
        expected = np.array([matrix @ item.ravel() for item in batch]).reshape(3, *after)
        np.testing.assert_array_equal(apply(convolution, weight, batch), expected)
