"""C of any convolution as a SciPy LinearOperator on real vectors, prepared once.

`ConvOperator` is the same for Python callers.  This one computes in float64 alone, and keeps what
the kernels prepare from the weight, as an iteration applies it hundreds of times.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.sparse.linalg import LinearOperator

from convt_cli.arithmetic.convolution import Convolution
from convt_cli.errors import ArrayError
from convt_cli.operators.dtypes import Array
from convt_cli.operators.matrix_free import MatrixFree
from convt_cli.operators.padding import pad, pad_transpose, without_padding


class LinearMap(LinearOperator):
    """C as an operator of shape (rows, columns), in float64; `.T` is Cᵀ.

    `weight` is real, (out_channels, in_channels // groups, *kernel_size).
    """

    def __init__(self, convolution: Convolution, weight: Array) -> None:
        self._convolution = convolution
        self._folds = convolution.padding_mode != "zeros"
        padded = without_padding(convolution) if self._folds else convolution
        self._shapes = padded.input_shape, padded.output_shape
        self._down = MatrixFree(padded, weight, forward=True)
        self._up = MatrixFree(padded, weight, forward=False)
        shape = convolution.matrix_shape
        super().__init__(np.float64, shape)  # type: ignore[call-arg]  # the stubs know __new__ alone

    def _matvec(self, vector: Any) -> Array:
        x = np.reshape(vector, (1, *self._convolution.input_shape))
        padded = pad(self._convolution, x) if self._folds else x
        return self._down.filled(padded, np.empty((1, *self._shapes[1]))).ravel()

    def _rmatvec(self, vector: Any) -> Array:
        y = np.reshape(vector, (1, *self._shapes[1]))
        padded = self._up.filled(y, np.empty((1, *self._shapes[0])))
        return (pad_transpose(self._convolution, padded) if self._folds else padded).ravel()


def linear_map(convolution: Convolution, weight: Array) -> LinearOperator:
    """The own action A of a convolution in float64: C, or Cᵀ where it is `adjoint`."""
    matrix = LinearMap(convolution, weight)
    action, _ = convolution.as_the_layer((matrix, matrix.T))
    return action


def real(array: Array, what: str) -> Array:
    """`array` in float64.  Raises ArrayError (E302) unless it holds finite real numbers."""
    if array.dtype.kind == "c":
        raise ArrayError(
            "E302",
            f"{what} must hold real numbers",
            value=f"got dtype {array.dtype}",
            help="take its real and its imaginary part one by one",
        )
    numbers = array.astype(np.float64, copy=False)
    if not np.isfinite(numbers).all():
        count = int(np.count_nonzero(~np.isfinite(numbers)))
        raise ArrayError(
            "E302",
            f"{what} must hold finite numbers",
            value=f"{count:,} of {numbers.size:,} are nan or inf",
            help="replace them, or leave them out",
        )
    return numbers
