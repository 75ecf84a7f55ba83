"""Single bytes changed: every byte of a header, of an archive's own headers and of its directory.

What comes of it is an array no larger than its file, or one of convt's own errors; and nothing
of a size that a header claims is allocated before the file has been seen to hold it.
"""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from convt_cli.files.arrays import read_array
from convt_cli.files.images import read_image
from convt_cli.files.npy import opened_npy
from convt_cli.files.safetensors import read_safetensors
from convt_cli.io import memory
from tests.conftest import GUIDE, Run, Shell, WriteSpec
from tests.files.samples import (
    ARRAYS,
    code_of,
    header_of,
    npy_bytes,
    npz_bytes,
    onnx_weights,
    outcome_of,
    picture_bytes,
    safetensors_bytes,
    with_header,
)

ARRAY_OUTCOMES = {"array", "E302", "E303", "E401"}
LITTLE = 2**21
"""More than reading any of these small files takes, and far less than what a header can claim."""


@pytest.fixture(autouse=True)
def _small_requests_are_not_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """To look up the memory there is would take most of the time of thousands of tiny files."""
    monkeypatch.setattr(memory, "NEGLIGIBLE", 2**20)


@contextmanager
def little_memory() -> Iterator[None]:
    """The block never holds more than a little."""
    tracemalloc.start()
    try:
        yield
        assert tracemalloc.get_traced_memory()[1] < LITTLE
    finally:
        tracemalloc.stop()


def with_byte(content: bytes, place: int, byte: int) -> bytes:
    return content[:place] + bytes([byte]) + content[place + 1 :]


def with_one_bit(content: bytes, end: int | None = None) -> Iterator[bytes]:
    """`content` with one bit of every byte up to `end` flipped, one byte after the other."""
    for place, byte in enumerate(content[:end]):
        yield with_byte(content, place, byte ^ 1 << place % 8)


def with_any_bit(content: bytes, end: int | None = None) -> Iterator[bytes]:
    """`content` with every single bit of its bytes up to `end` flipped, one after the other."""
    for place, byte in enumerate(content[:end]):
        for bit in range(8):
            yield with_byte(content, place, byte ^ 1 << bit)


def with_any_byte(content: bytes, end: int | None = None) -> Iterator[bytes]:
    """`content` with every byte up to `end` changed into each of the 255 others."""
    for place, byte in enumerate(content[:end]):
        for other in range(256):
            if other != byte:
                yield with_byte(content, place, other)


def header_end(name: str) -> int:
    """Where the numbers of a .npy begin; archives have headers at their end as well."""
    return -48 if name.startswith("x.npy") else len(ARRAYS[name])


def assert_array_or_error(name: str, content: bytes) -> str:
    """What reading comes to; an array is no larger than the one that was written."""
    outcome = outcome_of(content, name)
    assert outcome in ARRAY_OUTCOMES, (outcome, content)
    if outcome == "array":
        assert read_array(name).nbytes <= 48
    return outcome


@pytest.mark.usefixtures("folder")
class TestArrays:
    @pytest.mark.parametrize("name", ARRAYS)
    def test_08_a_bit_of_every_byte_of_a_header_is_an_array_or_an_error(self, name: str) -> None:
        file = name.partition(",")[0]
        with little_memory():
            for content in with_one_bit(ARRAYS[name], header_end(name)):
                assert_array_or_error(file, content)

    @pytest.mark.slow
    def test_08_every_bit_of_a_header_is_an_array_or_an_error(self) -> None:
        contents = with_any_bit(ARRAYS["x.npy, version 1, C order"], header_end("x.npy"))
        outcomes = [assert_array_or_error("x.npy", content) for content in contents]
        assert len(outcomes) == 8 * 128
        assert set(outcomes) == {"array", "E302", "E303"}

    @pytest.mark.slow
    @pytest.mark.parametrize("name", ["x.npz#a, stored", "x.npz#b, by savez_compressed"])
    def test_08_every_bit_of_an_archive_is_one(self, name: str) -> None:
        file = name.partition(",")[0]
        for content in with_any_bit(ARRAYS[name], header_end(name)):
            assert_array_or_error(file, content)

    @pytest.mark.slow
    def test_08_every_value_of_every_byte_before_a_header_s_text_is_one(self) -> None:
        for content in with_any_byte(ARRAYS["x.npy, version 1, C order"], 12):
            assert_array_or_error("x.npy", content)

    @pytest.mark.parametrize("version", [1, 2, 3])
    def test_08_what_is_applied_by_tiles_is_held_against_its_length(self, version: int) -> None:
        """The header is read alone there, long before the numbers."""
        for content in with_one_bit(ARRAYS[f"x.npy, version {version}, Fortran order"], -48):
            Path("x.npy").write_bytes(content)
            assert code_of(header_of_tiles) in {"read", "E302", "E303"}

    @pytest.mark.parametrize("source", ["x.npy", "-", "x.npz"])
    def test_08_a_command_on_a_flipped_header_ends_with_0_or_2(
        self, run: Run, spec: WriteSpec, source: str
    ) -> None:
        path, whole = spec(GUIDE), npy_bytes(np.arange(4.0).reshape(1, 2, 2))
        content = npz_bytes({"a.npy": whole}) if source == "x.npz" else whole
        statuses = set()
        for place, byte in enumerate(content if source == "x.npz" else content[:128]):
            one = with_byte(content, place, byte ^ 1 << place % 8)
            Path("x" + source[1:] if source != "-" else "stream").write_bytes(one)
            stdin = one if source == "-" else b""
            outcome = run("apply", path, source, "-o", "out.npy", stdin=stdin)
            statuses.add(outcome.status)
            assert len(outcome.codes) == (outcome.status == 2), outcome.err
            assert Path("out.npy").exists() == (outcome.status == 0)
            Path("out.npy").unlink(missing_ok=True)
        assert statuses == {0, 2}

    @pytest.mark.slow
    @pytest.mark.parametrize("place", [0, 6, 8, 9, 10, 22, 23, 24, 44, 60, 61, 69, 127])
    def test_08_a_process_on_a_flipped_header_ends_with_0_or_2(
        self, shell: Shell, spec: WriteSpec, place: int
    ) -> None:
        content = npy_bytes(np.arange(4.0).reshape(1, 2, 2))
        Path("x.npy").write_bytes(with_byte(content, place, content[place] ^ 4))
        outcome = shell("apply", spec(GUIDE), "x.npy", "-o", "out.npy")
        assert outcome.status in (0, 2)
        assert len(outcome.codes) == (outcome.status == 2), outcome.err


def header_of_tiles() -> None:
    with opened_npy("x.npy"):
        pass


@pytest.mark.usefixtures("folder")
class TestClaims:
    """Sizes that are nowhere."""

    @pytest.mark.parametrize("count", [7, 10**6, 10**9, 10**15, 2**61, 2**64 - 1, 10**4000])
    @pytest.mark.parametrize("name", ["x.npy", "x.npz"])
    def test_08_numbers_that_are_not_there_are_refused_before_they_are_allocated(
        self, name: str, count: int
    ) -> None:
        content = with_header(header_of(f"({count},)"), bytes(48))
        with little_memory():
            whole = content if name == "x.npy" else npz_bytes({"a.npy": content})
            assert outcome_of(whole, name) == "E303"

    @pytest.mark.parametrize("length", [10_001, 2**20, 2**31 - 1, 2**32 - 1])
    @pytest.mark.parametrize("version", [2, 3])
    @pytest.mark.parametrize("name", ["x.npy", "x.npz"])
    def test_08_a_header_that_is_not_there_is_refused_before_it_is_allocated(
        self, name: str, version: int, length: int
    ) -> None:
        content = b"\x93NUMPY" + bytes([version, 0]) + length.to_bytes(4, "little") + b"{}"
        with little_memory():
            whole = content if name == "x.npy" else npz_bytes({"a.npy": content})
            assert outcome_of(whole, name) == "E303"

    @pytest.mark.parametrize("length", [2**32 - 1, 10_001])
    def test_08_a_stream_is_not_read_for_a_header_without_end(
        self, run: Run, spec: WriteSpec, length: int
    ) -> None:
        stdin = b"\x93NUMPY\2\0" + length.to_bytes(4, "little") + b" " * 2**22
        outcome = run("apply", spec(GUIDE), "-", "-o", "out.npy", stdin=stdin)
        assert (outcome.status, outcome.codes) == (2, ["E303"])
        assert f"claims to be {length} bytes long" in outcome.err

    @pytest.mark.parametrize("count", [10**15, 2**61 - 1])
    def test_08_numbers_of_a_stream_are_held_against_the_memory_there_is(
        self, run: Run, spec: WriteSpec, count: int
    ) -> None:
        stdin = with_header(header_of(f"({count},)"))
        outcome = run("apply", spec(GUIDE), "-", "-o", "out.npy", stdin=stdin)
        assert (outcome.status, outcome.codes) == (2, ["E501"])

    @pytest.mark.parametrize("place", [12, 16, 20, 24, 28, 30, 32, 42])
    @pytest.mark.parametrize("value", [0, 1, 0xFFFE, 0xFFFF, 2**31, 2**32 - 1])
    def test_08_sizes_and_offsets_of_an_archive_s_directory_are_not_believed(
        self, place: int, value: int
    ) -> None:
        content = bytearray(npz_bytes({"a.npy": ARRAYS["x.npy, version 1, C order"]}))
        entry = content.rindex(b"PK\x01\x02") + place
        width = 2 if place in (12, 28, 30, 32) else 4
        content[entry : entry + width] = (value % 256**width).to_bytes(width, "little")
        with little_memory():
            assert outcome_of(bytes(content), "x.npz") in ARRAY_OUTCOMES

    @pytest.mark.parametrize("place", [4, 8, 10, 12, 16, 20])
    @pytest.mark.parametrize("value", [0, 1, 0xFFFE, 0xFFFF, 2**31, 2**32 - 1])
    def test_08_sizes_and_offsets_of_an_archive_s_end_are_not_believed(
        self, place: int, value: int
    ) -> None:
        content = bytearray(npz_bytes({"a.npy": ARRAYS["x.npy, version 1, C order"]}))
        end = content.rindex(b"PK\x05\x06") + place
        width = 4 if place in (12, 16) else 2
        content[end : end + width] = (value % 256**width).to_bytes(width, "little")
        with little_memory():
            assert outcome_of(bytes(content), "x.npz") in ARRAY_OUTCOMES


@pytest.mark.usefixtures("folder")
class TestOtherFormats:
    def assert_codes(
        self, name: str, contents: Iterator[bytes], read: Callable[[], object], codes: set[str]
    ) -> None:
        found = set()
        for content in contents:
            Path(name).write_bytes(content)
            found.add(code_of(read))
        assert {"read", *codes} >= found > {"read"}

    def test_08_a_bit_of_every_byte_of_safetensors_is_an_array_or_an_error(self) -> None:
        self.assert_codes(
            "w.safetensors",
            with_one_bit(safetensors_bytes(), -56),
            lambda: read_safetensors("w.safetensors", "w"),
            {"E302", "E303", "E401"},
        )

    @pytest.mark.parametrize(
        "changed", [with_one_bit, pytest.param(with_any_bit, marks=pytest.mark.slow)]
    )
    def test_08_a_bit_of_every_byte_of_a_model_is_a_weight_or_an_error(
        self, changed: Callable[[bytes], Iterator[bytes]]
    ) -> None:
        onnx = pytest.importorskip("onnx")
        weight = onnx.numpy_helper.from_array(np.arange(9.0).reshape(1, 1, 3, 3), "w")
        node = onnx.helper.make_node("Transpose", ["w"], ["v"], perm=[0, 1, 3, 2])
        graph = onnx.helper.make_graph([node], "g", [], [], [weight])
        content: bytes = onnx.helper.make_model(graph).SerializeToString()
        self.assert_codes(
            "m.onnx",
            changed(content),
            lambda: onnx_weights("m.onnx").read("v"),
            {"E302", "E401", "E404", "E405", "E501"},
        )

    @pytest.mark.parametrize("picture_format", ["PNG", "JPEG"])
    def test_08_every_byte_of_a_picture_is_one_or_an_error(self, picture_format: str) -> None:
        pixels = np.random.default_rng(0).integers(0, 256, (6, 7), np.uint8)
        content = picture_bytes(picture_format, pixels)
        name = "x.png" if picture_format == "PNG" else "x.jpg"
        self.assert_codes(
            name, with_one_bit(content), lambda: read_image(name, (1, 6, 7)), {"E303", "E501"}
        )
