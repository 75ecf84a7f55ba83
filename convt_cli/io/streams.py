"""Standard streams that wait, so that they are read and written to the end.

Whoever started this process, or another process that shares the stream, may have set a pipe, a
socket or a terminal not to block.  A read then ends where nothing has arrived yet, as if the data
ended there, and a write takes a part of the data and fails.  The streams made here wait instead.
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
"""Bytes that one read asks for: the most that a pipe holds, unless root has allowed more."""
_PATIENCE = 0.5
"""Seconds that one call waits at most, so that Python can see signals in between."""


def wait_for_standard_streams() -> None:
    """Replace this process's standard streams by ones that wait instead of failing."""
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
        self._is_terminal = os.isatty(descriptor)  # asked now: a lost terminal would say no

    def fileno(self) -> int:
        """The descriptor."""
        return self._descriptor

    def isatty(self) -> bool:
        """Whether it is a terminal."""
        return self._is_terminal

    def readable(self) -> bool:
        """True: the direction is not known, and a wrong one is the system's error."""
        return True

    def writable(self) -> bool:
        """True, as for `readable`."""
        return True

    def readinto(self, buffer: WriteableBuffer) -> int:
        """How many bytes were read into `buffer`; waits for the first.  Raises OSError."""
        room = memoryview(buffer).cast("B")
        while True:
            self._wait([self._descriptor], [])
            try:
                data = os.read(self._descriptor, min(len(room), _MOST_READ))
                break
            except BlockingIOError:  # another process has read it first
                continue
        # A terminal that is gone ends like a file: without this, half the data would pass for all.
        if not data and room and self._has_hung_up():
            raise OSError(errno.EIO, "the terminal is gone, perhaps before the end of the data")
        room[: len(data)] = data
        return len(data)

    def write(self, data: ReadableBuffer) -> int:
        """The number of bytes of `data`, once all of them are written.  Raises OSError."""
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

        Python sees a signal that comes just before a blocking call only after that call, so no
        call here blocks for long.
        """
        if not hasattr(select, "poll"):
            return  # Windows: `select` knows sockets alone there, and all other streams block
        while not any(select.select(reading, writing, [], _PATIENCE)):
            pass

    def _has_hung_up(self) -> bool:
        """Whether this is a terminal whose other side is closed, so that every read is empty."""
        if not (self._is_terminal and hasattr(select, "poll")):
            return False
        events = select.poll()
        events.register(self._descriptor, 0)
        return any(event & select.POLLHUP for _, event in events.poll(0))
