"""Weights made by a rule, held to values worked out by hand and to NumPy."""

from __future__ import annotations

import numpy as np
import pytest

from convt_cli.arithmetic.convolution import Shape
from convt_cli.arithmetic.keys import Fill, Inline
from convt_cli.errors import RequestError
from convt_cli.io import memory
from convt_cli.operators.fills import filled, written
from convt_cli.operators.functions import conv_transpose
from tests.oracle import Array

SHAPES = [(2, 3, 4), (2, 1, 3, 2), (1, 2, 2, 3, 2)]


class TestFilled:
    @pytest.mark.parametrize("fill", ["ones", "index", "bilinear", "normal"])
    @pytest.mark.parametrize("shape", SHAPES)
    def test_has_its_shape_in_float64(self, fill: str, shape: Shape) -> None:
        weight = filled(Fill(fill=fill), shape)
        assert weight.shape == shape
        assert weight.dtype == np.float64

    @pytest.mark.parametrize("shape", SHAPES)
    def test_ones_are_ones(self, shape: Shape) -> None:
        np.testing.assert_array_equal(filled(Fill(fill="ones"), shape), np.ones(shape))

    def test_index_counts_the_taps_in_memory_order(self) -> None:
        weight = filled(Fill(fill="index"), (2, 1, 2, 3))
        np.testing.assert_array_equal(
            weight, [[[[1, 2, 3], [4, 5, 6]]], [[[7, 8, 9], [10, 11, 12]]]]
        )

    @pytest.mark.parametrize("seed", [0, 7])
    def test_normal_is_numpys_standard_normal_of_the_seed(self, seed: int) -> None:
        expected = np.random.default_rng(seed).standard_normal((2, 3, 4))
        np.testing.assert_array_equal(filled(Fill(fill="normal", seed=seed), (2, 3, 4)), expected)

    def test_the_default_is_normal_with_seed_zero(self) -> None:
        expected = np.random.default_rng(0).standard_normal((1, 1, 5))
        np.testing.assert_array_equal(filled(Fill(), (1, 1, 5)), expected)

    def test_what_does_not_fit_into_memory_is_refused(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(memory, "available", lambda: 79)
        with pytest.raises(RequestError, match=r"\[1, 2, 5\] does not fit") as caught:
            filled(Fill(fill="ones"), (1, 2, 5))
        assert caught.value.code == "E501"


class TestBilinear:
    @pytest.mark.parametrize(
        ("size", "taps"),
        [
            (1, [1]),
            (2, [1 / 2, 1 / 2]),
            (3, [1 / 2, 1, 1 / 2]),
            (4, [1 / 4, 3 / 4, 3 / 4, 1 / 4]),
            (5, [1 / 3, 2 / 3, 1, 2 / 3, 1 / 3]),
            (6, [1 / 6, 3 / 6, 5 / 6, 5 / 6, 3 / 6, 1 / 6]),
        ],
    )
    def test_taps_fall_off_from_the_middle(self, size: int, taps: list[float]) -> None:
        weight = filled(Fill(fill="bilinear"), (1, 1, size))
        np.testing.assert_allclose(weight, [[taps]], rtol=1e-15)

    def test_axes_multiply_and_every_pair_of_channels_has_the_kernel(self) -> None:
        weight = filled(Fill(fill="bilinear"), (2, 3, 4, 3))
        kernel = np.outer([0.25, 0.75, 0.75, 0.25], [0.5, 1, 0.5])
        np.testing.assert_allclose(weight, np.broadcast_to(kernel, (2, 3, 4, 3)), rtol=1e-15)

    @pytest.mark.parametrize(("factor", "size"), [(2, 4), (3, 5), (3, 6), (4, 8)])
    def test_upsampling_keeps_a_straight_line_straight(self, factor: int, size: int) -> None:
        weight = filled(Fill(fill="bilinear"), (1, 1, size))
        line = conv_transpose(np.arange(12.0)[None], weight, stride=factor)[0]
        interior = line[2 * size : -2 * size]
        np.testing.assert_allclose(np.diff(interior), 1 / factor, rtol=1e-12)


class TestWritten:
    def test_integers_are_int64_in_row_major_order(self) -> None:
        weight = written(Inline(shape=(1, 2, 3), values=(1, 2, 3, 4, 5, 6)))
        assert weight.dtype == np.int64
        np.testing.assert_array_equal(weight, [[[1, 2, 3], [4, 5, 6]]])

    @pytest.mark.parametrize("values", [(1.0, 2.0), (1, 2.5)])
    def test_one_float_makes_all_float64(self, values: tuple[float, ...]) -> None:
        weight: Array = written(Inline(shape=(1, 1, 2), values=values))
        assert weight.dtype == np.float64
        np.testing.assert_array_equal(weight, [[values]])
