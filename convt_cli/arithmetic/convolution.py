"""The direct convolution whose matrix is C: channels, groups and one `Axis` per spatial axis.

`direct_axes` and `transposed_axes` make the axes of any rank; an error names the axis at fault.
`adjoint` is true where the layer applies Cᵀ, and false where it applies C.  Shapes are row-major:
C's rows are (out_channels, *output sizes), its columns (in_channels, *input sizes).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import TypeVar

from convt_cli.arithmetic.axis import Axis
from convt_cli.arithmetic.keys import Pair
from convt_cli.arithmetic.padding_modes import check_fold, folded_entries
from convt_cli.arithmetic.stencil import Stencil, each_axis
from convt_cli.errors import GeometryError

Shape = tuple[int, ...]
"""The sizes of an array's axes, or one number for each of some axes."""

_T = TypeVar("_T")

_INT32_MAX = 2**31 - 1
"""The largest index of a sparse matrix that 4 bytes hold."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Convolution:
    """A direct convolution of rank len(axes); `adjoint` says that the layer applies Cᵀ."""

    out_channels: int
    in_channels: int
    axes: tuple[Axis, ...]
    groups: int = 1
    padding_mode: str = "zeros"
    adjoint: bool = False

    def __post_init__(self) -> None:
        channels = (self.in_channels, self.out_channels)
        for field, count in zip(("in_channels", "out_channels"), self.as_the_layer(channels)):
            if count % self.groups:
                raise GeometryError(
                    "E111",
                    f"groups must divide {field}",
                    field="groups",
                    value=f"got groups {self.groups} with {field} {count}",
                    help="use a common divisor of both channel counts",
                )
        each_axis(lambda axis: check_fold(axis, self.padding_mode), self.axes)

    @property
    def kernel_size(self) -> Shape:
        return tuple(axis.kernel_size for axis in self.axes)

    @property
    def weight_shape(self) -> Shape:
        """(out_channels, in_channels // groups, *kernel_size), for conv and conv_transpose."""
        return (self.out_channels, self.in_channels // self.groups, *self.kernel_size)

    @property
    def input_shape(self) -> Shape:
        """(in_channels, *input sizes): what C's columns run over."""
        return (self.in_channels, *(axis.input_size for axis in self.axes))

    @property
    def output_shape(self) -> Shape:
        """(out_channels, *output sizes): what C's rows run over."""
        return (self.out_channels, *(axis.output_size for axis in self.axes))

    @property
    def action_shapes(self) -> tuple[Shape, Shape]:
        """(input, output) shape of the layer's own action."""
        return self.as_the_layer((self.input_shape, self.output_shape))

    def as_the_layer(self, both: tuple[_T, _T]) -> tuple[_T, _T]:
        """C's (input, output) pair of anything, in the layer's own order: exchanged for Cᵀ."""
        return (both[1], both[0]) if self.adjoint else both

    @property
    def matrix_shape(self) -> tuple[int, int]:
        """(rows, columns) of C."""
        return prod(self.output_shape), prod(self.input_shape)

    @property
    def nnz(self) -> int:
        """The number of stored entries of C: channels times a product over the axes."""
        return self.out_channels * self.weight_shape[1] * prod(self._axis_entries())

    def _axis_entries(self) -> list[int]:
        if self.padding_mode == "zeros":
            return [axis.entries() for axis in self.axes]
        return [folded_entries(axis, self.padding_mode) for axis in self.axes]

    def zero_inserted(self) -> Convolution:
        """The direct convolution over the stretched output that equals Cᵀ (padding zeros only)."""
        return Convolution(
            out_channels=self.in_channels,
            in_channels=self.out_channels,
            groups=self.groups,
            axes=tuple(axis.zero_inserted() for axis in self.axes),
        )

    @property
    def multiply_adds(self) -> int:
        """C's output positions times the elements of its weight; taps on padding count too."""
        return prod(axis.output_size for axis in self.axes) * prod(self.weight_shape)

    @property
    def index_dtype(self) -> str:
        """'int32' where every index and the number of entries fit, else 'int64'."""
        return "int32" if max(*self.matrix_shape, self.nnz) <= _INT32_MAX else "int64"

    def matrix_bytes(self, itemsize: int, *, transpose: bool = False) -> int:
        """Bytes of C, or Cᵀ, in CSR: data, column indices and row pointers."""
        index = 4 if self.index_dtype == "int32" else 8
        rows, columns = self.matrix_shape
        pointers = (columns if transpose else rows) + 1
        return self.nnz * (itemsize + index) + pointers * index


def direct_axes(
    sizes: Sequence[int],
    stencils: Sequence[Stencil],
    pairs: Sequence[Pair],
    output_sizes: Sequence[int] | None = None,
) -> tuple[Axis, ...]:
    """The axes of a direct convolution on an input of `sizes`, padded by `pairs`.

    `output_sizes`, where given, keeps the first outputs alone.
    """
    kept = [None] * len(sizes) if output_sizes is None else output_sizes
    return each_axis(_direct_axis, sizes, stencils, pairs, kept)


def _direct_axis(size: int, stencil: Stencil, pair: Pair, output_size: int | None) -> Axis:
    return Axis.conv(
        input_size=size,
        kernel_size=stencil.kernel_size,
        stride=stencil.stride,
        before=pair[0],
        after=pair[1],
        dilation=stencil.dilation,
        output_size=output_size,
    )


def transposed_axes(
    sizes: Sequence[int],
    stencils: Sequence[Stencil],
    pairs: Sequence[Pair],
    extras: Sequence[int],
) -> tuple[Axis, ...]:
    """The axes whose Cᵀ acts on an input of `sizes`; `extras` are the output_paddings."""
    return each_axis(_transposed_axis, sizes, stencils, pairs, extras)


def _transposed_axis(size: int, stencil: Stencil, pair: Pair, extra: int) -> Axis:
    return Axis.conv_transpose(
        input_size=size,
        kernel_size=stencil.kernel_size,
        stride=stencil.stride,
        before=pair[0],
        after=pair[1],
        dilation=stencil.dilation,
        output_padding=extra,
    )
