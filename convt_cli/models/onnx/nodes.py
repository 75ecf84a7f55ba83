"""From protobuf's nodes and inputs to the plain values of `graph`.

What lies inside is brought out: the nodes of a function take the place of the node that calls it,
and the constants of a graph inside a node are constants of the model.  Names that such nodes give
are made unique by the name of the value that the outer node gives, as in `y/then_branch/a`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from convt_cli.models.inputs import Input
from convt_cli.models.onnx.graph import Attribute, Body, Node
from convt_cli.models.onnx.tensors import Content, tensor_of

MOST_PARTS = 200_000
"""How many nodes a graph may have, and how many constants, inputs and outputs."""

_OWN_DOMAINS = ("", "ai.onnx")
"""The domain of ONNX's own operators."""

_INT64, _FLOAT32 = 7, 1
"""ONNX's numbers of these types."""

_CONSTANT_FIELDS = {
    "value": "",
    "sparse_value": "",
    "value_int": "int64_data",
    "value_ints": "int64_data",
    "value_float": "float_data",
    "value_floats": "float_data",
}
"""By the attribute of a Constant: the field of a tensor for its numbers, "" if it is a tensor."""

_Key = tuple[str, str, str]
"""The domain, the name and the overload of a function."""


def input_of(value: Any) -> Input:
    """An input of the model; a size below 1 is one that the model leaves open."""
    tensor = value.type.tensor_type
    if not tensor.HasField("shape"):
        return Input(name=text(value.name), shape=None)
    sizes = (dim.dim_value if dim.HasField("dim_value") else 0 for dim in tensor.shape.dim)
    return Input(name=text(value.name), shape=tuple(size if size > 0 else None for size in sizes))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Scope:
    """What the names in a graph or a function stand for outside.

    `names` are values, by their names in there.  In a function, `attributes` are those of the
    node that calls it, which is called `caller`, and `calls` are the functions being inlined.
    """

    names: Mapping[str, str]
    attributes: Mapping[str, Any]
    caller: str = ""
    calls: tuple[_Key, ...] = ()

    def called(self, name: str | bytes) -> str:
        """What a value is called outside."""
        return self.names.get(text(name), text(name))


_MODEL = _Scope(names={}, attributes={})
"""The scope of the model's own graph."""


class NodeReader:
    """Reads the nodes of a graph; `tensors` are the constants met so far, by name."""

    def __init__(self, functions: Iterable[Any], opset: int, content: Content) -> None:
        """`functions` are the model's own, of which those of another opset stay calls.

        `content` gives the bytes of dense tensors in the model.
        """
        self.tensors: dict[str, Any] = {}
        self._content = content
        self._functions = {
            _key_of(one, one.name): one for one in functions if _has_opset(one, opset)
        }
        self._left = MOST_PARTS  # nodes that may still be read

    def graph(self, graph: Any) -> tuple[Node, ...]:
        """The nodes of the model's graph.  Raises ValueError for one that is damaged."""
        return self._graph(graph, _MODEL)

    def _graph(self, graph: Any, scope: _Scope) -> tuple[Node, ...]:
        for name, tensor in _initializers(graph):
            self._keep(scope.called(name), tensor)
        return tuple(self._nodes(graph.node, scope))

    def _keep(self, name: str, tensor: Any) -> None:
        if name in self.tensors:
            raise ValueError(f"the constant '{name}' is given twice")
        self.tensors[name] = tensor

    def _nodes(self, nodes: Iterable[Any], scope: _Scope) -> Iterator[Node]:
        for node in nodes:
            self._left -= 1
            if self._left < 0:
                raise ValueError(f"it has more than {MOST_PARTS:,} nodes, functions inlined")
            attributes = dict(_attributes(node, scope))
            key = _key_of(node, node.op_type)
            if _is_constant(node, attributes):
                self._keep(scope.called(node.output[0]), _constant(*attributes.items()))
            elif key in self._functions:
                yield from self._called(node, attributes, key, scope)
            else:
                yield self._node(node, attributes, scope)

    def _called(
        self, node: Any, attributes: dict[str, Any], key: _Key, scope: _Scope
    ) -> Iterator[Node]:
        """The nodes of the function that `node` calls."""
        function = self._functions[key]
        if key in scope.calls:
            raise ValueError(f"the function '{key[1]}' calls itself")
        caller = _title(node, scope)
        own = (text(name) for one in function.node for name in one.output)
        names = {name: f"{_first_output(node, scope)}/{name}" for name in own if name}
        names |= dict.fromkeys(map(text, function.input), "")  # one that is left out
        names |= _matched(function.input, node.input, scope)
        names |= _matched(function.output, node.output, scope)
        defaults = {text(one.name): one for one in function.attribute_proto}
        inside = _Scope(
            names=names,
            attributes={**defaults, **attributes},
            caller=caller,
            calls=(*scope.calls, key),
        )
        yield from self._nodes(function.node, inside)

    def _node(self, node: Any, attributes: dict[str, Any], scope: _Scope) -> Node:
        """A node; an operator of another domain than ONNX's own is called DOMAIN.NAME."""
        operator, domain = text(node.op_type), text(node.domain)
        return Node(
            name=_title(node, scope),
            operator=operator if domain in _OWN_DOMAINS else f"{domain}.{operator}",
            inputs=tuple(map(scope.called, node.input)),
            outputs=tuple(map(scope.called, node.output)),
            attributes={name: _attribute(one, self._content) for name, one in attributes.items()},
            bodies=dict(self._bodies(node, attributes, scope)),
        )

    def _bodies(
        self, node: Any, attributes: dict[str, Any], scope: _Scope
    ) -> Iterator[tuple[str, Body]]:
        """The graphs that are attributes of a node: the branches of an If, the body of a Loop."""
        for name, attribute in attributes.items():
            graphs = [attribute.g] if attribute.HasField("g") else [*attribute.graphs]
            for number, graph in enumerate(graphs):
                numbered = name if attribute.HasField("g") else f"{name}{number}"
                prefix = f"{_first_output(node, scope)}/{numbered}"
                yield numbered, self._body(graph, prefix, scope)

    def _body(self, graph: Any, prefix: str, scope: _Scope) -> Body:
        own = {name: f"{prefix}/{name}" for name in _given_inside(graph)}
        inside = _Scope(
            names={**scope.names, **own},
            attributes=scope.attributes,
            caller=scope.caller,
            calls=scope.calls,
        )
        return Body(
            nodes=self._graph(graph, inside),
            outputs=tuple(inside.called(one.name) for one in graph.output),
            given=frozenset(own.values()),
        )


def _key_of(proto: Any, name: Any) -> _Key:
    """The key of a FunctionProto, or of the function that a NodeProto would call."""
    return text(proto.domain), text(name), text(proto.overload)


def _has_opset(function: Any, opset: int) -> bool:
    """Whether a function is no operator of ONNX itself, and is written in those of `opset`."""
    opsets = [one.version for one in function.opset_import if one.domain in _OWN_DOMAINS]
    return function.domain not in _OWN_DOMAINS and all(one == opset for one in opsets)


def _matched(formal: Iterable[Any], actual: Iterable[Any], scope: _Scope) -> dict[str, str]:
    """What a function's inputs or outputs are called where it is called."""
    pairs = zip(map(text, formal), map(scope.called, actual))
    return {name: called for name, called in pairs if called}


def _title(node: Any, scope: _Scope) -> str:
    """The name of a node; in a function, behind that of its caller."""
    name = text(node.name)
    return f"{scope.caller}/{name}" if scope.caller and name else name


def _first_output(node: Any, scope: _Scope) -> str:
    """What the first value that a node gives is called, which no other node gives."""
    return next((scope.called(name) for name in node.output if name), text(node.name))


def _attributes(node: Any, scope: _Scope) -> Iterator[tuple[str, Any]]:
    """The attributes of a node by name; one that refers to the caller's is the caller's."""
    for one in node.attribute:
        found = scope.attributes.get(text(one.ref_attr_name)) if one.ref_attr_name else one
        if found is not None:
            yield text(one.name), found


def _initializers(graph: Any) -> Iterator[tuple[str, Any]]:
    """The tensors of a graph, dense and sparse, by name."""
    yield from ((text(tensor.name), tensor) for tensor in graph.initializer)
    yield from ((text(tensor.values.name), tensor) for tensor in graph.sparse_initializer)


def _is_constant(node: Any, attributes: dict[str, Any]) -> bool:
    """Whether a node is a Constant that holds numbers; one of text is not."""
    return (
        node.op_type == "Constant"
        and node.domain in _OWN_DOMAINS
        and len(node.output) == len(attributes) == 1
        and all(name in _CONSTANT_FIELDS for name in attributes)
    )


def _constant(named: tuple[str, Any]) -> Any:
    """The tensor in a Constant node's attribute, made of its numbers where it is none."""
    name, attribute = named
    if name == "value":
        return attribute.t
    if name == "sparse_value":
        return attribute.sparse_tensor
    whole = name.startswith("value_int")
    tensor = type(attribute.t)()
    tensor.data_type = _INT64 if whole else _FLOAT32
    if name.endswith("s"):
        numbers = attribute.ints if whole else attribute.floats
        tensor.dims.append(len(numbers))
    else:
        numbers = [attribute.i if whole else attribute.f]
    getattr(tensor, _CONSTANT_FIELDS[name]).extend(numbers)
    return tensor


def _given_inside(graph: Any) -> Iterator[str]:
    """The names that a graph defines itself: its inputs, constants, and what its nodes give."""
    yield from (text(one.name) for one in graph.input)
    yield from (name for name, _ in _initializers(graph))
    for node in graph.node:
        yield from filter(None, map(text, node.output))


def text(name: str | bytes) -> str:
    """`name`, if it is UTF-8: protobuf gives bytes where it is not.  Raises ValueError."""
    if isinstance(name, bytes):
        raise ValueError(f"it has a name that is not UTF-8: {name!r}")
    return name


def _attribute(attribute: Any, content: Content) -> Attribute:
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
            return tensor_of(attribute.name, attribute.t, content)
        case 6:  # FLOATS
            return tuple(attribute.floats)
        case 7:  # INTS
            return tuple(attribute.ints)
        case _:
            return None
