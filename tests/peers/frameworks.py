"""The real frameworks, asked about one layer written in the words of a spec.

`run(tool, case)` hands the layer, and the input and weight of `tests.peers.cases`, to the
framework's own operator and returns what it gives as (channels, *spatial), or `Refused` where the
framework raises, or `Unsayable` where it has no argument to say it with.  A framework is imported
when it is first asked, so that each may live in an environment of its own.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from math import prod
from typing import Any

import numpy as np

from tests.oracle import Array
from tests.peers.cases import Case, Shape, floored, source_of, weight_of


@dataclass(frozen=True)
class Refused:
    """The framework raised; the first words of its message."""

    reason: str


@dataclass(frozen=True)
class Unsayable:
    """The framework's operator has no argument for this."""

    reason: str


Outcome = Array | Refused | Unsayable


class _Unsayable(Exception):
    pass


class _Broken(Exception):
    """The framework would take the process down, or answer with what is no result."""


def _unless(condition: bool, reason: str) -> None:
    if not condition:
        raise _Unsayable(reason)


def _sound(condition: bool, reason: str) -> None:
    if not condition:
        raise _Broken(reason)


def _symmetric(case: Case) -> list[int]:
    _unless(all(b == a for b, a in case.pairs), "one padding for both sides")
    return [before for before, _ in case.pairs]


def _channels_last(array: Array) -> Array:
    """(channels, *spatial) as (1, *spatial, channels)."""
    return np.moveaxis(array, 0, -1)[None]


def _channels_first(array: Any) -> Array:
    return np.moveaxis(np.asarray(array)[0], -1, 0)


def _no_output_keys(case: Case, *keys: str) -> None:
    for key in keys:
        _unless(key not in case.layer, f"no {key}")


# ---------------------------------------------------------------------------------- PyTorch


def _torch(case: Case) -> Array:
    torch = import_module("torch")
    x = torch.from_numpy(source_of(case).astype(np.float64))[None]
    _unless(case.word != "same_lower", "no same_lower")
    if case.pools:
        return np.asarray(_torch_pool(torch, case, x)[0])
    weight = torch.from_numpy(weight_of(case).astype(np.float64))
    if case.type == "conv":
        padding: Any = case.word or _symmetric(case)
        call = getattr(torch.nn.functional, f"conv{case.rank}d")
        keys = {"stride": case.stride, "dilation": case.dilation, "groups": case.groups}
        return np.asarray(call(x, weight, padding=padding, **keys)[0])
    _unless(case.word in (None, "valid"), "no word but valid for conv_transpose")
    module = getattr(torch.nn, f"ConvTranspose{case.rank}d")(
        case.input[0],
        case.out_channels,
        case.kernel_size,
        stride=case.stride,
        padding=0 if case.word else _symmetric(case),
        output_padding=case.axes("output_padding", 0),
        dilation=case.dilation,
        groups=case.groups,
        bias=False,
    )
    module.weight = torch.nn.Parameter(weight)
    size = list(case.axes("output_size")) if "output_size" in case.layer else None
    return np.asarray(module(x, output_size=size)[0].detach())


def _torch_pool(torch: Any, case: Case, x: Any) -> Any:
    _unless(case.word in (None, "valid"), "no word but valid for pools")
    keys: dict[str, Any] = {
        "stride": case.stride,
        "padding": [0] * case.rank if case.word else _symmetric(case),
        "ceil_mode": bool(case.layer.get("ceil_mode", False)),
    }
    if case.type == "max_pool":
        keys["dilation"] = case.dilation
    else:
        _unless("dilation" not in case.layer, "no dilation")
        keys["count_include_pad"] = bool(case.layer.get("count_include_pad", True))
    return getattr(torch.nn.functional, f"{case.type}{case.rank}d")(x, case.kernel_size, **keys)


# ------------------------------------------------------------------------ TensorFlow, Keras


def _tensorflow(case: Case) -> Array:
    tf = import_module("tensorflow")
    _unless(case.word != "same_lower", "no same_lower")
    x = _channels_last(source_of(case).astype(np.float32))
    if case.pools:
        return _channels_first(_tensorflow_pool(tf, case, x))
    _no_output_keys(case, "output_padding")
    weight = weight_of(case).astype(np.float32)
    keys = {"strides": case.stride, "dilations": case.dilation}
    padding = _tensorflow_padding(case)
    if case.type == "conv":
        _sound(all(size > 0 for size in floored(case)), "an empty result comes back as the input")
        call = _tensorflow_conv(tf, case) if case.word else _explicit(None, tf.nn.conv2d, case)
        return _channels_first(_compiled(tf, case, call)(x, weight, padding=padding, **keys))
    size = case.axes("output_size") if "output_size" in case.layer else _keras_size(case)
    _sound(_reaches(case, size), "oneDNN lets a kernel reach past the output, TensorFlow does not")
    shape = (1, *size, case.out_channels)
    call = tf.nn.conv_transpose if case.word else _explicit(None, tf.nn.conv2d_transpose, case)
    return _channels_first(_compiled(tf, case, call)(x, weight, shape, padding=padding, **keys))


def _compiled(tf: Any, case: Case, call: Callable[..., Any]) -> Callable[..., Any]:
    """`call` through XLA where the kernels of the CPU lack something, or get it wrong.

    They have no groups in three dimensions and no dilation beside explicit pads; and oneDNN's
    Conv3D of TensorFlow 2.21 puts values out of place, as for n (3, 5, 1), k and s (2, 1, 3), SAME.
    """
    explicit = case.type == "conv_transpose" and not case.word and max(case.dilation) > 1
    solid = case.rank == 3 and max(case.dilation) == 1
    lacking = case.rank == 3 and case.groups > 1 and max(case.dilation) > 1
    _unless(not lacking, "no groups with dilation in three dimensions on a CPU")
    if case.groups == 1 and not explicit and not solid:
        return call

    def compiled(x: Array, *others: Any, **keys: Any) -> Any:
        # x is an argument: constants alone would be folded, by the kernels of the CPU.
        return tf.function(lambda y: call(y, *others, **keys), jit_compile=True)(tf.constant(x))

    return compiled


def _tensorflow_conv(tf: Any, case: Case) -> Callable[..., Any]:
    """conv1d, conv2d or conv3d: tf.nn.convolution refuses a stride together with a dilation."""
    if case.rank == 1:
        return lambda x, weight, *, strides, padding, dilations: tf.nn.conv1d(
            x, weight, strides, padding, dilations=dilations
        )
    if case.rank == 2:
        call: Callable[..., Any] = tf.nn.conv2d
        return call
    return lambda x, weight, *, strides, padding, dilations: tf.nn.conv3d(
        x, weight, (1, *strides, 1), padding, dilations=(1, *dilations, 1)
    )


def _explicit(one: Any, two: Any, case: Case) -> Any:
    """The operator of this rank that takes explicit pads; none of rank 3 does."""
    call = {1: one, 2: two}.get(case.rank)
    _unless(call is not None, f"no explicit pads at rank {case.rank}")
    return call


def _reaches(case: Case, size: Shape) -> bool:
    """Whether the direct convolution that is transposed has an output at all."""
    pairs = ((0, 0),) * case.rank if case.word else case.pairs
    axes = zip(size, case.kernel_size, case.dilation, pairs)
    return case.word == "same" or all(n + b + a > (k - 1) * d for n, k, d, (b, a) in axes)


def _keras_size(case: Case) -> Shape:
    """The output size of Keras's transposed convolution without output_padding."""
    _unless(case.word is not None, "no default size with explicit pads")
    axes = zip(case.sizes, case.kernel_size, case.stride, case.dilation, strict=True)
    if case.word == "same":
        return tuple(i * s for i, _, s, _ in axes)
    return tuple((i - 1) * s + max((k - 1) * d + 1, s) for i, k, s, d in axes)


def _tensorflow_padding(case: Case) -> Any:
    if case.word:
        return case.word.upper()
    return [[0, 0], *(list(pair) for pair in case.pairs), [0, 0]]


def _tensorflow_pool(tf: Any, case: Case, x: Array) -> Any:
    _unless(not case.layer.get("ceil_mode", False), "no ceil_mode")
    _unless("count_include_pad" not in case.layer, "no count_include_pad")
    kind = {"max_pool": "MAX", "avg_pool": "AVG"}[case.type]
    _sound(all(size > 0 for size in floored(case)), "an empty pool ends the process (SIGFPE)")
    if "dilation" in case.layer:
        keys = {"strides": case.stride, "dilations": case.dilation}
        _unless(case.word is not None, "tf.nn.pool pads a dilated window with zeros")
        return tf.nn.pool(x, case.kernel_size, kind, padding=_tensorflow_padding(case), **keys)
    call = tf.nn.max_pool if kind == "MAX" else tf.nn.avg_pool
    if not case.word:
        _unless(kind == "MAX", "no explicit pads")
        call = _explicit(tf.nn.max_pool1d, tf.nn.max_pool2d, case)
    return call(x, case.kernel_size, case.stride, _tensorflow_padding(case))


def _keras(case: Case) -> Array:
    keras = import_module("keras")
    _unless(case.word in ("same", "valid"), "no padding but same and valid")
    x = _channels_last(source_of(case).astype(np.float32))
    if case.pools:
        for key in ("dilation", "count_include_pad"):
            _unless(key not in case.layer, f"no {key}")
        _unless(not case.layer.get("ceil_mode", False), "no ceil_mode")
        _sound(all(size > 0 for size in floored(case)), "an empty pool ends the process (SIGFPE)")
        name = {"max_pool": "MaxPooling", "avg_pool": "AveragePooling"}[case.type]
        pool = getattr(keras.layers, f"{name}{case.rank}D")
        return _channels_first(pool(case.kernel_size, case.stride, padding=case.word)(x))
    keys: dict[str, Any] = {
        "strides": case.stride,
        "padding": case.word,
        "dilation_rate": case.dilation,
        "use_bias": False,
    }
    _no_output_keys(case, "output_size")
    if case.type == "conv":
        keys["groups"] = case.groups
        name = f"Conv{case.rank}D"
    else:
        _unless(case.groups == 1, "no groups")
        keys["output_padding"] = case.layer.get("output_padding")
        name = f"Conv{case.rank}DTranspose"
    layer = getattr(keras.layers, name)(case.out_channels, case.kernel_size, **keys)
    layer.build(x.shape)
    layer.set_weights([weight_of(case).astype(np.float32)])
    return _channels_first(_compiled(import_module("tensorflow"), case, layer)(x))


# -------------------------------------------------------------------------------------- JAX

_SPATIAL = "DHW"


def _jax(case: Case) -> Array:
    lax = import_module("jax").lax
    if case.pools:
        return _jax_pool(lax, case)
    _no_output_keys(case, "output_padding", "output_size")
    x = _channels_last(source_of(case).astype(np.float32))
    spatial = _SPATIAL[-case.rank :]
    padding = case.word.upper() if case.word else case.pairs
    keys: dict[str, Any] = {
        "rhs_dilation": case.dilation,
        "dimension_numbers": (f"N{spatial}C", f"{spatial}IO", f"N{spatial}C"),
    }
    weight = weight_of(case).astype(np.float32)
    if case.type == "conv":
        keys["feature_group_count"] = case.groups
        return _channels_first(lax.conv_general_dilated(x, weight, case.stride, padding, **keys))
    _unless(case.groups == 1, "no groups")
    keys["transpose_kernel"] = case.flipped
    return _channels_first(lax.conv_transpose(x, weight, case.stride, padding, **keys))


def _jax_pool(lax: Any, case: Case) -> Array:
    _unless(not case.layer.get("ceil_mode", False), "no ceil_mode")
    x = source_of(case).astype(np.float32)
    padding: Any = case.word.upper() if case.word else ((0, 0), *case.pairs)
    keys = {"window_dilation": (1, *case.dilation)} if "dilation" in case.layer else {}
    window, stride = (1, *case.kernel_size), (1, *case.stride)
    if case.type == "max_pool":
        return np.asarray(lax.reduce_window(x, -np.inf, lax.max, window, stride, padding, **keys))
    total = lax.reduce_window(x, 0.0, lax.add, window, stride, padding, **keys)
    if case.layer.get("count_include_pad", True):
        return np.asarray(total, np.float64) / prod(window)
    ones = np.ones_like(x)
    count = lax.reduce_window(ones, 0.0, lax.add, window, stride, padding, **keys)
    return np.asarray(total, np.float64) / np.asarray(count, np.float64)


# ------------------------------------------------------------------------------------- ONNX

OPERATORS = {
    "conv": "Conv",
    "conv_transpose": "ConvTranspose",
    "max_pool": "MaxPool",
    "avg_pool": "AveragePool",
}
AUTO_PAD = {"same": "SAME_UPPER", "same_lower": "SAME_LOWER", "valid": "VALID"}


def onnx_attributes(case: Case) -> dict[str, Any]:
    """The attributes that say this layer; what is not written is left to the operator."""
    attributes: dict[str, Any] = {"kernel_shape": case.kernel_size, "strides": case.stride}
    if case.word:
        attributes["auto_pad"] = AUTO_PAD[case.word]
    if not case.word and "padding" in case.layer:
        attributes["pads"] = [pair[end] for end in (0, 1) for pair in case.pairs]
    if "dilation" in case.layer:
        attributes["dilations"] = case.dilation
    if not case.pools:
        attributes["group"] = case.groups
    for key, name in (("output_padding", "output_padding"), ("output_size", "output_shape")):
        if key in case.layer:
            attributes[name] = case.axes(key)
    for name in ("ceil_mode", "count_include_pad"):
        if name in case.layer:
            attributes[name] = int(case.layer[name])
    return attributes


def _onnx_model(case: Case) -> Any:
    onnx = import_module("onnx")
    helper, floating = onnx.helper, onnx.TensorProto.FLOAT
    names = ["x"] if case.pools else ["x", "w"]
    operator = helper.make_node(OPERATORS[case.type], names, ["y"], **onnx_attributes(case))
    inputs = [helper.make_tensor_value_info("x", floating, (1, *case.input))]
    constants = []
    if not case.pools:
        weight = weight_of(case).astype(np.float32)
        constants.append(onnx.numpy_helper.from_array(weight, "w"))
    output = helper.make_tensor_value_info("y", floating, [None] * (case.rank + 2))
    graph = helper.make_graph([operator], "one", inputs, [output], constants)
    opsets = [helper.make_opsetid("", case.opset or 22)]
    # The oldest IR in which a weight need not be an input as well.
    return helper.make_model(graph, opset_imports=opsets, ir_version=4 if _old(case) else 10)


def _old(case: Case) -> bool:
    return (case.opset or 22) < 15


def onnx_session(model: Any) -> Any:
    """ONNX Runtime's session for a model, on one thread: more take longer to start than to run."""
    runtime = import_module("onnxruntime")
    runtime.set_default_logger_severity(4)
    options = runtime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 4
    content = model.SerializeToString()
    return runtime.InferenceSession(content, options, providers=["CPUExecutionProvider"])


def _onnxruntime(case: Case) -> Array:
    x = source_of(case).astype(np.float32)[None]
    return np.asarray(onnx_session(_onnx_model(case)).run(None, {"x": x})[0][0])


def _onnx_reference(case: Case) -> Array:
    evaluator = import_module("onnx.reference").ReferenceEvaluator(_onnx_model(case))
    x = source_of(case).astype(np.float32)[None]
    return np.asarray(evaluator.run(None, {"x": x})[0][0])


def _onnx_shapes(case: Case) -> Array:
    """An array of no numbers: its shape is what shape inference says."""
    onnx = import_module("onnx")
    onnx.checker.check_model(_onnx_model(case))
    inferred = onnx.shape_inference.infer_shapes(_onnx_model(case), strict_mode=True)
    tensor = inferred.graph.output[0].type.tensor_type
    _unless(tensor.HasField("shape"), "no shape inferred")
    return np.broadcast_to(np.float64(0), [axis.dim_value for axis in tensor.shape.dim][1:])


# ------------------------------------------------------------------------------------- runs


@dataclass(frozen=True)
class Tool:
    """What answers for a framework; `values` is false where it knows shapes alone."""

    framework: str
    module: str
    call: Callable[[Case], Array]
    values: bool = True

    @property
    def installed(self) -> bool:
        return _installed(self.module)


@cache
def _installed(module: str) -> bool:
    return find_spec(module) is not None


TOOLS: dict[str, Tool] = {
    "torch": Tool("pytorch", "torch", _torch),
    "tensorflow": Tool("tensorflow", "tensorflow", _tensorflow),
    "keras": Tool("keras", "keras", _keras),
    "jax": Tool("jax", "jax", _jax),
    "onnxruntime": Tool("onnx", "onnxruntime", _onnxruntime),
    "onnx_reference": Tool("onnx", "onnx", _onnx_reference),
    "onnx_shapes": Tool("onnx", "onnx", _onnx_shapes, values=False),
}


def run(tool: str, case: Case) -> Outcome:
    """What `tool` makes of `case`: an array (channels, *spatial), Refused or Unsayable."""
    try:
        return TOOLS[tool].call(case)
    except _Unsayable as reason:
        return Unsayable(str(reason))
    except _Broken as reason:
        return Refused(str(reason))
    except Exception as error:  # every framework has errors of its own
        return Refused(f"{type(error).__name__}: {' '.join(str(error).split())}")
