"""The numbers of activations and norms that each framework has where nothing else is given.

A spec's own numbers come first; a key that it leaves out has the framework's default, from here.

Sources: the signatures of PyTorch 2.13's modules, Keras 3.15's layers, `tf.nn` of TensorFlow 2.21
and `jax.nn` of JAX 0.10; the attributes of ONNX's operators; the prototypes of BVLC Caffe.  What a
framework has no layer for is as in PyTorch.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class Numbers:
    """The default of each number; None where the framework wants it to be given."""

    leaky_relu_alpha: float = 0.01
    elu_alpha: float = 1.0
    hard_sigmoid_alpha: float = 1 / 6
    prelu_slope: float = 0.25
    """What the slopes of a prelu are before it is trained."""
    gelu_approximate: Literal["none", "tanh"] = "none"
    softmax_axis: Literal["channels", "last", "all"] = "channels"
    """The axes along which a softmax sums to 1."""

    batch_norm_eps: float = 1e-5
    instance_norm_eps: float = 1e-5
    group_norm_eps: float = 1e-5
    layer_norm_eps: float = 1e-5
    group_norm_groups: int | None = None

    lrn_size: int | None = None
    lrn_alpha: float = 1e-4
    lrn_beta: float = 0.75
    lrn_k: float = 1.0
    lrn_divides: bool = True
    """alpha is divided by the number of channels in the window."""
    lrn_even_size: bool = False
    """The window may have an even number of channels; its larger half lies before the channel."""


PYTORCH = Numbers(lrn_even_size=True)
ONNX = Numbers(hard_sigmoid_alpha=0.2, softmax_axis="last")
KERAS = Numbers(
    leaky_relu_alpha=0.3,
    prelu_slope=0.0,
    batch_norm_eps=1e-3,
    instance_norm_eps=1e-3,
    group_norm_eps=1e-3,
    layer_norm_eps=1e-3,
    group_norm_groups=32,
    lrn_size=11,
    lrn_alpha=1.0,
    lrn_beta=0.5,
    lrn_divides=False,
)
"""Keras's layers; an lrn is that of `tf.nn`, since Keras has none."""
TENSORFLOW = replace(KERAS, leaky_relu_alpha=0.2)
"""`tf.nn` where it has the function, else Keras's layers."""
JAX = Numbers(gelu_approximate="tanh")
CAFFE = Numbers(leaky_relu_alpha=0.0, lrn_size=5, lrn_alpha=1.0, instance_norm_eps=1e-9)
"""A leaky_relu is a ReLU with a negative_slope, and an instance_norm is an MVN."""
