"""Singular values by every method, and their error estimates, against NumPy's of the dense C."""

from __future__ import annotations

from dataclasses import replace
from math import prod
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.sparse.linalg import svds

from convt_cli.analysis.coverage import overlap_counts
from convt_cli.analysis.linear_map import LinearMap
from convt_cli.analysis.singular import values as values_module
from convt_cli.analysis.singular.enclosure import band_shape
from convt_cli.analysis.singular.iteration import Estimate
from convt_cli.analysis.singular.symbol import is_circular, symbol_extremes
from convt_cli.analysis.singular.values import Spectrum, shortcuts, singular_values
from convt_cli.arithmetic.axis import Axis
from convt_cli.arithmetic.convolution import Convolution
from convt_cli.errors import ArrayError
from convt_cli.operators.operator import ConvOperator
from tests import oracle
from tests.strategies import convolutions, geometry, with_arrays

Drawn = tuple[Convolution, oracle.Array, oracle.Array, oracle.Array]


def dense(convolution: Convolution, weight: oracle.Array) -> oracle.Array:
    """C by brute force."""
    return oracle.matrix(weight, convolution.input_shape[1:], **geometry(convolution))


def truth(convolution: Convolution, weight: oracle.Array) -> oracle.Array:
    """All singular values of the dense C, the largest first."""
    return np.linalg.svd(dense(convolution, weight), compute_uv=False)


def normal(convolution: Convolution, seed: int = 0) -> oracle.Array:
    return np.random.default_rng(seed).standard_normal(convolution.weight_shape)


def of_arguments(weight: tuple[int, ...], sizes: tuple[int, ...], **keys: Any) -> Convolution:
    return ConvOperator(np.ones(weight), sizes, **keys).convolution


def assert_true(found: Spectrum, values: oracle.Array) -> None:
    """Both singular values are within their error estimates, which are small."""
    slack = 1e-12 * (1 + float(values[0]))
    assert abs(found.largest.value - values[0]) <= found.largest.error_estimate + slack
    assert found.largest.error_estimate <= 1e-5 * found.largest.value + slack
    if found.smallest is not None:
        assert abs(found.smallest.value - values[-1]) <= found.smallest.error_estimate + slack


@st.composite
def circular_convolutions(draw: st.DrawFn) -> Convolution:
    """Circular convolutions with output_size * stride = input_size and any padding before."""
    axes = []
    for _ in range(draw(st.integers(1, 2))):
        kernel_size, dilation = draw(st.integers(1, 3)), draw(st.integers(1, 2))
        stride, outputs = draw(st.integers(1, 3)), draw(st.integers(1, 4))
        size, effective = stride * outputs, dilation * (kernel_size - 1) + 1
        total = max(0, effective - stride)
        assume(total <= 2 * size)
        before = draw(st.integers(max(0, total - size), min(size, total)))
        axes.append(
            Axis.conv(
                input_size=size,
                kernel_size=kernel_size,
                stride=stride,
                dilation=dilation,
                before=before,
                after=total - before,
                output_size=outputs,
            )
        )
    groups, out, inner = (draw(st.integers(1, 2)) for _ in range(3))
    return Convolution(
        out_channels=groups * out,
        in_channels=groups * inner,
        axes=tuple(axes),
        groups=groups,
        padding_mode="circular",
    )


class TestSmallLayers:
    @settings(deadline=None, max_examples=120)
    @given(drawn=with_arrays(convolutions()))
    def test_both_are_those_of_the_dense_matrix(self, drawn: Drawn) -> None:
        convolution, weight, *_ = drawn
        found = singular_values(ConvOperator.of(convolution, weight))
        assert_true(found, truth(convolution, weight))

    @settings(deadline=None, max_examples=60)
    @given(drawn=with_arrays(convolutions()))
    def test_the_operator_is_the_dense_matrix(self, drawn: Drawn) -> None:
        convolution, weight, x, y = drawn
        matrix = LinearMap(convolution, weight.astype(float))
        c = dense(convolution, weight)
        np.testing.assert_array_equal(matrix @ x.ravel().astype(float), c @ x.ravel())
        np.testing.assert_array_equal(matrix.T @ y.ravel().astype(float), c.T @ y.ravel())

    def test_a_zero_weight_has_none_but_zero(self) -> None:
        convolution = of_arguments((2, 1, 3), (7,))
        found = singular_values(ConvOperator.of(convolution, np.zeros((2, 1, 3))))
        assert (found.largest.value, found.condition_number) == (0, None)

    def test_what_rounding_left_of_zero_is_zero(self) -> None:
        convolution = of_arguments((2, 1, 3), (5,))
        found = singular_values(ConvOperator.of(convolution, np.array([[[1.1, 2.3, 0.7]]] * 2)))
        assert found.smallest is not None
        assert (found.smallest.value, found.condition_number) == (0.0, None)

    def test_condition_number(self) -> None:
        convolution = of_arguments((2, 1, 3), (5,))
        values = truth(convolution, normal(convolution))
        found = singular_values(ConvOperator.of(convolution, normal(convolution)))
        assert found.condition_number == pytest.approx(values[0] / values[-1], rel=1e-9)


class TestCircularLayers:
    @settings(deadline=None, max_examples=120)
    @given(convolution=circular_convolutions(), seed=st.integers(0, 99))
    def test_the_symbols_have_the_singular_values_of_c(
        self, convolution: Convolution, seed: int
    ) -> None:
        weight = normal(convolution, seed)
        assert is_circular(convolution)
        found, values = symbol_extremes(convolution, weight), truth(convolution, weight)
        np.testing.assert_allclose(found, values[[0, -1]], atol=1e-12 * (1 + values[0]))
        assert singular_values(ConvOperator.of(convolution, weight)).method == "fft"

    def test_windows_side_by_side_need_no_padding_mode(self) -> None:
        convolution = of_arguments((5, 3, 2, 2), (8, 6), stride=2)
        weight = normal(convolution)
        found = singular_values(ConvOperator.of(convolution, weight))
        assert found.method == "fft"
        assert_true(found, truth(convolution, weight))

    def test_zeros_beside_the_input_are_not_circular(self) -> None:
        assert not is_circular(of_arguments((1, 1, 3), (8,), padding=1))


@pytest.fixture
def large(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make every layer take the iteration: none is small enough for the other methods."""
    monkeypatch.setattr(values_module, "_MOST_DENSE_ENTRIES", 0)
    monkeypatch.setattr(values_module, "_MOST_SYMBOL_WORK", 0)


LARGER = {
    "square": of_arguments((2, 2, 3, 3), (9, 8), padding=1),
    "strided": of_arguments((4, 3, 3, 3), (14, 12), padding=1, stride=2),
    "tall": of_arguments((6, 1, 5), (60,), padding=2),
    "wide": of_arguments((1, 4, 3), (40,)),
    "grouped": of_arguments((6, 2, 3), (40,), groups=3, padding=1, stride=2),
    "dilated": of_arguments((3, 1, 3, 3), (14, 14), dilation=2, padding=2),
    "transposed": replace(of_arguments((8, 2, 4, 4), (12, 12), padding=1, stride=2), adjoint=True),
    "reflect": replace(of_arguments((3, 1, 5), (40,), padding=2), padding_mode="reflect"),
    "replicate": replace(of_arguments((3, 1, 5), (40,), padding=2), padding_mode="replicate"),
}


@pytest.mark.usefixtures("large")
class TestLargeLayers:
    @pytest.mark.parametrize("name", LARGER)
    @pytest.mark.parametrize("seed", range(3))
    def test_the_values_are_within_their_error_estimates(self, name: str, seed: int) -> None:
        convolution = LARGER[name]
        weight = normal(convolution, seed)
        found = singular_values(ConvOperator.of(convolution, weight))
        assert found.method == "iteration"
        assert_true(found, truth(convolution, weight))

    @pytest.mark.parametrize("name", [name for name in LARGER if name != "square"])
    def test_the_smallest_is_enclosed_where_c_is_narrow(self, name: str) -> None:
        convolution = LARGER[name]
        found = singular_values(ConvOperator.of(convolution, normal(convolution))).smallest
        assert found is not None
        assert found.value > 0
        assert found.error_estimate <= 0.1 * found.value

    @pytest.mark.parametrize("name", LARGER)
    def test_the_band_holds_all_of_the_inner_products(self, name: str) -> None:
        out, inner, *_ = LARGER[name].weight_shape
        out //= LARGER[name].groups
        one = replace(LARGER[name], out_channels=out, in_channels=inner, groups=1)
        c = dense(one, normal(one))
        tall = c if c.shape[1] <= c.shape[0] else c.T
        channels = one.in_channels if tall is c else one.out_channels
        order = np.arange(tall.shape[1]).reshape(channels, -1).T.ravel()
        products = (tall.T @ tall)[np.ix_(order, order)]
        rows, columns = np.nonzero(products)
        shape = band_shape(one)
        assert shape is not None
        assert shape[0] == len(products)
        assert abs(rows - columns).max() <= shape[1]

    def test_an_empty_column_makes_the_smallest_zero(self) -> None:
        convolution = of_arguments((9, 1, 2), (29,), stride=3)
        found = singular_values(ConvOperator.of(convolution, normal(convolution)))
        assert found.smallest == Estimate(value=0.0, error_estimate=0.0)
        assert truth(convolution, normal(convolution))[-1] < 1e-12

    def test_what_rounding_hides_is_not_known(self) -> None:
        convolution = of_arguments((1, 1, 3), (60,), padding=1)
        weight = np.array([[[1.0, 3.0, 7.0]]])
        assert truth(convolution, weight)[-1] < 1e-12
        found = singular_values(ConvOperator.of(convolution, weight))
        assert (found.smallest, found.condition_number) == (None, None)

    def test_what_is_too_wide_is_not_known(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(values_module, "_MOST_BAND_ENTRIES", 100)
        assert (
            singular_values(ConvOperator.of(LARGER["tall"], normal(LARGER["tall"]))).smallest
            is None
        )

    def test_an_iteration_cut_short_says_so(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(values_module, "_MOST_STEPS", 3)
        convolution = LARGER["square"]
        weight = normal(convolution)
        found = singular_values(ConvOperator.of(convolution, weight)).largest
        values = truth(convolution, weight)
        assert found.error_estimate > 1e-3 * found.value
        assert abs(values - found.value).min() <= found.error_estimate
        assert found.value <= values[0]


def clustered() -> tuple[Convolution, oracle.Array]:
    """96 depthwise channels with one kernel, the last one's larger by 3 parts in a million."""
    kernel = np.abs(np.random.default_rng(5).standard_normal((3, 3)))
    weight = np.repeat(kernel[np.newaxis, np.newaxis], 96, axis=0)
    weight[-1] *= 1 + 3e-6
    return of_arguments((96, 1, 3, 3), (36, 36), padding=1, groups=96), weight


def test_values_of_groups_that_nearly_agree_are_told_apart() -> None:
    convolution, weight = clustered()
    found = singular_values(ConvOperator.of(convolution, weight))
    assert found.method == "iteration"
    last = replace(convolution, out_channels=1, in_channels=1, groups=1)
    matrix = LinearMap(last, weight[-1:])
    start = np.random.default_rng(0).standard_normal(matrix.shape[1])
    reached = float(svds(matrix, k=1, return_singular_vectors=False, v0=start)[0])
    assert reached == pytest.approx(6.101126430, abs=1e-9)
    assert found.largest.value >= reached - 1e-8


class TestShortcuts:
    @settings(deadline=None, max_examples=60)
    @given(drawn=with_arrays(convolutions()))
    def test_the_reshaped_kernel(self, drawn: Drawn) -> None:
        convolution, weight, *_ = drawn
        blocks = np.split(weight.reshape(len(weight), -1), convolution.groups)
        norm = max(np.linalg.svd(block, compute_uv=False)[0] for block in blocks)
        found = shortcuts(ConvOperator.of(convolution, weight))
        assert found.reshaped == pytest.approx(norm)
        assert found.reshaped_root_taps == pytest.approx(
            norm * prod(convolution.kernel_size) ** 0.5
        )
        counts = [max(overlap_counts(axis, convolution.padding_mode)) for axis in convolution.axes]
        largest = truth(convolution, weight)[0]
        assert largest <= norm * prod(counts) ** 0.5 * (1 + 1e-12)

    def test_the_norm_of_a_large_kernel_is_iterated(self, monkeypatch: pytest.MonkeyPatch) -> None:
        convolution = of_arguments((8, 5, 3), (9,))
        weight = normal(convolution)
        exact = shortcuts(ConvOperator.of(convolution, weight)).reshaped
        monkeypatch.setattr(values_module, "_MOST_SYMBOL_WORK", 0)
        assert shortcuts(ConvOperator.of(convolution, weight)).reshaped == pytest.approx(
            exact, rel=1e-6
        )

    def test_of_a_circular_layer_it_is_exact(self) -> None:
        convolution = of_arguments((3, 2, 3), (8,), padding=1)
        convolution = replace(convolution, padding_mode="circular")
        weight = normal(convolution)
        found = shortcuts(ConvOperator.of(convolution, weight)).circular
        assert found == pytest.approx(truth(convolution, weight)[0])

    @pytest.mark.parametrize("limit", [0, 10**9])
    def test_the_circular_value_is_that_of_the_wrapped_kernel(
        self, limit: int, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(values_module, "_CHEAP_SYMBOL_WORK", limit)
        monkeypatch.setattr(values_module, "_SYMBOL_WORK_RATIO", 0)
        convolution = of_arguments((3, 2, 3), (9,), padding=1, stride=2)
        weight = normal(convolution)
        wrapped = replace(
            of_arguments((3, 2, 3), (10,), padding=1, stride=2), padding_mode="circular"
        )
        assert shortcuts(ConvOperator.of(convolution, weight)).circular == pytest.approx(
            truth(wrapped, weight)[0], rel=1e-6
        )

    def test_a_kernel_that_goes_around_twice_has_none(self) -> None:
        assert shortcuts(ConvOperator(np.ones((1, 1, 5)), 5)).circular is None


@pytest.mark.parametrize("weight", [np.full((1, 1, 2), np.nan), np.ones((1, 1, 2), complex)])
def test_what_is_no_finite_real_number_is_refused(weight: oracle.Array) -> None:
    with pytest.raises(ArrayError) as caught:
        singular_values(ConvOperator(weight, 4))
    assert caught.value.code == "E302"
