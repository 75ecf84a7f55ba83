"""Memory for intermediate arrays, kept from tile to tile.

A fresh array of a megabyte costs about as much as filling it: the system maps every page of it
anew.  The arrays of a tile are few and small, so each thread keeps one of each kind and uses it
again; larger ones are not kept.  All begin with a line of the cache: numbers that a processor
reads many at a time lie in one line then, and a small product takes two thirds of the time.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from math import prod
from typing import Any

import numpy as np

from convt_cli.operators.dtypes import Array

_LARGEST_KEPT = 16 * 2**20
LINE = 64
"""Bytes of a line of the cache."""


class _Kept(threading.local):
    """Of one thread: the memory that is in use, and what waits for its next use."""

    def __init__(self) -> None:
        self.buffers: dict[str, Array] = {}
        self.idle: dict[str, Array] = {}


_KEPT = _Kept()


@contextmanager
def lent() -> Iterator[None]:
    """Within, this thread's memory is in use.

    What interrupts that in the same thread, as a signal's handler does, has memory of its own.
    """
    interrupted = _KEPT.buffers
    _KEPT.buffers, _KEPT.idle = _KEPT.idle, {}
    try:
        yield
    finally:
        _KEPT.buffers, _KEPT.idle = interrupted, _KEPT.buffers


def scratch(kind: str, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Array:
    """An array with any content, valid until the same thread asks for the same `kind` again."""
    needed = prod(shape) * dtype.itemsize
    if needed > _LARGEST_KEPT:
        return _aligned(needed).view(dtype).reshape(shape)
    buffer = _KEPT.buffers.get(kind)
    if buffer is None or buffer.nbytes < needed:
        buffer = _KEPT.buffers[kind] = _aligned(needed)
    return buffer[:needed].view(dtype).reshape(shape)


def scratch_rows(kind: str, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Array:
    """The same, of which every row of the last axis begins with a line of the cache.

    Rows lie an odd number of lines apart, so that those of a product do not displace each other.
    """
    lines = -(-shape[-1] * dtype.itemsize // LINE) | 1
    rows = scratch(kind, (*shape[:-1], lines * LINE // dtype.itemsize), dtype)
    return rows[..., : shape[-1]]


def _aligned(size: int) -> Array:
    memory = np.empty(size + LINE, np.uint8)
    first = -memory.ctypes.data % LINE
    return memory[first : first + size]
