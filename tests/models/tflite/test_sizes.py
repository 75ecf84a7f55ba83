"""Sizes computed from sizes, beside NumPy."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from convt_cli.models.tflite.graph import Node
from convt_cli.models.tflite.sizes import MOST_SIZES, computed

SIZES = np.array([1, 7, 6, 4])

NO_MASKS = dict.fromkeys(("begin_mask", "end_mask", "shrink_axis_mask"), 0)


def result(operator: str, *given: Any, **options: int) -> tuple[int, ...] | None:
    node = Node(operator=operator, inputs=(), outputs=("y",), options={**NO_MASKS, **options})
    known = [None if one is None else tuple(map(int, np.ravel(one))) for one in given]
    return computed(node, known)


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (result("PACK", 1, 2, 3), np.stack([1, 2, 3])),
        (result("CONCATENATION", SIZES, [5]), np.concatenate([SIZES, [5]])),
        (result("STRIDED_SLICE", SIZES, 1, 3, 1), SIZES[1:3]),
        (result("STRIDED_SLICE", SIZES, 0, 0, -1, begin_mask=1, end_mask=1), SIZES[::-1]),
        (result("STRIDED_SLICE", SIZES, -1, 0, 1, shrink_axis_mask=1), SIZES[-1]),
        (result("SLICE", SIZES, 1, 2), SIZES[1:3]),
        (result("SLICE", SIZES, 2, -1), SIZES[2:]),
        (result("GATHER", SIZES, [3, 1]), SIZES[[3, 1]]),
        (result("REDUCE_PROD", SIZES, 0), SIZES.prod()),
        (result("CAST", SIZES), SIZES),
        (result("MUL", SIZES, 2), SIZES * 2),
        (result("SUB", 9, SIZES), 9 - SIZES),
        (result("FLOOR_DIV", SIZES, [1, 2, 4, 3]), SIZES // [1, 2, 4, 3]),
        (result("MAXIMUM", SIZES, 5), np.maximum(SIZES, 5)),
    ],
)
def test_what_is_computed(found: tuple[int, ...] | None, expected: Any) -> None:
    assert found == tuple(np.ravel(expected))


@pytest.mark.parametrize(
    "found",
    [
        result("PACK", 1, None),
        result("PACK"),
        result("CAST"),
        result("FLOOR_DIV", SIZES, 0),
        result("MUL", SIZES, [1, 2]),
        result("GATHER", SIZES, 4),
        result("STRIDED_SLICE", SIZES, 0, 4, 0),
        result("MUL", 2**40, 2**40),
        result("CONCATENATION", *[SIZES] * MOST_SIZES),
        result("UNIQUE", SIZES),
    ],
)
def test_what_is_not_known(found: tuple[int, ...] | None) -> None:
    assert found is None
