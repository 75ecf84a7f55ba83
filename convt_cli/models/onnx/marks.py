"""A model's message without the numbers of its tensors, which stay in the file until asked for.

In place of numbers stands a mark, which says where in the file they lie.  Marks are longer than
any numbers that are kept, so the two cannot be mistaken for each other, whatever a file holds.
"""

from __future__ import annotations

import os
import struct
from typing import Any, BinaryIO, NamedTuple

from convt_cli.models.onnx import wire
from convt_cli.models.onnx.wire import WITH_LENGTH, Field, NoMessage, Schema, behind, number_at

KEPT = 2**10
"""Bytes of numbers up to which they are kept; in place of more there is a mark."""

_MARK = struct.Struct(f"<QQ{KEPT - 15}x")
"""Place and size of the numbers, filled up to one byte more than `KEPT`."""

_MOST_HEAD = 20
"""Bytes in front of a field's content at most: two numbers, of 10 bytes each."""

_DEEPEST = 200
"""Messages within each other that are entered; protobuf parses 100."""

_BEGIN_GROUP, _END_GROUP = 3, 4
"""Protobuf's numbers of the wire types that enclose fields of no length; ONNX has none."""


class Extent(NamedTuple):
    """`size` bytes from `place` on in the file."""

    place: int
    size: int


class Edit(NamedTuple):
    """The bytes of the file from `begin` to `end` are `content` in the message."""

    begin: int
    end: int
    content: bytes


def extent_of(raw: bytes) -> Extent | None:
    """Where the numbers lie in whose place `raw` is a mark; None for numbers that were kept."""
    return Extent(*_MARK.unpack(raw)) if len(raw) > KEPT else None


def read_extent(file: BinaryIO, extent: Extent) -> bytes:
    """The bytes that an extent is of.  Raises ValueError where the file ends before."""
    file.seek(extent.place)
    content = file.read(extent.size)
    if len(content) < extent.size:
        raise ValueError("it was cut while it was read")
    return content


def marking(file: BinaryIO, descriptor: Any) -> list[Edit]:
    """The edits that put marks for numbers, in the order of the file.

    Only lengths are looked at, and only in messages that can hold so many numbers.  Raises
    NoMessage where they do not fit into each other, and for too many fields.
    """
    marker = _Marker(file)
    try:
        marker.message(Extent(0, _size(file)), Schema().of(descriptor))
    except IndexError:  # the bytes end within a number
        raise NoMessage from None
    return sorted(marker.edits)


def edited(file: BinaryIO, edits: list[Edit]) -> bytes:
    """The bytes of the file after the edits."""
    pieces, place = [], 0
    for edit in edits:
        file.seek(place)
        pieces += [file.read(edit.begin - place), edit.content]
        place = edit.end
    file.seek(place)
    return b"".join([*pieces, file.read(_size(file) - place)])


def edited_size(file: BinaryIO, edits: list[Edit]) -> int:
    """How many bytes `edited` gives."""
    return _size(file) - sum(edit.end - edit.begin - len(edit.content) for edit in edits)


def _size(file: BinaryIO) -> int:
    return os.fstat(file.fileno()).st_size


class _Field(NamedTuple):
    """A field in the file; its length, in the bytes from `length_place` on, is before `content`."""

    number: int
    kind: int
    length_place: int
    content: Extent

    @property
    def end(self) -> int:
        return self.content.place + self.content.size


class _Marker:
    """Walks over the messages of a file, and notes the edits."""

    def __init__(self, file: BinaryIO) -> None:
        self.edits: list[Edit] = []
        self._file = file
        self._fields = 0

    def message(self, extent: Extent, known: dict[int, Field], depth: int = 0) -> int:
        """How many bytes a message loses by the edits in it, which are noted."""
        lost, groups, place = 0, 0, extent.place
        end = place + extent.size
        while place < end:
            field = self._field(place)
            place = field.end
            if place > end or depth > _DEEPEST:
                raise NoMessage
            groups += (field.kind == _BEGIN_GROUP) - (field.kind == _END_GROUP)
            one = known.get(field.number)
            if one and not groups and field.kind == WITH_LENGTH and field.content.size > KEPT:
                lost += self._large(field, one, depth)
        return lost

    def _field(self, place: int) -> _Field:
        """The field that begins at `place`."""
        self._fields += 1
        if self._fields > wire.MOST_FIELDS:
            raise NoMessage
        self._file.seek(place)
        head = self._file.read(_MOST_HEAD)
        tag, used = number_at(head, 0)
        if tag & 7 != WITH_LENGTH:
            content = Extent(place + behind(head, used, tag & 7), 0)
            return _Field(tag >> 3, tag & 7, place, content)
        length, begin = number_at(head, used)
        return _Field(tag >> 3, WITH_LENGTH, place + used, Extent(place + begin, length))

    def _large(self, field: _Field, one: Field, depth: int) -> int:
        """How many bytes a field loses that is long enough to hold numbers to be marked."""
        content = field.content
        if one.is_raw:
            lost = content.size - _MARK.size
            self._edit(field, _MARK.size, field.end, _MARK.pack(*content))
        else:
            lost = self.message(content, one.message, depth + 1) if one.message else 0
            if lost:
                self._edit(field, content.size - lost, content.place, b"")
        return lost

    def _edit(self, field: _Field, size: int, end: int, content: bytes) -> None:
        """Note that a field has `size` bytes now, and `content` up to `end`."""
        width = field.content.place - field.length_place
        self.edits.append(Edit(field.length_place, end, _length(size, width) + content))


def _length(size: int, width: int) -> bytes:
    """A length as protobuf writes it, 7 bits a byte, in `width` bytes: zeros may follow."""
    bits = [size >> 7 * number & 127 for number in range(width)]
    return bytes([*(one | 128 for one in bits[:-1]), bits[-1]])
