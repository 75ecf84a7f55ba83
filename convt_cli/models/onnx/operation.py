"""What an operator reads and what it can say: the two kinds of value, and the `Operation`.

A value of the graph is an `Activation`, which some input or layer of the spec gives and whose
shape is known, or a `Constant`.  The batch axis, which a spec does not have, is the first of
every activation; an operator that moves it or mixes it with others has no counterpart.
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
    """What depends on the input: the number of the input or layer that gives it, and its shape.

    `shape` is (channels, *spatial); the graph's has `batch` in front.
    """

    source: int
    shape: Shape
    batch: int

    @property
    def full_shape(self) -> Shape:
        """The shape as the graph has it."""
        return (self.batch, *self.shape)


@dataclass(frozen=True, slots=True, kw_only=True)
class Constant:
    """What does not depend on the input.

    Where `known` is false `array` has the constant's shape and none of its numbers.  `name` is
    how the model calls it, if it follows from the model's own constants alone.
    """

    array: Array
    known: bool = True
    name: str | None = None

    @property
    def shape(self) -> Shape:
        return tuple(int(size) for size in self.array.shape)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cut:
    """What the spec has not got, because `cause`, a node's title, could not be said in one."""

    cause: str


Value = Activation | Constant | Cut


class Operation:
    """A node that reads at least one activation, and the layers it turns into."""

    def __init__(
        self,
        node: Node,
        inputs: tuple[Value | None, ...],
        rules: Framework,
        model: str,
        first: int,
    ) -> None:
        self.node = node
        self.layers: list[ImportedLayer] = []
        self.notes: list[str] = []
        self._inputs = inputs
        self._rules = rules
        self._model = model
        self._first = first

    @property
    def opset(self) -> int:
        """The version of the operators."""
        return self._rules.opset or 1

    @property
    def inputs(self) -> tuple[Value, ...]:
        """The inputs that are there."""
        return tuple(value for value in self._inputs if value is not None)

    def activation(self, number: int = 0) -> Activation:
        """An input that depends on the model's.  Raises Untranslatable."""
        value = self._inputs[number] if number < len(self._inputs) else None
        if not isinstance(value, Activation):
            self.refuse(f"its input {number} is {'missing' if value is None else 'a constant'}")
        return value

    def constant(self, number: int) -> Constant | None:
        """An input that does not depend on the model's, if it is there.  Raises Untranslatable."""
        value = self._inputs[number] if number < len(self._inputs) else None
        if isinstance(value, Activation):
            self.refuse(f"its input {number} is computed from the model's input")
        return value if isinstance(value, Constant) else None

    def weight(self, number: int) -> Constant:
        """A constant that has to be there.  Raises Untranslatable."""
        found = self.constant(number)
        if found is None:
            self.refuse(f"its input {number} is missing")
        return found

    def numbers(self, number: int, attribute: str = "") -> tuple[Number, ...] | None:
        """The numbers of an input that is constant, else of an attribute; None without either."""
        found = self.constant(number)
        if found is None or not found.array.size:
            return self.node.numbers(attribute) if attribute else None
        self._require_known(found, number)
        return tuple(found.array.ravel().tolist())

    def integers(self, number: int, attribute: str = "") -> tuple[int, ...] | None:
        """As `numbers`, integers each."""
        found = self.constant(number)
        if found is None:
            return self.node.integers(attribute) if attribute else None
        self._require_known(found, number)
        try:
            return whole_numbers(found.array)
        except (ValueError, OverflowError) as error:
            self.refuse(f"its input {number} holds no sizes: {error}")

    def axis(self, attribute: str, default: int, rank: int) -> int:
        """An attribute that is one of `rank` axes, counted from the first."""
        return self.counted(self.node.integer(attribute, default), rank)

    def counted(self, axis: int, rank: int) -> int:
        """`axis`, which may count from the end, counted from the first."""
        if not -rank <= axis < rank:
            self.refuse(f"it names axis {axis} of {rank}")
        return axis % rank

    def refuse(self, reason: str, *, code: str = "E505") -> NoReturn:
        """Raise Untranslatable."""
        raise Untranslatable(reason, code=code)

    def layer(self, layer_type: str, *sources: Activation, **keys: Any) -> Activation:
        """What a further layer of the spec gives.  Raises Untranslatable where it cannot be."""
        geometry = self.geometry(layer_type, *sources, **keys)
        if any(abs(number) > LARGEST for number in _integers((*keys.values(), geometry.output))):
            self.refuse("it comes to numbers beyond 2^53", code="E107")
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
        """A layer of the right shape, whose numbers are not the node's: that is noted.

        `stands_for` says what the node does, where its operator alone does not.
        """
        operation = stands_for or self.node.operator
        self.notes.append(f"{layer_type} stands for {operation}")
        given = self.layer(layer_type, *sources, **keys)
        self.layers[-1] = replace(self.layers[-1], stands_for=operation)
        return given

    def geometry(self, layer_type: str, *sources: Activation, **keys: Any) -> Geometry:
        """What a layer would come to.  Raises Untranslatable."""
        make: Callable[..., Definition] = LAYER_TYPES[layer_type]
        definition = make(**keys)
        try:
            for error in definition.problems(self._rules):
                raise error
            return definition.resolve(tuple(source.shape for source in sources), self._rules)
        except GeometryError as error:
            self.refuse(str(error), code=error.code)

    def reference(self, constant: Constant) -> FileReference | None:
        """Where the model keeps the numbers of a constant, if it does."""
        if constant.name is None:
            self.notes.append("the numbers of a weight are not kept in the model")
            return None
        return FileReference(file=self._model, key=constant.name)

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
