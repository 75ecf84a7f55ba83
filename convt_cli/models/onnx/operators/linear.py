"""Products with a matrix along one axis, which are linear layers; those of integers stand in."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from convt_cli.arithmetic.keys import FileReference
from convt_cli.models.onnx.operation import Constant, Operation, Translator
from convt_cli.models.translation import Activation


def _gemm(operation: Operation) -> Activation:
    if operation.node.integer("transA", 0):
        operation.refuse("it transposes its source")
    if len(operation.activation().shape) != 1:
        operation.refuse("its source is no matrix")
    is_turned = not operation.node.integer("transB", 0)
    features = operation.weight(1).shape[-1 if is_turned else 0 :][:1]
    bias: bool | FileReference = False
    if operation.constant(2) is not None:
        bias = operation.array(2, features) or True
    if all(operation.node.number(name, 1.0) == 1 for name in ("alpha", "beta")):
        return _linear(operation, 1, axis=0, is_turned=is_turned, bias=bias)
    operation.notes.append("the weight of a linear layer is left out, being scaled")
    return _linear(operation, 1, axis=0, is_turned=is_turned, bias=bool(bias), is_kept=False)


def _matmul(operation: Operation) -> Activation:
    if isinstance(operation.inputs[0], Constant):  # W x is along the last axis but one
        axis = len(operation.activation(1).shape) - 2
        return _linear(operation, 0, axis=axis, is_turned=False)
    axis = len(operation.activation().shape) - 1
    return _linear(operation, 1, axis=axis, is_turned=True)


def _linear(
    operation: Operation,
    number: int,
    *,
    axis: int,
    is_turned: bool,
    bias: bool | FileReference = False,
    is_kept: bool = True,
) -> Activation:
    """A linear layer along `axis`, whose matrix is input `number`.

    The matrix is (out, in) as a spec has it, or `is_turned`, (in, out); axes of size 1 may lie in
    front.  Its numbers are left out unless `is_kept`.
    """
    source, weight = operation.activation(1 - number), operation.weight(number)
    keys = _linear_keys(operation, source, weight, axis=axis, is_turned=is_turned)
    matrix = _matrix(operation, weight, is_turned=is_turned) if is_kept else None
    return operation.layer("linear", source, **keys, weight=matrix, bias=bias)


def _linear_keys(
    operation: Operation, source: Activation, weight: Constant, *, axis: int, is_turned: bool
) -> dict[str, Any]:
    """The keys of a linear layer but for its weight and bias.  Raises Untranslatable."""
    *batches, rows, columns = weight.shape if len(weight.shape) > 1 else (0, 0)
    features, width = (columns, rows) if is_turned else (rows, columns)
    fits = axis >= 0 and features > 0 and width == source.shape[axis]
    if not fits or any(size != 1 for size in batches) or len(batches) >= len(source.shape):
        shapes = f"{list(source.full_shape)} and {list(weight.shape)}"
        operation.refuse(f"it is no product of its source with a matrix along one axis: {shapes}")
    return {"out_features": features, "axis": axis if len(source.shape) > 1 else None}


def _quantized_matmul(weight: int, bias: int) -> Translator:
    """The translator of a product of integers with a matrix, whose inputs these are."""

    def translate(operation: Operation) -> Activation:
        source = operation.activation()
        is_turned = not operation.node.integer("transB", 0)
        keys = _linear_keys(
            operation,
            source,
            operation.weight(weight),
            axis=len(source.shape) - 1,
            is_turned=is_turned,
        )
        has_bias = operation.constant(bias) is not None
        return operation.stand_in("linear", source, **keys, bias=has_bias)

    return translate


def _matrix(operation: Operation, weight: Constant, *, is_turned: bool) -> FileReference | None:
    """The matrix by reference, brought to (out, in)."""
    found, rank = operation.reference(weight), len(weight.shape)
    if found is not None and is_turned:
        found = replace(found, axes=(*range(rank - 2), rank - 1, rank - 2))
    if found is not None and rank > 2:
        rows, columns = weight.shape[-2:]
        found = replace(found, shape=(columns, rows) if is_turned else (rows, columns))
    return found


OPERATORS: dict[str, Translator] = {
    "Gemm": _gemm,
    "MatMul": _matmul,
    "MatMulInteger": _quantized_matmul(weight=1, bias=4),
    "com.microsoft.QGemm": _quantized_matmul(weight=3, bias=6),
    "com.microsoft.DynamicQuantizeMatMul": _quantized_matmul(weight=1, bias=4),
    "com.microsoft.MatMulIntegerToFloat": _quantized_matmul(weight=1, bias=6),
}
