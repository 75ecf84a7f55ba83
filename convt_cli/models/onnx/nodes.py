"""From protobuf's nodes and inputs to the plain values of `graph`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from convt_cli.models.inputs import Input
from convt_cli.models.onnx.graph import Attribute, Node
from convt_cli.models.onnx.tensors import tensor_of


def input_of(value: Any) -> Input:
    """An input of the model; a size below 1 is one that the model leaves open."""
    tensor = value.type.tensor_type
    if not tensor.HasField("shape"):
        return Input(name=text(value.name), shape=None)
    sizes = (dim.dim_value if dim.HasField("dim_value") else 0 for dim in tensor.shape.dim)
    return Input(name=text(value.name), shape=tuple(size if size > 0 else None for size in sizes))


def node_of(node: Any) -> Node:
    """A node; an operator of another domain than ONNX's own is called DOMAIN.NAME."""
    operator, domain = text(node.op_type), text(node.domain)
    captured, inner = _captured(node)
    return Node(
        name=text(node.name),
        operator=operator if domain in ("", "ai.onnx") else f"{domain}.{operator}",
        inputs=tuple(map(text, node.input)),
        outputs=tuple(map(text, node.output)),
        attributes={text(one.name): _attribute(one) for one in node.attribute},
        captured=tuple(captured),
        inner=inner,
    )


def _captured(node: Any) -> tuple[dict[str, None], int]:
    """The names that the graphs inside a node read from outside, and how many nodes they have."""
    captured: dict[str, None] = {}
    inner = 0
    for graph in _graphs_inside(node):
        inner += len(graph.node)
        read = dict.fromkeys(map(text, (one.name for one in graph.output)))
        for one in graph.node:
            names, further = _captured(one)
            inner += further
            read.update({**dict.fromkeys(map(text, one.input)), **names})
        for name in _given_inside(graph):
            read.pop(name, None)
        captured.update(read)
    return captured, inner


def _graphs_inside(node: Any) -> Iterator[Any]:
    """The graphs that are attributes of a node: the branches of an If, the body of a Loop."""
    for attribute in node.attribute:
        if attribute.HasField("g"):
            yield attribute.g
        yield from attribute.graphs


def _given_inside(graph: Any) -> Iterator[str]:
    """The names that a graph defines itself: its inputs, constants, and what its nodes give."""
    yield from (text(one.name) for one in (*graph.input, *graph.initializer))
    yield from (text(one.values.name) for one in graph.sparse_initializer)
    for node in graph.node:
        yield from map(text, node.output)


def text(name: str | bytes) -> str:
    """`name`, if it is UTF-8: protobuf gives bytes where it is not.  Raises ValueError."""
    if isinstance(name, bytes):
        raise ValueError(f"it has a name that is not UTF-8: {name!r}")
    return name


def _attribute(attribute: Any) -> Attribute:
    """An attribute's value; None for kinds that no operator here has, such as graphs."""
    match attribute.type:  # the numbers of AttributeProto.AttributeType
        case 0:
            raise ValueError(f"the attribute '{attribute.name}' has no type")
        case 1:  # FLOAT
            return float(attribute.f)
        case 2:  # INT
            return int(attribute.i)
        case 3:  # STRING
            return bytes(attribute.s).decode("utf-8", errors="replace")
        case 4:  # TENSOR
            return tensor_of(attribute.name, attribute.t)
        case 6:  # FLOATS
            return tuple(attribute.floats)
        case 7:  # INTS
            return tuple(attribute.ints)
        case _:
            return None
