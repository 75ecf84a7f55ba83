"""Writing .npy and .npz so that the same arrays make the same bytes, to files and pipes alike.

An array need not be in memory to be written: `Pieces` is one that is made part by part while it is
written.  Also opening an .npz, after the size of its directory has been checked.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np
from numpy.lib import format as npy

from convt_cli.errors import ArrayError, shown
from convt_cli.io import memory
from convt_cli.io.writing import Sink
from convt_cli.operators.dtypes import Array

if TYPE_CHECKING:
    import zipfile

_MOST_DIRECTORY = 8 * 2**20
"""The largest directory, in bytes, that is read: 60,000 arrays with names of 80 letters."""
_MEMORY_PER_BYTE = 16
"""Bytes that zipfile takes for each byte of a directory: 700 for an entry of at least 46."""
_X87_MANTISSA = 63  # bits of the fraction of an x87 long double, by which it is recognised
_X87_BYTES = 10  # bytes of an x87 long double that hold the number; the rest is padding


@dataclass(frozen=True, slots=True, kw_only=True)
class Pieces:
    """An array of one axis with `size` elements, whose `parts` are made one after the other."""

    size: int
    dtype: np.dtype[Any]
    parts: Iterable[Array]


class _Plain:
    """A sink that has `write` and `flush` and is no real file.

    To a real file NumPy and zipfile write in other ways, whose errors on a full disk or a closed
    pipe do not say the reason; through this one a failed write raises the system's error.
    """

    def __init__(self, sink: Sink) -> None:
        self.write = sink.write
        self.flush = sink.flush


def write_npy(file: Sink, array: Array | Pieces) -> None:
    """Write `array` as .npy."""
    if isinstance(array, Pieces):
        _write_pieces(file, array)
    else:
        npy.write_array(_Plain(file), without_idle_bytes(array), allow_pickle=False)


def without_idle_bytes(array: Array) -> Array:
    """`array` with zeros in the padding bytes of long doubles, so that its bytes always repeat.

    An x87 long double has ten bytes, and six more that keep what was in memory before.
    """
    if array.dtype.char not in "gG" or np.finfo(np.longdouble).nmant != _X87_MANTISSA:
        return array
    settled = np.zeros_like(array, order="C")
    size = np.dtype(np.longdouble).itemsize
    used = slice(0, _X87_BYTES) if array.dtype.isnative else slice(size - _X87_BYTES, size)
    # (numbers, bytes of a number)
    source = np.ascontiguousarray(array).reshape(-1).view(np.uint8).reshape(-1, size)
    settled.reshape(-1).view(np.uint8).reshape(-1, size)[:, used] = source[:, used]
    return settled


def _write_pieces(file: Sink, array: Pieces) -> None:
    descr = npy.dtype_to_descr(array.dtype)
    header = {"descr": descr, "fortran_order": False, "shape": (array.size,)}
    npy.write_array_header_1_0(_Plain(file), header)
    for part in array.parts:
        settled = without_idle_bytes(part)
        file.write(settled.data)  # type: ignore[arg-type]  # a buffer does for bytes


def write_npz(
    file: BinaryIO, arrays: Mapping[str, Array | Pieces], *, compress: bool = False
) -> None:
    """Write `arrays` as the members of an .npz, all dated 1980, so that the bytes repeat."""
    import zipfile  # noqa: PLC0415  # costs time, and .npy needs none of it

    method = zipfile.ZIP_DEFLATED if compress else zipfile.ZIP_STORED
    sink = _Plain(file)
    archive = zipfile.ZipFile(sink, "w", method)  # type: ignore[call-overload]  # a sink will do
    try:
        for key, array in arrays.items():
            member = zipfile.ZipInfo(f"{key}.npy")
            member.compress_type = method
            with archive.open(member, "w", force_zip64=True) as target:
                write_npy(target, array)
    except BaseException:
        # Closing the archive in the middle of a member would fail, and hide the reason: a signal
        # can come just as a member is opened.  Without `fp` nothing is written any more.
        archive.fp = None
        raise
    archive.close()


def opened_npz(file: BinaryIO, path: str) -> zipfile.ZipFile:
    """The archive in an open file.  Raises ArrayError (E303), RequestError (E501)."""
    import zipfile  # noqa: PLC0415  # costs time, and most files are no archives

    directory = _Directory(file, path)
    archive = zipfile.ZipFile(directory)
    directory.is_read = True
    return archive


class _Directory:
    """An archive's file that refuses to be read while its directory is too large.

    zipfile makes an object of every entry, about ten times as large, before it can be asked how
    many entries there are.
    """

    def __init__(self, file: BinaryIO, path: str) -> None:
        self._file = file
        self._path = path
        self.seek, self.tell, self.seekable = file.seek, file.tell, file.seekable
        self.is_read = False

    def read(self, size: int = -1) -> bytes:
        if not self.is_read and size > _MOST_DIRECTORY:
            raise ArrayError(
                "E303",
                f"the directory of an archive has at most {_MOST_DIRECTORY:,} bytes",
                value=f"that of {shown(self._path)} has {size:,}",
                help="use an archive of fewer arrays",
            )
        if not self.is_read:
            what = f"the directory of {shown(self._path)}"
            memory.require(_MEMORY_PER_BYTE * size, what, help="use an archive of fewer arrays")
        return self._file.read(size)
