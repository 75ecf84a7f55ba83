"""Values out of the JSON texts of a `.pt2` file, each held against the kind it has to have."""

from __future__ import annotations

from typing import Any, TypeVar

from convt_cli.errors import FileError, shown
from convt_cli.models.json_text import MEMORY_PER_BYTE, Fields, mapping_in
from convt_cli.models.pt2.archive import Archive, damaged

_T = TypeVar("_T")


def read_json(archive: Archive, name: str) -> Fields:
    """The mapping in the JSON text `name`.  Raises FileError (E405), RequestError (E501)."""
    content = archive.read(name, factor=MEMORY_PER_BYTE)
    try:
        return mapping_in(content)
    except ValueError as error:
        raise damaged(archive.path, f"{shown(name)} is no JSON text: {shown(str(error))}") from None


def field(fields: Fields, name: str, kind: type[_T]) -> _T:
    """The value of a key, which is there and of this kind.  Raises FileError (E405)."""
    value = fields.get(name)
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        raise FileError(
            "E405",
            f"a .pt2 file has the fields of PyTorch's schema: {name} is a {kind.__name__}",
            value=f"got {shown(value)[:60]}",
            help="export the model again",
        )
    return value


def each(fields: Fields, name: str) -> list[Fields]:
    """The mappings in the list of a key.  Raises FileError (E405)."""
    return [field({name: entry}, name, dict) for entry in field(fields, name, list)]


def union(fields: Fields) -> tuple[str, Any]:
    """The one key of a mapping and its value, as a value of one of several kinds is written."""
    ((kind, value),) = fields.items() if len(fields) == 1 else [("", None)]
    return kind, value
