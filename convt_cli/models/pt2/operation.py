"""One node of a graph, its arguments found, and the layers that it becomes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TypeVar

from convt_cli.arithmetic.convolution import Shape
from convt_cli.arithmetic.dialects.frameworks import Framework
from convt_cli.arithmetic.keys import FileReference
from convt_cli.models.pt2.graph import Argument, Constant, Node, Reference, Scalar, Unread
from convt_cli.models.translation import Activation, Cut, Translation

Value = Activation | Constant | int | float
"""What a node can read or give: a number stands for a size that is computed."""

Found = Scalar | Unread | Activation | Constant | tuple["Found", ...]
"""An argument with its values in place of references."""

_T = TypeVar("_T")


class Operation(Translation):
    """A node; translators ask for its arguments by the names of PyTorch's schemas."""

    def __init__(
        self,
        node: Node,
        values: Mapping[str, Value | Cut],
        rules: Framework,
        reference: str,
        first: int,
    ) -> None:
        """`reference` is the model's file as weights name it, `first` the first layer's number."""
        super().__init__(node.name, node.operator, rules, first)
        self.node = node
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
        """The argument as a number.  Raises Untranslatable."""
        value = self.argument(*names)
        if value is None:
            return default
        if not isinstance(value, int | float):
            self.refuse(f"its {names[0]} is not known")
        return value

    def flag(self, name: str, *, default: bool = False) -> bool:
        """The argument as true or false."""
        value = self.argument(name)
        return value if isinstance(value, bool) else default

    def per_axis(self, name: str, rank: int, default: int) -> tuple[int, ...]:
        """The argument: an integer for each of `rank` axes.  Raises Untranslatable."""
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

    def reference(self, constant: Constant) -> FileReference | None:
        """The place of a constant in the model's file; None, and a note, if it has none."""
        if constant.key is None or constant.is_transposed:
            self.notes.append("the numbers of a weight are not kept in the model")
            return None
        return FileReference(file=self._reference, key=constant.key)


def _found(argument: Argument, values: Mapping[str, Value | Cut]) -> Found:
    if isinstance(argument, tuple):
        return tuple(_found(one, values) for one in argument)
    if isinstance(argument, Reference):
        value = values[argument.name]
        return Unread("cut") if isinstance(value, Cut) else value
    return argument


def with_batch_kept(source: Activation, shape: Shape) -> Activation:
    """`source` in another shape, without a layer that says so."""
    return replace(source, shape=shape)


Translator = Callable[[Operation], Value]
"""Adds the layers that a node turns into, and returns what the last of them gives."""
