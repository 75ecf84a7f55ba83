"""Scratch memory: intermediate arrays that are used again from tile to tile.

A fresh array of a megabyte costs about as much as filling it, because the system maps each of its
pages anew.  A tile needs few arrays and small ones, so each thread keeps one buffer of each kind;
larger buffers are not kept.  Every buffer begins at a cache line: then no vector load crosses two
lines, and a small product takes two thirds of the time.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from math import prod
from typing import Any

import numpy as np

from convt_cli.arithmetic.axis import ceil_div
from convt_cli.operators.dtypes import Array

_LARGEST_KEPT = 16 * 2**20
"""The largest buffer, in bytes, that a thread keeps of each kind; few of a tile are larger."""

LINE = 64
"""Bytes of a line of the processor's cache."""


class _Kept(threading.local):
    """One thread's buffers by kind: `buffers` are in use, `idle` wait for the next `lent`."""

    def __init__(self) -> None:
        self.buffers: dict[str, Array] = {}
        self.idle: dict[str, Array] = {}


_KEPT = _Kept()


@contextmanager
def lent() -> Iterator[None]:
    """Within, the caller has this thread's scratch memory to itself.

    Code that interrupts it in the same thread, such as a signal handler that computes a
    convolution of its own, enters here a second time and gets other buffers.
    """
    interrupted = _KEPT.buffers
    _KEPT.buffers, _KEPT.idle = _KEPT.idle, {}
    try:
        yield
    finally:
        _KEPT.buffers, _KEPT.idle = interrupted, _KEPT.buffers


def release_scratch() -> None:
    """Free this thread's buffers.  Arrays that still use one keep it alive."""
    _KEPT.buffers.clear()
    _KEPT.idle.clear()


def scratch(kind: str, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Array:
    """An uninitialised array, valid until the same thread asks for the same `kind` again."""
    needed = prod(shape) * dtype.itemsize
    if needed > _LARGEST_KEPT:
        return _aligned(needed).view(dtype).reshape(shape)
    buffer = _KEPT.buffers.get(kind)
    if buffer is None or buffer.nbytes < needed:
        buffer = _KEPT.buffers[kind] = _aligned(needed)
    return buffer[:needed].view(dtype).reshape(shape)


def scratch_rows(kind: str, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Array:
    """The same, but each row of the last axis begins at a cache line.

    Rows lie an odd number of lines apart.  At an even number many rows would fall into the same
    few places of the cache, and displace each other during a product.
    """
    # | 1 makes the number of lines odd.
    lines = ceil_div(shape[-1] * dtype.itemsize, LINE) | 1
    rows = scratch(kind, (*shape[:-1], lines * LINE // dtype.itemsize), dtype)
    return rows[..., : shape[-1]]


def _aligned(size: int) -> Array:
    """(size,) uninitialised bytes that begin at a cache line."""
    memory = np.empty(size + LINE, np.uint8)  # (size + LINE,): room to move the beginning
    first = -memory.ctypes.data % LINE
    return memory[first : first + size]
