"""Caffe, which cannot be run: its cases by hand, from the formulas of its published sources.

Source: BVLC Caffe, `conv_layer.cpp`, `deconv_layer.cpp` and `pooling_layer.cpp`.
"""

from __future__ import annotations

from collections.abc import Iterator

from tests.peers.cases import Case, Layer, Shape

CONVOLUTIONS: tuple[tuple[Layer, Shape, Shape], ...] = (
    # floor((n + 2p - ke) / s) + 1
    ({"type": "conv", "kernel_size": 3, "stride": 2, "padding": 1}, (2, 6), (2, 3)),
    ({"type": "conv", "kernel_size": 3, "stride": 2, "padding": 0}, (2, 6), (2, 2)),
    ({"type": "conv", "kernel_size": 11, "stride": 4}, (2, 13), (2, 1)),
    ({"type": "conv", "kernel_size": 3, "dilation": 2, "padding": 2}, (2, 7), (2, 7)),
    ({"type": "conv", "kernel_size": [3, 2], "stride": [1, 2], "groups": 2}, (2, 5, 6), (2, 3, 3)),
    # s(i - 1) + ke - 2p
    ({"type": "conv_transpose", "kernel_size": 4, "stride": 2, "padding": 1}, (2, 5), (2, 10)),
    ({"type": "conv_transpose", "kernel_size": 3, "stride": 2, "padding": 1}, (2, 5), (2, 9)),
    ({"type": "conv_transpose", "kernel_size": 2, "stride": 3}, (2, 4), (2, 11)),
    ({"type": "conv_transpose", "kernel_size": 3, "dilation": 2}, (2, 4), (2, 8)),
    ({"type": "conv_transpose", "kernel_size": 4, "stride": 2, "groups": 2}, (2, 3, 4), (2, 8, 10)),
    ({"type": "conv_transpose", "kernel_size": 16, "stride": 8, "padding": 4}, (2, 2), (2, 16)),
)
"""A layer of two output channels, its input and its output."""

_POOLS: tuple[tuple[int, int, int, int, int | None], ...] = (
    # ceil((n + 2p - k) / s) + 1
    (6, 3, 2, 0, 3),
    (5, 3, 2, 0, 2),
    (110, 3, 2, 0, 55),
    (26, 3, 2, 0, 13),
    (13, 3, 2, 0, 6),
    (6, 2, 2, 1, 4),
    # with padding, one less when the last window starts at n + p or past it
    (5, 2, 3, 1, 2),
    (4, 2, 3, 1, 2),
    (3, 2, 4, 1, 1),
    # without padding the window that starts past the input stays, and is empty
    (3, 1, 4, 0, 2),
    (4, 2, 5, 0, 2),
    (6, 2, 5, 0, 2),
    # CHECK_LT(pad, kernel)
    (6, 3, 1, 2, 8),
    (6, 3, 1, 3, None),
    (6, 2, 1, 2, None),
)
"""n, k, s, p and the output size; None where Caffe refuses."""


def convolutions() -> Iterator[tuple[Case, Shape]]:
    """Every conv and deconvolution with its output shape."""
    for layer, source, shape in CONVOLUTIONS:
        yield Case("caffe", {**layer, "out_channels": 2}, source), shape


def pools() -> Iterator[tuple[Case, Shape | None]]:
    """Every pool with its output shape; None where Caffe refuses it."""
    # padding on one axis drops the last window of the other too
    both: Layer = {"type": "max_pool", "kernel_size": [2, 1], "stride": 4, "padding": [1, 0]}
    yield Case("caffe", both, (1, 3, 3)), (1, 1, 1)
    for size, k, s, p, output in _POOLS:
        for kind in ("max_pool", "avg_pool"):
            layer: Layer = {"type": kind, "kernel_size": k, "stride": s, "padding": p}
            yield Case("caffe", layer, (1, size)), None if output is None else (1, output)
