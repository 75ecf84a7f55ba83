"""An ONNX model as plain values, between `file`, which makes them, and `convert`, which reads them.

Nothing here knows protobuf.  A graph checks itself when it is built: every name that is read is
given by something, and by one thing alone; nodes are put into an order in which they can be
computed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from heapq import heappop, heappush

from convt_cli.errors import FileError, shown
from convt_cli.models.inputs import Input

MOST_VALUES = 4096
"""Numbers of a constant that are kept, for shapes and scales; of a larger one, only the shape."""

_MOST_LISTED = 4
"""How many nodes of a circle a message names."""

Number = int | float


@dataclass(frozen=True, slots=True, kw_only=True)
class Tensor:
    """A constant of the model; `element` is NumPy's name of its type, "" where NumPy has none.

    `packed` are its numbers as bytes, row-major and little-endian; None where there are more than
    `MOST_VALUES`, or where they are in another file.
    """

    shape: tuple[int, ...]
    element: str
    packed: bytes | None = None


Attribute = int | float | str | tuple[int, ...] | tuple[float, ...] | Tensor | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """One operation; an input that is left out has the name "".

    If, Loop and Scan have graphs of their own inside: `bodies`, by the attribute.  `rounds` is the
    operator that rounds, of which this node is the plain counterpart, see `quantised`.
    """

    name: str
    operator: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: Mapping[str, Attribute]
    bodies: Mapping[str, Body] = field(default_factory=dict)
    rounds: str = ""

    @property
    def inside(self) -> Iterator[Node]:
        """All nodes of the graphs inside, and inside of those."""
        for body in self.bodies.values():
            for node in body.nodes:
                yield node
                yield from node.inside

    @property
    def inner(self) -> int:
        """How many nodes the graphs inside have."""
        return sum(1 for _ in self.inside)

    @property
    def captured(self) -> tuple[str, ...]:
        """The names that the graphs inside read from the one around them, each once."""
        return tuple({name: None for body in self.bodies.values() for name in body.captured})

    @property
    def reads(self) -> tuple[str, ...]:
        """The names of all values that it depends on."""
        return tuple(filter(None, (*self.inputs, *self.captured)))

    @property
    def title(self) -> str:
        """The node's name and operator, for a message."""
        name, operator = self.name or next(iter(self.outputs), ""), self.rounds or self.operator
        return f"node '{shown(name)}' ({shown(operator)})"

    def integer(self, name: str, default: int) -> int:
        """An attribute that is one integer.  Raises FileError (E405)."""
        value = self.attributes.get(name, default)
        if not isinstance(value, int):
            raise self._wrong_kind(name, "an integer")
        return value

    def number(self, name: str, default: float) -> float:
        """An attribute that is one number.  Raises FileError (E405)."""
        value = self.attributes.get(name, default)
        if not isinstance(value, int | float):
            raise self._wrong_kind(name, "a number")
        return value

    def word(self, name: str, default: str) -> str:
        """An attribute that is a word.  Raises FileError (E405)."""
        value = self.attributes.get(name, default)
        if not isinstance(value, str):
            raise self._wrong_kind(name, "a word")
        return value

    def integers(self, name: str) -> tuple[int, ...] | None:
        """An attribute that is a list of integers, if it is there.  Raises FileError (E405)."""
        value = self.attributes.get(name)
        if value is None:
            return None
        if not isinstance(value, tuple):
            raise self._wrong_kind(name, "a list of integers")
        found = tuple(entry for entry in value if isinstance(entry, int))
        if len(found) < len(value):
            raise self._wrong_kind(name, "a list of integers")
        return found

    def numbers(self, name: str) -> tuple[Number, ...] | None:
        """An attribute that is a list of numbers, if it is there.  Raises FileError (E405)."""
        value = self.attributes.get(name)
        if value is not None and not isinstance(value, tuple):
            raise self._wrong_kind(name, "a list of numbers")
        return value

    def _wrong_kind(self, name: str, wanted: str) -> FileError:
        return FileError(
            "E405", f"an attribute has its operator's kind: {name} is {wanted}", value=self.title
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Body:
    """A graph inside a node, its nodes in an order in which they can be computed.

    `given` are the names of its inputs and constants, and of all that its nodes give.
    """

    nodes: tuple[Node, ...]
    outputs: tuple[str, ...]
    given: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        inside = {name for node in self.nodes for name in node.outputs}
        outside = {name for node in self.nodes for name in node.reads if name not in inside}
        object.__setattr__(self, "nodes", in_order(self.nodes, outside))

    @property
    def captured(self) -> tuple[str, ...]:
        """The names that it reads from the graph around it, each once."""
        read = (*self.outputs, *(name for node in self.nodes for name in node.reads))
        return tuple(name for name in dict.fromkeys(read) if name not in self.given)


@dataclass(frozen=True, slots=True, kw_only=True)
class Graph:
    """A model: its nodes, in an order in which they can be computed, and their constants."""

    opset: int
    inputs: tuple[Input, ...]
    outputs: tuple[str, ...]
    constants: Mapping[str, Tensor]
    nodes: tuple[Node, ...]
    producer: str = ""

    def __post_init__(self) -> None:
        given: set[str] = set()
        for name in self._given():
            if name in given:
                raise _inconsistent("a value is given once", f"'{shown(name)}' is given twice")
            given.add(name)
        for name in self.outputs:
            if name not in given:
                rule = "an output of the model is computed by it"
                raise _inconsistent(rule, f"'{shown(name)}' is not")
        outside = {*self.constants, *(one.name for one in self.inputs)}
        object.__setattr__(self, "nodes", in_order(self.nodes, outside))

    def _given(self) -> Iterator[str]:
        """The names of all values: inputs, constants, and outputs of nodes."""
        yield from (one.name for one in self.inputs)
        yield from self.constants
        for node in self.nodes:
            yield from filter(None, node.outputs)

    def needed_for(self, names: Iterable[str], *, inside: bool = False) -> tuple[Node, ...]:
        """The nodes on which the values `names` depend, in an order to compute them in.

        With `inside`, the names may be of values that graphs inside of nodes give.
        """
        wanted = set(names)
        found = []
        nodes = self.nodes
        if inside:
            nodes = tuple(one for node in nodes for one in (*node.inside, node))
        for node in reversed(nodes):
            if wanted.intersection(node.outputs):
                wanted.update(node.reads)
                found.append(node)
        return tuple(reversed(found))


def in_order(nodes: tuple[Node, ...], outside: set[str]) -> tuple[Node, ...]:
    """`nodes` in an order to compute them in: as they are, but each behind all that it reads.

    `outside` are the names of inputs and constants, which no node gives.  Raises FileError (E405)
    where a name is missing, or nodes depend on themselves.
    """
    sources = _sources(nodes, outside)
    readers: list[list[int]] = [[] for _ in nodes]
    for number, found in enumerate(sources):
        for source in found:
            readers[source].append(number)
    left = [len(found) for found in sources]  # by node: sources that are not in the order yet
    ready = [number for number, count in enumerate(left) if not count]  # ascending: a heap
    order = []
    while ready:
        order.append(first := heappop(ready))
        for reader in readers[first]:
            left[reader] -= 1
            if not left[reader]:
                heappush(ready, reader)
    if len(order) < len(nodes):
        raise _circular(nodes, sources, set(range(len(nodes))).difference(order))
    return tuple(nodes[number] for number in order)


def _sources(nodes: tuple[Node, ...], outside: set[str]) -> list[tuple[int, ...]]:
    """By a node's number, the numbers of the nodes that it reads from, each once."""
    givers = {name: number for number, node in enumerate(nodes) for name in node.outputs if name}
    sources = []
    for node in nodes:
        read = dict.fromkeys(name for name in node.reads if name not in outside)
        for name in read:
            if name not in givers:
                rule = f"what {node.title} reads is given by the model"
                raise _inconsistent(rule, f"'{shown(name)}' is not")
        sources.append(tuple(dict.fromkeys(givers[name] for name in read)))
    return sources


def _circular(
    nodes: tuple[Node, ...], sources: list[tuple[int, ...]], stuck: set[int]
) -> FileError:
    """The error that names one circle of nodes among `stuck`, which hold at least one."""
    # every stuck node reads from another: walk up until one comes again
    path: dict[int, None] = {}
    number = min(stuck)
    while number not in path:
        path[number] = None
        number = next(one for one in sources[number] if one in stuck)
    walked = list(path)
    circle = [nodes[one].title for one in walked[walked.index(number) :]]
    listed = ", which reads ".join([*circle[:_MOST_LISTED], circle[0]])
    value = listed if len(circle) <= _MOST_LISTED else f"{len(circle)} nodes, from {circle[0]}"
    return _inconsistent("no node depends on itself", value)


def _inconsistent(rule: str, value: str) -> FileError:
    return FileError("E405", rule, value=value, help="export the model again")
