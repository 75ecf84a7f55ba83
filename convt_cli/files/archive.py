"""Writing .npy and .npz so that the same arrays make the same bytes, to files and pipes alike.

An array need not be there to be written: `Pieces` is one that is made while it goes out.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, BinaryIO

import numpy as np
from numpy.lib import format as npy

from convt_cli.io.writing import Sink
from convt_cli.operators.dtypes import Array

_X87_MANTISSA = 63
_X87_BYTES = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Pieces:
    """An array of `size` elements on one axis, its parts made one after the other."""

    size: int
    dtype: np.dtype[Any]
    parts: Iterable[Array]


class _Plain:
    """A sink with nothing but `write` and `flush`.

    NumPy and zipfile treat real files in ways that a full disk or a closed pipe turns into
    errors without a reason; this one reports a failed write as it happens.
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
    """`array` with zeros in the bytes that none of its numbers sets, so that it can be written.

    An x87 long double has ten bytes, and six more that keep what was in memory before.
    """
    if array.dtype.char not in "gG" or np.finfo(np.longdouble).nmant != _X87_MANTISSA:
        return array
    settled = np.zeros_like(array, order="C")
    size = np.dtype(np.longdouble).itemsize
    used = slice(0, _X87_BYTES) if array.dtype.isnative else slice(size - _X87_BYTES, size)
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
    """Write `arrays` as the members of an .npz, all of them dated 1980."""
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
        # What was begun is given up.  To close it would fail in the midst of a member, and hide
        # the reason: a signal can come just as a member is opened.
        archive.fp = None
        raise
    archive.close()
