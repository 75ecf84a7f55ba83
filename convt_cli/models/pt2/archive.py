"""The zip file that a `.pt2` is: its entries, and their bytes, read within bounds.

What all such files are held to is in `models.stored_zip`.
"""

from __future__ import annotations

import os
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import BinaryIO

from convt_cli.errors import FileError, shown
from convt_cli.io import memory
from convt_cli.io.reading import Opened, open_regular
from convt_cli.models.stored_zip import (
    MORE_MEMORY,
    open_zip,
    reporting_damage,
    stored_entries,
)

_BEGIN = b"PK\3\4"
"""The first bytes of a zip file with entries."""

_MODEL = "/models/model.json"
"""The end of the name of the entry that holds the graph; in front is a folder of any name."""

_PICKLE = "/data.pkl"
"""The end of the name of an entry that torch.save writes, and torch.jit.save."""

_SAVE_AGAIN = "save it again with torch.export.save of PyTorch 2.9 or newer"


@dataclass(frozen=True, slots=True, kw_only=True)
class Archive:
    """An open `.pt2` file; `root` is the folder that all of its entries are in."""

    path: str
    root: str
    _zip: zipfile.ZipFile
    _entries: dict[str, zipfile.ZipInfo]

    def has(self, name: str) -> bool:
        """Whether there is an entry of this name below `root`."""
        return f"{self.root}/{name}" in self._entries

    def size(self, name: str) -> int:
        """The bytes of an entry below `root`.  Raises FileError (E405)."""
        return self._entry(name).file_size

    def read(self, name: str) -> bytes:
        """The bytes of an entry below `root`.  Raises FileError (E405), RequestError (E501)."""
        entry = self._entry(name)
        what = f"{shown(name)} of {shown(self.path)}"
        memory.require(entry.file_size, what, help=MORE_MEMORY)
        return self._zip.read(entry)

    def _entry(self, name: str) -> zipfile.ZipInfo:
        entry = self._entries.get(f"{self.root}/{name}")
        if entry is None:
            raise damaged(self.path, f"it has no {shown(name)}")
        return entry


@contextmanager
def open_archive(path: str, opened: Opened = open_regular) -> Iterator[Archive]:
    """The `.pt2` file `path`, open during the block.

    Raises FileError (E401, E405), RequestError (E501), within the block too.
    """
    with opened(path) as file, reporting_damage(path, damaged):
        _require_zip(file, path)
        found = open_zip(file, path, damaged)
        root = _root(list(dict.fromkeys(found.namelist())), path)
        entries = stored_entries(found, file, path, damaged)
        archive = Archive(path=path, root=root, _zip=found, _entries=entries)
        if archive.has("byteorder") and archive.read("byteorder") != b"little":
            raise FileError(
                "E405",
                "the numbers of a .pt2 file are little-endian",
                value=f"those of {shown(path)} are not",
                help="save it again on a little-endian machine",
            )
        yield archive


def _require_zip(file: BinaryIO, path: str) -> None:
    """Raise FileError (E405) for a file that does not begin as a zip file, or lacks its end."""
    if file.read(len(_BEGIN)) != _BEGIN:
        raise damaged(path, "it is no zip file")
    if not zipfile.is_zipfile(file):
        size = os.fstat(file.fileno()).st_size
        raise FileError(
            "E405",
            f"{shown(path)} is no whole .pt2 file",
            value=f"its end is missing behind {size:,} bytes",
            help="was it cut short? copy or download it again",
        )


def _root(names: list[str], path: str) -> str:
    """The folder in which the graph of the file is.  Raises FileError (E405)."""
    roots = [name.removesuffix(_MODEL) for name in names if name.endswith(_MODEL)]
    if not roots and any(name.endswith(_PICKLE) for name in names):
        raise FileError(
            "E405",
            "a .pt2 file is written by torch.export.save",
            value=f"{shown(path)} was written by torch.save or torch.jit.save",
            help="give it the suffix .pt, with which convt says how to export it",
        )
    if len(roots) != 1:
        listed = ", ".join(map(shown, names[:3]))
        raise FileError(
            "E405",
            f"a .pt2 file holds one graph, {_MODEL[1:]}",
            value=f"{shown(path)} has {len(roots)}; its entries are {listed or 'none'}",
            help=_SAVE_AGAIN,
        )
    return roots[0]


def damaged(path: str, reason: str) -> FileError:
    """The error (E405) for a file that is no whole `.pt2`."""
    return FileError("E405", f"{shown(path)} is no whole .pt2 file", value=reason, help=_SAVE_AGAIN)
