"""Convolutions and pools."""

from __future__ import annotations

from typing import Any

from convt_cli.arithmetic.keys import FileReference
from convt_cli.models.onnx.operation import Activation, Constant, Operation
from convt_cli.models.onnx.operators.attributes import (
    padding,
    per_axis,
    require_bounded,
    short,
    short_pairs,
)


def _conv(operation: Operation) -> Activation:
    source, weight = operation.activation(), operation.weight(1)
    out_channels, inner, *_ = _weight_shape(operation, source, weight)
    groups = _groups(operation)
    _require_channels(operation, source, inner * groups)
    keys = _convolution_keys(operation, weight, groups, out_channels)
    return operation.layer("conv", source, **keys, **_numbers(operation, weight))


def _conv_transpose(operation: Operation) -> Activation:
    source, weight = operation.activation(), operation.weight(1)
    in_channels, inner, *_ = _weight_shape(operation, source, weight)
    groups = _groups(operation)
    _require_channels(operation, source, in_channels)
    keys = _convolution_keys(operation, weight, groups, inner * groups)
    rank = len(source.shape) - 1
    extra = per_axis(operation, "output_padding", rank, 0)
    if any(extra):
        keys["output_padding"] = short(extra)
    size = operation.node.integers("output_shape")
    if size:
        require_bounded(operation, "output_shape", size, 1)
        keys["output_size"] = short(size[-rank:])
        keys["padding"] = keys["padding"] if isinstance(keys["padding"], str) else 0
    if size and any(extra):
        keys = _explicit(operation, source, keys)
    return operation.layer("conv_transpose", source, **keys, **_numbers(operation, weight))


def _explicit(operation: Operation, source: Activation, keys: dict[str, Any]) -> dict[str, Any]:
    """output_size together with output_padding as the pads they come to."""
    convolution = operation.geometry("conv_transpose", source, **keys).convolution
    axes = () if convolution is None else convolution.axes
    del keys["output_size"]
    pairs = short_pairs(tuple((axis.before, axis.after) for axis in axes))
    extra = short(tuple(axis.output_padding for axis in axes))
    return {**keys, "padding": pairs, "output_padding": extra}


def _weight_shape(operation: Operation, source: Activation, weight: Constant) -> tuple[int, ...]:
    rank = len(source.shape) - 1
    kernel = operation.node.integers("kernel_shape") or weight.shape[2:]
    if len(weight.shape) != rank + 2 or weight.shape[2:] != kernel:
        reason = f"its weight is {list(weight.shape)}, its kernel {list(kernel)}"
        operation.refuse(f"{reason}, on {rank} spatial axes", code="E121")
    require_bounded(operation, "its weight's shape", weight.shape, 1)
    return weight.shape


def _groups(operation: Operation) -> int:
    groups = operation.node.integer("group", 1)
    require_bounded(operation, "group", (groups,), 1)
    return groups


def _require_channels(operation: Operation, source: Activation, channels: int) -> None:
    if channels != source.shape[0]:
        reason = f"its weight is for {channels} channels, its source has {source.shape[0]}"
        operation.refuse(reason, code="E114")


def _convolution_keys(
    operation: Operation, weight: Constant, groups: int, out_channels: int
) -> dict[str, Any]:
    rank = len(weight.shape) - 2
    return {
        "out_channels": out_channels,
        "kernel_size": short(weight.shape[2:]),
        "stride": short(per_axis(operation, "strides", rank)),
        "padding": padding(operation, rank),
        "dilation": short(per_axis(operation, "dilations", rank)),
        "groups": groups,
    }


def _numbers(operation: Operation, weight: Constant) -> dict[str, FileReference | bool | None]:
    """Where the kernel and the bias stand; without a bias, false."""
    bias = operation.constant(2)
    kernel = operation.reference(weight)
    return {"weight": kernel, "bias": bias is not None and (operation.reference(bias) or True)}


def _pool_keys(operation: Operation) -> dict[str, Any]:
    rank = len(operation.activation().shape) - 1
    if not operation.node.integers("kernel_shape"):
        operation.refuse("it has no kernel_shape")
    return {
        "kernel_size": short(per_axis(operation, "kernel_shape", rank)),
        "stride": short(per_axis(operation, "strides", rank)),
        "padding": padding(operation, rank),
        "dilation": short(per_axis(operation, "dilations", rank)),
        "ceil_mode": bool(operation.node.integer("ceil_mode", 0)) or None,
    }


def _max_pool(operation: Operation) -> Activation:
    return operation.layer("max_pool", operation.activation(), **_pool_keys(operation))


def _average_pool(operation: Operation) -> Activation:
    included = bool(operation.node.integer("count_include_pad", 0)) or None
    keys = _pool_keys(operation)
    return operation.layer("avg_pool", operation.activation(), **keys, count_include_pad=included)


def _reduction(layer_type: str) -> Any:
    """The rule of a reduction, which is a global pool where it goes over all spatial axes."""

    def rule(operation: Operation) -> Activation:
        source = operation.activation()
        rank = len(source.full_shape)
        axes = operation.integers(1, "axes") or ()
        wanted = {operation.counted(axis, rank) for axis in axes}
        if rank < 3 or wanted != set(range(2, rank)):
            operation.refuse(f"it reduces axes {list(axes)} of {rank}, not all spatial ones")
        pooled = operation.layer(layer_type, source)
        return pooled if operation.node.integer("keepdims", 1) else flat(operation, pooled)

    return rule


def flat(operation: Operation, source: Activation) -> Activation:
    """A further layer that joins all axes."""
    return operation.layer("flatten", source)


OPERATORS = {
    "Conv": _conv,
    "ConvTranspose": _conv_transpose,
    "MaxPool": _max_pool,
    "AveragePool": _average_pool,
    "GlobalMaxPool": lambda operation: operation.layer("global_max_pool", operation.activation()),
    "GlobalAveragePool": lambda operation: operation.layer(
        "global_avg_pool", operation.activation()
    ),
    "ReduceMax": _reduction("global_max_pool"),
    "ReduceMean": _reduction("global_avg_pool"),
}
