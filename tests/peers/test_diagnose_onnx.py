"""convt diagnose beside ONNX Runtime: every value of a run, by the names that the model has."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.conftest import Run

onnx = pytest.importorskip("onnx")
runtime = pytest.importorskip("onnxruntime")

pytestmark = pytest.mark.peers

RNG = np.random.default_rng(6)
X = RNG.standard_normal((1, 3, 12, 14)).astype(np.float32)
WEIGHTS = {
    "a.weight": (8, 3, 3, 3),
    "a.bias": (8,),
    "b.weight": (8, 1, 3, 3),
    "c.weight": (8, 5, 2, 2),
    "c.bias": (5,),
}
VALUES = ("/a/Conv_output_0", "/a/Relu_output_0", "/b/Conv_output_0", "inner", "c")


def model(weights: dict[str, Any]) -> Any:
    """Three convolutions, the last put to channels last in a value called like its node.

    Exporters name values with a / in front, and turn what they move out of a graph's way.
    """
    made = onnx.helper
    a, a_relu, b, inner, c = VALUES
    nodes = [
        made.make_node("Conv", ["x", "a.weight", "a.bias"], [a], "/a/Conv", pads=[1, 1, 1, 1]),
        made.make_node("Relu", [a], [a_relu], "/a/Relu"),
        made.make_node("Conv", [a_relu, "b.weight"], [b], "/b/Conv", group=8, strides=[2, 2]),
        made.make_node("ConvTranspose", [b, "c.weight", "c.bias"], [inner], "c", strides=[2, 2]),
        made.make_node("Transpose", [inner], [c], "turned", perm=[0, 2, 3, 1]),
    ]
    graph = made.make_graph(
        nodes,
        "net",
        [made.make_tensor_value_info("x", onnx.TensorProto.FLOAT, X.shape)],
        [onnx.ValueInfoProto(name=name) for name in VALUES],
        [onnx.numpy_helper.from_array(array, name) for name, array in weights.items()],
    )
    opsets = [made.make_opsetid("", 13)]
    return made.make_model(graph, opset_imports=opsets, ir_version=8)


@pytest.fixture
def weights(folder: Path) -> dict[str, Any]:
    drawn = {name: RNG.standard_normal(shape).astype(np.float32) for name, shape in WEIGHTS.items()}
    content = model(drawn)
    for name in VALUES[:-1]:  # the file has one output; the run keeps all values
        content.graph.output.remove(next(one for one in content.graph.output if one.name == name))
    Path("net.onnx").write_bytes(content.SerializeToString())
    return drawn


def ran(weights: dict[str, Any]) -> None:
    """The values of a run with these weights, in d.npz."""
    content = model(weights).SerializeToString()
    session = runtime.InferenceSession(content, providers=["CPUExecutionProvider"])
    np.savez("d.npz", x=X, **dict(zip(VALUES, session.run(VALUES, {"x": X}), strict=True)))


def test_a_right_run_raises_no_alarm(run: Run, weights: dict[str, Any]) -> None:
    ran(weights)
    outcome = run("diagnose", "net.onnx", "--dump", "d.npz", "--format", "json")
    assert (outcome.status, outcome.document["first"]) == (0, None), outcome.out
    assert (len(outcome.document["layers"]), outcome.document["not_judged"]) == (5, [])


@pytest.mark.parametrize(
    ("name", "layer"), [("a.weight", "/a/Conv"), ("b.weight", "/b/Conv"), ("c.weight", "c")]
)
def test_two_taps_exchanged_make_their_layer_alone_guilty(
    run: Run, weights: dict[str, Any], name: str, layer: str
) -> None:
    ran({**weights, name: exchanged(weights[name])})
    outcome = run("diagnose", "net.onnx", "--dump", "d.npz", "--format", "json")
    document = outcome.document
    guilty = [one["layer"] for one in document["layers"] if one["verdict"] == "different"]
    assert (outcome.status, document["first"], guilty) == (1, layer, [layer])
    assert not any(one["explanations"] for one in document["layers"])


def exchanged(weight: Any) -> Any:
    """The weight with the first two taps of one kernel exchanged."""
    other = weight.copy()
    other[1, 0, 0, :2] = weight[1, 0, 0, 1::-1]
    return other
