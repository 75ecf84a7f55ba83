"""Weights made by a rule (ones, index, bilinear, normal), or written out in a spec."""

from __future__ import annotations

from math import prod

import numpy as np

from convt_cli.arithmetic.convolution import Shape
from convt_cli.arithmetic.keys import Fill, Inline
from convt_cli.io import memory
from convt_cli.operators.dtypes import Array


def filled(fill: Fill, shape: Shape, *, taps_first: bool = False) -> Array:
    """A float64 weight of `shape`: two channel axes, then the kernel's (`taps_first`: before them).

    ones: every tap 1.  index: taps numbered 1, 2, 3 ... in memory order.  bilinear: between
    every two channels (FCN fills only equal ones) the kernel of linear interpolation,
    (1 - |t - c| / f) per axis, where f = ceil(k / 2) and c = (2f - 1 - k mod 2) / 2.
    normal: numpy.random.default_rng(seed).standard_normal.
    """
    memory.require(8 * prod(shape), f"a weight of shape {list(shape)}", help="use a smaller layer")
    if fill.fill == "normal":
        return np.random.default_rng(fill.seed).standard_normal(shape)
    if fill.fill == "index":
        return np.arange(1, prod(shape) + 1, dtype=np.float64).reshape(shape)
    weight = np.ones(shape)
    if fill.fill == "bilinear":
        first = 0 if taps_first else 2
        for number in range(first, first + len(shape) - 2):
            tent = _tent(shape[number])
            weight *= tent.reshape(-1, *(1 for _ in shape[number + 1 :]))
    return weight


def written(inline: Inline) -> Array:
    """The weight that a spec holds as nested lists: int64 if all its numbers are, else float64."""
    whole = all(isinstance(value, int) for value in inline.values)
    dtype = np.int64 if whole else np.float64
    return np.array(inline.values, dtype).reshape(inline.shape)


def _tent(size: int) -> Array:
    """The taps of linear interpolation by the factor ceil(size / 2).

    >>> _tent(4)
    array([0.25, 0.75, 0.75, 0.25])
    """
    factor = (size + 1) // 2
    centre = factor - 1 if size % 2 else factor - 0.5
    tent: Array = 1 - np.abs(np.arange(size) - centre) / factor
    return tent
