"""Gemm and MatMul: products with a matrix, which are linear layers."""

from __future__ import annotations

from convt_cli.arithmetic.keys import FileReference
from convt_cli.models.onnx.operation import Operation, Translator
from convt_cli.models.translation import Activation


def _gemm(operation: Operation) -> Activation:
    if operation.node.integer("transA", 0):
        operation.refuse("it transposes its source")
    added = operation.constant(2)
    is_scaled = any(operation.node.attributes.get(name, 1.0) != 1.0 for name in ("alpha", "beta"))
    transposed = bool(operation.node.integer("transB", 0))  # (out, in) instead of (in, out)
    bias: bool | FileReference = added is not None
    if added is not None and not is_scaled:
        bias = operation.reference(added) or True
    return _linear(operation, stored=transposed and not is_scaled, transposed=transposed, bias=bias)


def _matmul(operation: Operation) -> Activation:
    return _linear(operation, stored=False, transposed=False, bias=False)


def _linear(
    operation: Operation, *, stored: bool, transposed: bool, bias: bool | FileReference
) -> Activation:
    """A linear layer; `stored` says that the model keeps its matrix as a spec does, (out, in)."""
    source, weight = operation.activation(), operation.weight(1)
    shape = weight.shape[::-1] if transposed else weight.shape
    if len(source.shape) != 1 or len(shape) != 2 or shape[0] != source.shape[0] or not shape[1]:
        shapes = f"{list(source.full_shape)} and {list(weight.shape)}"
        operation.refuse(f"it is no product of a flat source with a matrix: {shapes}")
    if not stored:
        operation.notes.append(
            "the weight of a linear layer is left out, being (in, out) or scaled"
        )
    matrix = operation.reference(weight) if stored else None
    return operation.layer("linear", source, out_features=shape[1], weight=matrix, bias=bias)


OPERATORS: dict[str, Translator] = {"Gemm": _gemm, "MatMul": _matmul}
