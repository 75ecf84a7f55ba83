"""The lines of code that `convt compare` prints, run by the frameworks they are written for.

A line has to give what its layer gives, whichever framework's words the layer was written in.
What a layer gives is computed by the oracle from the explicit pads alone.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec
from itertools import product
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings

from convt_cli.arithmetic.averages import counts_padding
from convt_cli.arithmetic.axis import Axis
from convt_cli.arithmetic.convolution import Shape
from convt_cli.arithmetic.dialects.frameworks import FRAMEWORKS
from convt_cli.arithmetic.network import NetworkLayer
from convt_cli.arithmetic.questions.comparison import axes_of
from convt_cli.reports.code_lines import Target, code_line, layer_line, target_of
from convt_cli.reports.code_lines.condition import Condition
from tests import oracle
from tests.oracle import Array
from tests.peers.frameworks import onnx_session
from tests.strategies import geometry, window
from tests.written import TYPES, layer_of, layers, on_sizes

pytestmark = pytest.mark.peers

EXAMPLES = int(os.environ.get("CODE_LINE_EXAMPLES", "40"))
"""Layers drawn for each framework and type."""


def numbers(shape: Shape, salt: int) -> Array:
    return np.random.default_rng(salt).integers(-9, 10, shape).astype(np.float64)


def given_values(layer: NetworkLayer, framework: str, x: Array, weight: Array, b: Array) -> Array:
    """What the layer gives, (channels, *spatial), from its explicit pads."""
    convolution = layer.geometry.convolution
    if convolution is None:
        counts = counts_padding(layer.definition, FRAMEWORKS[framework])
        return pooled(x, target_of(layer, FRAMEWORKS[framework]), counts=counts)
    if convolution.adjoint:
        extras = [axis.output_padding for axis in convolution.axes]
        y = oracle.transposed(x, weight, output_padding=extras, **window(convolution))
    else:
        y = oracle.direct(x, weight, **geometry(convolution))
    return y + b.reshape(-1, *(1 for _ in convolution.axes))


def pooled(x: Array, target: Target, *, counts: bool) -> Array:
    """The maximum, or the mean, of the window at every position."""
    y = np.zeros((len(x), *(axis.output_size for axis in target.axes)))
    for place in np.ndindex(y.shape[1:]):
        spots = list(product(*map(inputs_of, target.axes, place)))
        index: tuple[Any, ...] = (slice(None), *zip(*spots, strict=True))
        seen = x[index]
        if target.type == "max_pool":
            y[:, *place] = seen.max(axis=1)
        else:
            divisor = np.prod(list(map(reach, target.axes, target.pads, place)))
            y[:, *place] = seen.sum(axis=1) / (divisor if counts else len(spots))
    return y


def inputs_of(axis: Axis, output: int) -> list[int]:
    every = (output * axis.stride + tap * axis.dilation - axis.before
             for tap in range(axis.kernel_size))  # fmt: skip
    return [source for source in every if 0 <= source < axis.input_size]


def reach(axis: Axis, pair: tuple[int, int], output: int) -> int:
    """The taps at `output` that lie in the input or in the pads that were asked for."""
    every = (output * axis.stride - axis.before + tap * axis.dilation
             for tap in range(axis.kernel_size))  # fmt: skip
    return sum(source < axis.input_size + pair[1] for source in every)


def channels_last(array: Array) -> Array:
    return np.moveaxis(array, 0, -1)[None].astype(np.float32)


def channels_first(array: Any) -> Array:
    return np.moveaxis(np.asarray(array)[0], -1, 0)


def by_torch(line: str, x: Array, weight: Array, b: Array) -> Array:
    torch = import_module("torch")

    class Filled:
        """`torch.nn` whose modules have the numbers of the layer."""

        def __getattr__(self, name: str) -> Callable[..., Any]:
            def make(*arguments: Any, **keys: Any) -> Any:
                module = getattr(torch.nn, name)(*arguments, **keys).double()
                values = {"weight": weight, "bias": b}
                for key, parameter in module.named_parameters():
                    assert parameter.shape == values[key].shape
                    parameter.data = torch.from_numpy(values[key])
                return module

            return make

    names = {"nn": Filled(), "F": torch.nn.functional, "torch": torch}
    names |= {"x": torch.from_numpy(x)[None], "b": torch.from_numpy(b)}
    return np.asarray(eval(line, names)[0].detach())


def by_jax(line: str, x: Array, weight: Array, b: Array) -> Array:
    jax = import_module("jax")
    names = {"jax": jax, "lax": jax.lax, "jnp": jax.numpy, "x": jax.numpy.asarray(channels_last(x))}
    return channels_first(eval(line, names | {"w": stored(weight), "b": b.astype(np.float32)}))


def stored(weight: Array) -> Array:
    """(*kernel, in / groups, out) of (out, in / groups, *kernel)."""
    return np.moveaxis(weight, (0, 1), (-1, -2)).astype(np.float32)


def by_onnxruntime(line: str, x: Array, weight: Array, b: Array) -> Array:
    onnx = import_module("onnx")
    helper, floating = onnx.helper, onnx.TensorProto.FLOAT
    said = eval(line, {"helper": helper})
    nodes = said if isinstance(said, list) else [said]
    inputs = {name for node in nodes for name in node.input}
    constants = [
        onnx.numpy_helper.from_array(values.astype(np.float32), name)
        for name, values in {"w": weight, "b": b}.items()
        if name in inputs
    ]
    source = helper.make_tensor_value_info("x", floating, (1, *x.shape))
    result = helper.make_tensor_value_info("y", floating, [None] * (x.ndim + 1))
    graph = helper.make_graph(nodes, "one", [source], [result], constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 22)], ir_version=10)
    return np.asarray(onnx_session(model).run(None, {"x": x[None].astype(np.float32)})[0][0])


def by_tensorflow(line: str, x: Array, weight: Array, b: Array) -> Array:
    names = {"tf": import_module("tensorflow"), "x": channels_last(x), "w": stored(weight)}
    return channels_first(eval(line, names | {"b": b.astype(np.float32)}))


def by_keras(line: str, x: Array, weight: Array, b: Array) -> Array:
    keras = import_module("keras")

    class Layers:
        """`keras.layers` whose layers have the numbers of the layer."""

        def __getattr__(self, name: str) -> Callable[..., Any]:
            def make(*arguments: Any, **keys: Any) -> Any:
                layer = getattr(keras.layers, name)(*arguments, **keys)
                return lambda source: filled(layer, source, stored(weight), b)

            return make

    class Keras:
        layers = Layers()
        ops = keras.ops

    names = {"keras": Keras(), "x": channels_last(x), "b": b.astype(np.float32)}
    return channels_first(eval(line, names))


def filled(layer: Any, source: Any, kernel: Array, b: Array) -> Any:
    """The layer on `source`; one that has weights gets these."""
    layer.build(source.shape)
    if layer.weights:
        layer.set_weights([kernel, b.astype(np.float32)][: len(layer.weights)])
    return layer(source)


RUNNERS: dict[str, tuple[str, Callable[[str, Array, Array, Array], Array]]] = {
    "pytorch": ("torch", by_torch),
    "jax": ("jax", by_jax),
    "onnx": ("onnxruntime", by_onnxruntime),
    "tensorflow": ("tensorflow", by_tensorflow),
    "keras": ("keras", by_keras),
}


@pytest.mark.parametrize("layer_type", TYPES)
@pytest.mark.parametrize("framework", RUNNERS)
def test_a_line_gives_what_its_layer_gives(framework: str, layer_type: str) -> None:
    module, _ = RUNNERS[framework]
    if find_spec(module) is None:
        pytest.skip(f"{module} is not installed")

    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
    )
    @given(layers(layer_type))
    def check(drawn: tuple[NetworkLayer, str]) -> None:
        layer, own = drawn
        line = layer_line(layer, FRAMEWORKS[own], framework)
        assume(line.text is not None and line.condition is not None)
        for sizes in others_of(line.condition, layer.inputs[0][1:]):
            resized = on_sizes(layer, own, sizes)
            if resized is not None:
                assert_gives_what_it_does(str(line.text), framework, resized, own)

    check()


def assert_gives_what_it_does(line: str, framework: str, layer: NetworkLayer, own: str) -> None:
    """The line, run by its framework, gives what the oracle makes of the layer."""
    target = target_of(layer, FRAMEWORKS[own])
    if framework == "jax" and aborts_in_xla(layer):
        return
    if not (layer.type.startswith("conv") or every_window_reads(target)):
        return
    x, weight, b = arrays_of(layer, target)
    expected = given_values(layer, own, x, weight, b)
    actual = RUNNERS[framework][1](line, x, kernel_for(framework, target, weight), b)
    assert actual.shape == expected.shape, line
    np.testing.assert_allclose(actual, expected, rtol=1e-5, atol=1e-4, err_msg=line)


def others_of(condition: Condition | None, sizes: Shape) -> list[Shape]:
    """The sizes themselves, the least the condition names, and some larger ones of it."""
    assert condition is not None
    assert all(size in axis for size, axis in zip(sizes, condition.axes, strict=True))
    least = tuple(axis.start for axis in condition.axes)
    moved = [
        tuple(
            size + axis.step * more[n % len(more)]
            for n, (size, axis) in enumerate(zip(sizes, condition.axes, strict=True))
        )
        for more in ((1, 2), (3, 1), (5,))
    ]
    return list(dict.fromkeys([sizes, least, *moved]))


def aborts_in_xla(layer: NetworkLayer) -> bool:
    """XLA 0.10 ends the process where a transposed layer's input is a single element wide."""
    return layer.type == "conv_transpose" and 1 in layer.inputs[0][1:]


def kernel_for(framework: str, target: Target, weight: Array) -> Array:
    """The kernel as it is stored: JAX's has its taps in reverse where the target is flipped."""
    if framework == "jax" and target.flipped:
        return np.flip(np.swapaxes(weight, 0, 1), tuple(range(2, weight.ndim))).copy()
    return weight


def every_window_reads(target: Target) -> bool:
    """No window lies in the padding altogether."""
    return not target.type.endswith("_pool") or all(
        inputs_of(axis, place) for axis in target.axes for place in range(axis.output_size)
    )


def arrays_of(layer: NetworkLayer, target: Target) -> tuple[Array, Array, Array]:
    """(x, weight, bias): a bias of zeros where the layer has none."""
    convolution = layer.geometry.convolution
    weight = numbers((1, 1), 2) if convolution is None else numbers(convolution.weight_shape, 2)
    bias = numbers((target.channels[1],), 3)
    return numbers(layer.inputs[0], 1), weight, bias if target.has_bias else np.zeros_like(bias)


@pytest.mark.parametrize(
    ("framework", "keys", "source", "line"),
    [
        (
            "keras",
            {"kernel_size": 7, "stride": 2, "padding": "same"},
            (3, 224, 224),
            "nn.Conv2d(3, 2, 7, stride=2)(F.pad(x, (2, 3, 2, 3)))",
        ),
        (
            "pytorch",
            {"kernel_size": 3, "padding": ((1, 2),), "padding_mode": "reflect"},
            (3, 6),
            "nn.Conv1d(3, 2, 3)(F.pad(x, (1, 2), mode='reflect'))",
        ),
        (
            "pytorch",
            {"kernel_size": 3, "padding": 1, "padding_mode": "circular"},
            (3, 6),
            "nn.Conv1d(3, 2, 3, padding=1, padding_mode='circular')(x)",
        ),
    ],
)
def test_lines_of_pytorch(framework: str, keys: dict[str, Any], source: Shape, line: str) -> None:
    layer = layer_of(framework, "conv", source, {"out_channels": 2, **keys})
    assert code_line(target_of(layer, FRAMEWORKS[framework]), "pytorch").text == line
    assert axes_of(layer.geometry)
