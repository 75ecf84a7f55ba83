"""PyTorch as a peer: the same configurations are legal, with the same shapes and values.

Configurations are drawn from a seed, without regard to whether they are legal.  Arrays hold
small integers in float64, so that every sum is exact and values are compared without tolerance.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from convt_cli.arithmetic.convolution import Convolution, Shape
from convt_cli.arithmetic.dialects.frameworks import FRAMEWORKS
from convt_cli.arithmetic.layers import Conv, ConvTranspose, Definition
from convt_cli.arithmetic.layers.pools import AveragePool, MaxPool, MaxUnpool
from convt_cli.errors import GeometryError
from convt_cli.operators.functions import conv, conv_matrix, conv_transpose
from convt_cli.operators.matrix.build import build_matrix
from convt_cli.operators.matrix_free import apply_forward, apply_transpose
from tests.oracle import Array
from tests.rows import for_each
from tests.strategies import FOLDING_MODES

torch = pytest.importorskip("torch")

pytestmark = pytest.mark.peers

PYTORCH = FRAMEWORKS["pytorch"]
REFUSALS = (RuntimeError, ValueError)
"""What PyTorch raises for sizes that it does not accept."""


@dataclass(frozen=True)
class Case:
    """One configuration, legal or not; `channels` and `others` are the weight's first two axes."""

    size: Shape
    kernel_size: Shape
    stride: Shape
    padding: Shape
    output_padding: Shape
    dilation: Shape
    groups: int
    channels: int
    others: int

    @property
    def rank(self) -> int:
        return len(self.size)

    @property
    def window(self) -> dict[str, Any]:
        """The arguments that both libraries know by the same names."""
        return {
            "stride": self.stride,
            "padding": self.padding,
            "dilation": self.dilation,
            "groups": self.groups,
        }


def drawn(seed: int) -> Case:
    draw = random.Random(seed)
    rank = draw.randint(1, 3)

    def sizes(least: int, most: int) -> Shape:
        return tuple(draw.randint(least, most) for _ in range(rank))

    return Case(
        size=sizes(1, 8 - rank),
        kernel_size=sizes(1, 4),
        stride=sizes(1, 3),
        padding=sizes(0, 3),
        output_padding=sizes(0, 2),
        dilation=tuple(draw.choice([1, 1, 2, 3]) for _ in range(rank)),
        groups=draw.choice([1, 1, 1, 2, 3]),
        channels=draw.randint(1, 4),
        others=draw.randint(1, 2),
    )


def numbers(*shape: int) -> Array:
    """Small integers in float64, always the same for a shape."""
    return np.random.default_rng(sum(shape)).integers(-9, 10, shape).astype(np.float64)


def weight_of(case: Case) -> Array:
    return numbers(case.channels, case.others, *case.kernel_size)


def direct_input(case: Case) -> Array:
    return numbers(case.others * case.groups, *case.size)


def transposed_input(case: Case) -> Array:
    return numbers(case.channels, *case.size)


def theirs(call: Callable[..., Any], *arrays: Array, **keys: object) -> Array | None:
    """What PyTorch returns for these arrays, each in a batch of one; None where it refuses."""
    first, *rest = (torch.from_numpy(array) for array in arrays)
    try:
        result: Array = call(first[None], *rest, **keys)[0].detach().numpy()
    except REFUSALS:
        return None
    return result


def ours(call: Callable[..., Array], *arguments: Any, **keys: Any) -> Array | None:
    """What convt returns; None where it refuses."""
    try:
        return call(*arguments, **keys)
    except GeometryError:
        return None


def shape_of(layer: Definition, *sources: Shape) -> Shape | None:
    """The output of a layer; None where convt refuses it."""
    problems = list(layer.problems(FRAMEWORKS["pytorch"]))
    try:
        return None if problems else layer.resolve(sources, PYTORCH).output
    except GeometryError:
        return None


def product(weight: Array, x: Array, **window: Any) -> Array:
    """conv_matrix @ x, flat."""
    flat: Array = conv_matrix(weight, x.shape[1:], **window) @ x.ravel()
    return flat


def gathered(layer: Definition, weight: Array, x: Array) -> Array:
    """C x without the matrix, for the convolution that `layer` comes to."""
    result: Array = apply_forward(_convolution(layer, x), weight, x[None])[0]
    return result


def multiplied(layer: Definition, weight: Array, x: Array) -> Array:
    """C x by the matrix."""
    convolution = _convolution(layer, x)
    flat: Array = build_matrix(convolution, weight) @ x.ravel()
    return flat.reshape(convolution.output_shape)


def scattered(layer: Definition, weight: Array, y: Array) -> Array:
    """Cᵀ y without the matrix."""
    result: Array = apply_transpose(_convolution(layer, y), weight, y[None])[0]
    return result


def _convolution(layer: Definition, source: Array) -> Convolution:
    convolution = layer.resolve((source.shape,), PYTORCH).convolution
    assert convolution is not None
    return convolution


def assert_agree(mine: Array | None, peers: Array | None) -> None:
    """Both refuse, or both return the same array."""
    assert (mine is None) == (peers is None)
    if mine is not None and peers is not None:
        assert mine.shape == peers.shape
        np.testing.assert_array_equal(mine, peers)


def assert_same_shape(mine: Shape | None, peers: Array | None) -> None:
    assert mine == (None if peers is None else peers.shape)


def torch_conv(case: Case) -> Array | None:
    call = getattr(torch.nn.functional, f"conv{case.rank}d")
    return theirs(call, direct_input(case), weight_of(case), **case.window)


def torch_conv_transpose(case: Case) -> Array | None:
    call = getattr(torch.nn.functional, f"conv_transpose{case.rank}d")
    keys = {**case.window, "output_padding": case.output_padding}
    return theirs(call, transposed_input(case), weight_of(case), **keys)


def transposed_module(case: Case) -> Any:
    """torch.nn.ConvTranspose1d, 2d or 3d with this case's weight."""
    module = getattr(torch.nn, f"ConvTranspose{case.rank}d")(
        in_channels=case.channels,
        out_channels=case.others * case.groups,
        kernel_size=case.kernel_size,
        bias=False,
        **case.window,
    )
    module.weight = torch.nn.Parameter(torch.from_numpy(weight_of(case)))
    return module


def direct_module(case: Case, padding_mode: str) -> Any:
    """torch.nn.Conv1d, 2d or 3d with this case's weight."""
    module = getattr(torch.nn, f"Conv{case.rank}d")(
        in_channels=case.others * case.groups,
        out_channels=case.channels,
        kernel_size=case.kernel_size,
        padding_mode=padding_mode,
        bias=False,
        **case.window,
    )
    module.weight = torch.nn.Parameter(torch.from_numpy(weight_of(case)))
    return module


def torch_output_size(case: Case, wanted: Shape) -> Array | None:
    def call(y: Any) -> Any:
        return transposed_module(case)(y, output_size=list(wanted))

    return theirs(call, transposed_input(case))


def torch_padding_mode(case: Case, mode: str) -> Array | None:
    def call(x: Any) -> Any:
        return direct_module(case, mode)(x)

    return theirs(call, direct_input(case))


def torch_max_unpool(x: Any, *, pool: MaxPool, size: int | None = None) -> Any:
    """Every value to the first place, which is there whatever the size."""
    return torch.nn.functional.max_unpool1d(
        x,
        torch.zeros_like(x, dtype=torch.int64),
        pool.kernel_size,
        pool.stride,
        pool.padding,
        output_size=None if size is None else [size],
    )


@pytest.mark.parametrize("peer", [torch_conv, torch_conv_transpose])
def test_many_of_the_cases_are_legal_and_many_are_not(
    peer: Callable[[Case], Array | None],
) -> None:
    legal = sum(peer(drawn(seed)) is not None for seed in range(400))
    assert 80 < legal < 320


class TestConv:
    @for_each("seed", range(400))
    def test_values(self, seed: int) -> None:
        case = drawn(seed)
        mine = ours(conv, direct_input(case), weight_of(case), **case.window)
        assert_agree(mine, torch_conv(case))

    @for_each("seed", range(400))
    def test_layer(self, seed: int) -> None:
        case = drawn(seed)
        layer = Conv(out_channels=case.channels, kernel_size=case.kernel_size, **case.window)
        assert_same_shape(shape_of(layer, direct_input(case).shape), torch_conv(case))

    @for_each("seed", range(200))
    def test_matrix(self, seed: int) -> None:
        case = drawn(seed)
        x, peers = direct_input(case), torch_conv(case)
        mine = ours(product, weight_of(case), x, **case.window)
        assert_agree(mine, None if peers is None else peers.ravel())


class TestConvTranspose:
    @for_each("seed", range(400))
    def test_values(self, seed: int) -> None:
        case = drawn(seed)
        keys = {**case.window, "output_padding": case.output_padding}
        mine = ours(conv_transpose, transposed_input(case), weight_of(case), **keys)
        assert_agree(mine, torch_conv_transpose(case))

    @for_each("seed", range(400))
    def test_layer(self, seed: int) -> None:
        case = drawn(seed)
        layer = ConvTranspose(
            out_channels=case.others * case.groups,
            kernel_size=case.kernel_size,
            output_padding=case.output_padding,
            **case.window,
        )
        shape = shape_of(layer, transposed_input(case).shape)
        assert_same_shape(shape, torch_conv_transpose(case))

    @for_each("seed", range(200))
    def test_output_size(self, seed: int) -> None:
        """Around the sizes that a layer can reach, from one too small to one too large."""
        case, draw = drawn(seed), random.Random(seed)
        steps = zip(case.size, case.kernel_size, case.stride, case.padding, case.dilation)
        least = [(i - 1) * s + (k - 1) * d + 1 - 2 * p for i, k, s, p, d in steps]
        wanted = tuple(
            max(1, low + draw.randint(-1, stride)) for low, stride in zip(least, case.stride)
        )

        layer = ConvTranspose(
            out_channels=case.others * case.groups,
            kernel_size=case.kernel_size,
            output_size=wanted,
            **case.window,
        )
        mine = ours(scattered, layer, weight_of(case), transposed_input(case))
        assert_agree(mine, torch_output_size(case, wanted))


@pytest.mark.parametrize("mode", FOLDING_MODES)
class TestPaddingModes:
    @for_each("seed", range(150))
    def test_values_and_matrix(self, mode: str, seed: int) -> None:
        case = drawn(seed)
        layer = Conv(
            out_channels=case.channels,
            kernel_size=case.kernel_size,
            padding_mode=mode,
            **case.window,
        )

        arguments = layer, weight_of(case), direct_input(case)
        peers = torch_padding_mode(case, mode)
        assert_agree(ours(gathered, *arguments), peers)
        assert_agree(ours(multiplied, *arguments), peers)


@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel lengths")
class TestSame:
    @pytest.mark.parametrize("stride", [1, 2])
    @for_each("seed", range(120))
    def test_values(self, seed: int, stride: int) -> None:
        case = drawn(seed)
        keys: dict[str, Any] = {"stride": stride, "dilation": case.dilation, "groups": case.groups}
        layer = Conv(
            out_channels=case.channels, kernel_size=case.kernel_size, padding="same", **keys
        )
        call = getattr(torch.nn.functional, f"conv{case.rank}d")
        peers = theirs(call, direct_input(case), weight_of(case), padding="same", **keys)
        assert_agree(ours(gathered, layer, weight_of(case), direct_input(case)), peers)


@pytest.mark.parametrize("ceil_mode", [False, True])
class TestPools:
    @for_each("seed", range(300))
    def test_max_pool(self, seed: int, ceil_mode: bool) -> None:
        case = drawn(seed)
        keys: dict[str, Any] = {
            "kernel_size": case.kernel_size,
            "stride": case.stride,
            "padding": case.output_padding,
            "dilation": case.dilation,
            "ceil_mode": ceil_mode,
        }
        x = numbers(case.channels, *case.size)
        peers = theirs(getattr(torch.nn.functional, f"max_pool{case.rank}d"), x, **keys)
        assert_same_shape(shape_of(MaxPool(**keys), x.shape), peers)

    @for_each("seed", range(300))
    def test_avg_pool(self, seed: int, ceil_mode: bool) -> None:
        case = drawn(seed)
        keys: dict[str, Any] = {
            "kernel_size": case.kernel_size,
            "stride": case.stride,
            "padding": case.output_padding,
            "ceil_mode": ceil_mode,
        }
        x = numbers(case.channels, *case.size)
        peers = theirs(getattr(torch.nn.functional, f"avg_pool{case.rank}d"), x, **keys)
        assert_same_shape(shape_of(AveragePool(**keys), x.shape), peers)

    @pytest.mark.parametrize("kernel_size", [1, 2, 3])
    def test_stride_is_the_kernel_size_unless_told(self, kernel_size: int, ceil_mode: bool) -> None:
        keys: dict[str, Any] = {"kernel_size": kernel_size, "ceil_mode": ceil_mode}
        x = numbers(1, 8)
        peers = theirs(torch.nn.functional.max_pool1d, x, **keys)
        assert_same_shape(shape_of(MaxPool(**keys), x.shape), peers)


class TestMaxUnpool:
    @for_each("seed", range(60))
    def test_output_size(self, seed: int) -> None:
        """Around the sizes within a stride of the pool's own, which PyTorch accepts."""
        draw = random.Random(seed)
        pool, size = drawn_pool(draw)
        pooled = pool.resolve(((2, size),), PYTORCH).output
        wanted = max(1, size + draw.randint(-4, 4))
        unpool = MaxUnpool(pool=pool, output_size=wanted)
        peers = theirs(torch_max_unpool, numbers(*pooled), pool=pool, size=wanted)
        assert_same_shape(shape_of(unpool, pooled, (2, size)), peers)

    @for_each("seed", range(200))
    def test_the_size_that_nobody_names(self, seed: int) -> None:
        pool, size = drawn_pool(random.Random(seed))
        pooled = pool.resolve(((2, size),), PYTORCH).output
        peers = theirs(torch_max_unpool, numbers(*pooled), pool=pool)
        assert_same_shape(shape_of(MaxUnpool(pool=pool), pooled, (2, size)), peers)

    def test_pools_that_drop_a_row_are_not_undone_by_themselves(self) -> None:
        """540 → 270 → 135 → 67 comes back as 134, where the next unpooling wants 135."""
        pool = MaxPool(kernel_size=2)
        deepest = shape_of(MaxUnpool(pool=pool), (2, 67), (2, 135))
        assert deepest == (2, 134)
        assert shape_of(MaxUnpool(pool=pool), deepest, (2, 270)) is None
        modules = torch.nn.MaxPool1d(2, return_indices=True), torch.nn.MaxUnpool1d(2)
        middle, switches = modules[0](torch.rand(2, 270))
        lowest, deep_switches = modules[0](middle)
        again = modules[1](lowest, deep_switches)
        assert tuple(again.shape) == deepest
        with pytest.raises(RuntimeError):
            modules[1](again, switches)


def drawn_pool(draw: random.Random) -> tuple[MaxPool, int]:
    """A pool that PyTorch has, and a size that it takes."""
    kernel_size, stride = draw.randint(1, 4), draw.randint(1, 3)
    pool = MaxPool(
        kernel_size=kernel_size,
        stride=stride,
        padding=draw.randint(0, kernel_size // 2),
        ceil_mode=draw.choice([False, True]),
    )
    return pool, draw.randint(4, 9)
