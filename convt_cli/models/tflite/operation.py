"""One node of a graph, what it reads, and the layers that it becomes."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from math import isfinite, prod
from struct import pack
from typing import Any

from convt_cli.arithmetic.convolution import Shape
from convt_cli.arithmetic.dialects.frameworks import Framework
from convt_cli.arithmetic.keys import FileReference, Inline, Padding
from convt_cli.models.channels_last import full_shape, reshaped
from convt_cli.models.tflite.flatbuffer import Table
from convt_cli.models.tflite.graph import Node
from convt_cli.models.tflite.tensors import Tensor, small_numbers
from convt_cli.models.translation import Activation, Cut, Translation

_ACTIVATIONS: dict[int, tuple[str, dict[str, float]]] = {
    1: ("relu", {}),
    2: ("clip", {"minimum": -1.0, "maximum": 1.0}),
    3: ("clip", {"minimum": 0.0, "maximum": 6.0}),
    4: ("tanh", {}),
}
"""The layer of an activation that is fused with an operator, and its keys."""

_PADDINGS: tuple[Padding, ...] = ("same", 0)
"""The padding of a layer by the number of SAME and VALID."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Constant:
    """A value that no input decides on; `key` is its name in the file, None without numbers.

    `sizes` are the integers of one that is computed from the sizes of other values, if known.
    """

    tensor: Tensor
    key: str | None
    sizes: tuple[int, ...] | None = None

    @property
    def shape(self) -> Shape:
        return self.tensor.shape


Value = Activation | Constant
"""What a node can read or give."""

Values = Activation | tuple[Activation | None, ...]
"""What a node gives: its one output, or all of several; None for one that nothing reads."""


class Operation(Translation):
    """A node; translators ask for its inputs by their numbers, and for its options by name."""

    def __init__(
        self,
        node: Node,
        inputs: tuple[Value | Cut | None, ...],
        rules: Framework,
        reference: str,
        first: int,
        *,
        model: Table,
        read: Collection[str],
        recorded: Shape | None,
    ) -> None:
        """`reference` is the model's file as weights name it, `first` the first layer's number.

        `read` are the names of all values that a node reads or that are outputs, and `recorded`
        is the shape that the file has for the first output, None where it need not be that.
        """
        super().__init__(node.name, node.operator, rules, first)
        self.node = node
        self.are_read = tuple(name in read for name in node.outputs)
        self.recorded = recorded
        self._inputs = inputs
        self._reference = reference
        self._model = model

    @property
    def inputs(self) -> tuple[Value | Cut, ...]:
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

    def numbers(self, number: int) -> tuple[int | float, ...] | None:
        """The numbers of input `number`, if it is there and they are known and few."""
        found = self.constant(number)
        return None if found is None else self.numbers_of(found)

    def numbers_of(self, constant: Constant) -> tuple[int | float, ...] | None:
        """The numbers of a constant, row-major; None for unknown or many ones."""
        return constant.sizes or small_numbers(constant.tensor, self._model)

    def integers(self, number: int) -> tuple[int, ...]:
        """The integers of input `number`, which have to be known.  Raises Untranslatable."""
        found = self.numbers(number)
        if found is None:
            self.refuse(f"the numbers of its input {number} are not known")
        if not all(isinstance(one, int) for one in found):
            self.refuse(f"its input {number} holds no sizes")
        return tuple(map(int, found))

    def option(self, name: str) -> int:
        """An option that is one integer."""
        value = self.node.options[name]
        return value if isinstance(value, int) else 0

    def number(self, name: str) -> float:
        """An option that is a finite number, as a decimal.  Raises Untranslatable."""
        value = self.node.options[name]
        found = decimal(value) if isinstance(value, int | float) else 0.0
        if not isfinite(found):
            self.refuse(f"its {name} is {found}")
        return found

    def padding(self) -> Padding:
        """The padding of a layer.  Raises Untranslatable."""
        number = self.option("padding")
        if not 0 <= number < len(_PADDINGS):
            self.refuse(f"its padding is {number}")
        return _PADDINGS[number]

    def per_axis(self, name: str, rank: int) -> tuple[int, ...]:
        """The options `name`_d, _h and _w, the last `rank` of them.  Raises Untranslatable."""
        values = tuple(self.option(f"{name}_{axis}") for axis in "dhw"[-rank:])
        if min(values) < 1:
            self.refuse(f"its {name} is {list(values)}", code="E107")
        return values

    def activated(self, source: Activation) -> Activation:
        """`source` behind the activation that is fused with the node, if one is."""
        number = self.option("activation")
        if not number:
            return source
        if number not in _ACTIVATIONS:
            self.refuse(f"its activation is number {number}, which no layer computes")
        layer_type, keys = _ACTIVATIONS[number]
        return self.layer(layer_type, source, **keys)

    def reference(
        self, constant: Constant, *, axes: Shape | None = None, shape: Shape | None = None
    ) -> FileReference | None:
        """The place of a constant in the model's file; None, and a note, if it has none.

        `axes` is the order in which its axes are wanted, and `shape` then another shape.
        """
        if constant.key is None:
            self.notes.append("the numbers of a weight are not kept in the model")
            return None
        in_order = axes is None or list(axes) == sorted(axes)
        turned = constant.shape if axes is None else tuple(constant.shape[one] for one in axes)
        if shape is not None and prod(shape) != prod(turned):
            self.refuse(f"its constant is {list(turned)}, not {list(shape)}", code="E121")
        return FileReference(
            file=self._reference,
            key=constant.key,
            axes=None if in_order else axes,
            shape=None if shape == turned else shape,
        )

    def bias(self, number: int, channels: int) -> bool | FileReference:
        """The key of a bias: its place; False if left out, True if it is not kept in the model."""
        constant = self.constant(number)
        if constant is None:
            return False
        return self.reference(constant, shape=(channels,)) or True

    def scaled(self, source: Activation, factor: float, addend: float = 0.0) -> Activation:
        """`source` times a number plus a number, as a layer unless that changes nothing."""
        numbers = {"weight": (factor, 1.0), "bias": (addend, 0.0)}
        if not isfinite(factor) or not isfinite(addend):
            self.refuse(f"it multiplies by {factor} and adds {addend}")
        keys: dict[str, Any] = {
            key: Inline(shape=(), values=(number,))
            for key, (number, nothing) in numbers.items()
            if number != nothing
        }
        return self.layer("scale", source, **keys) if keys else source

    def in_full_shape(self, source: Activation, rank: int) -> Activation:
        """`source` with axes of size 1 in front, so that with the batch there are `rank`."""
        missing = rank - 1 - len(source.shape)
        if missing <= 0:
            return source
        if source.batch != 1:
            self.refuse("its sources have batches along different axes")
        return reshaped(self, source, (1,) * missing + full_shape(source))


def decimal(number: float) -> float:
    """The shortest decimal that a number of single precision rounds to.

    >>> decimal(0.30000001192092896)
    0.3
    """
    single = pack("<f", number)
    found = (float(f"{number:.{digits}g}") for digits in range(1, 9))
    return next((one for one in found if pack("<f", one) == single), number)


Translator = Callable[[Operation], Values]
"""Adds the layers that a node turns into, and returns what they give."""
