"""Conv and ConvTranspose, and a convolution of integers, for which a conv stands in."""

from __future__ import annotations

from typing import Any

from convt_cli.arithmetic.keys import FileReference
from convt_cli.models.onnx.operation import Constant, Operation, Translator
from convt_cli.models.onnx.operators.attributes import attribute_per_axis, padding, require_bounded
from convt_cli.models.translation import Activation, short, short_pairs

_FUSED = {"Relu": "relu", "Sigmoid": "sigmoid", "Tanh": "tanh"}
"""The layers of activations without numbers that a convolution is fused with."""


def _conv(operation: Operation) -> Activation:
    source, weight = operation.activation(), operation.weight(1)
    keys = _conv_keys(operation, source, weight)
    return operation.layer("conv", source, **keys, **_weight_and_bias(operation, weight))


def _conv_keys(operation: Operation, source: Activation, weight: Constant) -> dict[str, Any]:
    """The keys of a conv but for its weight and bias."""
    # (out_channels, in_channels // groups, *kernel_size)
    out_channels, inner, *_ = _weight_shape(operation, source, weight)
    groups = _groups(operation)
    _require_channels(operation, source, inner * groups)
    return _convolution_keys(operation, weight, groups, out_channels)


def _conv_of_integers(operation: Operation) -> Activation:
    """A conv that stands in: what the integers stand for is told by nodes that cannot be read."""
    source = operation.activation()
    keys = _conv_keys(operation, source, operation.weight(1))
    return operation.stand_in("conv", source, **keys, bias=False)


def _fused_conv(operation: Operation) -> Activation:
    """A conv and its activation, which ONNX Runtime puts into one node."""
    word = operation.node.word("activation", "")
    if operation.constant(3) is not None or word not in _FUSED:
        operation.refuse(f"its activation is '{word}', or it adds a third array")
    return operation.layer(_FUSED[word], _conv(operation))


def _conv_transpose(operation: Operation) -> Activation:
    source, weight = operation.activation(), operation.weight(1)
    # (in_channels, out_channels // groups, *kernel_size)
    in_channels, inner, *_ = _weight_shape(operation, source, weight)
    groups = _groups(operation)
    _require_channels(operation, source, in_channels)
    keys = _convolution_keys(operation, weight, groups, inner * groups)
    rank = len(source.shape) - 1
    extra = attribute_per_axis(operation, "output_padding", rank, 0)
    if any(extra):
        keys["output_padding"] = short(extra)
    size = operation.node.integers("output_shape")
    if size:
        require_bounded(operation, "output_shape", size, 1)
        keys["output_size"] = short(size[-rank:])
        # the pads follow from output_shape; auto_pad still says where the odd element goes
        keys["padding"] = keys["padding"] if isinstance(keys["padding"], str) else 0
    if size and any(extra):
        keys = _explicit(operation, source, keys)
    return operation.layer("conv_transpose", source, **keys, **_weight_and_bias(operation, weight))


def _explicit(operation: Operation, source: Activation, keys: dict[str, Any]) -> dict[str, Any]:
    """`keys` with the paddings that output_size and output_padding lead to in place of the two."""
    convolution = operation.geometry("conv_transpose", source, **keys).convolution
    axes = () if convolution is None else convolution.axes
    del keys["output_size"]
    pairs = short_pairs(tuple((axis.before, axis.after) for axis in axes))
    extra = short(tuple(axis.output_padding for axis in axes))
    return {**keys, "padding": pairs, "output_padding": extra}


def _weight_shape(operation: Operation, source: Activation, weight: Constant) -> tuple[int, ...]:
    """The shape of the weight, which has two axes and those of the kernel."""
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
    """The keys that conv and conv_transpose have in common."""
    rank = len(weight.shape) - 2
    return {
        "out_channels": out_channels,
        "kernel_size": short(weight.shape[2:]),
        "stride": short(attribute_per_axis(operation, "strides", rank)),
        "padding": padding(operation, rank),
        "dilation": short(attribute_per_axis(operation, "dilations", rank)),
        "groups": groups,
    }


def _weight_and_bias(
    operation: Operation, weight: Constant
) -> dict[str, FileReference | bool | None]:
    """The keys weight and bias: references, `None` or `True` where the model keeps no numbers."""
    kernel, bias = operation.reference(weight), operation.constant(2)
    if bias is None:
        return {"weight": kernel, "bias": False}
    return {"weight": kernel, "bias": operation.reference(bias) or True}


OPERATORS: dict[str, Translator] = {
    "Conv": _conv,
    "ConvTranspose": _conv_transpose,
    "ConvInteger": _conv_of_integers,
    "com.microsoft.FusedConv": _fused_conv,
}
