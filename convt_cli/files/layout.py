"""The form of an array in a file: read as the batch a convolution takes, and given to its result.

Accepted are (channels, *spatial), the same with a batch axis in front, and a flat array; with
`channels_last` the channels stand behind the spatial axes.  A text file may leave out the axis of a
single channel.  The result is written in the form in which the array came.
"""

from __future__ import annotations

from math import prod
from typing import NamedTuple

import numpy as np

from convt_cli.arithmetic.convolution import Shape
from convt_cli.errors import ArrayError, shape_text
from convt_cli.operators.dtypes import Array


class Form(NamedTuple):
    """The form of an array in a file."""

    channels_last: bool
    batched: bool = False
    flat: bool = False
    """All the numbers on one axis."""
    bare: bool = False
    """One channel, whose axis is left out."""
    row: bool = False
    """One spatial axis, which is a row of the text file, not a column."""


def form_of(shape: Shape, expected: Shape, layout: str | None, *, text: bool) -> Form:
    """The form of an array of `shape` that holds the `expected` (channels, *spatial).

    Without a `layout` the channels come first, and the command has no option to change that.
    Raises ArrayError (E301).
    """
    last = layout == "channels_last"
    outside = _outside(expected, last)
    if text and expected[0] == 1 and _is_bare(shape, expected[1:]):
        return Form(last, bare=True, row=len(expected) == 2 and shape[0] == 1)
    if shape == outside:
        return Form(last)
    if len(shape) == len(outside) + 1 and shape[1:] == outside and shape[0]:
        return Form(last, batched=True)
    if shape == (prod(expected),):
        return Form(last, flat=True)
    raise ArrayError(
        "E301",
        f"the array must be {shape_text(outside)}, with or without a batch axis, or flat",
        value=f"got {shape_text(shape)}",
        help=_other_layout(shape, expected, layout)
        or "check the direction, the order of the axes, and the sizes with `convt shapes`",
    )


def _other_layout(shape: Shape, expected: Shape, layout: str | None) -> str:
    """The remedy for an array whose channels stand on the other side; "" where they do not."""
    last = layout == "channels_last"
    if _outside(expected, not last) not in (shape, shape[1:]):
        return ""
    if layout is None:
        return f"its channels come last: numpy.moveaxis(x, -1, {-len(expected)}) puts them first"
    place, option = ("first", "channels_first") if last else ("last", "channels_last")
    return f"its channels come {place}: pass --layout {option}"


def arrange(array: Array, expected: Shape, layout: str | None, *, text: bool) -> tuple[Array, Form]:
    """`array` as (batch, channels, *spatial) of the `expected` (channels, *spatial), and its form.

    Raises ArrayError (E301).
    """
    form = form_of(array.shape, expected, layout, text=text)
    if form.bare:
        return array.reshape(1, *expected), form
    batch = array.reshape(-1, *_outside(expected, form.channels_last))
    return np.moveaxis(batch, -1, 1) if form.channels_last else batch, form


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


def shape_in_file(form: Form, batch: int, shape: Shape) -> Shape:
    """The shape in a binary file of `batch` arrays of `shape`, (channels, *spatial)."""
    if form.flat:
        return (prod(shape),)
    outside = _outside(shape, form.channels_last)
    return (batch, *outside) if form.batched else outside


def axes_in_file(form: Form, rank: int, *, fortran: bool) -> tuple[int, ...]:
    """The axes (batch, channels, *spatial), of `rank` spatial ones, in a file's order.

    >>> axes_in_file(Form(channels_last=True), 2, fortran=False)
    (0, 2, 3, 1)
    """
    axes = (0, *_outside(tuple(range(1, rank + 2)), form.channels_last))
    return axes[::-1] if fortran and not form.flat else axes


def _outside(shape: Shape, last: bool) -> Shape:
    """The axes (channels, *spatial) in the order in which a file of this layout has them."""
    return (*shape[1:], shape[0]) if last else shape


def _is_bare(shape: Shape, sizes: Shape) -> bool:
    """Whether the (rows, columns) of a text file are one channel with these spatial `sizes`."""
    is_line = len(sizes) == 1 and prod(shape) == sizes[0] and 1 in shape
    return is_line or shape == sizes
