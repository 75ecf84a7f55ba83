"""Operators that bring elements into another shape, or axes into another order."""

from __future__ import annotations

from math import prod

from convt_cli.models.channels_last import full_shape, reordered, reshaped
from convt_cli.models.tflite.operation import Operation, Translator
from convt_cli.models.translation import Activation


def _reshape(operation: Operation) -> Activation:
    source = operation.activation()
    full, asked = full_shape(source), _asked(operation)
    # a size of -1 is what the others leave
    known = prod(size for size in asked if size != -1)
    if known > 0:
        asked = tuple(prod(full) // known if size == -1 else size for size in asked)
    if prod(asked) != prod(full) or min(asked, default=0) < 1:
        operation.refuse(f"{list(full)} has no shape {list(asked)}", code="E120")
    return reshaped(operation, source, asked)


def _asked(operation: Operation) -> tuple[int, ...]:
    """The sizes that a RESHAPE names as an input or an option, or else those in the file."""
    if len(operation.inputs) < 2:
        sizes = operation.node.options["new_shape"]
        return sizes if isinstance(sizes, tuple) else ()
    if operation.numbers(1) is not None:
        return operation.integers(1)
    if operation.recorded is None:
        operation.refuse("its shape is computed, and not known for this input")
    return operation.recorded


def _squeeze(operation: Operation) -> Activation:
    source = operation.activation()
    full, given = full_shape(source), operation.node.options["squeeze_dims"]
    named = given if isinstance(given, tuple) else ()
    axes = {operation.counted(axis, len(full)) for axis in named}
    axes = axes or {axis for axis, size in enumerate(full) if size == 1}
    if any(full[axis] != 1 for axis in axes):
        operation.refuse(f"{list(full)} has more than one element along axes {sorted(axes)}")
    kept = tuple(size for axis, size in enumerate(full) if axis not in axes)
    return reshaped(operation, source, kept if 0 not in axes else ())  # () is refused


def _expand_dims(operation: Operation) -> Activation:
    source = operation.activation()
    full = full_shape(source)
    axes = operation.integers(1)
    if len(axes) != 1:
        operation.refuse(f"it adds axes {list(axes)}")
    axis = operation.counted(axes[0], len(full) + 1)
    return reshaped(operation, source, (*full[:axis], 1, *full[axis:]) if axis else ())


def _transpose(operation: Operation) -> Activation:
    return reordered(operation, operation.activation(), operation.integers(1))


OPERATORS: dict[str, Translator] = {
    "RESHAPE": _reshape,
    "SQUEEZE": _squeeze,
    "EXPAND_DIMS": _expand_dims,
    "TRANSPOSE": _transpose,
}
