"""Writing .npy and .npz so that the same arrays make the same bytes, to files and pipes alike."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from typing import BinaryIO

from numpy.lib import format as npy

from convt_cli.io.writing import Sink
from convt_cli.operators.dtypes import Array


class _Plain:
    """A sink with nothing but `write` and `flush`.

    NumPy and zipfile treat real files in ways that a full disk or a closed pipe turns into
    errors without a reason; this one reports a failed write as it happens.
    """

    def __init__(self, sink: Sink) -> None:
        self.write = sink.write
        self.flush = sink.flush


def write_npy(file: Sink, array: Array) -> None:
    """Write `array` as .npy."""
    npy.write_array(_Plain(file), array, allow_pickle=False)


def write_npz(file: BinaryIO, arrays: Mapping[str, Array], *, compress: bool = False) -> None:
    """Write `arrays` as the members of an .npz, all of them dated 1980."""
    method = zipfile.ZIP_DEFLATED if compress else zipfile.ZIP_STORED
    # zipfile's stubs ask for a whole file; to write, a sink is all it needs.
    sink = _Plain(file)
    with zipfile.ZipFile(sink, "w", method, allowZip64=True) as archive:  # type: ignore[call-overload]
        for key, array in arrays.items():
            member = zipfile.ZipInfo(f"{key}.npy")
            member.compress_type = method
            with archive.open(member, "w", force_zip64=True) as target:
                write_npy(target, array)
