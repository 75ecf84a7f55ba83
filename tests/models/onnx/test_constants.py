"""Constants folded one node at a time; tests/peers holds the numbers against ONNX Runtime."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from convt_cli.models.onnx.constants import fold
from convt_cli.models.onnx.folding import Require, Unfoldable, is_uniform
from convt_cli.models.onnx.graph import Attribute, Node
from convt_cli.models.onnx.slicing import as_slice

LARGE = 2**53 + 1
"""An integer that float64 does not have."""


def folded(
    operator: str,
    *inputs: Any,
    attributes: dict[str, Attribute] | None = None,
    require: Require = lambda _: None,
) -> Any:
    node = Node(name="n", operator=operator, inputs=(), outputs=("y",), attributes=attributes or {})
    return fold(node, [np.asarray(one) for one in inputs], require)


@pytest.mark.parametrize(
    ("operator", "inputs", "attributes", "expected"),
    [
        ("Div", (LARGE, 1), {}, LARGE),
        ("Div", ([7, -7, 7, -7], [2, 2, -2, -2]), {}, [3, -3, -3, 3]),
        ("Mod", ([7, -7, 7, -7], [3, 3, -3, -3]), {}, [1, 2, -2, -1]),
        ("Mod", ([7, -7, 7, -7], [3, 3, -3, -3]), {"fmod": 1}, [1, -1, 1, -1]),
        ("Add", (2**63 - 1, 1), {}, -(2**63)),
        ("Range", (LARGE, LARGE + 5, 2), {}, [LARGE, LARGE + 2, LARGE + 4]),
        ("Cast", (LARGE,), {"to": 7}, LARGE),
        ("Cast", ([2.9, -2.9],), {"to": 7}, [2, -2]),
        ("Max", ([1, 5], [4, 2], [3, 3]), {}, [4, 5]),
    ],
)
def test_integers_are_exact(
    operator: str, inputs: tuple[Any, ...], attributes: dict[str, Attribute], expected: Any
) -> None:
    found = folded(operator, *inputs, attributes=attributes)
    assert (found.dtype, found.tolist()) == (np.int64, expected)


@pytest.mark.parametrize(
    ("operator", "inputs", "said"),
    [
        ("Div", ([1], [0]), "divided by zero"),
        ("Mod", ([1], [0]), "divided by zero"),
        ("Div", ([-(2**63)], [-1]), "beyond the type int64"),
        ("Cast", ([1e30],), "beyond the type int64"),
        ("Cast", ([np.nan],), "beyond the type int64"),
        ("Add", ([1], [1.0]), "types int64, float64"),
        ("Add", ([1],), "it has 1 inputs"),
        ("Neg", ([1], [2]), "it has 2 inputs"),
        ("Floor", ([1],), "no numbers of the type int64"),
        ("Where", ([1], [1], [2]), "no truth value"),
        ("Concat", ([1], [1.0]), "different types"),
        ("Concat", ([[1]], [[1, 2], [3, 4]]), "differ along another axis"),
        ("Gather", ([1], [0]), "axis 5 of 1"),
        ("Range", (0, 5.0, 1), "different types"),
        ("Slice", ([1, 2], [0], [1, 2]), "1 starts, 2 ends"),
        ("Slice", ([1, 2], [0, 0], [1, 1], [0, -1]), "axis 0 twice"),
        ("Slice", ([1, 2], [0], [1], [0], [0]), "steps of 0"),
    ],
)
def test_what_has_no_answer_says_why(operator: str, inputs: tuple[Any, ...], said: str) -> None:
    attributes: dict[str, dict[str, Attribute]] = {
        "Concat": {"axis": 0},
        "Gather": {"axis": 5},
        "Cast": {"to": 7},
    }
    with pytest.raises(Unfoldable, match=said):
        folded(operator, *inputs, attributes=attributes.get(operator))


@pytest.mark.parametrize(
    ("operator", "inputs"),
    [
        ("Add", ([[1], [2]], [1, 2, 3])),
        ("Div", ([[1], [2]], [1, 2, 3])),
        ("Max", ([[1], [2]], [1, 2, 3], [1, 1, 1])),
        ("Concat", ([1, 2], [3])),
        ("Gather", ([1, 2, 3], [[0, 0], [1, 1]])),
    ],
)
def test_memory_is_asked_for(operator: str, inputs: tuple[Any, ...]) -> None:
    asked: list[int] = []
    found = folded(operator, *inputs, require=asked.append)
    assert sum(asked) >= found.nbytes


@pytest.mark.parametrize("operator", ["Add", "Div", "Concat", "Gather", "Cast"])
def test_without_numbers_nothing_is_made(operator: str) -> None:
    """The shape of 10^12 elements is known at once."""
    huge = np.broadcast_to(np.zeros((), np.int64), (10**6, 10**6))
    second = np.array([0, 1]) if operator == "Gather" else huge
    node = Node(
        name="n",
        operator=operator,
        inputs=(),
        outputs=("y",),
        attributes={"axis": 0, "to": 1},
    )
    inputs = [huge] if operator == "Cast" else [huge, second]
    found = fold(node, inputs, lambda _: pytest.fail("it asks for memory"), shape_only=True)
    rows = {"Concat": 2 * 10**6, "Gather": 2}.get(operator, 10**6)
    assert found.shape == (rows, 10**6)
    assert is_uniform(found)


@pytest.mark.parametrize("places", [range(3, -1, -1), range(3, -1, -2), range(0), range(1, 4, 2)])
def test_a_slice_takes_the_places_of_its_range(places: range) -> None:
    assert list(range(4))[as_slice(places)] == list(places)


@pytest.mark.parametrize(
    ("start", "end", "step", "expected"),
    [
        (-100, -200, -1, [0]),
        (100, -200, -1, [3, 2, 1, 0]),
        (-100, 200, 3, [0, 3]),
        (2, 2**63 - 1, -1, [2, 1, 0]),
        (2, 2**62, -1, []),
        (0, 3, -1, []),
    ],
)
def test_a_slice_stays_within_the_axis(
    start: int, end: int, step: int, expected: list[int]
) -> None:
    assert folded("Slice", range(4), [start], [end], [0], [step]).tolist() == expected
