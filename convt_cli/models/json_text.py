"""Mappings out of JSON texts that models hold, within bounds."""

from __future__ import annotations

import json
from typing import Any

_MOST_DIGITS = 18
"""The most digits of an integer, so that it fits into 64 bits."""

MEMORY_PER_BYTE = 12
"""Bytes that the values of a JSON text take for each byte of it."""

Fields = dict[str, Any]
"""A mapping of a JSON text."""


def mapping_in(content: bytes) -> Fields:
    """The mapping that a JSON text is.  Raises ValueError."""
    try:
        found = json.loads(content.decode("utf-8"), parse_int=_integer, parse_constant=_no_number)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    if not isinstance(found, dict):
        raise ValueError("it holds no mapping")
    return found


def _integer(digits: str) -> int:
    if len(digits) > _MOST_DIGITS + 1:
        raise ValueError(f"an integer has {len(digits):,} digits")
    return int(digits)


def _no_number(word: str) -> float:
    """inf, -inf and nan, which Python writes as JSON has no words for them."""
    return float(word.replace("Infinity", "inf"))
