"""Memory for intermediate arrays, kept from tile to tile.

A fresh array of a megabyte costs about as much as filling it: the system maps every page of it
anew.  The arrays of a tile are few and small, so each thread keeps one of each kind and uses it
again; larger ones are not kept.
"""

from __future__ import annotations

import threading
from math import prod
from typing import Any

import numpy as np

from convt_cli.operators.dtypes import Array

_LARGEST_KEPT = 16 * 2**20


class _Kept(threading.local):
    def __init__(self) -> None:
        self.buffers: dict[str, Array] = {}


_KEPT = _Kept()


def scratch(kind: str, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Array:
    """An array with any content, valid until the same thread asks for the same `kind` again."""
    needed = prod(shape) * dtype.itemsize
    if needed > _LARGEST_KEPT:
        return np.empty(shape, dtype)
    buffer = _KEPT.buffers.get(kind)
    if buffer is None or buffer.nbytes < needed:
        buffer = _KEPT.buffers[kind] = np.empty(needed, np.uint8)
    return buffer[:needed].view(dtype).reshape(shape)
