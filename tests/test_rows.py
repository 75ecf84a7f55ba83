"""The rows that one case goes through: each is tried, and each that fails is named."""

from __future__ import annotations

import pytest

from tests.rows import assert_each, for_each


def is_even(row: int) -> None:
    assert row % 2 == 0


def test_every_row_that_fails_is_named() -> None:
    with pytest.raises(AssertionError) as caught:
        assert_each([1, 2, 3], is_even, lambda row: f"number {row}")
    lines = str(caught.value).splitlines()
    assert [line[:8] for line in lines if line.startswith("number")] == ["number 1", "number 3"]


def test_no_row_is_a_failure() -> None:
    with pytest.raises(AssertionError):
        assert_each([], is_even)


@pytest.mark.parametrize("offset", [0, 2])
@for_each("row", [2, 4])
def test_a_decorated_test_takes_other_arguments_as_before(row: int, offset: int) -> None:
    is_even(row + offset)


def test_a_decorated_test_fails_with_its_rows() -> None:
    with pytest.raises(AssertionError, match="2 of 3 rows fail"):
        for_each("row", [1, 2, 3])(is_even)()
