"""A few outputs of a convolution, gathered by the one relation, without applying the layer.

On each axis C holds tap t where input = output * stride + t * dilation - before.  An element of
C x gathers the inputs of its taps, one of Cᵀ y the outputs that meet it; both are a sum over the
source's channels and the taps.
"""

from __future__ import annotations

from itertools import product
from math import prod

import numpy as np

from convt_cli.analysis.diagnose.bounds import Reckoning, relative_error, with_errors
from convt_cli.analysis.diagnose.subject import Subject
from convt_cli.arithmetic.axis import Axis
from convt_cli.arithmetic.convolution import Convolution
from convt_cli.arithmetic.padding_modes import FOLDS
from convt_cli.operators.dtypes import Array

Places = tuple[Array, ...]
"""Indices (batch, channel, *position) of some outputs, one array of each, as NumPy takes them."""


def sampled(subject: Subject, convolution: Convolution, places: Places) -> Reckoning:
    """What the layer gives at `places`, before anything happens to it: (places,) each."""
    items, channels, *positions = places
    rank = len(positions)
    gather = _outputs_met if convolution.adjoint else _inputs_met
    # per axis (places, taps): where the source is read, and whether there is anything
    met = [
        gather(axis, at, convolution.padding_mode)
        for axis, at in zip(convolution.axes, positions, strict=True)
    ]
    weight, read = _weights(convolution, subject.prepared.parameters["weight"], channels)
    shaped = [_along(index, number, rank) for number, (index, _) in enumerate(met)]
    inside = [_along(mask, number, rank) for number, (_, mask) in enumerate(met)]
    # (places, channels read, *kernel_size)
    ones = (1,) * rank
    taken = subject.sources[0][
        items.reshape(-1, 1, *ones), read.reshape(*read.shape, *ones), *shaped
    ]
    present = np.ones(1, bool)
    for mask in inside:
        present = present & mask
    products = np.where(present, weight * np.where(present, taken, 0), 0)
    return _summed(subject, products.reshape(len(items), -1), channels)


def _summed(subject: Subject, products: Array, channels: Array) -> Reckoning:
    values, sizes = products.sum(1), abs(products).sum(1)
    bias = subject.prepared.parameters.get("bias")
    if bias is not None:
        values, sizes = values + bias[channels], sizes + abs(bias[channels])
    # two roundings of operands at most; whether there are any, the whole layer will tell
    relative = relative_error(subject.prepared, subject.accumulator)
    return with_errors(values, sizes, relative, 2, subject.accumulator, partials=sizes)


def _along(index: Array, number: int, rank: int) -> Array:
    """(places, taps of axis `number`) as (places, 1, ..., taps, ..., 1)."""
    shape = [len(index), *(1 for _ in range(rank + 1))]
    shape[2 + number] = index.shape[1]
    return index.reshape(shape)


def _inputs_met(axis: Axis, at: Array, mode: str) -> tuple[Array, Array]:
    """(input under each tap of these outputs, whether it is there)."""
    found = at[:, None] * axis.stride + np.arange(axis.kernel_size) * axis.dilation - axis.before
    if mode != "zeros":
        return FOLDS[mode](found, axis.input_size), np.ones(found.shape, bool)
    inside = (found >= 0) & (found < axis.input_size)
    return np.where(inside, found, 0), inside


def _outputs_met(axis: Axis, at: Array, _: str) -> tuple[Array, Array]:
    """(output that meets these inputs by each tap, whether there is one)."""
    found = at[:, None] + axis.before - np.arange(axis.kernel_size) * axis.dilation
    output, rest = np.divmod(found, axis.stride)
    inside = (rest == 0) & (output >= 0) & (output < axis.output_size)
    return np.where(inside, output, 0), inside


def _weights(convolution: Convolution, weight: Array, channels: Array) -> tuple[Array, Array]:
    """(weights, source channels) of these result channels.

    They are (places, channels read, *kernel_size) and (places, channels read).
    """
    out, inner = convolution.out_channels // convolution.groups, weight.shape[1]
    if convolution.adjoint:
        read = (channels // inner)[:, None] * out + np.arange(out)
        return weight[read, (channels % inner)[:, None]], read
    return weight[channels], (channels // out)[:, None] * inner + np.arange(inner)


def places_to_look(shape: tuple[int, ...], wrong: Array | None, count: int = 48) -> Places:
    """Some outputs of an array of `shape`: corners, any, and where `wrong` says, worst first.

    `wrong` has the row-major numbers of elements that differ; None where none can be compared.
    The same shape and differences always give the same places.
    """
    chooser = np.random.default_rng(0)
    ends = [(0, size - 1) for size in shape[2:]]
    corners = [np.ravel_multi_index((0, 0, *corner), shape) for corner in product(*ends)]
    anywhere = chooser.integers(0, prod(shape), count)
    found = [] if wrong is None else [wrong[:6], chooser.permutation(wrong)[:count]]
    numbers = np.concatenate([*found, anywhere, np.array(corners)]).astype(np.int64)
    return np.unravel_index(np.fromiter(dict.fromkeys(numbers.tolist()), np.int64), shape)
