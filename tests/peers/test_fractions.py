"""Sizes of an upsample by a fraction, held to what PyTorch and ONNX Runtime make of it."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from convt_cli.arithmetic.dialects.frameworks import FRAMEWORKS
from convt_cli.arithmetic.keys import Ratio
from convt_cli.arithmetic.layers import Spans
from convt_cli.arithmetic.layers.resampling import Upsample, scaled_size
from convt_cli.spec.load import load_spec
from tests.conftest import WriteSpec
from tests.peers.frameworks import onnx_session
from tests.rows import for_each

pytestmark = pytest.mark.peers

SEEDS = range(300)
REPORTED = [
    ("pytorch", 9, 1.3333333333333333, 12),
    ("pytorch", 706, 0.31728045325779036, 224),
    ("pytorch", 100, 1.15, 114),
    ("onnx", 9, 1.3333333333333333, 12),
    ("onnx", 706, 0.31728045325779036, 223),
    ("onnx", 100, 1.15, 115),
    ("onnx", 88, 1.3636363636363635, 120),
    ("onnx", 7, 0.7142857142857142, 5),
    ("pytorch", 7, 0.7142857142857142, 4),
]
"""Framework, size, scale and the size that the framework was seen to give."""


def torch_size(size: int, scale: float) -> int:
    torch = pytest.importorskip("torch")
    x = torch.zeros(1, 1, size)
    return int(torch.nn.functional.interpolate(x, scale_factor=scale).shape[2])


def onnx_size(size: int, scale: float) -> int:
    onnx = pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")
    helper: Any = onnx.helper
    value = helper.make_tensor_value_info
    graph = helper.make_graph(
        [helper.make_node("Resize", ["x", "", "scales"], ["y"])],
        "resize",
        [value("x", 1, [1, 1, size])],
        [value("y", 1, None)],
        [onnx.numpy_helper.from_array(np.array([1, 1, scale], np.float32), "scales")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    (result,) = onnx_session(model).run(None, {"x": np.zeros((1, 1, size), np.float32)})
    return int(result.shape[2])


SIZES: dict[str, Callable[[int, float], int]] = {"pytorch": torch_size, "onnx": onnx_size}


@pytest.mark.parametrize(("framework", "size", "scale", "expected"), REPORTED)
def test_sizes_that_people_reported(
    framework: str, size: int, scale: float, expected: int, spec: WriteSpec
) -> None:
    layer = f"{{type: upsample, scale_factor: {scale!r}}}"
    text = f"framework: {framework}\ninput: [1, {size}]\nlayers: [{layer}]"
    assert load_spec(spec(text)).output == (1, expected)
    assert SIZES[framework](size, scale) == expected


@for_each("seed", SEEDS)
@pytest.mark.parametrize("framework", SIZES)
def test_sizes_that_are_drawn(framework: str, seed: int) -> None:
    """Half of the scales are quotients of integers, whose products come next to an integer."""
    draw = random.Random(seed)
    size = draw.randint(8, 2000)
    quotient = draw.randint(1, 60) / draw.randint(1, 40)
    scale = draw.choice([quotient, round(draw.uniform(0.2, 4), 2)])
    scale = max(scale, 1.5 / size)
    assert scaled_size(size, scale, FRAMEWORKS[framework]) == SIZES[framework](size, scale)


@for_each("seed", range(60))
def test_nearest_elements_are_pytorchs(seed: int) -> None:
    torch = pytest.importorskip("torch")
    draw = random.Random(seed)
    size, scale = draw.randint(2, 300), round(draw.uniform(0.5, 4), 2) + 0.001
    geometry = Upsample(scale_factor=scale).resolve(((1, size),), FRAMEWORKS["pytorch"])
    numbers = torch.arange(size, dtype=torch.float64)[None, None]
    taken = torch.nn.functional.interpolate(numbers, scale_factor=scale)[0, 0]
    assert isinstance(geometry.dependence, Spans)
    (span,) = geometry.dependence.axes
    assert span is not None
    assert taken.tolist() == [min(span.of(q)[0], size - 1) for q in range(geometry.output[1])]


@pytest.mark.parametrize(("numerator", "denominator"), [(4, 3), (23, 20), (1, 3), (7, 5)])
def test_a_fraction_is_exact_whatever_the_framework(numerator: int, denominator: int) -> None:
    ratio = Ratio.of(numerator, denominator)
    sizes = range(1, 500)
    found = [scaled_size(size, ratio, FRAMEWORKS["pytorch"]) for size in sizes]
    assert found == [size * numerator // denominator for size in sizes]
