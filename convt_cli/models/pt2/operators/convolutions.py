"""Convolutions and transposed convolutions."""

from __future__ import annotations

from typing import Any

from convt_cli.arithmetic.keys import Padding
from convt_cli.models.pt2.graph import Constant
from convt_cli.models.pt2.operation import Operation, Translator
from convt_cli.models.translation import Activation, short


def _conv(operation: Operation) -> Activation:
    source, weight = operation.activation(), operation.weight()
    # (out_channels, in_channels // groups, *kernel_size)
    rank = _rank(operation, source, weight)
    out_channels, inner, *_ = weight.sizes
    groups = operation.integer(1, "groups")
    _require_channels(operation, source, inner * groups)
    keys = _keys(operation, weight, rank, groups, out_channels)
    return operation.layer("conv", source, **keys)


def _conv_transpose(operation: Operation) -> Activation:
    source, weight = operation.activation(), operation.weight()
    # (in_channels, out_channels // groups, *kernel_size)
    rank = _rank(operation, source, weight)
    in_channels, inner, *_ = weight.sizes
    groups = operation.integer(1, "groups")
    _require_channels(operation, source, in_channels)
    keys = _keys(operation, weight, rank, groups, inner * groups)
    extra = operation.per_axis("output_padding", rank, 0)
    if any(extra):
        keys["output_padding"] = short(extra)
    return operation.layer("conv_transpose", source, **keys)


def _convolution(operation: Operation) -> Activation:
    return (_conv_transpose if operation.flag("transposed") else _conv)(operation)


def _rank(operation: Operation, source: Activation, weight: Constant) -> int:
    """The number of spatial axes, which the source and the weight agree on."""
    rank = len(source.shape) - 1
    if len(weight.sizes) != rank + 2 or not all(weight.sizes):
        reason = f"its weight is {list(weight.sizes)}, its source {list(source.full_shape)}"
        operation.refuse(reason, code="E121")
    return rank


def _require_channels(operation: Operation, source: Activation, channels: int) -> None:
    if channels != source.shape[0]:
        reason = f"its weight is for {channels} channels, its source has {source.shape[0]}"
        operation.refuse(reason, code="E114")


def _keys(
    operation: Operation, weight: Constant, rank: int, groups: int, out_channels: int
) -> dict[str, Any]:
    return {
        "out_channels": out_channels,
        "kernel_size": short(weight.sizes[2:]),
        "stride": short(operation.per_axis("stride", rank, 1)),
        "padding": _padding(operation, rank),
        "dilation": short(operation.per_axis("dilation", rank, 1)),
        "groups": groups,
        "weight": operation.reference(weight),
        "bias": operation.bias("bias", (out_channels,)),
    }


def _padding(operation: Operation, rank: int) -> Padding:
    word = operation.argument("padding")
    return word if isinstance(word, str) else short(operation.per_axis("padding", rank, 0))


OPERATORS: dict[str, Translator] = {
    **dict.fromkeys(("conv1d", "conv2d", "conv3d"), _conv),
    **dict.fromkeys(("conv_transpose1d", "conv_transpose2d", "conv_transpose3d"), _conv_transpose),
    "convolution": _convolution,
}
