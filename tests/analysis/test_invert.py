"""Least squares of least norm, against numpy.linalg.lstsq on the dense action."""

from __future__ import annotations

from math import prod

import numpy as np
import pytest
from hypothesis import given, settings

from convt_cli.analysis.invert import Inverse, invert, null_space_reasons
from convt_cli.arithmetic.convolution import Convolution
from convt_cli.errors import ArrayError
from convt_cli.operators.operator import ConvOperator
from tests import oracle
from tests.strategies import convolutions, geometry, with_arrays

Drawn = tuple[Convolution, oracle.Array, oracle.Array, oracle.Array]

WEIGHT = np.random.default_rng(0).standard_normal((2, 3, 3))
C = ConvOperator(WEIGHT, 9, padding=1)
LAYER = C.convolution
Y = np.random.default_rng(1).standard_normal((2, 9))


def dense_action(convolution: Convolution, weight: oracle.Array) -> oracle.Array:
    """A by brute force: C, or Cᵀ for a transposed layer."""
    c = oracle.matrix(weight, convolution.input_shape[1:], **geometry(convolution))
    return c.T if convolution.adjoint else c


def is_well_conditioned(matrix: oracle.Array) -> bool:
    values = np.linalg.svd(matrix.astype(float), compute_uv=False)
    kept = values[values > 1e-10 * values[0]]
    return bool(len(kept)) and kept[0] < 1e3 * kept[-1]


class TestTheSolution:
    @settings(deadline=None, max_examples=100)
    @given(drawn=with_arrays(convolutions()))
    def test_is_numpy_s_shortest_one(self, drawn: Drawn) -> None:
        convolution, weight, x, y = drawn
        target = x if convolution.adjoint else y
        matrix = dense_action(convolution, weight)
        found = invert(ConvOperator.of(convolution, weight), target, tolerance=1e-14)
        assert found.x.shape == convolution.action_shapes[0]
        if is_well_conditioned(matrix):
            expected = np.linalg.lstsq(matrix.astype(float), target.ravel(), rcond=1e-10)[0]
            np.testing.assert_allclose(found.x.ravel(), expected, atol=1e-6)

    @settings(deadline=None, max_examples=40)
    @given(drawn=with_arrays(convolutions()))
    def test_with_damping_is_that_of_the_longer_system(self, drawn: Drawn) -> None:
        convolution, weight, x, y = drawn
        target = x if convolution.adjoint else y
        matrix = dense_action(convolution, weight)
        found = invert(ConvOperator.of(convolution, weight), target, damping=2.0, tolerance=1e-14)
        longer = np.vstack([matrix, 2.0 * np.eye(matrix.shape[1])])
        padded = np.concatenate([target.ravel(), np.zeros(matrix.shape[1])])
        expected = np.linalg.lstsq(longer, padded, rcond=None)[0]
        np.testing.assert_allclose(found.x.ravel(), expected, atol=1e-6)

    @pytest.mark.parametrize("of_weight", [1e-150, 1e-18, 1e-3, 1e150])
    @pytest.mark.parametrize("of_y", [1e-150, 1.0, 1e150])
    def test_grows_with_y_and_shrinks_with_the_weight(self, of_weight: float, of_y: float) -> None:
        plain = invert(C, Y)
        found = invert(ConvOperator.of(LAYER, of_weight * WEIGHT), of_y * Y)
        assert found.converged
        np.testing.assert_allclose(found.x * of_weight / of_y, plain.x, rtol=1e-6)
        assert found.solution.residual == pytest.approx(plain.solution.residual, abs=1e-8)
        assert found.scale * of_weight * of_weight == pytest.approx(plain.scale)

    def test_of_zero_is_zero(self) -> None:
        found = invert(C, np.zeros((2, 9)))
        assert not found.x.any()
        assert (found.converged, found.scale, found.solution.residual) == (True, 0.0, None)

    def test_says_when_it_was_cut_short(self) -> None:
        assert not invert(C, Y, most_iterations=2).converged
        assert invert(C, Y).converged


class TestWhatStandsBeside:
    @staticmethod
    def found() -> tuple[Inverse, oracle.Array, oracle.Array]:
        return invert(C, Y), dense_action(LAYER, WEIGHT), Y.ravel()

    def test_residuals_and_norms(self) -> None:
        found, matrix, y = self.found()
        back = matrix.T @ y
        for one, x in (
            (found.solution, found.x.ravel()),
            (found.transpose, back),
            (found.scaled, found.scale * back),
        ):
            residual = np.linalg.norm(matrix @ x - y) / np.linalg.norm(y)
            assert one.residual == pytest.approx(residual)
            assert one.norm == pytest.approx(np.linalg.norm(x))

    def test_the_scale_is_the_best(self) -> None:
        found, matrix, y = self.found()
        image = matrix @ matrix.T @ y
        best = np.linalg.lstsq(image[:, np.newaxis], y, rcond=None)[0][0]
        assert found.scale == pytest.approx(best)

    def test_the_gradient_is_small(self) -> None:
        assert self.found()[0].gradient == pytest.approx(0, abs=1e-8)


class TestNullSpace:
    @settings(deadline=None, max_examples=100)
    @given(drawn=with_arrays(convolutions()))
    def test_where_one_is_named_there_is_one(self, drawn: Drawn) -> None:
        convolution, weight, *_ = drawn
        matrix = dense_action(convolution, weight)
        if null_space_reasons(convolution):
            assert np.linalg.matrix_rank(matrix) < matrix.shape[1]

    def test_none_is_named_without_a_reason(self) -> None:
        assert null_space_reasons(ConvOperator(np.ones((4, 1, 3)), 9).convolution) == ()

    def test_of_one_unread_element(self) -> None:
        convolution = ConvOperator(np.ones((4, 1, 2)), 5, stride=2).convolution
        assert null_space_reasons(convolution) == ("nothing reads 1 element of x",)


class TestRefusals:
    @pytest.mark.parametrize("value", [np.nan, np.inf])
    def test_what_is_not_finite(self, value: float) -> None:
        y = Y.copy()
        y[1, 3] = value
        with pytest.raises(ArrayError, match="1 of 18 are nan or inf") as caught:
            invert(C, y)
        assert caught.value.code == "E302"

    def test_complex_numbers(self) -> None:
        with pytest.raises(ArrayError, match="complex128") as caught:
            invert(C, Y * 1j)
        assert caught.value.code == "E302"

    def test_another_shape(self) -> None:
        with pytest.raises(ArrayError, match=r"got \(2, 8\)") as caught:
            invert(C, Y[:, :8])
        assert caught.value.code == "E301"
        assert prod(LAYER.action_shapes[1]) == Y.size
