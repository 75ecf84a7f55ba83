"""Convolutions, whose weights have their axes in another order in the file than in a spec."""

from __future__ import annotations

from typing import Any

from convt_cli.arithmetic.convolution import Shape
from convt_cli.models.tflite.operation import Constant, Operation, Translator
from convt_cli.models.translation import Activation, short, short_pairs


def _conv(operation: Operation) -> Activation:
    source, weight = operation.activation(), operation.weight(1)
    # (out_channels, height, width, in_channels // groups)
    out_channels, *kernel, inner = _weight_shape(operation, source, weight, 2)
    return _convolved(
        operation,
        source,
        **_keys(operation, tuple(kernel)),
        out_channels=out_channels,
        groups=_groups(operation, source, inner),
        weight=operation.reference(weight, axes=(1, 2, 3, 0)),
        bias=operation.bias(2, out_channels),
    )


def _depthwise_conv(operation: Operation) -> Activation:
    source, weight = operation.activation(), operation.weight(1)
    # (1, height, width, out_channels)
    one, *kernel, out_channels = _weight_shape(operation, source, weight, 2)
    channels = source.shape[0]
    if one != 1 or out_channels % channels:
        operation.refuse(
            f"its weight {list(weight.shape)} is not for {channels} channels", code="E114"
        )
    return _convolved(
        operation,
        source,
        **_keys(operation, tuple(kernel)),
        out_channels=out_channels,
        groups=channels,
        weight=operation.reference(weight, axes=(1, 2, 0, 3)),
        bias=operation.bias(2, out_channels),
    )


def _conv_3d(operation: Operation) -> Activation:
    source, weight = operation.activation(), operation.weight(1)
    # (depth, height, width, in_channels, out_channels)
    *kernel, inner, out_channels = _weight_shape(operation, source, weight, 3)
    return _convolved(
        operation,
        source,
        **_keys(operation, tuple(kernel)),
        out_channels=out_channels,
        groups=_groups(operation, source, inner),
        weight=operation.reference(weight),
        bias=operation.bias(2, out_channels),
    )


def _convolved(operation: Operation, source: Activation, **keys: Any) -> Activation:
    """A conv and its activation; what one of a dilated convolution crops comes between them."""
    before, after = (operation.node.options.get(name) for name in ("before", "after"))
    if not isinstance(before, tuple) or not isinstance(after, tuple):
        return operation.activated(operation.layer("conv", source, **keys))
    pads = tuple((max(0, first), max(0, last)) for first, last in zip(before, after))
    crops = tuple((max(0, -first), max(0, -last)) for first, last in zip(before, after))
    found = operation.layer("conv", source, **{**keys, "padding": short_pairs(pads)})
    return operation.activated(operation.cropped(found, crops))


def _conv_transpose(operation: Operation) -> Activation:
    source, weight = operation.activation(2), operation.weight(1)
    # (out_channels, height, width, in_channels)
    out_channels, *kernel, inner = _weight_shape(operation, source, weight, 2)
    _require_channels(operation, source, inner)
    return _transposed(operation, tuple(kernel), out_channels, axes=(1, 2, 0, 3))


def _conv_3d_transpose(operation: Operation) -> Activation:
    source, weight = operation.activation(2), operation.weight(1)
    # (depth, height, width, out_channels, in_channels)
    *kernel, out_channels, inner = _weight_shape(operation, source, weight, 3)
    _require_channels(operation, source, inner)
    return _transposed(operation, tuple(kernel), out_channels)


def _transposed(
    operation: Operation, kernel: Shape, out_channels: int, axes: Shape | None = None
) -> Activation:
    """A conv_transpose to the size that input 0 says, and its activation."""
    size = operation.recorded if operation.numbers(0) is None else operation.integers(0)
    if size is None or len(size) != len(kernel) + 2:
        operation.refuse("its output's size is not known")
    found = operation.layer(
        "conv_transpose",
        operation.activation(2),
        **_keys(operation, kernel),
        out_channels=out_channels,
        output_size=short(size[1:-1]),
        weight=operation.reference(operation.weight(1), axes=axes),
        bias=operation.bias(3, out_channels),
    )
    return operation.activated(found)


def _keys(operation: Operation, kernel: Shape) -> dict[str, Any]:
    """The keys that all convolutions have in common."""
    rank = len(kernel)
    dilated = f"dilation_{'dhw'[-rank]}" in operation.node.options
    return {
        "kernel_size": short(kernel),
        "stride": short(operation.per_axis("stride", rank)),
        "padding": operation.padding(),
        "dilation": short(operation.per_axis("dilation", rank)) if dilated else 1,
    }


def _weight_shape(operation: Operation, source: Activation, weight: Constant, rank: int) -> Shape:
    """The shape of a weight, which has two axes and those of the kernel."""
    if len(source.shape) != rank + 1 or len(weight.shape) != rank + 2 or 0 in weight.shape:
        reason = f"its weight is {list(weight.shape)}, on {len(source.shape) - 1} spatial axes"
        operation.refuse(reason, code="E121")
    return weight.shape


def _require_channels(operation: Operation, source: Activation, inner: int) -> None:
    if inner != source.shape[0]:
        reason = f"its weight is for {inner} channels, its source has {source.shape[0]}"
        operation.refuse(reason, code="E114")


def _groups(operation: Operation, source: Activation, inner: int) -> int:
    channels = source.shape[0]
    if channels % inner:
        operation.refuse(f"its weight is for {inner} channels, not {channels}", code="E114")
    return channels // inner


OPERATORS: dict[str, Translator] = {
    "CONV_2D": _conv,
    "DEPTHWISE_CONV_2D": _depthwise_conv,
    "CONV_3D": _conv_3d,
    "TRANSPOSE_CONV": _conv_transpose,
    "CONV_3D_TRANSPOSE": _conv_3d_transpose,
}
