"""C as a LinearOperator: the matrix, its transpose and its conjugate, without the matrix."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from scipy.sparse.linalg import lsmr, svds

from convt_cli.arithmetic.convolution import Convolution
from convt_cli.errors import ArrayError, GeometryError
from convt_cli.operators.functions import conv, conv_matrix
from convt_cli.operators.operator import ConvOperator
from tests import oracle
from tests.strategies import (
    arguments,
    convolutions,
    direct_convolutions,
    geometry,
    with_arrays,
)

Drawn = tuple[Convolution, oracle.Array, oracle.Array, oracle.Array]


def both(convolution: Convolution, weight: oracle.Array) -> tuple[ConvOperator, oracle.Array]:
    """The operator and the dense matrix of one convolution."""
    sizes = convolution.input_shape[1:]
    keys = arguments(convolution)
    kept = convolution.output_shape[1:]
    matrix = conv_matrix(weight, sizes, output_size=kept, **keys).toarray()
    return ConvOperator(weight, sizes, output_size=kept, **keys), matrix


def complex_pair() -> tuple[ConvOperator, oracle.Array]:
    """An operator with complex taps, and its dense matrix."""
    random = np.random.default_rng(0)
    weight = random.integers(-9, 10, (4, 2, 3)) + 1j * random.integers(-9, 10, (4, 2, 3))
    keys: dict[str, Any] = {"stride": 2, "padding": 1, "groups": 2}
    return ConvOperator(weight, 7, **keys), conv_matrix(weight, 7, **keys).toarray()


class TestAgreesWithTheMatrix:
    @settings(deadline=None, max_examples=80)
    @given(drawn=with_arrays(direct_convolutions(crop=False)))
    def test_on_vectors(self, drawn: Drawn) -> None:
        convolution, weight, x, y = drawn
        operator, matrix = both(convolution, weight)
        assert (operator.shape, operator.dtype) == (matrix.shape, weight.dtype)
        np.testing.assert_array_equal(operator @ x.ravel(), matrix @ x.ravel())
        np.testing.assert_array_equal(operator.T @ y.ravel(), matrix.T @ y.ravel())
        np.testing.assert_array_equal(operator.H @ y.ravel(), matrix.T @ y.ravel())

    @settings(deadline=None, max_examples=60)
    @given(drawn=with_arrays(direct_convolutions(crop=False)))
    def test_on_matrices_of_columns(self, drawn: Drawn) -> None:
        convolution, weight, x, y = drawn
        operator, matrix = both(convolution, weight)
        xs = np.stack([x.ravel(), -x.ravel(), 2 * x.ravel()], axis=1)
        ys = np.stack([y.ravel(), 3 * y.ravel()], axis=1)
        np.testing.assert_array_equal(operator @ xs, matrix @ xs)
        np.testing.assert_array_equal(operator.T @ ys, matrix.T @ ys)

    @pytest.mark.parametrize("columns", [0, 1])
    def test_on_no_column_and_on_one(self, columns: int) -> None:
        operator = ConvOperator(np.ones((1, 1, 2)), 4)
        assert np.shape(operator @ np.ones((4, columns))) == (3, columns)
        assert np.shape(operator.T @ np.ones((3, columns))) == (4, columns)

    def test_as_conv_does(self) -> None:
        random = np.random.default_rng(0)
        x, weight = random.standard_normal((2, 5, 6)), random.standard_normal((3, 2, 2, 3))
        operator = ConvOperator(weight, (5, 6), padding=1)
        np.testing.assert_array_equal(operator @ x.ravel(), conv(x, weight, padding=1).ravel())


class TestOfAConvolution:
    @settings(deadline=None, max_examples=60)
    @given(drawn=with_arrays(convolutions()))
    def test_it_is_the_own_action(self, drawn: Drawn) -> None:
        convolution, weight, x, y = drawn
        operator = ConvOperator.of(convolution, weight)
        dense = oracle.matrix(weight, convolution.input_shape[1:], **geometry(convolution))
        action, source, target = (dense.T, y, x) if convolution.adjoint else (dense, x, y)
        assert (operator.shape, operator.dtype) == (action.shape, weight.dtype)
        np.testing.assert_array_equal(operator @ source.ravel(), action @ source.ravel())
        np.testing.assert_array_equal(operator.T @ target.ravel(), action.T @ target.ravel())

    def test_its_transpose_is_one_as_well_and_twice_is_itself(self) -> None:
        operator = ConvOperator(np.ones((2, 1, 3)), 7, stride=2)
        assert isinstance(operator.T, ConvOperator)
        assert isinstance(operator.transpose(), ConvOperator)
        assert operator.T.convolution.adjoint
        assert operator.T.T.convolution == operator.convolution
        assert operator.T.weight is operator.weight


class TestComplexWeights:
    def test_forward(self) -> None:
        operator, matrix = complex_pair()
        x = np.arange(28) * (1 + 2j)
        assert operator.dtype == np.complex128
        np.testing.assert_array_equal(operator @ x, matrix @ x)

    def test_the_transpose_does_not_conjugate(self) -> None:
        operator, matrix = complex_pair()
        y = np.arange(matrix.shape[0]) * (3 - 1j)
        np.testing.assert_array_equal(operator.T @ y, matrix.T @ y)

    def test_the_adjoint_does(self) -> None:
        operator, matrix = complex_pair()
        y = np.arange(matrix.shape[0]) * (3 - 1j)
        np.testing.assert_array_equal(operator.H @ y, matrix.conj().T @ y)
        assert (operator.H @ y != operator.T @ y).any()

    def test_the_adjoint_moves_across_the_inner_product(self) -> None:
        operator, matrix = complex_pair()
        x = np.arange(28) * (1 + 2j)
        y = np.arange(matrix.shape[0]) * (3 - 1j)
        assert np.vdot(operator @ x, y) == np.vdot(x, operator.H @ y)


class TestSolvers:
    @staticmethod
    def pair() -> tuple[ConvOperator, oracle.Array]:
        weight = np.random.default_rng(3).standard_normal((3, 2, 3, 3))
        keys: dict[str, Any] = {"stride": 2, "padding": 1}
        return ConvOperator(weight, (6, 5), **keys), conv_matrix(weight, (6, 5), **keys).toarray()

    def test_lsmr_finds_the_least_squares_solution(self) -> None:
        operator, matrix = self.pair()
        y = np.random.default_rng(4).standard_normal(matrix.shape[:1])
        found = lsmr(operator, y, atol=1e-12, btol=1e-12, maxiter=1000)[0]
        np.testing.assert_allclose(found, np.linalg.lstsq(matrix, y, rcond=None)[0], atol=1e-8)

    def test_svds_finds_the_largest_singular_values(self) -> None:
        operator, matrix = self.pair()
        start = np.random.default_rng(0).standard_normal(min(matrix.shape))
        found = svds(operator, k=3, return_singular_vectors=False, v0=start)
        expected = np.linalg.svd(matrix, compute_uv=False)[:3]
        np.testing.assert_allclose(np.sort(found)[::-1], expected, rtol=1e-10)


class TestRefusals:
    @pytest.mark.parametrize("side", ["C", "Cᵀ"])
    def test_a_vector_of_another_length(self, side: str) -> None:
        operator = ConvOperator(np.ones((1, 1, 2)), 4)
        with pytest.raises(ValueError, match=r"(?i)dimension mismatch"):
            (operator if side == "C" else operator.T) @ np.ones(7)

    def test_integers_that_the_dtype_cannot_hold(self) -> None:
        operator = ConvOperator(np.full((1, 1, 2), 100, np.int8), 4)
        with pytest.raises(ArrayError, match="does not fit int8") as caught:
            operator @ np.full(4, 1, np.int8)
        assert caught.value.code == "E304"

    def test_a_window_larger_than_the_input(self) -> None:
        with pytest.raises(GeometryError) as caught:
            ConvOperator(np.ones((1, 1, 3, 3)), (5, 2))
        error = caught.value
        assert (error.code, error.field, error.axis) == ("E110", "kernel_size", 1)

    def test_more_outputs_than_there_are(self) -> None:
        with pytest.raises(GeometryError) as caught:
            ConvOperator(np.ones((1, 1, 3)), 5, output_size=4)
        assert (caught.value.code, caught.value.field) == ("E118", "output_size")
