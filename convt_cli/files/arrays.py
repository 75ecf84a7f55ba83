"""Array files by their names: file.npy, file.npz#key, the other `array_formats`, and '-'.

'-' is a stream of .npy.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import BinaryIO

from convt_cli.errors import FileError, shown
from convt_cli.files.archive import opened_npz
from convt_cli.files.array_formats import ARRAY_FORMATS, STREAM
from convt_cli.files.array_formats.base import ArrayFormat
from convt_cli.files.array_formats.npz import key_of
from convt_cli.files.damage import reporting_damage
from convt_cli.files.npy import require_numpy_dtype
from convt_cli.io.reading import STDIN, Opened, open_regular
from convt_cli.io.stand_ins import telling_stand_ins
from convt_cli.io.writing import output
from convt_cli.operators.dtypes import Array


@dataclass(frozen=True, slots=True, kw_only=True)
class Location:
    """An array's file, its key within the file, and the file's format."""

    path: str
    key: str
    format: ArrayFormat


def locate(name: str) -> Location:
    """`name` split into file and key.  Raises FileError (E401) for an unknown format."""
    if name == STDIN:
        return Location(path=name, key="", format=STREAM)
    path, archive, key = name.partition(".npz#")
    return located(path + archive.removesuffix("#"), key)


def located(path: str, key: str, also: tuple[str, ...] = ()) -> Location:
    """The array `key` of the file `path`.

    Raises FileError (E401) for an unknown format; it names those that the caller reads `also`.
    """
    found = ARRAY_FORMATS.get(os.path.splitext(path)[1].lower())
    if found is None or (key and not found.has_keys):
        raise FileError(
            "E401",
            "an array file is named by its format",
            value=f"got {shown(f'{path}#{key}' if key else path)}",
            help=f"known are {', '.join((*ARRAY_FORMATS, *also))}, and file.npz#key",
        )
    return Location(path=path, key=key, format=found)


def is_text(name: str) -> bool:
    """Whether `name` names a text file.  Raises FileError (E401) for an unknown format."""
    return locate(name).format.is_text


def read_array(name: str) -> Array:
    """The array called `name`: a file, file.npz#key, or '-' for a .npy stream.

    Raises FileError (E401), ArrayError (E302, E303), RequestError (E501).
    """
    return read_located(locate(name))


def read_located(location: Location, opened: Opened = open_regular) -> Array:
    """The array at `location`; `opened` is the function that opens its file.

    A text file gives two axes, with an integer dtype if all its numbers are integers, else float64.
    Raises FileError (E401), ArrayError (E302, E303), RequestError (E501).
    """
    array = _read(location, opened)
    key = f"#{shown(location.key)}" if location.key else ""
    require_numpy_dtype(array.dtype, f"{shown(location.path)}{key}")
    return array


def read_with_bfloat16(name: str) -> Array:
    """As `read_array`; an array of bfloat16 numbers comes with the dtype that NumPy has for it."""
    return _read(locate(name), open_regular)


def _read(location: Location, opened: Opened) -> Array:
    """The array at `location`, whatever its dtype."""
    if location.path == STDIN:
        return location.format.read(STDIN, location.key, opened)
    with telling_stand_ins(location.path, opened):
        return location.format.read(location.path, location.key, opened)


def keys_of(name: str) -> list[str]:
    """The keys of the arrays in the file `name`.  Raises FileError (E401), ArrayError (E303)."""
    require_archive(name)
    with open_regular(name) as file, reporting_damage(name):
        return [key_of(member) for member in opened_npz(file, name).namelist()]


def write_array(name: str, array: Array, *, force: bool) -> None:
    """Write `array` to `name`, row-major, whole or not at all.

    Text takes one or two axes.  Raises FileError (E402, E403, E406), ArrayError (E301, E302).
    """
    with output(locate(name).path, force=force) as file:
        write_into(file, name, array)


def require_archive(name: str) -> None:
    """Raise FileError (E401) unless `name` is a whole file that holds several arrays."""
    place = locate(name)
    if place.key or not place.format.has_keys:
        raise FileError(
            "E401",
            "several arrays are in an .npz, each by its name",
            value=f"got {shown(name)}",
            help="name a file.npz",
        )


def write_into(file: BinaryIO, name: str, array: Array) -> None:
    """Write `array` into the open file of the output `name`.  Raises as `write_array`."""
    place = locate(name)
    place.format.write(file, array, place.key)
