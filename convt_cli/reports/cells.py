"""Measured numbers as the text of table cells, and as JSON values."""

from __future__ import annotations

from collections.abc import Mapping
from math import isfinite
from typing import Any


def number(value: float | None, digits: int = 6) -> str | None:
    """`value` with `digits` significant digits; None stays None.

    >>> number(48.24643564), number(1e-7), number(2.0)
    ('48.2464', '1e-07', '2')
    """
    return None if value is None else f"{value:.{digits}g}"


def off(value: float | None, truth: float) -> str | None:
    """How far `value` is from `truth`, in per cent of `truth`; None where there is no such number.

    >>> off(31.9, 48.2), off(48.2, 48.2)
    ('-33.8%', '+0.0%')
    """
    if value is None or truth == 0:
        return None
    return f"{100 * (value / truth - 1) + 0.0:+.1f}%"


def finite(value: float | None) -> float | None:
    """`value`, or None where it is nan or inf, which JSON cannot express."""
    return None if value is None or not isfinite(value) else value


def sizes_text(shape: tuple[int, ...]) -> str:
    """A shape as (3, 4) is 3×4."""
    return "×".join(map(str, shape))


def layer_words(facts: Mapping[str, Any]) -> str:
    """A layer's type and window in a few words, of what `facts` tells of it.

    >>> layer_words({"type": "conv", "kernel_size": (3, 3), "stride": (2, 2), "groups": 1})
    'conv 3×3, stride 2'
    """
    words = str(facts["type"])
    if "groups" in facts or any(size != 1 for size in facts.get("kernel_size", ())):
        words += f" {sizes_text(facts['kernel_size'])}"
    for name in ("stride", "dilation"):
        sizes = facts.get(name, ())
        if any(size != 1 for size in sizes):
            words += f", {name} {sizes_text(sizes if len(set(sizes)) > 1 else sizes[:1])}"
    groups = facts.get("groups", 1)
    return words if groups == 1 else f"{words}, groups {groups}"
