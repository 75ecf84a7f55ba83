"""The progress bar: on a terminal, after a second, and at no other time."""

from __future__ import annotations

import io
import sys

import pytest

from convt_cli.render.progress import progress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class Clock:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


class Failure(Exception):
    """The error that the work ends with."""


def work(stderr: io.StringIO | None, seconds: float, *, fails: bool = False) -> str:
    """The text on standard error after four steps of work, `seconds` in all."""
    clock = Clock()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TERM", "xterm")
        patch.setattr(sys, "stderr", stderr)
        with progress("writing", 100, clock=clock) as advance:
            for _ in range(4):
                clock.now += seconds / 4
                advance(25)
            if fails:
                raise Failure
    return "" if stderr is None else stderr.getvalue()


def test_shows_work_that_takes_over_a_second() -> None:
    shown = work(Terminal(), 2.0)
    assert "writing" in shown
    assert "100%" in shown


def test_is_gone_when_the_work_is_done() -> None:
    assert work(Terminal(), 2.0).endswith("\x1b[2K")  # the line is erased


def test_shows_no_quick_work() -> None:
    assert work(Terminal(), 0.9) == ""


def test_is_gone_when_the_work_fails() -> None:
    terminal = Terminal()
    with pytest.raises(Failure):
        work(terminal, 2.0, fails=True)
    assert terminal.getvalue().endswith("\x1b[2K")


@pytest.mark.parametrize("stderr", [io.StringIO(), None])
def test_shows_nothing_where_nobody_looks(stderr: io.StringIO | None) -> None:
    assert work(stderr, 60.0) == ""
