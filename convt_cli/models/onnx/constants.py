"""Constant folding: the result of a node all of whose inputs are constants.

Shapes are computed this way on import (the input of a Reshape, the sizes of a Resize), and
weights when they are read (a transposed initializer).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from math import ceil, prod
from typing import Any

import numpy as np

from convt_cli.errors import shown
from convt_cli.models.onnx.arithmetic import ARITHMETIC, FMOD, MOD, Arithmetic, Array
from convt_cli.models.onnx.folding import (
    Folding,
    Require,
    Unfoldable,
    is_uniform,
    require_few,
    uniform,
    whole_numbers,
)
from convt_cli.models.onnx.graph import Node, Tensor
from convt_cli.models.onnx.slicing import as_slice, counted, taken

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
"""NumPy's types by ONNX's numbers of types, as the attribute `to` of a Cast gives them."""

_REFUSALS = (ValueError, ArithmeticError, IndexError, TypeError, KeyError, RuntimeError)
"""What NumPy and this module raise on inputs that do not fit; RuntimeError beyond 32 axes."""


def fold(
    node: Node,
    inputs: Sequence[Array | None],
    require: Require,
    *,
    shape_only: bool = False,
    unknown: Collection[int] = (),
) -> Array:
    """The node's only output for these inputs, of which None stands for one that is left out.

    With `shape_only` the result has the right shape and no numbers, and takes no memory.  Inputs
    may be such results themselves: `unknown` says which, counted from 0.  Raises Unfoldable for an
    operator that is not known here or inputs that do not fit it, and what `require` raises.
    """
    function = _FUNCTIONS.get(node.operator)
    if function is None:
        raise Unfoldable(f"{node.operator} is not computed")
    try:
        with np.errstate(all="ignore"):
            return function(Folding(node, inputs, require, shape_only=shape_only, unknown=unknown))
    except _REFUSALS as error:
        raise Unfoldable(shown(str(error).partition("\n")[0])) from None


def is_foldable(operator: str) -> bool:
    """Whether `fold` knows the operator."""
    return operator in _FUNCTIONS


def from_tensor(tensor: Tensor) -> Array:
    """The array of a tensor's numbers.  Raises ValueError where they are not known."""
    if tensor.packed is None:
        raise ValueError("the numbers of a constant are not in the model, or too many")
    stored = np.dtype(tensor.element).newbyteorder("<")
    return np.frombuffer(tensor.packed, stored).reshape(tensor.shape).astype(tensor.element)


def _cast(folding: Folding) -> Array:
    array, wanted = folding.array(0), folding.node.integer("to", 0)
    if wanted not in _CASTABLE:
        raise ValueError(f"it casts to ONNX's type {wanted}, which NumPy has not")
    dtype = np.dtype(_CASTABLE[wanted])
    if folding.shape_only:
        return folding.only_shape(array.shape, dtype)
    if array.size and is_uniform(array):
        return uniform(array.shape, _as_type(array.flat[0], dtype))
    folding.require_memory((2, *array.shape), dtype.itemsize + array.itemsize)
    return _as_type(array, dtype)


def _as_type(numbers: Array, dtype: np.dtype[Any]) -> Array:
    """`numbers` as `dtype`.  Raises ValueError for floats beyond an integer type."""
    converted: Array = numbers.astype(dtype)
    from_float = numbers.dtype.kind == "f" and dtype.kind in "iu"
    if from_float and not np.array_equal(np.trunc(numbers), converted):
        raise ValueError(f"it casts numbers beyond the type {dtype}")
    return converted


def _constant(folding: Folding) -> Array:
    value = folding.node.attributes.get("value")
    if not isinstance(value, Tensor):
        raise ValueError("it holds no numbers")
    return from_tensor(value)


def _constant_of_shape(folding: Folding) -> Array:
    shape = whole_numbers(folding.known(0))
    value = folding.node.attributes.get("value")
    if not isinstance(value, Tensor):
        return uniform(shape, np.float32(0))
    return uniform(shape, from_tensor(value).reshape(()))


def _transpose(folding: Folding) -> Array:
    return folding.array(0).transpose(folding.node.integers("perm"))


def _reshape(folding: Folding) -> Array:
    array = folding.array(0)
    asked = folding.integers(1, "shape") or ()
    if not folding.node.integer("allowzero", 0):
        # a 0 keeps the size of the axis at its place
        asked = tuple(array.shape[n] if size == 0 else size for n, size in enumerate(asked))
    if not folding.shape_only and not is_uniform(array):
        folding.require_memory(array.shape, array.itemsize)
    return array.reshape(asked)


def _unsqueeze(folding: Folding) -> Array:
    return np.expand_dims(folding.array(0), folding.integers(1, "axes") or ())


def _squeeze(folding: Folding) -> Array:
    return np.squeeze(folding.array(0), folding.integers(1, "axes"))


def _concat(folding: Folding) -> Array:
    arrays = folding.arrays()
    first, *others = arrays
    if any(one.dtype != first.dtype for one in others):
        raise ValueError("it joins numbers of different types")
    axis = counted(folding.node.integer("axis", 0), first.ndim)
    rests = {one.shape[:axis] + one.shape[axis + 1 :] for one in arrays}
    if len(rests) > 1 or any(one.ndim != first.ndim for one in arrays):
        raise ValueError("it joins arrays that differ along another axis")
    size = sum(one.shape[axis] for one in arrays)
    shape = (*first.shape[:axis], size, *first.shape[axis + 1 :])
    if folding.shape_only:
        return folding.only_shape(shape, first.dtype)
    folding.require_memory(shape, first.itemsize)
    return np.concatenate(arrays, axis)


def _gather(folding: Folding) -> Array:
    array, indices = folding.array(0), folding.array(1)
    axis = counted(folding.node.integer("axis", 0), array.ndim)
    shape = (*array.shape[:axis], *indices.shape, *array.shape[axis + 1 :])
    if folding.shape_only:
        return folding.only_shape(shape, array.dtype)
    folding.require_memory(indices.shape, 8)  # the indices as int64
    folding.require_memory(shape, array.itemsize)
    return np.take(array, indices.astype(np.int64), axis)


def _slice(folding: Folding) -> Array:
    array = folding.array(0)
    return array[tuple(map(as_slice, taken(array.shape, folding.integers)))]


def _expand(folding: Folding) -> Array:
    array = folding.array(0)
    shape = np.broadcast_shapes(array.shape, whole_numbers(folding.known(1)))
    return np.broadcast_to(array, shape)


def _range(folding: Folding) -> Array:
    start, limit, step = (folding.known(number).reshape(()) for number in range(3))
    if not start.dtype == limit.dtype == step.dtype:
        raise ValueError("its inputs have different types")
    count = _steps(start, limit, step)
    if folding.shape_only:
        return folding.only_shape((count,), start.dtype)
    # three arrays: the numbers, scaled, and moved to their start
    folding.require_memory((3, count), start.itemsize)
    return np.asarray(start + np.arange(count, dtype=start.dtype) * step)


def _steps(start: Array, limit: Array, step: Array) -> int:
    """How many numbers a Range has; of floats, ONNX Runtime divides in double precision."""
    if start.dtype.kind in "iu":
        return max(0, -((int(start) - int(limit)) // int(step)))  # rounded up
    return max(0, ceil((float(limit) - float(start)) / float(step)))


def _elementwise(arithmetic: Arithmetic) -> Callable[[Folding], Array]:
    """The function of an element-wise operation on inputs that broadcast."""

    def function(folding: Folding) -> Array:
        arrays = folding.arrays()
        shape = np.broadcast_shapes(*(array.shape for array in arrays))
        if folding.shape_only:
            # the type of the result is found out on single numbers
            ones = [np.ones((), array.dtype)[()] for array in arrays]
            return folding.only_shape(shape, arithmetic(ones).dtype)
        if prod(shape) and all(map(is_uniform, arrays)):
            return uniform(shape, arithmetic([array.flat[0] for array in arrays]))
        folding.require_memory((arithmetic.copies, *shape), max(array.itemsize for array in arrays))
        return arithmetic(arrays)

    return function


def _mod(folding: Folding) -> Array:
    return _elementwise(FMOD if folding.node.integer("fmod", 0) else MOD)(folding)


def _dequantized(folding: Folding) -> Array:
    """(x - zero point) * scale; both are single numbers, or one for each place along an axis."""
    array, scale, zero = folding.array(0), folding.array(1), folding.optional(2)
    if folding.shape_only:
        return folding.only_shape(array.shape, scale.dtype)
    if array.dtype.kind not in "iu" or folding.node.integer("block_size", 0):
        raise ValueError("its numbers are no integers, or scaled in blocks")
    folding.require_memory((3, *array.shape), 4)
    whole = array.astype(np.int32)
    if zero is not None:
        whole -= _along_axis(folding, array, zero).astype(np.int32)
    return np.asarray(whole.astype(scale.dtype) * _along_axis(folding, array, scale))


def _along_axis(folding: Folding, array: Array, numbers: Array) -> Array:
    """`numbers` so that they broadcast along the axis of `array` that the node names."""
    if numbers.size == 1:
        return numbers.reshape(())
    axis = counted(folding.node.integer("axis", 1), array.ndim)
    if numbers.shape != array.shape[axis : axis + 1]:
        raise ValueError(f"it has {numbers.size} scales along an axis of {array.shape[axis]}")
    return numbers.reshape(-1, *(1 for _ in array.shape[axis + 1 :]))


def _tile(folding: Folding) -> Array:
    array, counts = folding.array(0), whole_numbers(folding.known(1))
    if len(counts) != array.ndim or min(counts, default=1) < 0:
        raise ValueError(f"it repeats {array.ndim} axes {list(counts)} times")
    shape = tuple(size * count for size, count in zip(array.shape, counts))
    if folding.shape_only:
        return folding.only_shape(shape, array.dtype)
    folding.require_memory(shape, array.itemsize)
    return np.tile(array, counts)


def _product(folding: Folding) -> Array:
    array = folding.array(0)
    require_few(array)
    axes = folding.integers(1, "axes")
    kept: Array = np.prod(array, axis=axes, keepdims=True, dtype=array.dtype)
    squeezed: Array = np.squeeze(kept, axis=axes)
    return kept if folding.node.integer("keepdims", 1) else squeezed


_FUNCTIONS: dict[str, Callable[[Folding], Array]] = {
    "Constant": _constant,
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
    "Tile": _tile,
    "DequantizeLinear": _dequantized,
    "Shape": lambda folding: np.array(
        shape_part(folding.node, folding.array(0).shape), dtype=np.int64
    ),
    "Size": lambda folding: np.array(folding.array(0).size),
    "Mod": _mod,
    **{operator: _elementwise(one) for operator, one in ARITHMETIC.items()},
}


def shape_part(node: Node, shape: tuple[int, ...]) -> tuple[int, ...]:
    """The sizes of `shape` that a Shape node gives: all of them, or from `start` to `end`."""
    start, end = node.integer("start", 0), node.integer("end", len(shape))
    return shape[start:end]
