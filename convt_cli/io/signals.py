"""The signals that end convt: its exit status is 128 and the signal's number.

While the program itself loads there is nothing to clean up, so a signal ends it at once.  Later a
signal raises SystemExit, so that temporary files are removed on the way out.  An exception that is
raised inside an import can be taken for a failure of the import, and one that is raised inside a
destructor is dropped; where that would happen, or has happened, it is raised a little later.

This is the first module of convt that a process loads, so it imports little.
"""

from __future__ import annotations

import os
import signal
import sys

TYPE_CHECKING = False  # as in `convt_cli`
if TYPE_CHECKING:
    from types import FrameType

ENDING = (
    *("SIGHUP", "SIGINT", "SIGQUIT", "SIGTERM", "SIGALRM", "SIGVTALRM", "SIGPROF", "SIGXCPU"),
    *("SIGUSR1", "SIGUSR2", "SIGPOLL", "SIGPWR", "SIGSTKFLT"),
)
"""The signals that end a process which does not handle them, on the systems that have them.  Those
of a process that has itself gone wrong, such as SIGSEGV, leave nothing to clean up with."""
_STATUS = 128
"""The exit status of a process that a signal ends, less the signal's number, as in a shell."""
_SOON = 0.01
"""Seconds until an exception that could not be raised, or would be lost, is raised again."""
_IMPORTING = "<frozen importlib"
"""The beginning of the file names of Python's own code for imports."""


def end_at_once() -> None:
    """From now on a signal ends the process where it stands."""
    for number in _unhandled():
        signal.signal(number, _exit)


def _exit(number: int, _frame: FrameType | None) -> None:
    os._exit(_STATUS + number)


def _unhandled() -> list[int]:
    """The signals that end the process: one that is ignored, or handled already, stays so."""
    numbers = [int(getattr(signal, name)) for name in ENDING if hasattr(signal, name)]
    if hasattr(signal, "SIGRTMIN"):
        numbers += range(signal.SIGRTMIN, signal.SIGRTMAX + 1)
    ours = (signal.SIG_DFL, signal.default_int_handler, _exit)
    return [number for number in numbers if signal.getsignal(number) in ours]


class Unwinding:
    """Within its block a signal raises SystemExit, once, and again where that came to nothing."""

    def __init__(self) -> None:
        self._first: int | None = None
        self._hook = sys.unraisablehook
        self._before: dict[int, object] = {}

    def __enter__(self) -> None:
        try:
            for number in _unhandled():
                self._before[number] = signal.signal(number, self._end)
        except ValueError:  # not the main thread
            return
        sys.unraisablehook = self._dropped

    def __exit__(self, *_: object) -> None:
        """Put back what was there.  Raises SystemExit for a signal that was still to be raised."""
        if self._first is not None:  # before SIGALRM's own handler is back, which knows no first
            self._again_in(0)
        sys.unraisablehook = self._hook
        for number, handler in self._before.items():
            signal.signal(number, handler)  # type: ignore[arg-type]  # what it returned itself
        if self._first is not None:
            raise SystemExit(_STATUS + self._first)

    def _end(self, number: int, frame: FrameType | None) -> None:
        self._first = self._first or number
        if not (_is_importing(frame) and self._again_in(_SOON)):
            raise SystemExit(_STATUS + self._first)

    def _dropped(self, lost: sys.UnraisableHookArgs) -> None:
        """The hook that Python calls for an exception that it drops, as in a destructor."""
        ours = self._first is not None and issubclass(lost.exc_type, SystemExit)
        if not (ours and self._again_in(_SOON)):
            self._hook(lost)

    def _again_in(self, seconds: float) -> bool:
        """Whether `_end` will be called again after `seconds`; 0 calls that off."""
        if not hasattr(signal, "setitimer"):
            return False
        signal.signal(signal.SIGALRM, self._end)
        signal.setitimer(signal.ITIMER_REAL, seconds)
        return True


def _is_importing(frame: FrameType | None) -> bool:
    """Whether this frame, or one that called it, is loading a module."""
    while frame is not None:
        if frame.f_code.co_filename.startswith(_IMPORTING):
            return True
        frame = frame.f_back
    return False
