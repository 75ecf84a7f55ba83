"""A progress bar on standard error, for people who wait at a terminal and for nobody else.

The work is handed a callback and knows of no terminal.  The bar appears once the work has taken a
second, and goes when it is done.  Each call of the callback draws it, so it needs no thread.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from convt_cli.io.progress import Advance

if TYPE_CHECKING:
    from rich.progress import Progress

_PATIENCE = 1.0  # seconds before the bar appears
_PACE = 0.1  # seconds between two drawings of it


@contextmanager
def progress(
    label: str, total: int, *, clock: Callable[[], float] = time.monotonic
) -> Iterator[Advance]:
    """A callback that takes how much more of `total` is done; at a terminal it draws the bar."""
    if sys.stderr is None or not sys.stderr.isatty():
        yield _ignore
        return
    bar = _Bar(label, total, clock)
    try:
        yield bar.advance
    finally:
        bar.close()


def _ignore(_amount: int) -> None:
    pass


class _Bar:
    """A bar that is not shown before `_PATIENCE`, and then drawn anew every `_PACE` at most."""

    def __init__(self, label: str, total: int, clock: Callable[[], float]) -> None:
        self._label = label
        self._total = total
        self._clock = clock
        self._start = clock()
        self._done = 0
        self._drawn = 0.0
        self._shown: Progress | None = None

    def advance(self, amount: int) -> None:
        """Note that `amount` more is done."""
        self._done += amount
        if self._shown is None and self._clock() - self._start >= _PATIENCE:
            self._shown = _started(self._label, self._total)
        if self._shown is not None:
            self._shown.update(self._shown.task_ids[0], completed=self._done)
            self._refresh(self._shown)

    def _refresh(self, shown: Progress) -> None:
        """Draw the bar anew, unless that was done a moment ago."""
        now = self._clock()
        if now - self._drawn >= _PACE:
            self._drawn = now
            shown.refresh()

    def close(self) -> None:
        """Take the bar away."""
        if self._shown is not None:
            self._shown.stop()


def _started(label: str, total: int) -> Progress:
    """A bar of rich on standard error, which is drawn only when it is told to."""
    from rich.console import Console  # noqa: PLC0415  # costs time, and is seldom needed
    from rich.progress import Progress  # noqa: PLC0415

    bar = Progress(console=Console(stderr=True), transient=True, auto_refresh=False)
    bar.add_task(label, total=total)
    bar.start()
    return bar
