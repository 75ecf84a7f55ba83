"""An ONNX model as plain values: what `onnx_file` makes of one, and what `spec.onnx` reads.

Nothing here knows protobuf.  A graph has been held against itself when it is built: every name
is given once, and before it is used, so that there are no cycles and nothing is missing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from convt_cli.errors import FileError, shown

MOST_VALUES = 4096

Number = int | float
Sizes = tuple[int | None, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tensor:
    """A constant of the model; `element` is the name of its dtype, '' where it has none.

    `values` are its numbers in row-major order; None where there are more than `MOST_VALUES`,
    or where they stand in another file.
    """

    shape: tuple[int, ...]
    element: str
    values: tuple[Number, ...] | None = None


Attribute = int | float | str | tuple[int, ...] | tuple[float, ...] | Tensor | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """One operation; an input that is left out has the name ''."""

    name: str
    operator: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: Mapping[str, Attribute]

    @property
    def title(self) -> str:
        """How a message names the node."""
        return f"node '{shown(self.name or next(iter(self.outputs), ''))}' ({shown(self.operator)})"

    def integer(self, name: str, default: int) -> int:
        """An attribute that is one integer.  Raises FileError (E405)."""
        value = self.attributes.get(name, default)
        if not isinstance(value, int):
            raise self._wrong_kind(name, "an integer")
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
class Input:
    """An input of the model; a size is None where the model leaves it open."""

    name: str
    shape: Sizes


@dataclass(frozen=True, slots=True, kw_only=True)
class Graph:
    """A model: nodes in an order in which they can be computed, and the constants they read."""

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
                raise _inconsistent("a value is given once", name, "is given twice")
            given.add(name)
        given = {*self.constants, *(one.name for one in self.inputs)}
        for node in self.nodes:
            for name in node.inputs:
                if name and name not in given:
                    rule = f"what {node.title} reads is given before it"
                    raise _inconsistent(rule, name, "is not")
            given.update(node.outputs)
        for name in self.outputs:
            if name not in given:
                raise _inconsistent("an output of the model is computed by it", name, "is not")

    def _given(self) -> Iterator[str]:
        yield from (one.name for one in self.inputs)
        yield from self.constants
        for node in self.nodes:
            yield from filter(None, node.outputs)

    def needed_for(self, names: tuple[str, ...]) -> tuple[Node, ...]:
        """The nodes that `names` depend on, in their order."""
        wanted = set(names)
        found = []
        for node in reversed(self.nodes):
            if wanted.intersection(node.outputs):
                wanted.update(node.inputs)
                found.append(node)
        return tuple(reversed(found))


def _inconsistent(rule: str, name: str, problem: str) -> FileError:
    return FileError(
        "E405", rule, value=f"'{shown(name)}' {problem}", help="export the model again"
    )
