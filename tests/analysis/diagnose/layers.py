"""One convolution with numbers, and what naive loops make of it, rightly or wrongly."""

from __future__ import annotations

from typing import Any

import numpy as np

from convt_cli import Network, load_spec
from tests import oracle
from tests.conftest import WriteSpec

RNG = np.random.default_rng(8)
Array = Any

X = RNG.integers(-9, 10, (4, 7, 7)).astype(np.float32)
WEIGHT = RNG.integers(-9, 10, (6, 4, 3, 3)).astype(np.float32)
BIAS = RNG.integers(1, 10, 6).astype(np.float32)
GROUPED = RNG.integers(-9, 10, (6, 2, 3, 3)).astype(np.float32)


def conv(
    x: Array = X,
    weight: Array = WEIGHT,
    bias: Array | None = BIAS,
    *,
    stride: int = 1,
    pads: tuple[int, int] = (1, 1),
    dilation: int = 1,
    groups: int = 1,
    padding_mode: str = "zeros",
) -> Array:
    """A direct convolution with the same window on both axes, its bias added."""
    y = oracle.direct(
        x,
        weight,
        stride=(stride, stride),
        pads=(pads, pads),
        dilation=(dilation, dilation),
        groups=groups,
        padding_mode=padding_mode,
    )
    return y if bias is None else y + bias[:, None, None]


def conv_transpose(
    pads: tuple[int, int] = (1, 1), output_padding: int = 1, weight: Array = WEIGHT
) -> Array:
    """A transposed convolution with stride 2 of the first six channels of Y."""
    return oracle.transposed(
        Y,
        weight,
        stride=(2, 2),
        pads=(pads, pads),
        dilation=(1, 1),
        groups=1,
        output_padding=(output_padding, output_padding),
    )


Y = RNG.integers(-9, 10, (6, 5, 5)).astype(np.float32)
"""What the transposed layer reads."""


def network(spec: WriteSpec, layer: str, size: int = 7) -> Network:
    """The layer `one` with these keys on an input of 4 channels, 6 for a conv_transpose."""
    np.savez("w.npz", weight=WEIGHT, grouped=GROUPED, bias=BIAS)
    channels = 6 if "conv_transpose" in layer else 4
    path = spec(f"input: [{channels}, {size}, {size}]\nlayers: [{{name: one, {layer}}}]")
    return load_spec(path)


PLAIN = "type: conv, out_channels: 6, kernel_size: 3, padding: 1, weight: w.npz#weight"
CONV = f"{PLAIN}, bias: w.npz#bias"
UP = (
    "type: conv_transpose, out_channels: 4, kernel_size: 3, stride: 2, padding: 1, "
    "output_padding: 1, bias: false, weight: w.npz#weight"
)
