"""Rows of one law that are tried in one test, one after the other; a failure names its row."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def trying(*row: object) -> Iterator[None]:
    """What fails within the block says for which row it did."""
    try:
        yield
    except BaseException as error:
        error.add_note(f"with the row {', '.join(ascii(one)[:200] for one in row)}")
        raise
