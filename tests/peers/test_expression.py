"""Expressions against PyTorch, which evaluates them: shapes and parameters of random ones."""

from __future__ import annotations

import random
from typing import Any

import pytest

from convt_cli.errors import ConvtError
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
            f"nn.LayerNorm({shape[-small(1, rank + 1) :]}, elementwise_affine={flag})",
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


def assert_refused_too(call: str, shape: list[int]) -> None:
    """convt refuses what PyTorch refuses."""
    try:
        network = load_spec(call, input={"": tuple(shape)})
    except ConvtError:
        return
    pytest.fail(f"{call} on {shape} gives {network.output}")
