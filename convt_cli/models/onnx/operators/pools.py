"""Pools, and the reductions along axes, which are pools over all of them."""

from __future__ import annotations

from math import prod
from typing import Any

from convt_cli.arithmetic.keys import Inline
from convt_cli.arithmetic.layers.pools import MaxPool
from convt_cli.models.onnx.operation import Operation, Translator
from convt_cli.models.onnx.operators.attributes import attribute_per_axis, padding, pairs_of
from convt_cli.models.translation import Activation, Places, short


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


def _max_pool(operation: Operation) -> Activation | tuple[Activation | Places | None, ...]:
    source, keys = operation.activation(), _pool_keys(operation)
    pooled = operation.layer("max_pool", source, **keys)
    if not any(operation.node.outputs[1:]):
        return pooled
    if operation.node.integer("storage_order", 0):
        operation.refuse("it gives places in column-major order")
    return pooled, Places(pool=pooled.source, definition=MaxPool(**keys), source=source)


def _max_unpool(operation: Operation) -> Activation:
    source, places = operation.activation(), operation.places(1)
    wanted = operation.integers(2)
    size = _unpooled_size(operation, source) if wanted is None else wanted[2:]
    return operation.unpooled(source, places, size)


def _unpooled_size(operation: Operation, source: Activation) -> tuple[int, ...]:
    """The spatial size that a MaxUnpool gives by its own window."""
    rank = len(source.shape) - 1
    kernel, stride = (
        attribute_per_axis(operation, name, rank) for name in ("kernel_shape", "strides")
    )
    pads = pairs_of(attribute_per_axis(operation, "pads", 2 * rank, 0))
    return tuple(
        (size - 1) * s + k - before - after
        for size, k, s, (before, after) in zip(source.shape[1:], kernel, stride, pads)
    )


def _average_pool(operation: Operation) -> Activation:
    included = _true_or_default(operation, "count_include_pad")
    keys = _pool_keys(operation)
    return operation.layer("avg_pool", operation.activation(), **keys, count_include_pad=included)


def _true_or_default(operation: Operation, attribute: str) -> bool | None:
    """True where the node sets a flag; else None, the layers' default, which is false in ONNX."""
    return True if operation.node.integer(attribute, 0) else None


def _reduction(kind: str) -> Translator:
    """The translator of a reduction: a pool over the axes that it reduces.

    `kind` is max, avg, sum, which is a mean times the number of elements, or min, which is less
    the largest of -x.
    """

    def translate(operation: Operation) -> Activation:
        source = operation.activation()
        full = source.full_shape
        given = operation.integers(1, "axes") or (
            () if operation.node.integer("noop_with_empty_axes", 0) else range(len(full))
        )
        axes = {operation.counted(axis, len(full)) for axis in given}
        if 0 in axes:
            operation.refuse("it reduces the batch")
        if not axes:
            return operation.layer("identity", source)
        match kind:
            case "sum":
                count = float(prod(full[axis] for axis in axes))
                pooled = _times(operation, _pooled(operation, "avg", source, axes), count)
            case "min":
                largest = _pooled(operation, "max", _times(operation, source, -1.0), axes)
                pooled = _times(operation, largest, -1.0)
            case _:
                pooled = _pooled(operation, kind, source, axes)
        kept = tuple(1 if axis in axes else size for axis, size in enumerate(full))
        if not operation.node.integer("keepdims", 1):
            kept = tuple(size for axis, size in enumerate(full) if axis not in axes)
        return pooled if pooled.full_shape == kept else operation.in_shape(pooled, kept)

    return translate


def _times(operation: Operation, source: Activation, factor: float) -> Activation:
    return operation.layer("scale", source, weight=Inline(shape=(), values=(factor,)))


def _pooled(operation: Operation, kind: str, source: Activation, axes: set[int]) -> Activation:
    """`source` with one element along each of `axes`, in which the batch is 0.

    Pools reduce the axes behind the channels.  So an axis that remains is brought to the front, or
    one of size 1 put there.
    """
    rank = len(source.full_shape)
    if axes == set(range(2, rank)):
        return operation.layer(f"global_{kind}_pool", source)
    if axes == set(range(1, rank)):
        whole = operation.in_shape(source, (source.batch, 1, *source.shape))
        return operation.layer(f"global_{kind}_pool", whole)
    if 1 not in axes:
        window = short(tuple(size if axis in axes else 1 for axis, size in _spatial(source)))
        return operation.layer(f"{kind}_pool", source, kernel_size=window)
    front = next(axis for axis in range(1, rank) if axis not in axes) - 1
    order = list(range(rank - 1))
    order[0], order[front] = front, 0
    turned = operation.layer("transpose", source, axes=tuple(order))
    behind = {1 + order.index(axis - 1) for axis in axes}
    return operation.layer("transpose", _pooled(operation, kind, turned, behind), axes=tuple(order))


def _spatial(source: Activation) -> list[tuple[int, int]]:
    """The spatial axes with their sizes, counted with the batch."""
    return list(enumerate(source.full_shape))[2:]


def _global_pool(layer_type: str) -> Translator:
    return lambda operation: operation.layer(layer_type, operation.activation())


OPERATORS: dict[str, Translator] = {
    "MaxPool": _max_pool,
    "MaxUnpool": _max_unpool,
    "AveragePool": _average_pool,
    "GlobalMaxPool": _global_pool("global_max_pool"),
    "GlobalAveragePool": _global_pool("global_avg_pool"),
    "ReduceMax": _reduction("max"),
    "ReduceMean": _reduction("avg"),
    "ReduceMin": _reduction("min"),
    "ReduceSum": _reduction("sum"),
}
