"""Layers with numbers, held to loops: each value by its formula, each way back by differences.

The formulas are PyTorch's and are written out here, without a function of the package.
`tests/peers/test_numbers_torch.py` asks PyTorch itself.
"""

from __future__ import annotations

from collections.abc import Callable
from math import erf, exp, inf, log1p, pi, sqrt, tanh
from typing import Any

import numpy as np
import pytest

from convt_cli.analysis.backward.run import Recorded, Way, prepared, run, way_to
from convt_cli.files.weights import Weights
from convt_cli.spec.load import load_spec
from tests.conftest import WriteSpec
from tests.oracle import Array
from tests.rows import for_each

SHAPE = (4, 3, 2)
"""(channels, height, width)"""

Index = tuple[int, ...]
Layer = Callable[[Array], Array]
"""What a layer makes of one source, (channels, height, width)."""


def each(function: Callable[[float], float]) -> Layer:
    """`function` of every element."""
    return lambda x: np.array([function(value) for value in x.ravel().tolist()]).reshape(x.shape)


def below_zero(slope: float) -> Layer:
    return each(lambda v: v if v > 0 else slope * v)


def exponential(alpha: float, scale: float = 1) -> Layer:
    return each(lambda v: scale * (v if v > 0 else alpha * (exp(v) - 1)))


def clipped(low: float, high: float) -> Layer:
    return each(lambda v: min(max(v, low), high))


def by_channel(function: Callable[[float, int], float]) -> Layer:
    """`function` of every element and its channel."""

    def layer(x: Array) -> Array:
        y = np.zeros(x.shape)
        for index in np.ndindex(x.shape):
            y[index] = function(float(x[index]), index[0])
        return y

    return layer


def normalised(
    part_of: Callable[[Index], object],
    eps: float = 1e-5,
    weight: Callable[[Index], float] = lambda _: 1,
    bias: Callable[[Index], float] = lambda _: 0,
) -> Layer:
    """(x - mean) / sqrt(variance + eps) over the elements of the same part, scaled and shifted."""

    def layer(x: Array) -> Array:
        y = np.zeros(x.shape)
        for index in np.ndindex(x.shape):
            part = [x[one] for one in np.ndindex(x.shape) if part_of(one) == part_of(index)]
            mean = sum(part) / len(part)
            variance = sum((value - mean) ** 2 for value in part) / len(part)
            y[index] = (x[index] - mean) / sqrt(variance + eps) * weight(index) + bias(index)
        return y

    return layer


def softmax(axis: int) -> Layer:
    def layer(x: Array) -> Array:
        y = np.zeros(x.shape)
        for index in np.ndindex(x.shape):
            line = [x[(*index[:axis], i, *index[axis + 1 :])] for i in range(x.shape[axis])]
            y[index] = exp(x[index]) / sum(exp(value) for value in line)
        return y

    return layer


def lrn(before: int, after: int, k: float, factor: float, beta: float) -> Layer:
    """x / (k + factor * (sum of the squares of the channels around)) ** beta"""

    def layer(x: Array) -> Array:
        y = np.zeros(x.shape)
        for c, i, j in np.ndindex(x.shape):
            around = range(max(0, c - before), min(len(x), c + after + 1))
            y[c, i, j] = x[c, i, j] / (k + factor * sum(x[a, i, j] ** 2 for a in around)) ** beta
        return y

    return layer


def read_at(place: int, size: int, mode: str) -> int | None:
    """The place on 0 ... size - 1 that a padding mode reads for one outside; None for a zero."""
    while not 0 <= place < size:
        if mode == "zeros":
            return None
        if mode == "replicate":
            place = 0 if place < 0 else size - 1
        elif mode == "circular":
            place += size if place < 0 else -size
        else:
            place = -place if place < 0 else 2 * (size - 1) - place
    return place


def padded(mode: str, top: int, bottom: int, left: int, right: int) -> Layer:
    """A height and a width with so many more elements; fewer where the number is below 0."""

    def layer(x: Array) -> Array:
        channels, height, width = x.shape
        y = np.zeros((channels, top + height + bottom, left + width + right))
        for c, i, j in np.ndindex(y.shape):
            row, column = read_at(i - top, height, mode), read_at(j - left, width, mode)
            if row is not None and column is not None:
                y[c, i, j] = x[c, row, column]
        return y

    return layer


def taken(axis: int, places: list[int]) -> Layer:
    def layer(x: Array) -> Array:
        slices: list[Any] = [slice(None)] * x.ndim
        slices[axis] = places
        result: Array = x[tuple(slices)]
        return result

    return layer


FOUR, MORE = [1.0, -2.0, 0.5, 3.0], [0.25, 1.5, 4.0, 2.0]
PLANE = [[0.5, 1.0], [-1.0, 2.0], [3.0, -2.0]]
NUMBERS = f"weight: {FOUR}, bias: {MORE}"
STATISTICS = f"running_mean: {FOUR}, running_var: {MORE}"

LAYERS: dict[str, Layer] = {
    "tanh": each(tanh),
    "sigmoid": each(lambda v: 1 / (1 + exp(-v))),
    "leaky_relu": below_zero(0.01),
    "leaky_relu, alpha: 0.3": below_zero(0.3),
    "prelu": below_zero(0.25),
    "prelu, weight: [0.7]": below_zero(0.7),
    f"prelu, num_parameters: 4, weight: {FOUR}": by_channel(
        lambda v, channel: v if v > 0 else FOUR[channel] * v
    ),
    "clip": clipped(0, 6),
    "clip, minimum: -0.5": clipped(-0.5, inf),
    "clip, maximum: 0.25": clipped(-inf, 0.25),
    "clip, minimum: -1, maximum: 1": clipped(-1, 1),
    "elu": exponential(1),
    "elu, alpha: 0.4": exponential(0.4),
    "selu": exponential(1.6732632423543772, 1.0507009873554805),
    "gelu": each(lambda v: v * (1 + erf(v / sqrt(2))) / 2),
    "gelu, approximate: tanh": each(
        lambda v: v * (1 + tanh(sqrt(2 / pi) * (v + 0.044715 * v**3))) / 2
    ),
    "silu": each(lambda v: v / (1 + exp(-v))),
    "mish": each(lambda v: v * tanh(log1p(exp(v)))),
    "softplus": each(lambda v: log1p(exp(v))),
    "hard_sigmoid": each(lambda v: min(max(v / 6 + 0.5, 0), 1)),
    "hard_sigmoid, alpha: 0.2": each(lambda v: min(max(0.2 * v + 0.5, 0), 1)),
    "hard_swish": each(lambda v: v * min(max(v + 3, 0), 6) / 6),
    "batch_norm": each(lambda v: v),
    f"batch_norm, affine: false, {STATISTICS}": by_channel(
        lambda v, channel: (v - FOUR[channel]) / sqrt(MORE[channel] + 1e-5)
    ),
    f"batch_norm, eps: 0.1, {NUMBERS}, {STATISTICS}": by_channel(
        lambda v, c: (v - FOUR[c]) / sqrt(MORE[c] + 0.1) * FOUR[c] + MORE[c]
    ),
    "instance_norm": normalised(lambda index: index[0]),
    f"instance_norm, eps: 0.1, {NUMBERS}": normalised(
        lambda index: index[0], 0.1, lambda index: FOUR[index[0]], lambda index: MORE[index[0]]
    ),
    "group_norm, num_groups: 2": normalised(lambda index: index[0] // 2),
    f"group_norm, num_groups: 1, {NUMBERS}": normalised(
        lambda _: 0, 1e-5, lambda index: FOUR[index[0]], lambda index: MORE[index[0]]
    ),
    "layer_norm": normalised(lambda _: 0),
    "layer_norm, normalized_axes: [0, 2], eps: 0.1": normalised(lambda index: index[1], 0.1),
    f"layer_norm, normalized_axes: [1, 2], weight: {PLANE}, bias: {PLANE}": normalised(
        lambda index: index[0],
        1e-5,
        lambda index: PLANE[index[1]][index[2]],
        lambda index: PLANE[index[1]][index[2]],
    ),
    "softmax": softmax(0),
    "softmax, axis: 2": softmax(2),
    "lrn": each(lambda v: v),
    "lrn, size: 3": lrn(1, 1, 1, 1e-4 / 3, 0.75),
    # the sum over all channels
    "lrn, size: 1000000001, alpha: 2": lrn(4, 4, 1, 2 / 1000000001, 0.75),
    "lrn, size: 4, k: 2, alpha: 3, beta: 0.6": lrn(2, 1, 2, 3 / 4, 0.6),
    "pad, padding: [[1, 2], [0, 3]]": padded("zeros", 1, 2, 0, 3),
    "pad, padding: [[1, 2], [0, 1]], mode: reflect": padded("reflect", 1, 2, 0, 1),
    "pad, padding: [[1, 5], [0, 3]], mode: replicate": padded("replicate", 1, 5, 0, 3),
    "pad, padding: [[1, 3], [0, 2]], mode: circular": padded("circular", 1, 3, 0, 2),
    "crop, padding: [[1, 1], [0, 1]]": padded("zeros", -1, -1, 0, -1),
    "slice, axis: 1, begin: -1, step: -2": taken(1, [2, 0]),
    "slice, axis: 0, begin: 1, end: -1": taken(0, [1, 2]),
}
"""The keys of a layer, and what it does."""


def way(spec: WriteSpec, keys: str) -> Way:
    network = load_spec(spec(f"input: {list(SHAPE)}\nlayers: [{{name: a, type: {keys}}}]"))
    return way_to(network, "a")


def recorded(one: Way, x: Array) -> Recorded:
    return run(prepared(one, Weights(one.network), x.dtype), x)


def drawn(shape: tuple[int, ...], seed: int) -> Array:
    array: Array = 3 * np.random.default_rng(seed).standard_normal(shape)
    return array


@for_each("keys", LAYERS)
def test_a_layer_gives_what_its_formula_gives(spec: WriteSpec, keys: str) -> None:
    x = drawn((2, *SHAPE), 0)
    expected = np.stack([LAYERS[keys](one) for one in x])
    found = recorded(way(spec, keys), x).activations
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-12)


@for_each("keys", LAYERS)
def test_its_gradient_is_that_of_the_formula(spec: WriteSpec, keys: str) -> None:
    """Each entry of what comes back, by a small step of that element of the source."""
    x, layer, step = drawn(SHAPE, 1), LAYERS[keys], 1e-6
    signal = drawn(layer(x).shape, 2)
    expected = np.zeros(SHAPE)
    for index in np.ndindex(SHAPE):
        moved = np.zeros(SHAPE)
        moved[index] = step
        expected[index] = ((layer(x + moved) - layer(x - moved)) * signal).sum() / (2 * step)
    found = recorded(way(spec, keys), x[None]).down(signal[None], "gradient")[0]
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-7)


@for_each("keys", [keys for keys in LAYERS if "weight" not in keys and "running" not in keys])
def test_in_float32_it_stays_float32(spec: WriteSpec, keys: str) -> None:
    """Unless the spec has numbers, which are float64."""
    x = drawn((1, *SHAPE), 3).astype(np.float32)
    found = recorded(way(spec, keys), x).activations
    expected = LAYERS[keys](x[0].astype(np.float64))
    np.testing.assert_allclose(found[0], expected, rtol=1e-5, atol=1e-5)
    assert found.dtype == np.float32


@pytest.mark.parametrize(
    ("keys", "value", "back"),
    [
        ("pad, padding: [[1, 2]]", [0, 1, 2, 3, 0, 0], [2, 3, 4]),
        ("pad, padding: [[1, 2]], mode: circular", [3, 1, 2, 3, 1, 2], [7, 9, 5]),
        ("crop, padding: [[1, 0]]", [2, 3], [0, 1, 2]),
    ],
)
def test_a_vector_has_one_axis_to_pad(
    spec: WriteSpec, keys: str, value: list[float], back: list[float]
) -> None:
    network = load_spec(spec(f"input: [3]\nlayers: [{{name: a, type: {keys}}}]"))
    found = recorded(way_to(network, "a"), np.array([[1.0, 2, 3]]))
    assert found.activations.tolist() == [value]
    signal = np.arange(1.0, len(value) + 1)[None]
    assert found.down(signal, "gradient").tolist() == [back]


def test_deconvnet_takes_a_signal_through_an_lrn_as_it_is(spec: WriteSpec) -> None:
    x, signal = drawn((1, *SHAPE), 0), drawn((1, *SHAPE), 1)
    back = recorded(way(spec, "lrn, size: 3, alpha: 2"), x).down(signal, "deconvnet")
    np.testing.assert_array_equal(back, signal)


@pytest.mark.parametrize(
    ("keys", "note"),
    [
        ("batch_norm", "a: batch_norm passes signals unchanged: a spec holds no numbers for it"),
        (f"batch_norm, {STATISTICS}", "a: batch_norm has a weight of ones and a bias of zeros"),
        (f"batch_norm, affine: false, {STATISTICS}", ""),
        ("group_norm, num_groups: 2", "a: group_norm has a weight of ones and a bias of zeros"),
        (f"group_norm, num_groups: 2, {NUMBERS}", ""),
        ("instance_norm", ""),
        ("lrn", "a: lrn passes signals unchanged: a spec holds no numbers for it"),
        ("lrn, size: 3", "a: lrn passes signals of the rule deconvnet unchanged"),
        ("prelu", "a: prelu has the slope 0.25 below 0"),
        ("prelu, weight: [0.7]", ""),
        ("leaky_relu", "a: leaky_relu has the slope 0.01 below 0"),
        ("leaky_relu, alpha: 0.3", ""),
        ("clip", "a: clip clips to 0 ... 6"),
        ("clip, minimum: 0", ""),
    ],
)
def test_what_is_assumed_of_a_layer_is_said(spec: WriteSpec, keys: str, note: str) -> None:
    found = way(spec, keys).notes
    assert len(found) == bool(note)
    assert "".join(found).startswith(note)
