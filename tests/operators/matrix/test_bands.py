"""C and Cᵀ in bands: however small the bands are, together they are the matrix."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_array

from convt_cli.arithmetic import convolution as convolution_module
from convt_cli.arithmetic.axis import Axis
from convt_cli.arithmetic.convolution import Convolution
from convt_cli.errors import RequestError
from convt_cli.io import memory
from convt_cli.operators.matrix.bands import ZeroPaddedBand
from convt_cli.operators.matrix.build import (
    BandedMatrix,
    banded_matrix,
    build_matrix,
    can_be_banded,
)
from tests import oracle
from tests.strategies import (
    convolutions,
    folded_convolutions,
    geometry,
    with_arrays,
    zero_padded_convolutions,
)

Drawn = tuple[Convolution, oracle.Array, oracle.Array, oracle.Array]


def joined(matrix: BandedMatrix) -> csr_array:
    """The matrix, each band of it filled into arrays that hold rubbish."""
    data, columns, counts = [], [], []
    for band in matrix.bands:
        data.append(np.full(band.entries, 77, matrix.dtype))
        columns.append(np.full(band.entries, -1, matrix.index_dtype))
        band.fill_data(data[-1])
        band.fill_columns(columns[-1])
        counts.append(band.row_entries())
        assert counts[-1].sum() == band.entries
    ends = np.cumsum(np.concatenate(counts), dtype=matrix.index_dtype)
    pointers = np.concatenate([ends[:1] * 0, ends])
    arrays = (np.concatenate(data), np.concatenate(columns), pointers)
    return csr_array(arrays, shape=matrix.shape)


def assert_same(first: csr_array, second: csr_array) -> None:
    """The same three arrays, of the same dtypes."""
    assert first.shape == second.shape
    for name in ("data", "indices", "indptr"):
        left, right = getattr(first, name), getattr(second, name)
        assert left.dtype == right.dtype, name
        np.testing.assert_array_equal(left, right, err_msg=name)


def convolution_of(axis: Axis, channels: int = 1) -> Convolution:
    return Convolution(out_channels=channels, in_channels=channels, axes=(axis,))


class TestTranspose:
    @settings(deadline=None, max_examples=200)
    @given(drawn=with_arrays(convolutions()))
    def test_has_the_arrays_of_the_transpose(self, drawn: Drawn) -> None:
        convolution, weight, _, _ = drawn
        transpose = build_matrix(convolution, weight, transpose=True)
        assert transpose.has_canonical_format
        assert_same(transpose, build_matrix(convolution, weight).T.tocsr())

    @settings(deadline=None, max_examples=100)
    @given(drawn=with_arrays(zero_padded_convolutions()))
    def test_is_the_oracles(self, drawn: Drawn) -> None:
        convolution, weight, _, _ = drawn
        dense = oracle.matrix(weight, convolution.input_shape[1:], **geometry(convolution))
        transpose = build_matrix(convolution, weight, transpose=True)
        np.testing.assert_array_equal(transpose.toarray(), dense.T)

    @settings(deadline=None, max_examples=50)
    @given(drawn=with_arrays(zero_padded_convolutions()))
    def test_has_wide_indices_where_c_has(self, drawn: Drawn) -> None:
        convolution, weight, _, _ = drawn
        expected = build_matrix(convolution, weight).toarray().T
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(convolution_module, "_INT32_MAX", 0)
            bands = banded_matrix(convolution, weight, transpose=True)
            assert bands.index_dtype == np.int64
            np.testing.assert_array_equal(joined(bands).toarray(), expected)

    def test_rows_beyond_the_reach_of_int32_are_where_they_belong(self) -> None:
        stride = 2**28
        convolution = convolution_of(Axis.conv(input_size=2**31 + 5, kernel_size=3, stride=stride))
        matrix = banded_matrix(convolution, np.array([[[1, 2, 3]]]), transpose=True)
        last = list(matrix.bands)[-1]
        assert isinstance(last, ZeroPaddedBand)
        first_row = last.box[1].start
        rows = first_row + np.flatnonzero(last.row_entries())
        columns = np.zeros(last.entries, np.int64)
        last.fill_columns(columns)
        assert rows.tolist() == [2**31, 2**31 + 1, 2**31 + 2]
        assert columns.tolist() == [8, 8, 8]

    def test_worked_by_hand(self) -> None:
        axis = Axis.conv(input_size=4, kernel_size=3, stride=2, before=1, after=1)
        transpose = build_matrix(convolution_of(axis), np.array([[[1, 2, 3]]]), transpose=True)
        np.testing.assert_array_equal(transpose.toarray(), [[2, 0], [3, 1], [0, 2], [0, 3]])

    def test_is_refused_before_it_is_built(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(memory, "NEGLIGIBLE", 0)
        monkeypatch.setattr(memory, "available", lambda: 100)
        convolution = convolution_of(Axis.conv(input_size=10, kernel_size=1))
        with pytest.raises(RequestError, match="Cᵀ with 10 entries does not fit"):
            build_matrix(convolution, np.ones((1, 1, 1)), transpose=True)


class TestBands:
    @pytest.mark.parametrize("transpose", [False, True])
    @settings(deadline=None, max_examples=100)
    @given(drawn=with_arrays(zero_padded_convolutions()), band_bytes=st.integers(1, 2000))
    def test_make_up_the_matrix(self, drawn: Drawn, band_bytes: int, transpose: bool) -> None:
        convolution, weight, _, _ = drawn
        bands = banded_matrix(convolution, weight, transpose=transpose, band_bytes=band_bytes)
        assert_same(joined(bands), build_matrix(convolution, weight, transpose=transpose))

    @settings(deadline=None, max_examples=60)
    @given(drawn=with_arrays(folded_convolutions()), band_bytes=st.integers(1, 2000))
    def test_make_up_a_folded_matrix(self, drawn: Drawn, band_bytes: int) -> None:
        convolution, weight, _, _ = drawn
        bands = banded_matrix(convolution, weight, band_bytes=band_bytes)
        assert_same(joined(bands), build_matrix(convolution, weight))

    @pytest.mark.parametrize("transpose", [False, True])
    @settings(deadline=None, max_examples=60)
    @given(drawn=with_arrays(zero_padded_convolutions()), band_bytes=st.integers(1, 2000))
    def test_are_no_larger_than_asked_unless_of_one_row(
        self, drawn: Drawn, band_bytes: int, transpose: bool
    ) -> None:
        convolution, weight, _, _ = drawn
        bands = banded_matrix(convolution, weight, transpose=transpose, band_bytes=band_bytes)
        for band in bands.bands:
            rows = len(band.row_entries())
            assert rows == 1 or band.entries * (weight.itemsize + 4) + rows * 4 <= band_bytes

    @pytest.mark.parametrize("transpose", [False, True])
    @pytest.mark.parametrize("stride", [1, 3])
    def test_of_long_runs_are_joined_from_short_periods(self, stride: int, transpose: bool) -> None:
        """Long enough that a period is copied many times over, with some left at the end."""
        axis = Axis.conv(input_size=20_011, kernel_size=5, stride=stride, before=2, after=2)
        convolution = convolution_of(axis, channels=2)
        weight = np.arange(20.0).reshape(2, 2, 5)
        matrix = build_matrix(convolution, weight, transpose=transpose)
        x = np.random.default_rng(0).integers(-9, 9, matrix.shape[1]).astype(float)
        plain = banded_matrix(convolution, weight, transpose=transpose, band_bytes=1000)
        assert_same(matrix, joined(plain))
        np.testing.assert_array_equal(matrix @ x, joined(plain) @ x)

    def test_cannot_be_made_of_a_folded_transpose(self) -> None:
        axis = Axis.conv(input_size=4, kernel_size=3, before=1, after=1)
        folded = Convolution(out_channels=1, in_channels=1, axes=(axis,), padding_mode="circular")
        assert can_be_banded(folded, transpose=False)
        assert not can_be_banded(folded, transpose=True)
        assert can_be_banded(convolution_of(axis), transpose=True)
