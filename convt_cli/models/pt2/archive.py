"""The zip file that a `.pt2` is: its entries, and their bytes, read within bounds.

All entries are stored as they are, so none is longer than the file.  Their names are looked up in
the directory and nowhere else: no entry is ever written to a disk.
"""

from __future__ import annotations

import os
import struct
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import BinaryIO

from convt_cli.errors import ConvtError, FileError, shown
from convt_cli.io import memory
from convt_cli.io.reading import Opened, open_regular

_MOST_DIRECTORY = 8 * 2**20
"""Bytes of the directory: 60,000 entries with names of 80 letters."""
_MEMORY_PER_BYTE = 16
"""Bytes that zipfile takes for each byte of a directory: 700 for an entry of at least 46."""

_MODEL = "/models/model.json"
"""The end of the name of the entry that holds the graph; in front is a folder of any name."""

_MORE_MEMORY = "use a machine with more memory"
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

    def read(self, name: str, *, factor: int = 1) -> bytes:
        """The bytes of an entry below `root`, which take `factor` times their size in memory.

        Raises FileError (E405), RequestError (E501).
        """
        entry = self._entry(name)
        what = f"{shown(name)} of {shown(self.path)}"
        memory.require(factor * entry.file_size, what, help=_MORE_MEMORY)
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
    with opened(path) as file, _reporting_damage(path):
        directory = _Directory(file, path)
        found = zipfile.ZipFile(directory)
        directory.is_read = True
        entries = _entries(found, path, os.fstat(file.fileno()).st_size)
        archive = Archive(path=path, root=_root(entries, path), _zip=found, _entries=entries)
        if archive.has("byteorder") and archive.read("byteorder") != b"little":
            raise FileError(
                "E405",
                "the numbers of a .pt2 file are little-endian",
                value=f"those of {shown(path)} are not",
                help="save it again on a little-endian machine",
            )
        yield archive


def _entries(found: zipfile.ZipFile, path: str, size: int) -> dict[str, zipfile.ZipInfo]:
    """The entries by name, each once, stored, and inside of the file.  Raises FileError (E405)."""
    entries: dict[str, zipfile.ZipInfo] = {}
    for entry in found.infolist():
        if entry.filename in entries:
            raise damaged(path, f"it has {shown(entry.filename)} twice")
        is_stored = entry.compress_type == zipfile.ZIP_STORED
        if not is_stored or entry.file_size != entry.compress_size or entry.flag_bits & 1:
            raise damaged(path, f"{shown(entry.filename)} is not stored as it is")
        if not 0 <= entry.header_offset <= size - entry.file_size:
            raise damaged(path, f"{shown(entry.filename)} lies outside of the file")
        entries[entry.filename] = entry
    return entries


def _root(entries: dict[str, zipfile.ZipInfo], path: str) -> str:
    """The folder in which the graph of the file is.  Raises FileError (E405)."""
    roots = [name.removesuffix(_MODEL) for name in entries if name.endswith(_MODEL)]
    if len(roots) != 1:
        listed = ", ".join(shown(name) for name in list(entries)[:3])
        raise FileError(
            "E405",
            f"a .pt2 file holds one graph, {_MODEL[1:]}",
            value=f"{shown(path)} has {len(roots)}; its entries are {listed or 'none'}",
            help=_SAVE_AGAIN,
        )
    return roots[0]


class _Directory:
    """The file of an archive, which refuses to read a directory that is too large.

    zipfile makes an object of every entry, about ten times as large, before it can be asked how
    many there are.
    """

    def __init__(self, file: BinaryIO, path: str) -> None:
        self._file = file
        self._path = path
        self.seek, self.tell, self.seekable = file.seek, file.tell, file.seekable
        self.is_read = False

    def read(self, size: int = -1) -> bytes:
        if not self.is_read:
            if size > _MOST_DIRECTORY:
                raise damaged(self._path, f"its directory has {size:,} bytes")
            what = f"the directory of {shown(self._path)}"
            memory.require(_MEMORY_PER_BYTE * size, what, help=_MORE_MEMORY)
        return self._file.read(size)


def damaged(path: str, reason: str) -> FileError:
    """The error (E405) for a file that is no whole `.pt2`."""
    return FileError("E405", f"{shown(path)} is no whole .pt2 file", value=reason, help=_SAVE_AGAIN)


@contextmanager
def _reporting_damage(path: str) -> Iterator[None]:
    """Raise FileError (E405) in place of what zipfile raises for bytes that are no zip file."""
    try:
        yield
    except (zipfile.BadZipFile, EOFError, NotImplementedError, ValueError, struct.error) as error:
        if isinstance(error, ConvtError):
            raise
        raise damaged(path, shown(str(error))) from None
