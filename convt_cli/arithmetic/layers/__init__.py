"""The layer types: their keys, and the rule that gives each its output shape.

The fields of these dataclasses *are* the schema of a spec.  To add a type, write a class in the
module of its family and a line in `LAYER_TYPES`: the reader of specs, the help and the tables
take it from there.
"""

from __future__ import annotations

from convt_cli.arithmetic.layers.activations import (
    Clip,
    Elu,
    Gelu,
    HardSigmoid,
    HardSwish,
    LeakyRelu,
    Softmax,
)
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
from convt_cli.arithmetic.layers.norms import BatchNorm, GroupNorm, InstanceNorm, LayerNorm, Lrn
from convt_cli.arithmetic.layers.pointwise import PRelu, Preserving, Scale
from convt_cli.arithmetic.layers.pools import (
    AdaptivePool,
    AveragePool,
    GlobalPool,
    MaxPool,
    MaxUnpool,
)
from convt_cli.arithmetic.layers.rearranging import (
    Crop,
    Flatten,
    Pad,
    Reshape,
    Slice,
    Transpose,
)
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
    *("relu", "silu", "mish", "softplus", "selu", "sigmoid", "tanh", "dropout", "identity"),
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
    "slice": Slice,
    "pad": Pad,
    "crop": Crop,
    "add": Elementwise,
    "mul": Elementwise,
    "concat": Concat,
    "leaky_relu": LeakyRelu,
    "prelu": PRelu,
    "clip": Clip,
    "elu": Elu,
    "gelu": Gelu,
    "hard_sigmoid": HardSigmoid,
    "hard_swish": HardSwish,
    "softmax": Softmax,
    "batch_norm": BatchNorm,
    "instance_norm": InstanceNorm,
    "layer_norm": LayerNorm,
    "group_norm": GroupNorm,
    "lrn": Lrn,
    "scale": Scale,
    **dict.fromkeys(_PRESERVING, Preserving),
}
