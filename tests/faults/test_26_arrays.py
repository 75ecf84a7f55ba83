"""Array files and pictures nobody meant to write: bytes changed, and headers that lie."""

from __future__ import annotations

import io
import json
import struct
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from convt_cli.commands import main
from convt_cli.errors import ArrayError
from convt_cli.files.arrays import read_array
from convt_cli.files.images import read_picture
from convt_cli.files.safetensors import read_safetensors
from tests.conftest import GUIDE
from tests.faults.drawn import attempted, mutated


def npy(array: NDArray[np.generic]) -> bytes:
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def npz(method: int, **members: bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as archive:
        for name, content in members.items():
            archive.writestr(f"{name}.npy", content)
    return file.getvalue()


def safetensors(header: object, content: bytes) -> bytes:
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + content


def png() -> bytes:
    """A grey picture of 4 by 4 pixels, made by hand."""
    parts = {
        b"IHDR": struct.pack(">2I5B", 4, 4, 8, 0, 0, 0, 0),
        b"IDAT": zlib.compress(b"\0\1\2\3\4" * 4),
        b"IEND": b"",
    }
    chunks = (
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in parts.items()
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


X = np.arange(24).reshape(2, 3, 4)
DTYPES = ["<f4", ">f8", "|u1", "<i8", "<c8", "?", "<f2"]
TENSOR = {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]}

WHOLES = {
    "npy": [*(npy(X.astype(dtype)) for dtype in DTYPES), npy(np.asfortranarray(X[0]))],
    "npz": [
        npz(zipfile.ZIP_STORED, a=npy(X)),
        npz(zipfile.ZIP_DEFLATED, a=npy(X), b=npy(X[0])),
    ],
    "safetensors": [safetensors({"a": TENSOR, "__metadata__": {}}, X[0, :2, :3].tobytes()[:24])],
    "csv": [b"1,2,3\n4,5,6\n", b"\xef\xbb\xbf1.5,nan\r\n-inf,1e300\r\n"],
    "txt": [b"1 2 3\n4 5 6\n", b"9223372036854775807\n"],
    "png": [png()],
}

TOKENS = [
    *(b"\x93NUMPY\x02\0", b"'descr': '|O'", b"'fortran_order': True", b"(-1,)", b"(0,)", b"True"),
    *(
        b"(4294967296, 4294967296)",
        b"9" * 5000,
        b"(" * 300,
        b"[" * 2000,
        b'{"a":' * 2000,
        b"~" * 300,
    ),
    *(
        b"~" * 300,
        b"lambda: 0",
        b"'2f4'",
        b"[('a','<f4')]",
        b"\0",
        b"\xff\xff\xff\xff",
        b"\0" * 8,
        b"\xff" * 8,
    ),
    *(b"PK\x03\x04", b"PK\x01\x02", b"PK\x05\x06", b"PK\x06\x06", b"../", b"a.npy", b"\x63\0"),
    *(b'"data_offsets":[0,24]', b'"BOOL"', b"NaN", b"-1", b"1e400", b"\\ud800", b"__metadata__"),
    *(b"nan", b"inf", b"1_0", b"1j", b"0x10", b"#", b'"', b"\xc2\x85", b"\xd9\xa1", b";", b"\r"),
    *(b"IHDR", b"IDAT", b"IEND", b"tRNS", b"zTXt", b"iCCP", b"acTL", b"\x7f\xff\xff\xff"),
]


@pytest.fixture(scope="module")
def folder_of_drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where drawn files are written."""
    return tmp_path_factory.mktemp("drawn")


def read(path: Path) -> object:
    """What the reader of this format makes of a file."""
    match path.suffix:
        case ".png":
            return read_picture(str(path), (1, 4, 4))
        case ".safetensors":
            return read_safetensors(str(path), "")
        case ".npz":
            return read_array(f"{path}#a")
        case _:
            return read_array(str(path))


def assert_read(folder: Path, suffix: str, content: bytes) -> None:
    """A file is an array of numbers, or a ConvtError says why it is none."""
    path = folder / f"drawn.{suffix}"
    path.write_bytes(content)
    array = attempted(lambda: read(path))
    if array is not None:
        assert isinstance(array, np.ndarray)
        assert array.dtype.kind in "biufc"
        assert array.nbytes == len(array.tobytes())


@pytest.mark.parametrize("suffix", WHOLES)
def test_26_the_files_are_read_as_they_are(folder_of_drawn: Path, suffix: str) -> None:
    """Otherwise what is changed in them would change nothing."""
    pytest.importorskip("PIL")
    for content in WHOLES[suffix]:
        path = folder_of_drawn / f"whole.{suffix}"
        path.write_bytes(content)
        assert isinstance(read(path), np.ndarray)


@pytest.mark.parametrize("suffix", WHOLES)
def test_26_a_file_with_bytes_changed_is_an_array_or_a_convt_error(
    folder_of_drawn: Path, suffix: str
) -> None:
    @settings(derandomize=True, max_examples=100)
    @given(content=mutated(WHOLES[suffix], TOKENS))
    def check(content: bytes) -> None:
        assert_read(folder_of_drawn, suffix, content)

    check()


SHAPES = [
    *("(24,)", "()", "(-1,)", "(0,)", "(True, 24)", "[24]", "24", "(24.0,)", "(2**62,)", "('a',)"),
    *("(9223372036854775807, 2)", "(9223372036854775808, 0)", "(18446744073709551616,)", "None"),
    *(f"({'1, ' * 65})", f"({'9' * 4300},)", f"({'9' * 5000},)", f"(0x{'f' * 5000},)", "(1,) * 9"),
]
DESCRS = [
    *("'<f4'", "'>f8'", "'|u1'", "'?'", "'<c8'", "'g'", "'O'", "'V4'", "'V0'", "'S4'", "'S0'"),
    *("'U1'", "'M8[s]'", "'m8'", "'2f4'", "'(2,2)f4'", "'(100000,100000)f4'", "[('a', '<f4')]"),
    *("[('a', 'O')]", "[]", "('<f4', (2,))", "('<f4', (2147483648,))", "'f4,i4'", "3", "None"),
    *("{'names': ['a'], 'formats': ['f4']}", f"'{'f' * 3000}'", "b'f4'", "'<f3'", "lambda: 0"),
]
ORDERS = ["False", "True", "0", "None", "'no'", "[]"]


@st.composite
def headers(draw: st.DrawFn) -> bytes:
    """A .npy file whose header is well framed, and says anything."""
    fields = {
        "descr": draw(st.sampled_from(DESCRS)),
        "fortran_order": draw(st.sampled_from(ORDERS)),
        "shape": draw(st.sampled_from(SHAPES)),
    }
    extra = draw(st.sampled_from(["", "", "'x': 1", "'descr': '<f4'"]))
    text = ", ".join([f"'{key}': {value}" for key, value in fields.items()] + [extra])
    header = f"{{{text}}}{' ' * draw(st.integers(0, 64))}\n".encode()
    version = draw(st.sampled_from([1, 1, 1, 2, 2, 3, 9]))
    length = struct.pack("<H" if version == 1 else "<I", len(header))
    body = bytes(draw(st.sampled_from([96, 96, 24, 48, 192, 0])))
    return b"\x93NUMPY" + bytes([version, 0]) + length + header + body


@settings(derandomize=True, max_examples=200)
@given(content=headers())
def test_26_a_header_that_says_anything_is_an_array_or_a_convt_error(
    folder_of_drawn: Path, content: bytes
) -> None:
    assert_read(folder_of_drawn, "npy", content)


@settings(derandomize=True, max_examples=100)
@given(content=headers())
def test_26_a_member_whose_header_says_anything_is_an_array_or_a_convt_error(
    folder_of_drawn: Path, content: bytes
) -> None:
    assert_read(folder_of_drawn, "npz", npz(zipfile.ZIP_DEFLATED, a=content))


@pytest.mark.parametrize("suffix", ["npy", "csv"])
def test_26_an_array_with_bytes_changed_gets_a_documented_status(
    folder_of_drawn: Path, suffix: str
) -> None:
    spec, path = folder_of_drawn / "net.yaml", folder_of_drawn / f"y.{suffix}"
    spec.write_text(GUIDE, encoding="utf-8")
    arguments = ["apply", str(spec), str(path), "-o", str(folder_of_drawn / "x.npy"), "--force"]
    wholes = {"npy": [npy(np.ones((1, 2, 2)))], "csv": [b"1,2\n3,4\n"]}

    @settings(derandomize=True, max_examples=30)
    @given(content=mutated(wholes[suffix], TOKENS))
    def check(content: bytes) -> None:
        path.write_bytes(content)
        assert main.run(arguments) in (0, 2)

    check()


def test_26_a_picture_claims_no_more_pixels_than_its_bytes_can_hold(
    folder_of_drawn: Path,
) -> None:
    """86 bytes that claim 150 million pixels would be a minute's work, and all of them black."""
    path = folder_of_drawn / "x.png"
    whole = png()
    header = struct.pack(">2I5B", 9, 2**24 + 7, 1, 0, 0, 0, 0)
    ihdr = b"IHDR" + header + struct.pack(">I", zlib.crc32(b"IHDR" + header))
    path.write_bytes(whole[:12] + ihdr + whole[12 + len(ihdr) :])
    with pytest.raises(ArrayError) as caught:
        read_picture(str(path), (1, 4, 4))
    assert caught.value.code == "E303"
    assert "too few for 9 by 16,777,223 pixels" in str(caught.value)
