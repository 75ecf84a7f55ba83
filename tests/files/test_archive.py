"""Arrays that are made while they are written: the bytes of arrays that are there already."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from convt_cli.files.archive import Pieces, write_npy, write_npz
from convt_cli.operators.dtypes import Array

ARRAY = np.arange(1000) * 7 % 31


def pieces(array: Array, length: int) -> Pieces:
    parts = [array[start : start + length] for start in range(0, len(array), length)]
    return Pieces(size=len(array), dtype=array.dtype, parts=[parts[0][:0], *parts])


@pytest.mark.parametrize("dtype", ["int8", "int64", "float32", "longdouble", "complex128"])
@pytest.mark.parametrize("length", [1, 7, 1000])
def test_npy_has_the_bytes_of_the_array(dtype: str, length: int) -> None:
    whole, parts = io.BytesIO(), io.BytesIO()
    array = ARRAY.astype(dtype)  # one copy: nobody sets the idle bytes of a longdouble
    write_npy(whole, array)
    write_npy(parts, pieces(array, length))
    assert parts.getvalue() == whole.getvalue()


@pytest.mark.parametrize("compress", [False, True])
@pytest.mark.parametrize("length", [1, 7, 1000])
def test_npz_has_the_bytes_of_the_arrays(length: int, compress: bool) -> None:
    whole, parts = io.BytesIO(), io.BytesIO()
    write_npz(whole, {"a": ARRAY, "b": np.array(1)}, compress=compress)
    write_npz(parts, {"a": pieces(ARRAY, length), "b": np.array(1)}, compress=compress)
    assert parts.getvalue() == whole.getvalue()


@pytest.mark.parametrize("reason", [KeyboardInterrupt, SystemExit, OSError])
@pytest.mark.parametrize("compress", [False, True])
def test_what_ends_the_writing_of_a_member_is_raised_as_it_is(
    monkeypatch: pytest.MonkeyPatch, compress: bool, reason: type[BaseException]
) -> None:
    """Also for a failure just after the member was begun, before anything could close it."""

    def interrupted(*_: Any) -> None:
        raise reason

    monkeypatch.setattr(zipfile, "_ZipWriteFile", interrupted)
    with pytest.raises(reason):
        write_npz(io.BytesIO(), {"a": ARRAY}, compress=compress)


def test_what_ends_the_making_of_a_part_is_raised_as_it_is() -> None:
    def broken() -> Iterator[Array]:
        yield ARRAY[:10]
        raise KeyboardInterrupt

    parts = Pieces(size=len(ARRAY), dtype=ARRAY.dtype, parts=broken())
    with pytest.raises(KeyboardInterrupt):
        write_npz(io.BytesIO(), {"a": parts})
