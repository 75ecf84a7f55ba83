"""Concat, and the products with a matrix that are a linear layer."""

from __future__ import annotations

from convt_cli.arithmetic.keys import FileReference
from convt_cli.models.onnx.operation import Activation, Operation
from convt_cli.models.onnx.operators.elementwise import require_one_batch


def _concat(operation: Operation) -> Activation:
    sources = [operation.activation(number) for number in range(len(operation.inputs))]
    if not sources:
        operation.refuse("it has no inputs")
    require_one_batch(operation, sources)
    axis = operation.axis("axis", 1, len(sources[0].full_shape))
    if axis == 0:
        operation.refuse("it joins batches")
    if len(sources) == 1:
        return operation.layer("identity", sources[0])
    return operation.layer("concat", *sources, axis=axis - 1)


def _gemm(operation: Operation) -> Activation:
    if operation.node.integer("transA", 0):
        operation.refuse("it transposes its source")
    added = operation.constant(2)
    is_scaled = any(operation.node.attributes.get(name, 1.0) != 1.0 for name in ("alpha", "beta"))
    transposed = bool(operation.node.integer("transB", 0))
    bias: bool | FileReference = added is not None
    if added is not None and not is_scaled:
        bias = operation.reference(added) or True
    return _linear(operation, stored=transposed and not is_scaled, transposed=transposed, bias=bias)


def _matmul(operation: Operation) -> Activation:
    return _linear(operation, stored=False, transposed=False, bias=False)


def _linear(
    operation: Operation, *, stored: bool, transposed: bool, bias: bool | FileReference
) -> Activation:
    """A linear layer; `stored` says that the model has its matrix as a spec has it, (out, in)."""
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


OPERATORS = {"Concat": _concat, "Gemm": _gemm, "MatMul": _matmul}
