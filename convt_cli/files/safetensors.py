"""Reading w.safetensors#key: the format is small enough to be read without its library.

Eight bytes say how long a JSON header is; it gives every tensor a dtype, a shape and the bytes
it takes of what follows.  As in the reference reader, these cover the file without a gap.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from math import prod
from typing import Any, BinaryIO, NamedTuple, TypeGuard

import numpy as np

from convt_cli.errors import ArrayError, shown
from convt_cli.files.arrays import damaged, missing_array, read_exactly, reporting_damage
from convt_cli.io import memory
from convt_cli.io.reading import Opened, open_regular
from convt_cli.operators.dtypes import Array

_MOST_HEADER = 100_000_000
_DTYPES = {
    "F64": "<f8",
    "F32": "<f4",
    "F16": "<f2",
    "BF16": "<u2",
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


def read_safetensors(path: str, key: str, opened: Opened = open_regular) -> Array:
    """The array `key` of the file `path`; without a key, the only one.  bfloat16 is widened.

    Raises FileError (E401), ArrayError (E302, E303), RequestError (E501).
    """
    with opened(path) as file, reporting_damage(path):
        size = os.fstat(file.fileno()).st_size
        tensors = _header(file, path, size)
        start = file.tell()
        _require_seamless(path, tensors.values(), size - start)
        tensor = _chosen(tensors, path, key)
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


def widened(bits: Array) -> Array:
    """bfloat16 numbers, given as integers, as float32: theirs are its upper 16 bits."""
    return (bits.astype(np.uint32) << 16).view(np.float32)


def _header(file: BinaryIO, path: str, size: int) -> dict[str, _Tensor]:
    length = int.from_bytes(file.read(8), "little")
    if size < 8 or length > min(size - 8, _MOST_HEADER):
        raise damaged(path, f"the header's length is {length}, the file's {size}")
    memory.require(10 * length, f"the header of {shown(path)}", help="use a larger machine")
    document = json.loads(file.read(length).decode("utf-8"), object_pairs_hook=_distinct)
    if not isinstance(document, dict):
        raise damaged(path, "its header is no mapping")
    document.pop("__metadata__", None)
    return {name: _tensor(path, name, entry) for name, entry in document.items()}


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a name stands twice in its header")
    return found


def _tensor(path: str, name: str, entry: Any) -> _Tensor:
    """One entry of the header, its kinds checked."""
    if isinstance(entry, dict) and isinstance(entry.get("dtype"), str):
        shape, offsets = entry.get("shape"), entry.get("data_offsets")
        if _are_sizes(shape) and _are_sizes(offsets) and len(offsets) == 2:
            begin, end = offsets
            return _Tensor(entry["dtype"], tuple(shape), begin, end)
    raise damaged(path, f"its header has no dtype, shape and offsets for '{shown(name)}'")


def _are_sizes(value: Any) -> TypeGuard[list[int]]:
    return isinstance(value, list) and all(type(size) is int and size >= 0 for size in value)


def _require_seamless(path: str, tensors: Iterable[_Tensor], size: int) -> None:
    """Raise ArrayError (E303) unless the tensors lie one behind the other, and to the end."""
    reached = 0
    for tensor in sorted(tensors, key=lambda one: (one.begin, one.end)):
        if tensor.begin != reached or tensor.end < tensor.begin:
            raise damaged(path, f"its tensors overlap, or leave a gap, at byte {reached}")
        reached = tensor.end
    if reached != size:
        raise damaged(path, f"its tensors take {reached} bytes, there are {size}")


def _chosen(tensors: dict[str, _Tensor], path: str, key: str) -> _Tensor:
    if key in tensors:
        return tensors[key]
    if not key and len(tensors) == 1:
        return next(iter(tensors.values()))
    raise missing_array(path, key, list(tensors))
