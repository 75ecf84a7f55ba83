"""HDF5 files, read by h5py within bounds: texts in attributes, and arrays.

HDF5 can name other files, by external links, external storage and virtual datasets, and programs
that undo a compression.  All that is refused before it is followed: a path is walked by hard links
alone, and an array is read only if its numbers are in the file, as they are or packed by gzip.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from math import prod
from typing import Any, BinaryIO

import numpy as np

from convt_cli.errors import ArrayError, ConvtError, FileError, RequestError, shown
from convt_cli.io import memory
from convt_cli.models.keras.archive import damaged
from convt_cli.operators.dtypes import Array, widened

_MORE_MEMORY = "use a machine with more memory"

_GZIP = 1
_FILTERS = {_GZIP, 2, 3}
"""HDF5's numbers of the filters that are undone: gzip, shuffle, and a checksum."""
_BEST_RATIO = 1032
"""How many bytes a byte that is packed by gzip stands for at most."""

_MOST_CHUNKS = 10_000
"""The most attributes over which a long list is spread."""


@contextmanager
def open_hdf5(file: BinaryIO, path: str) -> Iterator[Hdf5]:
    """The HDF5 file that `file` holds, open during the block; messages call it `path`.

    Raises RequestError (E504) without h5py, and FileError (E405), within the block too.
    """
    h5py = _library()
    with _reporting_damage(path), h5py.File(file, "r") as opened:
        yield Hdf5(opened, path, h5py)


def _library() -> Any:
    """The module h5py.  Raises RequestError (E504) without the extra."""
    try:
        import h5py  # noqa: PLC0415  # an extra
    except ImportError as error:
        failed = shown(f"it is there and fails to load, with {error}") if str(error) else ""
        raise RequestError(
            "E504",
            "reading HDF5 files needs the package h5py",
            value="" if isinstance(error, ModuleNotFoundError) else failed,
            help="install it with: pip install 'convt-cli[keras]'",
        ) from None
    return h5py


@contextmanager
def _reporting_damage(path: str) -> Iterator[None]:
    """Raise FileError (E405) in place of what h5py raises for bytes that are no HDF5 file."""
    try:
        yield
    except (OSError, ValueError, KeyError, RuntimeError, TypeError, AttributeError) as error:
        if isinstance(error, ConvtError):
            raise
        raise damaged(path, shown(str(error))[:200]) from None
    except MemoryError as error:
        raise memory.ran_out(error, f"reading {shown(path)}", help=_MORE_MEMORY) from None


class Hdf5:
    """An open file; paths are names with / between, "" being the root."""

    def __init__(self, file: Any, path: str, h5py: Any) -> None:
        self.path = path
        self._file = file
        self._h5py = h5py

    def has(self, place: str) -> bool:
        """Whether there is something at a path."""
        return self._at(place) is not None

    def text(self, place: str, name: str) -> str | None:
        """The attribute `name` of the group at `place` as one text; None without it."""
        value = self._attribute(place, name)
        if isinstance(value, bytes):
            return value.decode("utf-8")
        return value if isinstance(value, str) else None

    def texts(self, place: str, name: str) -> list[str]:
        """An attribute that is a list of texts; Keras spreads a long one over NAME0, NAME1, ..."""
        whole = self._attribute(place, name)
        if whole is not None:
            return _texts(whole)
        found: list[str] = []
        for number in range(_MOST_CHUNKS):
            part = self._attribute(place, f"{name}{number}")
            if part is None:
                break
            found.extend(_texts(part))
        return found

    def array(self, place: str) -> Array | None:
        """The array at a path; None where there is none.

        Raises FileError (E404, E405), ArrayError (E302), RequestError (E501).
        """
        found = self._at(place)
        if not isinstance(found, self._h5py.Dataset):
            return None
        self._require_inside(place, found)
        dtype, shape = found.dtype, found.shape
        is_bfloat16 = self._is_bfloat16(found)
        if shape is None or not (dtype.kind in "biuf" or is_bfloat16):
            raise ArrayError(
                "E302",
                f"the array in {shown(self.path)} must hold numbers",
                value=f"'{shown(place)}' is {shown(str(dtype))[:60]}",
                help="save the model in float32",
            )
        size = prod(shape) * dtype.itemsize
        what = f"'{shown(place)}' of {shown(self.path)}"
        memory.require(2 * size, what, help=_MORE_MEMORY)
        array: Array = np.empty(shape, dtype)
        if size:
            found.read_direct(array)
        return widened(array.view("<u2")) if is_bfloat16 else array

    def _is_bfloat16(self, found: Any) -> bool:
        return bool(found.dtype.itemsize == 2 and self._value(found, "dtype") == "bfloat16")

    def _require_inside(self, place: str, found: Any) -> None:
        """Raise FileError unless all numbers of a dataset are in the file, and readable as such."""
        plan = found.id.get_create_plist()
        if plan.get_layout() == self._h5py.h5d.VIRTUAL or plan.get_external_count():
            raise _outside(f"'{shown(place)}' of {shown(self.path)} is in another file")
        filters = {plan.get_filter(number)[0] for number in range(plan.get_nfilters())}
        if filters - _FILTERS:
            raise damaged(self.path, f"'{shown(place)}' is packed by a filter that is not read")
        stored = found.id.get_storage_size()
        ratio = _BEST_RATIO if _GZIP in filters else 1
        size = prod(found.shape or ()) * found.dtype.itemsize
        if stored > self._size or size > stored * ratio:
            raise damaged(self.path, f"'{shown(place)}' is longer than the file")

    @property
    def _size(self) -> int:
        """The bytes of the file."""
        size: int = self._file.id.get_filesize()
        return size

    def _attribute(self, place: str, name: str) -> Any:
        """The value of an attribute of the group at `place`; None without it."""
        found = self._at(place)
        return None if found is None else self._value(found, name)

    def _value(self, found: Any, name: str) -> Any:
        if name not in found.attrs:
            return None
        attribute = self._h5py.h5a.open(found.id, name.encode())
        if max(attribute.get_storage_size(), 16 * prod(attribute.shape)) > self._size:
            raise damaged(self.path, f"its attribute {shown(name)} is longer than the file")
        return found.attrs[name]

    def _at(self, place: str) -> Any:
        """What is at a path, all links on the way being hard ones; None where nothing is."""
        found = self._file
        for name in filter(None, place.split("/")):
            link = found.get(name, getlink=True) if hasattr(found, "get") else None
            if link is None:
                return None
            if not isinstance(link, self._h5py.HardLink):
                raise _outside(f"'{shown(place)}' of {shown(self.path)} is a link")
            found = found[name]
        return found


def _texts(value: Any) -> list[str]:
    """The texts in the value of an attribute."""
    listed = value.ravel().tolist() if isinstance(value, np.ndarray) else [value]
    return [one.decode("utf-8") if isinstance(one, bytes) else str(one) for one in listed]


def _outside(value: str) -> FileError:
    return FileError(
        "E404",
        "the numbers of a Keras model are in its own file",
        value=value,
        help="save the model again with model.save",
    )
