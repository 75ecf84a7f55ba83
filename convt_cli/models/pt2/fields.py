"""Values out of the JSON texts of a `.pt2` file, each held against the kind it has to have."""

from __future__ import annotations

import json
from typing import Any, TypeVar

from convt_cli.errors import FileError, shown
from convt_cli.io import memory
from convt_cli.models.pt2.archive import Archive, damaged
from convt_cli.models.stored_zip import MORE_MEMORY

_MOST_DIGITS = 18
"""The most digits of an integer, so that it fits into 64 bits."""

_PER_BYTE, _PER_LIST, _PER_MAPPING = 20, 96, 160
"""Bytes that the values of a JSON text take: for each byte of it, with all numbers and texts, and
more for each list and each mapping that begins."""

_T = TypeVar("_T")

Fields = dict[str, Any]
"""A mapping of a JSON text."""


def read_json(archive: Archive, name: str) -> Fields:
    """The mapping in the JSON text `name`.  Raises FileError (E405), RequestError (E501)."""
    content = archive.read(name)
    what = f"the values in {shown(name)} of {shown(archive.path)}"
    memory.require(values_need(content), what, help=MORE_MEMORY)
    try:
        found = json.loads(content.decode("utf-8"), parse_int=_integer, parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        raise damaged(archive.path, f"{shown(name)} is no JSON text: {shown(str(error))}") from None
    if not isinstance(found, dict):
        raise damaged(archive.path, f"{shown(name)} holds no mapping")
    return found


def values_need(content: bytes) -> int:
    """Bytes of memory that the values of a JSON text take at most."""
    lists, mappings = content.count(b"["), content.count(b"{")
    return _PER_BYTE * len(content) + _PER_LIST * lists + _PER_MAPPING * mappings


def _integer(digits: str) -> int:
    if len(digits) > _MOST_DIGITS + 1:
        raise ValueError(f"an integer has {len(digits):,} digits")
    return int(digits)


def _no_number(word: str) -> float:
    """inf, -inf and nan, which PyTorch writes as JSON has no words for them."""
    return float(word.replace("Infinity", "inf"))


def field(fields: Fields, name: str, kind: type[_T]) -> _T:
    """The value of a key, which is there and of this kind.  Raises FileError (E405)."""
    value = fields.get(name)
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)) or _is_torn(value):
        raise FileError(
            "E405",
            f"a .pt2 file has the fields of PyTorch's schema: {name} is a {kind.__name__}",
            value=f"got {shown(value)[:60]}",
            help="export the model again",
        )
    return value


def _is_torn(value: object) -> bool:
    """Whether this is a text with half of a character, which no other file could hold."""
    torn = isinstance(value, str) and not value.isascii()
    return torn and any("\ud800" <= letter <= "\udfff" for letter in str(value))


def each(fields: Fields, name: str) -> list[Fields]:
    """The mappings in the list of a key.  Raises FileError (E405)."""
    return [field({name: entry}, name, dict) for entry in field(fields, name, list)]


def union(fields: Fields) -> tuple[str, Any]:
    """The one key of a mapping and its value, as a value of one of several kinds is written."""
    ((kind, value),) = fields.items() if len(fields) == 1 else [("", None)]
    return kind, value
