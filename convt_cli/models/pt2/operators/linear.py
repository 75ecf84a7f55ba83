"""Products with a matrix, which are linear layers."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from convt_cli.models.pt2.graph import Constant
from convt_cli.models.pt2.operation import Operation, Rows, Translator
from convt_cli.models.translation import Activation


def _linear(operation: Operation) -> Activation:
    return _product(operation, operation.activation(), operation.weight(), "bias")


def _addmm(operation: Operation) -> Activation | Rows:
    if any(operation.number(1, name) != 1 for name in ("alpha", "beta")):
        operation.refuse("it scales its product")
    return _multiplied(operation, "mat1", "mat2", "self")


def _mm(operation: Operation) -> Activation | Rows:
    return _multiplied(operation, "self", "mat2")


def _matmul(operation: Operation) -> Activation | Rows:
    return _multiplied(operation, "self", "other")


_VIEWS = {"view", "_unsafe_view", "reshape"}
"""The operators that give rows the axes of their activation again."""


def _multiplied(
    operation: Operation, source: str, matrix: str, bias: str = ""
) -> Activation | Rows:
    """A linear layer for a product with a matrix (in_features, out_features)."""
    given, weight = operation.argument(source), _transposed(operation.weight(matrix))
    if not isinstance(given, Rows):
        return _product(operation, operation.activation(source), weight, bias)
    if not operation.readers <= _VIEWS:
        operation.refuse(f"the first axis of {list(given.source.full_shape)} is not the batch")
    return Rows(_product(operation, given.source, weight, bias))


def _transposed(matrix: Constant) -> Constant:
    """The matrix with its axes exchanged; without a key where its numbers cannot be named so."""
    axes = (1, 0) if matrix.axes is None else None
    key = None if matrix.is_reshaped else matrix.key
    return replace(matrix, sizes=matrix.sizes[::-1], axes=axes, key=key)


def _product(operation: Operation, source: Activation, weight: Constant, bias: str) -> Activation:
    """A linear layer along the last axis, by a weight (out_features, in_features)."""
    sizes, last = weight.sizes, len(source.shape) - 1
    if len(sizes) != 2 or sizes[1] != source.shape[last] or not sizes[0]:
        shapes = f"{list(source.full_shape)} and {list(sizes[::-1])}"
        operation.refuse(f"it is no product of its source's last axis with a matrix: {shapes}")
    keys: dict[str, Any] = {"axis": last} if last else {}
    return operation.layer(
        "linear",
        source,
        out_features=sizes[0],
        **keys,
        weight=operation.reference(weight),
        bias=operation.bias(bias, sizes[:1]),
    )


OPERATORS: dict[str, Translator] = {
    "linear": _linear,
    "addmm": _addmm,
    "mm": _mm,
    "matmul": _matmul,
}
