"""The layer types: their keys, and the rule that gives each its output shape.

The fields of these dataclasses *are* the schema of a spec.  To add a type, write a class in the
module of its family and a line in `LAYER_TYPES`: the reader of specs, the help and the tables
take it from there.
"""

from __future__ import annotations

from convt_cli.arithmetic.layers.activations import (
    Clip,
    Elu,
    Function,
    Gelu,
    HardSigmoid,
    HardSwish,
    LeakyRelu,
    LogSoftmax,
    Power,
    Softmax,
)
from convt_cli.arithmetic.layers.adaptive_pools import (
    AdaptiveAveragePool,
    AdaptiveMaxPool,
    GlobalAveragePool,
    GlobalMaxPool,
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
from convt_cli.arithmetic.layers.joins import Add, Concat, Multiply
from convt_cli.arithmetic.layers.linear import Linear
from convt_cli.arithmetic.layers.norms import (
    BatchNorm,
    GroupNorm,
    InstanceNorm,
    LayerNorm,
    Lrn,
    Norm,
)
from convt_cli.arithmetic.layers.pointwise import (
    Dropout,
    Identity,
    Mish,
    PRelu,
    Relu,
    Scale,
    Selu,
    Sigmoid,
    Silu,
    Softplus,
    Tanh,
)
from convt_cli.arithmetic.layers.pools import AveragePool, MaxPool, MaxUnpool
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
    "Biased",
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
    "Weighted",
    "Windows",
]

Biased = Convolutional | Linear | Scale | Norm
"""The layer types that can have a bias."""
Weighted = Biased | PRelu
"""The layer types that can have a weight."""

# the type as a spec writes it -> the class of its keys and its shape rule
LAYER_TYPES: dict[str, type[Definition]] = {
    "conv": Conv,
    "conv_transpose": ConvTranspose,
    "max_pool": MaxPool,
    "max_unpool": MaxUnpool,
    "avg_pool": AveragePool,
    "global_max_pool": GlobalMaxPool,
    "global_avg_pool": GlobalAveragePool,
    "adaptive_max_pool": AdaptiveMaxPool,
    "adaptive_avg_pool": AdaptiveAveragePool,
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
    "add": Add,
    "mul": Multiply,
    "concat": Concat,
    "prelu": PRelu,
    "batch_norm": BatchNorm,
    "instance_norm": InstanceNorm,
    "layer_norm": LayerNorm,
    "group_norm": GroupNorm,
    "scale": Scale,
    "relu": Relu,
    "leaky_relu": LeakyRelu,
    "clip": Clip,
    "elu": Elu,
    "gelu": Gelu,
    "silu": Silu,
    "mish": Mish,
    "softplus": Softplus,
    "selu": Selu,
    "sigmoid": Sigmoid,
    "hard_sigmoid": HardSigmoid,
    "hard_swish": HardSwish,
    "tanh": Tanh,
    "softmax": Softmax,
    "log_softmax": LogSoftmax,
    "function": Function,
    "power": Power,
    "lrn": Lrn,
    "dropout": Dropout,
    "identity": Identity,
}
