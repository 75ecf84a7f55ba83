"""From a plain graph to a spec: what each operator becomes, what is folded, refused and cut.

The graphs here are Python values, as `models.onnx.file` makes them; the package onnx is not needed.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from convt_cli.errors import ConvtError, FileError, RequestError
from convt_cli.models.imported import Unsayable
from convt_cli.models.inputs import Input
from convt_cli.models.onnx.convert import convert
from convt_cli.models.onnx.graph import Attribute, Graph, Node, Tensor
from convt_cli.models.text import spec_text
from convt_cli.spec.load import check_spec, load_spec
from tests.models.same import assert_same_network


def constant(values: Any, element: str = "") -> Tensor:
    """A constant with numbers."""
    array = np.asarray(values)
    name = element or {"i": "int64", "f": "float32"}[array.dtype.kind]
    return Tensor(shape=array.shape, element=name, packed=array.astype(name).tobytes())


def weight(*shape: int) -> Tensor:
    """A constant too large to be looked into."""
    return Tensor(shape=shape, element="float32")


def node(operator: str, inputs: str, output: str, name: str = "", **attributes: Attribute) -> Node:
    """A node; its inputs are words, '-' one that is left out."""
    return Node(
        name=name,
        operator=operator,
        inputs=tuple("" if word == "-" else word for word in inputs.split()),
        outputs=tuple(output.split()),
        attributes=attributes,
    )


def graph_of(
    *nodes: Node,
    x: Sequence[int | None] = (1, 4, 8, 6),
    opset: int = 13,
    outputs: Sequence[str] = ("y",),
    inputs: Sequence[Input] = (),
    **constants: Tensor,
) -> Graph:
    """A graph that reads x."""
    return graph_from(nodes, constants, x=x, opset=opset, outputs=outputs, inputs=inputs)


def graph_from(
    nodes: Sequence[Node],
    constants: dict[str, Tensor],
    *,
    x: Sequence[int | None] = (1, 4, 8, 6),
    opset: int = 13,
    outputs: Sequence[str] = ("y",),
    inputs: Sequence[Input] = (),
) -> Graph:
    """The same of values that are there already."""
    return Graph(
        opset=opset,
        inputs=(Input(name="x", shape=tuple(x)), *inputs),
        outputs=tuple(outputs),
        constants=constants,
        nodes=tuple(nodes),
        producer="test 1.0",
    )


def text_of(graph: Graph, *, partial: bool = False, expect: bool = False) -> str:
    imported = convert(graph, "m.onnx", partial=partial)
    text = spec_text(imported, title="net", model="m.onnx", expect=expect)
    assert_same_network(imported, text)
    return text


def layers_of(graph: Graph) -> list[str]:
    """The layers of the spec, without their names, each on a line."""
    text = text_of(graph).partition("layers:\n")[2].replace(",\n     ", ", ")
    return [line.partition("type: ")[2].removesuffix("}") for line in text.splitlines()]


def refusal(graph: Graph) -> ConvtError:
    with pytest.raises(ConvtError) as caught:
        convert(graph, "m.onnx")
    return caught.value


class TestWholeSpec:
    GRAPH = graph_of(
        node("Conv", "x w b", "a", "conv1", pads=(1, 1, 1, 1), strides=(2, 2)),
        node("Relu", "a", "r", "relu1"),
        node("Conv", "r v -", "c", "conv2"),
        node("Add", "c r", "y", "join"),
        w=weight(8, 4, 3, 3),
        b=weight(8),
        v=weight(8, 8, 1, 1),
    )

    def test_it_reads_as_a_person_would_write_it(self) -> None:
        assert text_of(self.GRAPH) == (
            "# m.onnx: an ONNX model, written by test 1.0, as convt imports it.\n"
            "name: net\n"
            "framework: onnx\n"
            "opset: 13\n"
            "input: [4, 8, 6]\n"
            "layers:\n"
            "  - {name: conv1, type: conv, out_channels: 8, kernel_size: 3, stride: 2, "
            "padding: 1,\n"
            "     weight: m.onnx#w, bias: m.onnx#b}\n"
            "  - {name: relu1, type: relu}\n"
            "  - {name: conv2, type: conv, out_channels: 8, kernel_size: 1, weight: m.onnx#v, "
            "bias: false}\n"
            "  - {name: join, type: add, from: [conv2, relu1]}\n"
        )

    def test_it_expects_what_the_import_found_if_asked_to(self) -> None:
        lines = text_of(self.GRAPH, expect=True).splitlines()
        assert lines[-1] == "  - {name: join, type: add, from: [conv2, relu1], expect: [8, 4, 3]}"

    def test_it_is_a_spec_without_problems(self, tmp_path: Path) -> None:
        path = tmp_path / "net.yaml"
        path.write_text(text_of(self.GRAPH, expect=True), encoding="utf-8")
        assert check_spec(str(path)) == ()
        network = load_spec(path)
        assert (network.rules.title, network.output) == ("onnx opset 13", (8, 4, 3))


# node, constants, the layers it becomes; the input is (1, 4, 8, 6)
FLOORS = {"coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
CASES: dict[str, tuple[list[Node], dict[str, Tensor], list[str]]] = {
    "softsign": (
        [node("Softsign", "x", "y")],
        {},
        [
            *("function, function: abs", "scale, bias: 1.0", "power, exponent: -1.0"),
            "mul, from: [input, y/power]",
        ],
    ),
    "quotient": (
        [node("Div", "x x", "y")],
        {},
        ["power, exponent: -1.0", "mul, from: [input, y/power]"],
    ),
    "same": (
        [node("Conv", "x w", "y", auto_pad="SAME_UPPER", strides=(2, 2))],
        {"w": weight(2, 4, 3, 3)},
        [
            (
                "conv, out_channels: 2, kernel_size: 3, stride: 2, padding: same, "
                "weight: m.onnx#w, bias: false"
            )
        ],
    ),
    "same-lower": (
        [node("MaxPool", "x", "y", auto_pad="SAME_LOWER", kernel_shape=(3, 2))],
        {},
        ["max_pool, kernel_size: [3, 2], stride: 1, padding: same_lower"],
    ),
    "unpooled": (
        [
            node("MaxPool", "x", "p i", "pool", kernel_shape=(2, 2), strides=(2, 2)),
            node("Relu", "p", "r"),
            node("MaxUnpool", "r i", "y", kernel_shape=(2, 2), strides=(2, 2)),
        ],
        {},
        [
            "max_pool, kernel_size: 2, stride: 2",
            "relu",
            "max_unpool, pool: pool, output_size: source",
        ],
    ),
    "integers-conv": (
        [node("ConvInteger", "x w z z", "c", strides=(2, 2)), node("Relu", "c", "y")],
        {"z": constant(0, "uint8"), "w": weight(2, 4, 3, 3)},
        [
            (
                "conv, out_channels: 2, kernel_size: 3, stride: 2, bias: false, "
                "stands_for: ConvInteger"
            ),
            "relu",
        ],
    ),
    "integers-linear": (
        [
            node("Flatten", "x", "v"),
            node("MatMulInteger", "v w", "i"),
            node("com.microsoft.DynamicQuantizeMatMul", "i w2 s", "d"),
            node("com.microsoft.MatMulIntegerToFloat", "d w3 s s - - b", "f"),
            node("com.microsoft.QGemm", "f s z w4 s z b4", "y", transB=1, alpha=2.0),
        ],
        {
            "s": constant(0.1),
            "z": constant(0, "uint8"),
            "w": weight(192, 5),
            "w2": weight(5, 3),
            "w3": weight(3, 2),
            "b": weight(2),
            "w4": weight(4, 2),
            "b4": weight(4),
        },
        [
            "flatten",
            "linear, out_features: 5, bias: false, stands_for: MatMulInteger",
            "linear, out_features: 3, bias: false, stands_for: com.microsoft.DynamicQuantizeMatMul",
            "linear, out_features: 2, stands_for: com.microsoft.MatMulIntegerToFloat",
            "linear, out_features: 4, stands_for: com.microsoft.QGemm",
        ],
    ),
    "compared": (
        [
            node("Greater", "x k", "g", "above"),
            node("LessOrEqual", "x t", "l"),
            node("And", "g l", "a"),
            node("Not", "a", "n", "inverse"),
            node("Where", "n t x", "y"),
        ],
        {"k": constant(1.0), "t": constant(2.0)},
        [
            "identity, stands_for: Greater",
            "identity, from: input, stands_for: LessOrEqual",
            "mul, from: [above, l], stands_for: And",
            "identity, stands_for: Not",
            "add, from: [inverse, input], stands_for: Where",
        ],
    ),
    "chosen-by-a-constant": (
        [node("Where", "c x t", "y")],
        {"c": weight(4, 1, 6), "t": constant(2.0)},
        ["identity, stands_for: Where"],
    ),
    **{
        operator.lower(): (
            [node(operator, "x x", "y")],
            {},
            [f"{layer}, from: [input, input], stands_for: {operator}"],
        )
        for operator, layer in (
            *((one, "add") for one in ("Equal", "GreaterOrEqual", "Less")),
            *((one, "mul") for one in ("Or", "Xor")),
        )
    },
    "least-of-rows": (
        [node("ReduceMin", "x", "y", axes=(3,))],
        {},
        ["scale, weight: -1.0", "max_pool, kernel_size: [1, 6]", "scale, weight: -1.0"],
    ),
    "joined-constant": (
        [node("Concat", "x k", "y", axis=1)],
        {"k": weight(1, 2, 8, 6)},
        [
            "slice, axis: 0, begin: 0, end: 1",
            "concat, from: [y/slice, y/slice]",
            "scale, weight: 0.0",
            "flatten",
            "scale, bias: {from: m.onnx#k, shape: [96]}",
            "reshape, shape: [2, 8, 6]",
            "concat, from: [input, y/reshape]",
        ],
    ),
    "sum-of-rows": (
        [node("ReduceSum", "x a", "y")],
        {"a": constant([3])},
        ["avg_pool, kernel_size: [1, 6]", "scale, weight: 6.0"],
    ),
    "valid": (
        [node("MaxPool", "x", "y", auto_pad="VALID", kernel_shape=(2, 2), strides=(2, 2))],
        {},
        ["max_pool, kernel_size: 2, stride: 2"],
    ),
    "pairs": (
        [node("Conv", "x w", "y", pads=(0, 1, 2, 3), dilations=(1, 2), group=2)],
        {"w": weight(2, 2, 3, 3)},
        [
            (
                "conv, out_channels: 2, kernel_size: 3, padding: [[0, 2], [1, 3]], "
                "dilation: [1, 2], groups: 2, weight: m.onnx#w, bias: false"
            )
        ],
    ),
    "average": (
        [
            node(
                "AveragePool",
                "x",
                "y",
                kernel_shape=(2, 2),
                ceil_mode=1,
                count_include_pad=1,
                pads=(1, 0, 1, 0),
            )
        ],
        {},
        [
            (
                "avg_pool, kernel_size: 2, stride: 1, padding: [1, 0], ceil_mode: true, "
                "count_include_pad: true"
            )
        ],
    ),
    "output-shape": (
        [node("ConvTranspose", "x w", "y", strides=(2, 2), output_shape=(16, 12))],
        {"w": weight(4, 1, 3, 3)},
        [
            (
                "conv_transpose, out_channels: 1, kernel_size: 3, stride: 2, "
                "output_size: [16, 12], weight: m.onnx#w, bias: false"
            )
        ],
    ),
    "output-shape-and-output-padding": (
        [
            node(
                "ConvTranspose",
                "x w",
                "y",
                strides=(2, 2),
                output_shape=(15, 11),
                output_padding=(1, 1),
            )
        ],
        {"w": weight(4, 1, 3, 3)},
        # full is 17 and 13, with output_padding 18 and 14: 3 off, the larger half first
        [
            (
                "conv_transpose, out_channels: 1, kernel_size: 3, stride: 2, "
                "padding: [[2, 1], [2, 1]], output_padding: 1, weight: m.onnx#w, bias: false"
            )
        ],
    ),
    "mean": ([node("ReduceMean", "x", "y", axes=(2, 3))], {}, ["global_avg_pool"]),
    "mean-flat": (
        [node("ReduceMean", "x", "y", axes=(-1, -2), keepdims=0)],
        {},
        ["global_avg_pool", "flatten"],
    ),
    "reshape-flat": (
        [node("Reshape", "x s", "y")],
        {"s": constant([1, -1])},
        ["flatten"],
    ),
    "reshape": (
        [node("Reshape", "x s", "y")],
        {"s": constant([0, 2, -1, 8, 6])},
        ["reshape, shape: [2, 2, 8, 6]"],
    ),
    "reshape-to-itself": (
        [node("Reshape", "x s", "y")],
        {"s": constant([0, 0, 0, 0])},
        ["identity"],
    ),
    "squeeze-and-unsqueeze": (
        [node("Unsqueeze", "x a", "z"), node("Squeeze", "z a", "y")],
        {"a": constant([2])},
        ["reshape, shape: [4, 1, 8, 6]", "reshape, shape: [4, 8, 6]"],
    ),
    "transpose": (
        [node("Transpose", "x", "y", perm=(0, 2, 3, 1))],
        {},
        ["transpose, axes: [1, 2, 0]"],
    ),
    "pad": (
        [node("Pad", "x p", "y")],
        {"p": constant([0, 0, 1, 2, 0, 0, 1, 0])},
        ["pad, padding: [[1, 1], [2, 0]]"],
    ),
    "pad-both-ways": (
        [node("Pad", "x p", "y")],
        {"p": constant([0, 0, -1, 2, 0, 0, -1, 2])},
        ["crop, padding: [1, 0]", "pad, padding: [0, 2]"],
    ),
    "slice": (
        [node("Slice", "x s e a", "y")],
        {"s": constant([1]), "e": constant([-2]), "a": constant([3])},
        ["crop, padding: [[0, 0], [1, 2]]"],
    ),
    "slice-every-second": (
        [node("Slice", "x s e a t", "y")],
        {"s": constant([1]), "e": constant([99]), "a": constant([2]), "t": constant([2])},
        ["slice, axis: 1, begin: 1, step: 2"],
    ),
    "slice-of-channels-backwards": (
        [node("Slice", "x s e a t", "y")],
        {"s": constant([-1]), "e": constant([0]), "a": constant([1]), "t": constant([-1])},
        ["slice, axis: 0, begin: 3, end: 0, step: -1"],
    ),
    "split": (
        [node("Split", "x n", "a b", axis=1), node("Mul", "a b", "y")],
        {"n": constant([2, 2])},
        [
            "slice, axis: 0, begin: 0, end: 2",
            "slice, from: input, axis: 0, begin: 2",
            "mul, from: [b/slice, b]",
        ],
    ),
    "split-of-which-one-is-read": (
        [node("Split", "x", "a y", axis=2)],
        {},
        ["crop, padding: [[4, 0], [0, 0]]"],
    ),
    "gather": (
        [node("Gather", "x i", "y", axis=1)],
        {"i": constant([0, 2])},
        ["slice, axis: 0, begin: 0, step: 2"],
    ),
    "gather-one": (
        [node("Gather", "x i", "y", axis=1)],
        {"i": constant(-1)},
        ["slice, axis: 0, begin: 3", "reshape, shape: [8, 6]"],
    ),
    "hard-sigmoid": (
        [node("HardSigmoid", "x", "y", alpha=0.30000001192092896)],
        {},
        ["hard_sigmoid, alpha: 0.3"],
    ),
    "selu": ([node("Selu", "x", "y")], {}, ["selu"]),
    "selu-of-other-numbers": (
        [node("Selu", "x", "y", alpha=1.5)],
        {},
        ["elu, alpha: 1.5", "scale, weight: 1.050701"],
    ),
    "gelu": ([node("Gelu", "x", "y", approximate="tanh")], {}, ["gelu, approximate: tanh"]),
    "batch-norm": (
        [node("BatchNormalization", "x w b m v", "y", epsilon=0.0010000000474974513)],
        {name: weight(4) for name in "wbmv"},
        [
            (
                "batch_norm, running_mean: m.onnx#m, running_var: m.onnx#v, eps: 0.001, "
                "weight: m.onnx#w, bias: m.onnx#b"
            )
        ],
    ),
    "batch-norm-in-training": (
        [node("BatchNormalization", "x w w w w", "y", training_mode=1)],
        {"w": weight(4)},
        ["batch_norm, stands_for: BatchNormalization"],
    ),
    "group-norm": (
        [node("GroupNormalization", "x w w", "y", num_groups=2)],
        {"w": weight(4)},
        ["group_norm, num_groups: 2, weight: m.onnx#w, bias: m.onnx#w"],
    ),
    "group-norm-of-old": (
        [node("GroupNormalization", "x w w", "y", num_groups=2)],
        {"w": weight(2)},
        ["group_norm, num_groups: 2, stands_for: GroupNormalization"],
    ),
    "pad-of-channels": (
        [node("Pad", "x p", "y")],
        {"p": constant([0, 1, 0, 0, 0, 2, 0, 0])},
        [
            "transpose, axes: [1, 0, 2]",
            "pad, padding: [[1, 2], [0, 0]]",
            "transpose, axes: [1, 0, 2]",
        ],
    ),
    "pad-reflected": (
        [node("Pad", "x p", "y", mode="reflect")],
        {"p": constant([0, 0, 1, 1, 0, 0, 1, 1])},
        ["pad, padding: 1, mode: reflect"],
    ),
    "mean-of-the-last-axis": (
        [node("ReduceMean", "x", "y", axes=(-1,))],
        {},
        ["avg_pool, kernel_size: [1, 6]"],
    ),
    "mean-of-the-channels": (
        [node("ReduceMean", "x", "y", axes=(1,))],
        {},
        [
            "transpose, axes: [1, 0, 2]",
            "avg_pool, kernel_size: [4, 1]",
            "transpose, axes: [1, 0, 2]",
        ],
    ),
    "matmul-of-the-last-axis-and-its-bias": (
        [node("MatMul", "x w", "a"), node("Add", "b a", "y")],
        {"w": weight(6, 3), "b": weight(3)},
        [
            (
                "linear, out_features: 3, axis: 2, "
                "weight: {from: m.onnx#w, axes: [1, 0]}, bias: m.onnx#b"
            )
        ],
    ),
    "matmul-that-is-read-twice": (
        [node("MatMul", "x w", "a"), node("Add", "a b", "c"), node("Add", "a c", "y")],
        {"w": weight(6, 3), "b": constant([1.0, 2.0, 3.0])},
        [
            "linear, out_features: 3, axis: 2, weight: {from: m.onnx#w, axes: [1, 0]}, bias: false",
            "transpose, axes: [2, 0, 1]",
            "reshape, shape: [3, 32]",
            "scale, bias: {from: m.onnx#b, shape: [3]}",
            "reshape, shape: [3, 4, 8]",
            "transpose, axes: [1, 2, 0]",
            "add, from: [a, c]",
        ],
    ),
    "matrix-in-front": (
        [node("MatMul", "w x", "y")],
        {"w": weight(1, 3, 8)},
        [
            (
                "linear, out_features: 3, axis: 1, "
                "weight: {from: m.onnx#w, shape: [3, 8]}, bias: false"
            )
        ],
    ),
    "resize": (
        [node("Resize", "x - f", "y", mode="linear")],
        {"f": constant([1.0, 1.0, 2.0, 3.0])},
        ["upsample, scale_factor: [2, 3], mode: linear"],
    ),
    "resize-to-fractions": (
        [node("Resize", "x - f", "y", **FLOORS)],
        {"f": constant([1.0, 1.0, 1.5, 0.5])},
        ["upsample, output_size: [12, 3]"],
    ),
    "resize-to-sizes": (
        [node("Resize", "x - - s", "y", **FLOORS)],
        {"s": constant([1, 4, 9, 9])},
        ["upsample, output_size: 9"],
    ),
    "resize-to-other-neighbours": (
        [node("Resize", "x - - s", "y")],
        {"s": constant([1, 4, 9, 9])},
        ['upsample, output_size: 9, stands_for: "Resize by half_pixel, round_prefer_floor"'],
    ),
    "flatten-from-the-end": ([node("Flatten", "x", "y", axis=-3)], {}, ["flatten"]),
    "shuffle": (
        [node("DepthToSpace", "x", "y", blocksize=2, mode="CRD")],
        {},
        ["pixel_shuffle, factor: 2"],
    ),
    "shuffle-of-8-channels": (
        [node("Concat", "x x", "z", axis=1), node("DepthToSpace", "z", "y", blocksize=2)],
        {},
        [
            "concat, from: [input, input]",
            "reshape, shape: [4, 2, 8, 6]",
            "transpose, axes: [1, 0, 2, 3]",
            "reshape, shape: [8, 8, 6]",
            "pixel_shuffle, factor: 2",
        ],
    ),
    "unshuffle": (
        [node("SpaceToDepth", "x", "y", blocksize=2)],
        {},
        [
            "pixel_unshuffle, factor: 2",
            "reshape, shape: [4, 4, 4, 3]",
            "transpose, axes: [1, 0, 2, 3]",
            "reshape, shape: [16, 4, 3]",
        ],
    ),
    "gemm": (
        [
            node("GlobalAveragePool", "x", "p"),
            node("Flatten", "p", "f"),
            node("Gemm", "f w b", "y", transB=1, alpha=1.0),
        ],
        {"w": weight(9, 4), "b": weight(9)},
        [
            "global_avg_pool",
            "flatten",
            "linear, out_features: 9, weight: m.onnx#w, bias: m.onnx#b",
        ],
    ),
    "matmul": (
        [node("Flatten", "x", "f"), node("MatMul", "f w", "y")],
        {"w": weight(192, 3)},
        [
            "flatten",
            "linear, out_features: 3, weight: {from: m.onnx#w, axes: [1, 0]}, bias: false",
        ],
    ),
    "factor-per-channel": (
        [node("Mul", "w x", "y")],
        {"w": weight(4, 1, 1)},
        ["scale, weight: m.onnx#w"],
    ),
    "addend-for-all": ([node("Add", "x b", "y")], {"b": constant(3.0)}, ["scale, bias: 3.0"]),
    "addend-that-is-learned": (
        [node("Add", "x b", "y")],
        {"b": constant([3.0])},
        ["scale, bias: [3.0]"],
    ),
    "factor-that-no-spec-can-say": (
        [node("Mul", "x b", "y")],
        {"b": constant(float("inf"))},
        ["scale, weight: m.onnx#b"],
    ),
    "a-hard-swish-in-parts": (
        [
            node("Add", "x three", "a"),
            node("Clip", "a zero six", "b"),
            node("Mul", "x b", "c"),
            node("Div", "c six", "y"),
        ],
        {"zero": constant(0.0), "three": constant(3.0), "six": constant(6.0)},
        [
            "scale, bias: 3.0",
            "clip, minimum: 0.0, maximum: 6.0",
            "mul, from: [input, b]",
            "scale, weight: 0.16666666666666666",
        ],
    ),
    "less": (
        [node("Sub", "x b", "y")],
        {"b": constant([[[1.0]], [[2.0]], [[3.0]], [[-4.0]]])},
        ["scale, bias: [-1.0, -2.0, -3.0, 4.0]"],
    ),
    "from": (
        [node("Sub", "b x", "y")],
        {"b": constant(1.0)},
        ["scale, weight: -1.0, bias: 1.0"],
    ),
    "divided": (
        [node("Div", "x b", "y")],
        {"b": constant(4.0)},
        ["scale, weight: 0.25"],
    ),
    "one-summand": ([node("Sum", "x", "y")], {}, ["identity"]),
    "one-source": ([node("Concat", "x", "y", axis=1)], {}, ["identity"]),
    "two-activations-less": (
        [node("Sub", "x x", "y")],
        {},
        ["scale, weight: -1.0", "add, from: [input, y/scale]"],
    ),
    "resize-one-axis": (
        [node("Resize", "x - f", "y", axes=(-1,))],
        {"f": constant([2.0])},
        ["upsample, scale_factor: [1, 2]"],
    ),
    "gemm-of-the-other-order": (
        [node("Flatten", "x", "f"), node("Gemm", "f w", "y", alpha=0.5)],
        {"w": weight(192, 3)},
        ["flatten", "linear, out_features: 3, bias: false"],
    ),
    "transpose-of-nothing": (
        [node("Transpose", "x", "y", perm=(0, 1, 2, 3))],
        {},
        ["identity"],
    ),
    "slice-of-all": (
        [node("Slice", "x s e", "y")],
        {"s": constant([0]), "e": constant([2**62])},
        ["identity"],
    ),
    "expand-of-channels": (
        [
            node("GlobalMaxPool", "x", "a"),
            node("Slice", "a z o o", "b"),
            node("Expand", "b s", "y"),
        ],
        {"z": constant([0]), "o": constant([1]), "s": constant([1, 2, 3, 1])},
        [
            "global_max_pool",
            "slice, axis: 0, begin: 0, end: 1",
            "concat, from: [b, b]",
            "upsample, output_size: [3, 1]",
        ],
    ),
    "tile": (
        [node("Tile", "x r", "y")],
        {"r": constant([1, 3, 1, 2])},
        ["concat, from: [input, input, input]", "concat, from: [y/concat, y/concat], axis: 2"],
    ),
    "conv-fused": (
        [node("com.microsoft.FusedConv", "x w", "y", activation="Relu")],
        {"w": weight(2, 4, 1, 1)},
        ["conv, out_channels: 2, kernel_size: 1, weight: m.onnx#w, bias: false", "relu"],
    ),
    "dequantized-weight": (
        [node("DequantizeLinear", "q s z", "w"), node("Conv", "x w", "y")],
        {
            "q": Tensor(shape=(2, 4, 1, 1), element="int8"),
            "s": constant(0.5),
            "z": constant(3, "int8"),
        },
        ["conv, out_channels: 2, kernel_size: 1, weight: m.onnx#w, bias: false"],
    ),
    "expand-to-itself": ([node("Expand", "x s", "y")], {"s": constant([1, 1])}, ["identity"]),
    "divided-by-zero": (
        [node("Div", "x b", "y")],
        {"b": constant(0.0)},
        ["identity, stands_for: Div"],
    ),
    "norm-of-the-last-axis": (
        [node("LayerNormalization", "x s b", "y")],
        {"s": weight(6), "b": weight(6)},
        ["layer_norm, weight: m.onnx#s, bias: m.onnx#b"],
    ),
    "norm-of-an-image": (
        [node("LayerNormalization", "x s b", "y", axis=-3)],
        {"s": weight(4, 8, 6), "b": weight(4, 8, 6)},
        ["layer_norm, normalized_axes: [0, 1, 2], weight: m.onnx#s, bias: m.onnx#b"],
    ),
    "slope-per-channel": (
        [node("PRelu", "x s", "y")],
        {"s": weight(4, 1, 1)},
        ["prelu, num_parameters: 4, weight: m.onnx#s"],
    ),
    "slope-per-element": (
        [node("PRelu", "x s", "y")],
        {"s": weight(1, 4, 8, 6)},
        ["prelu, num_parameters: 192, weight: {from: m.onnx#s, shape: [4, 8, 6]}"],
    ),
    "slope-per-row": (
        [node("PRelu", "x s", "y")],
        {"s": weight(8, 1)},
        ["prelu, stands_for: PRelu"],
    ),
    "position": (
        [node("Add", "x b", "y")],
        {"b": weight(1, 4, 8, 6)},
        ["flatten", "scale, bias: {from: m.onnx#b, shape: [192]}", "reshape, shape: [4, 8, 6]"],
    ),
    "maximum-of-all": ([node("GlobalMaxPool", "x", "y")], {}, ["global_max_pool"]),
    "reduced-to-maxima": ([node("ReduceMax", "x", "y", axes=(2, 3))], {}, ["global_max_pool"]),
    "lesser": ([node("Min", "x x", "y")], {}, ["add, from: [input, input], stands_for: Min"]),
    "mean-of-two": (
        [node("Mean", "x x", "y")],
        {},
        ["add, from: [input, input], stands_for: Mean"],
    ),
    "upsample": (
        [node("Upsample", "x s", "y", mode="nearest")],
        {"s": constant([1.0, 1.0, 2.0, 3.0])},
        ["upsample, scale_factor: [2, 3]"],
    ),
}


class TestNorms:
    def test_learned_numbers_of_another_count_are_refused(self) -> None:
        error = refusal(graph_of(node("InstanceNormalization", "x s s", "y"), s=weight(5)))
        assert error.code == "E121"

    def test_a_variance_that_no_spec_can_refer_to_takes_the_mean_with_it(self) -> None:
        """A spec cannot refer to numbers that follow from the sizes of an input."""
        graph = graph_of(
            node("Shape", "x", "sizes"),
            node("Cast", "sizes", "v", to=1),
            node("BatchNormalization", "x w w w v", "y"),
            w=weight(4),
        )
        assert layers_of(graph) == ["batch_norm, weight: m.onnx#w, bias: m.onnx#w"]
        assert "the numbers of a weight are not kept in the model" in convert(graph, "m.onnx").notes

    def test_a_norm_over_the_batch_is_none_of_a_layer(self) -> None:
        graph = graph_of(node("LayerNormalization", "x s", "y", axis=0), x=(1, 4), s=weight(1, 4))
        assert "batch" in str(refusal(graph))


class TestOperators:
    @pytest.mark.parametrize("case", sorted(CASES))
    def test_a_node_becomes_layers(self, case: str) -> None:
        nodes, constants, expected = CASES[case]
        assert layers_of(graph_from(nodes, constants)) == expected

    def test_activations_keep_their_names_and_what_has_none_is_an_identity(self) -> None:
        graph = graph_of(
            node("Relu", "x", "a"),
            node("LeakyRelu", "a", "b", alpha=0.1),
            node("Clip", "b low", "c"),
            node("Shrink", "c", "d"),
            node("Sigmoid", "d", "e"),
            node("Mul", "d e", "f"),
            node("Softmax", "f", "g", axis=1),
            node("Dropout", "g", "h mask"),
            node("InstanceNormalization", "h s s", "y"),
            s=weight(4),
            low=constant(-1.0),
        )
        imported = convert(graph, "m.onnx")
        assert [layer.type for layer in imported.layers.values()] == [
            *("relu", "leaky_relu", "clip", "identity", "sigmoid", "mul"),
            *("softmax", "dropout", "instance_norm"),
        ]
        assert imported.messages == ("note: identity stands for Shrink, once",)

    def test_a_flatten_behind_the_last_axis_says_what_it_does_to_the_batch(self) -> None:
        refused = refusal(graph_of(node("Flatten", "x", "y", axis=4)))
        assert "does not keep the batch axis to itself" in str(refused)

    def test_before_opset_11_a_shrinking_resize_takes_the_elements_behind(self) -> None:
        scales = {"f": constant([1.0, 1.0, 0.7, 0.7])}
        (layer,) = layers_of(graph_from([node("Resize", "x f", "y")], scales, opset=10))
        assert layer.endswith('stands_for: "Resize by asymmetric, ceil"')

    def test_a_cast_to_what_numpy_has_not_is_named(self) -> None:
        graph = graph_of(node("Cast", "c", "d", to=16), node("Add", "x d", "y"), c=constant(1.0))
        assert "it casts to ONNX's type 16" in str(refusal(graph))

    @pytest.mark.parametrize(
        ("made", "written"),
        [
            (node("Clip", "x zero six", "y"), "clip, minimum: 0.0, maximum: 6.0"),
            (node("Clip", "x - six", "y"), "clip, maximum: 6.0"),
            (node("Clip", "x", "y", min=-3.4028234663852886e38), "identity"),
            (node("LogSoftmax", "x", "y", axis=1), "log_softmax, axis: 0"),
            (node("Pow", "x six", "y"), "power, exponent: 6.0"),
            (node("Clip", "x x", "y"), "clip, stands_for: Clip"),
            (node("LeakyRelu", "x", "y", alpha=0.009999999776482582), "leaky_relu"),
            (node("LeakyRelu", "x", "y", alpha=0.20000000298023224), "leaky_relu, alpha: 0.2"),
            (node("Elu", "x", "y", alpha=1.0), "elu"),
            (node("LRN", "x", "y", size=3, beta=0.5), "lrn, size: 3, beta: 0.5"),
        ],
    )
    def test_numbers_are_written_unless_they_are_the_default(
        self, made: Node, written: str
    ) -> None:
        assert layers_of(graph_of(made, zero=constant(0.0), six=constant(6.0))) == [written]

    @pytest.mark.parametrize(
        ("made", "code"),
        [
            (node("Elu", "x", "y", alpha=float("nan")), "E505"),
            (node("Elu", "x", "y", alpha=(1.0,)), "E405"),
            (node("Clip", "x", "y", min=2.0, max=1.0), "E107"),
            (node("InstanceNormalization", "x s s", "y", epsilon=-1.0), "E107"),
            (node("LRN", "x", "y"), "E107"),
            (node("Pad", "x p", "y", mode="odd"), "E505"),
            (node("Gelu", "x", "y", approximate="odd"), "E505"),
            (node("Softmax", "x", "y", axis=0), "E505"),
            (node("Split", "x p", "a y", axis=1), "E112"),
            (node("Gather", "x p", "y", axis=2), "E505"),
            (node("Gather", "x one", "y", axis=0), "E505"),
        ],
    )
    def test_what_a_spec_cannot_hold_is_refused(self, made: Node, code: str) -> None:
        numbers = {"p": constant([0, 0, 1, 1, 0, 0, 1, 1]), "one": constant([0, 0])}
        assert refusal(graph_from([made], {**numbers, "s": weight(4)}, opset=13)).code == code

    def test_the_opset_decides_where_the_odd_element_goes(self) -> None:
        nodes, constants, _ = CASES["output-shape-and-output-padding"]
        (layer,) = layers_of(graph_from(nodes, constants, opset=10))
        assert "padding: [[1, 2], [1, 2]]" in layer


class TestFolding:
    def test_a_shape_computed_in_the_graph(self) -> None:
        """PyTorch's x.view(x.size(0), 2, x.size(1) // 3 * 3, -1)."""
        graph = graph_of(
            node("Shape", "x", "shape"),
            node("Gather", "shape zero", "n"),
            node("Gather", "shape one", "c"),
            node("Div", "c three", "third"),
            node("Mul", "third three", "most"),
            node("Unsqueeze", "n first", "n1"),
            node("Unsqueeze", "most first", "most1"),
            node("Concat", "n1 twos most1 rest", "asked", axis=0),
            node("Reshape", "x asked", "y"),
            zero=constant(0),
            one=constant(1),
            three=constant(3),
            first=constant([0]),
            twos=constant([2]),
            rest=constant([-1]),
        )
        assert layers_of(graph) == ["reshape, shape: [2, 3, 32]"]

    def test_sizes_computed_from_another_branch(self) -> None:
        """A decoder that is resized to its encoder: sizes from Shape, Slice, Cast and Concat."""
        graph = graph_of(
            node("MaxPool", "x", "p", kernel_shape=(2, 2), strides=(2, 2)),
            node("Shape", "x", "shape"),
            node("Slice", "shape two four", "tail"),
            node("Cast", "tail", "tail32", to=6),
            node("Cast", "tail32", "tail64", to=7),
            node("Shape", "p", "own"),
            node("Slice", "own zero two", "head"),
            node("Concat", "head tail64", "sizes", axis=0),
            node("Resize", "p - - sizes", "y"),
            zero=constant([0]),
            two=constant([2]),
            four=constant([4]),
        )
        assert layers_of(graph)[-1] == "upsample, output_size: [8, 6]"

    def test_scales_made_of_float_arithmetic(self) -> None:
        graph = graph_of(
            node("Shape", "x", "shape"),
            node("Cast", "shape", "float", to=1),
            node("Mul", "float factors", "scaled"),
            node("Floor", "scaled", "floored"),
            node("Cast", "floored", "sizes", to=7),
            node("Resize", "x - - sizes", "y"),
            factors=constant([1.0, 1.0, 1.3, 2.5]),
        )
        assert layers_of(graph)[0].startswith("upsample, output_size: [10, 15]")

    def test_sizes_from_a_range_a_product_and_a_maximum(self) -> None:
        """[1, 2, 3, ...]: the first is 1, the others 2 * 3 and 192 / 6."""
        graph = graph_of(
            node("Size", "x", "all"),
            node("Range", "two four one", "factors"),
            node("ReduceProd", "factors", "six", keepdims=1),
            node("Div", "all six", "rest"),
            node("Max", "rest ones", "most"),
            node("Squeeze", "most", "number"),
            node("Reshape", "number ones", "vector"),
            node("Concat", "ones six vector", "asked", axis=0),
            node("Reshape", "x asked", "y"),
            one=constant(1),
            two=constant(2),
            four=constant(4),
            ones=constant([1]),
        )
        assert layers_of(graph) == ["reshape, shape: [6, 32]"]

    def test_a_product_without_its_axis_is_a_number(self) -> None:
        graph = graph_of(
            node("ReduceProd", "factors", "six", keepdims=0),
            node("Unsqueeze", "six zero", "vector"),
            node("Concat", "ones vector minus", "asked", axis=0),
            node("Reshape", "x asked", "y"),
            factors=constant([2, 3]),
            zero=constant([0]),
            ones=constant([1]),
            minus=constant([-1]),
        )
        assert layers_of(graph) == ["reshape, shape: [6, 32]"]

    def test_an_expand_to_a_shape_with_minus_ones(self) -> None:
        """PyTorch writes -1 as Where(Equal(shape, -1), ones, shape)."""
        graph = graph_of(
            node("GlobalAveragePool", "x", "p"),
            node("ConstantOfShape", "four", "ones", value=constant([1])),
            node("Mul", "ones minus", "minuses"),
            node("Equal", "wanted minuses", "open"),
            node("Where", "open ones wanted", "shape"),
            node("Expand", "p shape", "y"),
            four=constant([4]),
            minus=constant(-1),
            wanted=constant([-1, -1, 8, 6]),
        )
        assert layers_of(graph)[-1] == "upsample, output_size: [8, 6]"

    def test_a_weight_that_nodes_compute_keeps_the_name_of_what_they_give(self) -> None:
        graph = graph_of(
            node("ConstantOfShape", "s", "flat", value=constant([0.5])),
            node("Transpose", "flat", "w", perm=(3, 2, 0, 1)),
            node("Conv", "x w", "y"),
            s=constant([3, 3, 4, 7]),
        )
        assert layers_of(graph) == [
            "conv, out_channels: 7, kernel_size: 3, weight: m.onnx#w, bias: false"
        ]

    def test_a_weight_that_depends_on_the_input_s_size_is_not_named(self) -> None:
        graph = graph_of(
            node("Shape", "x", "shape"),
            node("Concat", "one shape", "five", axis=0),
            node("Slice", "five zero four", "s"),
            node("ConstantOfShape", "s", "w"),
            node("Conv", "x w", "y", kernel_shape=(4, 8)),
            x=(4, 1, 4, 8),
            one=constant([2]),
            zero=constant([0]),
            four=constant([4]),
        )
        assert refusal(graph).code == "E121"  # (2, 4, 1, 4): known, and of another kernel

    def test_a_weight_in_a_shape_that_depends_on_the_input_is_named_as_it_is_stored(self) -> None:
        """Keras brings a bias to the rank of what it is added to.  What is computed has no name."""
        nodes = (
            node("Shape", "x", "shape"),
            node("Gather", "shape one", "size", axis=0),
            node("Concat", "one size one one", "sizes", axis=0),
            node("Reshape", "b sizes", "brought"),
            node("Cast", "brought", "c", to=1),
        )
        one, b = constant([1]), constant([0.1 * n for n in range(20)])
        given: dict[str, Any] = {"x": (1, 20, 3, 3), "one": one, "b": b}
        named = graph_of(*nodes, node("Add", "x c", "y"), **given)
        assert layers_of(named) == ["scale, bias: {from: m.onnx#b, shape: [1, 20, 1, 1]}"]
        computed = graph_of(*nodes, node("Mul", "c c", "d"), node("Add", "x d", "y"), **given)
        assert layers_of(computed) == ["identity, stands_for: Add"]

    def test_arithmetic_on_large_weights_knows_their_shape(self) -> None:
        graph = graph_of(
            node("Mul", "v g", "w"),
            node("Conv", "x w", "y"),
            v=weight(700, 4, 3, 3),
            g=weight(700, 1, 1, 1),
        )
        assert layers_of(graph)[0].startswith("conv, out_channels: 700, kernel_size: 3, weight")

    @pytest.mark.parametrize("count", [1, 40])
    def test_a_constant_that_doubles_does_not_grow_in_memory(self, count: int) -> None:
        doubling = [
            node("Concat", f"c{number} c{number}", f"c{number + 1}", axis=0)
            for number in range(count)
        ]
        graph = graph_of(*doubling, node("Reshape", f"x c{count}", "y"), c0=constant([1, 2]))
        assert refusal(graph).code in {"E505", "E120"}


class TestInputs:
    @pytest.mark.parametrize("batch", [None, 1, 16])
    def test_the_batch_axis_is_dropped(self, batch: int | None) -> None:
        graph = graph_of(
            node("Reshape", "x s", "y"),
            x=(batch, 3, 4, 5),
            s=constant([batch or 1, 12, 5]),
        )
        assert "input: [3, 4, 5]\n" in text_of(graph)
        assert layers_of(graph) == ["reshape, shape: [12, 5]"]

    def test_an_open_size_is_asked_for(self) -> None:
        error = refusal(graph_of(node("Relu", "x", "y"), x=(None, 3, None, 5)))
        assert error.code == "E506"
        assert error.help == "give them, as in --input x=3,N,5"

    @pytest.mark.parametrize("name", ["", "x"])
    def test_a_size_can_be_given(self, name: str) -> None:
        graph = graph_of(node("Relu", "x", "y"), x=(None, 3, None, 5))
        imported = convert(graph, "m.onnx", override={name: (3, 7, 5)})
        assert imported.inputs == (("x", (3, 7, 5)),)

    def test_a_size_for_an_unknown_input_is_refused(self) -> None:
        with pytest.raises(RequestError) as caught:
            convert(graph_of(node("Relu", "x", "y")), "m.onnx", override={"z": (3, 7, 5)})
        assert (caught.value.code, caught.value.help) == ("E503", "its inputs are x")

    @pytest.mark.parametrize("shape", [(), (5,), (1, 2, 3, 4, 5, 6)])
    def test_an_input_that_is_no_image_is_refused(self, shape: tuple[int, ...]) -> None:
        assert refusal(graph_of(node("Relu", "x", "y"), x=shape)).code == "E506"

    def test_a_flat_input_has_one_axis_in_the_spec(self) -> None:
        graph = graph_of(node("Gemm", "x w", "y", transB=1), x=(1, 10), w=weight(3, 10))
        assert "input: [10]\n" in text_of(graph)
        assert layers_of(graph) == ["linear, out_features: 3, weight: m.onnx#w, bias: false"]

    def test_a_waveform_is_padded_along_its_axis(self) -> None:
        graph = graph_of(node("Pad", "x p", "y"), x=(1, 10), p=constant([0, 2, 0, -1]))
        assert layers_of(graph) == ["crop, padding: [[0, 1]]", "pad, padding: [[2, 0]]"]

    def test_several_inputs_have_their_names(self) -> None:
        graph = graph_of(
            node("Concat", "mask x", "y", axis=1), inputs=[Input(name="mask", shape=(1, 1, 8, 6))]
        )
        assert "input: {x: [4, 8, 6], mask: [1, 8, 6]}\n" in text_of(graph)
        assert layers_of(graph) == ["concat, from: [mask, x]"]

    def test_an_input_that_nothing_reads_is_left_out(self) -> None:
        graph = graph_of(node("Relu", "x", "y"), inputs=[Input(name="idle", shape=())])
        assert "input: [4, 8, 6]\n" in text_of(graph)

    def test_a_huge_size_is_refused(self) -> None:
        assert refusal(graph_of(node("Relu", "x", "y"), x=(1, 3, 2**62, 2))).code == "E506"


class TestOutputs:
    def test_all_are_listed_in_the_model_s_order(self) -> None:
        graph = graph_of(
            node("Tanh", "x", "z", "other"),
            node("Relu", "z", "y", "main"),
            outputs=("y", "z"),
        )
        assert "outputs: [main, other]\nlayers:" in text_of(graph)
        assert convert(graph, "m.onnx").messages == ()

    def test_what_no_output_needs_is_left_out(self) -> None:
        graph = graph_of(node("NonZero", "x", "z"), node("Relu", "x", "y"))
        assert layers_of(graph) == ["relu"]

    def test_an_output_that_is_constant_is_no_network(self) -> None:
        graph = graph_of(node("Relu", "x", "z"), node("Identity", "c", "y"), c=constant([1]))
        assert refusal(graph).code in {"E405", "E505"}


class TestNames:
    @pytest.mark.parametrize(
        ("name", "written"),
        [
            ("conv1", "conv1"),
            ("/enc/Conv_output_0", "/enc/Conv_output_0"),
            ("012", '"012"'),
            ("null", '"null"'),
            ("a: b", '"a: b"'),
            ("a\nb", "a_b"),
            ("x,y}", '"x,y}"'),
            ("é日", '"é日"'),
            ("w" * 500, "w" * 160),
            ("", "y"),
        ],
    )
    def test_a_name_becomes_one_that_a_spec_takes(
        self, name: str, written: str, tmp_path: Path
    ) -> None:
        text = text_of(graph_of(node("Relu", "x", "y", name)))
        assert f"  - {{name: {written}," in text
        path = tmp_path / "net.yaml"
        path.write_text(text, encoding="utf-8")
        assert check_spec(str(path)) == ()

    def test_names_become_unique(self) -> None:
        graph = graph_of(
            node("Relu", "x", "a", "n"),
            node("Relu", "a", "b", "n"),
            node("Relu", "b", "c", "input"),
            node("Add", "a c", "y", "n_2"),
        )
        imported = text_of(graph)
        names = [line.split("name: ")[1].split(",")[0] for line in imported.splitlines()[6:]]
        assert names == ["n", "n_2", "input_2", "n_2_2"]
        assert "from: [n, input_2]" in imported

    @pytest.mark.parametrize("key", ["a b", "a#b", 'say "w"', "x: y", "tab\t", "\U0001f600", "é"])
    def test_a_weight_of_any_name_is_found_again(self, key: str, tmp_path: Path) -> None:
        graph = Graph(
            opset=13,
            inputs=(Input(name="x", shape=(1, 1, 4)),),
            outputs=("y",),
            constants={key: weight(1, 1, 2)},
            nodes=(
                Node(name="c", operator="Conv", inputs=("x", key), outputs=("y",), attributes={}),
            ),
        )
        path = tmp_path / "net.yaml"
        path.write_text(text_of(graph), encoding="utf-8")
        (layer,) = load_spec(path).matrix_layers
        assert str(layer.weight_source) == f"m.onnx#{key}"


W = weight(2, 4, 3, 3)

REFUSED: dict[str, tuple[Graph, str]] = {
    "unknown operator": (graph_of(node("LSTM", "x w", "y"), w=W), "E505"),
    "operator of another domain": (graph_of(node("com.acme.Conv", "x w", "y"), w=W), "E505"),
    "weight from the input": (graph_of(node("Conv", "x x", "y")), "E505"),
    "no weight": (graph_of(node("Conv", "x", "y")), "E505"),
    "channels": (graph_of(node("Conv", "x w", "y"), w=weight(2, 3, 3, 3)), "E114"),
    "rank": (graph_of(node("Conv", "x w", "y"), w=weight(2, 4, 3)), "E121"),
    "kernel": (graph_of(node("Conv", "x w", "y", kernel_shape=(5, 5)), w=W), "E121"),
    "window": (graph_of(node("Conv", "x w", "y"), w=weight(2, 4, 9, 9)), "E110"),
    "no channels": (graph_of(node("Conv", "x w", "y"), w=weight(0, 4, 3, 3)), "E107"),
    "groups 0": (graph_of(node("Conv", "x w", "y", group=0), w=W), "E107"),
    "stride 0": (graph_of(node("Conv", "x w", "y", strides=(0, 1)), w=W), "E107"),
    "strides": (graph_of(node("Conv", "x w", "y", strides=(1, 1, 1)), w=W), "E106"),
    "negative pads": (graph_of(node("Conv", "x w", "y", pads=(-1, 0, 0, 0)), w=W), "E107"),
    "auto_pad": (graph_of(node("Conv", "x w", "y", auto_pad="SAME"), w=W), "E505"),
    "output_padding": (
        graph_of(node("ConvTranspose", "x w", "y", output_padding=(5, 5)), w=weight(4, 1, 3, 3)),
        "E105",
    ),
    "kernel_shape": (graph_of(node("MaxPool", "x", "y")), "E505"),
    "concat of batches": (graph_of(node("Concat", "x x", "y", axis=0)), "E505"),
    "concat with a constant": (graph_of(node("Concat", "x w", "y", axis=1), w=W), "E112"),
    "choice that grows": (graph_of(node("Where", "x x k", "y"), k=weight(1, 4, 8, 12)), "E505"),
    "axis": (graph_of(node("Concat", "x x", "y", axis=7)), "E505"),
    "batch moved": (graph_of(node("Transpose", "x", "y", perm=(1, 0, 2, 3))), "E505"),
    "batch reshaped": (graph_of(node("Reshape", "x s", "y"), s=constant([4, -1])), "E505"),
    "elements": (graph_of(node("Reshape", "x s", "y"), s=constant([1, 5])), "E120"),
    "starts without ends": (
        graph_of(node("Slice", "x s e", "y"), s=constant([1, 1]), e=constant([3])),
        "E505",
    ),
    "step 0": (
        graph_of(
            node("Slice", "x s e a t", "y"),
            s=constant([0]),
            e=constant([9]),
            a=constant([2]),
            t=constant([0]),
        ),
        "E505",
    ),
    "padded batch": (
        graph_of(node("Pad", "x p", "y"), p=constant([1, 0, 0, 0, 0, 0, 0, 0])),
        "E505",
    ),
    "pads": (graph_of(node("Pad", "x p", "y"), p=constant([0, 1, 0])), "E505"),
    "scales": (
        graph_of(node("Resize", "x - f", "y"), f=constant([1.0, 2.0, 2.0, 2.0])),
        "E505",
    ),
    "scale nan": (
        graph_of(node("Resize", "x - f", "y"), f=constant([1.0, 1.0, float("nan"), 2.0])),
        "E505",
    ),
    "scale inf": (
        graph_of(node("Resize", "x - f", "y"), f=constant([1.0, 1.0, float("inf"), 2.0])),
        "E505",
    ),
    "scale too large": (
        graph_of(node("Resize", "x - f", "y"), f=constant([1.0, 1.0, 1.5, 3e38])),
        "E505",
    ),
    "flatten from axis 2": (graph_of(node("Flatten", "x", "y", axis=2)), "E505"),
    "no shape": (graph_of(node("Reshape", "x", "y")), "E505"),
    "squeezed": (graph_of(node("Squeeze", "x a", "y"), a=constant([1])), "E505"),
    "batch squeezed": (graph_of(node("Squeeze", "x", "y")), "E505"),
    "pads of some axes": (
        graph_of(node("Pad", "x p - a", "y"), p=constant([1, 1]), a=constant([2, 3])),
        "E505",
    ),
    "crop and resize": (
        graph_of(node("Resize", "x", "y", coordinate_transformation_mode="tf_crop_and_resize")),
        "E505",
    ),
    "sizes by ratio": (
        graph_of(
            node("Resize", "x - - s", "y", keep_aspect_ratio_policy="not_larger"),
            s=constant([1, 4, 9, 9]),
        ),
        "E505",
    ),
    "sizes of channels": (
        graph_of(node("Resize", "x - - s", "y"), s=constant([1, 5, 9, 9])),
        "E505",
    ),
    "scales of some axes": (
        graph_of(node("Resize", "x - f", "y", axes=(2,)), f=constant([2.0, 2.0])),
        "E505",
    ),
    "mode": (
        graph_of(node("Resize", "x - f", "y", mode="spline"), f=constant([1.0, 1.0, 2.0, 2.0])),
        "E505",
    ),
    "expanded channels": (
        graph_of(node("Expand", "x s", "y"), s=constant([3, 1, 4, 8, 6])),
        "E505",
    ),
    "not expandable": (graph_of(node("Expand", "x s", "y"), s=constant([5, 5])), "E505"),
    "channels of a shuffle": (graph_of(node("DepthToSpace", "x", "y", blocksize=4)), "E126"),
    "transposed source": (graph_of(node("Gemm", "x w", "y", transA=1), w=W), "E505"),
    "three operands": (graph_of(node("Sum", "x x w", "y"), w=weight(4, 1, 1)), "E505"),
    "no common shape": (graph_of(node("Add", "x b", "y"), b=weight(3, 1, 1)), "E505"),
    "reduced batch": (graph_of(node("ReduceMean", "x", "y", axes=(0,))), "E505"),
    "odd pads": (graph_of(node("Pad", "x p", "y"), p=constant([0] * 9)), "E505"),
    "constants": (
        graph_of(node("Pow", "c c", "d"), node("Reshape", "x d", "y"), c=constant([1, 2])),
        "E505",
    ),
    "scale 0.01": (
        graph_of(node("Resize", "x - f", "y"), f=constant([1.0, 1.0, 0.01, 2.0])),
        "E107",
    ),
    "block": (graph_of(node("DepthToSpace", "x", "y", blocksize=3)), "E126"),
    "block 0": (graph_of(node("SpaceToDepth", "x", "y", blocksize=0)), "E107"),
    "matrices": (graph_of(node("MatMul", "x x", "y")), "E505"),
    "broadcast": (graph_of(node("Add", "x b", "y"), b=weight(5, 1, 1, 8, 6)), "E505"),
    "sizes in a float": (
        graph_of(node("Reshape", "x s", "y"), s=constant([1.0, float("nan")])),
        "E505",
    ),
    "places": (
        graph_of(node("MaxPool", "x", "p i", kernel_shape=(2, 2)), node("Add", "p i", "y")),
        "E505",
    ),
    "shape of places": (
        graph_of(node("MaxPool", "x", "p i", kernel_shape=(2, 2)), node("Shape", "i", "y")),
        "E505",
    ),
    "other places": (graph_of(node("MaxUnpool", "x x", "y", kernel_shape=(2, 2))), "E505"),
    "another size": (
        graph_of(
            node("MaxPool", "x", "p i", kernel_shape=(3, 3), strides=(2, 2)),
            node("MaxUnpool", "p i", "y", kernel_shape=(3, 3), strides=(2, 2)),
        ),
        "E505",
    ),
}


class TestRefused:
    @pytest.mark.parametrize("case", sorted(REFUSED))
    def test_the_error_names_the_node(self, case: str) -> None:
        graph, code = REFUSED[case]
        error = refusal(graph)
        assert error.code == code
        node = graph.nodes[0 if case == "constants" else -1]
        broken = "cannot be said in a spec" if code == "E505" else "is not legal"
        assert error.message == f"{node.title} {broken}"

    @pytest.mark.parametrize(
        "case", sorted(set(REFUSED) - {"places", "another size", "shape of places"})
    )
    def test_with_nothing_left_there_is_no_partial_spec(self, case: str) -> None:
        with pytest.raises(RequestError) as caught:
            convert(REFUSED[case][0], "m.onnx", partial=True)
        assert caught.value.code == "E505"

    @pytest.mark.parametrize(
        ("attribute", "value"),
        [("strides", 2), ("strides", (1.5, 2.5)), ("group", "2"), ("auto_pad", 1), ("pads", "x")],
    )
    def test_an_attribute_of_another_kind_is_no_model(
        self, attribute: str, value: Attribute
    ) -> None:
        wrong = Node(
            name="c",
            operator="Conv",
            inputs=("x", "w"),
            outputs=("y",),
            attributes={attribute: value},
        )
        assert refusal(graph_of(wrong, w=W)).code == "E405"


class TestPartial:
    GRAPH = graph_of(
        node("Relu", "x", "a", "kept1"),
        node("LSTM", "a", "b", "cut1"),
        node("Tanh", "b", "c", "cut2"),
        node("Sigmoid", "a", "d", "kept2"),
        node("Add", "c d", "y", "cut3"),
    )

    def test_what_depends_on_a_cut_is_cut(self) -> None:
        imported = convert(self.GRAPH, "m.onnx", partial=True)
        assert [layer.name for layer in imported.layers.values()] == ["kept1", "kept2"]
        assert imported.messages == (
            (
                "cut: 3 of its 5 nodes, because of node 'cut1' (LSTM): "
                "no layer type does what it does"
            ),
        )

    def test_first_causes_are_named_in_their_order_each_reason_once(self) -> None:
        names = "abcdefgh"
        graph = graph_of(
            *(node("LSTM", "x", name) for name in names[:5]),
            node("GRU", "a", "u"),
            node("GRU", "x", "v"),
            node("Sigmoid", "x", "w"),
            node("Einsum", "w", "s"),
            node("Det", "w", "t"),
            node("Sum", "a b c d e u v w s t", "y"),
            outputs=("y", "w"),
        )
        with pytest.raises(Unsayable) as caught:
            convert(graph, "m.onnx")
        unknown = "no layer type does what it does"
        assert list(map(str, caught.value.causes)) == [
            f"node 'a' (LSTM): {unknown} (and 4 more LSTM)",
            f"node 'v' (GRU): {unknown}",
            f"node 's' (Einsum): {unknown}",
            f"node 't' (Det): {unknown}",
        ]
        (cut,) = [
            one for one in convert(graph, "m.onnx", partial=True).messages if one[:3] == "cut"
        ]
        assert cut.startswith("cut: 10 of its 11 nodes, because of node 'a' (LSTM)")
        assert cut.endswith("; and 1 more cause")

    def test_the_spec_says_that_something_is_missing(self) -> None:
        assert "# Left out: 3 of its nodes" in text_of(self.GRAPH, partial=True)

    def test_a_failed_node_leaves_no_layers_behind(self) -> None:
        graph = graph_of(
            node("Relu", "x", "a"),
            node("Pad", "a p", "y"),  # its crop is legal, its pad is not
            p=constant([0, 0, -1, 2**60, 0, 0, 0, 0]),
        )
        imported = convert(graph, "m.onnx", partial=True)
        assert [layer.type for layer in imported.layers.values()] == ["relu"]


class TestGraph:
    def test_a_name_given_twice_is_refused(self) -> None:
        with pytest.raises(FileError) as caught:
            graph_of(node("Relu", "x", "y"), node("Tanh", "x", "y"))
        assert (caught.value.code, caught.value.value) == ("E405", "'y' is given twice")

    def test_a_cycle_is_refused(self) -> None:
        with pytest.raises(FileError) as caught:
            graph_of(node("Relu", "y", "a"), node("Relu", "a", "y"))
        assert caught.value.message == "no node depends on itself"
        assert caught.value.value == (
            "node 'a' (Relu), which reads node 'y' (Relu), which reads node 'a' (Relu)"
        )

    def test_a_missing_initializer_is_refused(self) -> None:
        with pytest.raises(FileError) as caught:
            graph_of(node("Conv", "x w", "y", "conv1"))
        assert caught.value.message == "what node 'conv1' (Conv) reads is given by the model"

    def test_an_output_that_nothing_gives_is_refused(self) -> None:
        with pytest.raises(FileError):
            graph_of(node("Relu", "x", "z"))
