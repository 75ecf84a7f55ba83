"""Operators on constants: what a node comes to where everything it reads is known.

Shapes are computed this way on import (the input of a Reshape, the sizes of a Resize), and
weights when they are read (a transposed initializer).  An array all of whose elements are one,
such as a ConstantOfShape, is held as a view of one element, so that a shape costs no memory.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convt_cli.errors import shown
from convt_cli.io.onnx_graph import MOST_VALUES, Node, Tensor

Array = NDArray[Any]
Require = Callable[[int], None]
"""Called with the bytes of what is about to be made; raises where they are too many."""

_CASTABLE = {
    1: "f4",
    2: "u1",
    3: "i1",
    4: "u2",
    5: "i2",
    6: "i4",
    7: "i8",
    9: "?",
    10: "f2",
    11: "f8",
    12: "u4",
    13: "u8",
}

_REFUSALS = (ValueError, IndexError, TypeError, OverflowError, KeyError, RuntimeError)
"""What NumPy and the rules raise on inputs that do not fit; RuntimeError beyond 32 axes."""


class Unfoldable(Exception):
    """The node cannot be computed from constants; the message says why."""


def fold(
    node: Node, inputs: Sequence[Array | None], require: Require, *, numbers: bool = True
) -> Array:
    """What the node's only output is, for these inputs; None stands for one left out.

    Without `numbers` it need only have the right shape.  Raises Unfoldable for an operator that
    is not known here or inputs that do not fit it, and what `require` raises.
    """
    rule = _RULES.get(node.operator)
    if rule is None:
        raise Unfoldable(f"{node.operator} is not computed")
    try:
        with np.errstate(all="ignore"):
            return rule(_Folding(node, inputs, require, numbers=numbers))
    except _REFUSALS as error:
        raise Unfoldable(shown(str(error).partition("\n")[0])) from None


def is_foldable(operator: str) -> bool:
    """Whether `fold` knows the operator."""
    return operator in _RULES


def uniform(shape: tuple[int, ...], value: Any) -> Array:
    """`value` everywhere, in the memory of one element."""
    return np.broadcast_to(np.asarray(value), shape)


def is_uniform(array: Array) -> bool:
    """Whether `array` is a view of one element."""
    return array.size <= 1 or not any(array.strides)


def from_tensor(tensor: Tensor) -> Array:
    """A tensor whose values are known, as an array."""
    return np.array(tensor.values, tensor.element).reshape(tensor.shape)


class _Folding:
    """One node with its inputs, as the rules see it."""

    def __init__(
        self, node: Node, inputs: Sequence[Array | None], require: Require, *, numbers: bool
    ) -> None:
        self.node = node
        self.numbers = numbers
        self._inputs = inputs
        self._require = require

    def __len__(self) -> int:
        return len(self._inputs)

    def array(self, number: int) -> Array:
        found = self.optional(number)
        if found is None:
            raise Unfoldable(f"input {number} is missing")
        return found

    def optional(self, number: int) -> Array | None:
        return self._inputs[number] if number < len(self._inputs) else None

    def integers(self, number: int, attribute: str) -> tuple[int, ...] | None:
        """A list that is an input in newer opsets and was an attribute before."""
        given = self.optional(number)
        return self.node.integers(attribute) if given is None else whole_numbers(given)

    def made(self, shape: tuple[int, ...], itemsize: int) -> None:
        """Say that an array of this shape is about to be made."""
        self._require(prod(shape) * itemsize)


def whole_numbers(array: Array) -> tuple[int, ...]:
    """The numbers of a small array as integers.  Raises ValueError, OverflowError."""
    _require_few(array)
    return tuple(int(value) for value in array.ravel().tolist())


def _require_few(array: Array) -> None:
    """Raise ValueError for more numbers than sizes are: held as one element, they take time."""
    if array.size > MOST_VALUES:
        raise ValueError(f"{array.size} numbers where a few sizes are wanted")


def _cast(folding: _Folding) -> Array:
    array, wanted = folding.array(0), folding.node.integer("to", 0)
    if wanted not in _CASTABLE:
        raise ValueError(f"it casts to ONNX's type {wanted}, which NumPy has not")
    dtype = np.dtype(_CASTABLE[wanted])
    if array.size and is_uniform(array):
        return uniform(array.shape, array.flat[0].astype(dtype))
    folding.made(array.shape, dtype.itemsize)
    return array.astype(dtype)


def _constant_of_shape(folding: _Folding) -> Array:
    shape = whole_numbers(folding.array(0))
    value = folding.node.attributes.get("value")
    if not isinstance(value, Tensor):
        return uniform(shape, np.float32(0))
    return uniform(shape, from_tensor(value).reshape(()))


def _transpose(folding: _Folding) -> Array:
    return folding.array(0).transpose(folding.node.integers("perm"))


def _reshape(folding: _Folding) -> Array:
    array = folding.array(0)
    asked = folding.integers(1, "shape") or ()
    if not folding.node.integer("allowzero", 0):
        asked = tuple(array.shape[n] if size == 0 else size for n, size in enumerate(asked))
    if not is_uniform(array):
        folding.made(array.shape, array.itemsize)
    return array.reshape(asked)


def _unsqueeze(folding: _Folding) -> Array:
    return np.expand_dims(folding.array(0), folding.integers(1, "axes") or ())


def _squeeze(folding: _Folding) -> Array:
    return np.squeeze(folding.array(0), folding.integers(1, "axes"))


def _concat(folding: _Folding) -> Array:
    arrays = [folding.array(number) for number in range(len(folding))]
    folding.made((sum(array.size for array in arrays),), arrays[0].itemsize)
    return np.concatenate(arrays, folding.node.integer("axis", 0))


def _gather(folding: _Folding) -> Array:
    array, indices = folding.array(0), folding.array(1)
    axis = folding.node.integer("axis", 0)
    folding.made((array.size // max(1, array.shape[axis]), indices.size), array.itemsize)
    return np.take(array, indices.astype(np.int64), axis)


def _slice(folding: _Folding) -> Array:
    array = folding.array(0)
    return array[slices(array.shape, folding.integers)]


def slices(
    shape: tuple[int, ...],
    integers: Callable[[int, str], tuple[int, ...] | None],
) -> tuple[slice, ...]:
    """What a Slice takes of every axis of `shape`; `integers` finds its further inputs."""
    starts, ends = integers(1, "starts") or (), integers(2, "ends") or ()
    axes = integers(3, "axes") or tuple(range(len(starts)))
    steps = integers(4, "steps") or (1,) * len(starts)
    taken = [slice(None)] * len(shape)
    for axis, start, end, step in zip(axes, starts, ends, steps, strict=True):
        begin, stop, _ = slice(start, end, step).indices(shape[axis])
        taken[axis] = slice(begin, None if stop < 0 else stop, step)
    return tuple(taken)


def _expand(folding: _Folding) -> Array:
    array = folding.array(0)
    shape = np.broadcast_shapes(array.shape, whole_numbers(folding.array(1)))
    return np.broadcast_to(array, shape)


def _range(folding: _Folding) -> Array:
    start, limit, step = (folding.array(number).reshape(()) for number in range(3))
    count = max(0, int(np.ceil((limit - start) / step)))
    folding.made((3, count), start.itemsize)  # the numbers, scaled, and moved to their start
    return np.asarray(start + np.arange(count, dtype=start.dtype) * step)


def _elementwise(function: Callable[..., Any]) -> Callable[[_Folding], Array]:
    """The rule of a NumPy function over all inputs, which broadcast."""

    def rule(folding: _Folding) -> Array:
        arrays = [folding.array(number) for number in range(len(folding))]
        shape = np.broadcast_shapes(*(array.shape for array in arrays))
        if prod(shape) and (not folding.numbers or all(map(is_uniform, arrays))):
            return uniform(shape, function(*(array.flat[0] for array in arrays)))
        folding.made(shape, 8)
        return np.asarray(function(*arrays))

    return rule


def _divided(dividend: Any, divisor: Any) -> Any:
    """The quotient; of integers it is cut towards zero."""
    if np.asarray(dividend).dtype.kind == "f":
        return dividend / divisor
    return np.trunc(np.true_divide(dividend, divisor)).astype(np.asarray(dividend).dtype)


def _product(folding: _Folding) -> Array:
    array = folding.array(0)
    _require_few(array)
    axes = folding.integers(1, "axes")
    kept: Array = np.prod(array, axis=axes, keepdims=True, dtype=array.dtype)
    squeezed: Array = np.squeeze(kept, axis=axes)
    return kept if folding.node.integer("keepdims", 1) else squeezed


_ELEMENTWISE: dict[str, Callable[..., Any]] = {
    "Add": np.add,
    "Sub": np.subtract,
    "Mul": np.multiply,
    "Div": _divided,
    "Neg": np.negative,
    "Abs": np.abs,
    "Floor": np.floor,
    "Ceil": np.ceil,
    "Round": np.rint,
    "Sqrt": np.sqrt,
    "Max": lambda *arrays: np.maximum.reduce(np.broadcast_arrays(*arrays)),
    "Min": lambda *arrays: np.minimum.reduce(np.broadcast_arrays(*arrays)),
    "Equal": np.equal,
    "Greater": np.greater,
    "Less": np.less,
    "Where": np.where,
}

_RULES: dict[str, Callable[[_Folding], Array]] = {
    "Identity": lambda folding: folding.array(0),
    "Cast": _cast,
    "ConstantOfShape": _constant_of_shape,
    "Transpose": _transpose,
    "Reshape": _reshape,
    "Unsqueeze": _unsqueeze,
    "Squeeze": _squeeze,
    "Concat": _concat,
    "Gather": _gather,
    "Slice": _slice,
    "Expand": _expand,
    "Range": _range,
    "ReduceProd": _product,
    "Shape": lambda folding: np.array(
        shape_part(folding.node, folding.array(0).shape), dtype=np.int64
    ),
    "Size": lambda folding: np.array(folding.array(0).size),
    **{operator: _elementwise(function) for operator, function in _ELEMENTWISE.items()},
}


def shape_part(node: Node, shape: tuple[int, ...]) -> tuple[int, ...]:
    """What a Shape node says of `shape`: all of it, or from `start` to `end`."""
    start, end = node.integer("start", 0), node.integer("end", len(shape))
    return shape[start:end]
