"""A node with its constant inputs, as the functions of `constants` get it; and uniform arrays.

An array whose elements are all equal, such as a ConstantOfShape, is kept as a view of one element,
so that its shape costs no memory.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from math import prod
from typing import Any

import numpy as np

from convt_cli.models.onnx.arithmetic import Array
from convt_cli.models.onnx.graph import MOST_VALUES, Node

Require = Callable[[int], None]
"""Called with the number of bytes about to be allocated; raises where they are too many."""


class Unfoldable(Exception):
    """The node cannot be computed from constants; the message says why."""


def uniform(shape: tuple[int, ...], value: Any) -> Array:
    """An array of `shape` with `value` everywhere, in the memory of one element."""
    return np.broadcast_to(np.asarray(value), shape)


def is_uniform(array: Array) -> bool:
    """Whether `array` is a view of one element."""
    return array.size <= 1 or not any(array.strides)


class Folding:
    """One node with its inputs."""

    def __init__(
        self,
        node: Node,
        inputs: Sequence[Array | None],
        require: Require,
        *,
        shape_only: bool,
        unknown: Collection[int],
    ) -> None:
        self.node = node
        self.shape_only = shape_only
        self._inputs = inputs
        self._require = require
        self._unknown = unknown

    def __len__(self) -> int:
        return len(self._inputs)

    def array(self, number: int) -> Array:
        """Input `number`, which has to be there.  Raises Unfoldable."""
        found = self.optional(number)
        if found is None:
            raise Unfoldable(f"input {number} is missing")
        return found

    def optional(self, number: int) -> Array | None:
        """Input `number`; None if it is left out."""
        return self._inputs[number] if number < len(self._inputs) else None

    def arrays(self) -> list[Array]:
        """All inputs, none of which may be left out.  Raises Unfoldable."""
        return [self.array(number) for number in range(len(self))]

    def known(self, number: int) -> Array:
        """Input `number`, whose numbers decide on the result's shape.  Raises Unfoldable."""
        if number in self._unknown:
            raise Unfoldable(f"the numbers of input {number} are not known")
        return self.array(number)

    def integers(self, number: int, attribute: str) -> tuple[int, ...] | None:
        """A list that is an input in newer opsets, and an attribute in older ones."""
        if self.optional(number) is None:
            return self.node.integers(attribute)
        return whole_numbers(self.known(number))

    def require_memory(self, shape: tuple[int, ...], itemsize: int) -> None:
        """Call `require` for an array of `shape` with elements of `itemsize` bytes."""
        self._require(prod(shape) * itemsize)

    def only_shape(self, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Array:
        """A result of `shape` without numbers."""
        return uniform(shape, np.zeros((), dtype))


def whole_numbers(array: Array) -> tuple[int, ...]:
    """The numbers of a small array, cut to integers.  Raises ValueError, OverflowError."""
    require_few(array)
    return tuple(int(value) for value in array.ravel().tolist())


def require_few(array: Array) -> None:
    """Raise ValueError for more numbers than a shape has: a view of one element can claim any."""
    if array.size > MOST_VALUES:
        raise ValueError(f"{array.size} numbers where a few sizes are wanted")
