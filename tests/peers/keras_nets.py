"""Networks of Keras: each makes a model, whose layers' names are those of its file."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

os.environ.setdefault("KERAS_BACKEND", "torch")

import keras
from keras import Model, Sequential
from keras import layers as kl

FIRST = "channels_first"


def _residual() -> Any:
    """SAME strides on even and odd sizes, groups, an added block, batch norms of all kinds."""
    image = keras.Input((15, 18, 3), name="image")
    x = kl.Rescaling(1 / 127.5, offset=-1, name="rescaled")(image)
    x = kl.RandomFlip("horizontal", name="flipped")(x)
    x = kl.Conv2D(8, 3, strides=2, padding="same", use_bias=False, name="stem")(x)
    x = kl.BatchNormalization(scale=False, name="norm")(x)
    x = kl.ReLU(max_value=6.0, name="six")(x)
    y = kl.Conv2D(12, (3, 5), padding="same", groups=4, activation="silu", name="grouped")(x)
    y = kl.BatchNormalization(epsilon=1e-4, name="full")(y)
    y = kl.Conv2D(8, 1, name="narrow")(y)
    x = kl.Add(name="sum")([x, y])
    x = kl.Conv2D(8, 3, dilation_rate=(2, 1), padding="valid", activation="elu", name="wide")(x)
    x = kl.MaxPooling2D(3, strides=2, padding="same", name="max")(x)
    x = kl.Flatten(name="flat")(x)
    x = kl.Dense(10, activation="gelu", name="hidden")(x)
    x = kl.Dropout(0.5, name="dropped")(x)
    return Model(image, kl.Dense(4, activation="softmax", name="classes")(x))


def _separable() -> Any:
    """Depthwise, separable and 1 x 1 convolutions with their squeeze and excitation."""
    image = keras.Input((16, 12, 4), name="image")
    x = kl.DepthwiseConv2D(3, strides=2, padding="same", depth_multiplier=2, name="deep")(image)
    x = kl.BatchNormalization(center=False, name="unshifted")(x)
    x = kl.Activation("swish", name="smooth")(x)
    gate = kl.GlobalAveragePooling2D(keepdims=True, name="squeezed")(x)
    gate = kl.Conv2D(8, 1, activation="hard_sigmoid", name="gate")(gate)
    x = kl.Multiply(name="gated")([x, gate])
    x = kl.SeparableConv2D(6, 3, padding="same", activation="relu", name="apart")(x)
    x = kl.LeakyReLU(0.2, name="leaky")(x)
    x = kl.PReLU(shared_axes=[1, 2], name="slopes")(x)
    x = kl.GlobalMaxPooling2D(name="pooled")(x)
    x = kl.Reshape((1, 1, 6), name="image_again")(x)
    return Model(image, kl.Conv2D(5, 1, activation="tanh", name="last")(x))


def _upsampled() -> Any:
    """Transposed convolutions of all kinds, and interpolation."""
    image = keras.Input((5, 7, 3), name="image")
    x = kl.Conv2DTranspose(6, 3, strides=2, padding="same", name="doubled")(image)
    x = kl.Conv2DTranspose(4, 4, strides=2, padding="valid", activation="relu", name="valid")(x)
    y = kl.Conv2DTranspose(
        4, 3, strides=2, padding="same", output_padding=1, use_bias=False, name="padded"
    )(image)
    z = kl.UpSampling2D((2, 3), name="nearest")(image)
    z = kl.Cropping2D(((1, 0), (2, 1)), name="cropped")(z)
    z = kl.ZeroPadding2D(((1, 2), (0, 3)), name="zeros")(z)
    w = kl.UpSampling2D(2, interpolation="bilinear", name="smooth")(image)
    w = kl.Resizing(12, 9, name="resized")(w)
    return Model(image, [x, y, z, w])


def _one_axis() -> Any:
    """Signals: causal and dilated convolutions, pools and joins, a dense layer along one axis."""
    signal = keras.Input((25, 3), name="signal")  # of SAME pools, PyTorch pads both ends alike
    x = kl.Conv1D(6, 3, dilation_rate=2, padding="causal", activation="relu", name="causal")(signal)
    y = kl.SeparableConv1D(6, 3, padding="same", name="apart")(signal)
    z = kl.DepthwiseConv1D(3, depth_multiplier=2, padding="same", name="deep")(signal)
    x = kl.Concatenate(name="joined")([x, y, z])
    x = kl.LayerNormalization(name="normal")(x)
    x = kl.AveragePooling1D(3, strides=2, padding="same", name="mean")(x)
    x = kl.Dense(4, activation="sigmoid", name="each")(x)
    x = kl.Permute((2, 1), name="turned")(x)
    x = kl.Softmax(axis=1, name="shares")(x)
    x = kl.Conv1DTranspose(2, 3, strides=2, padding="same", name="longer")(x)
    x = kl.UpSampling1D(2, name="twice")(x)
    x = kl.Reshape((-1, 4), name="rows")(x)
    x = kl.Subtract(name="less")([x, kl.ReLU(name="positive")(x)])
    return Model(signal, kl.GlobalAveragePooling1D(name="average")(x))


def _volume() -> Any:
    """Three axes."""
    return Sequential(
        [
            keras.Input((6, 8, 7, 2), name="volume"),
            kl.Conv3D(4, 3, padding="same", strides=(1, 2, 2), activation="selu", name="conv"),
            kl.GroupNormalization(groups=2, name="groups"),
            kl.MaxPooling3D(2, padding="same", name="max"),
            kl.Conv3DTranspose(3, 2, strides=2, name="back"),
            kl.UpSampling3D((1, 2, 1), name="taller"),
            kl.Cropping3D((1, 0, (1, 1)), name="cropped"),
            kl.ZeroPadding3D(1, name="zeros"),
            kl.AveragePooling3D(2, name="mean"),
            kl.Flatten(name="flat"),
            kl.Dense(3, name="dense"),
        ],
        name="volume_net",
    )


def _nested() -> Any:
    """Models in models, shared layers, several inputs and outputs."""
    left, right = keras.Input((9, 9, 3), name="left"), keras.Input((9, 9, 3), name="right")
    block = Sequential(
        [
            keras.Input((9, 9, 3)),
            kl.Conv2D(4, 3, padding="same", use_bias=False, name="conv"),
            kl.BatchNormalization(name="norm"),
        ],
        name="block",
    )
    inside = keras.Input((9, 9, 4), name="inside")
    deep = Sequential([keras.Input((9, 9, 4)), kl.Conv2D(4, 3, name="conv")], name="deep")
    two = Model(inside, [deep(inside), kl.MaxPooling2D(3, name="max")(inside)], name="two")
    shared = kl.Conv2D(3, 1, activation="relu", name="shared")
    one, other = two(block(left))
    third, fourth = two(block(right))
    x = kl.Average(name="middle")([shared(one), shared(third)])
    y = kl.Concatenate(axis=2, name="beside")([other, fourth])
    return Model([left, right], [kl.GlobalAveragePooling2D(name="pooled")(x), y], name="twins")


def _channels_first() -> Any:
    """Channels in front: also where Flatten and norms care."""
    image = keras.Input((3, 10, 8), name="image")
    x = kl.Conv2D(6, 3, padding="same", data_format=FIRST, activation="relu", name="conv")(image)
    x = kl.BatchNormalization(axis=1, name="norm")(x)
    x = kl.MaxPooling2D(2, data_format=FIRST, name="max")(x)
    x = kl.Conv2DTranspose(4, 3, strides=2, data_format=FIRST, name="back")(x)
    x = kl.LayerNormalization(axis=[1, 2, 3], name="normal")(x)
    x = kl.PReLU(name="slopes")(x)
    x = kl.Dense(5, name="along")(x)
    y = kl.Flatten(data_format=FIRST, name="flat")(x)
    z = kl.GlobalAveragePooling2D(data_format=FIRST, name="pooled")(x)
    return Model(image, kl.Concatenate(name="joined")([y, z]))


def _mixed() -> Any:
    """Layers of the other format, and norms along other axes."""
    image = keras.Input((6, 8, 4), name="image")
    x = kl.Conv2D(6, 3, padding="same", name="last")(image)
    x = kl.Conv2D(5, 3, data_format=FIRST, name="first")(x)
    x = kl.BatchNormalization(axis=1, name="rows")(x)
    x = kl.Permute((3, 1, 2), name="turned")(x)
    x = kl.Activation("hard_silu", name="hard")(x)
    x = kl.LayerNormalization(axis=[2, 3], name="normal")(x)
    x = kl.PReLU(name="slopes")(x)
    x = kl.Flatten(name="flat")(x)
    x = kl.RepeatVector(3, name="repeated")(x)
    x = kl.Flatten(data_format=FIRST, name="other_flat")(x)
    return Model(image, kl.Dense(3, activation="leaky_relu", name="dense")(x))


NETS: dict[str, Callable[[], Any]] = {
    "residual": _residual,
    "separable": _separable,
    "upsampled": _upsampled,
    "one axis": _one_axis,
    "volume": _volume,
    "nested": _nested,
    "channels first": _channels_first,
    "mixed": _mixed,
}
