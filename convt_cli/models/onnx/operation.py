"""The values of a graph, and an `Operation`: one node, what it reads, and the layers it becomes.

A value is an `Activation`, which an input or a layer of the spec gives, a `Constant`, or `Cut`.
Every activation has the batch axis first, which a spec does not have; an operator that moves it
or mixes it with other axes has no counterpart.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any, NoReturn

from convt_cli.arithmetic.convolution import Shape
from convt_cli.arithmetic.dialects.frameworks import Framework
from convt_cli.arithmetic.keys import LARGEST, FileReference
from convt_cli.arithmetic.layers import LAYER_TYPES, Definition, Geometry
from convt_cli.errors import GeometryError
from convt_cli.models.imported import ImportedLayer
from convt_cli.models.onnx.arithmetic import Array
from convt_cli.models.onnx.constants import whole_numbers
from convt_cli.models.onnx.graph import MOST_VALUES, Node, Number


class Untranslatable(Exception):
    """A spec cannot say what the node does; `code` is that of the rule it would break."""

    def __init__(self, reason: str, *, code: str = "E505") -> None:
        super().__init__(reason)
        self.code = code


@dataclass(frozen=True, slots=True, kw_only=True)
class Activation:
    """A value that depends on the model's input: `source` is the input or layer that gives it.

    `source` is a number, as in `ImportedModel`; `shape` is (channels, *spatial), without the
    graph's batch axis of size `batch`.
    """

    source: int
    shape: Shape
    batch: int

    @property
    def full_shape(self) -> Shape:
        """(batch, channels, *spatial), which is the shape in the graph."""
        return (self.batch, *self.shape)


@dataclass(frozen=True, slots=True, kw_only=True)
class Constant:
    """A value that does not depend on the model's input.

    Where `known` is false, `array` has the constant's shape and none of its numbers.  `name` is
    the model's name for it; None where a spec cannot refer to it, because it follows from the
    sizes of an input too.
    """

    array: Array
    known: bool = True
    name: str | None = None

    @property
    def shape(self) -> Shape:
        return tuple(int(size) for size in self.array.shape)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cut:
    """A value that the spec lacks; `cause` names the node or input that it could not say.

    `is_known`: that something is lacking was noted there.  It was not for a further output of a
    node that the spec has.
    """

    cause: str
    is_known: bool = True


Value = Activation | Constant | Cut


class Operation:
    """A node that reads at least one activation, and the layers that it becomes.

    Translators ask it for inputs and attributes, and add layers with `layer` and `stand_in`.
    """

    def __init__(
        self,
        node: Node,
        inputs: tuple[Value | None, ...],
        rules: Framework,
        reference: str,
        first: int,
    ) -> None:
        """`reference` is the model's file as weights name it, `first` the first layer's number."""
        self.node = node
        self.layers: list[ImportedLayer] = []
        self.notes: list[str] = []
        self._inputs = inputs
        self._rules = rules
        self._reference = reference
        self._first = first

    @property
    def opset(self) -> int:
        """The version of ONNX's operators; rules without one count as the first."""
        return self._rules.opset or 1

    @property
    def inputs(self) -> tuple[Value, ...]:
        """The inputs that the node does not leave out."""
        return tuple(value for value in self._inputs if value is not None)

    def activation(self, number: int = 0) -> Activation:
        """Input `number`, which has to be an activation.  Raises Untranslatable."""
        value = self._inputs[number] if number < len(self._inputs) else None
        if not isinstance(value, Activation):
            self.refuse(f"its input {number} is {'missing' if value is None else 'a constant'}")
        return value

    def constant(self, number: int) -> Constant | None:
        """Input `number`, which has to be a constant; None if left out.  Raises Untranslatable."""
        value = self._inputs[number] if number < len(self._inputs) else None
        if isinstance(value, Activation):
            self.refuse(f"its input {number} is computed from the model's input")
        return value if isinstance(value, Constant) else None

    def weight(self, number: int) -> Constant:
        """Input `number`, which has to be there and constant.  Raises Untranslatable."""
        found = self.constant(number)
        if found is None:
            self.refuse(f"its input {number} is missing")
        return found

    def numbers(self, number: int, attribute: str = "") -> tuple[Number, ...] | None:
        """The numbers of input `number`, else those of an attribute; None without either.

        Newer opsets have as an input what older ones have as an attribute.  Raises Untranslatable.
        """
        found = self.constant(number)
        if found is None or not found.array.size:
            return self.node.numbers(attribute) if attribute else None
        self._require_known(found, number)
        return tuple(found.array.ravel().tolist())

    def integers(self, number: int, attribute: str = "") -> tuple[int, ...] | None:
        """As `numbers`, each of them an integer."""
        found = self.constant(number)
        if found is None:
            return self.node.integers(attribute) if attribute else None
        self._require_known(found, number)
        try:
            return whole_numbers(found.array)
        except (ValueError, OverflowError) as error:
            self.refuse(f"its input {number} holds no sizes: {error}")

    def axis(self, attribute: str, default: int, rank: int) -> int:
        """The axis that an attribute names, from 0 to `rank` - 1.  Raises Untranslatable."""
        return self.counted(self.node.integer(attribute, default), rank)

    def counted(self, axis: int, rank: int) -> int:
        """`axis`, or `axis` + `rank` where it is negative.  Raises Untranslatable."""
        if not -rank <= axis < rank:
            self.refuse(f"it names axis {axis} of {rank}")
        return axis % rank

    def refuse(self, reason: str, *, code: str = "E505") -> NoReturn:
        """Raise Untranslatable: a spec cannot say what the node does, for this reason."""
        raise Untranslatable(reason, code=code)

    def layer(self, layer_type: str, *sources: Activation, **keys: Any) -> Activation:
        """Add a layer to the spec and return what it gives.  Raises Untranslatable if illegal."""
        geometry = self.geometry(layer_type, *sources, **keys)
        if any(abs(number) > LARGEST for number in _integers((*keys.values(), geometry.output))):
            self.refuse("it leads to numbers beyond 2^53", code="E107")
        self.layers.append(
            ImportedLayer(
                name=self.node.name,
                type=layer_type,
                sources=tuple(source.source for source in sources),
                keys=keys,
                output=geometry.output,
            )
        )
        number = self._first + len(self.layers) - 1
        return replace(sources[0], source=number, shape=geometry.output)

    def stand_in(
        self, layer_type: str, *sources: Activation, stands_for: str = "", **keys: Any
    ) -> Activation:
        """As `layer`, for one that has the node's shapes and other numbers; a note says so.

        `stands_for` says what the node does, where the operator's name does not say it all.
        """
        operation = stands_for or self.node.operator
        self.notes.append(f"{layer_type} stands for {operation}")
        given = self.layer(layer_type, *sources, **keys)
        self.layers[-1] = replace(self.layers[-1], stands_for=operation)
        return given

    def geometry(self, layer_type: str, *sources: Activation, **keys: Any) -> Geometry:
        """The shapes that a layer would have, which is not added.  Raises Untranslatable."""
        make: Callable[..., Definition] = LAYER_TYPES[layer_type]
        definition = make(**keys)
        try:
            for error in definition.problems(self._rules):
                raise error  # the first one, if there is any
            return definition.resolve(tuple(source.shape for source in sources), self._rules)
        except GeometryError as error:
            self.refuse(str(error), code=error.code)

    def reference(self, constant: Constant) -> FileReference | None:
        """The place of a constant in the model's file; None, and a note, if it has none."""
        if constant.name is None:
            self.notes.append("the numbers of a weight are not kept in the model")
            return None
        return FileReference(file=self._reference, key=constant.name)

    def _require_known(self, constant: Constant, number: int) -> None:
        if not constant.known or constant.array.size > MOST_VALUES:
            self.refuse(f"the numbers of its input {number} are not known")


def _integers(values: tuple[object, ...]) -> Iterator[int]:
    """The integers in nested tuples."""
    for value in values:
        if isinstance(value, tuple):
            yield from _integers(value)
        elif isinstance(value, int):
            yield value


Translator = Callable[[Operation], Activation]
"""Adds the layers that a node turns into, and returns what the last of them gives."""
