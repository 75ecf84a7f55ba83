"""PyTorch as a peer for whole layers and whole networks: shapes, parameters, and what is read.

Each network stands here twice, as a `torch.nn` model and as the spec that somebody would write
of it by hand.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import pytest

from convt_cli.arithmetic.convolution import Shape
from convt_cli.arithmetic.dialects.frameworks import FRAMEWORKS
from convt_cli.arithmetic.keys import Ratio
from convt_cli.arithmetic.layers import Definition
from convt_cli.arithmetic.layers.adaptive_pools import AdaptivePool
from convt_cli.arithmetic.layers.joins import Multiply
from convt_cli.arithmetic.layers.linear import Linear
from convt_cli.arithmetic.layers.rearranging import Pad, Slice, Transpose
from convt_cli.arithmetic.layers.resampling import PixelShuffle, PixelUnshuffle, Upsample
from convt_cli.arithmetic.network import Network
from convt_cli.arithmetic.questions.receptive import Receptive
from convt_cli.errors import GeometryError
from convt_cli.spec.load import load_spec
from tests.conftest import WriteSpec
from tests.rows import for_each

torch = pytest.importorskip("torch")
nn: Any = torch.nn
functional: Any = torch.nn.functional

pytestmark = pytest.mark.peers

PYTORCH = FRAMEWORKS["pytorch"]
SEEDS = range(60)
RATIOS = [Ratio.of(*pair) for pair in ((2, 1), (3, 1), (1, 1), (3, 2), (1, 2), (1, 4), (5, 4))]

Call = Callable[[Any], Any]
Drawn = tuple[Definition, Call, Shape]


def number(ratio: Ratio) -> float:
    return ratio.numerator / ratio.denominator


def adaptive_mean(draw: random.Random, sizes: Shape) -> Drawn:
    wanted = tuple(draw.randint(1, 12) for _ in sizes)
    pool = getattr(nn, f"AdaptiveAvgPool{len(sizes)}d")
    return AdaptivePool(output_size=wanted), pool(wanted), (3, *sizes)


def adaptive_maximum(draw: random.Random, sizes: Shape) -> Drawn:
    wanted = tuple(draw.randint(1, 12) for _ in sizes)
    pool = getattr(nn, f"AdaptiveMaxPool{len(sizes)}d")
    return AdaptivePool(output_size=wanted), pool(wanted), (3, *sizes)


def upsample(draw: random.Random, sizes: Shape) -> Drawn:
    rank = len(sizes)
    modes = ["nearest", "area", ("linear", "bilinear", "trilinear")[rank - 1]]
    mode = draw.choice([*modes, "bicubic"] if rank == 2 else modes)
    keys: dict[str, Any] = {}
    if draw.random() < 0.5:
        keys["size"] = tuple(draw.randint(1, 12) for _ in sizes)
        layer = Upsample(output_size=keys["size"], mode=mode)
    else:
        factors = tuple(draw.choice(RATIOS) for _ in sizes)
        keys["scale_factor"] = tuple(map(number, factors))
        layer = Upsample(scale_factor=factors, mode=mode)
    return layer, lambda x: functional.interpolate(x, mode=mode, **keys), (3, *sizes)


def shuffle(draw: random.Random, sizes: Shape) -> Drawn:
    factor = draw.randint(1, 3)
    shape = (draw.choice([4, 9, 36, 6]), *(sizes * 2)[:2])
    return PixelShuffle(factor=factor), nn.PixelShuffle(factor), shape


def unshuffle(draw: random.Random, sizes: Shape) -> Drawn:
    factor = draw.randint(1, 3)
    return PixelUnshuffle(factor=factor), nn.PixelUnshuffle(factor), (2, *(sizes * 2)[:2])


def transpose(draw: random.Random, sizes: Shape) -> Drawn:
    axes = tuple(draw.sample(range(len(sizes) + 1), len(sizes) + 1))
    order = (0, *(axis + 1 for axis in axes))
    return Transpose(axes=axes), lambda x: x.permute(order), (3, *sizes)


def cut(draw: random.Random, sizes: Shape) -> Drawn:
    """A slice; PyTorch's go forwards alone."""
    shape = (3, *sizes)
    axis, step = draw.randrange(len(shape)), draw.randint(1, 3)
    begin, end = draw.randint(-10, 10), draw.choice([None, draw.randint(-10, 10)])
    where = (slice(None),) * (axis + 1) + (slice(begin, end, step),)
    return Slice(axis=axis, begin=begin, end=end, step=step), lambda x: x[where], shape


def padded(draw: random.Random, sizes: Shape) -> Drawn:
    mode = draw.choice(["zeros", "reflect", "replicate", "circular"])
    pairs = tuple((draw.randint(0, 4), draw.randint(0, 4)) for _ in sizes)
    theirs = {"mode": "constant" if mode == "zeros" else mode}
    flat = [number for pair in pairs[::-1] for number in pair]
    return Pad(padding=pairs, mode=mode), lambda x: functional.pad(x, flat, **theirs), (3, *sizes)


def linear(draw: random.Random, sizes: Shape) -> Drawn:
    shape = (3, *sizes)
    axis, features = draw.randrange(len(shape)), draw.randint(1, 5)
    module = nn.Linear(shape[axis], features)
    layer = Linear(out_features=features, in_features=shape[axis], axis=axis)
    return layer, lambda x: module(x.movedim(axis + 1, -1)).movedim(-1, axis + 1), shape


LAYERS = {
    "slice": cut,
    "pad": padded,
    "linear": linear,
    "adaptive mean": adaptive_mean,
    "adaptive maximum": adaptive_maximum,
    "upsample": upsample,
    "shuffle": shuffle,
    "unshuffle": unshuffle,
    "transpose": transpose,
}


def drawn(name: str, seed: int) -> Drawn:
    draw = random.Random(f"{name} {seed}")
    sizes = tuple(draw.randint(1, 9) for _ in range(draw.randint(1, 3)))
    return LAYERS[name](draw, sizes)


def theirs(call: Call, shape: Shape) -> Shape | None:
    """The shape that PyTorch gives; None where it refuses, or has nothing left."""
    try:
        found: Shape = tuple(call(torch.zeros(1, *shape)).shape[1:])
    except (RuntimeError, ValueError):
        return None
    return found if 0 not in found else None


def ours(layer: Definition, *shapes: Shape) -> Shape | None:
    """The shape that convt gives; None where it refuses."""
    try:
        return layer.resolve(shapes, PYTORCH).output
    except GeometryError:
        return None


@for_each("seed", SEEDS)
@pytest.mark.parametrize("name", LAYERS)
def test_a_layer_has_pytorchs_shape(name: str, seed: int) -> None:
    layer, call, shape = drawn(name, seed)
    assert ours(layer, shape) == theirs(call, shape)


@for_each("seed", SEEDS)
def test_mul_broadcasts_as_in_pytorch(seed: int) -> None:
    draw = random.Random(seed)
    sizes = tuple(draw.randint(2, 4) for _ in range(draw.randint(2, 4)))
    one, other = (tuple(draw.choice([size, size, size, 1, 5]) for size in sizes) for _ in range(2))
    product = theirs(lambda x: x * torch.zeros(1, *other), one)
    assert ours(Multiply(), one, other) == product


@for_each("seed", SEEDS)
@pytest.mark.parametrize("name", ["adaptive mean", "upsample", "shuffle", "unshuffle"])
def test_pytorch_reads_nothing_outside_the_field(name: str, seed: int) -> None:
    """And where no border cuts a position short, some position reads all of the field's extent."""
    layer, call, shape = drawn(name, seed)
    if theirs(call, shape) is None:
        return
    reach = layer.resolve((shape,), PYTORCH).dependence
    field = Receptive.of_input(shape).behind(reach, shape).field
    for axis, extent in enumerate(field):
        spans = read_spans(call, shape, axis + 1)
        assert max(spans) <= extent
        if extent < shape[axis + 1] and not isinstance(layer, Upsample):
            assert max(spans) == extent


def read_spans(call: Call, shape: Shape, axis: int) -> list[int]:
    """For every position of the output's axis, how many inputs along the axis it spans."""
    x = torch.rand(1, *shape, dtype=torch.float64, requires_grad=True)
    y = call(x)
    spans = []
    for position in range(y.shape[axis + 1]):
        (gradient,) = torch.autograd.grad(y.select(axis + 1, position).sum(), x, retain_graph=True)
        others = [n for n in range(gradient.dim()) if n != axis + 1]
        (read,) = gradient.abs().sum(others).gt(1e-6).nonzero(as_tuple=True)
        spans.append(int(read.max() - read.min() + 1) if len(read) else 0)
    return spans


class UNet(nn.Module):  # type: ignore[misc]
    """Two levels; the upper one is upsampled to the size of what it meets."""

    def __init__(self) -> None:
        super().__init__()
        self.enc1 = nn.Conv2d(3, 8, 3, padding=1)
        self.enc2 = nn.Sequential(
            nn.MaxPool2d(2), nn.Conv2d(8, 16, 3, padding=1, bias=False), nn.BatchNorm2d(16)
        )
        self.enc3 = nn.Sequential(nn.MaxPool2d(2), nn.Conv2d(16, 32, 3, padding=1))
        self.up2 = nn.Upsample(scale_factor=2, mode="bilinear")
        self.dec2 = nn.Conv2d(48, 16, 3, padding=1)
        self.dec1 = nn.ConvTranspose2d(24, 8, 3, padding=1, groups=2)
        self.head = nn.Conv2d(8, 2, 1)

    def forward(self, x: Any) -> list[Any]:
        enc1 = self.enc1(x)
        enc2 = self.enc2(enc1)
        enc3 = self.enc3(enc2)
        up2 = self.up2(enc3)
        dec2 = self.dec2(torch.cat([enc2, up2], 1))
        up1 = functional.interpolate(dec2, size=enc1.shape[2:])
        dec1 = self.dec1(torch.cat([enc1, up1], 1))
        return [enc1, enc2, enc3, up2, dec2, up1, dec1, self.head(dec1)]


UNET = """
    input: [3, 21, 24]
    defaults:
      conv: {kernel_size: 3, padding: 1}
      max_pool: {kernel_size: 2}
    layers:
      - {name: enc1, type: conv, out_channels: 8}
      - {type: max_pool}
      - {type: conv, out_channels: 16, bias: false}
      - {name: enc2, type: batch_norm}
      - {type: max_pool}
      - {name: enc3, type: conv, out_channels: 32}
      - {name: up2, type: upsample, scale_factor: 2, mode: bilinear}
      - {type: concat, from: [enc2, up2]}
      - {name: dec2, type: conv, out_channels: 16}
      - {name: up1, type: upsample, output_size: [21, 24]}
      - {type: concat, from: [enc1, up1]}
      - {name: dec1, type: conv_transpose, out_channels: 8, kernel_size: 3, padding: 1, groups: 2}
      - {name: head, type: conv, out_channels: 2, kernel_size: 1, padding: 0}
    """


class Espcn(nn.Module):  # type: ignore[misc]
    """Convolutions at the small size; the last one's channels become the pixels."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, 64, 5, padding="same")
        self.conv2 = nn.Conv2d(64, 32, 3, padding="same")
        self.conv3 = nn.Conv2d(32, 9, 3, padding="same")
        self.shuffle = nn.PixelShuffle(3)
        self.unshuffle = nn.PixelUnshuffle(2)

    def forward(self, x: Any) -> list[Any]:
        conv1 = torch.tanh(self.conv1(x))
        conv2 = torch.tanh(self.conv2(conv1))
        conv3 = self.conv3(conv2)
        shuffled = self.shuffle(conv3)
        return [conv1, conv2, conv3, shuffled, self.unshuffle(shuffled)]


ESPCN = """
    input: [1, 10, 14]
    defaults: {conv: {kernel_size: 3, padding: same}}
    layers:
      - {type: conv, out_channels: 64, kernel_size: 5}
      - {name: small1, type: tanh}
      - {type: conv, out_channels: 32}
      - {name: small2, type: tanh}
      - {name: small3, type: conv, out_channels: 9}
      - {name: shuffle, type: pixel_shuffle, factor: 3}
      - {name: unshuffle, type: pixel_unshuffle, factor: 2}
    """


class SqueezeAndExcite(nn.Module):  # type: ignore[misc]
    """A residual block whose channels are weighed by what the whole map says of them."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Conv2d(12, 12, 3, padding=2, dilation=2, groups=4)
        self.squeeze = nn.AdaptiveAvgPool2d(1)
        self.reduce = nn.Conv2d(12, 3, 1)
        self.expand = nn.Conv2d(3, 12, 1)
        self.pool = nn.AdaptiveMaxPool2d((2, 3))
        self.classify = nn.Linear(72, 10)

    def forward(self, x: Any) -> list[Any]:
        body = self.body(x)
        squeeze = self.squeeze(body)
        reduce = self.reduce(squeeze)
        expand = self.expand(functional.silu(reduce))
        excite = body * torch.sigmoid(expand)
        result = functional.silu(excite + x)
        pool = self.pool(result)
        return [body, squeeze, reduce, expand, excite, result, pool, self.classify(pool.flatten(1))]


SQUEEZE_AND_EXCITE = """
    input: [12, 9, 11]
    layers:
      - {name: body, type: conv, out_channels: 12, kernel_size: 3, padding: 2, dilation: 2,
         groups: 4}
      - {name: squeeze, type: adaptive_avg_pool, output_size: 1}
      - {name: reduce, type: conv, out_channels: 3, kernel_size: 1}
      - {type: silu}
      - {name: expand, type: conv, out_channels: 12, kernel_size: 1}
      - {name: gate, type: sigmoid}
      - {name: excite, type: mul, from: [body, gate]}
      - {type: add, from: [excite, input]}
      - {name: result, type: silu}
      - {name: pool, type: adaptive_max_pool, output_size: [2, 3]}
      - {type: flatten}
      - {name: classify, type: linear, out_features: 10}
    """


NETWORKS = [
    pytest.param(UNet, UNET, id="U-Net"),
    pytest.param(Espcn, ESPCN, id="ESPCN"),
    pytest.param(SqueezeAndExcite, SQUEEZE_AND_EXCITE, id="squeeze and excite"),
]


def loaded(spec: WriteSpec, text: str) -> Network:
    return load_spec(spec(text))


@pytest.mark.parametrize(("model", "text"), NETWORKS)
class TestNetworks:
    def test_every_named_layer_has_the_models_shape(
        self, model: Any, text: str, spec: WriteSpec
    ) -> None:
        network = loaded(spec, text)
        with torch.no_grad():
            outputs = model().eval()(torch.zeros(1, *network.inputs[0][1]))
        shapes = [tuple(one.shape[1:]) for one in outputs]
        outputs_of = {layer.name: layer.output for layer in network.layers}
        named = [name for name in outputs_of if f"name: {name}," in text and name != "gate"]
        assert [outputs_of[name] for name in named] == shapes

    def test_it_has_the_models_parameters(self, model: Any, text: str, spec: WriteSpec) -> None:
        network = loaded(spec, text)
        count = sum(layer.geometry.parameters for layer in network.layers)
        assert count == sum(parameter.numel() for parameter in model().parameters())
