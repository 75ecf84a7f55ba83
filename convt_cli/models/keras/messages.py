"""The messages of an HDF5 object header: sizes, types, attributes, and places of numbers.

Each function takes the bytes of one message, and raises Unreadable for one of another form than
h5py writes.  Source: HDF5 File Format Specification 3.0, IV.A.2.
"""

from __future__ import annotations

from dataclasses import dataclass
from struct import Struct, error, unpack_from
from typing import Any

_INTEGER, _FLOAT, _TEXT, _OPAQUE, _LONG = 0, 1, 3, 5, 9
"""The classes of types that are read; the last one is of any length."""

_FLOATS = {(2, 5, 10): "f2", (4, 8, 23): "f4", (8, 11, 52): "f8", (2, 8, 7): "bfloat16"}
"""NumPy's name of a number by its bytes, and the bits of its exponent and of its mantissa."""

_ATTRIBUTE = Struct("<BBHHH")
_MOST_AXES = 32
_UNDEFINED = 2**64 - 1
"""The address of what is not there."""


class Unreadable(Exception):
    """A message of a form that is not read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Datatype:
    """The type of an element, of `size` bytes.

    `number` is NumPy's name of it without the order of bytes, "" for no number, and `order` that
    order, < or >.  A text `is_long` where it stands elsewhere.
    """

    size: int
    number: str = ""
    order: str = "<"
    is_text: bool = False
    is_long: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Attribute:
    """An attribute, its elements one after the other in `content`."""

    name: bytes
    kind: Datatype
    shape: tuple[int, ...]
    content: bytes


def sizes(message: bytes) -> tuple[int, ...]:
    """The sizes of a dataspace; () for one element."""
    version, rank = _unpacked("<BB", message)
    begin = {1: 8, 2: 4}.get(version)
    if begin is None or rank > _MOST_AXES:
        raise Unreadable(f"a shape of version {version} with {rank} axes")
    return _unpacked(f"<{rank}Q", message, begin)


def datatype(message: bytes) -> Datatype:
    """The type of the elements of an array or an attribute."""
    first, bits, size = _unpacked("<BBxxI", message)
    kind, order = first & 15, ">" if bits & 1 else "<"
    if kind == _INTEGER:
        offset, precision = _unpacked("<HH", message, 8)
        if size in (1, 2, 4, 8) and (offset, precision) == (0, 8 * size):
            return Datatype(size=size, number=f"{'i' if bits & 8 else 'u'}{size}", order=order)
    if kind == _FLOAT:
        exponent, mantissa = _unpacked("<xxxxxBxB", message, 8)
        return Datatype(size=size, number=_FLOATS.get((size, exponent, mantissa), ""), order=order)
    if kind == _LONG:
        return Datatype(size=size, is_text=bits & 15 == 1 and size == 16, is_long=True)
    return Datatype(size=size, is_text=kind == _TEXT, number="V2" if kind == _OPAQUE else "")


def layout(message: bytes) -> tuple[int, int, bool]:
    """(begin, length, is_inside): where numbers are, in the message itself or in the file."""
    version, kind = _unpacked("<BB", message)
    if version == 3 and kind == 0:
        (length,) = _unpacked("<H", message, 2)
        return 4, length, True
    if version == 3 and kind == 1:
        begin, length = _unpacked("<QQ", message, 2)
        return (0 if begin == _UNDEFINED else begin), length, False
    raise Unreadable("its numbers are in chunks, or in another file")


def filters(message: bytes) -> int:
    """How many filters numbers are packed by."""
    return message[1] if len(message) > 1 else 0


def attribute(message: bytes) -> Attribute:
    """An attribute with its name and its elements."""
    version, _, *lengths = _unpacked(_ATTRIBUTE.format, message)
    if version not in (1, 3):
        raise Unreadable(f"one of version {version}")
    place, parts = _ATTRIBUTE.size + (version == 3), []
    for length in lengths:
        parts.append(message[place : place + length])
        place += length + (-length % 8 if version == 1 else 0)
    name, kind, space = parts
    return Attribute(
        name=name.partition(b"\0")[0],
        kind=datatype(kind),
        shape=sizes(space),
        content=message[place:],
    )


def _unpacked(format: str, message: bytes, begin: int = 0) -> tuple[Any, ...]:
    try:
        return unpack_from(format, message, begin)
    except error:
        raise Unreadable("a message that is cut short") from None
