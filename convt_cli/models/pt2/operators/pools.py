"""Pools, and the means over all spatial axes that are global pools."""

from __future__ import annotations

from math import prod
from typing import Any

from convt_cli.arithmetic.layers.pools import MaxPool
from convt_cli.models.pt2.operation import Operation, Translator
from convt_cli.models.translation import Activation, Places, short


def _keys(operation: Operation, rank: int) -> dict[str, Any]:
    """The keys that max_pool and avg_pool have in common."""
    kernel = operation.per_axis("kernel_size", rank, 1)
    stride = operation.per_axis("stride", rank, 1) if operation.integers("stride") else kernel
    return {
        "kernel_size": short(kernel),
        "stride": short(stride),
        "padding": short(operation.per_axis("padding", rank, 0)),
        "ceil_mode": True if operation.flag("ceil_mode") else None,
    }


def _max_pool(operation: Operation) -> Activation | tuple[Activation | Places | None, ...]:
    source = operation.activation()
    rank = len(source.shape) - 1
    keys = _keys(operation, rank) | {"dilation": short(operation.per_axis("dilation", rank, 1))}
    pooled = operation.layer("max_pool", source, **keys)
    if not any(operation.are_read[1:]):
        return pooled
    return pooled, Places(pool=pooled.source, definition=MaxPool(**keys), source=source)


def _max_unpool(operation: Operation) -> Activation:
    places = operation.argument("indices")
    if not isinstance(places, Places):
        operation.refuse("its indices are not what a max_pool gives")
    source = operation.activation()
    size = operation.per_axis("output_size", len(source.shape) - 1, 1)
    return operation.unpooled(source, places, size)


def _average_pool(operation: Operation) -> Activation:
    source = operation.activation()
    keys = _keys(operation, len(source.shape) - 1)
    included = None if operation.flag("count_include_pad", default=True) else False
    divisor = operation.integer(0, "divisor_override")
    if not divisor:
        return operation.layer("avg_pool", source, **keys, count_include_pad=included)
    if keys["ceil_mode"]:  # a window that is cut off has fewer taps
        other = "avg_pool with a divisor of its own"
        return operation.stand_in("avg_pool", source, stands_for=other, **keys)
    pooled = operation.layer("avg_pool", source, **keys)
    taps = prod(operation.per_axis("kernel_size", len(source.shape) - 1, 1))
    return operation.scaled(pooled, taps / divisor)


def _adaptive(layer_type: str) -> Translator:
    def translate(operation: Operation) -> Activation:
        source = operation.activation()
        output_size = short(operation.per_axis("output_size", len(source.shape) - 1, 1))
        return operation.layer(layer_type, source, output_size=output_size)

    return translate


def _reduction(layer_type: str) -> Translator:
    """The translator of a reduction, which is a global pool over the axes that it reduces."""

    def translate(operation: Operation) -> Activation:
        source = operation.activation()
        return _reduced(operation, layer_type, source, _reduced_axes(operation, source))

    return translate


def _sum(operation: Operation) -> Activation:
    source = operation.activation()
    axes = _reduced_axes(operation, source)
    count = prod(source.full_shape[axis] for axis in axes)
    mean = _reduced(operation, "global_avg_pool", source, axes)
    return operation.scaled(mean, count)


def _reduced_axes(operation: Operation, source: Activation) -> list[int]:
    """The axes that a reduction reduces, none of them the batch.  Raises Untranslatable."""
    rank = len(source.full_shape)
    axes = sorted(set(operation.axes(source, "dim") or range(rank)))
    if 0 in axes:
        operation.refuse("it reduces the batch")
    if len(axes) == rank - 1 and not operation.flag("keepdim"):
        operation.refuse("it leaves no axis but the batch")
    return axes


def _reduced(
    operation: Operation, layer_type: str, source: Activation, axes: list[int]
) -> Activation:
    """A global pool over `axes`, which are brought to the end unless they are all spatial ones."""
    full = source.full_shape
    rest = [axis for axis in range(1, len(full)) if axis not in axes]
    if len(full) > 2 and rest == [1]:
        pooled = operation.layer(layer_type, source)
    else:
        ordered = operation.in_order(source, (0, *rest, *axes))
        # (batch, all that is kept, all that is reduced)
        kept, reduced = (prod(full[axis] for axis in some) for some in (rest, axes))
        pooled = operation.layer(
            layer_type, operation.layer("reshape", ordered, shape=(kept, reduced))
        )
    ones = (1 if axis in axes else size for axis, size in enumerate(full))
    shape = tuple(ones) if operation.flag("keepdim") else tuple(full[axis] for axis in (0, *rest))
    return pooled if pooled.full_shape == shape else operation.in_shape(pooled, shape)


OPERATORS: dict[str, Translator] = {
    **dict.fromkeys(("max_pool1d", "max_pool2d", "max_pool3d"), _max_pool),
    **dict.fromkeys(("max_pool2d_with_indices", "max_pool3d_with_indices"), _max_pool),
    "max_pool1d_with_indices": _max_pool,
    **dict.fromkeys(("max_unpool2d", "max_unpool3d"), _max_unpool),
    **dict.fromkeys(("avg_pool1d", "avg_pool2d", "avg_pool3d"), _average_pool),
    **{f"adaptive_avg_pool{rank}d": _adaptive("adaptive_avg_pool") for rank in (1, 2, 3)},
    **{f"_adaptive_avg_pool{rank}d": _adaptive("adaptive_avg_pool") for rank in (2, 3)},
    **{f"adaptive_max_pool{rank}d": _adaptive("adaptive_max_pool") for rank in (1, 2, 3)},
    "mean": _reduction("global_avg_pool"),
    "sum": _sum,
    "amax": _reduction("global_max_pool"),
}
