"""Zip files whose entries are stored as they are, as `.pt2` and `.keras` are, read within bounds.

No entry is longer than the file.  Names are looked up in the directory and nowhere else: no entry
is ever written to a disk.  `damaged` makes the error of a format, of a path and a reason.
"""

from __future__ import annotations

import os
import struct
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import BinaryIO

from convt_cli.errors import ConvtError, FileError, shown
from convt_cli.io import memory

_MOST_DIRECTORY = 8 * 2**20
"""Bytes of the directory: 60,000 entries with names of 80 letters."""
_MEMORY_PER_BYTE = 16
"""Bytes that zipfile takes for each byte of a directory: 700 for an entry of at least 46."""

MORE_MEMORY = "use a machine with more memory"

Damaged = Callable[[str, str], FileError]


def open_zip(file: BinaryIO, path: str, damaged: Damaged) -> zipfile.ZipFile:
    """The zip file in `file`.  Raises FileError (E405), RequestError (E501), what zipfile does."""
    directory = _Directory(file, path, damaged)
    found = zipfile.ZipFile(directory)
    directory.is_read = True
    return found


def stored_entries(
    found: zipfile.ZipFile, file: BinaryIO, path: str, damaged: Damaged
) -> dict[str, zipfile.ZipInfo]:
    """The entries by name, each once, stored, and inside of the file.  Raises FileError (E405)."""
    size = os.fstat(file.fileno()).st_size
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


@contextmanager
def reporting_damage(path: str, damaged: Damaged) -> Iterator[None]:
    """Raise the error of a damaged file for what zipfile raises on bytes that are no zip file."""
    try:
        yield
    except (zipfile.BadZipFile, EOFError, NotImplementedError, ValueError, struct.error) as error:
        if isinstance(error, ConvtError):
            raise
        raise damaged(path, shown(str(error))) from None


class _Directory:
    """The file of an archive, which refuses to read a directory that is too large.

    zipfile makes an object of every entry, about ten times as large, before it can be asked how
    many there are.
    """

    def __init__(self, file: BinaryIO, path: str, damaged: Damaged) -> None:
        self._file = file
        self._path = path
        self._damaged = damaged
        self.seek, self.tell, self.seekable = file.seek, file.tell, file.seekable
        self.is_read = False

    def read(self, size: int = -1) -> bytes:
        if not self.is_read:
            if size > _MOST_DIRECTORY:
                raise self._damaged(self._path, f"its directory has {size:,} bytes")
            what = f"the directory of {shown(self._path)}"
            memory.require(_MEMORY_PER_BYTE * size, what, help=MORE_MEMORY)
        return self._file.read(size)
