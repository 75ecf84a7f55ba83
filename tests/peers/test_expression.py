"""Expressions against PyTorch, which evaluates them: chains of calls, and the recorded calls."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest

from convt_cli.analysis.backward.run import prepared, run, way_to
from convt_cli.errors import ConvtError
from convt_cli.files.weights import Weights
from convt_cli.spec.load import load_spec
from tests.peers.expressions import PATH, drawn, of_torch
from tests.records import Record, read
from tests.rows import assert_each

torch = pytest.importorskip("torch")

pytestmark = [
    pytest.mark.peers,
    pytest.mark.filterwarnings("ignore"),
    pytest.mark.usefixtures("folder"),
]


@pytest.mark.parametrize("part", range(10))
def test_the_record_is_what_pytorch_says(part: int) -> None:
    def check(record: Record) -> None:
        assert of_torch(record["call"], record["source"]) == record["result"]

    assert_each(read(PATH)[part::10], check)


@pytest.mark.parametrize("seed", range(400))
def test_a_chain_has_pytorchs_shapes_and_parameters(seed: int) -> None:
    draw = random.Random(seed)
    rank = draw.choice([1, 2, 2, 3])
    first = [draw.choice([1, 2, 4]), *(draw.randint(4, 12) for _ in range(rank))]
    shape, calls, parameters = first, [], 0
    for _ in range(6):
        if not 2 <= len(shape) <= 4:
            break
        call = drawn(draw, len(shape) - 1, shape)
        expected = of_torch(call, shape)
        if expected is None:
            assert_refused_too(call, shape)
            continue
        calls.append(call)
        parameters += expected[1]
        shape = expected[0]
    if not calls:
        return
    network = load_spec("; ".join(calls), input={"": tuple(first)})
    assert list(network.output) == shape, calls
    assert sum(one.geometry.parameters for one in network.layers) == parameters, calls


def value_of_torch(text: str, images: Any) -> Any:
    """What PyTorch's modules of the expression `text` give for `images`."""
    found = eval(text, {"nn": torch.nn})
    module = torch.nn.Sequential(*found) if isinstance(found, tuple) else found
    with torch.no_grad():
        return module.double().eval()(images).numpy()


VALUES = (
    *("nn.ReLU()", "nn.ReLU6()", "nn.LeakyReLU(0.2)", "nn.LeakyReLU()", "nn.RReLU(0.1, 0.4)"),
    *("nn.Hardtanh()", "nn.Hardtanh(-0.2, max_val=0.3)", "nn.ELU()", "nn.ELU(0.4)", "nn.CELU()"),
    *("nn.SELU()", "nn.GELU()", "nn.GELU(approximate='tanh')", "nn.SiLU()", "nn.Mish()"),
    *("nn.Softplus()", "nn.Sigmoid()", "nn.Hardsigmoid()", "nn.Hardswish()", "nn.Tanh()"),
    *("nn.Softmax(1)", "nn.Softmax(-1)", "nn.Softmax(2)", "nn.Softmax()", "nn.Softmax2d()"),
    *("nn.PReLU()", "nn.PReLU(4)", "nn.PReLU(4, 0.125)", "nn.PReLU(init=-0.75)", "nn.Dropout(0.3)"),
    *("nn.LocalResponseNorm(3)", "nn.LocalResponseNorm(4, 0.3, 0.6, 2)", "nn.LayerNorm(5)"),
    *("nn.LayerNorm([6, 5], 0.1)", "nn.LayerNorm([4, 6, 5], bias=False)", "nn.InstanceNorm2d(4)"),
    *("nn.InstanceNorm2d(4, 0.3, affine=True)", "nn.GroupNorm(2, 4)", "nn.GroupNorm(4, 4, 0.2)"),
    *(
        "nn.ReflectionPad2d(3)",
        "nn.ReplicationPad2d((1, 2, 3, 0))",
        "nn.CircularPad2d((2, 0, 1, 3))",
    ),
    *("nn.ZeroPad2d((1, 2, 0, 3))", "nn.ConstantPad2d(2, 0)", "nn.Flatten()", "nn.Flatten(2)"),
    *("nn.Unflatten(1, (2, 2))", "nn.MaxPool2d(2, 1, 1)", "nn.AvgPool2d(3, 2, 1)", "nn.Identity()"),
    *("nn.AdaptiveAvgPool2d(3)", "nn.AdaptiveMaxPool2d((2, 3))", "nn.Upsample(scale_factor=2)"),
    "nn.PixelShuffle(2)",
)
"""Modules whose numbers are those in their calls."""


@pytest.mark.parametrize("text", VALUES)
def test_a_module_gives_pytorchs_values(text: str) -> None:
    images = torch.randn(2, 4, 6, 5, dtype=torch.float64, generator=torch.manual_seed(1)) * 3
    network = load_spec(text, input={"": tuple(images.shape[1:])})
    layer = network.layers[-1]
    assert layer.stands_for is None
    ready = prepared(way_to(network, layer.name), Weights(network), images.numpy().dtype)
    found = run(ready, images.numpy()).activations
    # PyTorch's softplus is x from 20 on, which is less by 2e-9
    np.testing.assert_allclose(found, value_of_torch(text, images), rtol=1e-12, atol=1e-13)


STAND_INS = (
    *("nn.CELU(0.5)", "nn.Softplus(2)", "nn.Softplus(threshold=5)"),
    *("nn.ConstantPad2d(1, 2.5)", "nn.BatchNorm2d(4, track_running_stats=False)"),
)


@pytest.mark.parametrize("text", STAND_INS)
def test_what_no_layer_computes_is_said(text: str) -> None:
    (layer,) = load_spec(text, input={"": (4, 6, 5)}).layers
    assert layer.stands_for == text


@pytest.mark.parametrize(
    "text",
    ["nn.Hardtanh(1, 1)", "nn.Softmax(0)", "nn.PReLU(3)", "nn.Linear(4, 2)"],
)
def test_what_pytorch_refuses_is_refused(text: str) -> None:
    assert_refused_too(text, [4, 6, 5])


def test_a_vector_goes_through_linear_layers() -> None:
    network = load_spec("nn.Linear(10, 5); nn.BatchNorm1d(5); nn.Softmax()", input={"": (10,)})
    assert network.output == (5,)
    assert sum(layer.geometry.parameters for layer in network.layers) == 65


def assert_refused_too(call: str, shape: list[int]) -> None:
    """convt refuses what PyTorch refuses."""
    try:
        network = load_spec(call, input={"": tuple(shape)})
    except ConvtError:
        return
    pytest.fail(f"{call} on {shape} gives {network.output}")
