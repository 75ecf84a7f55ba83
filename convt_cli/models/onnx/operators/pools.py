"""Pools, and the reductions over all spatial axes that are global pools."""

from __future__ import annotations

from typing import Any

from convt_cli.models.onnx.operation import Operation, Translator
from convt_cli.models.onnx.operators.attributes import attribute_per_axis, padding
from convt_cli.models.translation import Activation, short


def _pool_keys(operation: Operation) -> dict[str, Any]:
    """The keys that max_pool and avg_pool have in common."""
    rank = len(operation.activation().shape) - 1
    if not operation.node.integers("kernel_shape"):
        operation.refuse("it has no kernel_shape")
    return {
        "kernel_size": short(attribute_per_axis(operation, "kernel_shape", rank)),
        "stride": short(attribute_per_axis(operation, "strides", rank)),
        "padding": padding(operation, rank),
        "dilation": short(attribute_per_axis(operation, "dilations", rank)),
        "ceil_mode": _true_or_default(operation, "ceil_mode"),
    }


def _max_pool(operation: Operation) -> Activation:
    return operation.layer("max_pool", operation.activation(), **_pool_keys(operation))


def _average_pool(operation: Operation) -> Activation:
    included = _true_or_default(operation, "count_include_pad")
    keys = _pool_keys(operation)
    return operation.layer("avg_pool", operation.activation(), **keys, count_include_pad=included)


def _true_or_default(operation: Operation, attribute: str) -> bool | None:
    """True where the node sets a flag; else None, the layers' default, which is false in ONNX."""
    return True if operation.node.integer(attribute, 0) else None


def _reduction(layer_type: str) -> Translator:
    """The translator of a reduction: over all spatial axes it is a global pool, `layer_type`."""

    def translate(operation: Operation) -> Activation:
        source = operation.activation()
        rank = len(source.full_shape)
        axes = operation.integers(1, "axes") or ()
        wanted = {operation.counted(axis, rank) for axis in axes}
        if rank < 3 or wanted != set(range(2, rank)):
            operation.refuse(f"it reduces axes {list(axes)} of {rank}, not all spatial ones")
        pooled = operation.layer(layer_type, source)
        is_kept = operation.node.integer("keepdims", 1)
        return pooled if is_kept else operation.layer("flatten", pooled)

    return translate


def _global_pool(layer_type: str) -> Translator:
    return lambda operation: operation.layer(layer_type, operation.activation())


OPERATORS: dict[str, Translator] = {
    "MaxPool": _max_pool,
    "AveragePool": _average_pool,
    "GlobalMaxPool": _global_pool("global_max_pool"),
    "GlobalAveragePool": _global_pool("global_avg_pool"),
    "ReduceMax": _reduction("global_max_pool"),
    "ReduceMean": _reduction("global_avg_pool"),
}
