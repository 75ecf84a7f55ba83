"""Standard streams that are read and written to the end, whatever stands behind them.

A pipe, a socket or a terminal may be set not to block, by whoever started this process or by
another one that shares it.  A read then ends where nothing has arrived yet, as if the data ended
there, and a write takes a part and fails.  The streams made here wait instead.
"""

from __future__ import annotations

import errno
import io
import os
import select
import sys
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer, WriteableBuffer

_MOST_READ = 2**20
"""Bytes that one call asks for: as many as a pipe holds at most, unless root says otherwise."""
_PATIENCE = 0.5
"""Seconds of one call that waits."""


def wait_for_standard_streams() -> None:
    """Let this process's standard streams wait where they would not block."""
    if isinstance(sys.stdin, io.TextIOWrapper):
        sys.stdin = _text(sys.stdin, io.BufferedReader(Waiting(sys.stdin.fileno())))
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout = _text(sys.stdout, io.BufferedWriter(Waiting(sys.stdout.fileno())))
    if isinstance(sys.stderr, io.TextIOWrapper):
        # Without a buffer: what cannot be written is not tried again when Python exits.
        unbuffered = cast("io.BufferedWriter", Waiting(sys.stderr.fileno()))
        sys.stderr = _text(sys.stderr, unbuffered)


def _text(
    stream: io.TextIOWrapper, content: io.BufferedReader | io.BufferedWriter
) -> io.TextIOWrapper:
    """A text stream like `stream`, over `content`."""
    return io.TextIOWrapper(
        content,
        encoding=stream.encoding,
        errors=stream.errors,
        line_buffering=stream.line_buffering or stream.write_through,
    )


class Waiting(io.RawIOBase):
    """The bytes of an open descriptor, which is left open when this is closed.

    A read returns nothing at the end of the data only, and a write has taken everything.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._is_terminal = os.isatty(descriptor)  # one that is gone says no

    def fileno(self) -> int:
        """The descriptor."""
        return self._descriptor

    def isatty(self) -> bool:
        """Whether it is a terminal."""
        return self._is_terminal

    def readable(self) -> bool:
        """Whether it can be read: for all that is known, yes."""
        return True

    def writable(self) -> bool:
        """Whether it can be written: for all that is known, yes."""
        return True

    def readinto(self, buffer: WriteableBuffer) -> int:
        """How many bytes have arrived in `buffer`.  Raises OSError, also for a lost terminal."""
        room = memoryview(buffer).cast("B")
        while True:
            self._wait([self._descriptor], [])
            try:
                data = os.read(self._descriptor, min(len(room), _MOST_READ))
                break
            except BlockingIOError:  # another process was faster
                continue
        if not data and room and self._has_hung_up():
            raise OSError(errno.EIO, "the terminal is gone, perhaps before the end of the data")
        room[: len(data)] = data
        return len(data)

    def write(self, data: ReadableBuffer) -> int:
        """How many bytes `data` has, all of which have been taken.  Raises OSError."""
        rest = memoryview(data).cast("B")
        size = len(rest)
        while rest:
            try:
                rest = rest[os.write(self._descriptor, rest) :]
            except BlockingIOError:
                self._wait([], [self._descriptor])
        return size

    def _wait(self, reading: list[int], writing: list[int]) -> None:
        """Return when one of the descriptors is ready.

        A signal that comes just before a call that blocks is seen by Python after the call, so
        no call here blocks for long.
        """
        if not hasattr(select, "poll"):
            return  # as on Windows, where only sockets are waited for, and nothing fails to block
        while not any(select.select(reading, writing, [], _PATIENCE)):
            pass

    def _has_hung_up(self) -> bool:
        """Whether it is a terminal whose other side is closed: all reads say "end" then."""
        if not (self._is_terminal and hasattr(select, "poll")):
            return False
        events = select.poll()
        events.register(self._descriptor, 0)
        return any(event & select.POLLHUP for _, event in events.poll(0))
