"""The zip file that a `.keras` is: the text of the model and the file of its weights, bounded.

What all such files are held to is in `models.stored_zip`.
"""

from __future__ import annotations

import io
import os
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import BinaryIO

from convt_cli.errors import FileError, shown
from convt_cli.io import memory
from convt_cli.io.reading import Opened
from convt_cli.models.stored_zip import (
    MORE_MEMORY,
    open_zip,
    reporting_damage,
    stored_entries,
)

CONFIG = "config.json"
METADATA = "metadata.json"
WEIGHTS = "model.weights.h5"

_LOCAL_HEADER = struct.Struct("<4s22xHH")
"""What stands before an entry's bytes: the signature, and the lengths of its name and extras."""
_CHUNK = 2**20


@dataclass(frozen=True, slots=True, kw_only=True)
class Archive:
    """An open `.keras` file: its entries by their names."""

    path: str
    entries: dict[str, zipfile.ZipInfo]
    _file: BinaryIO
    _zip: zipfile.ZipFile

    def read(self, name: str) -> bytes:
        """The bytes of an entry.  Raises FileError (E405), RequestError (E501)."""
        entry = self._entry(name)
        memory.require(entry.file_size, f"{shown(name)} of {shown(self.path)}", help=MORE_MEMORY)
        return self._zip.read(entry)

    def part(self, name: str) -> FilePart:
        """The bytes of an entry as a file of their own, not read.  Raises FileError (E405)."""
        entry = self._entry(name)
        self._file.seek(entry.header_offset)
        header = self._file.read(_LOCAL_HEADER.size)
        signature, *lengths = _LOCAL_HEADER.unpack(header)
        begin = entry.header_offset + _LOCAL_HEADER.size + sum(lengths)
        if signature != b"PK\3\4" or begin + entry.file_size > _size_of(self._file):
            raise damaged(self.path, f"{shown(name)} lies outside of the file")
        return FilePart(self._file, begin, entry.file_size)

    def require_whole(self, name: str) -> None:
        """Raise FileError (E405) for an entry whose bytes do not have their checksum."""
        entry, part, checksum = self._entry(name), self.part(name), 0
        while chunk := part.read(_CHUNK):
            checksum = zlib.crc32(chunk, checksum)
        if checksum != entry.CRC:
            raise damaged(self.path, f"{shown(name)} does not have its checksum")

    def _entry(self, name: str) -> zipfile.ZipInfo:
        entry = self.entries.get(name)
        if entry is None:
            raise damaged(self.path, f"it has no {shown(name)}")
        return entry


class FilePart(io.RawIOBase):
    """The `size` bytes of a file from `begin` on, as a file."""

    def __init__(self, file: BinaryIO, begin: int, size: int) -> None:
        super().__init__()
        self._file, self._begin, self.size = file, begin, size
        self._place = 0

    def readable(self) -> bool:
        """It can be read."""
        return True

    def seekable(self) -> bool:
        """It can be read in any order."""
        return True

    def tell(self) -> int:
        """The place of the next byte that is read."""
        return self._place

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Go to a place, counted from the begin, from here or from the end."""
        self._place = offset + {os.SEEK_CUR: self._place, os.SEEK_END: self.size}.get(whence, 0)
        return self._place

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        """Fill `buffer` as far as there are bytes, and return how many there were."""
        view = memoryview(buffer).cast("B")
        length = max(0, min(len(view), self.size - self._place))
        self._file.seek(self._begin + self._place)
        content = self._file.read(length)
        view[: len(content)] = content
        self._place += len(content)
        return len(content)


@contextmanager
def open_archive(path: str, opened: Opened) -> Iterator[Archive]:
    """The `.keras` file `path`, open during the block.

    Raises FileError (E401, E405), RequestError (E501), within the block too.
    """
    with opened(path) as file, reporting_damage(path, damaged):
        found = open_zip(file, path, damaged)
        entries = stored_entries(found, file, path, damaged)
        yield Archive(path=path, entries=entries, _file=file, _zip=found)


def _size_of(file: BinaryIO) -> int:
    return os.fstat(file.fileno()).st_size


def damaged(path: str, reason: str) -> FileError:
    """The error (E405) for a file that is no whole model of Keras."""
    return FileError(
        "E405",
        f"{shown(path)} is no whole Keras model",
        value=reason,
        help="save it again with model.save of Keras 2 or 3",
    )
