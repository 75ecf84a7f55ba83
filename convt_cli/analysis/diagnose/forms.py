"""Arrays in the forms that tools keep them in, as (batch, channels, *spatial).

Axes of length 1 may be missing or added, and a flat array is taken row by row.
"""

from __future__ import annotations

from math import prod

import numpy as np

from convt_cli.arithmetic.convolution import Shape
from convt_cli.arithmetic.vocabulary import LAYOUTS
from convt_cli.files.layout import arrange
from convt_cli.operators.dtypes import Array


def batch_of(x: Array, shape: Shape, layout: str) -> Array:
    """x as (batch, *shape).  Raises ArrayError (E301)."""
    if _without_ones(x.shape) == _without_ones(shape) and layout == LAYOUTS[0]:
        return x.reshape(1, *shape)
    return arrange(x, shape, layout, text=False)[0]


def as_output(got: Array, expected: Shape, layout: str) -> Array:
    """`got` as an array of the `expected` shape where only axes of length 1 tell them apart.

    Any other keeps its shape, a batch axis added where the number of axes asks for one.
    """
    got = _channels_first(got, len(expected), layout)
    is_flat = got.ndim == 1 and got.size == prod(expected)
    if is_flat or _without_ones(got.shape) == _without_ones(expected):
        return got.reshape(expected)
    return got[np.newaxis] if expected[0] == 1 and got.ndim == len(expected) - 1 else got


def _channels_first(got: Array, count: int, layout: str) -> Array:
    """`got`, of `count` axes or one fewer, with its channels in front where they are last."""
    if layout == LAYOUTS[0] or count < 3 or got.ndim not in (count, count - 1):
        return got
    return np.moveaxis(got, -1, got.ndim - count + 1)


def _without_ones(shape: Shape) -> Shape:
    return tuple(size for size in shape if size != 1)
