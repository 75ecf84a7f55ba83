"""The tensors of an ONNX model, dense and sparse, checked against what they claim to be.

A dense tensor has as many bytes as its sizes say.  A sparse one has the values that are not zero
and their indices, in ascending order.  The arguments called `stored` are protobuf's TensorProto
and SparseTensorProto.
"""

from __future__ import annotations

import struct
import sys
from array import array
from collections.abc import Callable, Iterator
from math import prod
from typing import Any, NamedTuple

from convt_cli.models.onnx.graph import MOST_VALUES, Tensor
from convt_cli.models.onnx.marks import extent_of

_MOST_AXES = 16
"""Axes of a tensor; a weight has 5 at most."""

_EXTERNAL = 1
"""ONNX's number for data that lies in another file."""

_INT64 = 7
"""ONNX's number of this type."""

Content = Callable[[Any], bytes]
"""Gives the bytes of a dense tensor, wherever they lie."""


class _Element(NamedTuple):
    """A type of number: its name in NumPy, and the size of one in bytes.

    A tensor without raw bytes has its numbers in protobuf's `field`, and `packed` is the letter
    by which Python's `array` packs them to raw bytes.
    """

    name: str
    size: int
    field: str
    packed: str


_ELEMENTS = {
    1: _Element("float32", 4, "float_data", "f"),
    2: _Element("uint8", 1, "int32_data", "B"),
    3: _Element("int8", 1, "int32_data", "b"),
    4: _Element("uint16", 2, "int32_data", "H"),
    5: _Element("int16", 2, "int32_data", "h"),
    6: _Element("int32", 4, "int32_data", "i"),
    7: _Element("int64", 8, "int64_data", "q"),
    9: _Element("bool", 1, "int32_data", "B"),
    10: _Element("float16", 2, "int32_data", "H"),
    11: _Element("float64", 8, "double_data", "d"),
    12: _Element("uint32", 4, "uint64_data", "I"),
    13: _Element("uint64", 8, "uint64_data", "Q"),
    14: _Element("complex64", 8, "float_data", "f"),
    15: _Element("complex128", 16, "double_data", "d"),
    16: _Element("bfloat16", 2, "int32_data", "H"),
}
"""By ONNX's number of the type; text and types of less than a byte are not read."""

_NEVER_SIZES = ("complex64", "complex128", "bfloat16")
"""Types in which models keep no sizes, so that import skips the numbers; `weights` reads them."""


def tensor_of(name: str, stored: Any, content: Content) -> Tensor:
    """The plain value of a tensor; `content` gives the bytes of dense ones in the model.

    Raises ValueError where it is not what it claims to be.
    """
    shape = tuple(stored.dims)
    if len(shape) > _MOST_AXES or any(size < 0 for size in shape):
        raise ValueError(f"the constant '{name}' has the shape {shape}")
    values = stored
    if is_sparse(stored):
        values = stored.values
        _require_places(name, stored)
    element = _ELEMENTS.get(values.data_type)
    if element is None:
        return Tensor(shape=shape, element="")
    for part in parts(stored):
        _require_complete(name, part)
    is_small = prod(shape) <= MOST_VALUES and element.name not in _NEVER_SIZES
    known = is_small and not any(map(is_outside, parts(stored)))
    packed = content_of(stored, content) if known else None
    return Tensor(shape=shape, element=element.name, packed=packed)


def is_sparse(stored: Any) -> bool:
    """Whether a tensor is a SparseTensorProto."""
    return bool(stored.DESCRIPTOR.name == "SparseTensorProto")


def parts(stored: Any) -> tuple[Any, ...]:
    """The dense tensors of a tensor: itself, or the values and the indices of a sparse one."""
    return (stored.values, stored.indices) if is_sparse(stored) else (stored,)


def is_outside(stored: Any) -> bool:
    """Whether a dense tensor's bytes lie in another file."""
    return bool(stored.data_location == _EXTERNAL)


def byte_count(stored: Any) -> int:
    """How many bytes a tensor takes by its shape; a sparse one, once it is dense."""
    size = _ELEMENTS[parts(stored)[0].data_type].size
    return size * prod(map(int, stored.dims))


def content_of(stored: Any, content: Content) -> bytes:
    """The bytes of a tensor, row-major and little-endian; `content` gives those of its parts.

    Raises ValueError where an index of a sparse tensor is outside of its shape.
    """
    if not is_sparse(stored):
        return content(stored)
    size = _ELEMENTS[stored.values.data_type].size
    values = content(stored.values)
    dense = bytearray(prod(stored.dims) * size)
    for number, place in enumerate(_places(stored, content(stored.indices))):
        dense[place * size : (place + 1) * size] = values[number * size : (number + 1) * size]
    return bytes(dense)


def own_content(stored: Any) -> bytes:
    """The bytes of a dense tensor that lie in the message, row-major and little-endian."""
    if stored.HasField("raw_data"):
        return bytes(stored.raw_data)
    element = _ELEMENTS[stored.data_type]
    return _in_machine_order(array(element.packed, getattr(stored, element.field))).tobytes()


def _in_machine_order(numbers: array[Any]) -> array[Any]:
    """`numbers` between little-endian order and the machine's, in place; either way is the same."""
    if sys.byteorder == "big":
        numbers.byteswap()
    return numbers


def _require_complete(name: str, stored: Any) -> None:
    """Raise ValueError unless a dense tensor has as many bytes as its shape takes."""
    if is_outside(stored):
        return
    promised, there = byte_count(stored), _length(stored, _ELEMENTS[stored.data_type])
    if promised != there:
        shape = tuple(stored.dims)
        raise ValueError(f"the constant '{name}' is {shape}, {promised} bytes, and has {there}")


def _length(stored: Any, element: _Element) -> int:
    """How many bytes the numbers of a dense tensor take, packed."""
    if stored.HasField("raw_data"):
        extent = extent_of(stored.raw_data)
        return extent.size if extent else len(stored.raw_data)
    return len(getattr(stored, element.field)) * struct.calcsize(element.packed)


def _require_places(name: str, sparse: Any) -> None:
    """Raise ValueError unless every value of a sparse tensor has an index, of int64."""
    count, rank = tuple(sparse.values.dims), len(sparse.dims)
    wanted = [count, (*count, rank)]  # (count,) of flat indices, or (count, rank)
    places = tuple(sparse.indices.dims)
    is_placed = len(count) == 1 and rank and places in wanted
    if not is_placed or sparse.indices.data_type != _INT64:
        raise ValueError(f"the sparse constant '{name}' has {places} indices for {count} values")


def _places(sparse: Any, content: bytes) -> Iterator[int]:
    """The flat indices of a sparse tensor's values, in ascending order.  Raises ValueError.

    `content` are the bytes of its indices: (count, rank), or (count,) of flat ones already.
    """
    numbers = _in_machine_order(array("q", content))
    shape = tuple(sparse.dims) if len(sparse.indices.dims) == 2 else (prod(sparse.dims),)
    before = -1
    for first in range(0, len(numbers), len(shape)):
        place = 0
        for index, size in zip(numbers[first:], shape):
            if not 0 <= index < size:
                raise ValueError(f"a sparse constant has the index {index} along an axis of {size}")
            place = place * size + index
        if place <= before:
            raise ValueError("the indices of a sparse constant do not ascend")
        yield place
        before = place
