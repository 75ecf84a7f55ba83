"""A window on every axis, and the axes made from it with sizes and pads.

`direct_axes` and `transposed_axes` turn a convolution of any rank into one `Axis` for each of its
spatial axes; an error names the axis at fault.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from convt_cli.arithmetic.axis import Axis
from convt_cli.arithmetic.keys import Pair
from convt_cli.errors import GeometryError

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """A window's kernel_size, stride and dilation on every axis; its padding is not known yet."""

    kernel_size: tuple[int, ...]
    stride: tuple[int, ...]
    dilation: tuple[int, ...]

    @classmethod
    def of(cls, axes: Sequence[Axis]) -> Window:
        """The window that `axes` have."""
        return cls(
            kernel_size=tuple(axis.kernel_size for axis in axes),
            stride=tuple(axis.stride for axis in axes),
            dilation=tuple(axis.dilation for axis in axes),
        )


def direct_axes(
    sizes: tuple[int, ...],
    window: Window,
    pairs: tuple[Pair, ...],
    output_sizes: tuple[int, ...] | None = None,
) -> tuple[Axis, ...]:
    """The axes of a direct convolution on an input of `sizes`, padded by `pairs`.

    `output_sizes`, where given, keeps the first outputs alone.
    """
    return each_axis(
        len(sizes),
        lambda n: Axis.conv(
            input_size=sizes[n],
            kernel_size=window.kernel_size[n],
            stride=window.stride[n],
            before=pairs[n][0],
            after=pairs[n][1],
            dilation=window.dilation[n],
            output_size=None if output_sizes is None else output_sizes[n],
        ),
    )


def transposed_axes(
    sizes: tuple[int, ...], window: Window, pairs: tuple[Pair, ...], extras: tuple[int, ...]
) -> tuple[Axis, ...]:
    """The axes whose Cᵀ acts on an input of `sizes`; `extras` are the output_paddings."""
    return each_axis(
        len(sizes),
        lambda n: Axis.conv_transpose(
            input_size=sizes[n],
            kernel_size=window.kernel_size[n],
            stride=window.stride[n],
            before=pairs[n][0],
            after=pairs[n][1],
            dilation=window.dilation[n],
            output_padding=extras[n],
        ),
    )


def each_axis(rank: int, make: Callable[[int], _T]) -> tuple[_T, ...]:
    """(make(0), make(1), ..., make(rank - 1)); a GeometryError is raised with its axis's number."""
    axes = []
    for number in range(rank):
        try:
            axes.append(make(number))
        except GeometryError as error:
            raise error.on_axis(number) from None
    return tuple(axes)
