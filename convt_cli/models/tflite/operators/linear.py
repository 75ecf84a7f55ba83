"""Products with a constant matrix along the last axis, which are linear layers."""

from __future__ import annotations

from convt_cli.models.channels_last import full_shape, reshaped
from convt_cli.models.tflite.operation import Operation, Translator
from convt_cli.models.translation import Activation


def _fully_connected(operation: Operation) -> Activation:
    source, weight = operation.activation(), operation.weight(1)
    if len(weight.shape) != 2 or 0 in weight.shape or operation.option("weights_format"):
        operation.refuse(f"its weight is {list(weight.shape)}, or not stored as a matrix")
    features, width = weight.shape
    keeps_axes = bool(operation.option("keep_num_dims"))
    if not keeps_axes and len(source.shape) > 1:
        source = reshaped(operation, source, _as_matrix(operation, source, width))
    found = operation.layer(
        "linear",
        source,
        out_features=features,
        axis=0 if len(source.shape) > 1 else None,
        weight=operation.reference(weight, axes=(1, 0)),
        bias=operation.bias(2, features),
    )
    return operation.activated(found)


def _as_matrix(operation: Operation, source: Activation, width: int) -> tuple[int, int]:
    """The shape (batch, width) with all elements of `source`."""
    full = full_shape(source)
    count = 1
    for size in full:
        count *= size
    if count != source.batch * width:
        operation.refuse(f"it mixes the batch with other axes: {list(full)} times {width}")
    return source.batch, width


def _matmul(operation: Operation) -> Activation:
    source, weight = operation.activation(), operation.weight(1)
    if len(weight.shape) != 2 or operation.option("adj_x"):
        operation.refuse("it is no product with one constant matrix along the last axis")
    is_turned = bool(operation.option("adj_y"))
    features = weight.shape[0 if is_turned else 1]
    return operation.layer(
        "linear",
        source,
        out_features=features,
        axis=0 if len(source.shape) > 1 else None,
        weight=operation.reference(weight, axes=(1, 0) if is_turned else None),
        bias=False,
    )


OPERATORS: dict[str, Translator] = {"FULLY_CONNECTED": _fully_connected, "BATCH_MATMUL": _matmul}
