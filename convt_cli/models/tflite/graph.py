"""The graph of a `.tflite` file as plain values: nodes, their options, and the tensors they read.

A graph checks itself when it is read: whatever a node reads is an input, a constant, or given by a
node before it, and a value is given once.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

from convt_cli.errors import FileError, shown
from convt_cli.models.inputs import Input
from convt_cli.models.tflite.flatbuffer import Bytes, Table, damaged
from convt_cli.models.tflite.schema import IDENTIFIER, OPERATORS, OPTIONS
from convt_cli.models.tflite.tensors import Tensor, read_tensors

FOLDED = ("DENSIFY", "DEQUANTIZE", "RESHAPE")
"""Operators that leave the numbers of a constant, so that it can be read behind them."""

_VERSION = 3
_CUSTOM = "CUSTOM"
_PLACEHOLDER = 127
"""The number of an operator that stands for one from 128 on, in the field of older files."""

_NO_TENSOR = -1
"""The number of an input that is left out."""

Values = int | float | tuple[int, ...]
"""What an option holds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """One operation; an input that is left out has the name "".

    Its `name` is that of its first output.  IF and WHILE have graphs of their own, with `inner`
    nodes altogether.
    """

    operator: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    options: Mapping[str, Values]
    inner: int = 0

    @property
    def name(self) -> str:
        return plain_name(next(iter(self.outputs), ""))

    @property
    def reads(self) -> tuple[str, ...]:
        """The names of all values that it depends on."""
        return tuple(filter(None, self.inputs))

    @property
    def title(self) -> str:
        """The node's name and operator, for a message."""
        return f"node '{shown(self.name)}' ({shown(self.operator)})"


def plain_name(tensor: str) -> str:
    """The name of a layer that gives `tensor`: of several that were fused, the first.

    >>> plain_name("net/relu/Relu;net/bn/FusedBatchNormV3;net/conv/Conv2D")
    'net/relu/Relu'
    """
    return tensor.partition(";")[0] or tensor


@dataclass(frozen=True, kw_only=True)
class Graph:
    """A model: its inputs, outputs and nodes; `tensors` are all its values by their names.

    `constants` are the names of those that nothing computes.  The file has `others` more graphs,
    which are not called by this one.
    """

    table: Table
    inputs: tuple[Input, ...]
    outputs: tuple[str, ...]
    nodes: tuple[Node, ...]
    tensors: Mapping[str, Tensor]
    others: int
    producer: str = ""

    @cached_property
    def constants(self) -> tuple[str, ...]:
        computed = {one.name for one in self.inputs}
        computed.update(name for node in self.nodes for name in node.outputs)
        return tuple(name for name in self.tensors if name not in computed)

    @cached_property
    def givers(self) -> dict[str, Node]:
        """By the name of a value, the node that computes it."""
        return {name: node for node in self.nodes for name in node.outputs}

    @cached_property
    def needed(self) -> tuple[Node, ...]:
        """The nodes on which outputs depend, in their order."""
        wanted = set(self.outputs)
        found = []
        for node in reversed(self.nodes):
            if wanted.intersection(node.outputs):
                wanted.update(node.reads)
                found.append(node)
        return tuple(reversed(found))


def read_graph(source: Bytes) -> Graph:
    """The first graph of a file.  Raises FileError (E405)."""
    if source.size < 8 or source.at(4, 4) != IDENTIFIER:
        raise damaged(source.path, f"it does not have {IDENTIFIER.decode()} at byte 4")
    model = Table.root(source)
    _require_version(model.integer(0, "I"), source.path)
    graphs = model.tables(2)
    if not graphs:
        raise damaged(source.path, "it has no graph")
    signatures = [one for one in model.tables(7) if not one.integer(4, "I")]
    given = {number: name for one in signatures[:1] for number, name in _signed(one)}
    tensors = read_tensors(model, graphs[0], given)
    nodes = tuple(_Reader(model, graphs, tensors).nodes())
    inputs = [_found(tensors, number, source.path) for number in graphs[0].integers(1)]
    outputs = [_found(tensors, number, source.path) for number in graphs[0].integers(2)]
    called = {
        value for node in nodes for name, value in node.options.items() if name.endswith("graph")
    }
    found = Graph(
        table=model,
        inputs=tuple(_input(one, source.path) for one in inputs),
        outputs=tuple(one.name for one in outputs),
        nodes=nodes,
        tensors={one.name: one for one in tensors},
        others=sum(number not in called for number in range(1, len(graphs))),
    )
    _require_given(found)
    return found


def _require_version(version: int, path: str) -> None:
    if version != _VERSION:
        raise FileError(
            "E405",
            f"convt reads version {_VERSION} of .tflite files",
            value=f"{shown(path)} has version {version}",
            help="convert the model again with TensorFlow 2",
        )


def _input(tensor: Tensor, path: str) -> Input:
    """An input, with 1 for a batch that is left open."""
    shape = tensor.open_shape
    if 0 in shape:
        raise damaged(path, f"its input '{shown(tensor.name)}' has the shape {list(shape)}")
    return Input(name=tensor.name, shape=(1, *shape[1:]) if shape[:1] == (None,) else shape)


def _signed(signature: Table) -> Iterator[tuple[int, str]]:
    """The names that a signature has for inputs and outputs, by the numbers of their tensors."""
    for field in (1, 0):  # outputs first: a tensor that is both is an input
        for entry in signature.tables(field):
            yield entry.integer(1, "I"), entry.text(0)


def _found(tensors: tuple[Tensor, ...], number: int, path: str) -> Tensor:
    if not 0 <= number < len(tensors):
        raise damaged(path, f"it names tensor {number} of {len(tensors)}")
    return tensors[number]


class _Reader:
    """Makes the nodes of the first of a model's graphs."""

    def __init__(
        self, model: Table, graphs: tuple[Table, ...], tensors: tuple[Tensor, ...]
    ) -> None:
        self._graphs = graphs
        self._tensors = tensors
        self._operators = [_operator(code) for code in model.tables(1)]

    def nodes(self) -> Iterator[Node]:
        for table in self._graphs[0].tables(3):
            yield self._node(table)

    def _node(self, table: Table) -> Node:
        code, path = table.integer(0, "I"), table.source.path
        if code >= len(self._operators):
            raise damaged(path, f"it names operator {code} of {len(self._operators)}")
        options = _options(self._operators[code], table.table(4))
        return Node(
            operator=self._operators[code],
            inputs=tuple(map(self._name, table.integers(1))),
            outputs=tuple(_found(self._tensors, one, path).name for one in table.integers(2)),
            options=options,
            inner=sum(self._size(name, value) for name, value in options.items()),
        )

    def _name(self, number: int) -> str:
        if number == _NO_TENSOR:
            return ""
        return _found(self._tensors, number, self._graphs[0].source.path).name

    def _size(self, option: str, value: Values) -> int:
        """How many nodes the graph has that an option names; 0 for another option."""
        if not option.endswith("graph") or not isinstance(value, int):
            return 0
        if not 0 <= value < len(self._graphs):
            raise damaged(self._graphs[0].source.path, f"it names graph {value}")
        return self._graphs[value].vector(3, 4).size


def _operator(code: Table) -> str:
    """The name of an operator; that of a custom one has its own behind CUSTOM."""
    number = code.integer(0, "b")
    if number in (0, _PLACEHOLDER):
        number = max(number, code.integer(3))
    name = OPERATORS[number] if 0 <= number < len(OPERATORS) else f"operator {number}"
    return f"{_CUSTOM}.{code.text(1)}" if name == _CUSTOM else name


def _options(operator: str, table: Table | None) -> dict[str, Values]:
    """The options of an operator that are read; defaults where it has none."""
    found: dict[str, Values] = {}
    for name, one in OPTIONS.get(operator, {}).items():
        if one.is_list:
            found[name] = () if table is None else table.integers(one.field, one.form)
        else:
            value = one.default if table is None else table.number(one.field, one.form, one.default)
            found[name] = value
    return found


def _require_given(graph: Graph) -> None:
    """Raise FileError (E405) where something is read before it is given, or given twice."""
    path, given = graph.table.source.path, set(graph.constants)
    inputs = tuple(one.name for one in graph.inputs)
    for reads, gives in (((), inputs), *((node.reads, node.outputs) for node in graph.nodes)):
        for name in reads:
            if name not in given:
                raise damaged(path, f"'{shown(name)}' is read before it is computed")
        for name in gives:
            if name in given:
                raise damaged(path, f"'{shown(name)}' is given twice")
            given.add(name)
