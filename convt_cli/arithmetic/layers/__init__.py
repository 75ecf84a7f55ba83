"""The layer types: their keys, and the rule that gives each its output shape.

The fields of these dataclasses *are* the schema of a spec.  To add a type, write a class in the
module of its family and a line in `LAYER_TYPES`: the reader of specs, the help and the tables
take it from there.
"""

from __future__ import annotations

from convt_cli.arithmetic.layers.base import (
    Definition,
    Dependence,
    Geometry,
    Layer,
    Permuted,
    Reshaped,
    Spans,
    Windows,
)
from convt_cli.arithmetic.layers.convolutions import Conv, Convolutional, ConvTranspose
from convt_cli.arithmetic.layers.joins import Concat, Elementwise
from convt_cli.arithmetic.layers.linear import Linear
from convt_cli.arithmetic.layers.pointwise import (
    BatchNorm,
    GroupNorm,
    InstanceNorm,
    LayerNorm,
    PRelu,
    Preserving,
    Scale,
)
from convt_cli.arithmetic.layers.pools import (
    AdaptivePool,
    AveragePool,
    GlobalPool,
    MaxPool,
    MaxUnpool,
)
from convt_cli.arithmetic.layers.rearranging import Crop, Flatten, Pad, Reshape, Transpose
from convt_cli.arithmetic.layers.resampling import PixelShuffle, PixelUnshuffle, Upsample

__all__ = [
    "LAYER_TYPES",
    "Conv",
    "ConvTranspose",
    "Convolutional",
    "Definition",
    "Dependence",
    "Geometry",
    "Layer",
    "Permuted",
    "Reshaped",
    "Spans",
    "Windows",
]

_PRESERVING = (
    *("relu", "leaky_relu", "clip", "elu", "gelu", "silu", "sigmoid", "tanh"),
    *("softmax", "lrn", "dropout", "identity"),
)
"""Types that keep the shape of their source and have no keys."""

# the type as a spec writes it -> the class of its keys and its shape rule
LAYER_TYPES: dict[str, type[Definition]] = {
    "conv": Conv,
    "conv_transpose": ConvTranspose,
    "max_pool": MaxPool,
    "max_unpool": MaxUnpool,
    "avg_pool": AveragePool,
    "global_max_pool": GlobalPool,
    "global_avg_pool": GlobalPool,
    "adaptive_max_pool": AdaptivePool,
    "adaptive_avg_pool": AdaptivePool,
    "upsample": Upsample,
    "pixel_shuffle": PixelShuffle,
    "pixel_unshuffle": PixelUnshuffle,
    "linear": Linear,
    "flatten": Flatten,
    "reshape": Reshape,
    "transpose": Transpose,
    "pad": Pad,
    "crop": Crop,
    "add": Elementwise,
    "mul": Elementwise,
    "concat": Concat,
    "prelu": PRelu,
    "batch_norm": BatchNorm,
    "instance_norm": InstanceNorm,
    "layer_norm": LayerNorm,
    "group_norm": GroupNorm,
    "scale": Scale,
    **dict.fromkeys(_PRESERVING, Preserving),
}
