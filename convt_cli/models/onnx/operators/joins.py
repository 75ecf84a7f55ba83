"""Concat."""

from __future__ import annotations

from convt_cli.models.onnx.operation import Constant, Operation, Translator
from convt_cli.models.onnx.operators.elementwise import constant_like
from convt_cli.models.onnx.operators.resizing import grown
from convt_cli.models.translation import Activation


def _concat(operation: Operation) -> Activation:
    # one without elements adds none
    given = [one for one in operation.inputs if not isinstance(one, Constant) or one.array.size]
    sources = [value for value in given if isinstance(value, Activation)]
    if not sources:
        operation.refuse("it has no inputs")
    operation.require_one_batch(sources)
    axis = operation.axis("axis", 1, len(sources[0].full_shape))
    if axis == 0:
        operation.refuse("it joins batches")
    if len(given) == 1:
        return operation.layer("identity", sources[0])
    joined = [
        _joinable(operation, value, sources[0], axis) if isinstance(value, Constant) else value
        for value in given
    ]
    found = [value for value in joined if isinstance(value, Activation)]
    return operation.layer("concat", *found, axis=axis - 1)


def _joinable(operation: Operation, constant: Constant, other: Activation, axis: int) -> Activation:
    """A constant as a layer, which one element of `other` along `axis` is made into."""
    wanted = list(other.full_shape)
    wanted[axis] = constant.shape[axis] if len(constant.shape) == len(wanted) else 0
    if tuple(wanted) != constant.shape or not wanted[axis]:
        shapes = f"{list(constant.shape)} and {list(other.full_shape)}"
        operation.refuse(f"it joins arrays of the shapes {shapes}", code="E112")
    first = [range(1) if n == axis else range(size) for n, size in enumerate(other.full_shape)]
    one = operation.taken(other, first)
    return constant_like(operation, grown(operation, one, tuple(wanted[1:])), constant)


OPERATORS: dict[str, Translator] = {"Concat": _concat}
