"""Pools by windows, over all of the input, and to a given size."""

from __future__ import annotations

from typing import Any

from convt_cli.models.keras.operation import Operation, Translator
from convt_cli.models.translation import Activation, short


def _pool(layer_type: str) -> Translator:
    def translate(operation: Operation) -> Activation:
        source = operation.channels_front(operation.source)
        rank = len(source.shape) - 1
        size = operation.per_axis("pool_size", rank)
        strided = operation.setting("strides") is not None
        keys: dict[str, Any] = {
            "kernel_size": short(size),
            "stride": short(operation.per_axis("strides", rank) if strided else size),
            "padding": operation.word("padding", "valid", "same"),
        }
        return operation.channels_back(operation.layer(layer_type, source, **keys))

    return translate


def _global(layer_type: str) -> Translator:
    def translate(operation: Operation) -> Activation:
        source = operation.channels_front(operation.source)
        pooled = operation.layer(layer_type, source)
        if operation.flag("keepdims"):
            return operation.channels_back(pooled)
        return operation.layer("flatten", pooled)

    return translate


def _adaptive(layer_type: str) -> Translator:
    def translate(operation: Operation) -> Activation:
        source = operation.channels_front(operation.source)
        size = short(operation.per_axis("output_size", len(source.shape) - 1))
        return operation.channels_back(operation.layer(layer_type, source, output_size=size))

    return translate


OPERATORS: dict[str, Translator] = {
    **{f"MaxPooling{rank}D": _pool("max_pool") for rank in (1, 2, 3)},
    **{f"AveragePooling{rank}D": _pool("avg_pool") for rank in (1, 2, 3)},
    **{f"GlobalMaxPooling{rank}D": _global("global_max_pool") for rank in (1, 2, 3)},
    **{f"GlobalAveragePooling{rank}D": _global("global_avg_pool") for rank in (1, 2, 3)},
    **{f"AdaptiveMaxPooling{rank}D": _adaptive("adaptive_max_pool") for rank in (1, 2, 3)},
    **{f"AdaptiveAveragePooling{rank}D": _adaptive("adaptive_avg_pool") for rank in (1, 2, 3)},
}
