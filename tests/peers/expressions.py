"""Random expressions in PyTorch's spelling, and what PyTorch makes of them.

    python -m tests.peers.expressions

writes tests/data/expressions.jsonl.gz: records of {"call", "source", "result"}, where the source is
(channels, *sizes), and the result its [shape, parameters], or null where PyTorch refuses the call.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Iterator
from importlib import import_module
from typing import Any

from tests.records import DATA, Record, write

PATH = DATA / "expressions.jsonl.gz"
COUNT = 600


EDGES: list[tuple[str, list[int]]] = [
    ("nn.InstanceNorm2d(3)", [3, 1, 1]),
    ("nn.InstanceNorm1d(3)", [3, 2]),
    ("nn.Flatten(1, 5)", [3, 4, 4]),
    ("nn.Flatten(-5)", [3, 4, 4]),
    ("nn.Unflatten(4, (2, 2))", [3, 4, 4]),
    ("nn.Softmax2d()", [3, 4, 4]),
    ("nn.LogSoftmax(1)", [3, 4, 4]),
    ("nn.Linear(5, 3)", [5]),
    ("nn.Linear(5, 3, bias=False)", [4]),
    ("nn.Hardtanh(-2, 2)", [3, 4]),
]
"""Calls that are hardly ever drawn, and their sources."""


def record_of(seed: int) -> Record:
    """A random call on a random source, and PyTorch's result."""
    draw = random.Random(seed)
    rank = draw.choice([1, 2, 2, 3])
    source = [draw.choice([1, 2, 4]), *(draw.randint(4, 12) for _ in range(rank))]
    call = drawn(draw, rank, source)
    return {"call": call, "source": source, "result": of_torch(call, source)}


def drawn(draw: random.Random, rank: int, shape: list[int]) -> str:
    """A call of a module on (channels, *sizes) of `rank` axes; it need not be legal."""
    small = draw.randint

    def sizes(low: int, high: int) -> str:
        numbers = [str(small(low, high)) for _ in range(rank)]
        return numbers[0] if draw.random() < 0.6 else f"({', '.join(numbers)},)"

    def some(entries: int) -> str:
        return ", ".join(str(small(0, 3)) for _ in range(entries))

    channels, dim = shape[0], f"{rank}d"
    kernel, stride, dilation = sizes(1, 4), sizes(1, 3), sizes(1, 2)
    groups = draw.choice([1, 1, channels])
    mode = draw.choice(["zeros", "zeros", "reflect", "replicate", "circular"])
    padding = draw.choice([sizes(0, 2), "'same'", "'valid'"])
    flag, other = draw.choice(["True", "False"]), draw.choice(["True", "False"])
    pads = some(2 * rank)
    conv, extra = f"{channels}, {groups * small(1, 4)}, {kernel}, {stride}", sizes(0, 1)
    resize = {1: "linear", 2: draw.choice(["bilinear", "bicubic"]), 3: "trilinear"}[rank]
    kept = ", ".join(draw.choice(["None", "5"]) for _ in range(rank))
    axis, axes = small(-rank, rank + 1), (small(1, rank), small(-rank, rank + 1))
    parts = draw.choice([f"({small(1, 4)}, -1)", f"(1, {shape[axis - 1]})", "(2, 3)"])
    return draw.choice(
        [
            f"nn.Conv{dim}({conv}, {padding}, {dilation}, {groups}, {flag}, '{mode}')",
            f"nn.ConvTranspose{dim}({conv}, {sizes(0, 2)}, {extra}, {groups}, {flag}, {dilation})",
            f"MaxPool{dim}({kernel}, {stride}, {sizes(0, 2)}, {dilation}, ceil_mode={flag})",
            f"torch.nn.AvgPool{dim}({kernel}, None, {sizes(0, 2)}, {flag}, {other})",
            f"nn.AdaptiveAvgPool{dim}({sizes(1, 6)})",
            f"nn.AdaptiveAvgPool{dim}(({kept},))",
            f"nn.AdaptiveMaxPool{dim}(output_size={sizes(1, 6)})",
            f"nn.BatchNorm{dim}({channels}, affine={flag})",
            f"nn.InstanceNorm{dim}({channels}, affine={flag})",
            f"nn.GroupNorm({small(1, 3)}, {channels}, affine={flag})",
            f"nn.BatchNorm{dim}({channels}, 0.1, bias={flag})",
            f"nn.InstanceNorm{dim}({channels}, 0.2, affine={flag}, bias={other})",
            f"nn.LayerNorm({shape[-1]}, 1e-3, bias={flag})",
            f"nn.LocalResponseNorm({small(1, 5)}, 0.1, 0.5, 2)",
            f"nn.Linear({shape[-1]}, {small(1, 5)}, {flag})",
            f"nn.Softmax({small(1, rank + 1) - draw.choice([0, rank + 2])})",
            f"nn.PReLU({draw.choice([1, channels])}, init=0.4)",
            "[nn.Hardtanh(-0.5, 2.5), nn.ReLU6(), nn.Hardsigmoid(), nn.Mish(), nn.SELU()]",
            "[nn.ELU(0.3), nn.CELU(), nn.RReLU(), nn.Softplus(), nn.GELU('tanh')]",
            f"nn.LayerNorm({shape[-small(1, rank + 1) :]}, elementwise_affine={flag})",
            f"nn.LayerNorm({draw.choice([shape[-1], 5])}, elementwise_affine={flag})",
            f"nn.LocalResponseNorm({small(1, 4)})",
            f"nn.ZeroPad{dim}(({pads}))",
            f"nn.ZeroPad{dim}({small(0, 3)})",
            f"nn.ConstantPad{dim}({small(0, 3)}, {small(0, 1)})",
            f"nn.ReflectionPad{dim}({small(0, 4)})",
            f"nn.CircularPad{dim}(({some(2 * rank)}))",
            f"nn.ReplicationPad{dim}(({pads}))",
            f"nn.Upsample(scale_factor={draw.choice([2, 3, 1.5, 1.15, 0.7])})",
            f"nn.Upsample(size={sizes(1, 9)}, mode='{resize}')",
            # on other axes PyTorch shuffles the channels or the batch, which convt refuses
            f"nn.PixelShuffle({small(1, 2)})" if rank == 2 else "nn.Identity()",
            f"nn.PixelUnshuffle({small(1, 2)})" if rank == 2 else "nn.Tanh()",
            f"nn.PReLU({draw.choice([1, channels])})",
            f"nn.Flatten({small(1, rank + 1)})",
            f"nn.Flatten({axes[0]}, {axes[1]})",
            f"nn.Unflatten({axis}, {parts})",
            "nn.Sequential(nn.LeakyReLU(0.1, inplace=False), nn.Hardswish())",
            "[nn.ReLU(), nn.Dropout(0.2), nn.Softmax(1)]",
        ]
    )


def of_torch(text: str, shape: list[int]) -> list[Any] | None:
    """[shape, parameters] of what the last call gives; None where PyTorch refuses it."""
    torch = import_module("torch")
    names = {"nn": torch.nn, "torch": torch, **vars(torch.nn)}
    try:
        found: Any = eval(text, names)
        module = torch.nn.Sequential(*found) if isinstance(found, list) else found
        result = module.eval()(torch.zeros(2, *shape))
    except (RuntimeError, ValueError, TypeError, AssertionError, NotImplementedError, IndexError):
        return None
    if 0 in result.shape or result.shape[0] != 2:
        return None
    return [list(result.shape[1:]), sum(one.numel() for one in module.parameters())]


def records() -> Iterator[Record]:
    """The records of the file, each call on a source once."""
    found = {}
    for seed in range(COUNT):
        record = record_of(seed)
        found[record["call"], tuple(record["source"])] = record
    yield from found.values()
    for call, source in EDGES:
        yield {"call": call, "source": source, "result": of_torch(call, source)}


if __name__ == "__main__":
    write(PATH, records())
    sys.stdout.write(f"{PATH}: {PATH.stat().st_size:,} bytes\n")
