"""One node of a graph, its arguments found, and the layers that it becomes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass
from math import isfinite, prod

from convt_cli.arithmetic.convolution import Shape
from convt_cli.arithmetic.dialects.frameworks import Framework
from convt_cli.arithmetic.keys import FileReference, Inline
from convt_cli.models.pt2.graph import Argument, Constant, Node, Reference, Scalar, Unread
from convt_cli.models.translation import Activation, Cut, Places, Translation


@dataclass(frozen=True, slots=True)
class Rows:
    """An activation seen as a matrix: all its axes but the last are one, the batch among them.

    PyTorch multiplies a matrix so, in a graph of its smallest operators, and then undoes it.
    """

    source: Activation


Value = Activation | Places | Rows | Constant | int | float
"""What a node can read or give: a number stands for a size that is computed."""

Values = Value | tuple[Activation | Places | None, ...]
"""What a node gives: its one output, or all of several; None for one that nothing reads."""

Found = Scalar | Unread | Activation | Places | Rows | Constant | tuple["Found", ...]
"""An argument with its values in place of references."""


class Operation(Translation):
    """A node; translators ask for its arguments by the names of PyTorch's schemas."""

    def __init__(
        self,
        node: Node,
        values: Mapping[str, Value | Cut],
        rules: Framework,
        reference: str,
        first: int,
        *,
        readers: Mapping[str, Set[str]],
    ) -> None:
        """`reference` is the model's file as weights name it, `first` the first layer's number.

        `readers` are the operators that read a value of the graph, by its name, "" for its user.
        """
        super().__init__(node.name, node.operator, rules, first)
        self.node = node
        self.are_read = tuple(name in readers for name in node.outputs)
        self.readers = readers.get(next(iter(node.outputs), ""), frozenset())
        self._reference = reference
        self._arguments = {name: _found(one, values) for name, one in node.arguments.items()}

    def argument(self, *names: str) -> Found:
        """The first argument that the node has of these names; None if it has none of them."""
        return next((self._arguments[name] for name in names if name in self._arguments), None)

    def activation(self, *names: str) -> Activation:
        """The argument called `input`, `self` or one of `names`.  Raises Untranslatable."""
        names = names or ("input", "self")
        value = self.argument(*names)
        if not isinstance(value, Activation):
            self.refuse(f"its {names[-1]} is {'missing' if value is None else 'no activation'}")
        return value

    def constant(self, *names: str) -> Constant | None:
        """The argument, which has to be a constant; None if left out.  Raises Untranslatable."""
        value = self.argument(*names)
        if value is not None and not isinstance(value, Constant):
            self.refuse(f"its {names[0]} is computed from the model's input")
        return value

    def weight(self, *names: str) -> Constant:
        """The argument, which has to be there and constant.  Raises Untranslatable."""
        found = self.constant(*(names or ("weight",)))
        if found is None:
            self.refuse("its weight is missing")
        return found

    def integers(self, *names: str) -> tuple[int, ...] | None:
        """The argument as a list of integers; None if left out.  Raises Untranslatable."""
        value = self.argument(*names)
        if value is None:
            return None
        found = value if isinstance(value, tuple) else (value,)
        numbers = tuple(one for one in found if isinstance(one, int) and not isinstance(one, bool))
        if len(numbers) < len(found):
            self.refuse(f"its {names[0]} is not known")
        return numbers

    def integer(self, default: int, *names: str) -> int:
        """The argument as an integer.  Raises Untranslatable."""
        return (self.integers(*names) or (default,))[0]

    def number(self, default: float, *names: str) -> float:
        """The argument as a finite number.  Raises Untranslatable."""
        value = self.argument(*names)
        if value is None:
            return default
        if not isinstance(value, int | float):
            self.refuse(f"its {names[0]} is not known")
        if not isfinite(value):
            self.refuse(f"its {names[0]} is {value}")
        return float(value)

    def flag(self, name: str, *, default: bool = False) -> bool:
        """The argument as true or false."""
        value = self.argument(name)
        return value if isinstance(value, bool) else default

    def per_axis(self, name: str, rank: int, default: int) -> tuple[int, ...]:
        """The argument: an integer for each of `rank` axes.  Raises Untranslatable."""
        if rank < 1:
            self.refuse("its input has no spatial axes", code="E119")
        values = self.integers(name) or (default,)
        values = values * rank if len(values) == 1 else values
        if len(values) != rank:
            self.refuse(f"{name} has {len(values)} entries for {rank} axes", code="E106")
        if min(values) < min(default, 1):
            self.refuse(f"{name} is {list(values)}", code="E107")
        return values

    def axes(self, source: Activation, *names: str) -> tuple[int, ...] | None:
        """The axes of `source` that an argument names, batch axis 0; None if left out."""
        rank = len(source.full_shape)
        given = self.integers(*names)
        return None if given is None else tuple(self.counted(one, rank) for one in given)

    def full_sizes(self, name: str) -> Shape:
        """The argument as the sizes of a shape, -1 among them.  Raises Untranslatable."""
        sizes = self.integers(name)
        if sizes is None:
            self.refuse(f"its {name} is missing")
        return sizes

    def reference(self, constant: Constant, shape: Shape | None = None) -> FileReference | None:
        """The place of a constant in the model's file; None, and a note, if it has none.

        `shape` is that in which it is wanted, with the same elements.
        """
        if constant.key is None:
            self.notes.append("the numbers of a weight are not kept in the model")
            return None
        wanted = constant.sizes if shape is None else shape
        if 0 in wanted:
            self.refuse("its constant has no elements")
        if prod(wanted) != prod(constant.sizes):
            self.refuse(f"its constant is {list(constant.sizes)}, not {list(wanted)}", code="E121")
        is_reshaped = constant.is_reshaped or wanted != constant.sizes
        return FileReference(
            file=self._reference,
            key=constant.key,
            axes=constant.axes,
            shape=wanted if is_reshaped else None,
        )

    def bias(self, name: str, shape: Shape) -> bool | FileReference:
        """The key of a bias: its place; False if left out, True if it is not kept in the model."""
        constant = self.constant(name)
        return False if constant is None else self.reference(constant, shape) or True

    def scaled(self, source: Activation, factor: float, addend: float = 0) -> Activation:
        """`source` times a number plus a number, as a layer unless that changes nothing."""
        numbers = {"weight": (factor, 1), "bias": (addend, 0)}
        if not isfinite(factor) or not isfinite(addend):
            self.refuse(f"it multiplies by {factor} and adds {addend}")
        keys = {
            key: Inline(shape=(), values=(float(number),))
            for key, (number, nothing) in numbers.items()
            if number != nothing
        }
        return self.layer("scale", source, **keys) if keys else source

    def in_order(self, source: Activation, order: Sequence[int]) -> Activation:
        """The axes of `source` in another order, which leaves the batch in front."""
        if sorted(order) != list(range(len(source.full_shape))) or order[0] != 0:
            self.refuse(f"{list(order)} does not leave the batch axis where it is")
        if list(order) == sorted(order):
            return self.layer("identity", source)
        return self.layer("transpose", source, axes=tuple(axis - 1 for axis in order[1:]))


def _found(argument: Argument, values: Mapping[str, Value | Cut]) -> Found:
    if isinstance(argument, tuple):
        return tuple(_found(one, values) for one in argument)
    if isinstance(argument, Reference):
        value = values[argument.name]
        return Unread("cut") if isinstance(value, Cut) else value
    return argument


Translator = Callable[[Operation], Values]
"""Adds the layers that a node turns into, and returns what they give."""
