"""C x and Cᵀ y without the matrix: one matrix product, and a gather or scatter tap by tap.

For one tap (t_1, ..., t_r) the one relation joins a range of outputs to a range of inputs with
step `stride`, so both are slices.  C x gathers the input slices of all taps into columns and
multiplies by the weight; Cᵀ y multiplies first and adds each tap's product onto its slice.  The
columns of as many taps as fit into `_COLUMN_BYTES` are held at a time.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from math import prod

import numpy as np

from convt_cli.arithmetic.convolution import Convolution
from convt_cli.operators.dtypes import Array
from convt_cli.operators.folded import pad, pad_transpose, without_padding

_COLUMN_BYTES = 64 * 2**20

_Place = tuple[tuple[slice, ...], tuple[slice, ...]]
"""The outputs that a tap reaches, and the inputs that it reads there."""


def apply_forward(convolution: Convolution, weight: Array, x: Array) -> Array:
    """C x: (batch, in_channels, *input sizes) to (batch, out_channels, *output sizes).

    Both arrays have the working dtype.
    """
    if convolution.padding_mode != "zeros":
        return apply_forward(without_padding(convolution), weight, pad(convolution, x))
    y = np.zeros((len(x), *convolution.output_shape), x.dtype)
    # A zero of the padding times inf is nan: then multiply only where the input exists.
    add_product = _add_gathered if np.isfinite(weight).all() else _add_tap_by_tap
    for kernel, places in _tap_chunks(convolution, weight):
        for item, target in zip(x, y, strict=True):
            add_product(kernel, places, item, target)
    return y


def apply_transpose(convolution: Convolution, weight: Array, y: Array) -> Array:
    """Cᵀ y: (batch, out_channels, *output sizes) to (batch, in_channels, *input sizes).

    Both arrays have the working dtype.
    """
    if convolution.padding_mode != "zeros":
        padded = apply_transpose(without_padding(convolution), weight, y)
        return pad_transpose(convolution, padded)
    x = np.zeros((len(y), *convolution.input_shape), y.dtype)
    for kernel, places in _tap_chunks(convolution, weight):
        for item, target in zip(y, x, strict=True):
            _add_scattered(kernel, places, item, target)
    return x


def _add_gathered(kernel: Array, places: list[_Place], x: Array, y: Array) -> None:
    """y += W · columns of x, for the taps of `kernel`."""
    groups, out, _, taps = kernel.shape
    columns = np.zeros((len(x), taps, *y.shape[1:]), x.dtype)
    for number, (outputs, inputs) in enumerate(places):
        columns[:, number][outputs] = x[inputs]
    # (groups, out / groups, in / groups * taps) @ (groups, in / groups * taps, positions)
    flat = y.reshape(groups, out, prod(y.shape[1:]))
    flat += kernel.reshape(groups, out, -1) @ columns.reshape(groups, -1, flat.shape[2])


def _add_tap_by_tap(kernel: Array, places: list[_Place], x: Array, y: Array) -> None:
    """y += W_t x for one tap of `kernel` after the other, on the outputs whose input exists."""
    groups, _, inner, _ = kernel.shape
    for number, (outputs, inputs) in enumerate(places):
        source = x[inputs]
        moved = kernel[..., number] @ source.reshape(groups, inner, prod(source.shape[1:]))
        y[outputs] += moved.reshape(len(y), *source.shape[1:])


def _add_scattered(kernel: Array, places: list[_Place], y: Array, x: Array) -> None:
    """x += the scattered columns Wᵀ · y, for the taps of `kernel`."""
    groups, out, _, taps = kernel.shape
    flat = y.reshape(groups, out, prod(y.shape[1:]))
    # (groups, in / groups * taps, out / groups) @ (groups, out / groups, positions)
    columns = kernel.reshape(groups, out, -1).transpose(0, 2, 1) @ flat
    columns = columns.reshape(len(x), taps, *y.shape[1:])
    for number, (outputs, inputs) in enumerate(places):
        x[inputs] += columns[:, number][outputs]


def _tap_chunks(convolution: Convolution, weight: Array) -> Iterator[tuple[Array, list[_Place]]]:
    """Some taps of the weight, (groups, out / groups, in / groups, taps), and their places."""
    groups = convolution.groups
    taps = weight.reshape(groups, -1, weight.shape[1], prod(weight.shape[2:]))
    places = list(_tap_slices(convolution))
    column = convolution.in_channels * prod(convolution.output_shape[1:]) * weight.itemsize
    step = max(1, _COLUMN_BYTES // max(1, column))
    for start in range(0, len(places), step):
        yield taps[..., start : start + step], places[start : start + step]


def _tap_slices(convolution: Convolution) -> Iterator[_Place]:
    """For every tap in row-major order: the outputs it reaches, and the inputs it reads there.

    Both are indices into (channels, *sizes).
    """
    per_axis = []
    for axis in convolution.axes:
        places = []
        for tap in range(axis.kernel_size):
            first, past = axis.outputs_of_tap(tap)
            start = first * axis.stride + tap * axis.dilation - axis.before
            stop = start + max(0, past - first - 1) * axis.stride + (past > first)
            places.append((slice(first, past), slice(start, stop, axis.stride)))
        per_axis.append(places)
    for combination in product(*per_axis):
        outputs, inputs = (tuple(pair[side] for pair in combination) for side in (0, 1))
        yield (slice(None), *outputs), (slice(None), *inputs)
