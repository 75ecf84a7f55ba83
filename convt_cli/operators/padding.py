"""circular, reflect and replicate padding on arrays, and its transpose.

C = D F, where F copies the input into its padding and D is the convolution of the padded input
without padding; so Cᵀ = Fᵀ Dᵀ, and Fᵀ adds the padding back onto where it was read from.
"""

from __future__ import annotations

from dataclasses import replace
from math import prod

import numpy as np

from convt_cli.arithmetic.axis import Axis
from convt_cli.arithmetic.convolution import Convolution
from convt_cli.arithmetic.padding_modes import FOLDS
from convt_cli.errors import shape_text
from convt_cli.io import memory
from convt_cli.operators.dtypes import Array


def without_padding(convolution: Convolution) -> Convolution:
    """D: the same convolution over the padded input, with no padding of its own.

    Raises RequestError (E501) where the padded input does not fit into memory.
    """
    axes = tuple(
        replace(axis, input_size=axis.input_size + axis.before + axis.after, before=0, after=0)
        for axis in convolution.axes
    )
    padded = replace(convolution, axes=axes, padding_mode="zeros")
    memory.require(
        16 * prod(padded.input_shape),
        f"the padded input {shape_text(padded.input_shape)}",
        help="use less padding",
    )
    return padded


def folded_positions(axis: Axis, mode: str) -> Array:
    """(padded size,) the input position that each position of the padded axis is a copy of."""
    positions: Array = np.arange(-axis.before, axis.input_size + axis.after)
    folded: Array = FOLDS[mode](positions, axis.input_size)
    return folded


def input_columns(convolution: Convolution) -> Array:
    """(columns of D,) the column of C that each is folded onto, in C's index dtype."""
    # (channels,), then with every axis (... * padded size,)
    columns: Array = np.arange(convolution.in_channels)
    for axis in convolution.axes:
        folded = folded_positions(axis, convolution.padding_mode)
        columns = np.add.outer(columns * axis.input_size, folded).ravel()
    return columns.astype(convolution.index_dtype)


def pad(convolution: Convolution, x: Array) -> Array:
    """F x: (batch, channels, *sizes) to (batch, channels, *padded sizes)."""
    for number, axis in enumerate(convolution.axes):
        x = np.take(x, folded_positions(axis, convolution.padding_mode), axis=2 + number)
    return x


def pad_transpose(convolution: Convolution, padded: Array) -> Array:
    """Fᵀ padded: (batch, channels, *padded sizes) to (batch, channels, *sizes)."""
    fold = FOLDS[convolution.padding_mode]
    for number, axis in enumerate(convolution.axes):
        # (padded size, ...) and (size, ...): the axis in front
        moved = np.moveaxis(padded, 2 + number, 0)
        total = moved[axis.before : axis.before + axis.input_size].copy()
        outside = [*range(-axis.before, 0), *range(axis.input_size, axis.input_size + axis.after)]
        for position in outside:
            total[fold(position, axis.input_size)] += moved[position + axis.before]
        padded = np.moveaxis(total, 0, 2 + number)
    return padded
