"""Pools, and the means over all spatial axes that are global pools."""

from __future__ import annotations

from typing import Any

from convt_cli.models.pt2.operation import Operation, Translator
from convt_cli.models.translation import Activation, short


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


def _max_pool(operation: Operation) -> Activation:
    source = operation.activation()
    rank = len(source.shape) - 1
    dilation = short(operation.per_axis("dilation", rank, 1))
    return operation.layer("max_pool", source, **_keys(operation, rank), dilation=dilation)


def _average_pool(operation: Operation) -> Activation:
    source = operation.activation()
    keys = _keys(operation, len(source.shape) - 1)
    included = None if operation.flag("count_include_pad", default=True) else False
    if operation.argument("divisor_override") is not None:
        other = "avg_pool with a divisor of its own"
        return operation.stand_in("avg_pool", source, stands_for=other, **keys)
    return operation.layer("avg_pool", source, **keys, count_include_pad=included)


def _adaptive(layer_type: str) -> Translator:
    def translate(operation: Operation) -> Activation:
        source = operation.activation()
        output_size = short(operation.per_axis("output_size", len(source.shape) - 1, 1))
        return operation.layer(layer_type, source, output_size=output_size)

    return translate


def _reduction(layer_type: str) -> Translator:
    """The translator of a reduction: over all spatial axes it is a global pool, `layer_type`."""

    def translate(operation: Operation) -> Activation:
        source = operation.activation()
        rank = len(source.full_shape)
        axes = operation.axes(source, "dim") or ()
        if rank < 3 or set(axes) != set(range(2, rank)):
            operation.refuse(f"it reduces axes {list(axes)} of {rank}, not all spatial ones")
        pooled = operation.layer(layer_type, source)
        return pooled if operation.flag("keepdim") else operation.layer("flatten", pooled)

    return translate


OPERATORS: dict[str, Translator] = {
    **dict.fromkeys(("max_pool1d", "max_pool2d", "max_pool3d"), _max_pool),
    **dict.fromkeys(("max_pool2d_with_indices", "max_pool3d_with_indices"), _max_pool),
    "max_pool1d_with_indices": _max_pool,
    **dict.fromkeys(("avg_pool1d", "avg_pool2d", "avg_pool3d"), _average_pool),
    **{f"adaptive_avg_pool{rank}d": _adaptive("adaptive_avg_pool") for rank in (1, 2, 3)},
    **{f"_adaptive_avg_pool{rank}d": _adaptive("adaptive_avg_pool") for rank in (2, 3)},
    **{f"adaptive_max_pool{rank}d": _adaptive("adaptive_max_pool") for rank in (1, 2, 3)},
    "mean": _reduction("global_avg_pool"),
    "amax": _reduction("global_max_pool"),
}
