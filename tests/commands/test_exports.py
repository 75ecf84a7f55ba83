"""C and Cᵀ as convt matrix exports them are the matrix that brute force gives, in every format; a
dry run tells their true size, and what cannot be written leaves everything as it was.
"""

from __future__ import annotations

import csv
import io
import re
import tracemalloc
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.io import mmread
from scipy.sparse import load_npz

from convt_cli import conv_transpose
from convt_cli.arithmetic.vocabulary import SPARSE_FORMATS
from tests import oracle
from tests.conftest import GUIDE, Run, WriteSpec, assert_quiet, assert_refused

Array = NDArray[Any]
Geometry = oracle.Geometry

CONV = """
    input: [4, 7, 6]
    layers:
      - {type: conv, out_channels: 2, kernel_size: [3, 2], stride: [2, 1], dilation: [1, 2],
         padding: [[1, 0], [0, 2]], groups: 2, weight: w.npy}
    """
"""A convolution with all axes, pads and channels different."""

CONV_GEOMETRY: Geometry = {
    "stride": [2, 1],
    "pads": [(1, 0), (0, 2)],
    "dilation": [1, 2],
    "groups": 2,
}

TRANSPOSED_WINDOW: oracle.Window = {
    "stride": [2, 3],
    "pads": [(1, 1), (1, 1)],
    "dilation": [1, 1],
    "groups": 2,
}

PLAIN: oracle.Window = {
    "stride": [1, 1],
    "pads": [(0, 0), (0, 0)],
    "dilation": [1, 1],
    "groups": 1,
}

TRANSPOSED = """
    input: [4, 3, 2]
    layers:
      - {type: conv_transpose, out_channels: 2, kernel_size: [3, 2], stride: [2, 3], padding: 1,
         output_padding: [1, 2], groups: 2, weight: w.npy}
    """

FOLDED = """
    input: [1, 5, 4]
    layers:
      - {type: conv, out_channels: 2, kernel_size: 3, padding: [[2, 1], [1, 2]],
         padding_mode: MODE, weight: w.npy}
    """

FILLED = """
    input: [1, 5]
    layers: [{type: conv, out_channels: 1, kernel_size: 3}]
    """
"""A layer without a weight."""

HUGE = """
    input: [1, 1000000]
    layers: [{type: conv, out_channels: 1000000, kernel_size: 1, weight: {fill: ones}}]
    """
"""A matrix of 10^12 entries."""


def weight(*shape: int, dtype: str = "float64") -> Array:
    """Small integers of either sign with some zeros among them, saved as w.npy."""
    numbers = np.random.default_rng(0).integers(-2, 3, shape)
    array: Array = np.abs(numbers).astype(dtype) if dtype[0] == "u" else numbers.astype(dtype)
    assert (array == 0).any()
    np.save("w.npy", array)
    return array


def loaded(data: bytes) -> Any:
    """The sparse array in an .npz."""
    return load_npz(io.BytesIO(data))


def dense(name: str) -> Array:
    """The matrix in a .npz or .mtx file, with its explicit zeros."""
    sparse: Any = load_npz(name) if name.lower().endswith(".npz") else mmread(name)
    array: Array = sparse.toarray()
    return array


def exported(run: Run, path: str, *options: str) -> Any:
    """The sparse array that convt writes to C.npz; nothing is printed."""
    assert_quiet(run("matrix", path, "-o", "C.npz", *options))
    return load_npz("C.npz")


def assert_canonical(matrix: Any) -> None:
    """Sorted column indices without duplicates, int32."""
    assert matrix.format in ("csr", "csc")
    starts = np.zeros(matrix.nnz, bool)
    starts[matrix.indptr[:-1][np.diff(matrix.indptr) > 0]] = True
    rising = np.diff(matrix.indices, prepend=-1) > 0
    assert (starts | rising).all()
    assert matrix.indices.dtype == matrix.indptr.dtype == np.int32


@pytest.fixture
def conv(spec: WriteSpec) -> tuple[str, Array]:
    """A spec with its weight, and the dense C by brute force."""
    taps = weight(2, 2, 3, 2)
    return spec(CONV), oracle.matrix(taps, [7, 6], **CONV_GEOMETRY)


class TestNpz:
    @pytest.mark.parametrize("compress", [(), ("--compress",)], ids=["stored", "compressed"])
    @pytest.mark.parametrize("transpose", [(), ("--transpose",)], ids=["C", "Cᵀ"])
    @pytest.mark.parametrize("sparse_format", SPARSE_FORMATS)
    def test_every_format_loads_back_as_the_matrix(
        self,
        run: Run,
        conv: tuple[str, Array],
        sparse_format: str,
        transpose: tuple[str, ...],
        compress: tuple[str, ...],
    ) -> None:
        path, expected = conv
        matrix = exported(run, path, "--sparse-format", sparse_format, *transpose, *compress)
        expected = expected.T if transpose else expected
        assert (matrix.format, matrix.shape) == (sparse_format, expected.shape)
        np.testing.assert_array_equal(matrix.toarray(), expected)

    @pytest.mark.parametrize("sparse_format", ["csr", "csc", "coo"])
    def test_zeros_of_the_weight_stay_stored(
        self, run: Run, conv: tuple[str, Array], sparse_format: str
    ) -> None:
        path, expected = conv
        everywhere = oracle.matrix(np.ones((2, 2, 3, 2)), [7, 6], **CONV_GEOMETRY)
        matrix = exported(run, path, "--sparse-format", sparse_format)
        assert matrix.nnz == np.count_nonzero(everywhere) > np.count_nonzero(expected)

    @pytest.mark.parametrize("transpose", [(), ("--transpose",)], ids=["C", "Cᵀ"])
    @pytest.mark.parametrize("sparse_format", ["csr", "csc"])
    def test_it_is_canonical_with_small_indices(
        self, run: Run, conv: tuple[str, Array], sparse_format: str, transpose: tuple[str, ...]
    ) -> None:
        assert_canonical(exported(run, conv[0], "--sparse-format", sparse_format, *transpose))

    def test_compression_makes_it_smaller(self, run: Run, conv: tuple[str, Array]) -> None:
        exported(run, conv[0])
        plain = Path("C.npz").stat().st_size
        exported(run, conv[0], "--compress", "--force")
        assert Path("C.npz").stat().st_size < plain
        with zipfile.ZipFile("C.npz") as archive:
            assert {one.compress_type for one in archive.infolist()} == {zipfile.ZIP_DEFLATED}

    @pytest.mark.parametrize(
        "options",
        [
            (),
            ("--transpose", "--compress"),
            ("--sparse-format", "dia"),
            ("--dtype", "int8"),
        ],
        ids=" ".join,
    )
    def test_a_dash_streams_the_bytes_of_the_file(
        self, run: Run, conv: tuple[str, Array], options: tuple[str, ...]
    ) -> None:
        expected = exported(run, conv[0], *options)
        outcome = run("matrix", conv[0], "-o", "-", *options)
        assert (outcome.status, outcome.err) == (0, "")
        assert outcome.stdout == Path("C.npz").read_bytes()
        np.testing.assert_array_equal(loaded(outcome.stdout).toarray(), expected.toarray())

    def test_the_suffix_may_be_written_large(self, run: Run, conv: tuple[str, Array]) -> None:
        assert_quiet(run("matrix", conv[0], "-o", "C.NPZ"))
        np.testing.assert_array_equal(dense("C.NPZ"), conv[1])


class TestMtx:
    @pytest.mark.parametrize("transpose", [(), ("--transpose",)], ids=["C", "Cᵀ"])
    def test_it_reads_back_as_the_matrix(
        self, run: Run, conv: tuple[str, Array], transpose: tuple[str, ...]
    ) -> None:
        path, expected = conv
        assert_quiet(run("matrix", path, "-o", "C.mtx", *transpose))
        expected = expected.T if transpose else expected
        np.testing.assert_array_equal(dense("C.mtx"), expected)

    @pytest.mark.parametrize("option", [("--compress",), ("--sparse-format", "csr")], ids=" ".join)
    def test_what_is_said_of_an_npz_does_not_go_with_it(
        self, run: Run, conv: tuple[str, Array], option: tuple[str, ...]
    ) -> None:
        outcome = run("matrix", conv[0], "-o", "C.mtx", *option)
        assert (outcome.status, outcome.out) == (2, "")
        assert "go with .npz" in outcome.err
        assert not Path("C.mtx").exists()

    @pytest.mark.parametrize(
        "dtype", ["int8", "uint8", "uint64", "float32", "longdouble", "complex64", "clongdouble"]
    )
    def test_every_dtype_is_written_or_refused_by_name(
        self, run: Run, spec: WriteSpec, dtype: str
    ) -> None:
        taps = weight(2, 2, 3, 2, dtype=dtype)
        outcome = run("matrix", spec(CONV), "-o", "C.mtx")
        if outcome.status == 2:
            assert_refused(outcome, "E302")
            assert str(np.dtype(dtype)) in outcome.err
        else:
            assert_quiet(outcome)
            expected = oracle.matrix(taps, [7, 6], **CONV_GEOMETRY)
            np.testing.assert_array_equal(dense("C.mtx"), expected)


class TestDtype:
    @pytest.mark.parametrize(
        "dtype",
        [
            *("int8", "int16", "uint8", "uint16", "uint64", "float32", "longdouble", "complex64"),
            *(">i4", ">f8", ">c16"),
        ],
    )
    def test_without_one_it_is_the_weight_s(self, run: Run, spec: WriteSpec, dtype: str) -> None:
        taps = weight(2, 2, 3, 2, dtype=dtype)
        matrix = exported(run, spec(CONV))
        assert matrix.dtype == np.dtype(dtype).newbyteorder("=")
        expected = oracle.matrix(taps, [7, 6], **CONV_GEOMETRY)
        np.testing.assert_array_equal(matrix.toarray(), expected)

    @pytest.mark.parametrize(
        ("value", "stored", "dtype"),
        [
            (0.5, "float64", "int8"),
            (300, "int64", "int8"),
            (-1e300, "float64", "int64"),
            (np.nan, "float64", "int32"),
            (np.inf, "float64", "int64"),
            (1j, "complex128", "float64"),
            (2**63, "uint64", "int64"),
        ],
    )
    def test_one_that_cannot_hold_the_weight_is_refused(
        self, run: Run, spec: WriteSpec, value: complex, stored: str, dtype: str
    ) -> None:
        np.save("w.npy", np.full((2, 2, 3, 2), value, stored))
        assert_refused(run("matrix", spec(CONV), "-o", "C.npz", "--dtype", dtype), "E302")
        assert not Path("C.npz").exists()

    @pytest.mark.parametrize("name", ["C.npz", "C.mtx", "-"])
    def test_float16_has_no_sparse_matrix(self, run: Run, spec: WriteSpec, name: str) -> None:
        weight(2, 2, 3, 2, dtype="float16")
        assert_refused(run("matrix", spec(CONV), "-o", name), "E302")


class TestTransposed:
    def test_its_rows_are_the_layer_s_input(self, run: Run, spec: WriteSpec) -> None:
        taps = weight(4, 1, 3, 2)
        matrix = exported(run, spec(TRANSPOSED))
        assert matrix.shape == (4 * 3 * 2, 2 * 6 * 5)
        y = np.random.default_rng(1).integers(-9, 10, (4, 3, 2))
        own = oracle.transposed(y, taps, output_padding=[1, 2], **TRANSPOSED_WINDOW)
        np.testing.assert_array_equal(matrix.T @ y.ravel(), own.ravel())

    def test_its_own_action_is_what_transpose_writes(self, run: Run, spec: WriteSpec) -> None:
        taps = weight(4, 1, 3, 2)
        matrix = exported(run, spec(TRANSPOSED), "--transpose")
        y = np.random.default_rng(1).integers(-9, 10, (4, 3, 2))
        own = conv_transpose(y, taps, stride=(2, 3), padding=1, output_padding=(1, 2), groups=2)
        np.testing.assert_array_equal(matrix @ y.ravel(), own.ravel())

    def test_an_output_padding_past_the_stride_adds_no_rows(
        self, run: Run, spec: WriteSpec
    ) -> None:
        path = spec("""
            input: [1, 4]
            layers:
              - {type: conv_transpose, out_channels: 1, kernel_size: 2, dilation: 3,
                 output_padding: 2, weight: [[[1, 2]]]}
            """)
        rows = [[1, 0, 0, 2, 0, 0, 0, 0, 0]]
        expected = [np.roll(rows[0], shift).tolist() for shift in range(4)]
        assert exported(run, path).toarray().tolist() == expected


class TestFolded:
    @pytest.mark.parametrize("mode", ["circular", "reflect", "replicate"])
    def test_the_folded_taps_are_added_up(self, run: Run, spec: WriteSpec, mode: str) -> None:
        taps = weight(2, 1, 3, 3)
        matrix = exported(run, spec(FOLDED.replace("MODE", mode)))
        geometry: Geometry = {
            "stride": [1, 1],
            "pads": [(2, 1), (1, 2)],
            "dilation": [1, 1],
            "groups": 1,
            "padding_mode": mode,
        }
        expected = oracle.matrix(taps, [5, 4], **geometry)
        np.testing.assert_array_equal(matrix.toarray(), expected)
        assert_canonical(matrix)


WEIGHT_SHAPES = {
    "conv": (CONV, (2, 2, 3, 2)),
    "conv_transpose": (TRANSPOSED, (4, 1, 3, 2)),
    "circular": (FOLDED.replace("MODE", "circular"), (2, 1, 3, 3)),
    "replicate": (FOLDED.replace("MODE", "replicate"), (2, 1, 3, 3)),
}
"""Specs, and the shapes of their weights."""


class TestDryRun:
    @pytest.mark.parametrize("transpose", [(), ("--transpose",)], ids=["C", "Cᵀ"])
    @pytest.mark.parametrize("dtype", ["int8", "float32", "complex128"])
    @pytest.mark.parametrize("kind", list(WEIGHT_SHAPES))
    def test_its_numbers_are_those_of_the_real_matrix(
        self, run: Run, spec: WriteSpec, kind: str, dtype: str, transpose: tuple[str, ...]
    ) -> None:
        text, shape = WEIGHT_SHAPES[kind]
        weight(*shape, dtype=dtype)
        matrix = exported(run, spec(text), *transpose)
        dry = ("--dry-run", "--format", "json")
        assert run("matrix", "net.yaml", *transpose, *dry).document == {
            "version": 1,
            "shape": list(matrix.shape),
            "nnz": matrix.nnz,
            "bytes": matrix.data.nbytes + matrix.indices.nbytes + matrix.indptr.nbytes,
            "index_dtype": str(matrix.indices.dtype),
        }

    def test_it_writes_nothing(self, run: Run, conv: tuple[str, Array], folder: Path) -> None:
        assert run("matrix", conv[0], "--dry-run").status == 0
        assert sorted(path.name for path in folder.iterdir()) == ["net.yaml", "w.npy"]


def shown(run: Run, *arguments: str) -> list[list[str | None]]:
    """The entries of a matrix that is shown."""
    outcome = run("matrix", *arguments, "--show", "--format", "json")
    assert (outcome.status, outcome.err) == (0, "")
    assert list(outcome.document) == ["version", "matrix"]
    rows: list[list[str | None]] = outcome.document["matrix"]
    return rows


def numbers_of(rows: list[list[str | None]]) -> list[list[float]]:
    return [[float(cell or 0) for cell in row] for row in rows]


def value_of(names: str | None, stored: Array) -> float:
    """The value of names such as w0,2+w1,0, whose indices are those of `stored`."""
    terms = names.split("+") if names else []
    return float(sum(stored[tuple(map(int, term[1:].split(",")))] for term in terms))


class TestShow:
    def test_the_numbers_are_those_of_the_matrix(self, run: Run, conv: tuple[str, Array]) -> None:
        path, expected = conv
        assert numbers_of(shown(run, path)) == expected.tolist()

    def test_transpose_shows_the_transpose(self, run: Run, conv: tuple[str, Array]) -> None:
        path, expected = conv
        assert numbers_of(shown(run, path, "--transpose")) == expected.T.tolist()

    @pytest.mark.parametrize("transpose", [(), ("--transpose",)], ids=["C", "Cᵀ"])
    def test_symbols_name_the_tap_that_stands_there(
        self, run: Run, spec: WriteSpec, transpose: tuple[str, ...]
    ) -> None:
        rows = shown(run, spec(GUIDE), "--symbols", *transpose)
        numbers = numbers_of(shown(run, "net.yaml", *transpose))
        taps = {"": 0.0} | {f"w{tap // 3},{tap % 3}": tap + 1.0 for tap in range(9)}
        assert [[taps[cell or ""] for cell in row] for row in rows] == numbers

    def test_symbols_between_several_channels_name_them(
        self, run: Run, conv: tuple[str, Array]
    ) -> None:
        cells = {cell for row in shown(run, conv[0], "--symbols") for cell in row}
        assert "w1,1,2,1" in cells
        assert len(cells - {None}) == 2 * 2 * 3 * 2

    @pytest.mark.parametrize(
        ("value", "text"),
        [(0.1, "0.1"), (-2.0, "-2"), (1e-7, "0.0000001"), (np.nan, "nan"), (-np.inf, "-inf")],
    )
    def test_a_number_is_shown_with_every_digit(
        self, run: Run, spec: WriteSpec, value: float, text: str
    ) -> None:
        np.save("w.npy", np.array([[[value]]]))
        path = spec(
            "input: [1, 1]\nlayers: [{type: conv, out_channels: 1, kernel_size: 1, weight: w.npy}]"
        )
        assert shown(run, path) == [[text]]

    @pytest.mark.parametrize("output_format", ["text", "markdown", "csv"])
    def test_a_column_without_entries_is_a_column(
        self, run: Run, spec: WriteSpec, output_format: str
    ) -> None:
        path = spec("""
            input: [1, 5]
            layers: [{type: conv, out_channels: 1, kernel_size: 1, stride: 2, weight: [[[7]]]}]
            """)
        outcome = run("matrix", path, "--show", "--format", output_format)
        (head,) = (line for line in outcome.out.splitlines() if "0" in line and "4" in line)
        assert re.findall(r"\d", head) == list("01234")

    @pytest.mark.parametrize("mode", ["circular", "reflect", "replicate"])
    @pytest.mark.parametrize("transpose", [(), ("--transpose",)], ids=["C", "Cᵀ"])
    def test_where_folded_taps_meet_their_symbols_are_added(
        self, run: Run, spec: WriteSpec, mode: str, transpose: tuple[str, ...]
    ) -> None:
        np.save("w.npy", np.arange(1, 16).reshape(1, 1, 3, 5))
        path = spec(f"""
            input: [1, 3, 4]
            layers:
              - {{type: conv, out_channels: 1, kernel_size: [3, 5], padding: [1, 3],
                 padding_mode: {mode}, weight: w.npy}}
            """)
        names = shown(run, path, "--symbols", *transpose)
        assert any(cell and "+" in cell for row in names for cell in row)
        values = [[value_of(cell, np.load("w.npy")[0, 0]) for cell in row] for row in names]
        assert values == numbers_of(shown(run, path, *transpose))

    @pytest.mark.parametrize(
        ("framework", "shape"),
        [
            ("pytorch", (2, 3, 2, 3)),
            ("tensorflow", (2, 3, 3, 2)),
            ("jax", (2, 3, 2, 3)),
            ("jax, transpose_kernel", (2, 3, 3, 2)),
        ],
    )
    def test_symbols_index_the_weight_as_it_is_stored(
        self, run: Run, spec: WriteSpec, framework: str, shape: tuple[int, ...]
    ) -> None:
        np.save("w.npy", np.arange(1, 37).reshape(shape))
        name, *keys = framework.split(", ")
        path = spec(f"""
            framework: {name}
            input: [2, 3, 2]
            layers:
              - {{type: conv_transpose, out_channels: 3, kernel_size: [2, 3], stride: 2,
                 padding: valid, weight: w.npy{"".join(f", {key}: true" for key in keys)}}}
            """)
        names = shown(run, path, "--symbols")
        values = [[value_of(cell, np.load("w.npy")) for cell in row] for row in names]
        assert values == numbers_of(shown(run, path))

    def test_symbols_in_csv_are_those_of_json(self, run: Run, spec: WriteSpec) -> None:
        path = spec(GUIDE.replace("weight:", "padding: 1, padding_mode: reflect, weight:"))
        outcome = run("matrix", path, "--show", "--symbols", "--format", "csv")
        _, *rows = csv.reader(io.StringIO(outcome.out))
        cells = [[cell or None for cell in row[1:]] for row in rows]
        assert cells == shown(run, path, "--symbols")
        assert (cells[0][1], cells[0][4]) == ("w1,0+w1,2", "w0,1+w2,1")

    def test_symbols_need_no_numbers(self, run: Run, spec: WriteSpec) -> None:
        assert shown(run, spec(FILLED), "--symbols")[0] == ["w0", "w1", "w2", None, None]


class TestWeights:
    @pytest.mark.parametrize(
        ("reference", "save"),
        [
            ("w.npy", lambda array: np.save("w.npy", array)),
            ("w.npz", lambda array: np.savez("w.npz", only=array)),
            ("w.npz#b", lambda array: np.savez_compressed("w.npz", a=0 * array, b=array)),
            ("w.csv", None),
            ("{fill: index}", None),
            ("[[[1, 2, 3]]]", None),
        ],
        ids=lambda value: value if isinstance(value, str) else "",
    )
    def test_can_come_from_anywhere(
        self, run: Run, spec: WriteSpec, reference: str, save: Callable[[Array], None] | None
    ) -> None:
        if save is not None:
            save(np.array([[[1, 2, 3]]]))
        Path("w.csv").write_text("1,2,3\n", encoding="utf-8")
        path = spec(FILLED.replace("kernel_size: 3", f"kernel_size: 3, weight: {reference}"))
        outcome = run("matrix", path, "-o", "C.npz")
        if reference == "w.csv":  # two axes cannot be a kernel between channels
            assert_refused(outcome, "E121")
        else:
            assert_quiet(outcome)
            assert dense("C.npz").tolist() == [*([1, 2, 3, 0, 0], [0, 1, 2, 3, 0], [0, 0, 1, 2, 3])]

    def test_are_looked_for_beside_the_spec(self, run: Run, spec: WriteSpec, folder: Path) -> None:
        (folder / "sub").mkdir()
        taps = weight(2, 2, 3, 2)
        Path("w.npy").rename("sub/w.npy")
        np.save("w.npy", 9 * taps)
        matrix = exported(run, spec(CONV, "sub/net.yaml"))
        np.testing.assert_array_equal(
            matrix.toarray(), oracle.matrix(taps, [7, 6], **CONV_GEOMETRY)
        )

    @pytest.mark.parametrize("reference", ["../w.npy", "link.npy"])
    @pytest.mark.parametrize("command", [("-o", "C.npz"), ("--show",), ("--dry-run",)])
    def test_outside_its_folder_are_only_read_when_asked_for(
        self, run: Run, spec: WriteSpec, folder: Path, reference: str, command: tuple[str, ...]
    ) -> None:
        (folder / "sub").mkdir()
        (folder / "sub" / "link.npy").symlink_to("../w.npy")
        weight(2, 2, 3, 2)
        path = spec(CONV.replace("w.npy", reference), "sub/net.yaml")
        assert_refused(run("matrix", path, *command), "E404")
        assert run("matrix", path, *command, "--allow-outside").status == 0

    @pytest.mark.parametrize(
        "shape", [(2, 2, 2, 3), (2, 4, 3, 2), (24,), (1, 2, 2, 3, 2), (2, 2, 3), (0, 2, 3, 2), ()]
    )
    @pytest.mark.parametrize("command", [("-o", "C.npz"), ("--show",), ("--dry-run",)])
    def test_of_another_shape_are_refused_with_both(
        self, run: Run, spec: WriteSpec, shape: tuple[int, ...], command: tuple[str, ...]
    ) -> None:
        np.save("w.npy", np.ones(shape))
        outcome = run("matrix", spec(CONV), *command)
        assert_refused(outcome, "E121")
        assert "(2, 2, 3, 2)" in outcome.err
        assert ", ".join(map(str, shape)) in outcome.err.replace("(2, 2, 3, 2)", "")
        assert not Path("C.npz").exists()

    @pytest.mark.parametrize(
        ("array", "code"),
        [
            (np.ones((2, 2, 3, 2), bool), "E302"),
            (np.full((2, 2, 3, 2), "1"), "E302"),
            (np.ones((2, 2, 3, 2), "datetime64[s]"), "E302"),
            (np.ones((2, 2, 3, 2), [("a", "f8")]), "E302"),
            (np.full((2, 2, 3, 2), 1.0, object), "E302"),
        ],
        ids=lambda value: str(value.dtype) if isinstance(value, np.ndarray) else value,
    )
    def test_that_are_no_numbers_are_refused(
        self, run: Run, spec: WriteSpec, array: Array, code: str
    ) -> None:
        np.save("w.npy", array)
        outcome = run("matrix", spec(CONV), "-o", "C.npz")
        assert_refused(outcome, code)
        assert "pickle" not in outcome.err

    @pytest.mark.parametrize("reference", ["no.npy", "w.npz#no", "w.pt", "sub", "w.npy#x"])
    def test_that_are_not_there_are_refused(
        self, run: Run, spec: WriteSpec, folder: Path, reference: str
    ) -> None:
        (folder / "sub").mkdir()
        weight(2, 2, 3, 2)
        np.savez("w.npz", yes=np.load("w.npy"))
        Path("w.pt").write_bytes(b"PK")
        path = spec(CONV.replace("w.npy", reference))
        assert_refused(run("matrix", path, "-o", "C.npz"), "E401")

    def test_a_fill_that_was_asked_for_is_not_worth_a_word(self, run: Run, spec: WriteSpec) -> None:
        path = spec(FILLED.replace("kernel_size: 3", "kernel_size: 3, weight: {fill: normal}"))
        assert_quiet(run("matrix", path, "-o", "C.npz"))

    @pytest.mark.parametrize("escape", ["\\n", "\\e[31m"])
    def test_no_layer_s_name_reaches_the_terminal_as_a_control_character(
        self, run: Run, spec: WriteSpec, escape: str
    ) -> None:
        path = spec(FILLED.replace("{type", f'{{name: "a{escape}b", type'))
        outcome = run("matrix", path, "-o", "C.npz")
        assert outcome.status in (0, 2)
        assert outcome.err.replace("\n", "").isprintable()
        assert "\nb" not in outcome.err


class TestOutput:
    @pytest.mark.parametrize("name", ["C.npz", "C.mtx"])
    def test_an_existing_file_is_only_replaced_with_force(
        self, run: Run, conv: tuple[str, Array], name: str
    ) -> None:
        Path(name).write_bytes(b"old \xff")
        assert_refused(run("matrix", conv[0], "-o", name), "E403")
        assert Path(name).read_bytes() == b"old \xff"
        assert_quiet(run("matrix", conv[0], "-o", name, "--force"))
        np.testing.assert_array_equal(dense(name), conv[1])

    def test_is_refused_before_the_matrix_is_built(self, run: Run, spec: WriteSpec) -> None:
        Path("C.npz").write_bytes(b"old")
        assert_refused(run("matrix", spec(HUGE), "-o", "C.npz"), "E403")

    @pytest.mark.parametrize("fault", ["weight", "spec", "memory"])
    def test_a_failure_leaves_the_old_file_even_with_force(
        self, run: Run, spec: WriteSpec, fault: str
    ) -> None:
        text = {"weight": CONV, "spec": "input: [1, 4]\nlayers: 3", "memory": HUGE}[fault]
        Path("C.npz").write_bytes(b"old")
        assert run("matrix", spec(text), "-o", "C.npz", "--force").status == 2
        assert Path("C.npz").read_bytes() == b"old"

    @pytest.mark.parametrize(
        "options",
        [
            *(("C.npz", "--sparse-format", name) for name in SPARSE_FORMATS),
            ("C.npz", "--compress"),
            ("C.npz", "--transpose"),
            ("C.mtx",),
        ],
        ids=" ".join,
    )
    def test_the_same_command_makes_the_same_bytes(
        self, run: Run, conv: tuple[str, Array], options: tuple[str, ...]
    ) -> None:
        name, *more = options
        assert_quiet(run("matrix", conv[0], "-o", name, *more))
        first = Path(name).read_bytes()
        Path(name).unlink()
        assert_quiet(run("matrix", conv[0], "-o", name, *more))
        assert Path(name).read_bytes() == first

    def test_no_member_knows_the_time(self, run: Run, conv: tuple[str, Array]) -> None:
        exported(run, conv[0])
        with zipfile.ZipFile("C.npz") as archive:
            assert {one.date_time for one in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}

    @pytest.mark.parametrize(
        ("command", "code"),
        [
            (("-o", "C.npz"), "E402"),
            (("-o", "C.npz", "--sparse-format", "bsr"), "E501"),
            (("-o", "C.mtx"), "E402"),
            (("-o", "-", "--sparse-format", "dia"), "E501"),
        ],
    )
    def test_one_that_fits_nowhere_is_refused_before_anything_is_done(
        self, run: Run, spec: WriteSpec, folder: Path, command: tuple[str, ...], code: str
    ) -> None:
        path = spec(HUGE)
        tracemalloc.start()
        outcome = run("matrix", path, *command)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert_refused(outcome, code)
        assert "needed" in outcome.err
        assert peak < 100 * 2**20
        assert [one.name for one in folder.iterdir()] == ["net.yaml"]


class TestUsage:
    @pytest.mark.parametrize(
        "options",
        [
            ("--dry-run", "--sparse-format", "dia"),
            ("--dry-run", "--compress"),
            ("--show", "--sparse-format", "coo"),
            ("--show", "--compress"),
            ("-o", "C.npz", "--format", "json"),
        ],
        ids=" ".join,
    )
    def test_an_option_that_would_do_nothing_is_refused(
        self, run: Run, conv: tuple[str, Array], options: tuple[str, ...]
    ) -> None:
        outcome = run("matrix", conv[0], *options)
        assert (outcome.status, outcome.out) == (2, "")

    def test_a_spec_can_come_from_standard_input(self, run: Run, conv: tuple[str, Array]) -> None:
        content = Path(conv[0]).read_bytes()
        outcome = run("matrix", "-", "-o", "-", stdin=content)
        np.testing.assert_array_equal(loaded(outcome.stdout).toarray(), conv[1])

    def test_another_input_makes_another_matrix(self, run: Run, spec: WriteSpec) -> None:
        matrix = exported(run, spec(GUIDE), "--input", "1,3,5")
        expected = oracle.matrix(np.arange(1.0, 10.0).reshape(1, 1, 3, 3), [3, 5], **PLAIN)
        np.testing.assert_array_equal(matrix.toarray(), expected)

    def test_an_illegal_spec_is_refused_with_its_place(self, run: Run, spec: WriteSpec) -> None:
        outcome = run("matrix", spec(GUIDE), "--dry-run", "--input", "1,2,2")
        assert_refused(outcome, "E110")
        assert outcome.err.startswith("net.yaml:4:")
