"""The layers that tests of operators and commands share, by name.

`LAYERS` are small enough for the oracle.  `PRICED` are large: each says which kernel computes it,
and every kernel has one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from convt_cli.arithmetic.axis import Axis
from convt_cli.arithmetic.convolution import Convolution


def layer(out_channels: int, in_channels: int, *axes: Axis, **more: Any) -> Convolution:
    """A convolution of these axes."""
    return Convolution(out_channels=out_channels, in_channels=in_channels, axes=axes, **more)


def same(size: int, kernel_size: int = 3) -> Axis:
    """A direct axis that keeps the size."""
    before, after = kernel_size // 2, (kernel_size - 1) // 2
    return Axis.conv(input_size=size, kernel_size=kernel_size, before=before, after=after)


def upsampling(size: int, kernel_size: int, stride: int) -> Axis:
    """A transposed axis from `size` to size * stride elements."""
    pad = (kernel_size - stride) // 2
    return Axis.conv_transpose(
        input_size=size, kernel_size=kernel_size, stride=stride, before=pad, after=pad
    )


def conv(size: int, kernel_size: int, *pads: int, **more: int) -> Axis:
    """A direct axis; `pads` are before and after, or nothing."""
    before, after = pads or (0, 0)
    return Axis.conv(input_size=size, kernel_size=kernel_size, before=before, after=after, **more)


def transposed(size: int, kernel_size: int, *pads: int, **more: int) -> Axis:
    """A transposed axis on `size` elements."""
    before, after = pads or (0, 0)
    return Axis.conv_transpose(
        input_size=size, kernel_size=kernel_size, before=before, after=after, **more
    )


def grouped(*axes: Axis) -> Convolution:
    """2 groups of 2 by 3 channels."""
    return layer(4, 6, *axes, groups=2)


FOLDED = {
    mode: layer(2, 1, conv(5, 3, 2, 1), conv(4, 3, 1, 2), padding_mode=mode)
    for mode in ("circular", "reflect", "replicate")
}

LAYERS = {
    "of rank 1": layer(3, 2, conv(11, 4, 2, 1, stride=3, dilation=2)),
    "grouped": layer(2, 4, conv(7, 3, 1, 0, stride=2), conv(6, 2, 0, 2, dilation=2), groups=2),
    "of rank 3": layer(
        2, 1, conv(3, 2, 1, 1), conv(3, 1, 1, 1, stride=2), conv(5, 3, 1, 1, stride=2)
    ),
    "transposed of rank 1": layer(
        2, 3, transposed(4, 3, 1, 0, stride=3, output_padding=2), adjoint=True
    ),
    "grouped transposed": layer(
        4,
        2,
        transposed(3, 3, 1, 1, stride=2, output_padding=1),
        transposed(2, 2, 1, 1, stride=3, output_padding=2),
        groups=2,
        adjoint=True,
    ),
    "transposed of rank 3": layer(
        3,
        2,
        transposed(2, 2, stride=2),
        transposed(3, 2, 1, 0),
        transposed(2, 3, 0, 1, stride=2, output_padding=1),
        adjoint=True,
    ),
    "of many channels": layer(24, 17, same(5), same(3)),
    "a weight larger than the result": layer(64, 3, same(3), same(3)),
    "a weight smaller than the result": layer(3, 2, same(40), same(40)),
    "one tap": layer(17, 33, conv(1, 1), conv(1, 1)),
    "a kernel beyond the input": grouped(same(3, 5), same(3, 5)),
    "output_padding beyond the stride, below the dilation": grouped(
        transposed(3, 2, stride=2, dilation=5, output_padding=4)
    ),
    "a kernel below the stride leaves results that no window reads": grouped(
        transposed(3, 2, stride=5, output_padding=4), transposed(2, 1, stride=3)
    ),
    "stride and dilation with a common divisor": grouped(
        transposed(3, 3, stride=4, dilation=2, output_padding=3),
        transposed(4, 4, stride=6, dilation=4),
    ),
    "padding beyond the kernel crops whole windows": grouped(
        transposed(6, 2, 3, 2), transposed(5, 2, 4, 3, stride=2)
    ),
    "windows that lie in the padding altogether": grouped(*[conv(2, 2, 5, 6)] * 2),
    "padding below zero": grouped(*[conv(9, 2, -3, -2)] * 2),
    "axes of size one": grouped(*[conv(1, 1)] * 3),
    "axes of size one beside others": grouped(same(1), same(4), conv(1, 1)),
    "a stride beyond the input": grouped(*[conv(4, 2, stride=9)] * 2),
    "a stride beyond the input, whose first windows read nothing": grouped(
        *[conv(1, 1, 2, 5, stride=7)] * 2
    ),
    "few outputs are kept": grouped(*[conv(12, 2, output_size=2)] * 2),
    "a dilation that takes all taps but the middle one outside": grouped(
        *[conv(4, 3, 4, 4, dilation=4)] * 2
    ),
    **FOLDED,
}
ZERO_PADDED = {name: one for name, one in LAYERS.items() if one.padding_mode == "zeros"}


def spec_of(convolution: Convolution, weight: str) -> str:
    """A spec with this layer alone, whose weight is in the file `weight`; all outputs are kept."""
    axes = convolution.axes
    keys = {
        "type": "conv_transpose" if convolution.adjoint else "conv",
        "in_channels": convolution.action_shapes[0][0],
        "out_channels": convolution.action_shapes[1][0],
        "kernel_size": [*convolution.kernel_size],
        "stride": [axis.stride for axis in axes],
        "dilation": [axis.dilation for axis in axes],
        "padding": [[axis.before, axis.after] for axis in axes],
        "groups": convolution.groups,
        "padding_mode": convolution.padding_mode,
        "weight": weight,
    }
    if convolution.adjoint:
        keys["output_padding"] = [axis.output_padding for axis in axes]
    written = ", ".join(f"{key}: {value}" for key, value in keys.items())
    return f"input: {[*convolution.action_shapes[0]]}\nlayers: [{{{written}}}]\n"


@dataclass(frozen=True)
class Priced:
    """A layer in one direction, and the kernel that is the cheapest for it, with the reason."""

    kernel: str
    because: str
    convolution: Convolution
    forward: bool = True

    def __str__(self) -> str:
        return f"{self.kernel}: {self.because}"


PRICED = [
    Priced(
        "col2im",
        "a layer of DCGAN reads a large weight once",
        layer(1024, 512, *[upsampling(4, 4, 2)] * 2),
        forward=False,
    ),
    Priced("rows", "a layer of VGG is computed row by row", layer(64, 64, *[same(224)] * 2)),
    Priced(
        "im2col full",
        "many channels would be copied for each of many short rows",
        layer(512, 512, *[same(28)] * 2),
    ),
    Priced(
        "im2col partial",
        "so long a sum would copy its matrix for each row",
        layer(64, 64, *[same(112, 5)] * 2),
    ),
    Priced(
        "im2col partial",
        "many very short rows would be as many products",
        layer(960, 960, *[same(7, 5)] * 2, groups=960),
    ),
    Priced(
        "im2col partial",
        "a long kernel on a single axis copies nothing for its taps",
        layer(16, 32, Axis.conv(input_size=65536, kernel_size=25, stride=4)),
    ),
    Priced(
        "im2col full",
        "upsampling by 8 with few channels sums over channels and taps at once",
        layer(21, 21, *[upsampling(28, 16, 8)] * 2),
        forward=False,
    ),
    Priced(
        "col2im",
        "few results of stride 1 are sums of what many channels send",
        layer(3, 64, *[same(224)] * 2),
    ),
    Priced("rows", "of one channel no more is copied than must be", layer(64, 1, *[same(224)] * 2)),
    Priced("im2col full", "a kernel of one tap is one product", layer(512, 512, *[same(7, 1)] * 2)),
    Priced(
        "taps",
        "two taps that read apart take the fewest calls",
        layer(1, 1, Axis.conv(input_size=64, kernel_size=2, stride=2)),
    ),
]
