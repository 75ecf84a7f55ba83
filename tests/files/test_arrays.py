"""Array files: what is written comes back, and no file is believed before it has been checked.

Whatever a file holds, an array comes back or an error of convt's own; nothing is ever unpickled,
and no header is trusted with more memory than the file has bytes.
"""

from __future__ import annotations

import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from convt_cli.errors import ArrayError, ConvtError, FileError
from convt_cli.files.array_formats import ARRAY_FORMATS, STREAM
from convt_cli.files.arrays import Location, is_text, locate, read_array, write_array
from tests.conftest import GUIDE, Run, WriteSpec
from tests.files.samples import (
    ONE,
    Array,
    Canary,
    assert_plain,
    header_of,
    npy_bytes,
    npz_bytes,
    objects_of,
    with_header,
)

NUMBERS = [
    *("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"),
    *("float16", "float32", "float64", "longdouble", "complex64", "complex128", "clongdouble"),
    *(">i2", ">i4", ">i8", ">u4", ">f2", ">f4", ">f8", ">c8", ">c16"),
]
REAL_NUMBERS = [dtype for dtype in NUMBERS if np.dtype(dtype).kind != "c" and dtype != "longdouble"]
SHAPES: list[tuple[int, ...]] = [(), (1,), (5,), (2, 3), (2, 1, 3, 2), (0,), (3, 0, 2)]


def sample(dtype: str, shape: tuple[int, ...]) -> Array:
    """Numbers of a dtype that use all its bytes."""
    values = np.arange(np.prod(shape, dtype=int)).reshape(shape) * 3 + 1
    kind = np.dtype(dtype).kind
    divided = values / 7 if kind in "fc" else values
    return np.asarray(divided + 1j * values if kind == "c" else divided).astype(dtype)


SUFFIXES = st.sampled_from([".npy", ".npz", ".csv", ".txt"])

Read = Callable[[bytes, str], Array]


@pytest.fixture(scope="session")
def read(tmp_path_factory: pytest.TempPathFactory) -> Read:
    """Reads bytes as a file called x with a suffix."""
    folder = tmp_path_factory.mktemp("arrays")

    def read(content: bytes, suffix: str) -> Array:
        path = folder / f"x{suffix}"
        path.write_bytes(content)
        return read_array(str(path))

    return read


def outcome(read: Read, content: bytes, suffix: str) -> str:
    """'array', the code of convt's own error, or the name of any other exception."""
    try:
        assert read(content, suffix).dtype.kind in "biufc"
    except ConvtError as error:
        assert_plain(str(error))
        return error.code
    except Exception as error:
        return type(error).__name__
    return "array"


def assert_array_or_error(read: Read, content: bytes, suffix: str) -> None:
    assert outcome(read, content, suffix) in {"array", "E302", "E303", "E401"}


def assert_same(array: Array, expected: Array) -> None:
    """The same numbers of the same dtype in the same shape; byte order and strides aside."""
    assert array.shape == expected.shape
    assert array.dtype.newbyteorder("=") == expected.dtype.newbyteorder("=")
    np.testing.assert_array_equal(array, expected)


class TestRoundTrips:
    @pytest.mark.parametrize("name", ["x.npy", "x.npz#key"])
    @pytest.mark.parametrize("dtype", NUMBERS)
    def test_binary_files_keep_every_dtype(self, tmp_path: Path, name: str, dtype: str) -> None:
        write_array(f"{tmp_path}/{name}", sample(dtype, (2, 3)), force=False)
        assert_same(read_array(f"{tmp_path}/{name}"), sample(dtype, (2, 3)))

    @pytest.mark.parametrize("name", ["x.npy", "x.NPY", "x.npz", "x.npz#key"])
    @pytest.mark.parametrize("shape", SHAPES, ids=str)
    def test_binary_files_keep_every_shape(
        self, tmp_path: Path, name: str, shape: tuple[int, ...]
    ) -> None:
        write_array(f"{tmp_path}/{name}", sample(">f4", shape), force=False)
        assert_same(read_array(f"{tmp_path}/{name}"), sample(">f4", shape))

    @pytest.mark.parametrize("name", ["x.npy", "x.npz"])
    @pytest.mark.parametrize(
        "view",
        [
            np.asfortranarray,
            lambda array: array[::-1, ::-2],
            lambda array: array[:, ::2],
            lambda array: np.broadcast_to(array[0], (3, 4)),
            np.transpose,
        ],
        ids=["fortran", "negative", "strided", "broadcast", "transposed"],
    )
    def test_strides_do_not_matter(
        self, tmp_path: Path, name: str, view: Callable[[Array], Array]
    ) -> None:
        array = view(sample("float64", (3, 4)))
        write_array(f"{tmp_path}/{name}", array, force=False)
        assert_same(read_array(f"{tmp_path}/{name}"), array)

    @pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
    def test_archives_of_numpy_are_read(self, tmp_path: Path, save: Callable[..., None]) -> None:
        save(tmp_path / "x.npz", a=sample("int32", (2, 2)), b=sample("float16", (3,)))
        assert_same(read_array(f"{tmp_path}/x.npz#a"), sample("int32", (2, 2)))
        assert_same(read_array(f"{tmp_path}/x.npz#b"), sample("float16", (3,)))

    @pytest.mark.parametrize("name", ["x.npy", "x.npz", "x.npz#key"])
    def test_numpy_reads_what_is_written(self, tmp_path: Path, name: str) -> None:
        array = sample(">f4", (2, 3))
        write_array(f"{tmp_path}/{name}", array, force=False)
        loaded = np.load(tmp_path / name.partition("#")[0])
        key = name.partition("#")[2] or "arr_0"
        assert_same(loaded if name == "x.npy" else loaded[key], array)

    @pytest.mark.parametrize("name", ["x.csv", "x.txt"])
    @pytest.mark.parametrize(
        "dtype", [one for one in NUMBERS if "c" not in one and "long" not in one]
    )
    def test_text_files_keep_every_digit(self, tmp_path: Path, name: str, dtype: str) -> None:
        array = sample(dtype, (3, 4))
        write_array(f"{tmp_path}/{name}", array, force=False)
        assert np.array_equal(read_array(f"{tmp_path}/{name}").astype(dtype), array)

    @pytest.mark.parametrize("name", ["x.csv", "x.txt"])
    def test_text_files_keep_the_numbers_at_the_edges(self, tmp_path: Path, name: str) -> None:
        edges = [np.inf, -np.inf, np.nan, -0.0, 5e-324, 1.7976931348623157e308, 0.1 + 0.2, 1e22]
        write_array(f"{tmp_path}/{name}", np.array([edges]), force=False)
        assert read_array(f"{tmp_path}/{name}").tobytes() == np.array([edges]).tobytes()

    @pytest.mark.parametrize("value", [2**63 - 1, -(2**63), 2**53 + 1])
    def test_text_files_keep_every_64_bit_integer(self, tmp_path: Path, value: int) -> None:
        write_array(f"{tmp_path}/x.csv", np.array([[value]]), force=False)
        assert read_array(f"{tmp_path}/x.csv").tolist() == [[value]]

    def test_a_row_of_text_is_a_row(self, tmp_path: Path) -> None:
        write_array(f"{tmp_path}/x.csv", np.array([[1, 2, 3]]), force=False)
        assert (tmp_path / "x.csv").read_text(encoding="utf-8") == "1,2,3\n"

    @pytest.mark.parametrize("name", ["x.npy", "x.npz", "x.csv"])
    def test_the_same_array_makes_the_same_bytes(self, tmp_path: Path, name: str) -> None:
        write_array(f"{tmp_path}/{name}", sample("float64", (2, 3)), force=False)
        first = (tmp_path / name).read_bytes()
        write_array(f"{tmp_path}/{name}", sample("float64", (2, 3)), force=True)
        assert (tmp_path / name).read_bytes() == first

    @pytest.mark.parametrize("name", ["x.csv", "x.txt"])
    @pytest.mark.parametrize("array", [np.ones((2, 2, 2)), np.ones((2, 2), complex)], ids=str)
    def test_text_holds_one_or_two_axes_of_real_numbers(
        self, tmp_path: Path, name: str, array: Array
    ) -> None:
        with pytest.raises(ArrayError) as caught:
            write_array(f"{tmp_path}/{name}", array, force=False)
        assert caught.value.code == "E301"
        assert list(tmp_path.iterdir()) == []


class TestNames:
    @pytest.mark.parametrize(
        ("name", "expected"),
        [
            ("x.npy", ("x.npy", "", ".npy")),
            ("a/x.NPY", ("a/x.NPY", "", ".npy")),
            ("x.npz", ("x.npz", "", ".npz")),
            ("x.npz#k", ("x.npz", "k", ".npz")),
            ("x.npz#a/b", ("x.npz", "a/b", ".npz")),
            ("x.npz#a#b", ("x.npz", "a#b", ".npz")),
            ("x.csv", ("x.csv", "", ".csv")),
            ("x.txt", ("x.txt", "", ".txt")),
            ("-", ("-", "", "-")),
        ],
    )
    def test_a_name_is_a_path_a_key_and_a_format(
        self, name: str, expected: tuple[str, str, str]
    ) -> None:
        path, key, suffix = expected
        found = Location(path=path, key=key, format=ARRAY_FORMATS.get(suffix, STREAM))
        assert locate(name) == found

    @pytest.mark.parametrize(
        "name", ["x", "x.npy#k", "x.pt", "x.pkl", "x.h5", "x.npy.gz", ".npy", "", "x.npy/", "--"]
    )
    def test_other_names_are_refused(self, name: str) -> None:
        with pytest.raises(FileError) as caught:
            locate(name)
        assert caught.value.code == "E401"
        assert ".npy, .npz, .csv, .txt" in caught.value.help

    @pytest.mark.parametrize(("name", "text"), [("x.csv", True), ("x.txt", True), ("x.npy", False)])
    def test_text_is_known_by_its_suffix(self, name: str, text: bool) -> None:
        assert is_text(name) == text

    @pytest.mark.parametrize("name", ["x.npy", "x.npz", "x.csv", "x.txt"])
    def test_a_missing_file_is_refused(self, tmp_path: Path, name: str) -> None:
        with pytest.raises(FileError) as caught:
            read_array(f"{tmp_path}/{name}")
        assert caught.value.code == "E401"

    @pytest.mark.parametrize(
        ("key", "message"),
        [("", "needs a key"), ("#c", "no array 'c'"), ("#a.npy", "'a.npy'")],
    )
    def test_a_key_is_one_of_the_archive_s(self, tmp_path: Path, key: str, message: str) -> None:
        np.savez(tmp_path / "x.npz", a=np.ones(1), b=np.ones(1))
        with pytest.raises(FileError, match=message) as caught:
            read_array(f"{tmp_path}/x.npz{key}")
        assert (caught.value.code, caught.value.value) == ("E401", "its arrays are a, b")

    @pytest.mark.parametrize("key", ["", "#a"])
    def test_no_key_is_asked_of_an_empty_archive(self, tmp_path: Path, key: str) -> None:
        np.savez(tmp_path / "x.npz")
        with pytest.raises(FileError, match=r"x\.npz holds no array") as caught:
            read_array(f"{tmp_path}/x.npz{key}")
        assert "KEY" not in caught.value.help


class TestDamage:
    @settings(deadline=None, max_examples=300)
    @given(
        method=st.sampled_from(
            [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA]
        ),
        offset=st.integers(0, 400),
        byte=st.integers(0, 255),
    )
    @example(method=zipfile.ZIP_LZMA, offset=60, byte=0)
    @example(method=zipfile.ZIP_LZMA, offset=40, byte=255)
    @example(method=zipfile.ZIP_BZIP2, offset=50, byte=0)
    def test_a_byte_changed_in_an_archive_is_an_array_or_an_error(
        self, read: Read, method: int, offset: int, byte: int
    ) -> None:
        content = bytearray(npz_bytes({"a.npy": ONE}, method))
        content[offset % len(content)] = byte
        assert_array_or_error(read, bytes(content), ".npz")

    @pytest.mark.parametrize(
        "header",
        [
            "",
            "{}",
            "[]",
            "x",
            "{'descr': '<f8'}",
            header_of("(1,)", order="2"),
            header_of("(1,)", order="'no'"),
            header_of("(1,)")[:-1] + ", 'more': 1}",
            header_of("(1L,)"),
            "__import__('os').abort()",
            "(" * 1000,
            "-" * 9000 + "1",
            "{'descr': '<f8', 'fortran_order': False, 'shape': (1" + " " * 20_000 + ",)}",
        ],
        ids=lambda header: header[:24],
    )
    def test_a_header_of_another_form_is_an_array_or_an_error(
        self, read: Read, header: str
    ) -> None:
        assert_array_or_error(read, with_header(header, b"\0" * 8), ".npy")

    @pytest.mark.parametrize("version", [(1, 0), (2, 0), (3, 0)])
    @pytest.mark.parametrize("order", ["C", "F"])
    def test_a_header_of_every_version_is_read(
        self, read: Read, version: tuple[int, int], order: Literal["C", "F"]
    ) -> None:
        array = np.arange(6.0).reshape((2, 3), order=order)
        assert_same(read(npy_bytes(array, version), ".npy"), array)

    @pytest.mark.parametrize("version", [(0, 0), (1, 1), (4, 0), (255, 255)])
    def test_an_unknown_version_is_refused(self, read: Read, version: tuple[int, int]) -> None:
        content = b"\x93NUMPY" + bytes(version) + ONE[8:]
        with pytest.raises(ArrayError) as caught:
            read(content, ".npy")
        assert caught.value.code == "E303"

    @pytest.mark.parametrize("suffix", [".npy", ".npz"])
    @pytest.mark.parametrize("more", [b"\0", b"\0" * 1000])
    def test_more_behind_the_array_is_refused(self, read: Read, suffix: str, more: bytes) -> None:
        content = ONE + more
        with pytest.raises(ArrayError) as caught:
            read(content if suffix == ".npy" else npz_bytes({"a.npy": content}), suffix)
        assert caught.value.code == "E303"

    @settings(deadline=None, max_examples=200)
    @given(
        content=st.binary(max_size=200), suffix=st.sampled_from([".npy", ".npz", ".csv", ".txt"])
    )
    @example(content=b"\x93NUMPY\x01\x00\x02\x00(\n", suffix=".npy")
    @example(content=b"\x00", suffix=".csv")
    @example(content=b"\x1c1,2\x85", suffix=".csv")
    @example(content=b"1\r2\x0b3", suffix=".txt")
    def test_any_bytes_are_an_array_or_an_error(
        self, read: Read, content: bytes, suffix: str
    ) -> None:
        assert_array_or_error(read, content, suffix)

    @settings(deadline=None, max_examples=200)
    @given(header=st.text(st.characters(max_codepoint=255), max_size=80))
    @example(header="{'descr': '<f8', 'fortran_order': False, 'shape': ((1,)}")
    @example(header="'''")
    def test_any_header_is_an_array_or_an_error(self, read: Read, header: str) -> None:
        assert_array_or_error(read, with_header(header, b"\0" * 8), ".npy")

    @settings(deadline=None, max_examples=200)
    @given(text=st.text("0123456789.,-+eE \n\r\tnaif#\"'_x", max_size=40))
    @example(text="1,2\n3")
    @example(text="#1\n")
    @example(text="1e400,-1e400")
    @example(text="9223372036854775808")
    def test_any_text_of_digits_is_an_array_or_an_error(self, read: Read, text: str) -> None:
        assert_array_or_error(read, text.encode(), ".csv")


class TestText:
    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("1,2\n3,4", [[1, 2], [3, 4]]),
            ("1,2\r\n3,4\r\n", [[1, 2], [3, 4]]),
            ("1, 2\n\n3 ,4\n\n", [[1, 2], [3, 4]]),
            ("\ufeff1,2", [[1, 2]]),
            ("7", [[7]]),
            ("1\n2\n3\n", [[1], [2], [3]]),
            ("1,2.5", [[1.0, 2.5]]),
            ("1e3,-.5", [[1000.0, -0.5]]),
            ("inf,-inf", [[np.inf, -np.inf]]),
        ],
    )
    def test_numbers_with_commas_are_read(
        self, read: Read, text: str, expected: list[list[float]]
    ) -> None:
        array = read(text.encode(), ".csv")
        assert array.tolist() == expected
        whole = all(isinstance(value, int) for row in expected for value in row)
        assert array.dtype == (np.int64 if whole else np.float64)

    @pytest.mark.parametrize("text", ["1 2\n3 4", "1\t2\n3\t4\n", "  1   2\n  3   4  "])
    def test_numbers_with_spaces_are_read(self, read: Read, text: str) -> None:
        assert read(text.encode(), ".txt").tolist() == [[1, 2], [3, 4]]

    @pytest.mark.parametrize("text", ["1.9,2.1", "0.5", "1,2\n3,4.75"])
    def test_fractions_are_never_cut_off(self, read: Read, text: str) -> None:
        expected = [[float(number) for number in row.split(",")] for row in text.split("\n")]
        assert read(text.encode(), ".csv").tolist() == expected

    @pytest.mark.parametrize("text", ["1.9,2.1", "1,2\n3,4.75"])
    def test_nor_are_they_by_a_numpy_that_reads_integers_by_way_of_floats(
        self, read: Read, monkeypatch: pytest.MonkeyPatch, text: str
    ) -> None:
        newest = np.loadtxt

        def loadtxt(lines: list[str], dtype: Any = float, **options: Any) -> Array:
            """As in older versions: a warning, and the integer part."""
            if np.dtype(dtype).kind == "i":
                warnings.warn("Parsing an integer via a float", DeprecationWarning, stacklevel=2)
            return np.asarray(newest(lines, float, **options)).astype(dtype)

        monkeypatch.setattr(np, "loadtxt", loadtxt)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            found = read(text.encode(), ".csv").tolist()
        assert found == [[float(number) for number in row.split(",")] for row in text.split("\n")]

    @pytest.mark.parametrize(
        "text",
        [
            *("", "\n\n", " \n", "\ufeff", "a,b\n1,2", "1,2\n3", "1,,2", "1,2,", "1;2", "0x10"),
            *("1_000", "1,2 # two", "# one\n1,2", "'1',2", "1 2", "1+2j", "--1", "1,2\x003"),
        ],
    )
    def test_anything_else_is_refused(self, read: Read, text: str) -> None:
        with pytest.raises(ArrayError) as caught:
            read(text.encode(), ".csv")
        assert caught.value.code == "E303"

    @pytest.mark.parametrize("content", [b"1,\xff", "1,2".encode("utf-16"), b"\x1f\x8b\x08"])
    def test_what_is_no_text_is_refused(self, read: Read, content: bytes) -> None:
        with pytest.raises(ArrayError) as caught:
            read(content, ".csv")
        assert caught.value.code == "E303"


class TestArchives:
    @pytest.mark.parametrize("name", ["x.npy", "x.npz"])
    def test_an_array_of_objects_is_never_written(self, tmp_path: Path, name: str) -> None:
        canary = Canary(tmp_path / "song")
        with pytest.raises(ConvtError):
            write_array(f"{tmp_path}/{name}", objects_of(canary), force=False)
        assert list(tmp_path.iterdir()) == []

    @pytest.mark.parametrize("members", [{}, {"a.txt": b"x"}, {"a/": b""}])
    def test_one_without_an_array_is_refused(self, read: Read, members: dict[str, bytes]) -> None:
        with pytest.raises(ConvtError):
            read(npz_bytes(members), ".npz")

    def test_only_a_few_of_many_keys_are_listed(self, tmp_path: Path) -> None:
        (tmp_path / "x.npz").write_bytes(npz_bytes({f"{n}.npy": b"" for n in range(5000)}))
        with pytest.raises(FileError) as caught:
            read_array(f"{tmp_path}/x.npz")
        assert len(str(caught.value)) < 1000

    def test_a_member_with_an_endless_name_makes_a_short_message(self, tmp_path: Path) -> None:
        members = {"k" * 60_000 + "1.npy": ONE, "k" * 60_000 + "2.npy": ONE}
        (tmp_path / "x.npz").write_bytes(npz_bytes(members))
        with pytest.raises(FileError) as caught:
            read_array(f"{tmp_path}/x.npz")
        assert len(str(caught.value)) < 1000


def test_standard_input_is_one_npy_file(run: Run, spec: WriteSpec) -> None:
    outcome = run("apply", spec(GUIDE), "-", "-o", "x.npy", stdin=npy_bytes(np.ones((1, 2, 2))))
    assert outcome.status == 0
    assert np.load("x.npy").shape == (1, 4, 4)
