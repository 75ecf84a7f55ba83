"""The singular values of a circular C, frequency by frequency.

Where output_size * stride = input_size and the windows wrap around (or none reads past the
input), a shift of x by `stride` shifts y = Cx by one.  Tap t of an axis reads

    input = output * stride + t * dilation - before = (output + m_t) * stride + r_t,
    m_t, r_t = divmod(t * dilation - before, stride),

so with x split into its polyphase components, x_r[q] = x[q * stride + r], each tap connects y with
one x_r shifted by m_t.  The unitary Fourier transform over the outputs turns a shift into a factor,
and C into one small matrix for every frequency f and group, the symbol

    H(f)[o, (c, r)] = the sum over the taps with r_t = r of
                      weight[o, c, t] * exp(2 pi i * the sum over axes of f * m_t / output_size),

(out / groups) by (in / groups * the product of the strides).  The singular values of C are those
of all symbols together.  H(-f) is the complex conjugate of H(f), with the same singular values.
On an axis where no two taps share a residue the frequency only multiplies columns of H by numbers
of magnitude 1, so that one frequency has the singular values of all.

Source: H. Sedghi, V. Gupta and P. Long, "The Singular Values of Convolutional Layers" (2019),
for stride 1; polyphase components as in P. P. Vaidyanathan, "Multirate Systems and Filter Banks".
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
"""The memory of the symbols that are decomposed at a time."""


def is_circular(convolution: Convolution) -> bool:
    """Whether C is circular, so that its singular values are those of the symbols."""
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
    """A lower bound for the number of symbols whose singular values must be computed."""
    return convolution.groups * (prod(map(_frequencies, convolution.axes)) // 2 + 1)


def symbol_extremes(convolution: Convolution, weight: Array) -> tuple[float, float]:
    """The largest and the smallest singular value of all symbols.

    `weight` is (out_channels, in_channels // groups, *kernel_size), real.
    """
    largest, smallest = 0.0, np.inf
    for symbols in _symbols(convolution, weight):
        values = np.linalg.svd(
            symbols, compute_uv=False
        )  # (frequencies, groups, min(rows, columns))
        largest = max(largest, float(values[..., 0].max()))
        smallest = min(smallest, float(values[..., -1].min()))
    return largest, smallest


def _symbols(convolution: Convolution, weight: Array) -> Iterator[Array]:
    """The symbols, (frequencies, groups, rows, columns), a few frequencies at a time."""
    axes, groups = convolution.axes, convolution.groups
    rows, columns = symbol_shape(convolution)
    inner = convolution.weight_shape[1]
    residues, shifts = _residues_and_shifts(axes)
    taps = weight.reshape(groups, rows, inner, len(residues))
    chunk = max(1, _CHUNK_BYTES // (16 * groups * rows * columns))  # frequencies at a time
    frequencies = _distinct_frequencies(axes)
    sizes = np.array([axis.output_size for axis in axes])
    for first in range(0, len(frequencies), chunk):
        chosen = frequencies[first : first + chunk]  # (frequencies, axes)
        # f * m_t / output_size, summed over the axes: (frequencies, taps).  The remainder keeps
        # the integers small before they are divided.
        turns = (chosen[:, np.newaxis] * shifts % sizes / sizes).sum(axis=-1)
        factors = np.exp(2j * np.pi * turns)  # (frequencies, taps)
        # (frequencies, groups, rows, in_channels of a group, residues)
        symbols = np.zeros((len(chosen), groups, rows, inner, columns // inner), complex)
        for residue in np.unique(residues):
            alike = residues == residue  # (taps,): the taps that read this polyphase component
            # (frequencies, groups, rows, in_channels of a group)
            part = np.einsum("grit,ft->fgri", taps[..., alike], factors[:, alike], optimize=True)
            symbols[..., residue] = part
        yield symbols.reshape(len(chosen), groups, rows, columns)


def _residues_and_shifts(axes: tuple[Axis, ...]) -> tuple[Array, Array]:
    """r_t, (taps,), and m_t, (taps, axes), for every tap in row-major order.

    The residues of all axes are one number: their row-major index among the strides.
    """
    residues, shifts = [], []
    for tap in product(*(range(axis.kernel_size) for axis in axes)):
        pairs = [divmod(t * axis.dilation - axis.before, axis.stride) for t, axis in zip(tap, axes)]
        shifts.append([shift % axis.output_size for (shift, _), axis in zip(pairs, axes)])
        number = 0
        for (_, residue), axis in zip(pairs, axes):
            number = number * axis.stride + residue
        residues.append(number)
    return np.array(residues), np.array(shifts)


def _frequencies(axis: Axis) -> int:
    """The number of frequencies to look at on this axis: 1 where no two taps share a residue."""
    residues = {tap * axis.dilation % axis.stride for tap in range(axis.kernel_size)}
    return 1 if len(residues) == axis.kernel_size else axis.output_size


def _distinct_frequencies(axes: tuple[Axis, ...]) -> Array:
    """(frequencies, axes): one of each pair f and -f."""
    counts = [_frequencies(axis) for axis in axes]
    every = np.stack(np.unravel_index(np.arange(prod(counts)), counts), axis=-1)  # (all, axes)
    # (all,): the row-major index of -f, for every f
    opposite = np.ravel_multi_index(tuple((-every % counts).T), counts)
    distinct: Array = every[opposite >= np.arange(len(every))]
    return distinct
