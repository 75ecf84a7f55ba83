"""Convolutions, transposed, depthwise and separable ones, and the fully connected layer."""

from __future__ import annotations

from typing import Any

from convt_cli.models.keras.operation import Operation, Translator
from convt_cli.models.keras.operators.activations import activated
from convt_cli.models.translation import Activation, short


def _conv(operation: Operation) -> Activation:
    source = operation.channels_front(operation.source)
    keys = _window_keys(operation, len(source.shape) - 1)
    given = operation.layer(
        "conv",
        source,
        out_channels=operation.count("filters"),
        **keys,
        groups=operation.count("groups", 1),
        weight=operation.variable("kernel"),
        bias=operation.bias(),
    )
    return activated(operation, operation.channels_back(given))


def _conv_transpose(operation: Operation) -> Activation:
    source = operation.channels_front(operation.source)
    rank = len(source.shape) - 1
    keys = _window_keys(operation, rank)
    if operation.setting("output_padding") is not None:
        keys["output_padding"] = short(operation.per_axis("output_padding", rank, minimum=0))
    given = operation.layer(
        "conv_transpose",
        source,
        out_channels=operation.count("filters"),
        **keys,
        weight=operation.variable("kernel"),
        bias=operation.bias(),
    )
    return activated(operation, operation.channels_back(given))


def _depthwise(operation: Operation) -> Activation:
    source = operation.channels_front(operation.source)
    given = _of_each_channel(operation, source, "kernel", operation.bias())
    return activated(operation, operation.channels_back(given))


def _separable(operation: Operation) -> Activation:
    source = operation.channels_front(operation.source)
    apart = operation.called(
        _of_each_channel(operation, source, "depthwise_kernel", bias=False), "depthwise"
    )
    given = operation.layer(
        "conv",
        apart,
        out_channels=operation.count("filters"),
        kernel_size=1,
        weight=operation.variable("pointwise_kernel"),
        bias=operation.bias(),
    )
    return activated(operation, operation.channels_back(given))


def _of_each_channel(
    operation: Operation, source: Activation, kernel: str, bias: Any
) -> Activation:
    """A convolution of every channel by itself, whose kernel is (*kernel_size, in, multiplier)."""
    channels = source.shape[0]
    keys = _window_keys(operation, len(source.shape) - 1)
    out_channels = channels * operation.count("depth_multiplier", 1)
    taps = operation.per_axis("kernel_size", len(source.shape) - 1)
    return operation.layer(
        "conv",
        source,
        out_channels=out_channels,
        **keys,
        groups=channels,
        weight=operation.variable(kernel, shape=(*taps, 1, out_channels)),
        bias=bias,
    )


def _window_keys(operation: Operation, rank: int) -> dict[str, Any]:
    return {
        "kernel_size": short(operation.per_axis("kernel_size", rank)),
        "stride": short(operation.per_axis("strides", rank, 1)),
        "padding": operation.word("padding", "valid", "same", "causal"),
        "dilation": short(operation.per_axis("dilation_rate", rank, 1)),
    }


def _dense(operation: Operation) -> Activation:
    source = operation.source
    axis = {} if len(source.shape) == 1 else {"axis": operation.axis(-1, source)}
    given = operation.layer(
        "linear",
        source,
        out_features=operation.count("units"),
        **axis,
        weight=operation.variable("kernel"),
        bias=operation.bias(),
    )
    return activated(operation, given)


OPERATORS: dict[str, Translator] = {
    **{f"Conv{rank}D": _conv for rank in (1, 2, 3)},
    **{f"Conv{rank}DTranspose": _conv_transpose for rank in (1, 2, 3)},
    **{f"DepthwiseConv{rank}D": _depthwise for rank in (1, 2)},
    **{f"SeparableConv{rank}D": _separable for rank in (1, 2)},
    "Dense": _dense,
}
