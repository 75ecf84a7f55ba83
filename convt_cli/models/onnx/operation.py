"""The constants of a graph, and an `Operation`: one node, what it reads, and what it becomes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from math import isfinite, prod
from typing import Any

import numpy as np

from convt_cli.arithmetic.convolution import Shape
from convt_cli.arithmetic.dialects.frameworks import Framework
from convt_cli.arithmetic.keys import FileReference
from convt_cli.models.onnx.arithmetic import Array
from convt_cli.models.onnx.folding import whole_numbers
from convt_cli.models.onnx.graph import MOST_VALUES, Node, Number
from convt_cli.models.translation import Activation, Cut, Places, Translation


@dataclass(frozen=True, slots=True, kw_only=True)
class Constant:
    """A value that does not depend on the model's input, or of which the shape alone is known.

    Where `known` is false, `array` has the constant's shape and none of its numbers.  `name` is
    the model's name for it; None where a spec cannot refer to it, because it follows from the
    sizes of an input too.  With `is_reshaped`, `name` is that of a constant of the model with the
    same numbers in another shape, which alone follows from these sizes.
    """

    array: Array
    known: bool = True
    name: str | None = None
    is_reshaped: bool = False

    @property
    def shape(self) -> Shape:
        return tuple(int(size) for size in self.array.shape)


Value = Activation | Constant | Cut | Places


class Operation(Translation):
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
        super().__init__(node.name, node.operator, rules, first)
        self.node = node
        self._inputs = inputs
        self._reference = reference

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

    def places(self, number: int) -> Places:
        """Input `number`, which has to be the places that a max pool found.

        Raises Untranslatable.
        """
        value = self._inputs[number] if number < len(self._inputs) else None
        if not isinstance(value, Places):
            self.refuse(f"its input {number} is not what a MaxPool gives")
        return value

    def constant(self, number: int) -> Constant | None:
        """Input `number`, which has to be a constant; None if left out.  Raises Untranslatable."""
        value = self._inputs[number] if number < len(self._inputs) else None
        if value is not None and not isinstance(value, Constant):
            self.refuse(f"its input {number} is computed from the model's input")
        return value

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

    def number(self, attribute: str, default: float) -> float | None:
        """The number of an attribute; None where it is `default`.  Raises Untranslatable."""
        found = decimal(self.node.number(attribute, default), np.dtype("f4"))
        if not isfinite(found):
            self.refuse(f"its {attribute} is {found:g}")
        return None if found == default else found

    def axis(self, attribute: str, default: int, rank: int) -> int:
        """The axis that an attribute names, from 0 to `rank` - 1.  Raises Untranslatable."""
        return self.counted(self.node.integer(attribute, default), rank)

    def reference(self, constant: Constant) -> FileReference | None:
        """The place of a constant in the model's file; None, and a note, if it has none."""
        if constant.name is None:
            self.notes.append("the numbers of a weight are not kept in the model")
            return None
        shape = constant.shape if constant.is_reshaped else None
        return FileReference(file=self._reference, key=constant.name, shape=shape)

    def array(self, number: int, shape: Shape) -> FileReference | None:
        """As `reference`, of input `number`, brought to `shape`.

        A vector may be stored with more axes of size 1, or as one number for all its elements.
        Raises Untranslatable for a constant that does not fit.
        """
        constant = self.weight(number)
        is_vector = len(shape) == 1 and constant.array.size == 1
        if prod(constant.shape) != prod(shape) and not is_vector:
            reason = f"its input {number} is {list(constant.shape)}, not {list(shape)}"
            self.refuse(reason, code="E121")
        found = self.reference(constant)
        spreads = len(shape) == 1 and max(constant.shape, default=1) == constant.array.size
        if found is None or spreads or constant.shape == shape:
            return found
        return replace(found, shape=shape)

    def _require_known(self, constant: Constant, number: int) -> None:
        if not constant.known or constant.array.size > MOST_VALUES:
            self.refuse(f"the numbers of its input {number} are not known")


def decimal(number: float, dtype: np.dtype[Any]) -> float:
    """The shortest decimal that `dtype` rounds to `number`.

    >>> decimal(0.009999999776482582, np.dtype("f4"))
    0.01
    """
    with np.errstate(over="ignore"):
        return float(str(dtype.type(number)))


def is_per_channel(source: Activation, constant: Constant) -> bool:
    """Whether the constant is one number, or varies along the channels alone."""
    # broadcasting aligns shapes at their last axes; axis 1 of the activation is the channels
    aligned = (1,) * (len(source.full_shape) - len(constant.shape)) + constant.shape
    return all(size == 1 for axis, size in enumerate(aligned) if axis != 1)


Given = Activation | tuple[Activation | Constant | Places | None, ...]
"""The first output of a node, or all of several; None stands for one that nothing reads."""

Translator = Callable[[Operation], Given]
"""Adds the layers that a node turns into, and returns what they give."""
