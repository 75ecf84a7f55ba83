"""C as a scipy LinearOperator, which holds the weight and never makes the matrix."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy.sparse.linalg import LinearOperator

# scipy-stubs declare LinearOperator's arguments on __new__ alone, hence the ignored call below.
from convt_cli.operators.arguments import IntPerAxis, PaddingArgument, direct_convolution
from convt_cli.operators.dtypes import Array, require_numeric
from convt_cli.operators.functions import apply, require_weight
from convt_cli.operators.matrix_free import apply_forward, apply_transpose


class ConvOperator(LinearOperator):
    """C as a linear operator, shape (out * prod(output sizes), in * prod(input_size)).

    `ConvOperator(...) @ x.ravel()` is conv(x).ravel(); `.T` applies Cᵀ and `.H` its conjugate.
    Takes vectors and matrices of columns; arguments and errors are those of `conv_matrix`.

    >>> C = ConvOperator([[[1.0, 2.0]]], 3)
    >>> C @ np.array([1, 10, 100]), C.T @ np.array([1, 10])
    (array([ 21., 210.]), array([ 1., 12., 20.]))
    """

    def __init__(
        self,
        weight: ArrayLike,
        input_size: IntPerAxis,
        *,
        stride: IntPerAxis = 1,
        padding: PaddingArgument = 0,
        dilation: IntPerAxis = 1,
        groups: int = 1,
        output_size: IntPerAxis | None = None,
    ) -> None:
        self.weight = require_weight(weight)
        self.convolution = direct_convolution(
            self.weight.shape,
            input_size,
            stride=stride,
            padding=padding,
            dilation=dilation,
            groups=groups,
            output_size=output_size,
        )
        super().__init__(self.weight.dtype, self.convolution.matrix_shape)  # type: ignore[call-arg]

    def _matmat(self, columns: Any) -> Array:
        shape = self.convolution.input_shape
        rows = require_numeric(np.asarray(columns), "x").T
        batch = rows.reshape(len(rows), *shape)
        result = apply(apply_forward, self.convolution, self.weight, batch, shape)
        return result.reshape(len(rows), self.shape[0]).T

    def _rmatmat(self, columns: Any) -> Array:
        """Cᴴ y = conj(Cᵀ conj(y)), which for real weights is Cᵀ y."""
        shape = self.convolution.output_shape
        rows = require_numeric(np.asarray(columns), "y").conj().T
        batch = rows.reshape(len(rows), *shape)
        result = apply(apply_transpose, self.convolution, self.weight, batch, shape)
        return result.conj().reshape(len(rows), self.shape[1]).T

    def _matvec(self, vector: Any) -> Array:
        return self._matmat(np.reshape(vector, (-1, 1))).ravel()

    def _rmatvec(self, vector: Any) -> Array:
        return self._rmatmat(np.reshape(vector, (-1, 1))).ravel()
