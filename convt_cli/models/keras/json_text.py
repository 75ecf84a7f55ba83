"""The JSON texts of Keras models, read within bounds."""

from __future__ import annotations

import json
from typing import Any

from convt_cli.errors import shown
from convt_cli.io import memory
from convt_cli.models.keras.archive import damaged
from convt_cli.models.stored_zip import MORE_MEMORY

_MOST_DIGITS = 18
"""The most digits of an integer, so that it fits into 64 bits."""

_PER_BYTE, _PER_LIST, _PER_MAPPING = 20, 96, 160
"""Bytes that the values of a JSON text take: for each byte of it, with all numbers and texts, and
more for each list and each mapping that begins."""

Fields = dict[str, Any]
"""A mapping of a JSON text."""


def mapping_in(content: bytes, name: str, path: str) -> Fields:
    """The mapping that the JSON text `name` of the file `path` is.

    Raises FileError (E405), RequestError (E501).
    """
    what = f"the values in {shown(name)} of {shown(path)}"
    lists, mappings = content.count(b"["), content.count(b"{")
    needed = _PER_BYTE * len(content) + _PER_LIST * lists + _PER_MAPPING * mappings
    memory.require(needed, what, help=MORE_MEMORY)
    try:
        found = json.loads(content.decode("utf-8"), parse_int=_integer, parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        raise damaged(path, f"{shown(name)} is no JSON text: {shown(str(error))}") from None
    if not isinstance(found, dict):
        raise damaged(path, f"{shown(name)} holds no mapping")
    return found


def _integer(digits: str) -> int:
    if len(digits) > _MOST_DIGITS + 1:
        raise ValueError(f"an integer has {len(digits):,} digits")
    return int(digits)


def _no_number(word: str) -> float:
    """inf, -inf and nan, which Python writes as JSON has no words for them."""
    return float(word.replace("Infinity", "inf"))
