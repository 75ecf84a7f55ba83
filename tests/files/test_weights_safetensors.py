"""Weights in .safetensors files, read without the library; where it is installed, held to it."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from convt_cli.errors import ArrayError, ConvtError, FileError
from convt_cli.files.safetensors import read_safetensors

W = np.arange(6, dtype="<f4").reshape(2, 3)
B = np.arange(4, dtype="<i8")
GOOD: dict[str, Any] = {
    "__metadata__": {"format": "pt"},
    "b": {"dtype": "I64", "shape": [4], "data_offsets": [24, 56]},
    "w": {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]},
}
DATA = W.tobytes() + B.tobytes()


def file_of(header: Any, data: bytes = DATA) -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


def entry(dtype: str, shape: Any, begin: Any, end: Any) -> dict[str, Any]:
    return {"w": {"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}}


@pytest.fixture
def path(folder: Path) -> Path:
    found = folder / "w.safetensors"
    found.write_bytes(file_of(GOOD))
    return found


def refused(path: Path, content: bytes, key: str = "w") -> ConvtError:
    path.write_bytes(content)
    with pytest.raises(ConvtError) as caught:
        read_safetensors(path.name, key)
    return caught.value


class TestRead:
    @pytest.mark.parametrize(("key", "expected"), [("w", W), ("b", B)])
    def test_an_array_by_its_name(self, path: Path, key: str, expected: Any) -> None:
        found = read_safetensors(path.name, key)
        assert found.dtype == expected.dtype
        np.testing.assert_array_equal(found, expected)

    def test_the_only_one_needs_no_name(self, path: Path) -> None:
        path.write_bytes(file_of(entry("F32", [2, 3], 0, 24), W.tobytes()))
        np.testing.assert_array_equal(read_safetensors(path.name, ""), W)

    @pytest.mark.parametrize("size", [0, 1])
    def test_small_ones(self, path: Path, size: int) -> None:
        path.write_bytes(file_of(entry("F64", [size, 3], 0, 24 * size), b"\0" * 24 * size))
        assert read_safetensors(path.name, "w").shape == (size, 3)

    def test_bfloat16_is_widened(self, path: Path) -> None:
        bits = (W.view("<u4") >> 16).astype("<u2")
        path.write_bytes(file_of(entry("BF16", [2, 3], 0, 12), bits.tobytes()))
        found = read_safetensors(path.name, "w")
        assert found.dtype == np.float32
        np.testing.assert_array_equal(found, W)

    @pytest.mark.parametrize(
        "dtype",
        [
            *("float16", "float32", "float64", "int8", "int16", "int32", "int64"),
            *("uint8", "uint16", "uint32", "uint64"),
        ],
    )
    def test_what_the_library_writes(self, path: Path, dtype: str) -> None:
        library = pytest.importorskip("safetensors.numpy")
        array = np.arange(24).reshape(2, 3, 4).astype(dtype)
        library.save_file({"a": array, "c": array[:1].copy()}, path)
        found = read_safetensors(path.name, "a")
        assert found.dtype == np.dtype(dtype)
        np.testing.assert_array_equal(found, array)


class TestRefused:
    def test_more_behind_the_arrays(self, path: Path) -> None:
        assert refused(path, file_of(GOOD) + b"\0").code == "E303"

    @pytest.mark.parametrize("length", [2**31, 2**63, 2**64 - 1])
    def test_a_header_that_claims_to_be_long(self, path: Path, length: int) -> None:
        assert refused(path, struct.pack("<Q", length) + b"{}").code == "E303"

    @pytest.mark.parametrize(
        "header",
        [
            pytest.param(b"[]", id="list"),
            pytest.param(b'{"w": ', id="broken"),
            pytest.param(b"[" * 100_000, id="nested"),
            pytest.param(b'{"w": {}, "w": {}}', id="name twice"),
            pytest.param(b"\xff\xfe", id="no text"),
            pytest.param({"w": []}, id="no entry"),
            pytest.param({"w": {"dtype": "F32", "shape": [2, 3]}}, id="no offsets"),
            pytest.param(entry("F32", [2, 3], 0, 56), id="too many bytes"),
            pytest.param(entry("F32", [2**40, 2**40], 0, 56), id="huge"),
            pytest.param(entry("F32", [14.0], 0, 56), id="float"),
            pytest.param(entry("F32", [True, 14], 0, 56), id="true"),
            pytest.param(entry("F32", [-14, -1], 0, 56), id="negative"),
            pytest.param(entry("F32", "14", 0, 56), id="text"),
            pytest.param(entry("F32", [14], 56, 0), id="backwards"),
            pytest.param(entry("F32", [14], 8, 64), id="shifted"),
            pytest.param(entry("F32", [14], 0, "56"), id="offset in text"),
            pytest.param(
                {**GOOD, "b": {"dtype": "I64", "shape": [4], "data_offsets": [16, 48]}},
                id="overlap",
            ),
        ],
    )
    def test_a_header_that_is_not_true(self, path: Path, header: Any) -> None:
        assert refused(path, file_of(header)).code == "E303"

    @pytest.mark.parametrize(
        "dtype", ["F8_E4M3", "F8_E5M2", "F8_E8M0", "F6_E2M3", "F6_E3M2", "F4", "F128"]
    )
    def test_a_dtype_that_numpy_has_not(self, path: Path, dtype: str) -> None:
        error = refused(path, file_of(entry(dtype, [56], 0, 56)))
        assert isinstance(error, ArrayError)
        assert (error.code, error.value) == ("E302", f"got {dtype}")
        assert "a dtype that NumPy has" in error.message
        assert "F32" in error.help

    @pytest.mark.parametrize("key", ["v", ""])
    def test_an_array_that_is_not_there(self, path: Path, key: str) -> None:
        error = refused(path, file_of(GOOD), key)
        assert isinstance(error, FileError)
        assert (error.code, error.value) == ("E401", "its arrays are b, w")
