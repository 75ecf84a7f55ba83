"""Operations that exporters write out as several nodes, put together again.

A layer norm without its numbers is

    centred = x - mean(x),  y = centred / sqrt(mean(centred²) + epsilon)

with both means over the same axes, and a gelu is x · ½ · (1 + erf(x / √2)) in any order of the
factors.  A relu, or a leaky one, can be a choice between x and 0 or slope · x.  Of two transposes
the second may bring back the batch that the first moves.  A view with strides can be a vector of
all elements, from which those numbered 0, 1, 2 ... are taken in another shape.

The nodes between are replaced only where nothing else reads what they give.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from math import isclose, prod, sqrt

import numpy as np

from convt_cli.models.onnx.constants import from_tensor
from convt_cli.models.onnx.graph import Graph, Node

_CLOSE = 1e-3
"""How near the numbers of a gelu are to those of its formula; float16 has three digits."""


def fused(graph: Graph) -> Graph:
    """`graph` with one node for each operation that it writes out."""
    search = _Search(graph)
    found = {}  # by the name of the value that it gives
    inside: set[str] = set()
    for node in graph.nodes:
        find = search.finders.get((node.operator, len(node.inputs)))
        one = find(node) if find is not None and len(node.outputs) == 1 else None
        if one is not None and not inside.intersection(one.names):
            found[one.node.outputs[0]] = one.node
            inside.update(one.names)
    if not found:
        return graph
    kept = [node for node in graph.nodes if not inside.intersection(node.outputs)]
    return replace(graph, nodes=(*kept, *found.values()))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Fused:
    """A node, and the names of the values that the nodes in its place gave."""

    node: Node
    names: frozenset[str]


class _Search:
    """What gives each value of a graph, and how often it is read."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._givers = {node.outputs[0]: node for node in graph.nodes if any(node.outputs[:1])}
        self._readers: dict[str, list[Node]] = {}
        for node in graph.nodes:
            for name in node.reads:
                self._readers.setdefault(name, []).append(node)
        self._outputs = set(graph.outputs)
        # by the operator of the last node, and how many inputs it has
        self.finders: dict[tuple[str, int], Callable[[Node], _Fused | None]] = {
            ("Div", 2): self._layer_norm,
            ("Mul", 2): self._gelu,
            ("Where", 3): self._choice,
            ("Transpose", 1): self._transpose,
            ("Gather", 2): self._strided,
        }

    def _layer_norm(self, node: Node) -> _Fused | None:
        """The layer norm that ends with the division `node`."""
        centred, root = map(self._giver, node.inputs)
        shifted = self._only_input(root, "Sqrt")
        variance, epsilon = self._and_number(shifted, "Add")
        squares = self._only_input(variance, "ReduceMean")
        inner = self._squared(squares)
        mean = self._difference(centred)
        if mean is None or variance is None or epsilon is None or inner is None:
            return None
        source = mean.inputs[0]
        again = self._difference(inner)
        axes = self._axes(mean)
        fits = again is not None and again.inputs[0] == source and axes == self._axes(variance)
        chain = [mean, again, centred, inner, squares, variance, shifted, root, node]
        if not fits or axes is None or not self._is_closed(chain):
            return None
        return _Fused(
            node=replace(
                node,
                operator="LayerNormalization",
                inputs=(source,),
                attributes={"axes": axes, "epsilon": epsilon},
            ),
            names=frozenset(one.outputs[0] for one in chain if one is not None),
        )

    def _choice(self, node: Node) -> _Fused | None:
        """The relu or leaky_relu that is a Where: x where it is above 0, else 0 or slope · x."""
        condition, source, other = node.inputs
        compared = self._giver(condition)
        is_above = compared is not None and compared.operator in ("Greater", "GreaterOrEqual")
        if compared is None or not is_above or compared.inputs[:1] != (source,):
            return None
        chain: list[Node | None] = [compared, node]
        if self._number(compared.inputs[-1]) != 0 or not self._is_closed(chain):
            return None
        names = frozenset((condition, node.outputs[0]))
        if self._number(other) == 0:
            plain = replace(node, operator="Relu", inputs=(source,), attributes={})
            return _Fused(node=plain, names=names)
        scaled = self._giver(other)
        multiplied, slope = self._operands(scaled, "Mul")
        if multiplied != source or slope is None or not self._is_closed([scaled, node]):
            return None
        leaky = replace(node, operator="LeakyRelu", inputs=(source,), attributes={"alpha": slope})
        return _Fused(node=leaky, names=names | {other})

    def _transpose(self, node: Node) -> _Fused | None:
        """One transpose for two, of which the first moves the batch."""
        first = self._giver(node.inputs[0])
        if first is None or first.operator != "Transpose" or len(first.inputs) != 1:
            return None
        before, after = first.integers("perm"), node.integers("perm")
        if not before or not after or before[0] == 0 or not self._is_closed([first, node]):
            return None
        if not sorted(before) == sorted(after) == list(range(len(before))):
            return None
        order = tuple(before[axis] for axis in after)
        both = replace(node, inputs=first.inputs, attributes={"perm": order})
        return _Fused(node=both, names=frozenset((node.inputs[0], node.outputs[0])))

    def _strided(self, node: Node) -> _Fused | None:
        """The reshape that takes all elements of a vector in their order, in the indices' shape."""
        vector = self._giver(node.inputs[0])
        indices = self._graph.constants.get(node.inputs[1])
        is_vector = vector is not None and vector.operator == "Reshape" and len(vector.inputs) == 2
        if vector is None or not is_vector or indices is None or indices.packed is None:
            return None
        count = prod(indices.shape)
        is_whole = self._number(vector.inputs[1]) in (count, -1) and not node.integer("axis", 0)
        in_order = np.array_equal(from_tensor(indices).ravel(), np.arange(count))
        if not (is_whole and in_order and self._is_closed([vector, node])):
            return None
        keys = {"shape": indices.shape}
        whole = replace(node, operator="Reshape", inputs=vector.inputs[:1], attributes=keys)
        return _Fused(node=whole, names=frozenset((node.inputs[0], node.outputs[0])))

    def _gelu(self, node: Node) -> _Fused | None:
        """The gelu that ends with the product `node`."""
        factors, products = [], [node]
        for product in products:  # grows: products of products
            for name in product.inputs:
                giver = self._giver(name)
                inner = giver is not None and giver.operator == "Mul" and self._is_read_once(name)
                products.extend([giver] if inner and giver is not None else [])
                factors.extend([] if inner else [name])
        halves = [name for name in factors if _is(self._number(name), 0.5)]
        rest = [name for name in factors if name not in halves]
        if len(factors) != 3 or len(halves) != 1:
            return None
        for source, other in (rest, reversed(rest)):
            chain = self._error_function(other, source)
            if chain and self._is_closed([*chain, *products[1:], node]):
                names = frozenset(one.outputs[0] for one in (*chain, *products))
                return _Fused(
                    node=replace(node, operator="Gelu", inputs=(source,), attributes={}),
                    names=names,
                )
        return None

    def _error_function(self, name: str, source: str) -> list[Node]:
        """The nodes of 1 + erf(source / √2), which give `name`; none if it is something else."""
        shifted = self._giver(name)
        error, one = self._and_number(shifted, "Add")
        scaled = self._only_input(error, "Erf")
        if shifted is None or error is None or scaled is None or not _is(one, 1.0):
            return []
        divided, divisor = self._operands(scaled, "Div")
        multiplied, factor = self._operands(scaled, "Mul")
        fits = (divided == source and _is(divisor, sqrt(2))) or (
            multiplied == source and _is(factor, sqrt(0.5))
        )
        return [scaled, error, shifted] if fits else []

    def _giver(self, name: str) -> Node | None:
        return self._givers.get(name)

    def _only_input(self, node: Node | None, operator: str) -> Node | None:
        """What gives the first input of `node`, if that has this operator."""
        if node is None or node.operator != operator or not node.inputs:
            return None
        return self._giver(node.inputs[0])

    def _and_number(self, node: Node | None, operator: str) -> tuple[Node | None, float | None]:
        """What gives the computed input of `node`, and the number that it is joined with."""
        name, number = self._operands(node, operator)
        return self._givers.get(name or ""), number

    def _operands(self, node: Node | None, operator: str) -> tuple[str | None, float | None]:
        """The computed input of `node` and its single number, on either side but for Div."""
        if node is None or node.operator != operator or len(node.inputs) != 2:
            return None, None
        first, second = node.inputs
        number = self._number(second)
        if number is None and operator != "Div":
            first, number = second, self._number(first)
        return first, number

    def _number(self, name: str) -> float | None:
        """The number of a constant that has one."""
        tensor = self._graph.constants.get(name)
        if tensor is None or tensor.packed is None:
            return None
        numbers = from_tensor(tensor).ravel()
        return float(numbers[0]) if numbers.size == 1 else None

    def _squared(self, node: Node | None) -> Node | None:
        """What gives c, if `node` gives c²."""
        if node is None or len(node.inputs) != 2:
            return None
        is_product = node.operator == "Mul" and node.inputs[0] == node.inputs[1]
        is_power = node.operator == "Pow" and self._number(node.inputs[1]) == 2
        return self._giver(node.inputs[0]) if is_product or is_power else None

    def _difference(self, node: Node | None) -> Node | None:
        """The mean, if `node` gives x less the mean of x."""
        if node is None or node.operator != "Sub" or len(node.inputs) != 2:
            return None
        mean = self._giver(node.inputs[1])
        if mean is None or mean.operator != "ReduceMean":
            return None
        return mean if mean.inputs[:1] == node.inputs[:1] else None

    def _axes(self, mean: Node) -> tuple[int, ...] | None:
        """The axes of a mean that keeps them; None where they are not known."""
        axes = mean.integers("axes")
        given = mean.inputs[1] if len(mean.inputs) > 1 else ""
        tensor = self._graph.constants.get(given)
        if axes is None and tensor is not None and tensor.packed is not None:
            axes = tuple(int(axis) for axis in from_tensor(tensor).ravel())
        return tuple(sorted(axes)) if axes and mean.integer("keepdims", 1) else None

    def _is_closed(self, chain: list[Node | None]) -> bool:
        """Whether nothing but nodes of `chain` reads what those before its last give."""
        nodes = [one for one in chain if one is not None]
        members = Counter(map(id, nodes))
        return all(
            one.outputs[0] not in self._outputs
            and all(id(reader) in members for reader in self._readers.get(one.outputs[0], ()))
            for one in nodes[:-1]
        )

    def _is_read_once(self, name: str) -> bool:
        return len(self._readers.get(name, ())) == 1 and name not in self._outputs


def _is(number: float | None, wanted: float) -> bool:
    return number is not None and isclose(number, wanted, rel_tol=_CLOSE)
