"""Normalisations, with their learned and kept numbers by reference into the model."""

from __future__ import annotations

from convt_cli.arithmetic.convolution import Shape
from convt_cli.arithmetic.keys import FileReference
from convt_cli.models.onnx.operation import Operation, Translator
from convt_cli.models.onnx.operators.attributes import require_bounded
from convt_cli.models.translation import Activation

_EPSILON = 1e-5
"""Added to the variance where a node does not say it."""


def _batch_norm(operation: Operation) -> Activation:
    source, node = operation.activation(), operation.node
    if node.integer("training_mode", 0) or not node.integer("spatial", 1):
        return operation.stand_in("batch_norm", source)
    channels = source.shape[:1]
    mean, variance = (operation.array(number, channels) for number in (3, 4))
    if mean is None or variance is None:  # a spec has both or neither
        mean = variance = None
    keys = _learned(operation, channels)
    return operation.layer(
        "batch_norm", source, **keys, running_mean=mean, running_var=variance, eps=_eps(operation)
    )


def _instance_norm(operation: Operation) -> Activation:
    source = operation.activation()
    keys = _learned(operation, source.shape[:1])
    return operation.layer("instance_norm", source, **keys, eps=_eps(operation))


def _layer_norm(operation: Operation) -> Activation:
    source = operation.activation()
    rank = len(source.full_shape)
    written_out = operation.node.integers("axes")
    if written_out is not None:
        return _bare_layer_norm(operation, {operation.counted(axis, rank) for axis in written_out})
    first = operation.axis("axis", -1, rank)
    if first == 0:
        operation.refuse("it normalises over the batch")
    axes = tuple(range(first - 1, rank - 1))
    return operation.layer(
        "layer_norm",
        source,
        normalized_axes=None if len(axes) == 1 else axes,
        **_learned(operation, source.shape[first - 1 :]),
        eps=_eps(operation),
    )


def _bare_layer_norm(operation: Operation, axes: set[int]) -> Activation:
    """A layer norm that the graph writes out, along `axes` and without numbers of its own."""
    if 0 in axes:
        operation.refuse("it normalises over the batch")
    return operation.layer(
        "layer_norm",
        operation.activation(),
        normalized_axes=tuple(axis - 1 for axis in sorted(axes)),
        affine=False,
        eps=_eps(operation),
    )


def _group_norm(operation: Operation) -> Activation:
    source, groups = operation.activation(), operation.node.integer("num_groups", 0)
    require_bounded(operation, "num_groups", (groups,), 1)
    if operation.weight(1).array.size != source.shape[0]:  # one per group, before opset 21
        return operation.stand_in("group_norm", source, num_groups=groups)
    keys = _learned(operation, source.shape[:1])
    return operation.layer("group_norm", source, num_groups=groups, **keys, eps=_eps(operation))


def _learned(operation: Operation, shape: Shape) -> dict[str, FileReference | bool | None]:
    """The keys weight and bias, both of `shape`."""
    bias = False if operation.constant(2) is None else operation.array(2, shape)
    return {"weight": operation.array(1, shape), "bias": bias}


def _eps(operation: Operation) -> float | None:
    eps = operation.number("epsilon", _EPSILON)
    if eps is not None and eps < 0:
        operation.refuse(f"its epsilon is {eps:g}", code="E107")
    return eps


def _lrn(operation: Operation) -> Activation:
    size = operation.node.integer("size", 0)
    require_bounded(operation, "size", (size,), 1)
    return operation.layer(
        "lrn",
        operation.activation(),
        size=size,
        k=operation.number("bias", 1.0),
        alpha=operation.number("alpha", 1e-4),
        beta=operation.number("beta", 0.75),
    )


OPERATORS: dict[str, Translator] = {
    "BatchNormalization": _batch_norm,
    "InstanceNormalization": _instance_norm,
    "LayerNormalization": _layer_norm,
    "GroupNormalization": _group_norm,
    "LRN": _lrn,
}
