"""The signals that end convt: its exit status is 128 and the signal's number.

While the program itself loads there is nothing to put away, so a signal ends it at once.  Later
it unwinds what is being done, so that temporary files are removed.  An exception that is raised
inside an import can be taken for a failure of the import, and one that is raised inside a
destructor is dropped; where that would happen, or has happened, it is raised a little later.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

ENDING = ("SIGINT", "SIGTERM")
_STATUS = 128
_SOON = 0.01
"""Seconds after which a signal is looked at again."""
_IMPORTING = "<frozen importlib"
"""How the file names of Python's own code for imports begin."""


def end_at_once() -> None:
    """From now on a signal ends the process where it stands."""
    for number in _unhandled():
        signal.signal(number, _exit)


def _exit(number: int, _frame: FrameType | None) -> None:
    os._exit(_STATUS + number)


def _unhandled() -> list[int]:
    """The signals that end the process: one that is ignored, or handled already, stays so."""
    numbers = [int(getattr(signal, name)) for name in ENDING if hasattr(signal, name)]
    ours = (signal.SIG_DFL, signal.default_int_handler, _exit)
    return [number for number in numbers if signal.getsignal(number) in ours]


@contextmanager
def unwinding() -> Iterator[None]:
    """Within, signals raise SystemExit; not in threads other than the main one."""
    ending = _Ending()
    try:
        before = {number: signal.signal(number, ending.end) for number in _unhandled()}
    except ValueError:  # not the main thread
        yield
        return
    hook, sys.unraisablehook = sys.unraisablehook, ending.dropped
    try:
        yield
    finally:
        sys.unraisablehook = hook
        for number, handler in before.items():
            signal.signal(number, handler)


class _Ending:
    """Raises SystemExit for the first signal, and again where that came to nothing."""

    def __init__(self) -> None:
        self._first: int | None = None
        self._passed_on = sys.unraisablehook

    def end(self, number: int, frame: FrameType | None) -> None:
        """The handler of a signal."""
        self._first = self._first or number
        if _is_importing(frame) and self._comes_again():
            return
        raise SystemExit(_STATUS + self._first)

    def dropped(self, lost: sys.UnraisableHookArgs) -> None:
        """What Python calls for an exception that cannot be raised where it comes from."""
        if not (self._first and isinstance(lost.exc_value, SystemExit) and self._comes_again()):
            self._passed_on(lost)

    def _comes_again(self) -> bool:
        """Whether `end` will be called once more in a moment."""
        if not hasattr(signal, "setitimer"):
            return False
        signal.signal(signal.SIGALRM, self.end)
        signal.setitimer(signal.ITIMER_REAL, _SOON)
        return True


def _is_importing(frame: FrameType | None) -> bool:
    """Whether a module is being loaded in this frame, or further up."""
    while frame is not None:
        if frame.f_code.co_filename.startswith(_IMPORTING):
            return True
        frame = frame.f_back
    return False
