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

_Slices = tuple[slice, ...]


def apply_forward(convolution: Convolution, weight: Array, x: Array) -> Array:
    """C x: (batch, in_channels, *input sizes) to (batch, out_channels, *output sizes).

    Both arrays have the working dtype.
    """
    if convolution.padding_mode != "zeros":
        return apply_forward(without_padding(convolution), weight, pad(convolution, x))
    y = np.zeros((len(x), *convolution.output_shape), x.dtype)
    if np.isfinite(weight).all():
        for item, target in zip(x, y, strict=True):
            _gather_product(convolution, weight, item, target)
    else:  # a zero of the padding times inf is nan: multiply only where the input exists
        for item, target in zip(x, y, strict=True):
            _product_by_tap(convolution, weight, item, target)
    return y


def apply_transpose(convolution: Convolution, weight: Array, y: Array) -> Array:
    """Cᵀ y: (batch, out_channels, *output sizes) to (batch, in_channels, *input sizes).

    Both arrays have the working dtype.
    """
    if convolution.padding_mode != "zeros":
        padded = apply_transpose(without_padding(convolution), weight, y)
        return pad_transpose(convolution, padded)
    x = np.zeros((len(y), *convolution.input_shape), y.dtype)
    for item, target in zip(y, x, strict=True):
        _product_scatter(convolution, weight, item, target)
    return x


def _gather_product(convolution: Convolution, weight: Array, x: Array, y: Array) -> None:
    """y += W · columns of x, a few taps at a time."""
    groups = convolution.groups
    flat = y.reshape(groups, -1, prod(y.shape[1:]))  # (groups, out / groups, positions)
    for kernel, places in _tap_chunks(convolution, weight):
        columns = np.zeros((len(x), len(places), *y.shape[1:]), x.dtype)
        for number, (outputs, inputs) in enumerate(places):
            columns[:, number][outputs] = x[inputs]
        # (groups, out / groups, in / groups * taps) @ (groups, in / groups * taps, positions)
        flat += kernel @ columns.reshape(groups, kernel.shape[2], -1)


def _product_by_tap(convolution: Convolution, weight: Array, x: Array, y: Array) -> None:
    """y += W_t x for one tap after the other, on the outputs whose input exists."""
    groups = convolution.groups
    taps = weight.reshape(groups, -1, weight.shape[1], prod(weight.shape[2:]))
    for number, (outputs, inputs) in enumerate(_tap_slices(convolution)):
        source = x[inputs]
        flat = source.reshape(groups, weight.shape[1], prod(source.shape[1:]))
        moved = taps[..., number] @ flat
        y[outputs] += moved.reshape(len(y), *source.shape[1:])


def _product_scatter(convolution: Convolution, weight: Array, y: Array, x: Array) -> None:
    """x += the scattered columns Wᵀ · y, a few taps at a time."""
    groups = convolution.groups
    flat = y.reshape(groups, -1, prod(y.shape[1:]))  # (groups, out / groups, positions)
    for kernel, places in _tap_chunks(convolution, weight):
        # (groups, in / groups * taps, out / groups) @ (groups, out / groups, positions)
        columns = kernel.transpose(0, 2, 1) @ flat
        columns = columns.reshape(len(x), len(places), *y.shape[1:])
        for number, (outputs, inputs) in enumerate(places):
            x[inputs] += columns[:, number][outputs]


def _tap_chunks(
    convolution: Convolution, weight: Array
) -> Iterator[tuple[Array, list[tuple[_Slices, _Slices]]]]:
    """Some taps of the weight, (groups, out / groups, in / groups * taps), and their slices."""
    groups, inner = convolution.groups, weight.shape[1]
    taps = weight.reshape(groups, -1, inner, prod(weight.shape[2:]))
    places = list(_tap_slices(convolution))
    column = convolution.in_channels * prod(convolution.output_shape[1:]) * weight.itemsize
    step = max(1, _COLUMN_BYTES // max(1, column))
    for start in range(0, len(places), step):
        chunk = places[start : start + step]
        kernel = taps[..., start : start + step].reshape(groups, -1, inner * len(chunk))
        yield kernel, chunk


def _tap_slices(convolution: Convolution) -> Iterator[tuple[_Slices, _Slices]]:
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
