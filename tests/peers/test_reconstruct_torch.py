"""Going down through whole networks against PyTorch: its autograd, and the rules as hooks on it.

A network is run in PyTorch from the keys of its layers alone, with the same weights.  There the
rules are autograd functions in place of relu; all else is PyTorch's own way back, whose max pool
scatters by its own indices.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pytest

from convt_cli.analysis.backward.parameters import parameters_of
from convt_cli.analysis.backward.reconstruct import reconstruct
from convt_cli.analysis.backward.run import prepared, run, way_to
from convt_cli.analysis.backward.stimulus import stimulus
from convt_cli.arithmetic.layers.assumed import CLIP_BOUNDS, LEAKY_SLOPE, PRELU_SLOPE
from convt_cli.arithmetic.network import Network, NetworkLayer
from convt_cli.arithmetic.vocabulary import RULES, Rule
from convt_cli.files.weights import Weights
from convt_cli.spec.load import load_spec
from tests.conftest import WriteSpec
from tests.oracle import Array

torch = pytest.importorskip("torch")
functional = torch.nn.functional

pytestmark = pytest.mark.peers

PLAIN = """
    input: [3, 17, 19]
    layers:
      - {type: conv, out_channels: 6, kernel_size: 3, stride: 2, padding: 1, bias: [1,-2,0,3,-1,2]}
      - {type: relu}
      - {type: max_pool, kernel_size: 2}
      - {type: conv, out_channels: 4, kernel_size: 3, padding: 1, groups: 2}
      - {name: last, type: relu}
    """
OVERLAPPING = """
    input: [2, 23, 21]
    layers:
      - {type: conv, out_channels: 5, kernel_size: [3, 4], padding: 1, padding_mode: reflect}
      - {type: relu}
      - {type: max_pool, kernel_size: 3, stride: 2, padding: 1, ceil_mode: true}
      - {type: conv, out_channels: 4, kernel_size: 3, dilation: 2, bias: [0.5, -1, 2, -0.5]}
      - {type: relu}
      - {type: max_pool, kernel_size: 2, stride: 1, dilation: 2}
      - {name: last, type: conv, out_channels: 3, kernel_size: 2}
    """
BRANCHES = """
    input: [3, 16, 16]
    layers:
      - {name: stem, type: conv, out_channels: 4, kernel_size: 3, padding: 1}
      - {name: stemmed, type: relu}
      - {name: left, type: conv, out_channels: 4, kernel_size: 1, bias: [1, 2, 3, 4]}
      - {name: sum, type: add, from: [left, stemmed]}
      - {name: summed, type: relu}
      - {name: pooled, type: max_pool, kernel_size: 3, stride: 2, padding: 1, from: summed}
      - {name: mean, type: avg_pool, kernel_size: 3, stride: 2, padding: 1, from: stemmed}
      - {name: both, type: concat, from: [pooled, mean]}
      - {name: back, type: conv_transpose, out_channels: 3, kernel_size: 4, stride: 2, padding: 1}
      - {type: relu}
      - {name: up, type: upsample, scale_factor: 2, from: both}
      - {name: last, type: concat, from: [relu3, up]}
    """
MEANS = """
    input: [2, 15, 14]
    layers:
      - {type: conv, out_channels: 8, kernel_size: 3, stride: [1, 2]}
      - {type: leaky_relu}
      - {type: avg_pool, kernel_size: 3, stride: 2, padding: 1, ceil_mode: true}
      - {type: avg_pool, kernel_size: 2, padding: 1, count_include_pad: false}
      - {type: pixel_shuffle, factor: 2}
      - {type: prelu}
      - {type: pad, padding: [[0, 1], [2, 1]]}
      - {type: crop, padding: [[1, 0], [0, 1]]}
      - {type: pixel_unshuffle, factor: 2}
      - {type: adaptive_avg_pool, output_size: [3, 2]}
      - {type: clip}
      - {type: scale, weight: [1,-2,3,1,1,2,-1,2], bias: [1,1,1,1,2,2,2,2]}
      - {type: adaptive_max_pool, output_size: [2, 2]}
      - {type: transpose, axes: [1, 2, 0]}
      - {type: flatten}
      - {type: linear, out_features: 7, bias: [1, 2, 3, 4, 5, 6, 7]}
      - {name: last, type: relu}
    """
SMOOTH = """
    input: [2, 9, 9]
    layers:
      - {name: c1, type: conv, out_channels: 4, kernel_size: 3, weight: w.npy}
      - {type: gelu}
      - {name: c2, type: conv, out_channels: 4, kernel_size: 3, padding: 1, weight: v.npy}
      - {type: silu}
      - {name: gate, type: global_avg_pool}
      - {type: sigmoid}
      - {type: mul, from: [sigmoid1, silu1]}
      - {type: tanh}
      - {type: elu}
      - {name: last, type: global_max_pool}
    """
RANKS = [
    """
    input: [2, 40]
    layers:
      - {type: conv, out_channels: 4, kernel_size: 5, stride: 2, padding: 2}
      - {type: relu}
      - {type: max_pool, kernel_size: 3, stride: 2}
      - {name: last, type: conv_transpose, out_channels: 3, kernel_size: 4, stride: 3}
    """,
    """
    input: [2, 7, 8, 6]
    layers:
      - {type: conv, out_channels: 4, kernel_size: 3, padding: 1}
      - {type: relu}
      - {type: max_pool, kernel_size: 3, stride: 2, padding: 1}
      - {type: avg_pool, kernel_size: 2, stride: 1}
      - {name: last, type: upsample, output_size: [5, 7, 6]}
    """,
]
RECTIFIED = [PLAIN, OVERLAPPING, BRANCHES, MEANS, *RANKS]


def ruled_relu(rule: Rule) -> Callable[[Any], Any]:
    """relu whose way back is `rule`'s."""

    class Relu(torch.autograd.Function):  # type: ignore[name-defined, misc]  # not typed
        @staticmethod
        def forward(context: Any, x: Any) -> Any:
            context.save_for_backward(x)
            return x.clamp(min=0)

        @staticmethod
        def backward(context: Any, signal: Any) -> Any:
            (x,) = context.saved_tensors
            if rule != "gradient":
                signal = signal.clamp(min=0)
            return signal if rule == "deconvnet" else signal * (x > 0)

    def relu(x: Any) -> Any:
        return Relu.apply(x)

    return relu


def ruled(rule: Rule, slope: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """A rectifier x * slope(x) whose way back is `rule`'s, written with hooks."""

    def rectify(x: Any) -> Any:
        slopes = slope(x.detach())
        y = x * slopes if rule != "deconvnet" else x + (x * slopes - x).detach()
        if rule != "gradient":
            y.register_hook(lambda signal: signal.clamp(min=0))
        return y

    return rectify


class Torch(NamedTuple):
    """A layer in PyTorch: its keys, and its numbers."""

    layer: NetworkLayer
    keys: Any
    numbers: dict[str, Any]
    rule: Rule

    def window(self, *names: str) -> dict[str, Any]:
        """The arguments of these names that the keys have."""
        found = {name: getattr(self.keys, name) for name in names}
        return {name: value for name, value in found.items() if value is not None}

    def conv(self, x: Any) -> Any:
        window = self.window("stride", "padding", "dilation", "groups")
        if self.keys.padding_mode != "zeros":
            amounts = (window.pop("padding"),) * 2 * (x.ndim - 2)
            x = functional.pad(x, amounts, mode=self.keys.padding_mode)
        function = of_rank("conv", x)
        return function(x, self.numbers["weight"], self.numbers.get("bias"), **window)

    def conv_transpose(self, x: Any) -> Any:
        window = self.window("stride", "padding", "dilation", "groups", "output_padding")
        function = of_rank("conv_transpose", x)
        return function(x, self.numbers["weight"], self.numbers.get("bias"), **window)

    def linear(self, x: Any) -> Any:
        return functional.linear(x, self.numbers["weight"], self.numbers.get("bias"))

    def scale(self, x: Any) -> Any:
        ends = (-1, *(1 for _ in x.shape[2:]))
        return x * self.numbers["weight"].reshape(ends) + self.numbers["bias"].reshape(ends)

    def max_pool(self, x: Any) -> Any:
        window = self.window("kernel_size", "stride", "padding", "dilation", "ceil_mode")
        return of_rank("max_pool", x)(x, **window)

    def avg_pool(self, x: Any) -> Any:
        names = ("kernel_size", "stride", "padding", "ceil_mode", "count_include_pad")
        return of_rank("avg_pool", x)(x, **self.window(*names))

    def adaptive_pool(self, x: Any) -> Any:
        return of_rank(f"adaptive_{self.layer.type[-8:]}", x)(x, self.layer.output[1:])

    def upsample(self, x: Any) -> Any:
        return functional.interpolate(x, self.layer.output[1:])

    def shuffle(self, x: Any) -> Any:
        return getattr(functional, self.layer.type)(x, self.keys.factor)

    def pad(self, x: Any) -> Any:
        sign = 1 if self.layer.type == "pad" else -1
        return functional.pad(x, [sign * one for pair in self.keys.padding[::-1] for one in pair])

    def relu(self, x: Any) -> Any:
        return ruled_relu(self.rule)(x)

    def leaky_relu(self, x: Any) -> Any:
        below = LEAKY_SLOPE if self.layer.type == "leaky_relu" else PRELU_SLOPE
        return ruled(self.rule, lambda x: torch.where(x > 0, 1.0, below))(x)

    def clip(self, x: Any) -> Any:
        y = functional.hardtanh(x, *CLIP_BOUNDS)
        if self.rule == "deconvnet":
            y = x + (y - x).detach()
        if self.rule != "gradient":
            y.register_hook(lambda signal: signal.clamp(min=0))
        return y

    def smooth(self, x: Any) -> Any:
        return getattr(functional, self.layer.type)(x)

    def transpose(self, x: Any) -> Any:
        return x.permute(0, *(axis + 1 for axis in self.keys.axes))

    def flatten(self, x: Any) -> Any:
        return x.flatten(1)

    def add(self, *xs: Any) -> Any:
        return sum(xs)

    def mul(self, x: Any, y: Any) -> Any:
        return x * y

    def concat(self, *xs: Any) -> Any:
        return torch.cat(xs, 1)


SAME = {
    **dict.fromkeys(("adaptive_avg_pool", "adaptive_max_pool"), "adaptive_pool"),
    **dict.fromkeys(("global_avg_pool", "global_max_pool"), "adaptive_pool"),
    **dict.fromkeys(("pixel_shuffle", "pixel_unshuffle"), "shuffle"),
    **dict.fromkeys(("elu", "gelu", "silu", "sigmoid", "tanh"), "smooth"),
    "crop": "pad",
    "prelu": "leaky_relu",
}
"""The method of each type that has none of its own name."""


def of_rank(name: str, x: Any) -> Callable[..., Any]:
    """PyTorch's function for as many spatial axes as x has."""
    function: Callable[..., Any] = getattr(functional, f"{name}{x.ndim - 2}d")
    return function


def in_torch(network: Network, layer: NetworkLayer, rule: Rule, xs: list[Any]) -> Any:
    """What `layer` makes of its sources, by its keys."""
    numbers = {
        key: torch.from_numpy(array.astype(np.float64))
        for key, array in parameters_of(layer, network.rules, Weights(network)).items()
    }
    here = Torch(layer, layer.definition, numbers, rule)
    return getattr(here, SAME.get(layer.type, layer.type))(*xs)


def up_and_down(network: Network, image: Array, name: str, rule: Rule) -> tuple[Any, Any]:
    """(activations of the layer, a function from signals to the input's), by PyTorch."""
    x = torch.tensor(image[np.newaxis], dtype=torch.float64, requires_grad=True)
    values = {network.inputs[0][0]: x}
    for layer in network.layers:
        sources = [values[source] for source in layer.sources]
        values[layer.name] = in_torch(network, layer, rule, sources)

    def down(signal: Array) -> Array:
        (found,) = torch.autograd.grad(values[name], x, torch.from_numpy(signal), retain_graph=True)
        result: Array = found[0].numpy()
        return result

    return values[name].detach().numpy(), down


def image_for(network: Network, seed: int = 1) -> Array:
    array: Array = np.random.default_rng(seed).standard_normal(network.inputs[0][1])
    return array


def assert_close(found: Array, expected: Array) -> None:
    """Equal but for the order of sums; and there is something to compare."""
    assert found.shape == expected.shape
    assert np.abs(expected).max() > 0
    assert np.abs(found - expected).max() <= 1e-9 * np.abs(expected).max()


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("text", RECTIFIED)
class TestRectified:
    def test_activations_are_those_of_torch(self, spec: WriteSpec, text: str, rule: Rule) -> None:
        network = load_spec(spec(text))
        image = image_for(network)
        ready = prepared(way_to(network, "last"), Weights(network), image.dtype)
        expected, _ = up_and_down(network, image, "last", rule)
        assert_close(run(ready, image[np.newaxis]).activations, expected)

    def test_all_that_is_kept_goes_down_as_in_torch(
        self, spec: WriteSpec, text: str, rule: Rule
    ) -> None:
        network = load_spec(spec(text))
        image = image_for(network)
        activations, down = up_and_down(network, image, "last", rule)
        found = reconstruct(network, image, layer="last", rule=rule)
        assert_close(found.pictures[0], down(activations))

    def test_one_unit_goes_down_as_in_torch(self, spec: WriteSpec, text: str, rule: Rule) -> None:
        network = load_spec(spec(text))
        image = image_for(network, seed=2)
        activations, down = up_and_down(network, image, "last", rule)
        unit = tuple(int(n) for n in np.unravel_index(activations.argmax(), activations.shape))[1:]
        signal = np.zeros_like(activations)
        signal[(0, *unit)] = activations[(0, *unit)]
        found = reconstruct(network, image, layer="last", unit=unit, rule=rule)
        assert_close(found.pictures[0], down(signal))


class TestSmooth:
    def written(self, spec: WriteSpec) -> Network:
        rng = np.random.default_rng(0)
        np.save("w.npy", rng.standard_normal((4, 2, 3, 3)) / 4)
        np.save("v.npy", rng.standard_normal((4, 4, 3, 3)) / 4)
        return load_spec(spec(SMOOTH))

    @pytest.mark.parametrize("rule", ["gradient", "guided"])
    def test_derivatives_are_those_of_torch(self, spec: WriteSpec, rule: Rule) -> None:
        network = self.written(spec)
        image = image_for(network)
        activations, down = up_and_down(network, image, "last", rule)
        found = reconstruct(network, image, layer="last", rule=rule)
        assert_close(found.pictures[0], down(activations))


@pytest.mark.parametrize("text", RECTIFIED)
def test_the_row_at_an_image_is_torch_s_gradient_of_the_unit(spec: WriteSpec, text: str) -> None:
    network = load_spec(spec(text))
    image = image_for(network)
    activations, down = up_and_down(network, image, "last", "gradient")
    unit = tuple(int(n) for n in np.unravel_index(activations.argmax(), activations.shape))[1:]
    signal = np.zeros_like(activations)
    signal[(0, *unit)] = 1
    found = stimulus(network, layer="last", unit=unit, at=image)
    assert_close(found.row, down(signal))


def test_ties_go_to_the_first_as_in_torch(spec: WriteSpec) -> None:
    network = load_spec(
        spec("input: [2, 7, 8]\nlayers: [{name: last, type: max_pool, kernel_size: 3, stride: 2}]")
    )
    image = np.random.default_rng(0).integers(0, 3, (2, 7, 8)).astype(np.float64)
    activations, down = up_and_down(network, image, "last", "gradient")
    signal = np.arange(1.0, 1 + activations.size).reshape(activations.shape)
    ready = prepared(way_to(network, "last"), Weights(network), image.dtype)
    assert np.array_equal(run(ready, image[np.newaxis]).down(signal, "gradient")[0], down(signal))
