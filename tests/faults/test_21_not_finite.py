"""nan, inf, -0.0 and subnormals in arrays and weights: the routes agree where all are defined.

The matrix says what is defined: an element of the result is the sum of its row's entries times
what they stand for.  A zero of the weight is such an entry, and nan times what is not finite; a
place without an entry, in the padding or between the taps, is nothing.  Zero insertion alone
multiplies the zeros that it inserts: with a weight that is not finite it gives nan for them.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from math import prod
from typing import Any

import numpy as np
import pytest
import scipy.sparse
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from convt_cli.arithmetic.axis import Axis
from convt_cli.arithmetic.convolution import Convolution
from convt_cli.operators.functions import apply, conv, conv_matrix, conv_transpose
from convt_cli.operators.matrix.build import build_matrix
from convt_cli.operators.routes import route
from tests import oracle
from tests.conftest import Run, WriteSpec, assert_quiet
from tests.layers import LAYERS
from tests.strategies import geometry, with_arrays, zero_padded_convolutions

Array = NDArray[Any]

load_npz: Any = scipy.sparse.load_npz

NOT_FINITE = (np.nan, np.inf, -np.inf)
ODD = (*NOT_FINITE, -0.0)
"""Whose sums with integers do not depend on their order; for the others see below."""

FORWARD = ("direct", "matrix")
BACK = ("direct", "matrix", "zero-insert")
ROUTES = [*((method, True) for method in FORWARD), *((method, False) for method in BACK)]
ROUTE = pytest.mark.parametrize(
    ("method", "forward"), ROUTES, ids=lambda part: {True: "C", False: "Cᵀ"}.get(part, part)
)
LAYER = pytest.mark.parametrize(
    "name", ["of rank 1", "grouped", "transposed of rank 1", "of many channels"]
)


def arrays_of(what: Convolution, *, forward: bool, seed: int = 0) -> tuple[Array, Array]:
    """(weight, source) of small integers, some of them zero, as float64."""
    random = np.random.default_rng(seed)
    shape = what.input_shape if forward else what.output_shape
    weight, source = (random.integers(-2, 3, one) for one in (what.weight_shape, shape))
    return weight.astype(np.float64), source.astype(np.float64)


def by_route(what: Convolution, method: str, forward: bool, weight: Array, source: Array) -> Array:
    """What a route makes of one array, flat; without a warning."""
    expected = what.input_shape if forward else what.output_shape
    return apply(route(method, forward=forward), what, weight, source, expected).ravel()


@cache
def taps_of(what: Convolution) -> Array:
    """C with the number of its tap at every entry, counted from 1; 0 is no entry."""
    numbered = np.arange(1, 1 + prod(what.weight_shape)).reshape(what.weight_shape)
    return oracle.matrix(numbered, [axis.input_size for axis in what.axes], **geometry(what))


def by_definition(what: Convolution, forward: bool, weight: Array, source: Array) -> Array:
    """Row by row, the sum of entry times source over the places that have an entry."""
    taps = taps_of(what) if forward else taps_of(what).T
    with np.errstate(all="ignore"):
        products = np.concatenate([[0.0], weight.ravel()])[taps] * source.ravel()
        return np.asarray(np.where(taps, products, 0.0).sum(axis=1))


def assert_alike(found: Array, expected: Array) -> None:
    """The same numbers, nan where nan; 0.0 and -0.0 are equal."""
    np.testing.assert_array_equal(found, expected)


class TestRoutes:
    @ROUTE
    @LAYER
    @pytest.mark.parametrize("odd", [np.inf, np.nan], ids=str)
    def test_21_a_number_in_the_array_reaches_what_reads_it_alone(
        self, name: str, odd: float, method: str, forward: bool
    ) -> None:
        what = LAYERS[name]
        weight, source = arrays_of(what, forward=forward)
        for place in (0, source.size // 2, source.size - 1):
            source.flat[place] = odd
        found = by_route(what, method, forward, weight, source)
        assert_alike(found, by_definition(what, forward, weight, source))

    @pytest.mark.parametrize("forward", [True, False], ids=["C", "Cᵀ"])
    @pytest.mark.parametrize("method", ["direct", "matrix"])
    @LAYER
    @pytest.mark.parametrize("odd", [-np.inf, np.nan], ids=str)
    def test_21_so_does_one_in_the_weight(
        self, name: str, odd: float, method: str, forward: bool
    ) -> None:
        what = LAYERS[name]
        weight, source = arrays_of(what, forward=forward)
        for place in (0, weight.size // 2, weight.size - 1):
            weight.flat[place] = odd
        found = by_route(what, method, forward, weight, source)
        assert_alike(found, by_definition(what, forward, weight, source))

    @LAYER
    @pytest.mark.parametrize("odd", NOT_FINITE, ids=str)
    def test_21_zero_insertion_differs_by_nan_alone_where_a_weight_is_not_finite(
        self, name: str, odd: float
    ) -> None:
        what = LAYERS[name]
        weight, source = arrays_of(what, forward=False)
        weight.flat[0] = odd
        found = by_route(what, "zero-insert", False, weight, source)
        expected = by_definition(what, False, weight, source)
        differs = ~((found == expected) | (np.isnan(found) & np.isnan(expected)))
        assert np.isnan(found[differs]).all()
        finite = by_route(
            what, "zero-insert", False, np.nan_to_num(weight, posinf=9, neginf=9), source
        )
        assert np.isfinite(finite).all()

    @LAYER
    @pytest.mark.parametrize("forward", [True, False], ids=["C", "Cᵀ"])
    @pytest.mark.parametrize("method", ["direct", "matrix"])
    def test_21_all_of_them_at_once(self, name: str, method: str, forward: bool) -> None:
        what = LAYERS[name]
        random = np.random.default_rng(3)
        odd = np.array([*ODD, 0.0, 1.0, 2.0, -3.0])
        weight, source = arrays_of(what, forward=forward)
        for array in (weight, source):
            few = random.random(array.shape) < 0.2
            array[few] = random.choice(odd, int(few.sum()))
        found = by_route(what, method, forward, weight, source)
        assert_alike(found, by_definition(what, forward, weight, source))

    @settings(max_examples=60)
    @given(
        drawn=with_arrays(zero_padded_convolutions()),
        odd=st.sampled_from(ODD),
        places=st.tuples(st.integers(0, 10**6), st.integers(0, 10**6)),
        forward=st.booleans(),
    )
    def test_21_in_any_layer_the_matrix_and_the_direct_method_agree(
        self,
        drawn: tuple[Convolution, Array, Array, Array],
        odd: float,
        places: tuple[int, int],
        forward: bool,
    ) -> None:
        what, taps, x, y = drawn
        weight, source = taps.astype(np.float64), (x if forward else y).astype(np.float64)
        weight.flat[places[0] % weight.size] = odd
        source.flat[places[1] % source.size] = odd
        direct = by_route(what, "direct", forward, weight, source)
        assert_alike(direct, by_route(what, "matrix", forward, weight, source))
        assert_alike(direct, by_definition(what, forward, weight, source))


SMALLEST = {"float32": 2.0**-149, "float64": 2.0**-1074, "complex64": 2.0**-149}


class TestSubnormals:
    @ROUTE
    @pytest.mark.parametrize("name", ["grouped", "of many channels"])
    @pytest.mark.parametrize(
        ("dtype", "place"), [("float32", "array"), ("float64", "weight"), ("complex64", "array")]
    )
    def test_21_they_are_summed_exactly(
        self, name: str, dtype: str, place: str, method: str, forward: bool
    ) -> None:
        """All are multiples of the smallest one, so every sum is exact, in any order."""
        what, tiny = LAYERS[name], SMALLEST[dtype]
        weight, source = arrays_of(what, forward=forward)
        expected = by_definition(what, forward, weight, source)
        scaled = (weight, source * tiny) if place == "array" else (weight * tiny, source)
        found = by_route(what, method, forward, *(one.astype(dtype) for one in scaled))
        assert found.dtype == dtype
        assert expected.any()
        np.testing.assert_array_equal(found, (expected * tiny).astype(dtype))

    @ROUTE
    def test_21_those_of_float16_are_summed_in_float32(self, method: str, forward: bool) -> None:
        what = LAYERS["grouped"]
        weight, source = arrays_of(what, forward=forward)
        expected = by_definition(what, forward, weight, source) * 2.0**-24
        found = by_route(
            what, method, forward, weight.astype("float16"), (source * 2.0**-24).astype("float16")
        )
        assert expected.any()
        np.testing.assert_array_equal(found, expected)

    @ROUTE
    def test_21_products_become_subnormal_and_not_zero(self, method: str, forward: bool) -> None:
        what = LAYERS["of many channels"]
        weight, source = arrays_of(what, forward=forward)
        expected = by_definition(what, forward, weight, source)
        found = by_route(what, method, forward, weight * 2.0**-530, source * 2.0**-540)
        np.testing.assert_array_equal(found, expected * 2.0**-1070)


class TestRange:
    @ROUTE
    @pytest.mark.parametrize("name", ["grouped", "of many channels"])
    @pytest.mark.parametrize(("dtype", "sign"), [("float16", 1), ("float32", -1), ("float64", 1)])
    def test_21_what_is_too_large_is_infinite_by_every_route(
        self, name: str, dtype: str, sign: int, method: str, forward: bool
    ) -> None:
        what = LAYERS[name]
        weight, source = (abs(one) for one in arrays_of(what, forward=forward))
        most = sign * np.finfo(dtype).max * np.ones_like(source)
        found = by_route(what, method, forward, (weight + 2).astype(dtype), most.astype(dtype))
        structure = by_definition(what, forward, np.ones_like(weight), np.ones_like(source))
        np.testing.assert_array_equal(found, np.where(structure, sign * np.inf, 0))

    @pytest.mark.parametrize("function", [conv, conv_transpose])
    def test_21_float16_overflows_at_its_end_alone(self, function: Callable[..., Array]) -> None:
        ones, taps = np.ones((1, 3), np.float16), np.array([[[60000, 60000, -60000]]], np.float16)
        result = function(ones, taps)
        assert 60000 in result
        assert np.isposinf(result).any() == (function is conv_transpose)

    @pytest.mark.parametrize("dtype", ["float32", "float64"])
    @pytest.mark.parametrize("transpose", [False, True], ids=["C", "Cᵀ"])
    def test_21_a_zero_of_the_weight_is_an_entry(self, dtype: str, transpose: bool) -> None:
        weight = np.array([[[0.0, 1.0, -0.0]]], dtype)
        matrix = build_matrix(
            Convolution(
                out_channels=1, in_channels=1, axes=(Axis.conv(input_size=4, kernel_size=3),)
            ),
            weight,
            transpose=transpose,
        )
        assert matrix.nnz == 6
        assert sorted(np.signbit(matrix.data)) == [False] * 4 + [True] * 2
        x = np.array([np.inf, 1, 1, 1], dtype)
        with np.errstate(invalid="ignore"):
            by_matrix = conv_matrix(weight, 4) @ x
        assert_alike(conv(x[None], weight)[0], by_matrix)
        assert_alike(by_matrix, np.array([np.nan, 1]))


LINE = """
    input: [1, 6]
    layers: [{type: conv, out_channels: 1, kernel_size: 3, weight: [[[1, 2, 3]]]}]
    """


def product(run: Run, path: str, array: Array, *options: str) -> Array:
    """What convt makes of an array, from and to .npy, nothing said."""
    np.save("in.npy", array)
    assert_quiet(run("apply", path, "in.npy", "-o", "out.npy", "--force", *options))
    result: Array = np.load("out.npy")
    return result


class TestCommand:
    @pytest.mark.parametrize(
        ("odd", "method"),
        [
            *((odd, "direct") for odd in (*ODD, 5e-324, 1.7e308)),
            (np.inf, "matrix"),
            (np.nan, "zero-insert"),
        ],
        ids=str,
    )
    def test_21_a_number_in_the_array_reaches_what_reads_it_alone(
        self, run: Run, spec: WriteSpec, odd: float, method: str
    ) -> None:
        result = product(run, spec(LINE), np.array([[odd, 0, 0, 1]]), "--method", method)
        with np.errstate(all="ignore"):
            expected = np.array([[odd, 2 * odd, 3 * odd, 1, 2, 3]])
        assert_alike(result, expected)

    @pytest.mark.parametrize(("method", "value"), [("direct", np.inf), ("matrix", np.nan)])
    def test_21_a_weight_that_is_not_finite_meets_no_zeros_of_the_padding(
        self, run: Run, spec: WriteSpec, value: float, method: str
    ) -> None:
        np.save("w.npy", np.array([[[value, 1.0, 2.0]]]))
        path = spec("""
            input: [1, 6]
            layers:
              - {type: conv, out_channels: 1, kernel_size: 3, stride: 3, padding: 1, weight: w.npy}
            """)
        result = product(run, path, np.array([[2.0, 3.0]]), "--method", method)
        assert_alike(result, np.array([[2.0, 4.0, 3 * value, 3.0, 6.0, 0.0]]))

    @pytest.mark.parametrize(
        ("array", "options", "expected"),
        [
            (np.full((1, 4), 1e308), (), np.inf),
            (np.full((1, 4), -1e308), ("--method", "matrix"), -np.inf),
            (np.full((1, 4), 1e308), ("--method", "zero-insert"), np.inf),
            (np.full((1, 4), 1e308), ("--dtype", "float32"), np.inf),
            (np.full((1, 4), 60000, np.float16), ("--dtype", "float16"), np.inf),
            (np.full((1, 4), 1e10), ("--dtype", "float16"), np.inf),
            (np.array([[np.inf, -np.inf, 1, 1]]), (), np.nan),
            (np.array([[np.inf, -np.inf, 1, 1]]), ("--method", "matrix"), np.nan),
            (np.array([[np.inf, -np.inf, 1, 1]]), ("--method", "zero-insert"), np.nan),
            (np.full((1, 4), 5e-324), ("--dtype", "float32"), 0.0),
        ],
        ids=str,
    )
    def test_21_what_leaves_the_range_of_floats_does_so_quietly(
        self, run: Run, spec: WriteSpec, array: Array, options: tuple[str, ...], expected: float
    ) -> None:
        result = product(run, spec(LINE), array, *options)
        np.testing.assert_array_equal(result[0, 2], expected)

    @pytest.mark.parametrize("name", ["x.csv", "x.txt", "x.npz"])
    def test_21_they_go_through_files_unchanged(self, run: Run, spec: WriteSpec, name: str) -> None:
        odd = np.array([[np.nan, np.inf, -np.inf, -0.0, 5e-324, 1.7e308]])
        path = spec(LINE.replace("[[[1, 2, 3]]]", "[[[1]]]").replace("3,", "1,"))
        np.save("y.npy", odd)
        assert_quiet(run("apply", path, "y.npy", "-o", name))
        assert_quiet(run("apply", path, name, "-o", "back.npy"))
        np.testing.assert_array_equal(np.load("back.npy").ravel(), odd[0])

    @pytest.mark.parametrize(
        ("sparse_format", "value"),
        [("csr", 0.0), ("csc", np.nan), ("coo", np.inf), ("bsr", 5e-324), ("dia", 0.0)],
    )
    def test_21_a_matrix_file_holds_them(
        self, run: Run, spec: WriteSpec, sparse_format: str, value: float
    ) -> None:
        np.save("w.npy", np.array([[[value, 1.0]]]))
        path = spec(LINE.replace("[[[1, 2, 3]]]", "w.npy").replace("size: 3", "size: 2"))
        assert_quiet(run("matrix", path, "-o", "C.npz", "--sparse-format", sparse_format))
        dense = load_npz("C.npz").toarray()
        expected = np.zeros((5, 6))
        expected[np.arange(5), np.arange(5)] = value
        expected[np.arange(5), np.arange(1, 6)] = 1
        np.testing.assert_array_equal(dense, expected)
