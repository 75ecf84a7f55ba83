"""Operations that are written out: what is put together again, and what stays as it is.

That the numbers are those of the nodes is held to ONNX Runtime in tests/peers/test_onnx_numbers.py.
"""

from __future__ import annotations

from dataclasses import replace

import pytest

from convt_cli.models.onnx.fusing import fused
from convt_cli.models.onnx.graph import Graph, Node
from tests.models.onnx.test_convert import constant, graph_from, layers_of, node, weight

NORM = (
    node("ReduceMean", "x", "mean", axes=(1,)),
    node("Sub", "x mean", "d"),
    node("Pow", "d two", "squares"),
    node("ReduceMean", "squares", "variance", axes=(1,)),
    node("Add", "variance eps", "shifted"),
    node("Sqrt", "shifted", "root"),
    node("Div", "d root", "y", "norm"),
)
GELU = (
    node("Div", "x root2", "scaled"),
    node("Erf", "scaled", "e"),
    node("Add", "e one", "more"),
    node("Mul", "x more", "product"),
    node("Mul", "product half", "y", "gelu"),
)
LEAKY = (
    node("Greater", "x zero", "above"),
    node("Mul", "x half", "less"),
    node("Where", "above x less", "y", "chosen"),
)
TURNED = (
    node("Transpose", "x", "t", perm=(3, 0, 1, 2)),
    node("Transpose", "t", "y", "back", perm=(1, 0, 2, 3)),
)
STRIDED = (
    node("Reshape", "x all", "v"),
    node("Gather", "v places", "y", "view"),
)
NUMBERS = {
    "all": constant([192]),
    "rest": constant([-1]),
    "places": constant([[[number] for number in range(192)]]),
    "turned": constant([[[number] for number in reversed(range(192))]]),
    "some": constant([[[number] for number in range(191)]]),
    "zero": constant(0.0),
    "two": constant(2.0),
    "eps": constant(0.5),
    "root2": constant(2**0.5),
    "one": constant(1.0),
    "half": constant(0.5),
    "three": constant(3.0),
}


def graph(*nodes: Node, outputs: tuple[str, ...] = ("y",)) -> Graph:
    return graph_from(nodes, {**NUMBERS, "w": weight(4, 1, 1)}, outputs=outputs)


def with_node(nodes: tuple[Node, ...], changed: str, **changes: object) -> tuple[Node, ...]:
    """`nodes`, the one that gives `changed` with other inputs, operator or attributes."""
    return tuple(replace(one, **changes) if one.outputs == (changed,) else one for one in nodes)  # type: ignore[arg-type]


def test_a_layer_norm_is_one_node() -> None:
    (one,) = fused(graph(*NORM)).nodes
    assert (one.name, one.operator, one.inputs) == ("norm", "LayerNormalization", ("x",))
    assert one.attributes == {"axes": (1,), "epsilon": 0.5}


def test_its_weight_and_bias_are_taken_in() -> None:
    nodes = with_node(NORM, "y", outputs=("n",))
    product, total = node("Mul", "n w", "m"), node("Add", "m w", "y")
    assert layers_of(graph(*nodes, product, total)) == [
        "layer_norm, normalized_axes: [0], eps: 0.5, weight: m.onnx#w, bias: m.onnx#w"
    ]


def test_a_gelu_is_one_node() -> None:
    (one,) = fused(graph(*GELU)).nodes
    assert (one.name, one.operator, one.inputs) == ("gelu", "Gelu", ("x",))


def test_a_choice_is_a_leaky_relu_or_a_relu() -> None:
    (one,) = fused(graph(*LEAKY)).nodes
    assert (one.operator, one.inputs, one.attributes) == ("LeakyRelu", ("x",), {"alpha": 0.5})
    (other,) = fused(graph(LEAKY[0], node("Where", "above x zero", "y"))).nodes
    assert (other.operator, other.inputs) == ("Relu", ("x",))


def test_a_transpose_that_brings_the_batch_back_is_one_with_that_which_moves_it() -> None:
    assert layers_of(graph(*TURNED)) == ["transpose, axes: [2, 0, 1]"]


def test_a_view_of_all_elements_is_a_reshape() -> None:
    assert layers_of(graph(*STRIDED)) == ["reshape, shape: [192, 1]"]
    open_size = with_node(STRIDED, "v", inputs=("x", "rest"))
    assert layers_of(graph(*open_size)) == ["reshape, shape: [192, 1]"]


@pytest.mark.parametrize(
    "nodes",
    [
        with_node(STRIDED, "y", inputs=("v", "some")),
        with_node(STRIDED, "y", inputs=("v", "turned")),
        with_node(STRIDED, "y", attributes={"axis": 1}),
        with_node(STRIDED, "v", operator="Tile"),
        with_node(LEAKY, "above", inputs=("x", "half")),
        with_node(LEAKY, "above", operator="Less"),
        with_node(LEAKY, "less", inputs=("w", "half")),
        with_node(LEAKY, "y", inputs=("above", "less", "x")),
        with_node(TURNED, "y", attributes={"perm": (1, 0, 2, 2)}),
        with_node(TURNED, "t", attributes={"perm": (0, 3, 1, 2)}),
        with_node(NORM, "variance", attributes={"axes": (2,)}),
        with_node(NORM, "variance", attributes={"axes": (1,), "keepdims": 0}),
        with_node(NORM, "squares", inputs=("d", "three")),
        with_node(NORM, "d", inputs=("mean", "x")),
        with_node(NORM, "y", inputs=("root", "d")),
        with_node(NORM, "shifted", inputs=("variance", "w")),
        with_node(NORM, "mean", operator="ReduceMax"),
        with_node(NORM, "mean", inputs=()),
        with_node(NORM, "y", inputs=("d",)),
        with_node(GELU, "scaled", inputs=("x", "two")),
        with_node(GELU, "more", inputs=("e", "half")),
        with_node(GELU, "y", inputs=("product", "two")),
        with_node(GELU, "product", inputs=("e", "more")),
    ],
)
def test_what_is_another_formula_stays(nodes: tuple[Node, ...]) -> None:
    given = graph(*nodes)
    assert fused(given) is given


@pytest.mark.parametrize(
    ("nodes", "kept"),
    [(NORM, name) for name in ("mean", "d", "variance", "root")]
    + [(GELU, name) for name in ("scaled", "e", "more", "product")]
    + [(LEAKY, "above"), (LEAKY, "less"), (TURNED, "t")],
)
def test_what_is_read_elsewhere_stays(nodes: tuple[Node, ...], kept: str) -> None:
    read = graph(*nodes, node("Relu", kept, "z"), outputs=("y", "z"))
    assert fused(read) is read
    output = graph(*nodes, outputs=("y", kept))
    assert fused(output) is output
