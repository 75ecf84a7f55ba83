"""Opening an ONNX model: bounded, contained, and nowhere else.

The file is held against its own claims before any of them is believed: a tensor has as many
bytes as its sizes say, external data lies inside the model's folder and inside its file.  The
package `onnx` does no more than parse; nothing of a model is executed, and no function of the
package that opens files is called.
"""

from __future__ import annotations

import os
import struct
import sys
from array import array
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from math import prod
from typing import Any, NamedTuple

from convt_cli.errors import ConvtError, FileError, RequestError, shown
from convt_cli.io import memory
from convt_cli.io.conflicts import note_named
from convt_cli.io.folders import Folder
from convt_cli.io.onnx_graph import MOST_VALUES, Attribute, Graph, Input, Node, Number, Tensor
from convt_cli.io.reading import Opened, open_regular

MOST_BYTES = 2**31
_MOST_PARTS = 200_000
_MOST_AXES = 16
_EXTERNAL = 1


class _Element(NamedTuple):
    """A type of number: its dtype's name, the bytes of one, and how they are packed.

    `field` holds the numbers of a tensor that has no raw bytes, `stored` is how one of them is
    packed there, and `code` what the bytes mean.
    """

    name: str
    size: int
    field: str
    stored: str
    code: str = ""


_ELEMENTS = {
    1: _Element("float32", 4, "float_data", "f", "f"),
    2: _Element("uint8", 1, "int32_data", "B", "B"),
    3: _Element("int8", 1, "int32_data", "b", "b"),
    4: _Element("uint16", 2, "int32_data", "H", "H"),
    5: _Element("int16", 2, "int32_data", "h", "h"),
    6: _Element("int32", 4, "int32_data", "i", "i"),
    7: _Element("int64", 8, "int64_data", "q", "q"),
    9: _Element("bool", 1, "int32_data", "B", "?"),
    10: _Element("float16", 2, "int32_data", "H", "e"),
    11: _Element("float64", 8, "double_data", "d", "d"),
    12: _Element("uint32", 4, "uint64_data", "I", "I"),
    13: _Element("uint64", 8, "uint64_data", "Q", "Q"),
    14: _Element("complex64", 8, "float_data", "f"),
    15: _Element("complex128", 16, "double_data", "d"),
    16: _Element("bfloat16", 2, "int32_data", "H"),
}
"""By ONNX's number of the type; text and the types below one byte are left out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """A model that has been read: its plain graph, and its constants' bytes for who asks."""

    path: str
    graph: Graph
    _tensors: dict[str, Any]
    _folder: Folder

    def content(self, name: str) -> bytes:
        """The bytes of a constant, row-major and little-endian.

        Raises FileError (E401, E404, E405), RequestError (E501).
        """
        tensor = self._tensors[name]
        with _reporting_damage(self.path):
            if tensor.data_location == _EXTERNAL:
                return self._external(tensor)
            return _own_bytes(tensor)

    def _external(self, tensor: Any) -> bytes:
        entries = _external_entries(tensor)
        path = self._folder.resolved(entries["location"])
        wanted = prod(tensor.dims) * _ELEMENTS[tensor.data_type].size
        offset = _whole(entries.get("offset", "0"))
        with self._folder.opened(path) as file:
            size = os.fstat(file.fileno()).st_size
            if _whole(entries.get("length", str(wanted))) != wanted or offset + wanted > size:
                raise ValueError(f"external data of {wanted} bytes does not fit its file or length")
            memory.require(wanted, f"a tensor of {shown(self.path)}", help="use a larger machine")
            file.seek(offset)
            return file.read(wanted)


def open_model(path: str, *, allow_outside: bool = False, within: Folder | None = None) -> Model:
    """The model in the file `path`; `allow_outside` lets its data lie outside its folder.

    Where a spec names the model, it is opened `within` the spec's folder.

    Raises RequestError (E501, E504), FileError (E401, E404, E405).
    """
    parse = _parser()
    folder = within.below(path) if within else Folder.of(path, allow_outside=allow_outside)
    content = _read(path, within.opened if within else open_regular)
    with _reporting_damage(path):
        proto = parse(content)
        del content
        if not proto.HasField("graph"):
            raise ValueError("it holds no graph")
        _require_bounded(proto.graph)
        tensors = dict(_tensors(proto.graph))
        model = Model(
            path=path,
            graph=_graph(proto, tensors),
            _tensors=tensors,
            _folder=folder,
        )
        for location in {_external_entries(one)["location"] for one in _stored_outside(tensors)}:
            note_named(folder.resolved(location))
    return model


def _parser() -> Any:
    """What parses bytes into a ModelProto.  Raises RequestError (E504) without the extra."""
    try:
        from onnx import ModelProto  # noqa: PLC0415  # an extra
    except ImportError:
        raise RequestError(
            "E504",
            "reading ONNX models needs the package onnx",
            help="install it with: pip install 'convt-cli[onnx]'",
        ) from None
    return ModelProto.FromString


def _read(path: str, opened: Opened) -> bytes:
    with opened(path) as file:
        size = os.fstat(file.fileno()).st_size
        if not 0 < size < MOST_BYTES:
            reason = "it is empty" if not size else "a protobuf file ends below 2 GiB"
            raise _damaged(path, reason)
        memory.require(3 * size, f"the model {shown(path)}", help="use a machine with more memory")
        return file.read(size)


def _require_bounded(graph: Any) -> None:
    for part in ("node", "initializer", "input", "output"):
        if len(getattr(graph, part)) > _MOST_PARTS:
            raise ValueError(f"it has more than {_MOST_PARTS:,} entries of {part}")


def _graph(proto: Any, tensors: dict[str, Any]) -> Graph:
    graph = proto.graph
    opsets = [one.version for one in proto.opset_import if one.domain in ("", "ai.onnx")]
    return Graph(
        opset=max(opsets, default=1),
        inputs=tuple(_input(one) for one in graph.input if one.name not in tensors),
        outputs=tuple(_text(one.name) for one in graph.output),
        constants={name: _tensor(name, tensor) for name, tensor in tensors.items()},
        nodes=tuple(_node(one) for one in graph.node if not _is_constant(one)),
        producer=f"{_text(proto.producer_name)} {_text(proto.producer_version)}".strip(),
    )


def _tensors(graph: Any) -> Iterator[tuple[str, Any]]:
    """The constants of a graph: its initializers, and what its Constant nodes hold."""
    names: set[str] = set()
    for name, tensor in _all_tensors(graph):
        if name in names:
            raise ValueError(f"the constant '{name}' is given twice")
        names.add(name)
        yield name, tensor


def _all_tensors(graph: Any) -> Iterator[tuple[str, Any]]:
    yield from ((_text(tensor.name), tensor) for tensor in graph.initializer)
    for node in filter(_is_constant, graph.node):
        yield _text(node.output[0]), _constant(node.attribute[0])


def _is_constant(node: Any) -> bool:
    """Whether a node is a Constant of a kind that is known here."""
    return (
        node.op_type == "Constant"
        and node.domain in ("", "ai.onnx")
        and len(node.output) == len(node.attribute) == 1
        and node.attribute[0].name in _CONSTANT_FIELDS
    )


_CONSTANT_FIELDS = {
    "value": "",
    "value_int": "int64_data",
    "value_ints": "int64_data",
    "value_float": "float_data",
    "value_floats": "float_data",
}


def _constant(attribute: Any) -> Any:
    """The tensor that a Constant node's attribute stands for."""
    if attribute.name == "value":
        return attribute.t
    whole = attribute.name.startswith("value_int")
    tensor = type(attribute.t)()
    tensor.data_type = 7 if whole else 1
    if attribute.name.endswith("s"):
        numbers = attribute.ints if whole else attribute.floats
        tensor.dims.append(len(numbers))
    else:
        numbers = [attribute.i if whole else attribute.f]
    getattr(tensor, _CONSTANT_FIELDS[attribute.name]).extend(numbers)
    return tensor


def _tensor(name: str, tensor: Any) -> Tensor:
    """A tensor as plain values.  Raises ValueError where it is not what it claims to be."""
    shape = tuple(tensor.dims)
    if len(shape) > _MOST_AXES or any(size < 0 for size in shape):
        raise ValueError(f"the constant '{name}' has the shape {shape}")
    element = _ELEMENTS.get(tensor.data_type)
    if element is None:
        return Tensor(shape=shape, element="")
    if tensor.data_location == _EXTERNAL:
        return Tensor(shape=shape, element=element.name)
    promised = prod(shape) * element.size
    there = _length(tensor, element)
    if promised != there:
        raise ValueError(f"the constant '{name}' is {shape}, {promised} bytes, and has {there}")
    return Tensor(shape=shape, element=element.name, values=_values(tensor, element))


def _length(tensor: Any, element: _Element) -> int:
    """The bytes that a tensor's numbers take, packed."""
    if tensor.HasField("raw_data"):
        return len(tensor.raw_data)
    return len(getattr(tensor, element.field)) * struct.calcsize(element.stored)


def _values(tensor: Any, element: _Element) -> tuple[Number, ...] | None:
    count = prod(tensor.dims)
    if count > MOST_VALUES or not element.code:
        return None
    return struct.unpack(f"<{count}{element.code}", _own_bytes(tensor))


def _own_bytes(tensor: Any) -> bytes:
    if tensor.HasField("raw_data"):
        return bytes(tensor.raw_data)
    element = _ELEMENTS[tensor.data_type]
    packed = array(element.stored, getattr(tensor, element.field))
    if sys.byteorder == "big":
        packed.byteswap()
    return packed.tobytes()


def _stored_outside(tensors: dict[str, Any]) -> Iterator[Any]:
    return (tensor for tensor in tensors.values() if tensor.data_location == _EXTERNAL)


def _external_entries(tensor: Any) -> dict[str, str]:
    """Where a tensor's data stands: `location`, `offset` and `length`."""
    entries = {_text(entry.key): _text(entry.value) for entry in tensor.external_data}
    return {"location": "", **entries}


def _whole(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 20):
        raise ValueError(f"external data at {text!r}")
    return int(text)


def _input(value: Any) -> Input:
    """An input; a size below 1 is one left open."""
    dims = value.type.tensor_type.shape.dim
    sizes = (dim.dim_value if dim.HasField("dim_value") else 0 for dim in dims)
    return Input(name=_text(value.name), shape=tuple(size if size > 0 else None for size in sizes))


def _node(node: Any) -> Node:
    operator, domain = _text(node.op_type), _text(node.domain)
    return Node(
        name=_text(node.name),
        operator=operator if domain in ("", "ai.onnx") else f"{domain}.{operator}",
        inputs=tuple(map(_text, node.input)),
        outputs=tuple(map(_text, node.output)),
        attributes={_text(one.name): _attribute(one) for one in node.attribute},
    )


def _text(name: str | bytes) -> str:
    """A name; protobuf gives bytes where it is not UTF-8."""
    if isinstance(name, bytes):
        raise ValueError(f"it has a name that is not UTF-8: {name!r}")
    return name


def _attribute(attribute: Any) -> Attribute:
    """An attribute's value; None for the kinds that no operator here has."""
    match attribute.type:
        case 1:
            return float(attribute.f)
        case 2:
            return int(attribute.i)
        case 3:
            return bytes(attribute.s).decode("utf-8", errors="replace")
        case 4:
            return _tensor(attribute.name, attribute.t)
        case 6:
            return tuple(attribute.floats)
        case 7:
            return tuple(attribute.ints)
        case _:
            return None


@contextmanager
def _reporting_damage(path: str) -> Iterator[None]:
    """Turn what protobuf raises on damaged files, and our own doubts, into a FileError (E405)."""
    try:
        yield
    except ConvtError:
        raise
    except MemoryError:
        raise
    except Exception as error:
        raise _damaged(path, str(error) or type(error).__name__) from None


def _damaged(path: str, reason: str) -> FileError:
    return FileError(
        "E405",
        f"cannot read an ONNX model from {shown(path)}",
        value=shown(reason.partition("\n")[0])[:200],
        help="was it cut short, or is it another format?",
    )
