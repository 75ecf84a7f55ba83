"""The numbers of imported ONNX models: what a network computes, against ONNX Runtime.

Each case is one node, or a few, on x.  The model is written, read as SPEC, and run forward.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from convt_cli.analysis.backward.run import prepared, run, way_to
from convt_cli.files.weights import Weights
from convt_cli.models.load import load_model, load_spec

onnx = pytest.importorskip("onnx")
runtime = pytest.importorskip("onnxruntime")

pytestmark = pytest.mark.peers

F32 = np.float32
SHAPE = (2, 4, 7, 9)


def numbers(*shape: int) -> Any:
    """Float32 numbers on both sides of 0, other ones for every shape."""
    return np.random.default_rng(sum(shape)).normal(size=shape).astype(F32)


def positive(*shape: int) -> Any:
    return np.abs(numbers(*shape)) + F32(0.5)


def node(operator: str, inputs: str, outputs: str = "y", **attributes: Any) -> Any:
    domain = "com.microsoft" if attributes.pop("contributed", False) else ""
    given = ["" if one == "-" else one for one in inputs.split()]
    return onnx.helper.make_node(operator, given, outputs.split(), domain=domain, **attributes)


def branch(operator: str) -> Any:
    """A graph in a node that reads x."""
    given = onnx.helper.make_tensor_value_info(operator, onnx.TensorProto.FLOAT, None)
    return onnx.helper.make_graph([node(operator, "x", operator)], operator, [], [given])


def write_model(
    path: Path,
    nodes: list[Any],
    constants: dict[str, Any],
    *,
    shape: tuple[int, ...] = SHAPE,
    opset: int = 20,
    outputs: tuple[str, ...] = ("y",),
) -> None:
    """A model that reads x, written to `path`."""
    value = onnx.helper.make_tensor_value_info
    graph = onnx.helper.make_graph(
        nodes,
        "graph",
        [value("x", onnx.TensorProto.FLOAT, shape)],
        [value(name, onnx.TensorProto.FLOAT, None) for name in outputs],
        [onnx.numpy_helper.from_array(np.asarray(one), name) for name, one in constants.items()],
    )
    opsets = [onnx.helper.make_opsetid("", opset), onnx.helper.make_opsetid("com.microsoft", 1)]
    onnx.save(onnx.helper.make_model(graph, opset_imports=opsets, ir_version=8), str(path))


def assert_computes_as_the_runtime(path: Path, shape: tuple[int, ...] = SHAPE) -> None:
    """Every output of the model is the runtime's, to rounding, and nothing is lost."""
    x = 3 * np.random.default_rng(0).normal(size=shape).astype(F32)
    session = runtime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    imported = load_model(str(path), path.name)
    assert imported.messages == ()
    assert not any(layer.stands_for for layer in imported.layers.values())
    network = load_spec(path)
    weights = Weights(network)
    expected = session.run(None, {"x": x})
    for name, wanted in zip(network.outputs, expected, strict=True):
        found = run(prepared(way_to(network, name), weights, x.dtype), x).activations
        np.testing.assert_allclose(found, wanted, rtol=2e-5, atol=2e-5)


ACTIVATIONS: dict[str, tuple[Any, dict[str, Any], int]] = {
    "leaky_relu": (node("LeakyRelu", "x", alpha=0.3), {}, 20),
    "leaky_relu-default": (node("LeakyRelu", "x"), {}, 20),
    "elu": (node("Elu", "x", alpha=0.7), {}, 20),
    "hard_sigmoid": (node("HardSigmoid", "x", alpha=0.3, beta=0.4), {}, 20),
    "hard_sigmoid-default": (node("HardSigmoid", "x"), {}, 20),
    "hard_swish": (node("HardSwish", "x"), {}, 20),
    "selu": (node("Selu", "x"), {}, 20),
    "selu-others": (node("Selu", "x", alpha=1.5, gamma=0.8), {}, 20),
    "mish": (node("Mish", "x"), {}, 20),
    "softplus": (node("Softplus", "x"), {}, 20),
    "gelu": (node("Gelu", "x"), {}, 20),
    "gelu-tanh": (node("Gelu", "x", approximate="tanh"), {}, 20),
    "gelu-contributed": (node("Gelu", "x", contributed=True), {}, 17),
    "clip": (node("Clip", "x low high"), {"low": F32(-0.3), "high": F32(1.7)}, 13),
    "clip-above": (node("Clip", "x - high"), {"high": F32(0.1)}, 13),
    "clip-below": (node("Clip", "x low"), {"low": F32(0.1)}, 13),
    "clip-open": (node("Clip", "x"), {}, 13),
    "clip-attributes": (node("Clip", "x", min=-1.0, max=0.5), {}, 6),
    "prelu-one": (node("PRelu", "x w"), {"w": numbers(1)}, 16),
    "prelu-channels": (node("PRelu", "x w"), {"w": numbers(4, 1, 1)}, 16),
    "prelu-elements": (node("PRelu", "x w"), {"w": numbers(1, 4, 7, 9)}, 16),
    "softmax": (node("Softmax", "x"), {}, 13),
    "log_softmax": (node("LogSoftmax", "x"), {}, 13),
    "log_softmax-flat": (node("LogSoftmax", "x", axis=2), {}, 11),
    **{
        name: (node(name, "x"), {}, 13)
        for name in (
            *("Abs", "Sign", "Floor", "Ceil", "Round", "Exp", "Erf", "Sin", "Cos", "Atan"),
            *("Neg", "Softsign", "Reciprocal"),
        )
    },
    "power": (node("Pow", "x e"), {"e": F32(3)}, 13),
    "softmax-channels": (node("Softmax", "x", axis=1), {}, 13),
    "softmax-rows": (node("Softmax", "x", axis=-2), {}, 13),
    "softmax-flat": (node("Softmax", "x", axis=1), {}, 11),
    "softmax-flat-last": (node("Softmax", "x", axis=-1), {}, 11),
    "softmax-flat-two": (node("Softmax", "x", axis=2), {}, 11),
}

STATISTICS = {"w": numbers(4), "b": numbers(4, 1)[:, 0], "m": numbers(4), "v": positive(4)}

NORMS: dict[str, tuple[Any, dict[str, Any], int]] = {
    "batch": (node("BatchNormalization", "x w b m v", epsilon=0.01), STATISTICS, 15),
    "batch-default": (node("BatchNormalization", "x w b m v"), STATISTICS, 9),
    "instance": (
        node("InstanceNormalization", "x w b", epsilon=0.1),
        {"w": numbers(4), "b": numbers(4)},
        6,
    ),
    "group": (
        node("GroupNormalization", "x w b", num_groups=2, epsilon=0.1),
        {"w": numbers(4), "b": numbers(4)},
        21,
    ),
    "layer": (
        node("LayerNormalization", "x w b", epsilon=0.1),
        {"w": numbers(9), "b": numbers(9)},
        17,
    ),
    "layer-no-bias": (node("LayerNormalization", "x w", axis=2), {"w": numbers(7, 9)}, 17),
    "layer-all": (
        node("LayerNormalization", "x w b", axis=1),
        {"w": numbers(1, 4, 7, 9), "b": numbers(4, 7, 9)},
        17,
    ),
    "lrn": (node("LRN", "x", size=3, alpha=0.2, beta=0.6, bias=1.5), {}, 13),
    "lrn-default": (node("LRN", "x", size=5), {}, 13),
}

SLICES: dict[str, tuple[Any, dict[str, Any], int]] = {
    "channels": (
        node("Slice", "x s e a"),
        {"s": np.array([1]), "e": np.array([3]), "a": np.array([1])},
        13,
    ),
    "all": (
        node("Slice", "x s e a t"),
        {
            "s": np.array([-1, 1, 8]),
            "e": np.array([-(2**62), 7, 0]),
            "a": np.array([1, 2, 3]),
            "t": np.array([-2, 2, -3]),
        },
        13,
    ),
    "step": (
        node("Slice", "x s e a t"),
        {"s": np.array([1]), "e": np.array([99]), "a": np.array([3]), "t": np.array([3])},
        13,
    ),
    "reversed": (
        node("Slice", "x s e a t"),
        {"s": np.array([-2]), "e": np.array([1]), "a": np.array([2]), "t": np.array([-1])},
        13,
    ),
    "gather": (node("Gather", "x i", axis=1), {"i": np.array([2, 3])}, 13),
    "gather-steps": (node("Gather", "x i", axis=3), {"i": np.array([0, 4, -1])}, 13),
    "gather-backwards": (node("Gather", "x i", axis=1), {"i": np.array([3, 2, 1, 0])}, 13),
    "gather-one": (node("Gather", "x i", axis=1), {"i": np.array(-2)}, 13),
    "gather-one-row": (node("Gather", "x i", axis=2), {"i": np.array(5)}, 13),
    "pad-reflect": (
        node("Pad", "x p", mode="reflect"),
        {"p": np.array([0, 0, 2, 1, 0, 0, 0, 3])},
        13,
    ),
    "pad-edge": (node("Pad", "x p", mode="edge"), {"p": np.array([0, 0, 2, 1, 0, 0, 0, 3])}, 13),
    "pad-wrap": (node("Pad", "x p", mode="wrap"), {"p": np.array([0, 0, 2, 1, 0, 0, 0, 3])}, 19),
    "pad-channels": (node("Pad", "x p"), {"p": np.array([0, 2, 0, 1, 0, 1, 0, 3])}, 13),
}

PRODUCTS: dict[str, tuple[Any, dict[str, Any], int]] = {
    "last": (node("MatMul", "x w"), {"w": numbers(9, 5)}, 13),
    "batched": (node("MatMul", "x w"), {"w": numbers(1, 9, 5)}, 13),
    "first": (node("MatMul", "w x"), {"w": numbers(5, 7)}, 13),
}

REDUCTIONS: dict[str, tuple[Any, dict[str, Any], int]] = {
    f"{operator}-{'-'.join(map(str, axes))}-{kept}": (
        node(operator, "x", axes=axes, keepdims=kept),
        {},
        13,
    )
    for operator in ("ReduceMean", "ReduceMax")
    for axes in ([1], [3], [1, 2], [2, 3], [1, 2, 3])
    for kept in (0, 1)
    if kept or len(axes) < 3
}


@pytest.mark.parametrize(
    "case",
    [
        pytest.param(case, id=name)
        for cases in (ACTIVATIONS, NORMS, SLICES, PRODUCTS, REDUCTIONS)
        for name, case in cases.items()
    ],
)
def test_a_node_computes_what_the_runtime_does(
    case: tuple[Any, dict[str, Any], int], tmp_path: Path
) -> None:
    one, constants, opset = case
    path = tmp_path / "net.onnx"
    write_model(path, [one], constants, opset=opset)
    assert_computes_as_the_runtime(path)


NETWORKS: dict[str, tuple[list[Any], dict[str, Any], tuple[int, ...], tuple[str, ...]]] = {
    "a bias in a shape that depends on the input": (
        [
            node("Shape", "x", "s"),
            node("Gather", "s last", "size", axis=0),
            node("Concat", "one one one size", "sizes", axis=0),
            node("Reshape", "b sizes", "brought"),
            node("Cast", "brought", "c", to=1),
            node("Add", "x c"),
        ],
        {"last": np.array([3]), "one": np.array([1]), "b": numbers(9)},
        SHAPE,
        ("y",),
    ),
    "split": (
        [node("Split", "x n", "a b c", axis=1), node("Mul", "a c", "d"), node("Relu", "b")],
        {"n": np.array([1, 2, 1])},
        SHAPE,
        ("y", "d"),
    ),
    "split-rows": (
        [node("Split", "x n", "a b", axis=3), node("Concat", "b a", axis=3)],
        {"n": np.array([4, 5])},
        SHAPE,
        ("y",),
    ),
    "product-and-bias": (
        [node("MatMul", "x w", "a"), node("Add", "b a", "c"), node("Relu", "c")],
        {"w": numbers(9, 5), "b": numbers(5)},
        SHAPE,
        ("y",),
    ),
    "product-of-rows-and-bias": (
        [node("MatMul", "w x", "a"), node("Add", "a b")],
        {"w": numbers(5, 7), "b": numbers(5, 1)},
        SHAPE,
        ("y",),
    ),
    "flat": (
        [node("MatMul", "x w", "a"), node("Add", "a b", "c"), node("Gemm", "c v d", transB=1)],
        {"w": numbers(10, 5), "b": numbers(5), "v": numbers(3, 5), "d": numbers(1, 3)},
        (2, 10),
        ("y",),
    ),
    "gemm-turned": (
        [node("Gemm", "x w b")],
        {"w": numbers(10, 5), "b": numbers(5)},
        (2, 10),
        ("y",),
    ),
    "waveform": (
        [node("Pad", "x p", "a", mode="reflect"), node("Pad", "a q")],
        {"p": np.array([0, 3, 0, 2]), "q": np.array([0, -1, 0, 4])},
        (2, 10),
        ("y",),
    ),
    "dequantized": (
        [node("DequantizeLinear", "q s z", "w", axis=0), node("Conv", "x w")],
        {
            "q": np.arange(-12, 12, dtype=np.int8).reshape(3, 4, 2, 1),
            "s": np.array([0.5, 0.25, 2], F32),
            "z": np.array([3, -1, 0], np.int8),
        },
        SHAPE,
        ("y",),
    ),
    "tiled": (
        [node("Tile", "x r", "a"), node("Slice", "a z o o", "b"), node("Expand", "b s")],
        {
            "r": np.array([1, 2, 1, 2]),
            "z": np.array([0]),
            "o": np.array([1]),
            "s": np.array([3, 1, 1]),
        },
        SHAPE,
        ("y",),
    ),
    "branch": (
        [
            node("Shape", "x", "s"),
            node("Gather", "s one", "c"),
            node("Equal", "c four", "is_four"),
            node("If", "is_four", then_branch=branch("Neg"), else_branch=branch("Relu")),
        ],
        {"one": np.array(1), "four": np.array(4)},
        SHAPE,
        ("y",),
    ),
    "unpooled": (
        [
            node("MaxPool", "x", "a places", kernel_shape=[3, 2], strides=[2, 1]),
            node("Relu", "a", "b"),
            node("MaxUnpool", "b places", kernel_shape=[3, 2], strides=[2, 1]),
        ],
        {},
        SHAPE,
        ("y",),
    ),
    "layer-norm-written-out": (
        [
            node("ReduceMean", "x", "mean", axes=[1]),
            node("Sub", "x mean", "d"),
            node("Pow", "d two", "squares"),
            node("ReduceMean", "squares", "variance", axes=[1]),
            node("Add", "variance eps", "shifted"),
            node("Sqrt", "shifted", "root"),
            node("Div", "d root", "n"),
            node("Mul", "w n", "scaled"),
            node("Add", "scaled b"),
        ],
        {
            "two": F32(2),
            "eps": F32(0.01),
            "w": numbers(4, 1, 1),
            "b": numbers(1, 4, 1, 1),
        },
        SHAPE,
        ("y",),
    ),
    "layer-norm-and-a-sum": (
        [node("LayerNormalization", "x w", "n", axis=-1), node("Add", "n b")],
        {"w": numbers(9), "b": numbers(9)},
        SHAPE,
        ("y",),
    ),
    "layer-norm-of-volumes": (
        [
            node("ReduceMean", "x", "mean", axes=[-3, -1, -2]),
            node("Sub", "x mean", "d"),
            node("Sub", "x mean", "again"),
            node("Mul", "again again", "squares"),
            node("ReduceMean", "squares", "variance", axes=[-1, -2, -3]),
            node("Add", "eps variance", "shifted"),
            node("Sqrt", "shifted", "root"),
            node("Div", "d root", "n"),
            node("Mul", "n w", "scaled"),
            node("Add", "scaled b"),
        ],
        {"eps": F32(0.01), "w": numbers(4, 7, 9), "b": numbers(1, 4, 7, 9)},
        SHAPE,
        ("y",),
    ),
    "norm-with-other-numbers": (
        [
            node("ReduceMean", "x", "mean", axes=[2, 3]),
            node("Sub", "x mean", "d"),
            node("Mul", "d d", "squares"),
            node("ReduceMean", "squares", "variance", axes=[2, 3]),
            node("Add", "variance eps", "shifted"),
            node("Sqrt", "shifted", "root"),
            node("Div", "d root", "n"),
            node("Mul", "n w", "scaled"),
            node("Add", "scaled w"),
        ],
        {"eps": F32(0.01), "w": numbers(4, 1, 1)},
        SHAPE,
        ("y",),
    ),
    "gelu-written-out": (
        [
            node("Div", "x root", "scaled"),
            node("Erf", "scaled", "e"),
            node("Add", "e one", "shifted"),
            node("Mul", "x shifted", "product"),
            node("Mul", "product half"),
        ],
        {"root": F32(2**0.5), "one": F32(1), "half": F32(0.5)},
        SHAPE,
        ("y",),
    ),
    "gelu-halved-first": (
        [
            node("Mul", "x root", "scaled"),
            node("Erf", "scaled", "e"),
            node("Add", "one e", "shifted"),
            node("Mul", "half x", "halved"),
            node("Mul", "shifted halved"),
        ],
        {"root": F32(0.5**0.5), "one": F32(1), "half": F32(0.5)},
        SHAPE,
        ("y",),
    ),
    "powers": (
        [node("Pow", "x two", "a"), node("Pow", "x three", "b"), node("Sub", "a b")],
        {"two": F32(2), "three": F32(3)},
        SHAPE,
        ("y",),
    ),
    **{
        f"{operator.lower()}-{shape}{'-first' if first else ''}": (
            [node(operator, "k x" if first else "x k")],
            {"k": numbers(*shape)},
            SHAPE,
            ("y",),
        )
        for operator in ("Add", "Mul", "Sub")
        for shape in ((9,), (7, 1), (7, 9), (4, 1, 9), (1, 4, 7, 9), (20, 4, 1, 1)[1:])
        for first in (False, True)
    },
    "grown": (
        [node("GlobalMaxPool", "x", "a"), node("Add", "a k", "b"), node("Mul", "m b")],
        {"k": numbers(4, 1, 5), "m": numbers(1, 4, 3, 1)},
        SHAPE,
        ("y",),
    ),
    "joined-constants": (
        [node("Concat", "x zeros", "a", axis=1), node("Concat", "column a", axis=-1)],
        {"zeros": np.zeros((2, 1, 7, 9), F32), "column": np.full((2, 5, 7, 3), F32(2.5))},
        (2, 4, 7, 9),
        ("y",),
    ),
    "coordinates": (
        [node("Concat", "x k", axis=1)],
        {"k": numbers(1, 2, 7, 9)},
        (1, 4, 7, 9),
        ("y",),
    ),
    "least": (
        [node("ReduceMin", "x", "a", axes=[2, 3]), node("Flatten", "a", "b"), node("Add", "b b")],
        {},
        (2, 4, 7, 9),
        ("y",),
    ),
    "strided": (
        [node("GlobalMaxPool", "x", "a"), node("Reshape", "a all", "v"), node("Gather", "v i")],
        {"all": np.array([4]), "i": np.arange(4).reshape(1, 4, 1, 1)},
        (1, 4, 7, 9),
        ("y",),
    ),
    "chosen": (
        [
            node("Greater", "x zero", "above"),
            node("Mul", "slope x", "less"),
            node("Where", "above x less", "a"),
            node("Transpose", "a", "t", perm=[3, 0, 1, 2]),
            node("Transpose", "t", perm=[1, 0, 2, 3]),
        ],
        {"zero": F32(0), "slope": F32(0.3)},
        SHAPE,
        ("y",),
    ),
    "sums": (
        [
            node("ReduceSum", "x rows", "a", keepdims=0),
            node("ReduceSum", "a channels", "b", keepdims=0),
            node("ReduceSum", "x both", "c", keepdims=0),
            node("Add", "b c"),
        ],
        {"rows": np.array([-1]), "channels": np.array([1]), "both": np.array([2, 3])},
        (2, 4, 4, 9),
        ("y",),
    ),
    "difference": ([node("Relu", "x", "a"), node("Sub", "x a")], {}, SHAPE, ("y",)),
    "several-outputs": (
        [node("Relu", "x", "a"), node("Tanh", "a", "b"), node("Sigmoid", "a", "c")],
        {},
        SHAPE,
        ("a", "c", "b"),
    ),
}


@pytest.mark.parametrize("case", sorted(NETWORKS))
def test_a_network_computes_what_the_runtime_does(case: str, tmp_path: Path) -> None:
    nodes, constants, shape, outputs = NETWORKS[case]
    path = tmp_path / "net.onnx"
    write_model(path, nodes, constants, shape=shape, opset=13, outputs=outputs)
    assert_computes_as_the_runtime(path, shape)
