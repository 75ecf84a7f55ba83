"""C as a sparse matrix: equal to the oracle's, canonical, and as large as computed before."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from scipy.sparse import csr_array

from convt_cli.arithmetic import convolution as convolution_module
from convt_cli.arithmetic.axis import Axis
from convt_cli.arithmetic.convolution import Convolution
from convt_cli.errors import ArrayError, RequestError
from convt_cli.io import memory
from convt_cli.operators.functions import conv_matrix
from convt_cli.operators.matrix.build import build_matrix
from tests import oracle
from tests.strategies import (
    FOLDING_MODES,
    arguments,
    convolutions,
    direct_convolutions,
    folded_convolutions,
    geometry,
    integers,
    with_arrays,
    zero_padded_convolutions,
)

Drawn = tuple[Convolution, oracle.Array, oracle.Array, oracle.Array]


def assert_equals_the_oracle(convolution: Convolution, weight: oracle.Array) -> None:
    dense = oracle.matrix(weight, convolution.input_shape[1:], **geometry(convolution))
    np.testing.assert_array_equal(build_matrix(convolution, weight).toarray(), dense)


def assert_canonical(matrix: csr_array) -> None:
    """Within each row the column indices grow: sorted, and none twice."""
    rows, columns = matrix.shape
    assert matrix.indptr[0] == 0
    assert matrix.indptr[-1] == len(matrix.indices) == len(matrix.data)
    row_of_entry = np.repeat(np.arange(rows), np.diff(matrix.indptr))
    places = row_of_entry * columns + matrix.indices
    assert (np.diff(places) > 0).all()
    assert ((matrix.indices >= 0) & (matrix.indices < columns)).all()


class TestValues:
    @settings(deadline=None, max_examples=200)
    @given(drawn=with_arrays(zero_padded_convolutions()))
    def test_padded_with_zeros_are_the_oracles(self, drawn: Drawn) -> None:
        convolution, weight, _, _ = drawn
        assert_equals_the_oracle(convolution, weight)

    @settings(deadline=None, max_examples=100)
    @given(drawn=with_arrays(folded_convolutions()))
    def test_padded_with_the_input_are_the_oracles(self, drawn: Drawn) -> None:
        convolution, weight, _, _ = drawn
        assert_equals_the_oracle(convolution, weight)

    @settings(deadline=None, max_examples=50)
    @given(drawn=with_arrays(convolutions()))
    def test_do_not_depend_on_the_width_of_the_indices(self, drawn: Drawn) -> None:
        convolution, weight, _, _ = drawn
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(convolution_module, "_INT32_MAX", 0)
            assert convolution.index_dtype == "int64"
            assert_equals_the_oracle(convolution, weight)

    def test_columns_beyond_the_reach_of_int32_are_where_they_belong(self) -> None:
        stride, far = 2**28, 2**31 + 5
        matrix = conv_matrix([[[1.0, 2.0, 3.0]]], far, stride=stride)
        starts = np.arange(matrix.shape[0]) * stride
        assert matrix.indices.dtype == np.int64
        assert starts[-1] + 2 > 2**31
        np.testing.assert_array_equal(matrix.indices.reshape(-1, 3), starts[:, None] + range(3))
        np.testing.assert_array_equal(matrix.data.reshape(-1, 3), [[1.0, 2.0, 3.0]] * len(starts))

    def test_worked_by_hand(self) -> None:
        matrix = conv_matrix([[[1, 2, 3]]], 4, padding=1, stride=2)
        np.testing.assert_array_equal(matrix.toarray(), [[2, 3, 0, 0], [0, 1, 2, 3]])

    @pytest.mark.parametrize(
        ("mode", "rows"),
        [
            ("circular", [[2, 3, 1], [1, 2, 3], [3, 1, 2]]),
            ("reflect", [[2, 4, 0], [1, 2, 3], [0, 4, 2]]),
            ("replicate", [[3, 3, 0], [1, 2, 3], [0, 1, 5]]),
        ],
    )
    def test_folded_by_hand(self, mode: str, rows: list[list[int]]) -> None:
        axis = Axis.conv(input_size=3, kernel_size=3, before=1, after=1)
        folded = Convolution(out_channels=1, in_channels=1, axes=(axis,), padding_mode=mode)
        matrix = build_matrix(folded, np.array([[[1, 2, 3]]]))
        np.testing.assert_array_equal(matrix.toarray(), rows)


class TestForm:
    @settings(deadline=None, max_examples=100)
    @given(drawn=with_arrays(convolutions()))
    def test_is_canonical(self, drawn: Drawn) -> None:
        convolution, weight, _, _ = drawn
        matrix = build_matrix(convolution, weight)
        assert_canonical(matrix)
        assert matrix.has_canonical_format

    @settings(deadline=None, max_examples=100)
    @given(drawn=with_arrays(convolutions()))
    def test_has_int32_indices_the_weights_dtype_and_the_bytes_it_was_said_to_have(
        self, drawn: Drawn
    ) -> None:
        convolution, weight, _, _ = drawn
        matrix = build_matrix(convolution, weight)
        assert matrix.indices.dtype == matrix.indptr.dtype == np.int32
        assert matrix.dtype == weight.dtype
        taken = matrix.data.nbytes + matrix.indices.nbytes + matrix.indptr.nbytes
        assert taken == convolution.matrix_bytes(weight.itemsize)

    @settings(deadline=None, max_examples=60)
    @given(convolution=convolutions())
    def test_keeps_the_zeros_of_the_weight_as_entries(self, convolution: Convolution) -> None:
        matrix = build_matrix(convolution, np.zeros(convolution.weight_shape))
        assert matrix.nnz == convolution.nnz
        assert not matrix.data.any()

    @pytest.mark.parametrize("mode", FOLDING_MODES)
    def test_keeps_folded_taps_that_cancel_as_entries(self, mode: str) -> None:
        axis = Axis.conv(input_size=4, kernel_size=3, before=1, after=1)
        folded = Convolution(out_channels=1, in_channels=1, axes=(axis,), padding_mode=mode)
        matrix = build_matrix(folded, np.array([[[1, -1, -1]]]))
        assert matrix.nnz == folded.nnz

    def test_does_not_share_the_weights_memory(self) -> None:
        weight = np.ones((1, 1, 1))
        matrix = conv_matrix(weight, 1)
        matrix.data[:] = 7
        assert weight == 1


class TestKeptOutputs:
    @settings(deadline=None, max_examples=100)
    @given(drawn=with_arrays(direct_convolutions(crop=False)))
    def test_are_the_first_rows_of_each_axis(self, drawn: Drawn) -> None:
        convolution, weight, _, _ = drawn
        sizes = convolution.input_shape[1:]
        kept = convolution.output_shape
        derived = [axis.derived_output_size for axis in convolution.axes]
        every = conv_matrix(weight, sizes, **arguments(convolution)).toarray()
        first = every.reshape(kept[0], *derived, -1)[:, *(slice(size) for size in kept[1:])]
        matrix = conv_matrix(weight, sizes, output_size=kept[1:], **arguments(convolution))
        np.testing.assert_array_equal(matrix.toarray(), first.reshape(matrix.shape))

    def test_by_hand(self) -> None:
        weight = np.ones((2, 1, 2), np.int64)
        every = conv_matrix(weight, 5).toarray().reshape(2, 4, 5)
        kept = conv_matrix(weight, 5, output_size=2).toarray().reshape(2, 2, 5)
        np.testing.assert_array_equal(kept, every[:, :2])


class TestDtypes:
    @pytest.mark.parametrize(
        "dtype", ["int8", "uint8", "int64", "float32", "float64", "longdouble", "complex64"]
    )
    def test_are_the_weights(self, dtype: str) -> None:
        weight = np.arange(6).astype(dtype).reshape(1, 2, 3)
        matrix = conv_matrix(weight, 4)
        assert matrix.dtype == dtype
        expected = oracle.matrix(weight, [4], stride=[1], pads=[(0, 0)], dilation=[1], groups=1)
        np.testing.assert_array_equal(matrix.toarray(), expected)

    @pytest.mark.parametrize("dtype", [">f8", ">i4", ">c16"])
    def test_of_foreign_byte_order_become_native(self, dtype: str) -> None:
        weight = np.arange(3).astype(dtype).reshape(1, 1, 3)
        matrix = conv_matrix(weight, 3)
        assert matrix.dtype.isnative
        np.testing.assert_array_equal(matrix.toarray(), [[0, 1, 2]])

    def test_float16_has_no_sparse_matrix(self) -> None:
        with pytest.raises(ArrayError, match="float16") as caught:
            conv_matrix(np.ones((1, 1, 1), np.float16), 1)
        assert caught.value.code == "E302"

    @pytest.mark.parametrize("layout", ["F", "negative strides", "a slice"])
    def test_any_memory_layout_of_the_weight_gives_the_same(self, layout: str) -> None:
        plain = np.arange(24.0).reshape(2, 2, 2, 3)
        weight = {
            "F": np.asfortranarray(plain),
            "negative strides": np.ascontiguousarray(plain[::-1, :, ::-1])[::-1, :, ::-1],
            "a slice": np.repeat(plain, 2, axis=-1)[..., ::2],
        }[layout]
        expected = conv_matrix(plain, (4, 5), padding=1)
        np.testing.assert_array_equal(
            conv_matrix(weight, (4, 5), padding=1).toarray(), expected.toarray()
        )


class TestMemory:
    def test_what_does_not_fit_is_refused_before_it_is_built(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(memory, "NEGLIGIBLE", 0)
        monkeypatch.setattr(memory, "available", lambda: 100)
        with pytest.raises(RequestError, match="C with 10 entries does not fit") as caught:
            conv_matrix(np.ones((1, 1, 1)), 10)
        assert caught.value.code == "E501"

    def test_what_just_fits_is_built(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(memory, "NEGLIGIBLE", 0)
        monkeypatch.setattr(memory, "available", lambda: 10 * 8 + 10 * 4 + 11 * 4)
        assert conv_matrix(np.ones((1, 1, 1)), 10).nnz == 10

    def test_a_size_beyond_all_memory_is_refused_at_once(self) -> None:
        with pytest.raises(RequestError, match="does not fit into memory"):
            conv_matrix(np.ones((1, 1, 3)), 10**15)


@settings(deadline=None, max_examples=30)
@given(weight=integers((2, 3, 2, 2)))
def test_a_pointwise_position_is_the_weight_itself(weight: oracle.Array) -> None:
    """On an input as large as the kernel C has one row per channel: the kernel, laid out flat."""
    np.testing.assert_array_equal(conv_matrix(weight, (2, 2)).toarray(), weight.reshape(2, -1))
