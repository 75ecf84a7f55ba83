"""HDF5 files as Keras writes them: texts in attributes, and where the numbers of an array stand.

HDF5's own library, on some damaged files, loops for ever where no signal reaches Python, or ends
the process; and it opens other files that a file names.  So it is not used: here is the part of the
format that Keras writes, which h5py does by default.  Groups are symbol tables, object headers are
of version 1, and arrays stand in one piece.  Links to other places and files, external storage,
virtual datasets and filters are refused.

Source: HDF5 File Format Specification 3.0; `messages` reads what object headers hold.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from math import prod
from struct import Struct
from typing import Any, BinaryIO

from convt_cli.errors import FileError, shown
from convt_cli.models.keras.archive import damaged
from convt_cli.models.keras.messages import (
    Attribute,
    Datatype,
    Unreadable,
    attribute,
    datatype,
    filters,
    layout,
    sizes,
)

_SIGNATURE = b"\x89HDF\r\n\x1a\n"
_SUPERBLOCK = Struct("<8sBxxxxBBxHHI")
_ADDRESSES = Struct("<4Q")
"""Behind it: of the begin, of free space, of the end, and of a driver's part."""
_ENTRY = Struct("<QQI20x")
"""A member of a group: where its name is in the heap, its object header, the kind of link."""
_HEADER = Struct("<BxHII4x")
_MESSAGE = Struct("<HHB3x")
_NODE = Struct("<4sBBH16x")
_LEAF = Struct("<4sBxH")
_HEAP = Struct("<4s4xQ8xQ")
_COLLECTION = Struct("<4sB3xQ")
_OBJECT = Struct("<HH4xQ")
_TEXT = Struct("<IQI")
"""A text of any length in an attribute: its bytes, its collection, and its number there."""
_PAIR = Struct("<QQ")

# the kinds of messages of an object header
_DATASPACE, _DATATYPE, _EXTERNAL, _LAYOUT, _FILTERS = 1, 3, 7, 8, 11
_LINK_INFO, _LINK, _MEMBERS = 2, 6, 17
_ATTRIBUTE, _NEXT = 12, 16
_OF_ARRAYS = {_DATASPACE, _DATATYPE, _EXTERNAL, _LAYOUT, _FILTERS}
"""The messages that describe an array."""

_SHARED = 2
"""The flag of a message that stands elsewhere."""
_SOFT = 2
"""The kind of a link by name."""
_MOST_TEXTS = 10_000
"""The most attributes over which a long list is spread."""
_LEAST_BUDGET = 2**20
"""Bytes that are read of any file, however small it is."""

Message = tuple[int, int, int]
"""(kind, offset, length) of a message in the file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """Where the numbers of an array stand: its type, its shape, and its place in the file."""

    kind: Datatype
    shape: tuple[int, ...]
    offset: int

    @property
    def size(self) -> int:
        """The bytes of all numbers."""
        return prod(self.shape) * self.kind.size


class Hdf5:
    """An open file; places are names with / between, "" being the root.

    Raises FileError (E404, E405) for what is not read.
    """

    def __init__(self, file: BinaryIO, path: str) -> None:
        self.path = path
        self._file = file
        self._size = file.seek(0, os.SEEK_END)
        # bytes that may be read: no part is read often, unless parts refer to each other
        self._budget = _LEAST_BUDGET + 8 * self._size
        self._members: dict[int, dict[str, tuple[int, int]]] = {}
        self._headers: dict[int, list[Message]] = {}
        self._collections: dict[int, dict[int, bytes]] = {}
        self._root = self._root_address()

    def has(self, place: str) -> bool:
        """Whether there is something at a place."""
        return self._at(place) is not None

    def text(self, place: str, name: str) -> bytes | None:
        """The attribute `name` at a place, which is one text; None without it."""
        found = self._texts(place, name)
        return found[0] if found else None

    def texts(self, place: str, name: str) -> list[str]:
        """An attribute that is a list of texts; Keras spreads a long one over NAME0, NAME1, ..."""
        found = self._texts(place, name)
        for number in range(_MOST_TEXTS if found is None else 0):
            part = self._texts(place, f"{name}{number}")
            if part is None:
                break
            found = [*(found or []), *part]
        return [one.decode("utf-8", "replace") for one in found or []]

    def stored(self, place: str) -> Stored | None:
        """Where the array at a place is kept; None where there is none."""
        header = self._at(place)
        found = {kind: (offset, length) for kind, offset, length in header or ()}
        if not {_DATASPACE, _DATATYPE, _LAYOUT} <= found.keys():
            return None
        what = f"'{shown(place)}'"
        parts = {kind: self._read(*found[kind]) for kind in found.keys() & _OF_ARRAYS}
        try:
            if _EXTERNAL in parts or filters(parts.get(_FILTERS, b"")):
                raise Unreadable("its numbers are packed, or in another file")
            shape, kind = sizes(parts[_DATASPACE]), datatype(parts[_DATATYPE])
            begin, length, is_inside = layout(parts[_LAYOUT])
        except Unreadable as error:
            raise damaged(self.path, f"{what}: {error}") from None
        offset = found[_LAYOUT][0] + begin if is_inside else begin
        stored = Stored(kind=kind, shape=shape, offset=offset)
        if stored.size != length or (length and not 0 < offset <= self._size - length):
            raise damaged(self.path, f"the numbers of {what} are not all in the file")
        return stored

    def numbers(self, stored: Stored) -> bytes:
        """The bytes of an array."""
        self._file.seek(stored.offset)
        return self._file.read(stored.size)

    def named(self, place: str, name: str) -> str:
        """The attribute `name` at a place as a word; "" without it."""
        return (self.text(place, name) or b"").decode("utf-8", "replace")

    # groups

    def _root_address(self) -> int:
        """Where the object header of the root is."""
        signature, version, offsets, lengths, *_ = self._unpacked(_SUPERBLOCK, 0)
        if signature != _SIGNATURE:
            raise damaged(self.path, "it is no HDF5 file")
        if version > 1 or (offsets, lengths) != (8, 8):
            raise damaged(self.path, f"its HDF5 is of version {version}, which Keras does not use")
        begin = _SUPERBLOCK.size + (4 if version else 0)
        base, _, _, _ = self._unpacked(_ADDRESSES, begin)
        if base:
            raise damaged(self.path, "its HDF5 does not begin where the file begins")
        _, address, _ = self._unpacked(_ENTRY, begin + _ADDRESSES.size)
        return int(address)

    def _at(self, place: str) -> list[Message] | None:
        """The messages of what is at a place, no link by name being followed; None for nothing."""
        address = self._root
        for name in filter(None, place.split("/")):
            found = self._members_of(address).get(name)
            if found is None:
                return None
            address, kind = found
            if kind == _SOFT:
                raise FileError(
                    "E404",
                    "the numbers of a Keras model are in its own file, and no links",
                    value=f"'{shown(place)}' of {shown(self.path)} is one",
                    help="save the model again with model.save",
                )
        return self._messages(address)

    def _members_of(self, address: int) -> dict[str, tuple[int, int]]:
        """The members of a group, by name: the address of each, and the kind of its link."""
        if address not in self._members:
            kinds = {kind: offset for kind, offset, _ in self._messages(address)}
            if kinds.keys() & {_LINK, _LINK_INFO}:
                raise damaged(self.path, "a group is of a newer kind, which Keras does not use")
            found = kinds.get(_MEMBERS)
            tables = () if found is None else self._unpacked(_PAIR, found)
            self._members[address] = dict(self._listed(*tables)) if tables else {}
        return self._members[address]

    def _listed(self, tree: int, heap: int) -> Iterator[tuple[str, tuple[int, int]]]:
        signature, length, begin = self._unpacked(_HEAP, heap)
        self._require(signature == b"HEAP", "a heap of names")
        names = self._read(begin, length)
        waiting = [tree]
        while waiting:
            node = waiting.pop()
            if self._read(node, 4) == b"SNOD":
                yield from self._entries(node, names)
            else:
                waiting.extend(reversed(self._children(node)))

    def _children(self, node: int) -> list[int]:
        """The addresses of the nodes below a node of a group's tree."""
        signature, kind, _, used = self._unpacked(_NODE, node)
        self._require(signature == b"TREE" and kind == 0, "a tree of names")
        # a key, then an address and a key for every node below
        content = self._read(node + _NODE.size, 16 * used)
        return [child for _, child in _PAIR.iter_unpack(content)]

    def _entries(self, node: int, names: bytes) -> Iterator[tuple[str, tuple[int, int]]]:
        _, version, count = self._unpacked(_LEAF, node)
        self._require(version == 1, "a list of names")
        content = self._read(node + _LEAF.size, _ENTRY.size * count)
        for begin, address, kind in _ENTRY.iter_unpack(content):
            end = names.find(b"\0", begin)
            self._require(begin <= end, "a name")
            yield names[begin:end].decode("utf-8", "replace"), (address, kind)

    # object headers

    def _messages(self, address: int) -> list[Message]:
        """The messages of the object header at `address`."""
        if address not in self._headers:
            version, count, _, length = self._unpacked(_HEADER, address)
            self._require(version == 1, "an object header")
            self._headers[address] = list(self._walked(address + _HEADER.size, length, count))
        return self._headers[address]

    def _walked(self, begin: int, length: int, count: int) -> Iterator[Message]:
        blocks, left = [(begin, length)], count
        while blocks and left:
            place, room = blocks.pop(0)
            while room >= _MESSAGE.size and left:
                kind, size, flags = self._unpacked(_MESSAGE, place)
                body = place + _MESSAGE.size
                self._require(size <= room - _MESSAGE.size, "a message")
                if kind == _NEXT:
                    blocks.append(self._pair(body))
                elif not flags & _SHARED:
                    yield kind, body, size
                place, room, left = body + size, room - _MESSAGE.size - size, left - 1

    def _pair(self, offset: int) -> tuple[int, int]:
        first, second = self._unpacked(_PAIR, offset)
        return first, second

    # attributes

    def _texts(self, place: str, name: str) -> list[bytes] | None:
        """The texts that an attribute holds; None without it, or where it holds something else."""
        for kind, offset, length in self._at(place) or ():
            if kind == _ATTRIBUTE:
                try:
                    found = attribute(self._read(offset, length))
                except Unreadable as error:
                    raise damaged(self.path, f"an attribute: {error}") from None
                if found.name == name.encode():
                    return self._texts_in(found)
        return None

    def _texts_in(self, found: Attribute) -> list[bytes] | None:
        size, count = found.kind.size, prod(found.shape)
        if not found.kind.is_text or size < 1:
            return None
        self._require(count * size <= len(found.content), "an attribute")
        parts = [found.content[size * n : size * (n + 1)] for n in range(count)]
        if found.kind.is_long:
            return [self._long_text(*_TEXT.unpack(part)) for part in parts]
        return [part.partition(b"\0")[0] for part in parts]

    def _long_text(self, length: int, address: int, number: int) -> bytes:
        """A text that is kept in a collection."""
        if not length:
            return b""
        if address not in self._collections:
            self._collections[address] = dict(self._objects(address))
        content = self._collections[address].get(number, b"")
        self._require(length <= len(content), "a text")
        return content[:length]

    def _objects(self, address: int) -> Iterator[tuple[int, bytes]]:
        signature, _, length = self._unpacked(_COLLECTION, address)
        self._require(signature == b"GCOL" and length > _COLLECTION.size, "a collection of texts")
        content = self._read(address, length)
        place = _COLLECTION.size
        while place + _OBJECT.size <= length:
            number, _, size = _OBJECT.unpack_from(content, place)
            if not number:
                return
            place += _OBJECT.size
            yield number, content[place : place + size]
            place += size + -size % 8

    # bytes

    def _unpacked(self, struct: Struct, offset: int) -> tuple[Any, ...]:
        return struct.unpack(self._read(offset, struct.size))

    def _read(self, offset: int, length: int) -> bytes:
        self._budget -= length
        self._require(0 <= offset <= self._size - length and self._budget > 0, "a part of it")
        self._file.seek(offset)
        return self._file.read(length)

    def _require(self, is_whole: bool, what: str) -> None:
        if not is_whole:
            raise damaged(self.path, f"{what} is not as HDF5 has it")
