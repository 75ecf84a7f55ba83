"""Constants as the import folds them against what ONNX Runtime computes, number for number."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from convt_cli.models.onnx.constants import fold
from convt_cli.models.onnx.folding import Unfoldable
from convt_cli.models.onnx.graph import Attribute, Node
from tests.peers.frameworks import onnx_session

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

pytestmark = pytest.mark.peers

Array = NDArray[Any]

BOUNDS = np.iinfo(np.int64)
EDGES = np.array(
    [*range(-7, 8), 2**53 + 1, -(2**53) - 1, 2**62 + 3, -(2**62) - 3, BOUNDS.max, BOUNDS.min + 1]
)
"""Integers of which float64 cannot tell some from their neighbours."""

HALVES = np.array([-2.5, -1.5, -0.5, 0.5, 1.5, 2.5, 7.25, -7.25, 1e30, 0.0], np.float32)


def session(operator: str, inputs: Sequence[Array], **attributes: Attribute) -> Any:
    """ONNX Runtime's session for one node, whose inputs are a, b, c, ..."""
    value, kind = onnx.helper.make_tensor_value_info, onnx.helper.np_dtype_to_tensor_dtype
    names = names_of(inputs)
    graph = onnx.helper.make_graph(
        [onnx.helper.make_node(operator, names, ["y"], **attributes)],
        "graph",
        [value(name, kind(one.dtype), [None] * one.ndim) for name, one in zip(names, inputs)],
        [onnx.helper.make_empty_tensor_value_info("y")],
    )
    opsets = [onnx.helper.make_opsetid("", 17)]
    model = onnx.helper.make_model(graph, opset_imports=opsets, ir_version=8)
    return onnx_session(model)


def names_of(inputs: Sequence[Array]) -> list[str]:
    return [chr(ord("a") + number) for number in range(len(inputs))]


def by_the_runtime(operator: str, inputs: Sequence[Array], **attributes: Attribute) -> Array:
    made = session(operator, inputs, **attributes)
    (found,) = made.run(None, dict(zip(names_of(inputs), inputs)))
    return np.asarray(found)


def folded(operator: str, inputs: Sequence[Array], **attributes: Attribute) -> Array:
    node = Node(name="n", operator=operator, inputs=(), outputs=("y",), attributes=attributes)
    return fold(node, inputs, lambda _: None)


def assert_same(operator: str, inputs: Sequence[Array], **attributes: Attribute) -> None:
    expected = by_the_runtime(operator, inputs, **attributes)
    found = folded(operator, inputs, **attributes)
    assert found.dtype == expected.dtype
    np.testing.assert_array_equal(found, expected)


def pairs(numbers: Array) -> tuple[Array, Array]:
    """Every number with every other, as two vectors."""
    first, second = np.meshgrid(numbers, numbers)
    return first.ravel(), second.ravel()


@pytest.mark.parametrize(
    "operator", ["Add", "Sub", "Mul", "Max", "Min", "Equal", "Greater", "Less"]
)
@pytest.mark.parametrize("dtype", ["int32", "int64", "float32", "float64"])
def test_two_inputs(operator: str, dtype: str) -> None:
    """Sums and products that leave the type wrap around in both."""
    numbers = EDGES if dtype == "int64" else EDGES[:15] if dtype == "int32" else HALVES
    assert_same(operator, pairs(numbers.astype(dtype)))


@pytest.mark.parametrize("dtype", ["int32", "int64"])
@pytest.mark.parametrize(
    ("operator", "attributes"), [("Div", {}), ("Mod", {}), ("Mod", {"fmod": 1})], ids=str
)
def test_quotients_and_remainders_of_integers(
    operator: str, attributes: dict[str, Attribute], dtype: str
) -> None:
    dividend, divisor = pairs((EDGES if dtype == "int64" else EDGES[:15]).astype(dtype))
    there = divisor != 0
    assert_same(operator, (dividend[there], divisor[there]), **attributes)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("operator", "attributes"), [("Div", {}), ("Mod", {"fmod": 1})], ids=str)
def test_quotients_and_remainders_of_fractions(
    operator: str, attributes: dict[str, Attribute], dtype: str
) -> None:
    assert_same(operator, pairs(HALVES.astype(dtype)), **attributes)


@pytest.mark.parametrize(
    ("operator", "numbers"),
    [
        *((operator, EDGES) for operator in ("Neg", "Abs")),
        *((operator, HALVES) for operator in ("Neg", "Abs", "Floor", "Ceil", "Round", "Sqrt")),
    ],
)
def test_one_input(operator: str, numbers: Array) -> None:
    assert_same(operator, [numbers])


@pytest.mark.parametrize("operator", ["Exp", "Log", "Sin", "Cos", "Tanh", "Reciprocal"])
def test_functions_of_one_number_to_their_last_digits(operator: str) -> None:
    expected = by_the_runtime(operator, [HALVES])
    np.testing.assert_allclose(folded(operator, [HALVES]), expected, rtol=1e-6)


def test_powers_to_their_last_digits() -> None:
    inputs = [np.abs(HALVES), HALVES[::-1].copy()]
    np.testing.assert_allclose(folded("Pow", inputs), by_the_runtime("Pow", inputs), rtol=1e-6)


def test_truth_values() -> None:
    """Comparisons of numbers, and what is made of their results."""
    for operator in ("Greater", "GreaterOrEqual", "Less", "LessOrEqual", "Equal"):
        assert_same(operator, pairs(HALVES))
    flags = np.array([False, True])
    assert_same("Not", [flags])
    for operator in ("And", "Or"):
        assert_same(operator, pairs(flags))


def test_three_inputs() -> None:
    assert_same("Where", [EDGES > 2, EDGES, EDGES[::-1].copy()])
    assert_same("Max", [EDGES, EDGES[::-1].copy(), np.array([3])])


@pytest.mark.parametrize("dtype", ["int32", "int64", "float32", "float64"])
def test_ranges(dtype: str) -> None:
    generator = np.random.default_rng(3)
    made = session("Range", [np.array(0, dtype)] * 3)
    for _ in range(500):
        start, limit = generator.integers(-50, 50, 2)
        step = generator.choice([-7, -3, -1, 1, 2, 5])
        scale = 1 if dtype.startswith("int") else generator.choice([0.1, 1 / 3, 1, 1e-3])
        inputs = [np.array(number * scale, dtype) for number in (start, limit, step)]
        (expected,) = made.run(None, dict(zip("abc", inputs)))
        assert folded("Range", inputs).shape == expected.shape, inputs


def test_slices() -> None:
    """Starts and ends far outside, near both ends and inside, forwards and backwards."""
    generator = np.random.default_rng(1)
    made = session("Slice", [np.zeros((1, 1), np.float32), *[np.array([0])] * 4])
    places = [*range(-9, 10), -100, 100, -(2**31), 2**31 - 1, 2**31, -(2**62), 2**62, 2**63 - 1]
    for _ in range(1000):
        shape = generator.integers(1, 8, 2)
        array = np.arange(shape.prod(), dtype=np.float32).reshape(shape)
        axes = generator.permutation(2)[: generator.integers(1, 3)] - generator.choice([0, 2])
        starts, ends = (generator.choice(places, axes.size) for _ in range(2))
        steps = generator.choice([-100, -3, -2, -1, 1, 2, 3, 100], axes.size)
        inputs = [array, starts, ends, axes, steps]
        (expected,) = made.run(None, dict(zip("abcde", inputs)))
        found = folded("Slice", inputs)
        np.testing.assert_array_equal(found, expected, err_msg=str(inputs))


@pytest.mark.parametrize(
    ("operator", "inputs"),
    [
        ("Add", [np.array([1]), np.array([1.0], np.float32)]),
        ("Concat", [np.array([1]), np.array([1.0], np.float32)]),
        ("Floor", [np.array([1])]),
        ("Neg", [np.array([1]), np.array([2])]),
        ("Sub", [np.array([True]), np.array([True])]),
        ("Where", [np.array([1]), np.array([1]), np.array([2])]),
        ("Slice", [np.arange(4), np.array([0, 0]), np.array([1, 1]), np.array([0, 0])]),
    ],
    ids=lambda one: one if isinstance(one, str) else "",
)
def test_what_the_runtime_does_not_take_is_not_folded(operator: str, inputs: list[Array]) -> None:
    attributes: dict[str, Attribute] = {"axis": 0} if operator == "Concat" else {}
    with pytest.raises(Exception):  # noqa: B017, PT011  # the runtime has many kinds
        by_the_runtime(operator, inputs, **attributes)
    with pytest.raises(Unfoldable):
        folded(operator, inputs, **attributes)


@pytest.mark.parametrize(
    ("operator", "dividend", "divisor"),
    [("Div", 1, 0), ("Mod", 1, 0), ("Div", BOUNDS.min, -1)],
)
def test_what_has_no_quotient_is_not_folded(operator: str, dividend: int, divisor: int) -> None:
    """The runtime has none either: it stops, or gives what the processor leaves behind."""
    with pytest.raises(Unfoldable):
        folded(operator, [np.array([dividend]), np.array([divisor])])
