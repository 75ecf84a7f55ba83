"""Arrays as .npy, in a file or within another: header and numbers.

A header is only believed after it has been compared with the length of the file, and memory is
only taken after that.  Object arrays are refused: nothing is ever unpickled.
"""

from __future__ import annotations

import io
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from math import prod
from typing import Any, BinaryIO

import numpy as np
from numpy.lib import format as npy

from convt_cli.errors import ArrayError, shown
from convt_cli.files.damage import damaged, reporting_damage
from convt_cli.io import memory
from convt_cli.io.reading import open_regular
from convt_cli.io.stand_ins import telling_stand_ins
from convt_cli.operators.dtypes import Array

_CHUNK = 64 * 2**20  # bytes that one read asks for
_MOST_HEADER = 10_000
"""The longest header, in bytes; NumPy has the same limit, but reads all of the header first."""
_MOST_AXES = 32
"""The most axes an array can have in every NumPy from 1.26 on; 2.0 and newer have up to 64."""
_HEADERS = {
    (1, 0): npy.read_array_header_1_0,
    (2, 0): npy.read_array_header_2_0,
    (3, 0): npy.read_array_header_2_0,  # differs from 2.0 in the names of fields alone
}
"""NumPy's reader of a .npy header, by the version of the format."""


BFLOAT16 = np.dtype("V2")
"""What a .npy file says of bfloat16 numbers, which NumPy does not have."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """What the header of a .npy file says; `length` is how many bytes the header takes."""

    shape: tuple[int, ...]
    fortran: bool
    dtype: np.dtype[Any]
    length: int

    @property
    def size(self) -> int:
        """The bytes that the numbers behind the header take."""
        return prod(self.shape) * self.dtype.itemsize


@contextmanager
def opened_npy(path: str) -> Iterator[tuple[BinaryIO, Header]]:
    """The .npy file `path` and its header, which agrees with the file's length.

    Raises FileError (E401), ArrayError (E302, E303).
    """
    with open_regular(path) as file:
        with telling_stand_ins(path), reporting_damage(path):
            header = _checked_header(file, shown(path), os.fstat(file.fileno()).st_size)
        require_numpy_dtype(header.dtype, shown(path))
        yield file, header


def header_bytes(shape: tuple[int, ...], dtype: np.dtype[Any]) -> bytes:
    """The header of a .npy file of a row-major array, as it is written."""
    stream = io.BytesIO()
    described = {"descr": npy.dtype_to_descr(dtype), "fortran_order": False, "shape": shape}
    npy.write_array_header_1_0(stream, described)
    return stream.getvalue()


def row_major(array: Array) -> Array:
    """`array`, copied if it is in Fortran order, which NumPy would otherwise keep in the file."""
    return array.copy(order="C") if array.flags.fnc else array


def require_numpy_dtype(dtype: np.dtype[Any], name: str) -> None:
    """Raise ArrayError (E302) for bfloat16 numbers."""
    if dtype == BFLOAT16:
        raise _no_numbers(dtype, name)


def read_npy(file: Any, name: str, length: int | None) -> Array:
    """One .npy array; `length` is that of the whole file with its header, None for a stream.

    bfloat16 numbers come as `BFLOAT16`.
    """
    with reporting_damage(name):
        header = _checked_header(file, name, length)
        shape = header.shape
        memory.require(header.size, f"the array in {name}", help="use a machine with more memory")
        flat = read_exactly(file, name, prod(shape), header.dtype)
        if length is not None and file.read(1):  # zipfile compares the checksum at the end
            raise damaged(name, "there is more behind the array")
        return flat.reshape(shape[::-1]).T if header.fortran else flat.reshape(shape)


def _checked_header(file: Any, name: str, length: int | None) -> Header:
    """The header of a .npy file, which must fit the file's `length` in bytes if that is known."""
    header = _read_header(file, name)
    promised = header.length + header.size
    if length is not None and promised != length:
        raise damaged(name, f"the header promises {promised} bytes, there are {length}")
    return header


def _read_header(file: Any, name: str) -> Header:
    """The header at the beginning of a .npy file.  Raises ArrayError (E301, E302, E303)."""
    counted = _Counted(file)
    version = npy.read_magic(counted)  # type: ignore[arg-type]  # `read` is all it needs
    read = _HEADERS.get(version)
    if read is None:
        raise damaged(name, f"format version {version} is not that of an array of numbers")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            shape, fortran, dtype = read(counted)  # type: ignore[arg-type]  # as above
        except MemoryError:  # raised by Python's parser for deep nesting
            raise damaged(name, "its header is nested too deeply") from None
    if dtype.hasobject or (dtype.kind not in "biufc" and dtype != BFLOAT16):
        raise _no_numbers(dtype, name)
    if any(size < 0 for size in shape):
        raise damaged(name, f"the header gives the shape {shape}")
    if len(shape) > _MOST_AXES:
        raise ArrayError(
            "E301",
            f"the array in {name} must have at most {_MOST_AXES} axes",
            value=f"got {len(shape)}",
            help="reshape it to (channels, *spatial)",
        )
    return Header(
        shape=tuple(int(size) for size in shape),
        fortran=bool(fortran),
        dtype=dtype,
        length=counted.count,
    )


def _no_numbers(dtype: np.dtype[Any], name: str) -> ArrayError:
    return ArrayError(
        "E302",
        f"the array in {name} must hold numbers",
        value=f"got dtype {dtype}",
        help="save it as integers, floats or complex numbers",
    )


class _Counted:
    """A file that counts the bytes of a header as they are read, and refuses a long header."""

    def __init__(self, file: Any) -> None:
        self._file = file
        self.count = 0

    def read(self, size: int) -> bytes:
        if size > _MOST_HEADER:
            raise ValueError(f"its header claims to be {size} bytes long")
        data: bytes = self._file.read(size)
        self.count += len(data)
        return data


def read_exactly(file: Any, name: str, count: int, dtype: np.dtype[Any]) -> Array:
    """The next `count` numbers of a file.  Raises ArrayError (E303) if it ends before."""
    flat = np.empty(count, dtype)
    target = flat.view(np.uint8)
    done = 0
    while done < len(target):
        data = file.read(min(_CHUNK, len(target) - done))
        if not data:
            raise damaged(name, f"it ends after {done} of {len(target)} bytes of numbers")
        target[done : done + len(data)] = np.frombuffer(data, np.uint8)
        done += len(data)
    return flat
