"""A product that is cut into pieces equals the whole product."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from convt_cli.operators.kernels import blas, products
from convt_cli.operators.kernels.products import multiply, multiply_each

CUT = [
    pytest.param((1, 1, 512, 4608, 2), id="two columns"),
    pytest.param((1, 1, 512, 4608, 16), id="sixteen columns"),
    pytest.param((2, 3, 100, 1200, 9), id="a batch and groups"),
    pytest.param((1, 1, 1000, 2048, 7), id="pieces of 50 rows"),
    pytest.param((1, 2, 48, 2304, 15), id="as many rows as there are"),
]
WHOLE = [
    pytest.param((1, 1, 512, 4608, 1), id="one column"),
    pytest.param((1, 1, 512, 4608, 200), id="many columns"),
    pytest.param((1, 1, 97, 8192, 8), id="a prime number of rows"),
    pytest.param((1, 1, 512, 4099, 8), id="a prime number to sum over"),
    pytest.param((1, 1, 30, 60, 8), id="small"),
]


def sides(sizes: tuple[int, ...], dtype: Any) -> tuple[Any, Any]:
    """The matrix and its columns, small integers."""
    batch, groups, rows, inner, count = sizes
    random = np.random.default_rng(list(sizes))
    return (
        random.integers(-9, 10, (groups, rows, inner)).astype(dtype),
        random.integers(-9, 10, (batch, groups, inner, count)).astype(dtype),
    )


@pytest.mark.parametrize("sizes", CUT + WHOLE)
@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int64])
def test_they_are_exact_on_integers(sizes: tuple[int, ...], dtype: Any) -> None:
    matrix, columns = sides(sizes, dtype)
    out = np.full((*columns.shape[:2], matrix.shape[1], columns.shape[3]), 7, dtype)
    multiply(matrix, columns, out)
    expected = np.matmul(matrix.astype(np.int64), columns.astype(np.int64))
    np.testing.assert_array_equal(out, expected)


@pytest.mark.parametrize("sizes", CUT)
def test_a_result_may_lie_apart(sizes: tuple[int, ...]) -> None:
    matrix, columns = sides(sizes, np.float64)
    larger = np.full((*columns.shape[:2], matrix.shape[1], columns.shape[3] + 2), 7.0)
    multiply(matrix, columns, larger[..., 1:-1])
    np.testing.assert_array_equal(larger[..., 1:-1], np.matmul(matrix, columns))
    assert (larger[..., [0, -1]] == 7).all()


@pytest.mark.parametrize(
    ("cases", "is_cut"), [(CUT, True), (WHOLE, False)], ids=["large and narrow", "any other"]
)
def test_what_is_cut_is_large_and_narrow(cases: list[Any], is_cut: bool) -> None:
    for case in cases:
        _, _, rows, inner, count = case.values[0]
        assert (products._piece(rows, inner, count, 4) != (rows, inner)) == is_cut


@example(rows=512, inner=4096, count=32, itemsize=8)
@given(
    rows=st.integers(1, 5000),
    inner=st.integers(1, 40_000),
    count=st.integers(0, 100),
    itemsize=st.sampled_from([4, 8, 16]),
)
def test_pieces_are_small_and_make_up_the_whole(
    rows: int, inner: int, count: int, itemsize: int
) -> None:
    height, depth = products._piece(rows, inner, count, itemsize)
    assert rows % height == inner % depth == 0
    assert (height, depth) == (rows, inner) or height * depth * count <= products._SMALL


EACH = [
    pytest.param((2, 3, 4, 40, 300, 100), id="neither rows nor columns are whole blocks"),
    pytest.param((1, 1, 3, 48, 512, 64), id="whole blocks"),
    pytest.param((1, 2, 2, 30, 1300, 31), id="fewer columns than a block has"),
    pytest.param((1, 1, 2, 100, 1303, 40), id="too long for a block"),
    pytest.param((1, 1, 5, 7, 9, 11), id="small"),
    pytest.param((1, 1, 1, 1, 30_000, 50), id="one row"),
    pytest.param((0, 1, 2, 40, 300, 100), id="an empty batch"),
]


def stacks(sizes: tuple[int, ...], dtype: Any) -> tuple[Any, Any]:
    """The matrix and a stack of columns, parts of larger arrays as those of `rows` are."""
    batch, groups, stack, rows, inner, count = sizes
    random = np.random.default_rng(list(sizes))
    return (
        random.integers(-9, 10, (groups, rows, inner)).astype(dtype),
        random.integers(-9, 10, (batch, groups, stack, inner, count + 5)).astype(dtype)[..., :-5],
    )


@pytest.mark.parametrize("in_place", [False, True], ids=["copied", "in place"])
@pytest.mark.parametrize("sizes", EACH)
@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int64])
def test_each_of_a_stack_is_exact_on_integers(
    monkeypatch: pytest.MonkeyPatch, sizes: tuple[int, ...], dtype: Any, in_place: bool
) -> None:
    monkeypatch.setattr(blas, "multiplies_small_products_in_place", lambda: in_place)
    matrix, columns = stacks(sizes, dtype)
    shape = *columns.shape[:3], matrix.shape[1], columns.shape[4] + 2
    larger = np.full(shape, 7, dtype)
    multiply_each(matrix, columns, larger[..., 1:-1])
    expected = matrix[:, np.newaxis].astype(np.int64) @ columns.astype(np.int64)
    np.testing.assert_array_equal(larger[..., 1:-1], expected)
    assert (larger[..., [0, -1]] == 7).all()


@pytest.mark.parametrize("in_place", [False, True], ids=["copied", "in place"])
@given(
    rows=st.integers(1, 3000),
    inner=st.integers(1, 40_000),
    count=st.integers(1, 3000),
    data=st.data(),
)
def test_blocks_are_small_products_or_all_there_is(
    in_place: bool, rows: int, inner: int, count: int, data: st.DataObject
) -> None:
    dtype = data.draw(st.sampled_from([np.float32, np.float64, np.complex128, np.int64]))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(blas, "multiplies_small_products_in_place", lambda: in_place)
        height, width = products._block(rows, inner, count, np.dtype(dtype))
    is_cut = (height, width) != (rows, count)
    assert not is_cut or height * width * inner <= products._SMALL < rows * inner * count
    assert not is_cut or (in_place and dtype in (np.float32, np.float64))
    fits = inner <= products.LONGEST and rows * inner * count > products._SMALL
    assert is_cut or not fits or not in_place or dtype not in (np.float32, np.float64)


@given(size=st.integers(1, 300), length=st.integers(1, 300))
def test_cuts_follow_upon_each_other_in_equal_pieces(size: int, length: int) -> None:
    cuts = list(products._cuts(size, length))
    assert [cut[0] for cut in cuts] == [0, *(cut[1] for cut in cuts[:-1])]
    assert cuts[-1][1] == size
    assert all(first < past and (past - first) % wide == 0 for first, past, wide in cuts)
    assert all(wide <= length for *_, wide in cuts)


@pytest.mark.parametrize(
    ("sizes", "dtype", "in_place", "expected"),
    [
        ((64, 576, 224), np.float32, True, True),
        ((64, 576, 224), np.float32, False, False),
        ((64, 576, 224), np.complex64, True, False),
        ((64, 1600, 224), np.float64, True, False),
        ((16, 144, 56), np.float64, False, True),
        ((16, 144, 224), np.float64, False, False),
        ((16, 144, 224), np.float64, True, True),
        ((16, 144, 56), np.complex128, True, True),
    ],
)
def test_small_products_are_not_divided_among_threads(
    monkeypatch: pytest.MonkeyPatch,
    sizes: tuple[int, int, int],
    dtype: Any,
    in_place: bool,
    expected: bool,
) -> None:
    monkeypatch.setattr(blas, "multiplies_small_products_in_place", lambda: in_place)
    assert products.are_undivided(*sizes, np.dtype(dtype)) == expected
