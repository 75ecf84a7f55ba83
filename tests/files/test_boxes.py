"""Boxes of .npy files: whatever is read or written by parts is what NumPy has in its place.

Reads and writes are as few as the box allows, go on where the system did a part only, and end in
an error, not in a signal, where the file is no longer what its header said.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from convt_cli.errors import ConvtError, FileError
from convt_cli.files import boxes
from convt_cli.files.arrays import write_array
from convt_cli.files.boxes import Box, BoxReader, BoxWriter, StoredShape, runs, without_small_gaps
from convt_cli.files.npy import opened_npy

Array = NDArray[Any]

DTYPES = ["int8", "uint16", "float16", "float32", "float64", "complex64"]
ORDERS = [(0, 1, 2), (0, 2, 1), (2, 1, 0), (1, 2, 0)]
SHAPE = (3, 4, 5)
BOX = (slice(1, 3), slice(0, 4), slice(2, 4))
WHOLE = tuple(slice(0, size) for size in SHAPE)


@st.composite
def boxed(draw: st.DrawFn) -> tuple[tuple[int, ...], Box]:
    """A shape and a box of it."""
    shape = tuple(draw(st.lists(st.integers(1, 5), min_size=1, max_size=4)))
    box = []
    for size in shape:
        start = draw(st.integers(0, size - 1))
        box.append(slice(start, draw(st.integers(start + 1, size))))
    return shape, tuple(box)


def numbered(dtype: str = "float64") -> Array:
    return (np.arange(60) * 1.5 + 1).reshape(SHAPE).astype(dtype)


@contextmanager
def reader(path: Path, array: Array, order: tuple[int, ...] = (0, 1, 2)) -> Iterator[BoxReader]:
    """A reader of `array`, saved with its axes in an order."""
    np.save(path, array.transpose(order).copy(order="C"))
    with opened_npy(str(path)) as (file, header):
        yield BoxReader(file, str(path), header, StoredShape(shape=array.shape, order=order))


@contextmanager
def counted(patch: pytest.MonkeyPatch, name: str) -> Iterator[list[int]]:
    """The results of every call of os.NAME in the block."""
    calls: list[int] = []
    real = getattr(os, name)

    def call(*arguments: Any) -> int:
        calls.append(real(*arguments))
        return calls[-1]

    with patch.context() as inner:
        inner.setattr(boxes.os, name, call)  # type: ignore[attr-defined]
        yield calls


class TestRuns:
    @given(drawn=boxed())
    def test_are_the_elements_of_the_box_in_their_order(
        self, drawn: tuple[tuple[int, ...], Box]
    ) -> None:
        shape, box = drawn
        starts, length = runs(shape, box)
        found = [start + place for start in starts for place in range(length)]
        assert found == np.arange(np.prod(shape)).reshape(shape)[box].ravel().tolist()

    @pytest.mark.parametrize(
        ("box", "expected"),
        [
            (WHOLE, ([0], 60)),
            ((slice(1, 2), *WHOLE[1:]), ([20], 20)),
            ((slice(0, 2), slice(1, 3), WHOLE[2]), ([5, 25], 10)),
            ((slice(1, 2), slice(1, 3), slice(2, 4)), ([27, 32], 2)),
        ],
    )
    def test_go_on_over_trailing_axes_that_are_whole(
        self, box: Box, expected: tuple[list[int], int]
    ) -> None:
        assert runs(SHAPE, box) == expected


class TestGaps:
    @given(drawn=boxed(), most=st.integers(0, 30))
    def test_the_box_is_within_and_not_much_is_added(
        self, drawn: tuple[tuple[int, ...], Box], most: int
    ) -> None:
        shape, box = drawn
        wider = without_small_gaps(shape, box, most)
        sizes = [(part.stop - part.start, w.stop - w.start) for part, w in zip(box, wider)]
        assert all(w.start <= part.start <= part.stop <= w.stop for part, w in zip(box, wider))
        assert all(after <= 2 * before for before, after in sizes)
        assert len(runs(shape, wider)[0]) <= len(runs(shape, box)[0])

    @pytest.mark.parametrize(
        ("inner", "most", "expected"),
        [
            (slice(0, 4), 1, slice(0, 5)),
            (slice(1, 5), 0, slice(1, 5)),
            (slice(1, 4), 2, slice(0, 5)),
            (slice(2, 4), 9, slice(2, 4)),
        ],
        ids=str,
    )
    def test_are_read_where_they_are_short(self, inner: slice, most: int, expected: slice) -> None:
        assert without_small_gaps((9, 5), (slice(0, 9), inner), most)[1] == expected


class TestReading:
    @pytest.mark.parametrize("dtype", [*DTYPES, "longdouble", ">i2", ">f4", ">c16"])
    @pytest.mark.parametrize("order", ORDERS, ids=str)
    @pytest.mark.parametrize("gap", [0, 4096])
    def test_a_box_is_numpy_s(
        self,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
        *,
        dtype: str,
        order: tuple[int, ...],
        gap: int,
    ) -> None:
        monkeypatch.setattr(boxes, "_GAP", gap)
        with reader(tmp_path / "x.npy", numbered(dtype), order) as source:
            part = source.read(BOX)
        np.testing.assert_array_equal(part, numbered(dtype)[BOX])
        assert part.dtype == np.dtype(dtype).newbyteorder("=")
        assert part.dtype.isnative

    def test_all_of_it_is_one_read(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        with (
            reader(tmp_path / "x.npy", numbered()) as source,
            counted(monkeypatch, "preadv") as calls,
        ):
            source.read(WHOLE)
        assert calls == [60 * 8]

    def test_a_read_of_a_part_is_continued(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        real = os.preadv
        monkeypatch.setattr(os, "preadv", lambda fd, into, at: real(fd, [into[0][:7]], at))
        with reader(tmp_path / "x.npy", numbered()) as source:
            np.testing.assert_array_equal(source.read(BOX), numbered()[BOX])

    @pytest.mark.parametrize("order", ORDERS, ids=str)
    def test_the_pieces_are_all_the_numbers(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, order: tuple[int, ...]
    ) -> None:
        monkeypatch.setattr(boxes, "_PIECE", 7 * 8)
        with reader(tmp_path / "x.npy", numbered(), order) as source:
            pieces = list(source.pieces())
            assert source.size == 60
        assert [len(piece) for piece in pieces] == [7] * 8 + [4]
        assert sorted(np.concatenate(pieces)) == numbered().ravel().tolist()

    @pytest.mark.parametrize("kept", [0, 100, 128, 128 + 8, 128 + 59 * 8 + 7])
    def test_a_file_that_became_shorter_is_an_error(self, tmp_path: Path, kept: int) -> None:
        def assert_not_read() -> None:
            with reader(tmp_path / "x.npy", numbered()) as source:
                os.truncate(tmp_path / "x.npy", kept)
                for read in (lambda: source.read(WHOLE), lambda: list(source.pieces())):
                    with pytest.raises(ConvtError) as caught:
                        read()
                    assert caught.value.code == "E303"

        with pytest.raises(FileError, match="was changed meanwhile"):
            assert_not_read()

    def test_what_cannot_be_read_is_one_too(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(os, "preadv", _raising(errno.EIO))
        with (
            reader(tmp_path / "x.npy", numbered()) as source,
            pytest.raises(ConvtError) as caught,
        ):
            source.read(BOX)
        assert caught.value.code == "E401"


def _raising(number: int) -> Callable[..., int]:
    def call(*_: object) -> int:
        raise OSError(number, os.strerror(number))

    return call


def write_in_boxes(path: Path, array: Array, order: tuple[int, ...] = (0, 1, 2)) -> None:
    """Write an array by eight boxes, the last first."""
    shape = tuple(array.shape[axis] for axis in order)
    halves = [(slice(0, size // 2), slice(size // 2, size)) for size in array.shape]
    with path.open("wb") as file:
        writer = BoxWriter(file, shape, array.dtype, StoredShape(shape=array.shape, order=order))
        for numbers in reversed(list(np.ndindex(2, 2, 2))):
            box = tuple(pair[number] for pair, number in zip(halves, numbers, strict=True))
            writer.write(box, array[box])


class TestWriting:
    @pytest.mark.parametrize("dtype", DTYPES)
    @pytest.mark.parametrize("order", ORDERS, ids=str)
    def test_the_file_is_what_is_written_of_the_whole_array(
        self, tmp_path: Path, dtype: str, order: tuple[int, ...]
    ) -> None:
        write_in_boxes(tmp_path / "x.npy", numbered(dtype), order)
        write_array(f"{tmp_path}/y.npy", numbered(dtype).transpose(order), force=False)
        assert (tmp_path / "x.npy").read_bytes() == (tmp_path / "y.npy").read_bytes()

    def test_a_write_of_a_part_is_continued(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        real = os.pwrite
        monkeypatch.setattr(os, "pwrite", lambda fd, data, at: real(fd, data[:7], at))
        write_in_boxes(tmp_path / "x.npy", numbered())
        np.testing.assert_array_equal(np.load(tmp_path / "x.npy"), numbered())

    def test_all_of_it_is_one_write(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        with (tmp_path / "x.npy").open("wb") as file:
            stored = StoredShape(shape=SHAPE, order=(0, 1, 2))
            writer = BoxWriter(file, SHAPE, np.dtype(float), stored)
            with counted(monkeypatch, "pwrite") as calls:
                writer.write(WHOLE, numbered())
        assert calls == [60 * 8]

    def test_the_room_is_asked_for_first(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(os, "posix_fallocate", _raising(errno.ENOSPC), raising=False)
        monkeypatch.setattr(os, "pwrite", _raising(errno.EIO))
        with pytest.raises(OSError, match="No space left"):
            write_in_boxes(tmp_path / "x.npy", numbered())

    @pytest.mark.parametrize("number", [errno.EOPNOTSUPP, errno.EINVAL, errno.ENOSYS])
    def test_a_file_system_that_cannot_promise_it_is_written_all_the_same(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
    ) -> None:
        monkeypatch.setattr(os, "posix_fallocate", _raising(number), raising=False)
        write_in_boxes(tmp_path / "x.npy", numbered())
        np.testing.assert_array_equal(np.load(tmp_path / "x.npy"), numbered())
