"""Products with a matrix, which are linear layers."""

from __future__ import annotations

from typing import Any

from convt_cli.models.pt2.graph import Constant
from convt_cli.models.pt2.operation import Operation, Translator
from convt_cli.models.translation import Activation


def _linear(operation: Operation) -> Activation:
    weight = operation.weight()  # (out_features, in_features)
    keys = {"weight": operation.reference(weight), "bias": _bias(operation, "bias")}
    return _product(operation, operation.activation(), weight.sizes[::-1], keys)


def _addmm(operation: Operation) -> Activation:
    if any(operation.number(1, name) != 1 for name in ("alpha", "beta")):
        operation.refuse("it scales its product")
    return _multiplied(operation, "mat1", "mat2", _bias(operation, "self"))


def _mm(operation: Operation) -> Activation:
    return _multiplied(operation, "self", "mat2", bias=False)


def _matmul(operation: Operation) -> Activation:
    return _multiplied(operation, "self", "other", bias=False)


def _multiplied(operation: Operation, source: str, matrix: str, bias: Any) -> Activation:
    """A linear layer for a product with a matrix (in_features, out_features)."""
    weight = operation.weight(matrix)
    stored = None
    if weight.is_transposed:
        stored = operation.reference(
            Constant(sizes=weight.sizes[::-1], key=weight.key)
        )  # (out_features, in_features)
    else:
        operation.notes.append("the weight of a linear layer is left out, being (in, out)")
    keys = {"weight": stored, "bias": bias}
    return _product(operation, operation.activation(source), weight.sizes, keys)


def _product(
    operation: Operation, source: Activation, sizes: tuple[int, ...], keys: dict[str, Any]
) -> Activation:
    """A linear layer for a product with a matrix of `sizes`, (in_features, out_features)."""
    if len(source.shape) != 1 or len(sizes) != 2 or sizes[0] != source.shape[0] or not sizes[1]:
        shapes = f"{list(source.full_shape)} and {list(sizes)}"
        operation.refuse(f"it is no product of a flat source with a matrix: {shapes}")
    return operation.layer("linear", source, out_features=sizes[1], **keys)


def _bias(operation: Operation, name: str) -> Any:
    bias = operation.constant(name)
    return False if bias is None else operation.reference(bias) or True


OPERATORS: dict[str, Translator] = {
    "linear": _linear,
    "addmm": _addmm,
    "mm": _mm,
    "matmul": _matmul,
}
