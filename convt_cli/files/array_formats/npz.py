"""A .npz: an archive of .npy files, each by the key of its array."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, BinaryIO

from convt_cli.errors import FileError, shown
from convt_cli.files.archive import opened_npz, write_npz
from convt_cli.files.array_formats.base import ArrayFormat
from convt_cli.files.damage import damaged, missing_array, reporting_damage
from convt_cli.files.npy import read_npy, row_major
from convt_cli.io.reading import Opened
from convt_cli.operators.dtypes import Array

if TYPE_CHECKING:
    import zipfile

_METHODS = (0, 8)
"""zipfile.ZIP_STORED and ZIP_DEFLATED; data compressed otherwise zipfile unpacks all at once."""
_DEFAULT_KEY = "arr_0"  # as numpy.savez calls an array without a name
_MOST_KEY = 1000
"""The longest key that is written, in characters; an archive holds names up to 65,535 bytes."""


class Npz(ArrayFormat):
    """Arrays by their keys; a file of one array needs none."""

    has_keys = True

    def read(self, path: str, key: str, opened: Opened) -> Array:
        with opened(path) as file, reporting_damage(path):
            archive = opened_npz(file, path)
            member = _member(archive, path, key)
            with archive.open(member) as stream:
                return read_npy(stream, f"{shown(path)}#{shown(member.filename)}", member.file_size)

    def write(self, file: BinaryIO, array: Array, key: str) -> None:
        if key and (leads_out(key) or len(key) > _MOST_KEY):
            raise FileError(
                "E402",
                "the key of an .npz is the name of an array in it",
                value=f"got {shown(key)}",
                help="use a short name without .. and without / at its ends",
            )
        write_npz(file, {key or _DEFAULT_KEY: row_major(array)})


def _member(archive: zipfile.ZipFile, path: str, key: str) -> zipfile.ZipInfo:
    """The member that holds the array `key`; without a key, the only member."""
    names = [info.filename for info in archive.infolist()]
    keys = [key_of(name) for name in names]
    if any(map(leads_out, keys)):
        raise damaged(path, "it has a member whose name leads out of it")
    if len(set(keys)) < len(keys):
        raise damaged(path, "two of its members have the same name")
    wanted = key.removeprefix("/") or (keys[0] if len(keys) == 1 else "")
    if wanted not in keys:
        raise missing_array(path, key, keys)
    member = archive.infolist()[keys.index(wanted)]
    if member.compress_type not in _METHODS:
        raise damaged(path, f"'{member.filename}' is compressed in another way than NumPy's")
    return member


def key_of(member: str) -> str:
    """The key of a member: without .npy, and without the / that NumPy leaves in front of a key.

    >>> key_of("/model.0/conv.npy")
    'model.0/conv'
    """
    return member.removeprefix("/").removesuffix(".npy")


def leads_out(name: str) -> bool:
    """Whether unpacking a member of this name would leave the folder, or have no file name."""
    return not {"", ".."}.isdisjoint(re.split(r"[/\\]", name))
