"""`.tflite` files written by hand: flatbuffers of plain values, and graphs of a few nodes."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from convt_cli.models.tflite.schema import OPERATORS, OPTIONS, Option
from convt_cli.operators.dtypes import Array

FLOAT = 0
TYPES = {
    "float32": FLOAT,
    "float16": 1,
    "int32": 2,
    "uint8": 3,
    "int64": 4,
    "bool": 6,
    "int16": 7,
    "int8": 9,
}
"""The numbers of types by NumPy's names."""

UNIONS = {
    "CONV_2D": 1,
    "DEPTHWISE_CONV_2D": 2,
    "AVERAGE_POOL_2D": 5,
    "MAX_POOL_2D": 5,
    "FULLY_CONNECTED": 8,
    "SOFTMAX": 9,
    "CONCATENATION": 10,
    "ADD": 11,
    "L2_NORMALIZATION": 12,
    "LOCAL_RESPONSE_NORMALIZATION": 13,
    "RESIZE_BILINEAR": 15,
    "RESHAPE": 17,
    "MUL": 21,
    "SPACE_TO_DEPTH": 19,
    "GATHER": 23,
    "SUB": 28,
    "DIV": 29,
    "SQUEEZE": 30,
    "SPLIT": 35,
    "STRIDED_SLICE": 32,
    "TRANSPOSE_CONV": 49,
    "PACK": 59,
    "UNPACK": 64,
    "LEAKY_RELU": 75,
    **dict.fromkeys(("MEAN", "SUM", "REDUCE_MAX", "REDUCE_MIN"), 27),
    "RESIZE_NEAREST_NEIGHBOR": 74,
    "MIRROR_PAD": 77,
    "SPLIT_V": 79,
    "DEPTH_TO_SPACE": 94,
    "CONV_3D": 106,
    "CONV_3D_TRANSPOSE": 106,
    "BATCH_MATMUL": 101,
    "GELU": 116,
    "IF": 92,
    "WHILE": 93,
    "CALL_ONCE": 103,
}
"""The number of the kind of an operator's options."""


VERSIONS = {"BROADCAST_TO": 2}
"""The version of an operator that is not the first."""


@dataclass(frozen=True)
class Vector:
    """Numbers of the kind that `struct` calls `form`."""

    form: str
    numbers: Sequence[int | float]


@dataclass(frozen=True)
class Stored:
    """A constant, and the fields of its tensor beside shape, type and name."""

    array: Array
    fields: Mapping[int, Any] = field(default_factory=dict)
    type: int | None = None
    shape: tuple[int, ...] | None = None


Value = Any
"""A field: (form, number), a text, bytes, a `Vector`, a table as a mapping, or a list of tables."""


def flatbuffer(root: Mapping[int, Value], identifier: bytes = b"TFL3") -> bytes:
    """The bytes of a flatbuffer whose fields are `root`, each by its number."""
    data = bytearray(struct.pack("<I", 0) + identifier)
    place = _table(data, root)
    struct.pack_into("<I", data, 0, place)
    return bytes(data)


def _table(data: bytearray, fields: Mapping[int, Value]) -> int:
    """Append a table, and behind it what it holds; its place comes back."""
    count = max(fields, default=-1) + 1
    offsets, size = [0] * count, 4
    for number, value in fields.items():
        width = struct.calcsize(value[0]) if isinstance(value, tuple) else 4
        size = -(-size // width) * width
        offsets[number] = size
        size += width
    _align(data, 8, 4 + 2 * count)
    data += struct.pack(f"<HH{count}H", 4 + 2 * count, size, *offsets)
    place = len(data)
    data += struct.pack("<i", 4 + 2 * count) + bytes(size - 4)
    for number, value in fields.items():
        at = place + offsets[number]
        if isinstance(value, tuple):
            struct.pack_into("<" + value[0], data, at, value[1])
        else:
            struct.pack_into("<I", data, at, _held(data, value) - at)
    return place


def _held(data: bytearray, value: Value) -> int:
    """Append what an offset leads to; its place comes back."""
    match value:
        case str():
            text = value.encode()
            return _bytes(data, len(text), text + b"\0", 4)
        case bytes():
            return _bytes(data, len(value), value, 16)
        case Vector(form=form, numbers=numbers):
            content = struct.pack(f"<{len(numbers)}{form}", *numbers)
            return _bytes(data, len(numbers), content, max(4, struct.calcsize(form)))
        case Mapping():
            return _table(data, value)
    place = _bytes(data, len(value), bytes(4 * len(value)), 4)
    written: dict[int, int] = {}  # by the id of a table, which may stand there several times
    for number, one in enumerate(value):
        at = place + 4 + 4 * number
        if id(one) not in written:
            written[id(one)] = _table(data, one)
        struct.pack_into("<I", data, at, written[id(one)] - at)
    return place


def _bytes(data: bytearray, count: int, content: bytes, alignment: int) -> int:
    """Append a length and the elements, which begin at a multiple of `alignment`."""
    _align(data, alignment, 4)
    place = len(data)
    data += struct.pack("<I", count) + content
    return place


def _align(data: bytearray, alignment: int, before: int) -> None:
    """Append zeros, so that what comes `before` bytes later is at a multiple of `alignment`."""
    data += bytes(-(len(data) + before) % alignment)


@dataclass(frozen=True)
class Op:
    """A node; `options` are by the names of `schema`, or integers by the numbers of fields."""

    operator: str
    inputs: Sequence[str]
    outputs: Sequence[str]
    options: Mapping[Any, Any] = field(default_factory=dict)


def op(operator: str, inputs: str, outputs: str, **options: Any) -> Op:
    """A node; names are separated by blanks, and `-` is an input that is left out."""
    return Op(operator, inputs.split(), outputs.split(), options)


@dataclass(frozen=True)
class Sample:
    """A graph of a few nodes.  `tensors` are fields of the tensors of some names."""

    nodes: Sequence[Op]
    inputs: Mapping[str, tuple[int, ...]]
    constants: Mapping[str, Array | Stored] = field(default_factory=dict)
    outputs: Sequence[str] = ()
    tensors: Mapping[str, Mapping[int, Any]] = field(default_factory=dict)
    model: Mapping[int, Any] = field(default_factory=dict)
    more_graphs: Sequence[Mapping[int, Any]] = ()

    @property
    def output_names(self) -> Sequence[str]:
        return self.outputs or self.nodes[-1].outputs

    @property
    def names(self) -> list[str]:
        """The tensors in their order."""
        given = [name for node in self.nodes for name in (*node.inputs, *node.outputs)]
        every = dict.fromkeys((*self.inputs, *self.constants, *given, *self.output_names))
        return [name for name in every if name != "-"]


def packed(sample: Sample, more: Mapping[int, Any] | None = None) -> bytes:
    """The file of a graph, with `more` among its fields in place of its own.

    What nodes give has no shape, unless `tensors` says one.
    """
    names, stored = sample.names, list(sample.constants)
    codes = list(dict.fromkeys(node.operator for node in sample.nodes))
    graph = {
        0: [_tensor(sample, name, stored) for name in names],
        1: Vector("i", [names.index(name) for name in sample.inputs]),
        2: Vector("i", [names.index(name) for name in sample.output_names]),
        3: [_node(node, names, codes) for node in sample.nodes],
        **(more or {}),
    }
    buffers = [_content(sample.constants[name]) for name in stored]
    fields: dict[int, Any] = {
        0: ("I", 3),
        1: [_code(code) for code in codes],
        2: [graph, *sample.more_graphs],
        4: [{}, *({0: content} if content else {} for content in buffers)],
        **sample.model,
    }
    return flatbuffer(fields)


def saved(sample: Sample, path: str = "net.tflite") -> str:
    """The path of the file of a graph, which is written to the working folder."""
    Path(path).write_bytes(packed(sample))
    return path


def quantization(
    scales: Sequence[float], zeros: Sequence[int] = (0,), axis: int = 0
) -> dict[int, Any]:
    """The field of a tensor whose integers stand for real numbers."""
    return {4: {2: Vector("f", scales), 3: Vector("q", zeros), 6: ("i", axis)}}


def _tensor(sample: Sample, name: str, stored: list[str]) -> dict[int, Any]:
    constant = sample.constants.get(name)
    fields: dict[int, Any] = {3: name}
    if name in sample.inputs:
        fields[0] = Vector("i", sample.inputs[name])
    if constant is not None:
        one = constant if isinstance(constant, Stored) else Stored(constant)
        number = TYPES[one.array.dtype.name] if one.type is None else one.type
        shape = one.array.shape if one.shape is None else one.shape
        buffer = 1 + stored.index(name)
        fields |= {0: Vector("i", shape), 1: ("b", number), 2: ("I", buffer), **one.fields}
    return {**fields, **sample.tensors.get(name, {})}


def _content(constant: Array | Stored) -> bytes:
    array = constant.array if isinstance(constant, Stored) else constant
    return np.ascontiguousarray(array, array.dtype.newbyteorder("<")).tobytes()


def _node(node: Op, names: list[str], codes: list[str]) -> dict[int, Any]:
    fields: dict[int, Any] = {
        0: ("I", codes.index(node.operator)),
        1: Vector("i", [-1 if name == "-" else names.index(name) for name in node.inputs]),
        2: Vector("i", [names.index(name) for name in node.outputs]),
    }
    if node.operator in UNIONS:
        fields |= {3: ("B", UNIONS[node.operator]), 4: _options(node)}
    return fields


def _options(node: Op) -> dict[int, Any]:
    known = OPTIONS.get(node.operator, {})
    found: dict[int, Any] = {}
    for name, value in node.options.items():
        one = known[name] if isinstance(name, str) else Option(name)
        found[one.field] = Vector(one.form, value) if one.is_list else (one.form, value)
    return found


def _code(operator: str) -> dict[int, Any]:
    name, _, own = operator.partition(".")
    number = OPERATORS.index(name)
    code: dict[int, Any] = {
        0: ("b", min(number, 127)),
        2: ("i", VERSIONS.get(name, 1)),
        3: ("i", number),
    }
    return {**code, 1: own} if own else code
