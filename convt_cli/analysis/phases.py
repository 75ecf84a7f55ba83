"""Whether a convolution followed by a pixel_shuffle shows a checkerboard.

A pixel_shuffle by r makes each block of r**rank pixels out of r**rank output channels of the
convolution, so each phase (position within a block) has a kernel of its own.  Away from the borders
a constant input gives each phase the sum of its kernel's taps, for each input channel.  So the
image is constant too only if, in every image channel, all phases have equal sums.

Source: A. Aitken and others, "Checkerboard artifact free sub-pixel convolution" (2017).
"""

from __future__ import annotations

import numpy as np

from convt_cli.arithmetic.convolution import Convolution
from convt_cli.operators.dtypes import Array


def phase_difference(convolution: Convolution, weight: Array, phases: int) -> float:
    """The largest difference between the kernel sums of an image channel's phases.

    Relative to the largest sum of a kernel's absolute values; 0 where no difference is larger
    than rounding.  `weight` is (out_channels, in_channels // groups, *kernel_size), real, and
    channels c * phases ... (c + 1) * phases - 1 are the phases of image channel c.
    """
    # (out_channels, in_channels // groups, taps)
    kernels = weight.reshape(*weight.shape[:2], -1).astype(float)
    sums = _over_all_inputs(kernels.sum(axis=2), convolution)  # (out_channels, in_channels)
    most = float(np.abs(kernels).sum(axis=2).max())
    of_phases = sums.reshape(-1, phases, sums.shape[1])  # (image channels, phases, in_channels)
    difference = float((of_phases.max(axis=1) - of_phases.min(axis=1)).max())
    rounding = 2 * kernels.shape[2] * float(np.finfo(float).eps) * most
    return difference / most if difference > rounding else 0.0


def _over_all_inputs(sums: Array, convolution: Convolution) -> Array:
    """`sums`, (out_channels, in_channels // groups), as (out_channels, in_channels).

    Zeros stand where an output channel does not read an input channel of another group.
    """
    groups = convolution.groups
    rows, columns = sums.shape[0] // groups, sums.shape[1]
    spread = np.zeros((groups, rows, groups, columns))
    for group in range(groups):
        spread[group, :, group] = sums[group * rows : (group + 1) * rows]
    return spread.reshape(groups * rows, groups * columns)
