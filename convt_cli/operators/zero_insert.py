"""Cᵀ y as an ordinary convolution: y padded inside with the stride, outside with the kernel.

Cᵀ is a direct convolution with stride 1 and the same dilation, over y with stride - 1 zeros
between its elements, by the kernel flipped on every spatial axis and with its channels
exchanged.  Its padding is dilation * (kernel_size - 1) - before in front and the same with
`after`, plus output_padding, behind; negative padding crops.

Source: Dumoulin and Visin, relationships 8 to 14; for dilation, the one relation.
"""

from __future__ import annotations

from math import prod

import numpy as np

from convt_cli.arithmetic.convolution import Convolution
from convt_cli.errors import RequestError, shape_text
from convt_cli.io import memory
from convt_cli.operators.dtypes import Array
from convt_cli.operators.kernels.views import transposed_weight
from convt_cli.operators.matrix_free import apply_forward


def apply_transpose_by_zero_insertion(convolution: Convolution, weight: Array, y: Array) -> Array:
    """Cᵀ y: (batch, out_channels, *output sizes) to (batch, in_channels, *input sizes).

    Both arrays have the working dtype.  Raises RequestError (E503) unless padding_mode is zeros.
    """
    if convolution.padding_mode != "zeros":
        raise RequestError(
            "E503",
            "zero insertion speaks of zero padding only",
            value=f"the layer has padding_mode {convolution.padding_mode}",
            help="use the method matrix or direct",
        )
    shape = (*y.shape[:2], *(axis.stretched_size for axis in convolution.axes))
    memory.require(
        prod(shape) * y.itemsize, f"the stretched {shape_text(shape)}", help="use the method direct"
    )
    kernel = transposed_weight(weight, convolution.groups)
    # (batch, out_channels, *(size - 1) * stride + 1)
    stretched = np.zeros(shape, y.dtype)
    stretched[:, :, *(slice(None, None, axis.stride) for axis in convolution.axes)] = y
    return apply_forward(convolution.zero_inserted(), kernel, stretched)
