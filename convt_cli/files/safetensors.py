"""Reading w.safetensors#key, a format small enough to be read without its library.

Eight bytes give the length of a JSON header, which gives for every tensor a dtype, a shape and its
first and last byte behind the header.  As in the reference reader, the tensors must cover the file
without a gap.
"""

from __future__ import annotations

import json
import os
import re
from array import array
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from math import prod
from typing import Any, BinaryIO, NamedTuple, TypeGuard

import numpy as np

from convt_cli.errors import ArrayError, shown
from convt_cli.files.damage import damaged, missing_array, reporting_damage
from convt_cli.files.npy import read_exactly
from convt_cli.io import memory
from convt_cli.io.folders import Folder
from convt_cli.io.reading import Opened, open_regular
from convt_cli.operators.dtypes import Array, widened

_MOST_HEADER = 100_000_000  # bytes, as in the reference reader
_MEMORY_PER_BYTE = 8
"""Bytes taken for each byte of the header: its text twice, and every tensor's name and place."""
_MOST_DIGITS = 18
"""The most digits of a size, so that it fits into 64 bits."""
_MOST_AXES = 64  # as in NumPy 2

# JSON, one token at a time, as a header can be too large to be decoded as a whole.  The possessive
# `*+` never tries a shorter match, so that no text takes more than linear time.
_SPACE = r"[ \t\n\r]*+"
_STRING = r'"[^"\\]*+(?:\\.[^"\\]*+)*+"'
_OPENING = re.compile(rf"{_SPACE}\{{{_SPACE}")
_COLON = re.compile(rf"{_SPACE}:{_SPACE}")
_COMMA = re.compile(rf'{_SPACE}(?:,{_SPACE}(?=")|(?=\}}))')
_ENTRY = re.compile(r"\{[^{}]{0,4000}\}")
"""A tensor's dtype, shape and offsets; 4000 characters hold those of `_MOST_AXES` axes."""
_METADATA = re.compile(
    rf"\{{{_SPACE}(?:{_STRING}{_SPACE}:{_SPACE}{_STRING}{_SPACE},?+{_SPACE})*+\}}", re.DOTALL
)

# NumPy's dtype by the name in a header; all numbers are little-endian.
_DTYPES = {
    "F64": "<f8",
    "F32": "<f4",
    "F16": "<f2",
    "BF16": "<u2",  # NumPy has none: `widened` makes float32 of the bits
    "C64": "<c8",
    "BOOL": "?",
    "I64": "<i8",
    "I32": "<i4",
    "I16": "<i2",
    "I8": "<i1",
    "U64": "<u8",
    "U32": "<u4",
    "U16": "<u2",
    "U8": "<u1",
}


class _Tensor(NamedTuple):
    """One entry of the header."""

    element: str
    shape: tuple[int, ...]
    begin: int
    end: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Safetensors:
    """The arrays of the file `path`, which lies inside the spec's `folder`."""

    path: str
    folder: Folder

    def read(self, name: str) -> Array:
        """The array called `name`; without a name, the only one.  Raises as `read_safetensors`."""
        return read_safetensors(self.path, name, self.folder.opened)


def open_weights(path: str, folder: Folder) -> Safetensors:
    """The file `path`, which is opened once an array is asked for."""
    return Safetensors(path=path, folder=folder)


def read_safetensors(path: str, key: str, opened: Opened = open_regular) -> Array:
    """The array `key` of the file `path`; without a key, the only one.  bfloat16 is widened.

    Raises FileError (E401), ArrayError (E302, E303), RequestError (E501).
    """
    with opened(path) as file, reporting_damage(path):
        size = os.fstat(file.fileno()).st_size
        index = _Index(_tensors(_header(file, path, size), path), key)
        start = file.tell()
        index.require_seamless(path, size - start)
        tensor = index.chosen(path, key)
        if tensor.element not in _DTYPES:
            raise ArrayError(
                "E302",
                f"the array in {shown(path)} must be of a dtype that NumPy has, or BF16",
                value=f"got {shown(tensor.element)}",
                help="save it as F32: in PyTorch, tensor.float()",
            )
        dtype = np.dtype(_DTYPES[tensor.element])
        if prod(tensor.shape) * dtype.itemsize != tensor.end - tensor.begin:
            raise damaged(path, f"its shape {tensor.shape} does not have as many bytes")
        memory.require(2 * (tensor.end - tensor.begin), "the weight", help="use a larger machine")
        file.seek(start + tensor.begin)
        flat = read_exactly(file, path, prod(tensor.shape), dtype)
        return (widened(flat) if tensor.element == "BF16" else flat).reshape(tensor.shape)


def _header(file: BinaryIO, path: str, size: int) -> str:
    """The JSON text of the header."""
    length = int.from_bytes(file.read(8), "little")
    if size < 8 or length > min(size - 8, _MOST_HEADER):
        raise damaged(path, f"the header's length is {length}, the file's {size}")
    what = f"the header of {shown(path)}"
    memory.require(_MEMORY_PER_BYTE * length, what, help="use a larger machine")
    return file.read(length).decode("utf-8")


def _tensors(text: str, path: str) -> Iterator[tuple[str, _Tensor]]:
    """The name and the entry of each tensor, decoded one at a time as there can be very many."""
    at = _behind(_OPENING, text, 0)
    while text[at : at + 1] != "}":
        if text[at : at + 1] != '"':
            raise ValueError(f"its header has no name at character {at}")
        name, at = _DECODER.raw_decode(text, at)
        at = _behind(_COLON, text, at)
        entry = (_METADATA if name == "__metadata__" else _ENTRY).match(text, at)
        if entry is None:
            raise damaged(path, f"its header has no dtype, shape and offsets for '{shown(name)}'")
        if name != "__metadata__":
            yield name, _tensor(path, name, _DECODER.decode(entry[0]))
        at = _behind(_COMMA, text, entry.end())
    if text[at + 1 :].strip():
        raise ValueError("there is more behind the mapping in its header")


def _behind(mark: re.Pattern[str], text: str, at: int) -> int:
    """The place behind the `mark` at `at`.  Raises ValueError where the text has another there."""
    found = mark.match(text, at)
    if found is None:
        raise ValueError(f"its header is no JSON mapping at character {at}")
    return found.end()


def _size(digits: str) -> int:
    """An integer of the header.  Raises ValueError for more digits than any size has."""
    if len(digits) > _MOST_DIGITS:
        raise ValueError(f"a size in its header has {len(digits):,} digits")
    return int(digits)


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A JSON mapping as a dict.  Raises ValueError where two of its keys are equal."""
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a name stands twice in its header")
    return found


_DECODER = json.JSONDecoder(object_pairs_hook=_distinct, parse_int=_size)


def _tensor(path: str, name: str, entry: Any) -> _Tensor:
    """One entry of the header, with the types of its values checked."""
    shape, offsets = entry.get("shape"), entry.get("data_offsets")
    are_sizes = _are_sizes(shape) and _are_sizes(offsets) and len(offsets) == 2
    if isinstance(entry.get("dtype"), str) and are_sizes and len(shape) <= _MOST_AXES:
        return _Tensor(entry["dtype"], tuple(shape), *offsets)
    raise damaged(path, f"its header has no dtype, shape and offsets for '{shown(name)}'")


def _are_sizes(value: Any) -> TypeGuard[list[int]]:
    return isinstance(value, list) and all(type(size) is int and size >= 0 for size in value)


class _Index:
    """The names of all tensors, the bytes they take, and the entry of the one that is wanted."""

    def __init__(self, tensors: Iterable[tuple[str, _Tensor]], key: str) -> None:
        self.names: dict[str, None] = {}
        self.wanted: _Tensor | None = None
        self._spans = array("q")  # (begin, end) of every tensor, one after the other
        for name, tensor in tensors:
            if name in self.names:
                raise ValueError("a name stands twice in its header")
            self.names[name] = None
            self._spans.extend((tensor.begin, tensor.end))
            if name == key or not (key or self.wanted):
                self.wanted = tensor

    def require_seamless(self, path: str, size: int) -> None:
        """Raise ArrayError (E303) unless the tensors cover all `size` bytes, with no overlap."""
        # (tensors, 2), then in the order of begin and end
        spans = np.array(self._spans, np.int64).reshape(-1, 2)
        begins, ends = spans[np.lexsort(spans.T[::-1])].T
        reached = np.concatenate(([0], ends))
        wrong = np.flatnonzero((begins != reached[:-1]) | (ends < begins))
        if wrong.size:
            at = reached[wrong[0]]
            raise damaged(path, f"its tensors overlap, or leave a gap, at byte {at}")
        if reached[-1] != size:
            raise damaged(path, f"its tensors take {reached[-1]} bytes, there are {size}")

    def chosen(self, path: str, key: str) -> _Tensor:
        """The entry of the wanted tensor.  Raises FileError (E401) where there is none."""
        if self.wanted is None or (not key and len(self.names) > 1):
            raise missing_array(path, key, list(self.names))
        return self.wanted
