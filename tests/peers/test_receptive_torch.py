"""Receptive fields held to PyTorch's gradients: which inputs an output depends on at all.

Every window here stands on its source alone, without padding, so that no border cuts a field
short, and every weight is positive, so that nothing cancels.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from math import prod
from typing import Any

import pytest

from convt_cli.arithmetic.convolution import Shape
from convt_cli.arithmetic.dialects.frameworks import FRAMEWORKS
from convt_cli.arithmetic.keys import Ratio
from convt_cli.arithmetic.layers import Conv, ConvTranspose, Definition
from convt_cli.arithmetic.layers.activations import Softmax
from convt_cli.arithmetic.layers.adaptive_pools import GlobalPool
from convt_cli.arithmetic.layers.linear import Linear
from convt_cli.arithmetic.layers.norms import Lrn
from convt_cli.arithmetic.layers.pools import AveragePool
from convt_cli.arithmetic.layers.rearranging import Crop, Flatten, Reshape, Slice, Transpose
from convt_cli.arithmetic.layers.resampling import PixelShuffle, PixelUnshuffle, Upsample
from convt_cli.arithmetic.questions.receptive import Receptive
from convt_cli.errors import GeometryError
from tests.rows import for_each

torch = pytest.importorskip("torch")
nn: Any = torch.nn
functional: Any = torch.nn.functional

pytestmark = pytest.mark.peers

PYTORCH = FRAMEWORKS["pytorch"]
INPUT: Shape = (4, 8, 8)
MOST = 1000
"""Elements of an output, each of which has a gradient of its own."""
Call = Callable[[Any], Any]
Drawn = tuple[Definition, Call]


def positive(module: Any) -> Any:
    for parameter in module.parameters():
        nn.init.uniform_(parameter, 0.5, 1.5)
    return module.double()


def conv(draw: random.Random, shape: Shape) -> Drawn:
    channels, *sizes = shape
    groups = draw.choice([n for n in range(1, channels + 1) if channels % n == 0])
    keys: dict[str, Any] = {
        "kernel_size": draw.randint(1, 3),
        "stride": draw.randint(1, 2),
        "dilation": draw.choice([1, 1, 2]),
        "groups": groups,
        "bias": False,
    }
    out_channels = groups * draw.randint(1, 2)
    module = getattr(nn, f"Conv{len(sizes)}d")(channels, out_channels, **keys)
    return Conv(out_channels=out_channels, **keys), positive(module)


def conv_transpose(draw: random.Random, shape: Shape) -> Drawn:
    channels, *sizes = shape
    keys: dict[str, Any] = {
        "kernel_size": draw.randint(1, 3),
        "stride": draw.randint(1, 2),
        "dilation": draw.choice([1, 1, 2]),
        "bias": False,
    }
    module = getattr(nn, f"ConvTranspose{len(sizes)}d")(channels, 3, **keys)
    return ConvTranspose(out_channels=3, **keys), positive(module)


def average(draw: random.Random, shape: Shape) -> Drawn:
    keys: dict[str, Any] = {"kernel_size": draw.randint(1, 3), "stride": draw.randint(1, 3)}
    return AveragePool(**keys), getattr(nn, f"AvgPool{len(shape) - 1}d")(**keys)


def everywhere(_: random.Random, shape: Shape) -> Drawn:
    axes = tuple(range(2, len(shape) + 1))
    return GlobalPool(), lambda x: x.mean(axes, keepdim=True)


def upsample(draw: random.Random, _: Shape) -> Drawn:
    factor = draw.choice([Ratio.of(2, 1), Ratio.of(3, 2)])
    number = factor.numerator / factor.denominator
    return Upsample(scale_factor=factor), lambda x: functional.interpolate(x, scale_factor=number)


def shuffle(draw: random.Random, shape: Shape) -> Drawn:
    if len(shape) != 3:
        return average(draw, shape)
    if shape[0] % 4:
        return PixelUnshuffle(factor=2), nn.PixelUnshuffle(2)
    return PixelShuffle(factor=2), nn.PixelShuffle(2)


def transpose(draw: random.Random, shape: Shape) -> Drawn:
    axes = tuple(draw.sample(range(len(shape)), len(shape)))
    return Transpose(axes=axes), lambda x: x.permute(0, *(axis + 1 for axis in axes))


def reshape(draw: random.Random, shape: Shape) -> Drawn:
    """Split an axis, or join two neighbours."""
    sizes = list(shape)
    axis = draw.randrange(len(sizes))
    if draw.random() < 0.5 and len(sizes) > 2:
        axis = min(axis, len(sizes) - 2)
        sizes[axis : axis + 2] = [sizes[axis] * sizes[axis + 1]]
    else:
        factor = draw.choice([n for n in range(1, sizes[axis] + 1) if sizes[axis] % n == 0])
        sizes[axis : axis + 1] = [factor, sizes[axis] // factor]
    return Reshape(shape=tuple(sizes)), lambda x: x.reshape(len(x), *sizes)


def flatten(_: random.Random, __: Shape) -> Drawn:
    return Flatten(), lambda x: x.flatten(1)


def crop(draw: random.Random, shape: Shape) -> Drawn:
    cut = draw.randint(0, 1)
    inner = (slice(None), slice(None), *(slice(cut, None) for _ in shape[1:]))
    return Crop(padding=((cut, 0),) * (len(shape) - 1)), lambda x: x[inner]


def cut(draw: random.Random, shape: Shape) -> Drawn:
    """A slice from the second element on, or of every other element."""
    axis, begin, step = draw.randrange(len(shape)), draw.randint(0, 1), draw.randint(1, 2)
    where = (slice(None),) * (axis + 1) + (slice(begin, None, step),)
    return Slice(axis=axis, begin=begin, step=step), lambda x: x[where]


def flipped(draw: random.Random, shape: Shape) -> Drawn:
    axis = draw.randrange(len(shape))
    return Slice(axis=axis, begin=-1, step=-1), lambda x: x.flip(axis + 1)


def linear(draw: random.Random, shape: Shape) -> Drawn:
    axis = draw.randrange(len(shape))
    module = positive(nn.Linear(shape[axis], 3))
    layer = Linear(out_features=3, axis=axis)
    return layer, lambda x: module(x.movedim(axis + 1, -1)).movedim(-1, axis + 1)


def softmax(draw: random.Random, shape: Shape) -> Drawn:
    axis = draw.randrange(len(shape))
    return Softmax(axis=axis), lambda x: x.softmax(axis + 1)


def lrn(_: random.Random, shape: Shape) -> Drawn:
    return Lrn(size=3), nn.LocalResponseNorm(3)


OPERATIONS = [conv, conv, conv_transpose, average, everywhere, upsample, shuffle]
OPERATIONS += [transpose, transpose, reshape, reshape, reshape, flatten, crop]
OPERATIONS += [cut, cut, flipped, linear, softmax, lrn]


def drawn_chain(seed: int) -> tuple[list[Call], Receptive]:
    """Layers that are legal one after the other, and what convt says of the last."""
    draw = random.Random(seed)
    seen = Receptive.of_input(INPUT)
    calls: list[Call] = []
    while len(calls) < 4 and len(seen.shape) > 1:
        if len(seen.shape) > 4:
            operation: Callable[[random.Random, Shape], Drawn] = draw.choice([transpose, reshape])
        else:
            operation = draw.choice(OPERATIONS)
        layer, call = operation(draw, seen.shape)
        try:
            geometry = layer.resolve((seen.shape,), PYTORCH)
        except GeometryError:
            continue
        if prod(geometry.output) > MOST:
            break
        seen = seen.behind(geometry.dependence, geometry.output)
        calls.append(call)
    return calls, seen


def spanned(calls: list[Call]) -> tuple[Shape, Shape]:
    """The widest span that gradients show, and the span of everything that is read at all."""

    def network(x: Any) -> Any:
        for call in calls:
            x = call(x[None])[0]
        return x

    x = torch.rand(INPUT, dtype=torch.float64)
    jacobian = torch.autograd.functional.jacobian(network, x, vectorize=True)
    rank = jacobian.dim() - len(INPUT)
    reads = jacobian.abs().sum(dim=(0, rank)) > 0 if rank > 1 else jacobian.abs().sum(rank) > 0
    reads = reads.reshape(-1, *INPUT[1:]) if rank > 1 else reads.any(0)[None]
    widest = tuple(max(map(span, reads.any(3 - axis))) for axis in (1, 2))
    everything = reads.any(0)
    return widest, tuple(span(everything.any(2 - axis)) for axis in (1, 2))


def span(places: Any) -> int:
    """How many places lie between the first and the last of those that are read."""
    (read,) = places.nonzero(as_tuple=True)
    return int(read.max() - read.min() + 1) if len(read) else 0


@for_each("seed", range(200))
def test_gradients_reach_the_field_and_no_further(seed: int) -> None:
    """A position that sees the whole of an axis sees what is read of it at all."""
    calls, seen = drawn_chain(seed)
    widest, everything = spanned(calls)
    for size, field, read, most in zip(INPUT[1:], seen.field, widest, everything, strict=True):
        assert read <= field
        if not seen.is_bound:
            assert read == (most if field >= size else field)
