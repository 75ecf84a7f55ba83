"""Reading model.pt2#name: a parameter, a buffer or a constant, from its raw bytes in the file."""

from __future__ import annotations

from difflib import get_close_matches
from math import prod
from typing import Any

import numpy as np

from convt_cli.errors import ArrayError, FileError, shown
from convt_cli.io import memory
from convt_cli.io.folders import Folder
from convt_cli.models.pt2.archive import Archive, damaged, open_archive
from convt_cli.models.pt2.fields import Fields, each, field, read_json, union
from convt_cli.operators.dtypes import Array, widened

_FOLDERS = {
    "data/weights": "model_weights_config.json",
    "data/constants": "model_constants_config.json",
}
"""The folders of an archive that hold tensors, and the entry of each that lists them."""

_BFLOAT16 = 13
_ELEMENTS = {
    1: "u1",
    2: "i1",
    3: "<i2",
    4: "<i4",
    5: "<i8",
    6: "<f2",
    7: "<f4",
    8: "<f8",
    10: "<c8",
    11: "<c16",
    12: "?",
    _BFLOAT16: "<u2",  # NumPy has none: `widened` makes float32 of the bits
    28: "<u2",
    34: "<u4",
    35: "<u8",
}
"""NumPy's dtype by PyTorch's number of a scalar type."""

_STRIDED = 7
"""PyTorch's number of the layout of dense tensors."""

_MOST_AXES = 64  # as in NumPy 2
_SHOWN = 5  # names in a message


def open_weights(path: str, folder: Folder) -> Pt2Weights:
    """The tensors of the file `path`."""
    return Pt2Weights(path, folder)


class Pt2Weights:
    """The tensors of a file; each is read when it is asked for."""

    def __init__(self, path: str, folder: Folder) -> None:
        self._path = path
        self._folder = folder

    def read(self, key: str) -> Array:
        """The tensor called `key`, as PyTorch's state_dict calls it; bfloat16 is widened.

        Raises FileError (E401, E404, E405), ArrayError (E302), RequestError (E501).
        """
        with open_archive(self._path, self._folder.opened) as archive:
            names: list[str] = []
            for place, listing in _FOLDERS.items():
                if archive.has(f"{place}/{listing}"):
                    config = field(read_json(archive, f"{place}/{listing}"), "config", dict)
                    if key in config:
                        return _tensor(archive, place, key, field(config, key, dict))
                    names.extend(config)
        raise _unknown(self._path, key, names)


def _tensor(archive: Archive, place: str, key: str, entry: Fields) -> Array:
    """The tensor that `entry` describes: a view of raw bytes by strides, made contiguous."""
    meta = field(entry, "tensor_meta", dict)
    element = _element(archive.path, key, meta, entry)
    dtype = np.dtype(_ELEMENTS[element])
    sizes, strides = _integers(meta, "sizes"), _integers(meta, "strides")
    offset = _integer(meta, "storage_offset")
    name = f"{place}/{field(entry, 'path_name', str)}"
    stored = archive.size(name) // dtype.itemsize
    last = offset + sum((size - 1) * stride for size, stride in zip(sizes, strides))
    fits = len(sizes) == len(strides) <= _MOST_AXES and (last < stored or 0 in sizes)
    if not fits:
        reason = f"'{shown(key)}' does not fit the {stored:,} numbers of {shown(name)}"
        raise damaged(archive.path, reason)
    what = f"'{shown(key)}' of {shown(archive.path)}"
    memory.require(2 * prod(sizes) * dtype.itemsize, what, help="use a machine with more memory")
    # (the elements of the storage)
    storage = np.frombuffer(archive.read(name), dtype, count=stored)
    if 0 in sizes:
        return np.zeros(sizes, dtype)
    steps = tuple(stride * dtype.itemsize for stride in strides)
    view = np.lib.stride_tricks.as_strided(storage[offset:], sizes, steps, writeable=False)
    array = np.ascontiguousarray(view).reshape(sizes)
    return widened(array.ravel()).reshape(sizes) if element == _BFLOAT16 else array


def _element(path: str, key: str, meta: Fields, entry: Fields) -> int:
    """The number of a tensor's scalar type.  Raises ArrayError (E302) for one that is not read."""
    element, layout = field(meta, "dtype", int), field(meta, "layout", int)
    is_pickled = entry.get("use_pickle") is not False
    if element in _ELEMENTS and layout == _STRIDED and not is_pickled:
        return element
    reason = "pickled" if is_pickled else "sparse" if layout != _STRIDED else "of another type"
    raise ArrayError(
        "E302",
        f"the array in {shown(path)} must hold numbers that NumPy has, stored as they are",
        value=f"'{shown(key)}' is {reason}",
        help="save it as float32: in PyTorch, model.float()",
    )


def _integers(meta: Fields, name: str) -> tuple[int, ...]:
    return tuple(_integer({name: entry}, name) for entry in each(meta, name))


def _integer(meta: Fields, name: str) -> int:
    """A size, a stride or an offset, which is no expression and not below 0."""
    kind, value = union(field(meta, name, dict))
    number = field({name: value if kind == "as_int" else None}, name, int)
    return field({name: number if number >= 0 else None}, name, int)


def _unknown(path: str, key: str, names: list[Any]) -> FileError:
    close = get_close_matches(key[:200], names[:10_000], n=1)
    listed = ", ".join(map(shown, names[:_SHOWN])) + (" and more" if len(names) > _SHOWN else "")
    return FileError(
        "E401",
        f"{shown(path)} has no tensor '{shown(key)}'" if key else "a .pt2 file needs a key",
        value=f"its tensors are {listed or 'none'}",
        help=f"did you mean '{shown(close[0])}'?" if close else f"write {shown(path)}#NAME",
    )
