"""Quantised graphs: what is rounded is said, what is not known to be a number is not taken for it.

Their numbers are held to ONNX Runtime's in tests/peers.
"""

from __future__ import annotations

import pytest

from convt_cli.errors import ConvtError
from convt_cli.models.onnx.convert import convert
from convt_cli.models.onnx.graph import Graph
from tests.models.onnx.test_convert import constant, graph_of, layers_of, node, weight

SCALES = {
    "xs": constant(0.1),
    "xz": constant(3, "uint8"),
    "w": weight(2, 4, 1, 1),
    "ws": constant([0.1, 0.2]),
    "wz": constant([0, 0], "int8"),
    "b": weight(2),
}
CONV = node("QLinearConv", "q xs xz w ws wz xs xz b", "r", "conv")


def graph(*nodes: object, **constants: object) -> Graph:
    return graph_of(*nodes, **{**SCALES, **constants})  # type: ignore[arg-type]


def test_a_layer_that_rounds_is_the_plain_one_of_dequantised_numbers() -> None:
    quantised = graph(
        node("QuantizeLinear", "x xs xz", "q"), CONV, node("DequantizeLinear", "r xs xz", "y")
    )
    assert layers_of(quantised) == [
        "identity",
        'conv, out_channels: 2, kernel_size: 1, weight: "m.onnx#r:w", bias: "m.onnx#r:b"',
        "identity",
    ]
    assert convert(quantised, "m.onnx").messages == tuple(
        f"note: {operator} is computed without rounding, once"
        for operator in ("QuantizeLinear", "QLinearConv", "DequantizeLinear")
    )


def test_an_input_of_the_model_that_is_quantised_is_no_number() -> None:
    """Its scale is a factor, which only a stand-in can be for now."""
    sigmoid = node("com.microsoft.QLinearSigmoid", "x xs xz xs xz", "y")
    assert layers_of(graph(sigmoid)) == ["identity, stands_for: DequantizeLinear", "sigmoid"]


def test_integers_whose_scale_is_not_known_are_stood_in_for() -> None:
    layers = layers_of(graph(node("ConvInteger", "x w", "y")))
    assert layers == ["conv, out_channels: 2, kernel_size: 1, bias: false, stands_for: ConvInteger"]


@pytest.mark.parametrize(
    "nodes",
    [
        [node("QLinearConv", "", "y")],
        [node("DequantizeLinear", "-", "y")],
        [node("Greater", "x", "c"), node("Where", "c x x", "y")],
        [node("Sqrt", "", "r"), node("Div", "x r", "y")],
        [node("Mul", "x", "m"), node("Mul", "m x", "y")],
    ],
    ids=str,
)
def test_nodes_without_their_inputs_are_refused_or_stand_in(nodes: list[object]) -> None:
    try:
        imported = convert(graph(*nodes), "m.onnx")
    except ConvtError:
        return
    assert imported.messages or len(imported.layers) == 2
