"""Concat."""

from __future__ import annotations

from convt_cli.models.onnx.operation import Operation, Translator
from convt_cli.models.translation import Activation


def _concat(operation: Operation) -> Activation:
    sources = [operation.activation(number) for number in range(len(operation.inputs))]
    if not sources:
        operation.refuse("it has no inputs")
    operation.require_one_batch(sources)
    axis = operation.axis("axis", 1, len(sources[0].full_shape))
    if axis == 0:
        operation.refuse("it joins batches")
    if len(sources) == 1:
        return operation.layer("identity", sources[0])
    return operation.layer("concat", *sources, axis=axis - 1)


OPERATORS: dict[str, Translator] = {"Concat": _concat}
