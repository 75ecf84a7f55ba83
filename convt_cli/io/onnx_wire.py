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
    walk = _Walk(content)
    with suppress(_NoMessage, IndexError):  # IndexError: the bytes end within a number
        walk.through(_Schema().of(descriptor))
    return Needs(walk.size, walk.fields)


class _NoMessage(Exception):
    """The bytes are none of protobuf's."""


class _Walk:
    """A walk over the fields of nested messages."""

    def __init__(self, content: bytes) -> None:
        self.size = 0
        self.fields = 0
        self._content = content
        self._place = 0

    def through(self, known: dict[int, _Field]) -> None:
        """Count what the messages take, up to `MOST_FIELDS` fields."""
        end = len(self._content)
        outer: list[tuple[int, dict[int, _Field]]] = []
        while self.fields <= MOST_FIELDS:
            while self._place >= end:
                if self._place > end or not outer:
                    return
                end, known = outer.pop()
            self.fields += 1
            tag = self._number()
            one, kind = known.get(tag >> 3, _UNKNOWN), tag & 7
            self.size += one.per_field
            if kind != 2:
                self._skip(kind)
                continue
            length = self._number()
            if one.message is None:
                self.size += length * one.per_byte
                self._place += length
            else:
                outer.append((end, known))
                end, known = self._place + length, one.message

    def _number(self) -> int:
        """The number at this place, 7 bits a byte, the lowest first."""
        content, place = self._content, self._place
        byte = content[place]
        place += 1
        number, shift = byte & 127, 7
        while byte > 127:
            if shift == _MOST_BITS:
                raise _NoMessage
            byte = content[place]
            place += 1
            number |= (byte & 127) << shift
            shift += 7
        self._place = place
        return number

    def _skip(self, kind: int) -> None:
        """Pass over a field that holds one number."""
        if kind in _SKIPPED:
            self._place += _SKIPPED[kind]
        elif kind == 0:
            self._number()
