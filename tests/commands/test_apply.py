"""convt apply: by every method the product with C that brute force gives, in the form and the
format asked for; exact for integers, and refused rather than wrong.
"""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from convt_cli.arithmetic.convolution import Convolution
from convt_cli.arithmetic.vocabulary import APPLY_DTYPES
from convt_cli.operators.routes import TRANSPOSE
from tests import oracle
from tests.conftest import GUIDE, Outcome, Run, WriteSpec, assert_quiet, assert_refused
from tests.layers import FOLDED, LAYERS, spec_of
from tests.strategies import geometry

Array = NDArray[Any]
WRITTEN_DTYPES = (
    *("int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64"),
    *("float16", "float32", "float64", "longdouble", "complex64", "complex128", "clongdouble"),
)
Shape = tuple[int, ...]


def integers(*shape: int, seed: int = 0) -> Array:
    array: Array = np.random.default_rng(seed).integers(-9, 10, shape)
    return array


def prepared(spec: WriteSpec, name: str) -> tuple[str, Array, Convolution]:
    """The path of a spec of this layer, its C by brute force, and what it is; w.npy is written."""
    convolution = LAYERS[name]
    taps = integers(*convolution.weight_shape)
    np.save("w.npy", taps)
    matrix = oracle.matrix(taps, convolution.input_shape[1:], **geometry(convolution))
    return spec(spec_of(convolution, "w.npy")), matrix, convolution


PAIR = """
    input: [2, 5, 4]
    layers:
      - {type: conv, out_channels: 3, kernel_size: [3, 2], weight: {fill: index}}
    """
"""C has rows (3, 3, 3) and columns (2, 5, 4)."""

LINE = """
    input: [1, 6]
    layers: [{type: conv, out_channels: 1, kernel_size: 3, weight: [[[1, 2, 3]]]}]
    """

ONE = "input: [1, 4]\nlayers: [{type: conv, out_channels: 1, kernel_size: 1, weight: w.npy}]\n"
"""C is a multiple of the unit matrix."""


def product(run: Run, path: str, array: Array, *options: str) -> Array:
    """convt's result for an array, from and to .npy; nothing is printed."""
    np.save("in.npy", array)
    assert_quiet(run("apply", path, "in.npy", "-o", "out.npy", "--force", *options))
    result: Array = np.load("out.npy")
    return result


def assert_equal(result: Array, expected: Array) -> None:
    """The same numbers in the same shape."""
    assert result.shape == expected.shape
    np.testing.assert_array_equal(result, expected)


class TestMethods:
    """Every layer by every route is for tests/operators; here the option reaches the route."""

    @pytest.mark.parametrize(
        ("name", "method"),
        [
            *(("grouped", method) for method in ("auto", "direct", "matrix")),
            *(("grouped transposed", method) for method in ("auto", "direct", "matrix")),
            *((mode, method) for mode in FOLDED for method in ("direct", "matrix")),
            *((name, "auto") for name in ("of rank 1", "of rank 3", "transposed of rank 1")),
        ],
    )
    @pytest.mark.parametrize("forward", [False, True], ids=["Cᵀ", "C"])
    def test_the_result_is_that_of_brute_force(
        self, run: Run, spec: WriteSpec, name: str, method: str, forward: bool
    ) -> None:
        path, c, convolution = prepared(spec, name)
        source, target = convolution.output_shape, convolution.input_shape
        options = ["--method", method]
        if forward:
            source, target, c = target, source, c.T
            options.append("--forward")
        array = integers(2, *source, seed=1)
        result = product(run, path, array, *options)
        assert_equal(result, (array.reshape(2, -1) @ c).reshape(2, *target))
        assert result.dtype == np.int64

    @pytest.mark.parametrize("name", ["grouped", "grouped transposed"])
    def test_zero_insertion_goes_one_way_only(self, run: Run, spec: WriteSpec, name: str) -> None:
        path, c, convolution = prepared(spec, name)
        y = integers(*convolution.output_shape, seed=1)
        result = product(run, path, y, "--method", "zero-insert")
        assert_equal(result, (y.ravel() @ c).reshape(convolution.input_shape))
        np.save("x.npy", integers(*convolution.input_shape))
        options = ("--forward", "--method", "zero-insert", "-o", "none.npy")
        assert_refused(run("apply", path, "x.npy", *options), "E503")
        assert not Path("none.npy").exists()

    @pytest.mark.parametrize("method", ["matrix", "zero-insert"])
    def test_it_is_the_one_that_was_asked_for(
        self, monkeypatch: pytest.MonkeyPatch, run: Run, spec: WriteSpec, method: str
    ) -> None:
        called = list[str]()

        def noted(*arguments: Any) -> Array:
            called.append(method)
            return route(*arguments)

        route = TRANSPOSE[method]
        monkeypatch.setitem(TRANSPOSE, method, noted)
        product(run, spec(PAIR), integers(3, 3, 3), "--method", "direct")
        assert called == []
        product(run, "net.yaml", integers(3, 3, 3), "--method", method)
        assert called == [method]

    def test_without_one_it_is_auto(self, run: Run, spec: WriteSpec) -> None:
        y = integers(3, 3, 3) / 7
        expected = product(run, spec(PAIR), y, "--method", "auto")
        assert_equal(product(run, "net.yaml", y), expected)

    @pytest.mark.parametrize("mode", FOLDED)
    def test_zero_insertion_cannot_do_padding_that_repeats_the_input(
        self, run: Run, spec: WriteSpec, mode: str
    ) -> None:
        np.save("y.npy", np.ones((1, 4, 4)))
        padding = f"kernel_size: 3, padding: 1, padding_mode: {mode}"
        path = spec(GUIDE.replace("kernel_size: 3", padding))
        outcome = run("apply", path, "y.npy", "-o", "x.npy", "--method", "zero-insert")
        assert_refused(outcome, "E503")
        assert mode in outcome.err


class TestForms:
    @pytest.mark.parametrize(
        ("shape", "expected"),
        [
            ((3, 3, 3), (2, 5, 4)),
            ((1, 3, 3, 3), (1, 2, 5, 4)),
            ((4, 3, 3, 3), (4, 2, 5, 4)),
            ((27,), (40,)),
        ],
        ids=str,
    )
    @pytest.mark.parametrize("method", ["direct", "matrix"])
    def test_an_array_comes_back_in_the_form_it_came_in(
        self, run: Run, spec: WriteSpec, shape: Shape, expected: Shape, method: str
    ) -> None:
        y = integers(*shape)
        result = product(run, spec(PAIR), y, "--method", method)
        assert result.shape == expected
        single = product(run, "net.yaml", y.reshape(-1, 3, 3, 3)[0])
        assert_equal(result.reshape(-1, 2, 5, 4)[0], single)

    @pytest.mark.parametrize(
        ("shape", "expected"), [((3, 3, 3), (5, 4, 2)), ((4, 3, 3, 3), (4, 5, 4, 2))], ids=str
    )
    def test_channels_last_come_back_last(
        self, run: Run, spec: WriteSpec, shape: Shape, expected: Shape
    ) -> None:
        y = integers(*shape)
        first = product(run, spec(PAIR), y)
        last = product(run, "net.yaml", np.moveaxis(y, -3, -1), "--layout", "channels_last")
        assert last.shape == expected
        assert_equal(np.moveaxis(last, -1, -3), first)

    def test_flat_ones_are_in_the_layout_s_order(self, run: Run, spec: WriteSpec) -> None:
        y = integers(3, 3, 3)
        last = np.moveaxis(y, 0, -1)
        options = ("--layout", "channels_last")
        expected = product(run, spec(PAIR), last, *options)
        assert_equal(product(run, "net.yaml", last.ravel(), *options), expected.ravel())

    @pytest.mark.parametrize(
        "shape",
        [
            *((), (0,), (26,), (28,), (3, 3), (9, 3), (3, 3, 4), (4, 3, 3), (2, 5, 4)),
            *((0, 3, 3, 3), (1, 1, 3, 3, 3), (3, 3, 3, 1), (27, 1), (1, 27)),
        ],
        ids=str,
    )
    def test_another_shape_is_refused_with_both(
        self, run: Run, spec: WriteSpec, shape: Shape
    ) -> None:
        np.save("y.npy", np.ones(shape))
        outcome = run("apply", spec(PAIR), "y.npy", "-o", "x.npy")
        assert_refused(outcome, "E301")
        assert "(3, 3, 3)" in outcome.err
        assert f"got {shape}" in outcome.err
        assert not Path("x.npy").exists()

    @pytest.mark.parametrize(
        ("shape", "options", "expected"),
        [
            ((3, 3, 3), ("--forward",), "(2, 5, 4)"),
            ((3, 3, 3), ("--forward", "--layout", "channels_last"), "(5, 4, 2)"),
            ((2, 5, 4), ("--forward", "--layout", "channels_last"), "(5, 4, 2)"),
        ],
        ids=str,
    )
    def test_the_shape_expected_is_that_of_direction_and_layout(
        self, run: Run, spec: WriteSpec, shape: Shape, options: tuple[str, ...], expected: str
    ) -> None:
        np.save("y.npy", np.ones(shape))
        outcome = run("apply", spec(PAIR), "y.npy", "-o", "x.npy", *options)
        assert_refused(outcome, "E301")
        assert expected in outcome.err


def saved(name: str, array: Array) -> bytes:
    """Save rows and columns under a name of any format; for '-' return the bytes instead."""
    file, _, key = name.partition("#")
    if name == "-":
        stream = io.BytesIO()
        np.save(stream, array[None])
        return stream.getvalue()
    if file.endswith(".npz"):
        arrays: dict[str, Any] = {key: array[None], "other": array} if key else {"a": array[None]}
        np.savez(file, **arrays)
    elif file.endswith(".npy"):
        np.save(file, array[None])
    else:
        np.savetxt(file, array, fmt="%d", delimiter="," if file.endswith(".csv") else " ")
    return b""


def read(name: str, outcome: Outcome) -> Array:
    """The array that was written under a name of any format."""
    file, _, key = name.partition("#")
    if name == "-":
        streamed: Array = np.load(io.BytesIO(outcome.stdout))
        return streamed
    assert outcome.stdout == b""
    if file.endswith(".npz"):
        with np.load(file) as archive:
            (found,) = archive.files
            assert found == (key or "arr_0")
            member: Array = archive[found]
            return member
    if file.endswith(".npy"):
        array: Array = np.load(file)
        return array
    return np.loadtxt(file, delimiter="," if file.endswith(".csv") else None)


class TestFiles:
    @pytest.mark.parametrize(
        ("source", "target"),
        [
            *((f"y{end}", "x.npy") for end in (".npy", ".npz", ".npz#key", ".csv", ".txt")),
            *(("y.npy", f"x{end}") for end in (".npz", ".npz#key", ".csv", ".txt")),
            *(("-", "x.npy"), ("y.npy", "-"), ("-", "-"), ("y.csv", "x.txt"), ("y.npz", "x.csv")),
        ],
    )
    def test_any_format_goes_to_any_other(
        self, run: Run, spec: WriteSpec, source: str, target: str
    ) -> None:
        stdin = saved(source, np.array([[0, 1], [2, 3]]))
        outcome = run("apply", spec(GUIDE), source, "-o", target, stdin=stdin)
        assert (outcome.status, outcome.err) == (0, "")
        result = read(target, outcome)
        bare = source[1:] in (".csv", ".txt") or target[1:] in (".csv", ".txt")
        assert result.shape == ((4, 4) if bare else (1, 4, 4))
        assert result.reshape(4, 4).tolist() == [
            *([0, 1, 2, 3], [2, 11, 17, 15], [8, 29, 35, 27], [14, 37, 42, 27])
        ]

    @pytest.mark.parametrize("separator", [",", "\n"], ids=["row", "column"])
    def test_a_row_stays_a_row_and_a_column_a_column(
        self, run: Run, spec: WriteSpec, separator: str
    ) -> None:
        Path("y.csv").write_text(separator.join("1234") + "\n", encoding="utf-8")
        assert_quiet(run("apply", spec(LINE), "y.csv", "-o", "x.csv"))
        expected = separator.join(["1", "4", "10", "16", "17", "12"]) + "\n"
        assert Path("x.csv").read_text(encoding="utf-8") == expected

    def test_channels_of_a_line_are_the_rows_of_a_text(self, run: Run, spec: WriteSpec) -> None:
        path = spec("""
            input: [1, 4]
            layers: [{type: conv, out_channels: 2, kernel_size: 2, weight: [[[1, 2]], [[3, 4]]]}]
            """)
        Path("x.csv").write_text("1,0,0,10\n", encoding="utf-8")
        assert_quiet(run("apply", path, "x.csv", "--forward", "-o", "y.csv"))
        assert Path("y.csv").read_text(encoding="utf-8") == "1,0,20\n3,0,40\n"

    @pytest.mark.parametrize("name", ["x.csv", "x.txt"])
    def test_what_a_text_cannot_hold_is_refused(self, run: Run, spec: WriteSpec, name: str) -> None:
        np.save("y.npy", np.ones((3, 3, 3)))
        assert_refused(run("apply", spec(PAIR), "y.npy", "-o", name), "E301")
        np.save("y.npy", np.ones((1, 2, 2), complex))
        assert_refused(run("apply", spec(GUIDE), "y.npy", "-o", name), "E301")
        assert not Path(name).exists()

    @pytest.mark.parametrize("name", ["x", "x.npy#a", "x.dat", "x.npy.gz", "", "x.csv#1", "x.pt"])
    @pytest.mark.parametrize("end", ["source", "target"])
    def test_a_name_without_a_known_format_is_refused(
        self, run: Run, spec: WriteSpec, folder: Path, name: str, end: str
    ) -> None:
        np.save("y.npy", np.ones((1, 2, 2)))
        before = sorted([*folder.iterdir(), folder / spec(GUIDE)])
        names = ("y.npy", name) if end == "target" else (name, "x.npy")
        outcome = run("apply", "net.yaml", names[0], "-o", names[1])
        assert (outcome.status, len(outcome.codes), outcome.out) == (2, 1, "")
        assert outcome.codes[0][:2] == "E4"
        assert sorted(folder.iterdir()) == before

    @pytest.mark.parametrize(
        ("name", "code"),
        [("no.npy", "E401"), ("y.npz", "E401"), ("y.npz#no", "E401"), ("bad.csv", "E303"),
         ("cut.npy", "E303"), ("empty.npy", "E303"), ("sub.npy", "E401")],
    )  # fmt: skip
    def test_what_cannot_be_read_is_refused(
        self, run: Run, spec: WriteSpec, name: str, code: str
    ) -> None:
        np.savez("y.npz", a=np.ones((1, 2, 2)), b=np.ones((1, 2, 2)))
        Path("bad.csv").write_text("1,x\n2,3\n", encoding="utf-8")
        Path("sub.npy").mkdir()
        np.save("whole.npy", np.ones((1, 2, 2)))
        Path("cut.npy").write_bytes(Path("whole.npy").read_bytes()[:-1])
        Path("empty.npy").touch()
        assert_refused(run("apply", spec(GUIDE), name, "-o", "x.npy"), code)
        assert not Path("x.npy").exists()

    @pytest.mark.parametrize("name", ["x.npy", "x.npz", "x.npz#k", "x.csv"])
    def test_an_existing_file_is_only_replaced_with_force(
        self, run: Run, spec: WriteSpec, name: str
    ) -> None:
        np.save("y.npy", np.ones((1, 2, 2)))
        file = Path(name.partition("#")[0])
        file.write_bytes(b"old \xff")
        assert_refused(run("apply", spec(GUIDE), "y.npy", "-o", name), "E403")
        assert file.read_bytes() == b"old \xff"
        assert_quiet(run("apply", "net.yaml", "y.npy", "-o", name, "--force"))
        assert file.read_bytes() != b"old \xff"

    def test_it_is_found_before_anything_is_read(self, run: Run) -> None:
        Path("x.npy").write_bytes(b"old")
        assert_refused(run("apply", "no.yaml", "no.npy", "-o", "x.npy"), "E403")

    @pytest.mark.parametrize("text", [GUIDE, "input: [1, 4]\nlayers: 3", ONE])
    def test_a_failure_leaves_the_old_file_even_with_force(
        self, run: Run, spec: WriteSpec, text: str
    ) -> None:
        np.save("y.npy", np.ones((7, 7)))
        Path("x.npy").write_bytes(b"old")
        assert run("apply", spec(text), "y.npy", "-o", "x.npy", "--force").status == 2
        assert Path("x.npy").read_bytes() == b"old"

    @pytest.mark.parametrize("name", ["x.npy", "x.npz", "x.csv", "-"])
    def test_the_same_command_makes_the_same_bytes(
        self, run: Run, spec: WriteSpec, name: str
    ) -> None:
        np.save("y.npy", integers(1, 2, 2) / 7)
        first = run("apply", spec(GUIDE), "y.npy", "-o", name)
        content = b"" if name == "-" else Path(name).read_bytes()
        assert run("apply", "net.yaml", "y.npy", "-o", name, "--force") == first
        assert content == (b"" if name == "-" else Path(name).read_bytes())
        assert first.stdout or content

    def test_a_spec_on_standard_input_goes_with_a_file(self, run: Run, spec: WriteSpec) -> None:
        np.save("y.npy", np.ones((1, 2, 2)))
        content = Path(spec(GUIDE)).read_bytes()
        outcome = run("apply", "-", "y.npy", "-o", "-", stdin=content)
        assert_equal(
            np.load(io.BytesIO(outcome.stdout)), product(run, "net.yaml", np.ones((1, 2, 2)))
        )

    @pytest.mark.parametrize("kind", ["spec", "array", "both"])
    def test_spec_and_array_cannot_both_be_standard_input(
        self, run: Run, spec: WriteSpec, kind: str
    ) -> None:
        text = Path(spec(GUIDE)).read_bytes()
        array = saved("-", np.ones((2, 2)))
        stdin = {"spec": text, "array": array, "both": text + array}[kind]
        outcome = run("apply", "-", "-", "-o", "x.npy", stdin=stdin)
        assert (outcome.status, outcome.out) == (2, "")
        assert "Traceback" not in outcome.err
        assert not Path("x.npy").exists()


class TestKindsOfNumbers:
    @pytest.mark.parametrize(
        ("dtype", "method"),
        [
            *((dtype, "direct") for dtype in (*WRITTEN_DTYPES, ">i2", ">f4", ">f8", ">c16")),
            *((dtype, "matrix") for dtype in ("int8", "float16", ">c16")),
            *((dtype, "zero-insert") for dtype in ("int8", "float16", ">c16")),
        ],
    )
    def test_the_result_has_the_wider_kind_of_both(
        self, run: Run, spec: WriteSpec, dtype: str, method: str
    ) -> None:
        np.save("w.npy", np.array([[[1, 2, 3]]], dtype))
        y = np.array([[1, 0, 2]], dtype)
        path = spec(LINE.replace("[[[1, 2, 3]]]", "w.npy").replace("6]", "5]"))
        result = product(run, path, y, "--method", method)
        assert result.tolist() == [[1, 2, 5, 4, 6]]
        assert result.dtype == np.dtype(dtype).newbyteorder("=")

    @pytest.mark.parametrize("dtype", APPLY_DTYPES)
    @pytest.mark.parametrize("method", ["direct", "matrix"])
    def test_a_dtype_that_was_asked_for_is_the_result_s(
        self, run: Run, spec: WriteSpec, dtype: str, method: str
    ) -> None:
        y = np.array([[1, 0, 2, 1]], np.int8)
        result = product(run, spec(LINE), y, "--method", method, "--dtype", dtype)
        assert result.tolist() == [[1, 2, 5, 5, 8, 3]]
        assert result.dtype == np.dtype(dtype)

    @pytest.mark.parametrize(
        ("value", "dtype"),
        [
            (0.5, "int64"),
            (np.nan, "int32"),
            (-np.inf, "int64"),
            (2.0**40, "int32"),
            (2.0**63, "int64"),
            (1j, "float64"),
        ],
    )
    def test_one_that_cannot_hold_the_array_is_refused(
        self, run: Run, spec: WriteSpec, value: complex, dtype: str
    ) -> None:
        np.save("y.npy", np.full((1, 4), value))
        outcome = run("apply", spec(LINE), "y.npy", "-o", "x.npy", "--dtype", dtype)
        assert_refused(outcome, "E302")
        assert not Path("x.npy").exists()


class TestIntegers:
    @pytest.mark.parametrize("method", ["direct", "matrix"])
    @pytest.mark.parametrize("value", [2**53 + 1, -(2**53) - 1, 2**62, 2**63 - 1, -(2**63) + 1])
    def test_stay_exact_beyond_what_floats_hold(
        self, run: Run, spec: WriteSpec, value: int, method: str
    ) -> None:
        np.save("w.npy", np.ones((1, 1, 1), np.int64))
        y = np.array([[value, 0, 1, -1]])
        assert_equal(product(run, spec(ONE), y, "--method", method), y)

    @pytest.mark.parametrize("name", ["y.csv", "y.txt"])
    def test_stay_exact_through_text(self, run: Run, spec: WriteSpec, name: str) -> None:
        np.save("w.npy", np.ones((1, 1, 1), np.int64))
        Path(name).write_text("9007199254740993\n0\n-1\n9223372036854775806\n", encoding="utf-8")
        assert_quiet(run("apply", spec(ONE), name, "-o", f"x{name[1:]}"))
        assert Path(f"x{name[1:]}").read_text(encoding="utf-8") == Path(name).read_text("utf-8")

    @pytest.mark.parametrize("method", ["direct", "matrix"])
    @pytest.mark.parametrize(
        "case",
        [
            ("int8", 127, 2),
            ("int8", -128, -1),
            ("uint8", 16, 16),
            ("int16", 200, 200),
            ("int32", 2**30, 2),
            ("int64", 2**32, 2**31),
            ("uint64", 2**63, 2),
        ],
        ids=str,
    )
    def test_that_overflow_are_refused(
        self, run: Run, spec: WriteSpec, case: tuple[str, int, int], method: str
    ) -> None:
        dtype, weight, value = case
        np.save("w.npy", np.array([[[weight]]], dtype))
        np.save("y.npy", np.array([[0, 0, value, 0]], dtype))
        outcome = run("apply", spec(ONE), "y.npy", "-o", "x.npy", "--method", method)
        assert_refused(outcome, "E304")
        assert not Path("x.npy").exists()

    def test_that_overflow_only_where_they_are_added_up_are_refused(
        self, run: Run, spec: WriteSpec
    ) -> None:
        np.save("y.npy", np.array([[30, 30, 30, 30]], np.int8))
        np.save("w.npy", np.array([[[2, 2, 2]]], np.int8))
        outcome = run("apply", spec(LINE.replace("[[[1, 2, 3]]]", "w.npy")), "y.npy", "-o", "x.npy")
        assert_refused(outcome, "E304")
        assert "int8" in outcome.err


BIASED = """
    input: [2, 3]
    layers:
      - {type: TYPE, out_channels: 2, kernel_size: 1, groups: 2, weight: w.npy, bias: BIAS}
    """


def biased(spec: WriteSpec, layer_type: str, bias: str, dtype: str = "int64") -> str:
    """A spec of a layer that doubles its input, with a bias."""
    np.save("w.npy", np.full((2, 1, 1), 2, dtype))
    return spec(BIASED.replace("TYPE", layer_type).replace("BIAS", bias))


Action = tuple[str, tuple[str, ...]]
"""(type of layer, the option that chooses a direction)."""

OWN: list[Action] = [("conv", ("--forward",)), ("conv_transpose", ())]
OWN_IDS = ["conv", "conv_transpose"]
OTHER: list[Action] = [("conv", ()), ("conv_transpose", ("--forward",))]


class TestBias:
    @pytest.mark.parametrize("own", OWN, ids=OWN_IDS)
    @pytest.mark.parametrize("bias", ["b.npy", "b.npz#b", "[10, 20]"], ids=["npy", "npz", "inline"])
    @pytest.mark.parametrize("shape", [(2, 3), (4, 2, 3), (6,)], ids=str)
    def test_is_added_to_the_layer_s_own_action(
        self,
        run: Run,
        spec: WriteSpec,
        own: Action,
        bias: str,
        shape: Shape,
    ) -> None:
        layer_type, direction = own
        np.save("b.npy", np.array([10, 20]))
        np.savez("b.npz", a=np.array([1]), b=np.array([10, 20]))
        path = biased(spec, layer_type, bias)
        array = integers(*shape)
        plain = product(run, path, array, *direction)
        expected = plain.reshape(-1, 2, 3) + np.array([[10], [20]])
        result = product(run, path, array, *direction, "--bias")
        assert_equal(result, expected.reshape(shape))
        assert_equal(plain, 2 * array)

    @pytest.mark.parametrize(("layer_type", "direction"), OTHER)
    def test_has_no_place_in_the_other(
        self, run: Run, spec: WriteSpec, layer_type: str, direction: tuple[str, ...]
    ) -> None:
        np.save("x.npy", integers(2, 3))
        path = biased(spec, layer_type, "[1, 2]")
        outcome = run("apply", path, "x.npy", "-o", "y.npy", "--bias", *direction)
        assert_refused(outcome, "E305")
        assert not Path("y.npy").exists()

    @pytest.mark.parametrize("own", OWN, ids=OWN_IDS)
    @pytest.mark.parametrize("dtype", ["int8", "uint8", "uint64", "float16", "complex64"])
    @pytest.mark.parametrize("bias", ["true", "false"])
    def test_without_numbers_changes_nothing(
        self,
        run: Run,
        spec: WriteSpec,
        own: Action,
        dtype: str,
        bias: str,
    ) -> None:
        layer_type, direction = own
        path = biased(spec, layer_type, bias, dtype)
        array = np.arange(6).reshape(2, 3).astype(dtype)
        plain = product(run, path, array, *direction)
        result = product(run, path, array, *direction, "--bias")
        assert result.dtype == plain.dtype
        assert_equal(result, plain)

    @pytest.mark.parametrize("own", OWN, ids=OWN_IDS)
    @pytest.mark.parametrize(
        "case", [("int8", 100), ("uint8", 200), ("int64", 2**62 + 2), ("int32", 2**30 + 2)], ids=str
    )
    def test_that_makes_an_integer_overflow_is_refused(
        self,
        run: Run,
        spec: WriteSpec,
        own: Action,
        case: tuple[str, int],
    ) -> None:
        layer_type, direction = own
        dtype, value = case
        np.save("b.npy", np.array([value, value], dtype))
        path = biased(spec, layer_type, "b.npy", dtype)
        np.save("x.npy", np.full((2, 3), value // 4 * 2 - 1, dtype))
        assert run("apply", path, "x.npy", "-o", "y.npy", *direction).status == 0
        options = ("-o", "y.npy", "--bias", "--force", *direction)
        before = Path("y.npy").read_bytes()
        assert_refused(run("apply", path, "x.npy", *options), "E304")
        assert Path("y.npy").read_bytes() == before

    @pytest.mark.parametrize(
        ("bias", "code"),
        [(np.ones(3), "E121"), (np.ones((2, 1)), "E121"), (np.ones(2, bool), "E302")],
        ids=["count", "shape", "bool"],
    )
    def test_that_does_not_fit_is_refused(
        self, run: Run, spec: WriteSpec, bias: Array, code: str
    ) -> None:
        np.save("b.npy", bias)
        np.save("x.npy", integers(2, 3))
        path = biased(spec, "conv", "b.npy")
        assert_refused(run("apply", path, "x.npy", "-o", "y.npy", "--forward", "--bias"), code)

    def test_is_not_read_unless_it_is_wanted(self, run: Run, spec: WriteSpec) -> None:
        array = integers(2, 3)
        result = product(run, biased(spec, "conv", "missing.npy"), array, "--forward")
        assert_equal(result, 2 * array)


class TestLayer:
    def test_a_weight_that_was_left_out_is_made_and_said(self, run: Run, spec: WriteSpec) -> None:
        np.save("y.npy", np.ones((1, 2)))
        path = spec("input: [1, 4]\nlayers: [{type: conv, out_channels: 1, kernel_size: 3}]")
        outcome = run("apply", path, "y.npy", "-o", "-")
        assert outcome.err == "note: conv1 has no weight; using fill normal, seed 0\n"
        taps = np.random.default_rng(0).standard_normal(3)
        result = np.load(io.BytesIO(outcome.stdout))
        np.testing.assert_allclose(result[0], np.convolve(taps, [1, 1]))

    def test_another_input_is_another_layer(self, run: Run, spec: WriteSpec) -> None:
        assert product(run, spec(GUIDE), np.ones((1, 5, 7)), "--input", "1,7,9").shape == (1, 7, 9)

    def test_a_weight_outside_is_only_read_when_asked_for(
        self, run: Run, spec: WriteSpec, folder: Path
    ) -> None:
        (folder / "sub").mkdir()
        np.save("w.npy", np.array([[[2.0]]]))
        path = spec(ONE.replace("w.npy", "../w.npy"), "sub/net.yaml")
        np.save("y.npy", np.ones((1, 4)))
        assert_refused(run("apply", path, "y.npy", "-o", "x.npy"), "E404")
        assert product(run, path, np.ones((1, 4)), "--allow-outside").tolist() == [[2.0] * 4]

    @pytest.mark.parametrize(
        "options", [("--method", "fast"), ("--layout", "NHWC"), ("--dtype", "int8")], ids=" ".join
    )
    def test_other_words_are_a_wrong_use(
        self, run: Run, spec: WriteSpec, options: tuple[str, ...]
    ) -> None:
        outcome = run("apply", spec(GUIDE), "y.npy", "-o", "x.npy", *options)
        assert (outcome.status, outcome.out) == (2, "")
        assert f"Invalid value for '{options[0]}'" in outcome.err

    def test_an_output_has_to_be_named(self, run: Run, spec: WriteSpec) -> None:
        outcome = run("apply", spec(GUIDE), "y.npy")
        assert (outcome.status, outcome.out) == (2, "")
        assert "Missing option '-o'" in outcome.err
