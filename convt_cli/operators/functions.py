"""conv_matrix, conv and conv_transpose as Python functions, with PyTorch's argument names.

Arrays are ([batch], channels, *spatial); `weight` is (out_channels, in_channels // groups,
*kernel_size) of the *direct* convolution, which for `conv_transpose` reads (in_channels,
out_channels // groups, *kernel_size), as in PyTorch.  `padding` is an int, one int per axis, one
(before, after) pair per axis, or a word that a spec knows: "valid", "half", "full" or "causal"; and
"same" as PyTorch has it, with stride 1 and not for `conv_transpose`.  `padding_mode` is "zeros",
"circular", "reflect" or "replicate".
"""

from __future__ import annotations

from math import prod

import numpy as np
from numpy.typing import ArrayLike
from scipy.sparse import csr_array

from convt_cli.arithmetic.convolution import Convolution
from convt_cli.errors import ArrayError, shape_text
from convt_cli.io import memory
from convt_cli.operators.arguments import (
    IntPerAxis,
    PaddingArgument,
    PaddingMode,
    direct_convolution,
    transposed_convolution,
)
from convt_cli.operators.dtypes import (
    Array,
    as_array,
    finish,
    result_dtype,
    working_dtype,
)
from convt_cli.operators.matrix.build import build_matrix
from convt_cli.operators.matrix_free import Route, apply_forward, apply_transpose


def conv_matrix(
    weight: ArrayLike,
    input_size: IntPerAxis,
    *,
    stride: IntPerAxis = 1,
    padding: PaddingArgument = 0,
    dilation: IntPerAxis = 1,
    groups: int = 1,
    output_size: IntPerAxis | None = None,
    padding_mode: PaddingMode = "zeros",
) -> csr_array:
    """C, the sparse matrix with conv(x).ravel() = C @ x.ravel().

    C has shape (out_channels * prod(output sizes), in_channels * prod(input_size)) and the
    weight's dtype; its indices are int32 where they fit.  `output_size` keeps the first
    positions per axis.  Raises GeometryError for sizes no convolution has, ArrayError for a
    dtype without a sparse matrix, RequestError when C does not fit into memory.

    >>> conv_matrix([[[1, 2]]], 3).toarray()
    array([[1, 2, 0],
           [0, 1, 2]])
    >>> conv_matrix([[[1, 2]]], 3, padding="same", padding_mode="replicate").toarray()
    array([[1, 2, 0],
           [0, 1, 2],
           [0, 0, 3]])
    """
    taps = require_weight(weight)
    convolution = direct_convolution(
        taps.shape,
        input_size,
        stride=stride,
        padding=padding,
        dilation=dilation,
        groups=groups,
        output_size=output_size,
        padding_mode=padding_mode,
    )
    return build_matrix(convolution, taps)


def conv(
    x: ArrayLike,
    weight: ArrayLike,
    *,
    stride: IntPerAxis = 1,
    padding: PaddingArgument = 0,
    dilation: IntPerAxis = 1,
    groups: int = 1,
    padding_mode: PaddingMode = "zeros",
) -> Array:
    """C x: the convolution (cross-correlation) of x, ([batch], in_channels, *spatial).

    The result is ([batch], out_channels, *output sizes) of dtype np.result_type(x, weight).
    Raises GeometryError and ArrayError.

    >>> conv([[1, 10, 100]], [[[1, 2]]])
    array([[ 21, 210]])
    >>> conv([[1, 10, 100]], [[[1, 2]]], padding="causal", padding_mode="circular")
    array([[102,  21, 210]])
    """
    taps, source = require_weight(weight), as_array(x, "x")
    _require_rank(source, taps)
    convolution = direct_convolution(
        taps.shape,
        source.shape[2 - taps.ndim :],
        stride=stride,
        padding=padding,
        dilation=dilation,
        groups=groups,
        padding_mode=padding_mode,
    )
    return apply(apply_forward, convolution, taps, source, convolution.input_shape)


def conv_transpose(
    y: ArrayLike,
    weight: ArrayLike,
    *,
    stride: IntPerAxis = 1,
    padding: PaddingArgument = 0,
    output_padding: IntPerAxis = 0,
    dilation: IntPerAxis = 1,
    groups: int = 1,
) -> Array:
    """Cᵀ y: the transposed convolution of y, ([batch], in_channels, *spatial).

    The result has (size - 1) * stride + dilation * (kernel_size - 1) + 1 - padding +
    output_padding elements per axis and dtype np.result_type(y, weight).  Raises GeometryError
    and ArrayError.

    >>> conv_transpose([[1, 10]], [[[1, 2, 3]]], stride=2)
    array([[ 1,  2, 13, 20, 30]])
    >>> conv_transpose([[1, 10]], [[[1, 2, 3]]], stride=2, padding="half")
    array([[ 2, 13, 20]])
    """
    taps, source = require_weight(weight), as_array(y, "y")
    _require_rank(source, taps)
    convolution = transposed_convolution(
        taps.shape,
        source.shape[2 - taps.ndim :],
        stride=stride,
        padding=padding,
        output_padding=output_padding,
        dilation=dilation,
        groups=groups,
    )
    return apply(apply_transpose, convolution, taps, source, convolution.output_shape)


def apply(
    route: Route,
    convolution: Convolution,
    weight: Array,
    source: Array,
    expected: tuple[int, ...],
) -> Array:
    """`route` on `source`, ([batch], *expected), as dtype np.result_type(source, weight).

    Raises ArrayError (E301) for another shape, RequestError (E501) for want of memory.
    """
    if source.shape[-len(expected) :] != expected or source.ndim > len(expected) + 1:
        raise ArrayError(
            "E301",
            f"the array must be {shape_text(expected)}, with or without a batch axis",
            value=f"got {shape_text(source.shape)}",
            help=f"if its channels come last: numpy.moveaxis(x, -1, {-len(expected)})"
            if source.shape[-1:] == expected[:1]
            else "check its channels and sizes against those of the weight",
        )
    batch = source if source.ndim > len(expected) else source[np.newaxis]
    working = working_dtype(source, weight, most_products(convolution))
    sizes = convolution.input_shape, convolution.output_shape
    total = sum(prod(shape) for shape in sizes) * len(batch)
    memory.require(
        total * working.itemsize,
        f"applying it to {len(batch)} x {shape_text(expected)}",
        help="split the batch",
    )
    with np.errstate(all="ignore"):  # inf and nan are numbers, here as in IEEE 754
        result = route(
            convolution, weight.astype(working, copy=False), batch.astype(working, copy=False)
        )
        finished = finish(result, result_dtype(source, weight))
    return finished if batch is source else finished[0]


def most_products(convolution: Convolution) -> int:
    """A bound on the number of products that C or Cᵀ adds up in one element.

    That is one for each element of the weight.  Where the padding repeats the input, each can be
    added once more for every position of the padding.
    """
    products = prod(convolution.weight_shape)
    if convolution.padding_mode == "zeros":
        return products
    return products * prod(1 + axis.before + axis.after for axis in convolution.axes)


def require_weight(weight: ArrayLike) -> Array:
    """`weight` as an array of rank 1 to 3.  Raises ArrayError (E301, E302)."""
    taps = as_array(weight, "the weight")
    if not 3 <= taps.ndim <= 5 or 0 in taps.shape:
        raise ArrayError(
            "E301",
            "the weight must be (out_channels, in_channels // groups, *kernel_size), rank 1 to 3",
            value=f"got {shape_text(taps.shape)}",
            help="a 3 by 3 kernel between single channels is (1, 1, 3, 3)",
        )
    return taps


def _require_rank(source: Array, weight: Array) -> None:
    rank = weight.ndim - 2
    if source.ndim not in (rank + 1, rank + 2):
        raise ArrayError(
            "E301",
            f"a weight with {rank} spatial axes takes ([batch], channels, *{rank} sizes)",
            value=f"got an array of shape {shape_text(source.shape)}",
            help="add the channel axis, or check the weight's shape",
        )
