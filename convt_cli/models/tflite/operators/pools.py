"""Pools, and the reductions along axes, which are pools over all of them."""

from __future__ import annotations

from math import prod

from convt_cli.models.channels_last import spec_axis
from convt_cli.models.tflite.operation import Operation, Translator
from convt_cli.models.translation import Activation, short


def _pool(layer_type: str) -> Translator:
    def translate(operation: Operation) -> Activation:
        found = operation.layer(
            layer_type,
            operation.activation(),
            kernel_size=short(operation.per_axis("filter", 2)),
            stride=short(operation.per_axis("stride", 2)),
            padding=operation.padding(),
        )
        return operation.activated(found)

    return translate


def _reduction(layer_type: str) -> Translator:
    """The translator of a reduction, which is a global pool over the axes that it reduces."""

    def translate(operation: Operation) -> Activation:
        return _reduced(operation, layer_type, operation.activation(), _axes(operation))

    return translate


def _sum(operation: Operation) -> Activation:
    source, axes = operation.activation(), _axes(operation)
    mean = _reduced(operation, "global_avg_pool", source, axes)
    return operation.scaled(mean, float(prod(source.shape[axis] for axis in axes)))


def _minimum(operation: Operation) -> Activation:
    negative = operation.scaled(operation.activation(), -1.0)
    return operation.scaled(
        _reduced(operation, "global_max_pool", negative, _axes(operation)), -1.0
    )


def _axes(operation: Operation) -> list[int]:
    """The axes that a reduction reduces, as a spec counts them.  Raises Untranslatable."""
    source = operation.activation()
    rank = len(source.shape) + 1
    axes = sorted({spec_axis(operation, axis, rank) for axis in operation.integers(1)})
    if len(axes) == rank - 1 and not operation.option("keep_dims"):
        operation.refuse("it leaves no axis but the batch")
    return axes


def _reduced(
    operation: Operation, layer_type: str, source: Activation, axes: list[int]
) -> Activation:
    """A global pool over `axes`, which are brought to the end unless they are all spatial ones."""
    sizes = source.shape
    rest = [axis for axis in range(len(sizes)) if axis not in axes]
    if not axes:
        return operation.layer("identity", source)
    if len(sizes) > 1 and rest == [0]:
        pooled = operation.layer(layer_type, source)
    else:
        # (all that is kept, all that is reduced)
        flat = tuple(prod(sizes[axis] for axis in some) for some in (rest, axes))
        order = (*rest, *axes)
        ordered = source
        if order != tuple(sorted(order)):
            ordered = operation.layer("transpose", source, axes=order)
        pooled = operation.layer(layer_type, operation.layer("reshape", ordered, shape=flat))
    return _without(operation, pooled, sizes, axes)


def _without(
    operation: Operation, pooled: Activation, sizes: tuple[int, ...], axes: list[int]
) -> Activation:
    """`pooled` with axes of size 1 for those of `sizes` that were reduced, or without them."""
    ones = tuple(1 if axis in axes else size for axis, size in enumerate(sizes))
    left = tuple(size for axis, size in enumerate(sizes) if axis not in axes)
    shape = ones if operation.option("keep_dims") else left
    if pooled.shape != shape:
        whole = {"shape": shape} if len(shape) > 1 else {}
        pooled = operation.layer("reshape" if whole else "flatten", pooled, **whole)
    if 0 in axes and len(shape) > 1 and not operation.option("keep_dims"):
        # what was the last spatial axis has the place of the channels now
        order = tuple(range(len(shape)))
        return operation.layer("transpose", pooled, axes=(order[-1], *order[:-1]))
    return pooled


OPERATORS: dict[str, Translator] = {
    "MAX_POOL_2D": _pool("max_pool"),
    "AVERAGE_POOL_2D": _pool("avg_pool"),
    "MEAN": _reduction("global_avg_pool"),
    "REDUCE_MAX": _reduction("global_max_pool"),
    "REDUCE_MIN": _minimum,
    "SUM": _sum,
}
