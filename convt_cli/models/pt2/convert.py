"""The graph of a `.pt2` file as an imported model.

Sizes that are computed from sizes are computed on the spot, so that an input can be given another
shape.  Every shape that the file records is held against the one that the arithmetic gives.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from dataclasses import replace
from math import prod

from convt_cli.arithmetic.convolution import Shape
from convt_cli.arithmetic.dialects.frameworks import FRAMEWORKS
from convt_cli.arithmetic.keys import LARGEST
from convt_cli.models.imported import ImportedLayer, ImportedModel
from convt_cli.models.importer import Importer
from convt_cli.models.pt2.aliases import stale_reads
from convt_cli.models.pt2.graph import Constant, Graph, Node
from convt_cli.models.pt2.operation import Operation, Rows, Value, Values
from convt_cli.models.pt2.operators import OPERATORS
from convt_cli.models.translation import Activation, Cut, Places, Untranslatable

_ARITHMETIC: dict[str, Callable[[int, int], int]] = {
    "_operator.add": operator.add,
    "_operator.sub": operator.sub,
    "_operator.mul": operator.mul,
    "_operator.floordiv": operator.floordiv,
    "_operator.mod": operator.mod,
    "torch.sym_max": max,
    "torch.sym_min": min,
}
"""Operations on two sizes, by the names that a file has for them."""

_SAME_NUMBERS = ("detach", "clone", "alias", "contiguous", "lift_fresh_copy", "to", "_to_copy")
"""Operators that keep the numbers of a constant."""

_SAME_ORDER = (
    *("view", "reshape", "_unsafe_view", "view_copy", "_reshape_alias", "flatten", "unflatten"),
    *("squeeze", "unsqueeze"),
)
"""Operators that keep the numbers of a constant in their order, and change its shape."""


def convert(
    graph: Graph,
    reference: str,
    *,
    override: Mapping[str, Shape] | None = None,
    partial: bool = False,
) -> ImportedModel:
    """The network of `graph`, its weights named as arrays of the file `reference`.

    `override` gives inputs another shape, "" being the only input there is.  Raises Unsayable
    with all that a spec cannot say, RequestError (E505, E506), FileError (E405).
    """
    return _Importer(graph, reference, partial=partial).run(override or {})


class _Importer(Importer[Node, "Constant | Places | Rows | int | float"]):
    """The walk over the graph; layers get the names of the modules that they belong to."""

    origin = "a PyTorch model"

    def __init__(self, graph: Graph, reference: str, *, partial: bool) -> None:
        values: dict[str, Value | Cut] = {
            name: Cut(cause=f"the input '{name}', which is no tensor", is_known=False)
            for name in graph.others
        }
        values.update(graph.constants)
        super().__init__(graph, graph.needed, FRAMEWORKS["pytorch"], values, partial=partial)
        self._recorded = graph.sizes
        self._reference = reference
        self._is_example = True  # no input has another shape than the example's
        self._stale = stale_reads(graph.nodes)
        self._readers = _readers(graph)
        self._parts: dict[int, tuple[str, str]] = {}  # by a layer's number: its name, and its call

    def run(self, override: Mapping[str, Shape]) -> ImportedModel:
        """As `Importer.run`."""
        self._is_example = not override
        imported = super().run(override)
        return replace(imported, layers=_named(imported.layers, self._parts))

    def value(self, node: Node, given: list[Value | Cut]) -> Values:
        """What `node` gives: a size, a constant, or what its layers give."""
        if node.name in self._stale:
            raise Untranslatable(self._stale[node.name])
        if "unpool" not in node.operator and any(isinstance(one, Places) for one in given):
            raise Untranslatable("it reads the places that a max pool found")
        operation = Operation(
            node, self.values, self.rules, self._reference, self.next_layer, readers=self._readers
        )
        if node.operator in ("sym_size", "sym_numel"):
            return _size(operation)
        if node.operator in _ARITHMETIC:
            return _computed(node, operation)
        if not any(isinstance(one, Activation | Rows) for one in given):
            return self._constant(node, operation)
        return self._translated(node, operation)

    def _constant(self, node: Node, operation: Operation) -> Constant:
        """The constant that a node gives which reads constants alone."""
        output = next(iter(node.outputs), "")
        sizes = tuple(size or 0 for size in self._recorded.get(output, ()))
        source = operation.argument("self", "input")
        found = None
        if isinstance(source, Constant):
            found = _rearranged(node, operation, source, sizes)
        return found if found is not None and found.sizes == sizes else Constant(sizes=sizes)

    def _translated(self, node: Node, operation: Operation) -> Values:
        translate = OPERATORS.get(node.operator)
        if translate is None:
            raise Untranslatable("no layer type does what it does")
        result = translate(operation)
        if self._is_example:
            given = result if isinstance(result, tuple) else (result,)
            for output, one in zip(node.outputs, given):
                _require_recorded(one, self._recorded.get(output))
        first = self.next_layer
        self.add_layers(operation, node.module or node.name)
        name, call = node.module or node.name, node.call or node.name
        self._parts.update(dict.fromkeys(range(first, self.next_layer), (name, call)))
        return result


def _readers(graph: Graph) -> dict[str, set[str]]:
    """The operators that read a value, by its name; "" stands for the user, who reads outputs."""
    found: dict[str, set[str]] = {name: {""} for name in graph.outputs}
    for node in graph.needed:
        for name in node.reads:
            found.setdefault(name, set()).add(node.operator)
    return found


def _require_recorded(value: Value | None, recorded: tuple[int | None, ...] | None) -> None:
    """Raise Untranslatable for a value that has another shape than the file says."""
    if isinstance(value, Activation) and recorded != value.full_shape:
        listed = f"{list(value.full_shape)}, the file records {list(recorded or ())}"
        raise Untranslatable(f"its layer gives {listed}")


def _named(
    layers: Mapping[int, ImportedLayer], parts: Mapping[int, tuple[str, str]]
) -> dict[int, ImportedLayer]:
    """`layers`, the last one of each call with the call's name, those before as NAME/TYPE."""
    last = {call: number for number, (_, call) in parts.items()}
    return {
        number: replace(layer, name=f"{parts[number][0]}/{layer.type}")
        if number in parts and last[parts[number][1]] != number
        else layer
        for number, layer in layers.items()
    }


def _size(operation: Operation) -> int:
    """A size of an activation or a constant, or the number of its elements."""
    value = operation.argument("self", "input")
    full = value.full_shape if isinstance(value, Activation) else ()
    if isinstance(value, Constant):
        full = value.sizes
    if operation.node.operator == "sym_numel":
        return prod(full)
    return full[operation.counted(operation.integer(0, "dim"), len(full))]


def _computed(node: Node, operation: Operation) -> int:
    """A size that is computed from two numbers."""
    values = [operation.integer(0, name) for name in node.arguments]
    try:
        found = _ARITHMETIC[node.operator](*values)
    except (ArithmeticError, TypeError):
        raise Untranslatable(f"it computes no size of {values}") from None
    if abs(found) > LARGEST:
        raise Untranslatable("it leads to numbers beyond 2^53", code="E107")
    return found


def _rearranged(
    node: Node, operation: Operation, source: Constant, sizes: Shape
) -> Constant | None:
    """The numbers of `source` as a node rearranges them; None where it does more than that.

    `sizes` are those of what the node gives.
    """
    if node.operator in _SAME_NUMBERS:
        return source
    if node.operator in _SAME_ORDER:
        return replace(source, sizes=sizes, is_reshaped=True)
    order = _order(node, operation, len(source.sizes))
    if order is None or source.is_reshaped:
        return None
    axes = order if source.axes is None else tuple(source.axes[axis] for axis in order)
    return replace(source, sizes=sizes, axes=None if list(axes) == sorted(axes) else axes)


def _order(node: Node, operation: Operation, rank: int) -> tuple[int, ...] | None:
    """The order into which a node brings the axes of a constant; None for another node."""
    match node.operator:
        case "t":
            return tuple(reversed(range(rank)))
        case "permute":
            return tuple(axis % rank for axis in operation.integers("dims") or ())
        case "transpose" | "swapaxes":
            order = list(range(rank))
            first, second = (operation.integer(0, f"dim{axis}") % rank for axis in (0, 1))
            order[first], order[second] = order[second], order[first]
            return tuple(order)
    return None
