"""What it takes to parse a protobuf message, counted on its bytes before anything is built.

Two bytes can stand for a whole message, so a small file can become a large graph.  The fields
are walked by their lengths alone: numbers and names are passed over, messages are entered.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

MOST_FIELDS = 4_000_000
"""Fields of a message beyond which nothing more is counted: a few seconds' walk."""

_PER_MESSAGE = 250
"""Bytes that a message takes once it is parsed."""

_PER_KEPT_MESSAGE = 900
"""The same of one that becomes a value of this package, too."""

_KEPT = ("NodeProto", "AttributeProto", "TensorProto", "SparseTensorProto")

_PER_NAME = 300
"""The same of a name, with its places in tuples, sets and dictionaries."""

_PER_NUMBER = 48
"""The same of a number in an attribute."""

_PER_PACKED_BYTE = 16
"""A byte of packed numbers of a tensor can be one number of 8 bytes, which is copied once."""

_MOST_BITS = 70
"""Of a number on the wire: 10 bytes of 7."""

_MESSAGES, _TEXTS, _BYTES, _FIXED_SIZES = (10, 11), (9,), (12,), {1: 8, 2: 4, 6: 8, 7: 4}
_WITH_LENGTH = 2
_SKIPPED = {1: 8, 5: 4}
"""By protobuf's number of a wire type: the bytes of a number that has a fixed size."""


@dataclass(frozen=True, slots=True)
class Needs:
    """`size` bytes for `fields` fields; with more than `MOST_FIELDS` the counting ended there."""

    size: int
    fields: int


@dataclass(slots=True)
class _Field:
    """What is known of a field: the message in it, or what its contents cost, by the byte."""

    message: dict[int, _Field] | None = None
    per_field: int = 0
    per_byte: int = 0


_UNKNOWN = _Field(per_field=_PER_NUMBER, per_byte=2)


@dataclass(slots=True)
class _Schema:
    """The fields of every message type, by the type's name: types can hold themselves."""

    types: dict[str, dict[int, _Field]] = field(default_factory=dict)

    def of(self, descriptor: Any) -> dict[int, _Field]:
        known = self.types.get(descriptor.full_name)
        if known is not None:
            return known
        found = self.types[descriptor.full_name] = {}
        in_tensor = descriptor.name == "TensorProto"
        for one in descriptor.fields:
            found[one.number] = self._field(one, in_tensor=in_tensor)
        return found

    def _field(self, one: Any, *, in_tensor: bool) -> _Field:
        if one.type in _MESSAGES:
            kept = one.message_type.name in _KEPT
            cost = _PER_KEPT_MESSAGE if kept else _PER_MESSAGE
            return _Field(message=self.of(one.message_type), per_field=cost)
        if one.type in _TEXTS:
            return _Field(per_field=_PER_NAME, per_byte=8)  # letters take up to 4 bytes each
        if one.type in _BYTES:
            return _Field(per_field=_PER_NAME, per_byte=0 if in_tensor else 3)
        per_byte = _PER_PACKED_BYTE if in_tensor else _PER_NUMBER
        return _Field(per_field=_PER_NUMBER, per_byte=per_byte // _FIXED_SIZES.get(one.type, 1))


def parsing_needs(content: bytes, descriptor: Any) -> Needs:
    """What parsing `content` as a message of the type `descriptor` takes beside its bytes.

    Where the bytes are no message the counting ends, as parsing does.
    """
    counted = _Count()
    with suppress(_NoMessage, IndexError):  # IndexError: the bytes end within a number
        _count(content, _Schema().of(descriptor), counted)
    return Needs(counted.size, counted.fields)


class _NoMessage(Exception):
    """The bytes are none of protobuf's."""


@dataclass(slots=True)
class _Count:
    """What has been counted so far."""

    size: int = 0
    fields: int = 0


def _count(content: bytes, known: dict[int, _Field], counted: _Count) -> None:
    """Walk over the fields of nested messages, up to `MOST_FIELDS`."""
    place, end = 0, len(content)
    outer: list[tuple[int, dict[int, _Field]]] = []
    while counted.fields <= MOST_FIELDS:
        while place >= end:
            if place > end or not outer:
                return
            end, known = outer.pop()
        counted.fields += 1
        tag, place = _number(content, place)
        one, kind = known.get(tag >> 3, _UNKNOWN), tag & 7
        counted.size += one.per_field
        if kind != _WITH_LENGTH:
            place = _behind(content, place, kind)
            continue
        length, place = _number(content, place)
        if one.message is None or not length:
            counted.size += length * one.per_byte
            place += length
        else:
            outer.append((end, known))
            end, known = place + length, one.message


def _number(content: bytes, place: int) -> tuple[int, int]:
    """The number at `place`, 7 bits a byte and the lowest first, and the place behind it."""
    number = content[place]
    place += 1
    if number < 128:
        return number, place
    number &= 127
    for shift in range(7, _MOST_BITS, 7):
        byte = content[place]
        place += 1
        number |= (byte & 127) << shift
        if byte < 128:
            return number, place
    raise _NoMessage


def _behind(content: bytes, place: int, kind: int) -> int:
    """The place behind a field that holds one number, which begins at `place`."""
    return _number(content, place)[1] if kind == 0 else place + _SKIPPED.get(kind, 0)
