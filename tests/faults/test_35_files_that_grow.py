"""Files that are small and would become large: their headers, directories, numbers and pixels.

Each is refused, or read, with no more memory than a few times its own size; what reading takes is
asked for before it is taken, and memory that runs out all the same is not called a damaged file.
"""

from __future__ import annotations

import io
import json
import struct
import tracemalloc
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from convt_cli.errors import ArrayError, ConvtError, RequestError
from convt_cli.files.arrays import read_array
from convt_cli.files.safetensors import read_safetensors
from convt_cli.io import memory
from tests.files.samples import ONE, npz_bytes

pytestmark = pytest.mark.usefixtures("folder")

FEW = 2**21
"""Bytes that reading any file may take."""


def peak_of(read: Callable[[], Any]) -> tuple[str, int]:
    """The code that reading ends with, nothing where it ends well, and the memory it took."""
    code = ""
    tracemalloc.start()
    try:
        read()
    except ConvtError as error:
        code = error.code
    finally:
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    return code, peak


def safetensors(header: bytes, data: bytes = b"") -> None:
    Path("w.safetensors").write_bytes(struct.pack("<Q", len(header)) + header + data)


def header_of(shape: bytes) -> bytes:
    return b'{"w":{"dtype":"F32","shape":[' + shape + b'],"data_offsets":[0,4]}}'


def many_names(count: int) -> bytes:
    entry = {"dtype": "F32", "shape": [0], "data_offsets": [0, 0]}
    return json.dumps({f"layer.{n}.weight": entry for n in range(count)}).encode()


GROWING = {
    "many tensors": many_names(10_000),
    "an entry of objects": b'{"w":[' + b"{}," * 300_000 + b"{}]}",
    "an object of objects": b'{"w":{"a":[' + b"{}," * 300_000 + b"{}]}}",
    "a shape of many sizes": header_of(b"1," * 400_000 + b"1"),
    "nested lists": b'{"w":' + b"[" * 1_000_000,
    "nested objects": b'{"w":' + b'{"a":' * 200_000,
    "a name that is none": b"{[" + b"[]," * 300_000,
    "notes": b'{"__metadata__":{' + b'"a":"b",' * 100_000 + b'"c":"}{"}}',
    "numbers for notes": b'{"__metadata__":{"a":[' + b"{}," * 300_000 + b"{}]}}",
    "a long name": b'{"' + b"w" * 1_000_000 + b'":{}}',
    "escapes": b'{"' + b"\\u0041" * 100_000 + b'":{}}',
    "spaces": b"{" + b" " * 1_000_000 + b"}",
}


class TestSafetensors:
    @pytest.mark.parametrize("name", GROWING)
    def test_35_a_header_takes_a_few_times_its_size(self, name: str) -> None:
        safetensors(GROWING[name])
        code, peak = peak_of(lambda: read_safetensors("w.safetensors", "v"))
        assert code in ("E303", "E401")
        assert peak < 8 * len(GROWING[name]) + FEW

    @pytest.mark.parametrize("digits", [19, 20, 4000, 4400, 10**6])
    @pytest.mark.parametrize("count", [1, 100])
    def test_35_sizes_of_many_digits_are_refused_at_once(self, digits: int, count: int) -> None:
        safetensors(header_of(b",".join([b"9" * digits] * count)), bytes(4))
        code, peak = peak_of(lambda: read_safetensors("w.safetensors", "w"))
        assert code == "E303"
        assert peak < 8 * digits * count + FEW

    @pytest.mark.parametrize("place", ["shape", "begin", "end"])
    def test_35_the_message_says_how_many_digits(self, place: str) -> None:
        entry = '{"dtype":"F32","shape":[shape],"data_offsets":[begin,end]}'
        safetensors(
            f'{{"w":{entry}}}'.replace(f"{place}", "8" * 500, 1 + (place == "shape")).encode()
        )
        with pytest.raises(ArrayError):
            read_safetensors("w.safetensors", "w")

    def test_35_the_memory_is_asked_for_before(self, monkeypatch: pytest.MonkeyPatch) -> None:
        safetensors(many_names(1000))
        monkeypatch.setattr(memory, "available", lambda: len(many_names(1000)))
        with pytest.raises(RequestError) as caught:
            read_safetensors("w.safetensors", "layer.1.weight")
        assert caught.value.code == "E501"

    def test_35_a_tensor_among_many_is_found(self) -> None:
        entries = {
            f"t{n}": {"dtype": "I64", "shape": [1], "data_offsets": [8 * n, 8 * n + 8]}
            for n in range(5000)
        }
        safetensors(
            json.dumps({"__metadata__": {'"}{"': "\\"}, **entries}, indent=1).encode() + b"  ",
            np.arange(5000).tobytes(),
        )
        assert read_safetensors("w.safetensors", "t4321").tolist() == [4321]


def directory(count: int, *, zip64: bool) -> bytes:
    """An archive of `count` empty members that share one header, as its directory says."""
    local = npz_bytes({"a.npy": ONE})
    start = local.index(b"PK\1\2")
    entry = local[start : local.index(b"PK\5\6")]
    entries = entry * count
    end = struct.pack(
        "<4s4H2LH", b"PK\5\6", 0, 0, *[min(count, 0xFFFF)] * 2, len(entries), start, 0
    )
    if zip64:
        end = struct.pack("<4s4H2LH", b"PK\5\6", *[0xFFFF] * 4, *[0xFFFFFFFF] * 2, 0)
        record = struct.pack(
            "<4sQ2H2L4Q", b"PK\6\6", 44, 45, 45, 0, 0, count, count, len(entries), start
        )
        at = start + len(entries)
        end = record + struct.pack("<4sLQL", b"PK\6\7", 0, at, 1) + end
    return local[:start] + entries + end


class TestArchives:
    @pytest.mark.parametrize("zip64", [False, True])
    def test_35_a_directory_of_very_many_entries_is_refused(self, zip64: bool) -> None:
        Path("x.npz").write_bytes(directory(200_000, zip64=zip64))
        code, peak = peak_of(lambda: read_array("x.npz#a"))
        assert code == "E303"
        assert peak < FEW

    @pytest.mark.parametrize("zip64", [False, True])
    def test_35_one_of_a_single_entry_is_read(self, zip64: bool) -> None:
        Path("x.npz").write_bytes(directory(1, zip64=zip64))
        np.testing.assert_array_equal(read_array("x.npz"), np.load(io.BytesIO(ONE)))

    def test_35_an_archive_of_many_arrays_is_read(self) -> None:
        with zipfile.ZipFile("x.npz", "w") as archive:
            for number in range(3000):
                archive.writestr(f"{number}.npy", ONE)
        code, peak = peak_of(lambda: read_array("x.npz#2999"))
        assert (code, peak < 16 * 3000 * 60 + FEW) == ("", True)

    def test_35_the_memory_for_its_directory_is_asked_for(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        Path("x.npz").write_bytes(directory(1000, zip64=False))
        monkeypatch.setattr(memory, "available", lambda: 100_000)
        with pytest.raises(RequestError, match="the directory of") as caught:
            read_array("x.npz#a")
        assert caught.value.code == "E501"


class TestText:
    @pytest.mark.parametrize(
        "content", [b"1\n" * 300_000, b"1," * 299_999 + b"1", b"1.5\n" * 150_000]
    )
    def test_35_it_takes_little_more_than_its_numbers(self, content: bytes) -> None:
        Path("x.csv").write_bytes(content)
        numbers = content.count(b"1")
        code, peak = peak_of(lambda: read_array("x.csv"))
        assert code == ""
        assert peak < 8 * numbers + 5 * FEW


class TestMemoryThatRunsOut:
    @pytest.mark.parametrize("name", ["x.npy", "x.npz", "x.csv", "x.safetensors"])
    def test_35_is_not_called_a_damaged_file(
        self, monkeypatch: pytest.MonkeyPatch, name: str
    ) -> None:
        def runs_out(*_: object, **__: object) -> None:
            raise MemoryError("Unable to allocate 8 bytes")

        Path("x.npy").write_bytes(ONE)
        Path("x.npz").write_bytes(npz_bytes({"a.npy": ONE}))
        Path("x.csv").write_bytes(b"1,2\n")
        safetensors(header_of(b"1"), bytes(4))
        Path("w.safetensors").rename("x.safetensors")
        monkeypatch.setattr(np, "empty", runs_out)
        read = read_array if name != "x.safetensors" else lambda one: read_safetensors(one, "w")
        with pytest.raises(RequestError, match="memory ran out while") as caught:
            read(name)
        assert (caught.value.code, caught.value.help[:3]) == ("E501", "use")
        assert "unable to allocate 8 bytes" in caught.value.value
