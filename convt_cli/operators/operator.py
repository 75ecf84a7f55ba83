"""C as a scipy LinearOperator, which holds the weight and never makes the matrix."""

from __future__ import annotations

from dataclasses import replace
from math import prod
from typing import Any, Protocol

import numpy as np
from numpy.typing import ArrayLike
from scipy.sparse.linalg import LinearOperator

# scipy-stubs declare LinearOperator's arguments on __new__ alone, hence the ignored call below.
from convt_cli.arithmetic.convolution import Convolution
from convt_cli.operators.arguments import (
    IntPerAxis,
    PaddingArgument,
    PaddingMode,
    direct_convolution,
)
from convt_cli.operators.dtypes import Array, require_numeric
from convt_cli.operators.functions import apply, require_weight
from convt_cli.operators.matrix_free import apply_forward, apply_transpose


class ConvOperator(LinearOperator):
    """C as a linear operator, shape (out * prod(output sizes), in * prod(input_size)).

    `ConvOperator(...) @ x.ravel()` is conv(x).ravel(); `.T` is the ConvOperator that applies Cᵀ,
    and `.H` applies the conjugate.  Takes vectors and matrices of columns; arguments and errors are
    those of `conv_matrix`.

    `weight` is C's, and `convolution` the direct one; its `adjoint` says that Cᵀ is applied.

    >>> C = ConvOperator([[[1.0, 2.0]]], 3)
    >>> C @ np.array([1, 10, 100]), C.T @ np.array([1, 10])
    (array([ 21., 210.]), array([ 1., 12., 20.]))
    """

    convolution: Convolution
    weight: Array

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
        padding_mode: PaddingMode = "zeros",
    ) -> None:
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
        self._hold(convolution, taps)

    @classmethod
    def of(cls, convolution: Convolution, weight: Array) -> ConvOperator:
        """The own action of a convolution: C, or Cᵀ where it is `adjoint`.

        `weight` is (out_channels, in_channels // groups, *kernel_size).
        """
        operator = object.__new__(cls)
        operator._hold(convolution, weight)
        return operator

    def _hold(self, convolution: Convolution, weight: Array) -> None:
        self.convolution = convolution
        self.weight = weight
        rows, columns = convolution.matrix_shape
        shape = (columns, rows) if convolution.adjoint else (rows, columns)
        super().__init__(weight.dtype, shape)  # type: ignore[call-arg]

    def _transpose(self) -> ConvOperator:
        """The operator of the transpose, which `transpose()` asks for."""
        turned = replace(self.convolution, adjoint=not self.convolution.adjoint)
        return ConvOperator.of(turned, self.weight)

    T = property(_transpose)  # scipy's, which its stubs give another type

    def _matmat(self, columns: Any) -> Array:
        return self._applied(_numbers(columns), transpose=self.convolution.adjoint)

    def _rmatmat(self, columns: Any) -> Array:
        """Aᴴ y = conj(Aᵀ conj(y)), which for real weights is Aᵀ y."""
        conjugate = _numbers(columns).conj()
        return self._applied(conjugate, transpose=not self.convolution.adjoint).conj()

    def _applied(self, columns: Array, *, transpose: bool) -> Array:
        """C, or Cᵀ with `transpose`, times a matrix of columns."""
        convolution, route = self.convolution, apply_transpose if transpose else apply_forward
        shape = convolution.output_shape if transpose else convolution.input_shape
        batch = columns.T.reshape(columns.shape[1], *shape)  # (columns, channels, *spatial)
        result = apply(route, convolution, self.weight, batch, shape)
        return result.reshape(len(batch), prod(result.shape[1:])).T

    def _matvec(self, vector: Any) -> Array:
        return self._matmat(np.reshape(vector, (-1, 1))).ravel()

    def _rmatvec(self, vector: Any) -> Array:
        return self._rmatmat(np.reshape(vector, (-1, 1))).ravel()


def _numbers(columns: Any) -> Array:
    return require_numeric(np.asarray(columns), "the operand")


class HasOperator(Protocol):
    """A layer with a matrix C, such as those of `load_spec`."""

    def require_convolution(self) -> Convolution:
        """The direct convolution; `adjoint` where the layer applies Cᵀ."""
        ...

    def operator(self) -> ConvOperator:
        """C as an operator."""
        ...


def convolution_of(subject: ConvOperator | HasOperator) -> Convolution:
    """The convolution of an operator or a layer.  Raises RequestError for a layer that has none."""
    if isinstance(subject, ConvOperator):
        return subject.convolution
    return subject.require_convolution()


def own_action(subject: ConvOperator | HasOperator) -> ConvOperator:
    """An operator as it is; of a layer its own action: C for conv, Cᵀ for conv_transpose.

    Raises what reading the layer's weight raises.
    """
    if isinstance(subject, ConvOperator):
        return subject
    return ConvOperator.of(subject.require_convolution(), subject.operator().weight)
