"""Quantised networks as the networks of real numbers that they approximate.

A quantised value q stands for the number (q - zero point) * scale.  Here every such value is that
number: weights are dequantised, what only rounds is an identity, and a layer that quantises its
result is the plain one.  A node in place of one that rounds has that one's name in `rounds`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace

import numpy as np

from convt_cli.models.onnx.graph import Graph, Node, Tensor

_MOVING = (
    *("Identity", "Reshape", "Flatten", "Transpose", "Squeeze", "Unsqueeze", "MaxPool"),
    *("Slice", "Split", "Gather", "Concat", "Expand", "Tile", "DepthToSpace", "SpaceToDepth"),
)
"""Operators that give elements of their sources, quantised or not."""

_ONE_SOURCE = {
    "com.microsoft.QLinearAveragePool": "AveragePool",
    "com.microsoft.QLinearGlobalAveragePool": "GlobalAveragePool",
    "com.microsoft.QLinearLeakyRelu": "LeakyRelu",
    "com.microsoft.QLinearSigmoid": "Sigmoid",
}
"""Operators of (x, scale, zero point, ...), and what they do to numbers."""

_TWO_SOURCES = {"com.microsoft.QLinearAdd": "Add", "com.microsoft.QLinearMul": "Mul"}
"""Operators of (a, scale, zero point, b, scale, zero point, ...), and what they do to numbers."""

_ONE = Tensor(shape=(), element="float32", packed=np.float32(1).tobytes())
_NO_ZERO = Tensor(shape=(), element="uint8", packed=bytes(1))


def in_real_numbers(graph: Graph) -> Graph:
    """`graph` with plain nodes in place of those that compute with quantised numbers."""
    if not any(node.operator in _REWRITING for node in graph.nodes):
        return graph
    nodes = list(_Rewriting(graph.constants).nodes(graph.nodes))
    read = {*graph.outputs, *(name for node in nodes for name in node.reads)}
    # a zero point that only quantised nodes read is not read any more
    kept = (node for node in nodes if node.operator != "Constant" or read.issuperset(node.outputs))
    return replace(graph, nodes=tuple(kept))


class _Rewriting:
    """The walk over the nodes of a graph, and what is known of its values so far."""

    def __init__(self, constants: Iterable[str]) -> None:
        self.constants = set(constants)
        self.real: set[str] = set()  # quantised values that are the numbers they stand for
        self.dynamic: set[str] = set()  # those among them whose scale is 1 now

    def nodes(self, nodes: Iterable[Node]) -> Iterator[Node]:
        """`nodes` with others in their places."""
        for node in nodes:
            is_whole = any(node.inputs[:1]) and any(node.outputs[:1])
            rewrite = _REWRITING.get(node.operator) if is_whole else None
            if node.reads and self.constants.issuperset(node.reads):
                self.constants.update(node.outputs)
                yield node
            elif rewrite is not None:
                yield from rewrite(self, node)
            else:
                self._pass_on(node)
                yield node

    def _pass_on(self, node: Node) -> None:
        """Note that what moves quantised values gives such ones."""
        for found in (self.real, self.dynamic) if node.operator in _MOVING else ():
            if any(name in found for name in node.reads):
                found.update(node.outputs)

    def rounded(self, node: Node, operator: str, *inputs: str) -> Node:
        """The plain node in place of `node`, whose output is a number that it stands for."""
        self.real.update(node.outputs)
        return replace(node, operator=operator, inputs=inputs, rounds=node.operator)

    def number(self, node: Node, first: int, axis: int = 1) -> Iterator[Node]:
        """The node that dequantises input `first` of `node`, if it is none of `real` already.

        Its scale and zero point are the two inputs behind it, and it gives `_dequantised`.
        """
        name, scale, zero = _inputs(node, first, 3)
        if name not in self.real:
            yield _dequantising(node, name, scale, zero, axis)

    def name(self, node: Node, first: int) -> str:
        """The name of the number that input `first` of `node` stands for."""
        (name,) = _inputs(node, first, 1)
        return name if name in self.real else _dequantised(node, name)


def _inputs(node: Node, first: int, count: int) -> tuple[str, ...]:
    """Some inputs of a node; "" for one that is left out."""
    return (*node.inputs, *("",) * (first + count))[first : first + count]


def _dequantised(node: Node, name: str) -> str:
    return f"{node.outputs[0]}:{name}"


def _dequantising(node: Node, name: str, scale: str, zero: str, axis: int) -> Node:
    return Node(
        name=f"{node.name}_{name}" if node.name else "",
        operator="DequantizeLinear",
        inputs=(name, scale, zero),
        outputs=(_dequantised(node, name),),
        attributes={"axis": axis},
    )


def _constant(name: str, value: Tensor) -> Node:
    return Node(
        name="", operator="Constant", inputs=(), outputs=(name,), attributes={"value": value}
    )


def _quantise(walk: _Rewriting, node: Node) -> Iterator[Node]:
    yield walk.rounded(node, "Identity", node.inputs[0])


def _quantise_dynamically(walk: _Rewriting, node: Node) -> Iterator[Node]:
    """An identity, with 1 for the scale and 0 for the zero point."""
    number, scale, zero = (*node.outputs, "", "")[:3]
    yield walk.rounded(replace(node, outputs=(number,)), "Identity", node.inputs[0])
    walk.dynamic.add(number)
    for name, value in ((scale, _ONE), (zero, _NO_ZERO)):
        if name:
            walk.constants.add(name)
            yield _constant(name, value)


def _dequantise(walk: _Rewriting, node: Node) -> Iterator[Node]:
    source = node.inputs[0]
    if source not in walk.real:
        yield node
        return
    given = walk.rounded(node, "Identity", source)
    walk.real.difference_update(node.outputs)  # a plain number from here on
    yield given


def _convolve(walk: _Rewriting, node: Node) -> Iterator[Node]:
    """QLinearConv: x, w and the scale of y with their zero points, and a bias of int32."""
    yield from walk.number(node, 0)
    yield from walk.number(node, 3, axis=0)
    (bias,) = _inputs(node, 8, 1)
    if bias:
        yield from _bias(node, bias)
    names = [walk.name(node, 0), walk.name(node, 3), *([_dequantised(node, bias)] if bias else [])]
    yield walk.rounded(node, "Conv", *names)


def _bias(node: Node, bias: str) -> Iterator[Node]:
    """The nodes that dequantise a bias, whose scale is the product of those of x and w."""
    first, _, _, second = _inputs(node, 1, 4)
    scale = f"{node.outputs[0]}:scale"
    yield Node(name="", operator="Mul", inputs=(first, second), outputs=(scale,), attributes={})
    yield _dequantising(node, bias, scale, "", 0)


def _multiply(walk: _Rewriting, node: Node) -> Iterator[Node]:
    """QLinearMatMul: a, b and the scale of y with their zero points."""
    yield from walk.number(node, 0, axis=0)
    yield from walk.number(node, 3)
    yield walk.rounded(node, "MatMul", walk.name(node, 0), walk.name(node, 3))


def _gemm(walk: _Rewriting, node: Node) -> Iterator[Node]:
    """QGemm: a and b with scales and zero points, a bias of int32, perhaps the scale of y."""
    bias = _inputs(node, 6, 1)[0]
    if node.number("alpha", 1.0) != 1:
        yield node
        return
    yield from walk.number(node, 0)
    yield from walk.number(node, 3, axis=0 if node.integer("transB", 0) else 1)
    if bias:
        yield from _bias(node, bias)
    names = [walk.name(node, 0), walk.name(node, 3), *([_dequantised(node, bias)] if bias else [])]
    yield walk.rounded(node, "Gemm", *names)
    if not _inputs(node, 7, 1)[0]:  # without a scale of y it gives plain numbers
        walk.real.difference_update(node.outputs)


def _integer_product(operator: str, axis: int) -> _Rewrite:
    """ConvInteger or MatMulInteger: x, w and their zero points; the scales are multiplied later.

    Where x has been quantised with a scale that is 1 now, what is left is the weight's zero point.
    """

    def rewrite(walk: _Rewriting, node: Node) -> Iterator[Node]:
        source, weight, _, zero = _inputs(node, 0, 4)
        if source not in walk.dynamic:
            yield node
            return
        one = f"{node.outputs[0]}:one"
        yield _constant(one, _ONE)
        yield _dequantising(node, weight, one, zero, axis)
        yield walk.rounded(node, operator, source, _dequantised(node, weight))
        walk.real.difference_update(node.outputs)

    return rewrite


def _plain(operator: str, *places: int) -> _Rewrite:
    """An operator whose sources are at these `places`, each before its scale and zero point."""

    def rewrite(walk: _Rewriting, node: Node) -> Iterator[Node]:
        for place in places:
            yield from walk.number(node, place)
        yield walk.rounded(node, operator, *(walk.name(node, place) for place in places))

    return rewrite


def _concat(walk: _Rewriting, node: Node) -> Iterator[Node]:
    """QLinearConcat: the scale and zero point of y, and then three for each source."""
    yield from _plain("Concat", *range(2, len(node.inputs), 3))(walk, node)


_Rewrite = Callable[[_Rewriting, Node], Iterator[Node]]

_REWRITING: dict[str, _Rewrite] = {
    "QuantizeLinear": _quantise,
    "DequantizeLinear": _dequantise,
    "DynamicQuantizeLinear": _quantise_dynamically,
    "QLinearConv": _convolve,
    "QLinearMatMul": _multiply,
    "ConvInteger": _integer_product("Conv", 0),
    "MatMulInteger": _integer_product("MatMul", 1),
    "com.microsoft.QGemm": _gemm,
    "com.microsoft.QLinearConcat": _concat,
    **{name: _plain(operator, 0) for name, operator in _ONE_SOURCE.items()},
    **{name: _plain(operator, 0, 3) for name, operator in _TWO_SOURCES.items()},
}
"""What stands in the place of each operator."""
