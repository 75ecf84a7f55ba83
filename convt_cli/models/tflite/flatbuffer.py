"""A flatbuffer in a file: tables, vectors and texts, read where they lie and within bounds.

A table begins with the distance back to a list of its fields' places.  Every other offset leads
forward, so nothing holds itself; but one vector can be held by many tables, and what is read of
them all is counted.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from struct import calcsize, unpack
from typing import BinaryIO, NamedTuple

from convt_cli.errors import FileError, shown

_BLOCK = 2**16
"""Bytes that are read from the file at once."""
_MOST_BLOCKS = 256
"""Blocks that are kept."""

_MOST_READ = 2_000_000
"""Numbers, fields and texts that are read of one file; a large model has a tenth of them."""
_LETTERS = 8
"""Letters of a text that count as much as a number."""

_MOST_FIELDS = 64
"""Fields of a table that are looked at; no table of the schema has as many."""

_NOTHING = 4
"""Bytes of a vector without elements: its length alone."""


class Extent(NamedTuple):
    """`size` bytes from `place` on in the file."""

    place: int
    size: int


class Bytes:
    """The bytes of an open file, read in blocks as they are needed."""

    def __init__(self, file: BinaryIO, path: str) -> None:
        self.path = path
        self.size = os.fstat(file.fileno()).st_size
        self._file = file
        self._blocks: dict[int, bytes] = {}
        self._read = 0

    def reopen(self, file: BinaryIO) -> None:
        """Go on with the same file, opened once more.  Raises FileError (E405) for another."""
        if os.fstat(file.fileno()).st_size != self.size:
            raise damaged(self.path, "it was changed between two weights")
        self._file = file
        self._read = 0

    def at(self, place: int, count: int) -> bytes:
        """`count` bytes from `place` on.  Raises FileError (E405) beyond the file's end."""
        number, offset = divmod(place, _BLOCK)
        if not 0 <= place <= self.size - count:
            raise damaged(self.path, f"{count} bytes at {place} lie outside of its {self.size:,}")
        if offset + count <= _BLOCK:
            found = self._block(number)[offset : offset + count]
        else:
            self._file.seek(place)
            found = self._file.read(count)
        if len(found) < count:
            raise damaged(self.path, "it was cut while it was read")
        return found

    def _block(self, number: int) -> bytes:
        if number not in self._blocks:
            if len(self._blocks) == _MOST_BLOCKS:
                self._blocks.pop(next(iter(self._blocks)))  # the one that was read first
            self._file.seek(number * _BLOCK)
            self._blocks[number] = self._file.read(_BLOCK)
        return self._blocks[number]

    def numbers(self, place: int, form: str, count: int = 1) -> tuple[int | float, ...]:
        """`count` numbers of the kind that `struct` calls `form`.  Raises FileError (E405)."""
        return unpack(f"<{count}{form}", self.at(place, count * calcsize(f"<{form}")))

    def count(self, items: int) -> None:
        """Note that so many more are read.  Raises FileError (E405) for far too many."""
        self._read += items
        if self._read > _MOST_READ:
            raise damaged(self.path, f"it has more than {_MOST_READ:,} numbers beside weights")


@dataclass(frozen=True, slots=True)
class Table:
    """A table; its fields are called by their numbers in the schema, from 0."""

    source: Bytes
    place: int
    offsets: tuple[int | float, ...]
    """By field, where it lies behind `place`; 0 for one that is left out."""

    @classmethod
    def at(cls, source: Bytes, place: int) -> Table:
        """The table at `place`.  Raises FileError (E405)."""
        source.count(1)
        (back,) = source.numbers(place, "i")
        list_place = place - int(back)
        (length,) = source.numbers(list_place, "H")
        fields = min(max(0, int(length) - 4) // 2, _MOST_FIELDS)
        return cls(source, place, source.numbers(list_place + 4, "H", fields))

    @classmethod
    def root(cls, source: Bytes) -> Table:
        """The table that holds all others.  Raises FileError (E405)."""
        return cls.at(source, _target(source, 0))

    def number(self, field: int, form: str, default: int | float = 0) -> int | float:
        """The number in a field, or its default.  Raises FileError (E405)."""
        place = self._field(field)
        return default if place is None else self.source.numbers(place, form)[0]

    def integer(self, field: int, form: str = "i", default: int = 0) -> int:
        """As `number`, for a kind of integers."""
        return int(self.number(field, form, default))

    def table(self, field: int) -> Table | None:
        """The table in a field, if it is there.  Raises FileError (E405)."""
        place = self._field(field)
        return None if place is None else Table.at(self.source, _target(self.source, place))

    def tables(self, field: int) -> tuple[Table, ...]:
        """The tables in a field, none if it is left out.  Raises FileError (E405)."""
        place, count = self.vector(field, 4)
        self.source.count(count)
        places = range(place, place + 4 * count, 4)
        return tuple(Table.at(self.source, _target(self.source, one)) for one in places)

    def numbers(self, field: int, form: str) -> tuple[int | float, ...]:
        """The numbers in a field, none if it is left out.  Raises FileError (E405)."""
        place, count = self.vector(field, calcsize(f"<{form}"))
        self.source.count(count)
        return self.source.numbers(place, form, count)

    def integers(self, field: int, form: str = "i") -> tuple[int, ...]:
        """As `numbers`, for a kind of integers."""
        return tuple(map(int, self.numbers(field, form)))

    def text(self, field: int) -> str:
        """The text in a field, "" if it is left out.  Raises FileError (E405)."""
        place, count = self.vector(field, 1)
        self.source.count(1 + count // _LETTERS)
        return self.source.at(place, count).decode("utf-8", "replace")

    def vector(self, field: int, size: int) -> Extent:
        """The place and the number of the elements in a field, of `size` bytes each.

        Raises FileError (E405) where they do not fit into the file.
        """
        place = self._field(field)
        if place is None:
            return Extent(0, 0)
        start = _target(self.source, place)
        (count,) = self.source.numbers(start, "I")
        if size * int(count) > self.source.size - start - _NOTHING:
            raise damaged(self.source.path, f"it has no room for {count:,} elements at {start}")
        return Extent(start + _NOTHING, int(count))

    def _field(self, field: int) -> int | None:
        """The place of a field; None if it is left out."""
        offset = self.offsets[field] if field < len(self.offsets) else 0
        return self.place + int(offset) if offset else None


def _target(source: Bytes, place: int) -> int:
    """The place to which the offset at `place` leads."""
    (offset,) = source.numbers(place, "I")
    if not offset:
        raise damaged(source.path, f"the offset at {place} leads nowhere")
    return place + int(offset)


def damaged(path: str, reason: str) -> FileError:
    """The error (E405) for a file that is no whole `.tflite`."""
    return FileError(
        "E405",
        f"{shown(path)} is no whole .tflite file",
        value=reason,
        help="copy it again, or convert the model again",
    )
