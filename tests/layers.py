"""The layers that tests of operators and commands share, by name.

`PRICED` are large: each says which kernel computes it, and every kernel has one.
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
