"""Bounds of rounding: no order of a sum passes them, and what is twice as far off does."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from convt_cli import diagnose, load_spec
from convt_cli.analysis.diagnose.bounds import compounded
from convt_cli.analysis.diagnose.precision import PRECISIONS
from tests.conftest import WriteSpec

RNG = np.random.default_rng(4)


def floats(dtype: str, numbers: Any) -> Any:
    return np.array(numbers, dtype)


def summed(products: Any, dtype: str, order: str) -> Any:
    """A sum by a loop in `dtype`, in one of several orders."""
    kind = np.dtype(dtype).type
    arranged = {"given": products, "reverse": products[::-1], "sorted": np.sort(products)}
    if order == "pairs":
        parts = list(products)
        while len(parts) > 1:
            pairs = [kind(sum(parts[n : n + 2], kind(0))) for n in range(0, len(parts), 2)]
            parts = pairs
        return parts[0]
    total = kind(0)
    for one in arranged[order]:
        total = kind(total + one)
    return total


@pytest.mark.parametrize("order", ["given", "reverse", "sorted", "pairs"])
@pytest.mark.parametrize("dtype", ["float16", "float32"])
def test_a_dot_product_in_any_order_is_rounding(spec: WriteSpec, dtype: str, order: str) -> None:
    for _ in range(20):
        weight, x = (RNG.standard_normal(200).astype(dtype) for _ in range(2))
        np.save("w.npy", weight.reshape(1, 200))
        network = load_spec(
            spec(
                "input: [200]\n"
                "layers: [{name: one, type: linear, out_features: 1, weight: w.npy, bias: false}]"
            )
        )
        y = np.array([summed(weight * x, dtype, order)], dtype)
        found = diagnose(network, x, y, layer="one")
        exact = sum(Fraction(float(a)) * Fraction(float(b)) for a, b in zip(weight, x))
        assert found.verdict != "different"
        if found.largest is not None:
            assert abs(Fraction(found.largest.expected) - exact) < Fraction(1e-12)
            assert abs(Fraction(found.largest.got) - exact) <= Fraction(found.largest.bound)


SUMS = {
    "linear": ("[3]", "out_features: 1", (1, 3)),
    "conv": ("[3, 1]", "out_channels: 1, kernel_size: 1", (1, 3, 1)),
    "conv_transpose": ("[3, 1]", "out_channels: 1, kernel_size: 1", (3, 1, 1)),
}


@pytest.mark.parametrize("layer_type", SUMS)
@pytest.mark.parametrize(("share", "verdict"), [(0.99, "rounding"), (1.01, "different")])
def test_the_bound_divides_rounding_from_the_rest(
    spec: WriteSpec, share: float, verdict: str, layer_type: str
) -> None:
    sizes, keys, shape = SUMS[layer_type]
    np.save("w.npy", np.reshape(floats("float32", [1, 2, 4]), shape))
    layer = f"type: {layer_type}, {keys}, weight: w.npy"
    network = load_spec(spec(f"input: {sizes}\nlayers: [{{name: one, {layer}}}]"))
    x = floats("float32", [8, 16, 32]).reshape(network["one"].inputs[0])
    exact = 8 + 2 * 16 + 4 * 32
    bound = (3 + 1) * 2.0**-24 * exact  # three products and a bias; y itself is not rounded
    y = np.full(network["one"].output, exact + share * bound)
    assert diagnose(network, x, y, layer="one", accumulator="float32").verdict == verdict


def test_roundings_add_up_without_losing_any() -> None:
    for one in PRECISIONS.values():
        exact = (1 + Fraction(one.unit)) ** 9 - 1
        assert compounded(9, one.unit) == pytest.approx(float(exact), rel=1e-12)


def test_overflow_in_the_accumulator_is_rounding(spec: WriteSpec) -> None:
    np.save("w.npy", floats("float16", [[300, -300]]))
    text = "input: [2]\nlayers: [{name: one, type: linear, out_features: 1, weight: w.npy}]"
    network = load_spec(spec(text))
    x = floats("float16", [300, 299])
    for y in (np.inf, np.nan):
        found = diagnose(network, x, floats("float16", [y]), layer="one")
        assert found.verdict == "rounding"
        wide = diagnose(network, x, floats("float16", [y]), layer="one", accumulator="float32")
        assert wide.verdict == "different"


@pytest.mark.parametrize(
    ("weight", "x"),
    [
        ([1000], [2.0**-26]),  # which float16 rounds to 0
        ([2.0**-26], [1000]),
        ([1000], [3 * 2.0**-25]),  # to a third more
        ([1e-3], [1e5]),  # to infinity
        ([-1e5], [1e-3]),
        ([0], [1e5]),  # to infinity, and 0 times that is nan
    ],
)
def test_operands_that_the_accumulator_cannot_hold_are_rounding(
    spec: WriteSpec, weight: list[float], x: list[float]
) -> None:
    np.save("w.npy", floats("float32", [weight]))
    text = (
        f"input: [{len(x)}]\nlayers: [{{name: one, type: linear, out_features: 1, weight: w.npy}}]"
    )
    network = load_spec(spec(text))
    with np.errstate(all="ignore"):
        y = summed(floats("float16", weight) * floats("float16", x), "float16", "given")
    source, got = floats("float32", x), floats("float32", [y])
    assert diagnose(network, source, got, layer="one", accumulator="float16").verdict == "rounding"
    assert diagnose(network, source, got, layer="one").verdict == "different"


PARTLY_TOO_LARGE = {
    "type: avg_pool, kernel_size: 2": lambda x: (x[..., :1] + x[..., 1:]).sum(2, keepdims=True) / 4,
    "type: global_avg_pool": lambda x: (x[..., :1] + x[..., 1:]).sum(2, keepdims=True) / 4,
    "type: batch_norm, running_mean: [0], running_var: [0], weight: [0.001]": lambda x: (
        x / np.sqrt(floats("float16", 1e-5)) * floats("float16", 0.001)
    ),
}


@pytest.mark.parametrize("layer", PARTLY_TOO_LARGE)
def test_a_partial_result_that_overflows_is_rounding(spec: WriteSpec, layer: str) -> None:
    network = load_spec(spec(f"input: [1, 2, 2]\nlayers: [{{name: one, {layer}}}]"))
    for x, verdict in ((30000, "rounding"), (16, "different")):
        source = np.full((1, 1, 2, 2), x, np.float16)
        with np.errstate(all="ignore"):
            y = PARTLY_TOO_LARGE[layer](source)
        assert np.isinf(y).all() == (verdict == "rounding")
        lost = np.full_like(y, np.inf)
        assert diagnose(network, source, lost, layer="one").verdict == verdict


Made = Callable[[Any], Any]

SCALE, SHIFT = floats("float32", [1, 2, 3]), floats("float32", [0.1, 0.2, 0.3])
MEAN, VARIANCE = floats("float32", [1, 2, -3]), floats("float32", [0.1, 0.2, 0.3])


def channels(numbers: Any) -> Any:
    return numbers[:, None, None]


LAYERS: dict[str, Made] = {
    "type: relu": lambda x: np.maximum(x, 0),
    "type: leaky_relu, alpha: 0.3": lambda x: np.where(x < 0, floats("float32", 0.3) * x, x),
    "type: clip, minimum: -0.3, maximum: 0.7": lambda x: np.clip(x, floats("float32", -0.3), 0.7),
    "type: max_pool, kernel_size: 2": lambda x: x.reshape(2, 3, 3, 2, 3, 2).max((3, 5)),
    "type: avg_pool, kernel_size: 2": lambda x: x.reshape(2, 3, 3, 2, 3, 2).mean((3, 5)),
    "type: global_avg_pool": lambda x: x.mean((2, 3), keepdims=True),
    "type: upsample, scale_factor: 2": lambda x: x.repeat(2, 2).repeat(2, 3),
    "type: scale, weight: [1, 2, 3], bias: [0.1, 0.2, 0.3]": lambda x: (
        channels(SCALE) * x + channels(SHIFT)
    ),
    "type: batch_norm, running_mean: [1, 2, -3], running_var: [0.1, 0.2, 0.3]": lambda x: (
        (x - channels(MEAN)) / np.sqrt(channels(VARIANCE) + floats("float32", 1e-5))
    ),
}


@pytest.mark.parametrize("layer", LAYERS)
def test_other_layers_computed_in_float32_are_equal_or_rounding(
    spec: WriteSpec, layer: str
) -> None:
    network = load_spec(spec(f"input: [3, 6, 6]\nlayers: [{{name: one, {layer}}}]"))
    x = RNG.standard_normal((2, 3, 6, 6)).astype(np.float32)
    y = LAYERS[layer](x)
    assert y.dtype == np.float32
    assert diagnose(network, x, y, layer="one").verdict != "different"
    assert diagnose(network, x, y + floats("float32", 1e-4), layer="one").verdict == "different"
