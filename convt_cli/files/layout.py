"""How an array in a file becomes the batch a convolution takes, and how its result goes back.

Accepted are (channels, *spatial), the same with a batch axis in front, and a flat array; with
`channels_last` the channels stand behind the spatial axes.  A text file may leave out a single
channel's axis.  The result comes back in the form in which the array came.
"""

from __future__ import annotations

from math import prod
from typing import NamedTuple

import numpy as np

from convt_cli.arithmetic.convolution import Shape
from convt_cli.errors import ArrayError, shape_text
from convt_cli.operators.dtypes import Array


class Form(NamedTuple):
    """How an array came."""

    channels_last: bool
    batched: bool = False
    flat: bool = False
    bare: bool = False
    """One channel, whose axis was left out."""
    row: bool = False
    """One spatial axis, which was written as a row."""


def arrange(array: Array, expected: Shape, layout: str, *, text: bool) -> tuple[Array, Form]:
    """`array` as (batch, channels, *spatial) of the `expected` (channels, *spatial), and its form.

    Raises ArrayError (E301).
    """
    last = layout == "channels_last"
    outside = (*expected[1:], expected[0]) if last else expected
    if text and expected[0] == 1:
        bare = _bare(array, expected)
        if bare is not None:
            row = len(expected) == 2 and array.shape[0] == 1
            return bare, Form(last, bare=True, row=row)
    if array.shape == outside:
        return _channels_first(array[np.newaxis], last), Form(last)
    if array.ndim == len(outside) + 1 and array.shape[1:] == outside and len(array):
        return _channels_first(array, last), Form(last, batched=True)
    if array.ndim == 1 and array.size == prod(expected):
        return _channels_first(array.reshape(1, *outside), last), Form(last, flat=True)
    raise ArrayError(
        "E301",
        f"the array must be {shape_text(outside)}, with or without a batch axis, or flat",
        value=f"got {shape_text(array.shape)}",
        help="check --layout and --forward, and the sizes with `convt shapes`",
    )


def give_back(batch: Array, form: Form, *, text: bool) -> Array:
    """(batch, channels, *spatial) in the form in which its source came.

    A single channel's axis is left out for a text file, or where the source left it out.
    """
    result: Array = np.moveaxis(batch, 1, -1) if form.channels_last else batch
    if form.flat:
        return result.ravel()
    if (form.bare or text) and batch.shape[1] == 1:
        result = batch[:, 0]
    if form.row and result.ndim == 2:
        return result
    return result if form.batched else result[(0,)]


def _bare(array: Array, expected: Shape) -> Array | None:
    """The rows and columns of a text file as one channel of rank 1 or 2."""
    sizes = expected[1:]
    is_line = len(sizes) == 1 and array.size == sizes[0] and 1 in array.shape
    return array.reshape(1, *expected) if is_line or array.shape == sizes else None


def _channels_first(batch: Array, last: bool) -> Array:
    return np.moveaxis(batch, -1, 1) if last else batch
