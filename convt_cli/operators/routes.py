"""The routes, ways to apply C and Cᵀ, by the names in `vocabulary.METHODS`; one result by all.

The method `direct` is `matrix_free`: without the matrix, and nothing else.
"""

from __future__ import annotations

from convt_cli.arithmetic.convolution import Convolution
from convt_cli.errors import RequestError
from convt_cli.operators.dtypes import Array
from convt_cli.operators.matrix.build import build_matrix
from convt_cli.operators.matrix_free import Route, apply_forward, apply_transpose
from convt_cli.operators.zero_insert import apply_transpose_by_zero_insertion


def _forward_by_matrix(convolution: Convolution, weight: Array, x: Array) -> Array:
    """C x, (batch, in_channels, *input sizes) to (batch, out_channels, *output sizes)."""
    matrix = build_matrix(convolution, weight)
    # (rows, columns) @ (columns, batch)
    columns = matrix @ x.reshape(len(x), matrix.shape[1]).T
    return columns.T.reshape(len(x), *convolution.output_shape)


def _transpose_by_matrix(convolution: Convolution, weight: Array, y: Array) -> Array:
    """Cᵀ y, (batch, out_channels, *output sizes) to (batch, in_channels, *input sizes)."""
    matrix = build_matrix(convolution, weight)
    # (columns, rows) @ (rows, batch)
    columns = matrix.T @ y.reshape(len(y), matrix.shape[0]).T
    return columns.T.reshape(len(y), *convolution.input_shape)


FORWARD: dict[str, Route] = {
    "auto": apply_forward,
    "direct": apply_forward,
    "matrix": _forward_by_matrix,
}
TRANSPOSE: dict[str, Route] = {
    "auto": apply_transpose,
    "direct": apply_transpose,
    "matrix": _transpose_by_matrix,
    "zero-insert": apply_transpose_by_zero_insertion,
}


def route(method: str, *, forward: bool) -> Route:
    """The function that applies C (`forward`) or Cᵀ.  Raises RequestError (E503)."""
    routes = FORWARD if forward else TRANSPOSE
    if method not in routes:
        raise RequestError(
            "E503",
            f"the method {method} applies Cᵀ only",
            value="got --forward",
            help=f"use {', '.join(routes)}",
        )
    return routes[method]
