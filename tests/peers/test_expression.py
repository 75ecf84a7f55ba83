"""Expressions against PyTorch, which evaluates them: shapes and parameters of random ones."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest

from convt_cli.analysis.backward.run import prepared, run, way_to
from convt_cli.errors import ConvtError
from convt_cli.files.weights import Weights
from convt_cli.spec.load import load_spec

torch = pytest.importorskip("torch")

pytestmark = [
    pytest.mark.peers,
    pytest.mark.filterwarnings("ignore"),
    pytest.mark.usefixtures("folder"),
]


def drawn(draw: random.Random, rank: int, shape: list[int]) -> str:
    """A call of a module on (channels, *sizes) of `rank` axes; it need not be legal."""
    small = draw.randint

    def sizes(low: int, high: int) -> str:
        numbers = [str(small(low, high)) for _ in range(rank)]
        return numbers[0] if draw.random() < 0.6 else f"({', '.join(numbers)},)"

    channels, dim = shape[0], f"{rank}d"
    kernel, stride, dilation = sizes(1, 4), sizes(1, 3), sizes(1, 2)
    groups = draw.choice([1, 1, channels])
    mode = draw.choice(["zeros", "zeros", "reflect", "replicate", "circular"])
    padding = draw.choice([sizes(0, 2), "'same'", "'valid'"])
    flag, other = draw.choice(["True", "False"]), draw.choice(["True", "False"])
    pads = ", ".join(str(small(0, 3)) for _ in range(2 * rank))
    conv, extra = f"{channels}, {groups * small(1, 4)}, {kernel}, {stride}", sizes(0, 1)
    resize = {1: "linear", 2: draw.choice(["bilinear", "bicubic"]), 3: "trilinear"}[rank]
    return draw.choice(
        [
            f"nn.Conv{dim}({conv}, {padding}, {dilation}, {groups}, {flag}, '{mode}')",
            f"nn.ConvTranspose{dim}({conv}, {sizes(0, 2)}, {extra}, {groups}, {flag}, {dilation})",
            f"MaxPool{dim}({kernel}, {stride}, {sizes(0, 2)}, {dilation}, ceil_mode={flag})",
            f"torch.nn.AvgPool{dim}({kernel}, None, {sizes(0, 2)}, {flag}, {other})",
            f"nn.AdaptiveAvgPool{dim}({sizes(1, 6)})",
            f"nn.AdaptiveMaxPool{dim}(output_size={sizes(1, 6)})",
            f"nn.BatchNorm{dim}({channels}, affine={flag})",
            f"nn.InstanceNorm{dim}({channels}, affine={flag})",
            f"nn.GroupNorm({small(1, 2)}, {channels}, affine={flag})",
            f"nn.BatchNorm{dim}({channels}, 0.1, bias={flag})",
            f"nn.InstanceNorm{dim}({channels}, 0.2, affine={flag}, bias={other})",
            f"nn.LayerNorm({shape[-small(1, rank + 1) :]}, elementwise_affine={flag})",
            f"nn.LayerNorm({shape[-1]}, 1e-3, bias={flag})",
            f"nn.LocalResponseNorm({small(1, 5)}, 0.1, 0.5, 2)",
            f"nn.Linear({shape[-1]}, {small(1, 5)}, {flag})",
            f"nn.CircularPad{dim}(({pads}))",
            f"nn.Softmax({small(1, rank + 1) - draw.choice([0, rank + 2])})",
            f"nn.PReLU({draw.choice([1, channels])}, init=0.4)",
            "[nn.Hardtanh(-0.5, 2.5), nn.ReLU6(), nn.Hardsigmoid(), nn.Mish(), nn.SELU()]",
            "[nn.ELU(0.3), nn.CELU(), nn.RReLU(), nn.Softplus(), nn.GELU('tanh')]",
            f"nn.ZeroPad{dim}(({pads}))",
            f"nn.ReflectionPad{dim}({small(0, 2)})",
            f"nn.ReplicationPad{dim}(({pads}))",
            f"nn.Upsample(scale_factor={draw.choice([2, 3, 1.5, 1.15, 0.7])})",
            f"nn.Upsample(size={sizes(1, 9)}, mode='{resize}')",
            # on other axes PyTorch shuffles the channels or the batch, which convt refuses
            f"nn.PixelShuffle({small(1, 2)})" if rank == 2 else "nn.Identity()",
            f"nn.PixelUnshuffle({small(1, 2)})" if rank == 2 else "nn.Tanh()",
            f"nn.PReLU({draw.choice([1, channels])})",
            f"nn.Flatten({small(1, rank + 1)})",
            "nn.Sequential(nn.LeakyReLU(0.1, inplace=False), nn.Hardswish())",
            "[nn.ReLU(), nn.Dropout(0.2), nn.Softmax(1)]",
        ]
    )


def of_torch(text: str, shape: list[int]) -> tuple[list[int], int] | None:
    """(shape, parameters) of what the last call gives; None where PyTorch refuses it."""
    names = {"nn": torch.nn, "torch": torch, **vars(torch.nn)}
    try:
        found: Any = eval(text, names)
        module = torch.nn.Sequential(*found) if isinstance(found, list) else found
        result = module.eval()(torch.zeros(2, *shape))
    except (RuntimeError, ValueError, TypeError, AssertionError, NotImplementedError):
        return None
    if 0 in result.shape or result.shape[0] != 2:
        return None
    return list(result.shape[1:]), sum(one.numel() for one in module.parameters())


@pytest.mark.parametrize("seed", range(400))
def test_a_chain_has_pytorchs_shapes_and_parameters(seed: int) -> None:
    draw = random.Random(seed)
    rank = draw.choice([1, 2, 2, 3])
    first = [draw.choice([1, 2, 4]), *(draw.randint(4, 12) for _ in range(rank))]
    shape, calls, parameters = first, [], 0
    for _ in range(6):
        call = drawn(draw, len(shape) - 1 if len(shape) > 1 else 1, shape)
        expected = of_torch(call, shape) if len(shape) > 1 else None
        if expected is None:
            if len(shape) > 1:
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
    *("nn.CELU(0.5)", "nn.Softplus(2)", "nn.Softplus(threshold=5)", "nn.LogSoftmax(1)"),
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
