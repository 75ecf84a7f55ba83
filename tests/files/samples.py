"""Array files made by hand, byte by byte: headers that lie, archives of any members, canaries."""

from __future__ import annotations

import io
import json
import os
import struct
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.lib import format as npy
from numpy.typing import NDArray

from convt_cli.errors import ConvtError
from convt_cli.files.arrays import read_array
from convt_cli.io.folders import Folder
from convt_cli.models.onnx.weights import OnnxWeights

Array = NDArray[Any]


def npy_bytes(array: Array, version: tuple[int, int] | None = None) -> bytes:
    """A whole .npy file, objects pickled; without a version, in the oldest that can hold it."""
    stream = io.BytesIO()
    npy.write_array(stream, array, version)
    return stream.getvalue()


ONE = npy_bytes(np.arange(6.0).reshape(2, 3))
"""A whole .npy file: a header of 128 bytes and six numbers."""


def header_of(shape: str, descr: str = "'<f8'", order: str = "False") -> str:
    """The text of a header."""
    return f"{{'descr': {descr}, 'fortran_order': {order}, 'shape': {shape}}}"


def with_header(header: str, body: bytes = b"", *, version: tuple[int, int] = (1, 0)) -> bytes:
    """A .npy file whose header is this text."""
    text = header.encode("latin-1") + b"\n"
    length = len(text).to_bytes(2 if version == (1, 0) else 4, "little")
    return npy.magic(*version) + length + text + body


def npz_bytes(members: Mapping[str, bytes], method: int = zipfile.ZIP_STORED) -> bytes:
    """An archive of these members."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", method) as archive:
        for name, content in members.items():
            archive.writestr(zipfile.ZipInfo(name), content, method)
    return stream.getvalue()


C_ORDER = np.arange(6.0).reshape(2, 3)
F_ORDER = np.asfortranarray(C_ORDER)


def saved_by_numpy(save: Callable[..., None]) -> bytes:
    """An archive as NumPy writes it."""
    stream = io.BytesIO()
    save(stream, a=C_ORDER, b=F_ORDER)
    return stream.getvalue()


ARRAYS = {
    **{
        f"x.npy, version {version[0]}, {order} order": npy_bytes(array, version)
        for version in ((1, 0), (2, 0), (3, 0))
        for order, array in (("C", C_ORDER), ("Fortran", F_ORDER))
    },
    "x.npz#a, stored": npz_bytes({"a.npy": npy_bytes(C_ORDER), "b.npy": npy_bytes(F_ORDER)}),
    "x.npz#b, deflated": npz_bytes(
        {"a.npy": npy_bytes(C_ORDER), "b.npy": npy_bytes(F_ORDER)}, zipfile.ZIP_DEFLATED
    ),
    "x.npz#a, by savez": saved_by_numpy(np.savez),
    "x.npz#b, by savez_compressed": saved_by_numpy(np.savez_compressed),
}
"""Whole files, each by the name that it is read under."""


def safetensors_bytes() -> bytes:
    """A file of two tensors."""
    header = {
        "__metadata__": {"format": "pt"},
        "b": {"dtype": "I64", "shape": [4], "data_offsets": [24, 56]},
        "w": {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]},
    }
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + bytes(range(56))


def picture_bytes(picture_format: str, pixels: Array, **options: Any) -> bytes:
    """(height, width[, 3]) as a picture."""
    image = pytest.importorskip("PIL.Image")
    stream = io.BytesIO()
    image.fromarray(pixels).save(stream, picture_format, **options)
    return stream.getvalue()


class Canary:
    """Makes a folder when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[str]]:
        return os.mkdir, (os.fspath(self.path),)


def objects_of(canary: Canary) -> Array:
    """An array of objects that holds a canary."""
    array = np.empty(1, object)
    array[0] = canary
    return array


def onnx_weights(path: str) -> OnnxWeights:
    """The constants of a model, as a spec beside it finds them."""
    folder = Folder.of(path, allow_outside=False)
    return OnnxWeights(folder.resolved(path), folder)


def code_of(read: Callable[[], Any]) -> str:
    """The code of convt's own error, or `read` where there was none."""
    try:
        read()
    except ConvtError as error:
        return error.code
    return "read"


def outcome_of(content: bytes, name: str) -> str:
    """The outcome of reading `content` as the file `name` of the working folder.

    'array', the code of convt's own error, or the name of any other exception.
    """
    Path(name.partition("#")[0]).write_bytes(content)
    try:
        assert read_array(name).dtype.kind in "biufc"
    except ConvtError as error:
        assert_plain(str(error))
        return error.code
    except Exception as error:
        return type(error).__name__
    return "array"


def assert_plain(message: str) -> None:
    """A message is one short line, and has no dangerous advice."""
    assert message.isprintable()
    assert len(message) < 1000
    assert "pickle" not in message
