"""Checkerboards of a convolution and a pixel shuffle, held to what PyTorch makes of a constant."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from convt_cli.analysis.phases import phase_difference
from convt_cli.arithmetic.axis import Axis
from convt_cli.arithmetic.convolution import Convolution
from tests.rows import for_each

torch = pytest.importorskip("torch")

pytestmark = pytest.mark.peers

SIZE = 12


def drawn(seed: int) -> tuple[Convolution, Any, int]:
    """A layer, its weight, in every other case with equal sums in all phases, and the factor."""
    draw = np.random.default_rng(seed)
    groups, factor, kernel = (int(draw.integers(1, 4)) for _ in range(3))
    axis = Axis.conv(input_size=SIZE, kernel_size=kernel)
    convolution = Convolution(
        out_channels=groups * factor**2,
        in_channels=groups * int(draw.integers(1, 3)),
        axes=(axis, axis),
        groups=groups,
    )
    weight = draw.standard_normal(convolution.weight_shape)
    if seed % 2:
        images = weight.reshape(groups, factor**2, *weight.shape[1:])
        sums = images.sum(axis=(3, 4), keepdims=True)
        images -= (sums - sums[:, :1]) / kernel**2
    return convolution, weight, factor


@for_each("seed", range(40))
def test_a_constant_stays_constant_where_the_phases_agree(seed: int) -> None:
    convolution, weight, factor = drawn(seed)
    difference = phase_difference(convolution, weight, factor**2)
    images = []
    for channel in range(convolution.in_channels):
        x = torch.zeros(1, convolution.in_channels, SIZE, SIZE, dtype=torch.float64)
        x[:, channel] = 1
        y = torch.nn.functional.conv2d(x, torch.from_numpy(weight), groups=convolution.groups)
        images.append(torch.nn.functional.pixel_shuffle(y, factor)[0])
    spread = max(float(image.amax((1, 2)).sub(image.amin((1, 2))).max()) for image in images)
    most = float(np.abs(weight).sum(axis=(2, 3)).max())
    assert spread / most == pytest.approx(difference, abs=1e-14)
    assert (difference == 0) == (spread < 1e-12)
