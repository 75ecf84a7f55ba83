"""The singular values of a circular C, frequency by frequency.

Where output_size * stride = input_size and the windows wrap around (or none reaches past the
input), moving x by `stride` moves y = Cx by one.  Tap t of an axis reads

    input = output * stride + t * dilation - before = (output + m_t) * stride + r_t,
    m_t, r_t = divmod(t * dilation - before, stride),

so with x split into its residues, x_r[q] = x[q * stride + r], each tap joins y to one x_r moved
by m_t.  The unitary Fourier transform over the outputs turns a move into a factor, and C into
one small matrix for every frequency f and group, the symbol

    H(f)[o, (c, r)] = the sum over the taps with r_t = r of
                      weight[o, c, t] * exp(2 pi i * the sum over axes of f * m_t / output_size),

(out / groups) by (in / groups * the product of the strides).  The singular values of C are those
of all symbols together.  H(-f) is the conjugate of H(f) and has the same ones; and on an axis
where no two taps share a residue the factor belongs to a column, so that one frequency speaks
for all.

Source: H. Sedghi, V. Gupta and P. Long, "The Singular Values of Convolutional Layers" (2019),
for stride 1; the residues are the polyphase components of P. P. Vaidyanathan.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from math import prod

import numpy as np

from convt_cli.arithmetic.axis import Axis
from convt_cli.arithmetic.convolution import Convolution
from convt_cli.operators.dtypes import Array

_CHUNK_BYTES = 8 * 2**20


def is_circular(convolution: Convolution) -> bool:
    """Whether the symbols have C's own singular values."""
    wraps = convolution.padding_mode == "circular"
    return all(
        axis.output_size * axis.stride == axis.input_size
        and (wraps or axis.entries() == axis.kernel_size * axis.output_size)
        for axis in convolution.axes
    )


def symbol_shape(convolution: Convolution) -> tuple[int, int]:
    """(rows, columns) of every symbol."""
    out, inner = convolution.weight_shape[:2]
    return out // convolution.groups, inner * prod(axis.stride for axis in convolution.axes)


def symbol_count(convolution: Convolution) -> int:
    """At least the number of symbols whose singular values must be found."""
    return convolution.groups * (prod(map(_frequencies, convolution.axes)) // 2 + 1)


def symbol_extremes(convolution: Convolution, weight: Array) -> tuple[float, float]:
    """The largest and the smallest singular value of all symbols.

    `weight` is (out_channels, in_channels // groups, *kernel_size), real.
    """
    largest, smallest = 0.0, np.inf
    for symbols in _symbols(convolution, weight):
        values = np.linalg.svd(symbols, compute_uv=False)
        largest = max(largest, float(values[..., 0].max()))
        smallest = min(smallest, float(values[..., -1].min()))
    return largest, smallest


def _symbols(convolution: Convolution, weight: Array) -> Iterator[Array]:
    """The symbols, (frequencies, groups, rows, columns), a few frequencies at a time."""
    axes, groups = convolution.axes, convolution.groups
    rows, columns = symbol_shape(convolution)
    inner = convolution.weight_shape[1]
    residues, moves = _taps(axes)
    taps = weight.reshape(groups, rows, inner, len(residues))
    together = max(1, _CHUNK_BYTES // (16 * groups * rows * columns))
    frequencies = _distinct_frequencies(axes)
    sizes = np.array([axis.output_size for axis in axes])
    for first in range(0, len(frequencies), together):
        chosen = frequencies[first : first + together]
        turns = (chosen[:, np.newaxis] * moves % sizes / sizes).sum(axis=-1)
        factors = np.exp(2j * np.pi * turns)  # (frequencies, taps)
        symbols = np.zeros((len(chosen), groups, rows, inner, columns // inner), complex)
        for residue in np.unique(residues):
            alike = residues == residue
            part = np.einsum("grit,ft->fgri", taps[..., alike], factors[:, alike], optimize=True)
            symbols[..., residue] = part
        yield symbols.reshape(len(chosen), groups, rows, columns)


def _taps(axes: tuple[Axis, ...]) -> tuple[Array, Array]:
    """For every tap in row-major order its residue, as one number, and its move on every axis."""
    residues, moves = [], []
    for tap in product(*(range(axis.kernel_size) for axis in axes)):
        places = [
            divmod(t * axis.dilation - axis.before, axis.stride) for t, axis in zip(tap, axes)
        ]
        moves.append([move % axis.output_size for (move, _), axis in zip(places, axes)])
        number = 0
        for (_, residue), axis in zip(places, axes):
            number = number * axis.stride + residue
        residues.append(number)
    return np.array(residues), np.array(moves)


def _frequencies(axis: Axis) -> int:
    """The number of frequencies with symbols of their own: 1 where no taps share a residue."""
    residues = {tap * axis.dilation % axis.stride for tap in range(axis.kernel_size)}
    return 1 if len(residues) == axis.kernel_size else axis.output_size


def _distinct_frequencies(axes: tuple[Axis, ...]) -> Array:
    """(frequencies, axes): of every f and -f one."""
    counts = [_frequencies(axis) for axis in axes]
    every = np.stack(np.unravel_index(np.arange(prod(counts)), counts), axis=-1)
    opposite = np.ravel_multi_index(tuple((-every % counts).T), counts)
    distinct: Array = every[opposite >= np.arange(len(every))]
    return distinct
