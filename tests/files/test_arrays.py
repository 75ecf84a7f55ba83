"""Array files: what is written comes back, and no file is believed before it has been checked.

Whatever a file holds, an array comes back or an error of convt's own; nothing is ever unpickled,
and no header is trusted with more memory than the file has bytes.
"""

from __future__ import annotations

import io
import os
import pickle
import warnings
import zipfile
from collections.abc import Callable, Iterator
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from numpy.lib import format as npy
from numpy.typing import NDArray

from convt_cli.errors import ArrayError, ConvtError, FileError, RequestError
from convt_cli.files.arrays import is_text, locate, read_array, write_array
from convt_cli.io import memory
from tests.conftest import GUIDE, Run, WriteSpec, assert_refused

Array = NDArray[Any]

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


def npy_bytes(array: Array) -> bytes:
    stream = io.BytesIO()
    np.save(stream, array)
    return stream.getvalue()


def with_header(header: str, body: bytes = b"", *, version: tuple[int, int] = (1, 0)) -> bytes:
    """A .npy file whose header is this text."""
    text = header.encode("latin-1") + b"\n"
    length = len(text).to_bytes(2 if version == (1, 0) else 4, "little")
    return npy.magic(*version) + length + text + body


def header_of(shape: str, descr: str = "'<f8'", order: str = "False") -> str:
    return f"{{'descr': {descr}, 'fortran_order': {order}, 'shape': {shape}}}"


def npz_bytes(members: dict[str, bytes], method: int = zipfile.ZIP_STORED) -> bytes:
    """An archive of these members."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", method) as archive:
        for name, content in members.items():
            archive.writestr(zipfile.ZipInfo(name), content, method)
    return stream.getvalue()


ONE = npy_bytes(np.arange(6.0).reshape(2, 3))
"""A whole .npy file: a header of 128 bytes and six numbers."""

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


def assert_plain(message: str) -> None:
    """A message is one short line, and has no dangerous advice."""
    assert message.isprintable()
    assert len(message) < 1000
    assert "allow_pickle" not in message


def assert_array_or_error(read: Read, content: bytes, suffix: str) -> None:
    assert outcome(read, content, suffix) in {"array", "E302", "E303", "E401"}


def assert_same(array: Array, expected: Array) -> None:
    """The same numbers of the same dtype in the same shape; byte order and strides aside."""
    assert array.shape == expected.shape
    assert array.dtype.newbyteorder("=") == expected.dtype.newbyteorder("=")
    np.testing.assert_array_equal(array, expected)


def with_byte(offset: int, byte: int) -> bytes:
    """`ONE` with another byte."""
    return ONE[:offset] + bytes([byte]) + ONE[offset + 1 :]


def places(start: int, choices: int) -> Iterator[tuple[int, int]]:
    """Eight offsets, each with every choice."""
    return product(range(start, start + 8), range(choices))


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
        assert locate(name) == expected

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
        [("", "an .npz needs a key"), ("#c", "no single array 'c'"), ("#a.npy", "'a.npy'")],
    )
    def test_a_key_is_one_of_the_archive_s(self, tmp_path: Path, key: str, message: str) -> None:
        np.savez(tmp_path / "x.npz", a=np.ones(1), b=np.ones(1))
        with pytest.raises(FileError, match=message) as caught:
            read_array(f"{tmp_path}/x.npz{key}")
        assert (caught.value.code, caught.value.value) == ("E401", "its arrays are a, b")


class TestDamage:
    @pytest.mark.parametrize("length", range(len(ONE)))
    def test_a_npy_file_cut_anywhere_is_refused(self, read: Read, length: int) -> None:
        with pytest.raises(ArrayError) as caught:
            read(ONE[:length], ".npy")
        assert caught.value.code == "E303"

    @pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
    @pytest.mark.parametrize("length", range(0, 340, 3))
    def test_an_archive_cut_anywhere_is_refused(self, read: Read, length: int, method: int) -> None:
        whole = npz_bytes({"a.npy": ONE}, method)
        with pytest.raises(ArrayError) as caught:
            read(whole[: min(length, len(whole) - 1)], ".npz")
        assert caught.value.code == "E303"

    @pytest.mark.parametrize("start", range(0, len(ONE) - 40, 8))
    def test_a_bit_flipped_in_a_header_is_an_array_or_an_error(
        self, read: Read, start: int
    ) -> None:
        changed = [with_byte(at, ONE[at] ^ 1 << bit) for at, bit in places(start, 8)]
        assert {outcome(read, content, ".npy") for content in changed} <= {"array", "E302", "E303"}

    @pytest.mark.slow
    @pytest.mark.parametrize("start", range(0, len(ONE) - 40, 8))
    def test_a_byte_changed_in_a_header_is_an_array_or_an_error(
        self, read: Read, start: int
    ) -> None:
        changed = [with_byte(at, byte) for at, byte in places(start, 256)]
        assert {outcome(read, content, ".npy") for content in changed} <= {"array", "E302", "E303"}

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
        "shape",
        [
            *("(-1,)", "(2, -3)", "(1.0,)", "('2',)", "2", "None", "(2, 3, 1000)", "(10**9,)"),
            *("(" + "9" * 5000 + ",)", "(99999999999999999999, 0)", "(4611686018427387904, 0)"),
            *("(" + "1, " * 65 + ")", "(" + "0, " * 65 + ")", "(" + "(" * 100 + ")" * 100 + ",)"),
            *("[1, 2]", "{1}", "(2, 3", "((2, 3)", "(2, 3))", "(2, 3), 'x': ["),
        ],
        ids=lambda shape: shape[:24],
    )
    @pytest.mark.parametrize("body", [b"", b"\0" * 8], ids=["empty", "one number"])
    def test_a_shape_that_is_none_is_refused(self, read: Read, shape: str, body: bytes) -> None:
        with pytest.raises(ArrayError) as caught:
            read(with_header(header_of(shape), body), ".npy")
        assert caught.value.code == "E303"

    @pytest.mark.parametrize(
        "descr",
        [
            *("'<f9'", "'x'", "8", "None", "'='", "('<f8', (2,))", "[('a', '<f8')]", "'<M8[s]'"),
            *("'<m8[s]'", "'<U2'", "'|S8'", "'|V8'", "'|O'", "'O'", "'<f8, <f8'", "float", "'f0'"),
        ],
    )
    def test_a_dtype_that_is_no_number_is_refused(self, read: Read, descr: str) -> None:
        with pytest.raises(ArrayError) as caught:
            read(with_header(header_of("(1,)", descr), b"\0" * 8), ".npy")
        assert caught.value.code in {"E302", "E303"}

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

    def test_a_header_of_the_second_version_is_read(self, read: Read) -> None:
        content = with_header(header_of("(1,)"), b"\0" * 8, version=(2, 0))
        assert read(content, ".npy").tolist() == [0.0]

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


class Canary:
    """Sings when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[str]]:
        return os.mkdir, (os.fspath(self.path),)


def objects_of(path: Path) -> Array:
    """An array of objects that holds a canary."""
    array = np.empty(1, object)
    array[0] = Canary(path)
    return array


class TestPickles:
    def test_the_canary_sings(self, tmp_path: Path) -> None:
        pickle.loads(pickle.dumps(Canary(tmp_path / "song")))
        assert (tmp_path / "song").exists()

    @pytest.mark.parametrize("name", ["x.npy", "x.npz", "x.npz#a"])
    def test_an_array_of_objects_is_refused_and_never_unpickled(
        self, tmp_path: Path, name: str
    ) -> None:
        array = objects_of(tmp_path / "song")
        np.save(tmp_path / "x.npy", array, allow_pickle=True)
        np.savez(tmp_path / "x.npz", a=array)
        with pytest.raises(ArrayError) as caught:
            read_array(f"{tmp_path}/{name}")
        assert caught.value.code == "E302"
        assert "allow_pickle" not in str(caught.value) + caught.value.help
        assert not (tmp_path / "song").exists()

    @pytest.mark.parametrize("name", ["x.npy", "x.npz", "x.csv", "x.txt"])
    def test_a_pickle_under_any_name_is_refused(self, tmp_path: Path, name: str) -> None:
        (tmp_path / name).write_bytes(pickle.dumps(Canary(tmp_path / "song")))
        with pytest.raises(ArrayError) as caught:
            read_array(f"{tmp_path}/{name}")
        assert "allow_pickle" not in str(caught.value) + caught.value.help
        assert not (tmp_path / "song").exists()

    @pytest.mark.parametrize("name", ["x.npy", "x.npz"])
    def test_an_array_of_objects_is_never_written(self, tmp_path: Path, name: str) -> None:
        with pytest.raises(ConvtError):
            write_array(f"{tmp_path}/{name}", objects_of(tmp_path / "song"), force=False)
        assert list(tmp_path.iterdir()) == []

    def test_a_pickle_in_an_archive_is_refused(self, tmp_path: Path) -> None:
        content = pickle.dumps(Canary(tmp_path / "song"))
        (tmp_path / "x.npz").write_bytes(npz_bytes({"a.npy": content, "b": content}))
        with pytest.raises(ArrayError):
            read_array(f"{tmp_path}/x.npz#a")
        with pytest.raises(ArrayError):
            read_array(f"{tmp_path}/x.npz#b")
        assert not (tmp_path / "song").exists()

    @pytest.mark.parametrize("name", ["model.pt", "model.pth", "model.pkl"])
    def test_a_file_of_torch_is_refused_by_its_name(
        self, run: Run, spec: WriteSpec, folder: Path, name: str
    ) -> None:
        (folder / name).write_bytes(pickle.dumps(Canary(folder / "song")))
        assert_refused(run("apply", spec(GUIDE), name, "-o", "y.npy"), "E401")
        assert not (folder / "song").exists()

    def test_the_command_says_nothing_of_pickles(
        self, run: Run, spec: WriteSpec, folder: Path
    ) -> None:
        np.save("x.npy", objects_of(folder / "song"), allow_pickle=True)
        outcome = run("apply", spec(GUIDE), "x.npy", "-o", "y.npy")
        assert_refused(outcome, "E302")
        assert "pickle" not in outcome.err.lower()
        assert not (folder / "song").exists()


class TestArchives:
    def test_a_bomb_is_refused_before_it_is_unpacked(
        self, read: Read, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        size = 10**8
        monkeypatch.setattr(memory, "available", lambda: size)
        header = with_header(header_of(f"({size // 8 + 1},)"))
        bomb = npz_bytes({"a.npy": header + bytes(size + 8 - size % 8)}, zipfile.ZIP_DEFLATED)
        assert len(bomb) < size // 100
        with pytest.raises(RequestError) as caught:
            read(bomb, ".npz")
        assert caught.value.code == "E501"

    @pytest.mark.parametrize("count", [5, 10**6, 10**15])
    def test_a_header_that_promises_more_than_its_member_holds_is_refused(
        self, read: Read, count: int
    ) -> None:
        content = with_header(header_of(f"({count},)"), b"\0" * 8)
        with pytest.raises(ArrayError, match=r"promises \d+ bytes, there are \d+"):
            read(npz_bytes({"a.npy": content}), ".npz")

    def test_a_directory_that_lies_about_a_size_is_refused(self, read: Read) -> None:
        content = bytearray(npz_bytes({"a.npy": ONE}, zipfile.ZIP_DEFLATED))
        place = content.rindex(b"PK\x01\x02") + 24
        content[place : place + 4] = (2**31).to_bytes(4, "little")
        with pytest.raises(ArrayError):
            read(bytes(content), ".npz")

    @pytest.mark.filterwarnings("ignore:Duplicate name")
    def test_a_name_that_stands_twice_is_refused(self, tmp_path: Path) -> None:
        with zipfile.ZipFile(tmp_path / "x.npz", "w") as archive:
            archive.writestr("a.npy", ONE)
            archive.writestr("a.npy", npy_bytes(np.zeros(1)))
        with pytest.raises(FileError) as caught:
            read_array(f"{tmp_path}/x.npz#a")
        assert caught.value.code == "E401"

    def test_two_members_of_one_key_are_refused(self, tmp_path: Path) -> None:
        (tmp_path / "x.npz").write_bytes(npz_bytes({"a.npy": ONE, "a": ONE}))
        with pytest.raises(FileError):
            read_array(f"{tmp_path}/x.npz#a")

    @pytest.mark.parametrize("name", ["../a.npy", "/a.npy", "b/../../a.npy", "..\\a.npy"])
    def test_a_member_that_climbs_out_is_refused(self, tmp_path: Path, name: str) -> None:
        (tmp_path / "x.npz").write_bytes(npz_bytes({name: ONE}))
        with pytest.raises(ConvtError):
            read_array(f"{tmp_path}/x.npz")
        assert [path.name for path in tmp_path.iterdir()] == ["x.npz"]

    def test_an_encrypted_member_is_refused(self, read: Read) -> None:
        content = bytearray(npz_bytes({"a.npy": ONE}))
        content[6] |= 1
        content[content.rindex(b"PK\x01\x02") + 8] |= 1
        with pytest.raises(ArrayError) as caught:
            read(bytes(content), ".npz")
        assert caught.value.code == "E303"

    @pytest.mark.parametrize("method", [1, 6, 9, 93, 99])
    def test_a_method_that_python_does_not_know_is_refused(self, read: Read, method: int) -> None:
        content = bytearray(npz_bytes({"a.npy": ONE}))
        content[8] = content[content.rindex(b"PK\x01\x02") + 10] = method
        with pytest.raises(ArrayError) as caught:
            read(bytes(content), ".npz")
        assert caught.value.code == "E303"

    def test_a_wrong_checksum_is_noticed(self, read: Read) -> None:
        content = npz_bytes({"a.npy": ONE})
        wrong = content.replace(np.float64(5.0).tobytes(), np.float64(6.0).tobytes())
        assert wrong != content
        with pytest.raises(ArrayError) as caught:
            read(wrong, ".npz")
        assert caught.value.code == "E303"

    @pytest.mark.parametrize("members", [{}, {"a.txt": b"x"}, {"a/": b""}])
    def test_an_archive_without_an_array_is_refused(
        self, read: Read, members: dict[str, bytes]
    ) -> None:
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


class TestStreams:
    def test_standard_input_is_one_npy_file(self, run: Run, spec: WriteSpec, folder: Path) -> None:
        outcome = run("apply", spec(GUIDE), "-", "-o", "x.npy", stdin=npy_bytes(np.ones((1, 2, 2))))
        assert outcome.status == 0
        assert np.load("x.npy").shape == (1, 4, 4)

    @pytest.mark.parametrize("length", [0, 1, 5, 6, 8, 10, 60, 127, 128, 129, 159])
    def test_one_that_ends_early_is_refused(self, run: Run, spec: WriteSpec, length: int) -> None:
        content = npy_bytes(np.ones((1, 2, 2)))[:length]
        assert_refused(run("apply", spec(GUIDE), "-", "-o", "x.npy", stdin=content), "E303")

    def test_a_header_on_it_is_not_trusted_with_memory(self, run: Run, spec: WriteSpec) -> None:
        content = with_header(header_of("(1000000000000000,)"))
        assert_refused(run("apply", spec(GUIDE), "-", "-o", "x.npy", stdin=content), "E501")
