"""Arrays of every dtype, order and rank: done right by every route, or refused by name.

What is done right is held against exact arithmetic, or against float64 where that is exact enough.
A sum of n products, each |w| |x| large, is within n u of the sum of |w| |x|, where u is half the
spacing of 1 in the dtype: float16 is summed in float32 and rounded once, at the end; integers are
exact.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from convt_cli.arithmetic.axis import Axis
from convt_cli.arithmetic.convolution import Convolution
from convt_cli.errors import ArrayError
from convt_cli.operators.functions import apply, conv, conv_matrix, conv_transpose
from convt_cli.operators.matrix.build import build_matrix
from convt_cli.operators.operator import ConvOperator
from convt_cli.operators.routes import FORWARD, TRANSPOSE, route
from tests import oracle
from tests.conftest import Run, WriteSpec, assert_quiet, assert_refused
from tests.layers import LAYERS, layer
from tests.strategies import geometry

Array = NDArray[Any]

INTEGERS = ("int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64")
REALS = ("float16", "float32", "float64", "longdouble")
COMPLEX = ("complex64", "complex128", "clongdouble")
FOREIGN = (">i2", ">u4", ">i8", ">f2", ">f4", ">f8", ">c8", ">c16", "<f4")
DTYPES = (*INTEGERS, *REALS, *COMPLEX, *FOREIGN)

FUNCTIONS = pytest.mark.parametrize("function", [conv, conv_transpose])


SMALL = ["of rank 1", "grouped", "transposed of rank 1", "of rank 3"]
"""Of `LAYERS`: small enough for exact fractions."""

LARGE = {
    "many channels": layer(
        48, 40, *[Axis.conv(input_size=9, kernel_size=3, before=1, after=1)] * 2
    ),
    "one channel": layer(
        1, 1, *[Axis.conv(input_size=60, kernel_size=7, stride=2, before=3, after=3)] * 2
    ),
    "depthwise": layer(
        16, 16, *[Axis.conv(input_size=12, kernel_size=5, before=2, after=2)] * 2, groups=16
    ),
    "a long line": layer(8, 4, Axis.conv(input_size=3000, kernel_size=25, stride=4)),
    "up, and many channels": layer(
        48,
        32,
        *[Axis.conv_transpose(input_size=8, kernel_size=4, stride=2, before=1, after=1)] * 2,
        adjoint=True,
    ),
    "few outputs of a large weight": layer(
        80, 80, *[Axis.conv(input_size=4, kernel_size=4, before=1, after=1)] * 2
    ),
}
"""Large enough for every kernel that computes by matrix products."""

ROUTES = [
    *((method, True) for method in FORWARD if method != "auto"),
    *((method, False) for method in TRANSPOSE if method != "auto"),
]
"""What is left to `auto` goes one of these ways."""

ROUTE = pytest.mark.parametrize(
    ("method", "forward"), ROUTES, ids=lambda part: {True: "C", False: "Cᵀ"}.get(part, part)
)


def numbers(shape: tuple[int, ...], dtype: str, seed: int) -> Array:
    """Normal numbers times up to 2^20, rounded to a dtype; integers of one digit."""
    random = np.random.default_rng(seed)
    kind = np.dtype(dtype).kind
    if kind in "iu":
        return random.integers(0 if kind == "u" else -3, 4, shape).astype(dtype)
    real = random.standard_normal((2, *shape)) * 2.0 ** random.integers(-5, 5, (2, *shape))
    values: Array = real[0] + 1j * real[1] if kind == "c" else real[0]
    return values.astype(dtype)


def unit(dtype: np.dtype[Any]) -> float:
    """Half the spacing of 1 in the dtype that sums are computed in; integers are exact."""
    if dtype.kind in "iu":
        return 0.0
    summed = np.dtype(np.float32) if dtype == np.float16 else dtype
    return float(np.finfo(summed).eps) / 2


def bound(result: np.dtype[Any], products: Array, magnitudes: Array) -> Array:
    """How far each element may be off: n u of the sum of |w| |x|, float16's own rounding aside.

    A complex product is four of real numbers, and each part of a sum has two of every product.
    """
    u = unit(result)
    terms = products * (2 * np.sqrt(2) if result.kind == "c" else 1) + 1
    return np.asarray(terms * u * magnitudes * (1 + 1e-6), np.float64)


def route_s(
    what: Convolution, method: str, *, forward: bool, weight: Array, source: Array
) -> Array:
    """What a route makes of one array, flat."""
    expected = what.input_shape if forward else what.output_shape
    result = apply(route(method, forward=forward), what, weight, source, expected)
    assert result.dtype == np.result_type(source, weight).newbyteorder("=")
    assert result.dtype.isnative
    return result.ravel()


def fraction(number: Any) -> Fraction:
    """A number of NumPy's as it is, exactly."""
    ratio = (int(number), 1) if isinstance(number, np.integer) else number.as_integer_ratio()
    return Fraction(*map(int, ratio))


def fractions(array: Array) -> Array:
    """The same numbers as exact fractions."""
    return np.array([fraction(one) for one in array.ravel()], object).reshape(array.shape)


def assert_exact_enough(what: Convolution, method: str, dtype: str, *, forward: bool) -> None:
    """A route's result is within its bound of the exact one, part by part."""
    weight = numbers(what.weight_shape, dtype, 1)
    source = numbers(what.input_shape if forward else what.output_shape, dtype, 2)
    found = route_s(what, method, forward=forward, weight=weight, source=source)
    sizes = [axis.input_size for axis in what.axes]
    parts = ("real", "imag") if found.dtype.kind == "c" else ("real",)
    matrices = {
        part: oracle.matrix(fractions(getattr(weight, part)), sizes, **geometry(what))
        for part in parts
    }
    if not forward:
        matrices = {part: matrix.T for part, matrix in matrices.items()}
    sources = {part: fractions(getattr(source.ravel(), part)) for part in parts}
    exact = {"real": matrices["real"] @ sources["real"]}
    if len(parts) == 2:
        exact["real"] = exact["real"] - matrices["imag"] @ sources["imag"]
        exact["imag"] = matrices["real"] @ sources["imag"] + matrices["imag"] @ sources["real"]
    structure = oracle.matrix(np.ones(weight.shape), sizes, **geometry(what))
    most = oracle.matrix(np.abs(weight).astype(float), sizes, **geometry(what))
    structure, most = (structure, most) if forward else (structure.T, most.T)
    allowed = bound(
        found.dtype,
        structure @ np.ones(source.size),
        most @ np.abs(source.ravel()).astype(float),
    )
    for part in parts:
        pairs = zip(getattr(found, part), exact[part], allowed, strict=True)
        for one, wanted, most_off in pairs:
            off = float(abs(fraction(one) - wanted))
            rounding = float(abs(wanted)) * 2**-11 + 2**-25 if found.dtype == np.float16 else 0
            assert off <= most_off + rounding


class TestRoutes:
    @pytest.mark.parametrize("dtype", DTYPES)
    def test_20_every_dtype_keeps_within_its_bound_of_the_exact_result(self, dtype: str) -> None:
        assert_exact_enough(LAYERS["grouped transposed"], "direct", dtype, forward=False)

    @ROUTE
    @pytest.mark.parametrize("dtype", ["int32", "float16", "float32", "complex128"])
    def test_20_so_does_every_route(self, dtype: str, method: str, forward: bool) -> None:
        assert_exact_enough(LAYERS["grouped"], method, dtype, forward=forward)

    @ROUTE
    @pytest.mark.parametrize("name", SMALL)
    def test_20_so_it_does_for_every_kind_of_layer(
        self, name: str, method: str, forward: bool
    ) -> None:
        assert_exact_enough(LAYERS[name], method, "float32", forward=forward)

    @pytest.mark.parametrize("forward", [True, False], ids=["C", "Cᵀ"])
    @pytest.mark.parametrize("method", ["direct", "matrix"])
    def test_20_and_for_padding_that_repeats_the_input(self, method: str, forward: bool) -> None:
        assert_exact_enough(LAYERS["reflect"], method, "float32", forward=forward)

    @ROUTE
    @pytest.mark.parametrize(
        ("name", "dtype"),
        [*((name, "float32") for name in LARGE), ("up, and many channels", "complex64")],
    )
    def test_20_and_for_layers_of_matrix_products(
        self, name: str, dtype: str, method: str, forward: bool
    ) -> None:
        """Held against float64, whose own errors are below a thousandth of the bound."""
        what = LARGE[name]
        wide = "complex128" if dtype == "complex64" else "float64"
        weight = numbers(what.weight_shape, dtype, 1)
        source = numbers(what.input_shape if forward else what.output_shape, dtype, 2)
        matrix = build_matrix(what, weight.astype(wide), transpose=not forward)
        allowed = bound(
            np.result_type(weight, source),
            np.diff(matrix.indptr),
            abs(matrix) @ np.abs(source.ravel().astype(wide)),
        )
        expected = matrix @ source.ravel().astype(wide)
        found = route_s(what, method, forward=forward, weight=weight, source=source)
        assert (np.abs(found.astype(wide) - expected) <= allowed).all()

    @pytest.mark.parametrize("dtype", ["int8", "float16", "complex64", ">f4"])
    def test_20_a_linear_operator_keeps_within_it_too(self, dtype: str) -> None:
        weight, x = numbers((3, 2, 3), dtype, 1), numbers((2, 9), dtype, 2)
        operator = ConvOperator(weight, 9, padding=1)
        y = operator @ x.ravel()
        np.testing.assert_array_equal(y, conv(x, weight, padding=1).ravel())
        y = numbers((3, 9), dtype, 3)
        expected = conv_transpose(y, weight, padding=1).ravel()
        np.testing.assert_array_equal(operator.T @ y.ravel(), expected)

    @pytest.mark.parametrize(
        "dtype",
        ["int8", "uint64", "float32", "longdouble", "complex64", "clongdouble", ">f4", ">c16"],
    )
    def test_20_the_matrix_holds_the_weight_s_own_numbers(self, dtype: str) -> None:
        weight = numbers((3, 2, 3), dtype, 1)
        matrix = conv_matrix(weight, 9, stride=2, padding=1)
        assert matrix.dtype == np.dtype(dtype).newbyteorder("=")
        dense = oracle.matrix(weight, [9], stride=[2], pads=[(1, 1)], dilation=[1], groups=1)
        np.testing.assert_array_equal(matrix.toarray(), dense)

    @pytest.mark.parametrize("of_source", ["int16", "uint64", "float16", "float64", ">c8"])
    @pytest.mark.parametrize("of_weight", ["int8", "uint64", "float16", "float32", "complex64"])
    def test_20_two_dtypes_are_computed_in_the_wider(self, of_source: str, of_weight: str) -> None:
        source, weight = numbers((2, 7), of_source, 1), numbers((3, 2, 3), of_weight, 2)
        if np.result_type(source, weight).kind in "iu":
            source, weight = abs(source), abs(weight)
        found = conv(source, weight)
        wide = np.result_type(found.dtype, np.float64)
        expected = conv(source.astype(wide), weight.astype(wide))
        most = conv(abs(source).astype(float), abs(weight).astype(float))
        allowed = bound(found.dtype, np.array(6), most)
        if found.dtype == np.float16:
            allowed = allowed + np.abs(expected) * 2**-11 + 2**-25
        assert (np.abs(found.astype(wide) - expected) <= allowed).all()


LINE = "input: [1, 6]\nlayers: [{type: conv, out_channels: 1, kernel_size: 3, weight: w.npy}]\n"
PAIR = """
    input: [2, 5, 4]
    layers:
      - {type: conv, out_channels: 3, kernel_size: [3, 2], weight: {fill: index}}
    """
"""C has rows (3, 3, 3) and columns (2, 5, 4)."""


def product(run: Run, path: str, array: Array, *options: str) -> Array:
    """What convt makes of an array, from and to .npy, nothing said."""
    np.save("in.npy", array)
    assert_quiet(run("apply", path, "in.npy", "-o", "out.npy", "--force", *options))
    result: Array = np.load("out.npy")
    return result


def views(array: Array) -> dict[str, Array]:
    """The same array, lying in memory in other ways."""
    return {
        "Fortran order": np.asfortranarray(array),
        "a negative stride": array[..., ::-1].copy()[..., ::-1],
        "channels backwards": array[::-1].copy()[::-1],
        "all backwards": np.flip(np.flip(array).copy()),
        "every third element": np.repeat(array, 3, axis=-1)[..., ::3],
        "interleaved": np.stack([array, array], axis=-1)[..., 0],
        "big-endian": array.astype(array.dtype.newbyteorder(">")),
        "unaligned": np.frombuffer(b"\0" + array.tobytes(), array.dtype, offset=1).reshape(
            array.shape
        ),
    }


VIEWS = tuple(views(np.zeros((1, 1))))


class TestMemoryLayout:
    @FUNCTIONS
    @pytest.mark.parametrize("of_weight", [False, True], ids=["array", "weight"])
    @pytest.mark.parametrize("view", VIEWS)
    def test_20_a_function_gives_the_same(
        self, function: Callable[..., Array], of_weight: bool, view: str
    ) -> None:
        random = np.random.default_rng(2)
        source, weight = random.standard_normal((2, 5, 6)), random.standard_normal((2, 2, 2, 3))
        expected = function(source, weight, padding=1)
        arrays = (source, views(weight)[view]) if of_weight else (views(source)[view], weight)
        np.testing.assert_array_equal(function(*arrays, padding=1), expected)

    @pytest.mark.parametrize("view", VIEWS)
    def test_20_so_do_the_matrix_and_the_operator(self, view: str) -> None:
        weight = np.random.default_rng(2).standard_normal((2, 2, 2, 3))
        matrix = conv_matrix(weight, (5, 6))
        found = conv_matrix(views(weight)[view], (5, 6))
        np.testing.assert_array_equal(found.toarray(), matrix.toarray())
        x = np.arange(60.0)
        expected = ConvOperator(weight, (5, 6)) @ x
        np.testing.assert_array_equal(ConvOperator(views(weight)[view], (5, 6)) @ x, expected)

    @pytest.mark.parametrize("view", [one for one in VIEWS if one != "unaligned"])
    def test_20_a_command_gives_the_same(self, run: Run, spec: WriteSpec, view: str) -> None:
        y = np.random.default_rng(1).integers(-9, 10, (3, 3, 3))
        expected = product(run, spec(PAIR), y)
        found = product(run, "net.yaml", views(y)[view])
        assert found.shape == expected.shape
        np.testing.assert_array_equal(found, expected)

    @FUNCTIONS
    def test_20_one_row_for_all_is_no_copy_of_it(self, function: Callable[..., Array]) -> None:
        row = np.arange(5.0)
        wide = np.broadcast_to(row, (2, 4, 5))
        weight = np.arange(24.0).reshape(2, 2, 2, 3)
        np.testing.assert_array_equal(function(wide, weight), function(wide.copy(), weight))

    @FUNCTIONS
    def test_20_what_may_only_be_read_is_only_read(self, function: Callable[..., Array]) -> None:
        source, weight = np.arange(8.0).reshape(2, 4), np.ones((2, 2, 3))
        expected = function(source, weight)
        source.flags.writeable = weight.flags.writeable = False
        np.testing.assert_array_equal(function(source, weight), expected)
        np.testing.assert_array_equal(source, np.arange(8.0).reshape(2, 4))

    @FUNCTIONS
    def test_20_the_result_is_the_caller_s_own(self, function: Callable[..., Array]) -> None:
        source, weight = np.ones((1, 3)), np.ones((1, 1, 1))
        function(source, weight)[...] = 7
        np.testing.assert_array_equal(source, np.ones((1, 3)))


NO_NUMBERS = [
    np.ones((1, 4), bool),
    np.full((1, 4), "1"),
    np.full((1, 4), b"1"),
    np.ones((1, 4), "datetime64[s]"),
    np.ones((1, 4), "timedelta64[s]"),
    np.ones((1, 4), [("a", "f8")]),
    np.ones((1, 4), [("a", "f8"), ("b", "i4")]),
    np.full((1, 4), 1.0, object),
    np.zeros((1, 4), "V8"),
]
NO_NUMBER = pytest.mark.parametrize("array", NO_NUMBERS, ids=lambda array: str(array.dtype))


class TestRefused:
    @pytest.mark.parametrize(
        ("array", "options"),
        [
            *((array, ()) for array in NO_NUMBERS),
            (NO_NUMBERS[0], ("--method", "matrix")),
            (NO_NUMBERS[1], ("--dtype", "float64")),
        ],
    )
    def test_20_what_is_no_number_is_no_array(
        self, run: Run, spec: WriteSpec, array: Array, options: tuple[str, ...]
    ) -> None:
        np.save("w.npy", np.ones((1, 1, 3)))
        np.save("y.npy", array)
        outcome = run("apply", spec(LINE), "y.npy", "-o", "x.npy", *options)
        assert_refused(outcome, "E302")
        assert f"dtype {array.dtype}" in outcome.err
        assert not Path("x.npy").exists()

    @pytest.mark.parametrize(
        ("array", "command"),
        [*((array, "apply") for array in NO_NUMBERS), (NO_NUMBERS[0], "matrix")],
    )
    def test_20_nor_a_weight(self, run: Run, spec: WriteSpec, array: Array, command: str) -> None:
        np.save("w.npy", np.resize(array, (1, 1, 3)))
        np.save("y.npy", np.ones((1, 4)))
        arguments = {"matrix": ("-o", "C.npz"), "apply": ("y.npy", "-o", "x.npy")}[command]
        outcome = run(command, spec(LINE), *arguments)
        assert_refused(outcome, "E302")
        assert f"dtype {array.dtype}" in outcome.err

    @NO_NUMBER
    @FUNCTIONS
    def test_20_nor_a_function_s_array(self, function: Callable[..., Array], array: Array) -> None:
        with pytest.raises(ArrayError) as caught:
            function(array, np.ones((1, 1, 3)))
        error = caught.value
        assert error.code == "E302"
        assert error.message.startswith(("x must", "y must"))
        assert error.value == f"got dtype {array.dtype}"

    @NO_NUMBER
    @pytest.mark.parametrize(
        "use",
        [
            pytest.param(lambda weight: conv(np.ones((1, 5)), weight), id="conv"),
            pytest.param(lambda weight: conv_transpose(np.ones((1, 5)), weight), id="transpose"),
            pytest.param(lambda weight: conv_matrix(weight, 5), id="conv_matrix"),
            pytest.param(lambda weight: ConvOperator(weight, 5), id="ConvOperator"),
        ],
    )
    def test_20_nor_a_function_s_weight(self, use: Callable[[Array], Any], array: Array) -> None:
        weight = np.resize(array, (1, 1, 3))
        with pytest.raises(ArrayError, match="the weight must hold") as caught:
            use(weight)
        assert caught.value.code == "E302"
        assert str(weight.dtype) in str(caught.value)

    def test_20_a_matrix_of_objects_is_not_built_either(self) -> None:
        with pytest.raises(ArrayError, match="got dtype object"):
            build_matrix(
                layer(1, 1, Axis.conv(input_size=3, kernel_size=1)), np.ones((1, 1, 1), object)
            )

    def test_20_a_matrix_of_float16_is_refused_by_name(self, run: Run, spec: WriteSpec) -> None:
        with pytest.raises(ArrayError, match="got dtype float16") as caught:
            conv_matrix(np.ones((1, 1, 3), np.float16), 5)
        assert caught.value.code == "E302"
        np.save("w.npy", np.ones((1, 1, 3), np.float16))
        outcome = run("matrix", spec(LINE), "-o", "C.npz")
        assert_refused(outcome, "E302")
        assert "float16" in outcome.err

    @pytest.mark.parametrize(
        "shape",
        [(), (0,), (1,), (0, 4), (1, 0), (1,) * 33, (1,) * 65, (0, 1, 4), (1, 4, 1)],
        ids=lambda shape: str(shape) if len(shape) < 9 else f"{len(shape)} axes",
    )
    @pytest.mark.parametrize("options", [(), ("--method", "matrix")], ids=["tiles", "memory"])
    def test_20_no_axes_no_elements_and_too_many_axes_are_refused_with_the_shape(
        self, run: Run, spec: WriteSpec, shape: tuple[int, ...], options: tuple[str, ...]
    ) -> None:
        np.save("w.npy", np.ones((1, 1, 3)))
        described = {"descr": "<f8", "fortran_order": False, "shape": shape}
        with open("y.npy", "wb") as file:  # as np.save, which stops at 32 axes in NumPy 1.26
            np.lib.format.write_array_header_1_0(file, described)
            file.write(np.ones(prod(shape)).tobytes())
        outcome = run("apply", spec(LINE), "y.npy", "-o", "x.npy", *options)
        assert_refused(outcome, "E301")
        assert not Path("x.npy").exists()

    @FUNCTIONS
    @pytest.mark.parametrize("shape", [(), (3,), (0, 3), (1, 0), (1,) * 6], ids=str)
    def test_20_so_they_are_by_functions(
        self, function: Callable[..., Array], shape: tuple[int, ...]
    ) -> None:
        with pytest.raises(ValueError, match=r".") as caught:
            function(np.ones(shape), np.ones((1, 1, 3)))
        assert getattr(caught.value, "code", "")[0] == "E"

    @FUNCTIONS
    @pytest.mark.parametrize("shape", [(), (3,), (1, 3), (1, 1, 0), (0, 1, 3), (1,) * 6], ids=str)
    def test_20_so_are_weights(
        self, function: Callable[..., Array], shape: tuple[int, ...]
    ) -> None:
        with pytest.raises(ArrayError) as caught:
            function(np.ones((1, 5)), np.ones(shape))
        assert caught.value.code == "E301"

    @pytest.mark.parametrize(
        ("function", "weight", "expected"),
        [(conv, (2, 1, 3), (0, 2, 3)), (conv_transpose, (1, 2, 3), (0, 2, 7))],
    )
    def test_20_a_batch_of_none_gives_none(
        self, function: Callable[..., Array], weight: tuple[int, ...], expected: tuple[int, ...]
    ) -> None:
        result = function(np.ones((0, 1, 5), np.float32), np.ones(weight, np.float32))
        assert result.shape == expected
        assert result.dtype == np.float32
