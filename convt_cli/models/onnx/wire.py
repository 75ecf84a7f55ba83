"""The memory that parsing a protobuf message takes, counted on its bytes beforehand.

Two bytes can stand for a whole message, so a small file can become a large graph.  The fields
are walked by their lengths alone: numbers and names are passed over, messages are entered.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

MOST_FIELDS = 4_000_000
"""How many fields are counted at most; that takes a few seconds, and more are refused."""

_PER_MESSAGE = 250
"""Bytes of memory that a parsed message takes."""

_PER_KEPT_MESSAGE = 900
"""Bytes of a parsed message that also becomes a value of `graph`."""

_KEPT = ("NodeProto", "AttributeProto", "TensorProto", "SparseTensorProto")
"""The types of such messages."""

_PER_NAME = 300
"""Bytes of a name, with its places in tuples, sets and dictionaries."""

_PER_NUMBER = 48
"""Bytes of a number in an attribute."""

_PER_PACKED_BYTE = 16
"""Bytes for a byte of packed numbers: it can be a number of 8 bytes, which is copied once."""

_MOST_BITS = 70
"""Bits of a number on the wire: at most 10 bytes with 7 each."""

_MESSAGES, _TEXTS, _BYTES = (10, 11), (9,), (12,)
"""Protobuf's numbers of the types of fields that are messages, texts and bytes."""

_FIELD_SIZES = {1: 8, 2: 4, 6: 8, 7: 4}
"""Bytes on the wire of the field types that have a fixed size, by protobuf's number of the type."""

WITH_LENGTH = 2
"""Protobuf's number of the wire type whose fields begin with their length."""

_WIRE_SIZES = {1: 8, 5: 4}
"""Bytes of the wire types that have a fixed size, by protobuf's number of the wire type."""


@dataclass(frozen=True, slots=True)
class Needs:
    """The memory that parsing takes: `size` bytes for `fields` fields, counted to `MOST_FIELDS`."""

    size: int
    fields: int


@dataclass(slots=True)
class Field:
    """One field of a message type: the message in it, or else the bytes that its content takes.

    Memory is `per_field`, and `per_byte` for each byte that the content has on the wire.
    `is_raw` says that the content is the numbers of a tensor, as they lie in memory.
    """

    message: dict[int, Field] | None = None
    is_raw: bool = False
    per_field: int = 0
    per_byte: int = 0


_UNKNOWN = Field(per_field=_PER_NUMBER, per_byte=2)
"""A field that the schema does not have; protobuf keeps its bytes."""


@dataclass(slots=True)
class Schema:
    """The fields of message types, by the type's name and the field's number.

    Types are described once, as they are met, because a type can hold itself.
    """

    types: dict[str, dict[int, Field]] = field(default_factory=dict)

    def of(self, descriptor: Any) -> dict[int, Field]:
        """The fields of one type, by their numbers."""
        known = self.types.get(descriptor.full_name)
        if known is not None:
            return known
        found = self.types[descriptor.full_name] = {}
        in_tensor = descriptor.name == "TensorProto"
        for one in descriptor.fields:
            found[one.number] = self._field(one, in_tensor=in_tensor)
        return found

    def _field(self, one: Any, *, in_tensor: bool) -> Field:
        if one.type in _MESSAGES:
            kept = one.message_type.name in _KEPT
            cost = _PER_KEPT_MESSAGE if kept else _PER_MESSAGE
            return Field(message=self.of(one.message_type), per_field=cost)
        if one.type in _TEXTS:
            return Field(per_field=_PER_NAME, per_byte=8)  # letters take up to 4 bytes each
        if one.type in _BYTES:
            is_raw = in_tensor and one.name == "raw_data"
            return Field(is_raw=is_raw, per_field=_PER_NAME, per_byte=0 if in_tensor else 3)
        per_byte = _PER_PACKED_BYTE if in_tensor else _PER_NUMBER
        return Field(per_field=_PER_NUMBER, per_byte=per_byte // _FIELD_SIZES.get(one.type, 1))


def parsing_needs(content: bytes, descriptor: Any) -> Needs:
    """The memory for parsing `content` as a message of the type `descriptor`, beside its bytes.

    The counting ends where the bytes are no message, as parsing does.
    """
    counted = _Count()
    with suppress(NoMessage, IndexError):  # IndexError: the bytes end within a number
        _count(content, Schema().of(descriptor), counted)
    return Needs(counted.size, counted.fields)


class NoMessage(Exception):
    """The bytes are no protobuf message."""


@dataclass(slots=True)
class _Count:
    """The sums so far: bytes of memory, and fields."""

    size: int = 0
    fields: int = 0


def _count(content: bytes, known: dict[int, Field], counted: _Count) -> None:
    """Walk over the fields of nested messages, up to `MOST_FIELDS`."""
    place, end = 0, len(content)
    outer: list[tuple[int, dict[int, Field]]] = []  # ends and fields of the messages around
    while counted.fields <= MOST_FIELDS:
        while place >= end:
            if place > end or not outer:
                return
            end, known = outer.pop()
        counted.fields += 1
        tag, place = number_at(content, place)  # the field's number, and 3 bits of wire type
        one, kind = known.get(tag >> 3, _UNKNOWN), tag & 7
        counted.size += one.per_field
        if kind != WITH_LENGTH:
            place = behind(content, place, kind)
            continue
        length, place = number_at(content, place)
        if one.message is None or not length:
            counted.size += length * one.per_byte
            place += length
        else:
            outer.append((end, known))
            end, known = place + length, one.message


def number_at(content: bytes, place: int) -> tuple[int, int]:
    """The varint at `place` (7 bits a byte, the lowest first), and the place behind it."""
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
    raise NoMessage


def behind(content: bytes, place: int, kind: int) -> int:
    """The place behind a field of one number that begins at `place`."""
    return place + _WIRE_SIZES.get(kind, 0) if kind else number_at(content, place)[1]
