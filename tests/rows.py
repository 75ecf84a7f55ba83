"""Laws of many rows: one case goes through all of them, and its failure names each that fails.

A case costs pytest more than most rows cost convt, so that thousands of cases are mostly waiting.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from functools import wraps
from typing import Any, TypeVar

Row = TypeVar("Row")
Test = Callable[..., None]


def assert_each(
    rows: Iterable[Row], check: Callable[[Row], object], name: Callable[[Row], object] = repr
) -> None:
    """`check` holds for every row, and there is one."""
    rows = list(rows)
    assert rows
    failed = []
    for row in rows:
        try:
            check(row)
        except Exception as error:
            failed.append(f"{name(row)}: {type(error).__name__}: {error}")
    assert not failed, "\n".join([f"{len(failed)} of {len(rows)} rows fail:", *failed])


def for_each(argument: str, rows: Iterable[Any]) -> Callable[[Test], Test]:
    """A test of one row becomes a test of all; `argument` is the name by which it takes a row."""
    kept = list(rows)

    def decorate(test: Test) -> Test:
        @wraps(test)
        def each(*arguments: Any, **keys: Any) -> None:
            assert_each(kept, lambda row: test(*arguments, **keys, **{argument: row}))

        whole = inspect.signature(test)
        others = [one for name, one in whole.parameters.items() if name != argument]
        vars(each)["__signature__"] = whole.replace(parameters=others)
        return each

    return decorate
