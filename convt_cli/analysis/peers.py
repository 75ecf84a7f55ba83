"""Other libraries' convolutions: torch, ONNX Runtime, JAX and TensorFlow, imported when asked.

The libraries disagree on padding, so NumPy pads and crops here, by the layer's resolved padding,
and each library computes only what all of them define alike: a convolution without padding, and
the full transposed one, whose output size is (input - 1) * stride + effective kernel.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from typing import Any, Literal

import numpy as np

from convt_cli.arithmetic.convolution import Convolution, Shape
from convt_cli.errors import RequestError, shown
from convt_cli.operators.dtypes import Array

_NUMPY_PAD_MODES: dict[str, Literal["constant", "wrap", "reflect", "edge"]] = {
    "zeros": "constant",
    "circular": "wrap",
    "reflect": "reflect",
    "replicate": "edge",
}
"""The `mode` of numpy.pad for each padding_mode."""


class PeerRefused(Exception):
    """A library refuses a layer; the message is the first line of the library's own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerWindow:
    """The parameters of a layer that a library gets beside the weight.

    `full` is the spatial shape of the full transposed output: C's input with its padding.
    """

    stride: Shape
    dilation: Shape
    groups: int
    full: Shape

    @property
    def rank(self) -> int:
        return len(self.stride)


_Call = Callable[[Array, Array, PeerWindow], Any]
"""(array with a batch of one, weight in C's layout, window) to the result, with its batch axis."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """A library: the modules it needs, what `pip install` needs for them, its dtype and its calls.

    `direct` computes the convolution without padding, `transposed` the full transposed one.
    """

    name: str
    modules: tuple[str, ...]
    install: str
    dtype: str
    direct: _Call
    transposed: _Call


def require_installed(peer: Peer) -> None:
    """Raise RequestError (E504) where the library is not there."""
    missing = [module for module in peer.modules if find_spec(module) is None]
    if missing:
        raise RequestError(
            "E504",
            f"{peer.name} is not installed",
            help=f"install it with: pip install '{peer.install}'",
        )


def peer_result(peer: Peer, convolution: Convolution, weight: Array, source: Array) -> Array:
    """The layer's own action on `source`, a batch of one, as the library computes it.

    Raises PeerRefused.
    """
    axes = convolution.axes
    window = PeerWindow(
        stride=tuple(axis.stride for axis in axes),
        dilation=tuple(axis.dilation for axis in axes),
        groups=convolution.groups,
        full=tuple((axis.output_size - 1) * axis.stride + axis.effective_kernel for axis in axes),
    )
    try:
        if convolution.adjoint:
            return _cropped(np.asarray(peer.transposed(source, weight, window)), convolution)
        return np.asarray(peer.direct(_padded(source, convolution), weight, window))
    except MemoryError:
        raise
    except Exception as error:  # every library has exceptions of its own
        reason = shown(str(error).partition("\n")[0])[:200]
        raise PeerRefused(reason or type(error).__name__) from None


def _padded(x: Array, convolution: Convolution) -> Array:
    """x with its padding; where the padding is negative, x without that much of its border."""
    axes = convolution.axes
    pads = [(0, 0), (0, 0), *((max(0, axis.before), max(0, axis.after)) for axis in axes)]
    cuts = (slice(max(0, -axis.before), min(0, axis.after) or None) for axis in axes)
    padded: Array = np.pad(x, pads, mode=_NUMPY_PAD_MODES[convolution.padding_mode])
    return padded[:, :, *cuts]


def _cropped(full: Array, convolution: Convolution) -> Array:
    """The full transposed output without the padding; zeros where the output is longer than it."""
    for number, axis in enumerate(convolution.axes, start=2):
        indices = np.arange(axis.input_size) + axis.before  # (input_size,) into the full axis
        inside = (indices >= 0) & (indices < full.shape[number])
        kept = np.take(full, np.where(inside, indices, 0), axis=number)
        shape = [1] * full.ndim
        shape[number] = -1
        full = kept * inside.reshape(shape).astype(full.dtype)
    return full


# ---------------------------------------------------------------------------------- torch


def _torch(x: Array, weight: Array, window: PeerWindow) -> Any:
    return _torch_call("conv", x, weight, window)


def _torch_transposed(y: Array, weight: Array, window: PeerWindow) -> Any:
    return _torch_call("conv_transpose", y, weight, window)


def _torch_call(name: str, source: Array, weight: Array, window: PeerWindow) -> Any:
    torch = import_module("torch")
    call = getattr(torch.nn.functional, f"{name}{window.rank}d")
    with torch.no_grad():
        return call(
            torch.from_numpy(np.ascontiguousarray(source)),
            torch.from_numpy(np.ascontiguousarray(weight)),
            stride=window.stride,
            dilation=window.dilation,
            groups=window.groups,
        ).numpy()


# --------------------------------------------------------------------------- ONNX Runtime


def _onnx(x: Array, weight: Array, window: PeerWindow) -> Any:
    return _onnx_call("Conv", x, weight, window)


def _onnx_transposed(y: Array, weight: Array, window: PeerWindow) -> Any:
    return _onnx_call("ConvTranspose", y, weight, window)


def _onnx_call(operator: str, source: Array, weight: Array, window: PeerWindow) -> Any:
    onnx, runtime = import_module("onnx"), import_module("onnxruntime")
    helper, kind = onnx.helper, onnx.TensorProto.FLOAT
    node = helper.make_node(
        operator,
        ["source", "weight"],
        ["result"],
        kernel_shape=list(weight.shape[2:]),
        strides=list(window.stride),
        dilations=list(window.dilation),
        group=window.groups,
    )
    graph = helper.make_graph(
        [node],
        "layer",
        [
            helper.make_tensor_value_info(name, kind, array.shape)
            for name, array in (("source", source), ("weight", weight))
        ],
        [helper.make_tensor_value_info("result", kind, None)],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    options = runtime.SessionOptions()
    options.log_severity_level = 4
    session = runtime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    return session.run(None, {"source": source, "weight": weight})[0]


# ------------------------------------------------------------------------------------ JAX


def _jax(x: Array, weight: Array, window: PeerWindow) -> Any:
    return import_module("jax").lax.conv_general_dilated(
        x,
        weight,
        window.stride,
        "VALID",
        rhs_dilation=window.dilation,
        feature_group_count=window.groups,
    )


def _jax_transposed(y: Array, weight: Array, window: PeerWindow) -> Any:
    """The transpose that JAX itself derives from its convolution."""
    jax = import_module("jax")
    channels = weight.shape[1] * window.groups
    full = jax.ShapeDtypeStruct((1, channels, *window.full), y.dtype)
    transposed = jax.linear_transpose(lambda x: _jax(x, weight, window), full)
    return transposed(jax.numpy.asarray(y))[0]


# ----------------------------------------------------------------------------- TensorFlow


def _tensorflow(x: Array, weight: Array, window: PeerWindow) -> Any:
    tensorflow = import_module("tensorflow")
    return _by_groups(
        lambda part, taps: tensorflow.nn.convolution(
            part, taps, window.stride, "VALID", dilations=window.dilation
        ),
        x,
        weight,
        window,
    )


def _tensorflow_transposed(y: Array, weight: Array, window: PeerWindow) -> Any:
    tensorflow = import_module("tensorflow")
    shape = (1, *window.full, weight.shape[1])
    return _by_groups(
        lambda part, taps: tensorflow.nn.conv_transpose(
            part, taps, shape, window.stride, "VALID", dilations=window.dilation
        ),
        y,
        weight,
        window,
    )


def _by_groups(
    call: Callable[[Any, Any], Any], source: Array, weight: Array, window: PeerWindow
) -> Any:
    """`call` on every group by itself, with channels behind the other axes, as TensorFlow wants."""
    taps = tuple(range(2, weight.ndim))
    parts = [
        call(np.moveaxis(part, 1, -1), one.transpose(*taps, 1, 0))
        for part, one in zip(
            np.split(source, window.groups, axis=1), np.split(weight, window.groups)
        )
    ]
    return np.moveaxis(np.concatenate([np.asarray(part) for part in parts], axis=-1), -1, 1)


_EXTRA = "convt-cli[peers]"
"""The extra of this package that installs the libraries; TensorFlow is not in it."""

PEERS = {
    peer.name: peer
    for peer in (
        Peer(
            name="torch",
            modules=("torch",),
            install=_EXTRA,
            dtype="float64",
            direct=_torch,
            transposed=_torch_transposed,
        ),
        Peer(
            name="onnxruntime",
            modules=("onnxruntime", "onnx"),
            install=_EXTRA,
            dtype="float32",
            direct=_onnx,
            transposed=_onnx_transposed,
        ),
        Peer(
            name="jax",
            modules=("jax",),
            install=_EXTRA,
            dtype="float32",
            direct=_jax,
            transposed=_jax_transposed,
        ),
        Peer(
            name="tensorflow",
            modules=("tensorflow",),
            install="tensorflow",
            dtype="float32",
            direct=_tensorflow,
            transposed=_tensorflow_transposed,
        ),
    )
}
