"""Publishing outputs: whole or not at all, all that a command writes or nothing.

An output is written to a temporary file beside its target, flushed to the disk and published in
one step: with `force` by a rename, which replaces the target whole; without it by a link, which
fails if the target has appeared meanwhile.  Until then the target is as it was.  Of several
outputs none is published before all are written, and what was published is taken back where a
later one cannot be.

A device or a pipe, and a name of a stream that is open already, such as /dev/stdout, is written
as the data comes and never replaced.
"""

from __future__ import annotations

import errno
import os
import stat
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any, BinaryIO, Protocol, cast

from convt_cli.errors import ConvtError, FileError, ReaderGone, shown
from convt_cli.io.conflicts import identity_of, note_output
from convt_cli.io.drafts import Draft, exists, publish, reason_of, same

STDOUT = "-"
"""How a command line names standard output."""

_DESCRIPTORS = ("/dev/fd", "/proc/self/fd", "/proc/thread-self/fd")
"""Folders whose files are the descriptors that this process has open."""
_MOST_LINKS = 40  # links that are followed one after the other, as in Linux


class Sink(Protocol):
    """Anything that an output can be written to."""

    def write(self, data: bytes, /) -> object:
        """Write all of `data`."""
        ...

    def flush(self) -> object:
        """Pass on what has been written."""
        ...


def require_writable(*paths: str | None, force: bool) -> None:
    """Raise FileError unless the paths, those that are not None, can be outputs of one command.

    E403 where one exists already and `force` is not given; E406 where one is an input, or two are
    the same file.  Called before anything is read, so that nobody waits for a result that cannot
    be kept.
    """
    found: dict[object, str] = {}
    for path in filter(None, paths):
        if not force and is_file(path) and os.path.lexists(path):
            raise exists(path)
        status = _status(path)
        if status is not None and stat.S_ISCHR(status.st_mode):
            continue  # the null device, or a terminal: two outputs may go there
        place = _real(path) if status is None else identity_of(status)
        if place in found:
            raise same(found[place], path)
        found[place] = path
        if status is not None:
            note_output(path, status)


def is_file(path: str) -> bool:
    """Whether `path` is, or will be, a file and no stream, so that it can be written at offsets."""
    return path != STDOUT and _descriptor(path) is None and not _is_special(path)


def is_stdout(path: str) -> bool:
    """Whether `path` is '-' or names standard output, as /dev/stdout does."""
    return path == STDOUT or _descriptor(path) == 1


@contextmanager
def output(path: str, *, force: bool) -> Iterator[BinaryIO]:
    """A binary file that becomes `path` when the block ends well, and vanishes otherwise.

    '-' is standard output; a device or a pipe is written as the data comes.  Raises FileError
    (E402, E403, E406), ReaderGone.
    """
    with outputs((path,), force=force) as (file,):
        yield file


@contextmanager
def outputs(paths: Sequence[str], *, force: bool) -> Iterator[tuple[BinaryIO, ...]]:
    """Binary files that become `paths` when the block ends well: all of them, or none.

    What has gone to a stream cannot be taken back.  Raises as `output`.
    """
    require_writable(*paths, force=force)
    try:
        places = [Draft(path) if is_file(path) else _Stream(path) for path in paths]
        try:
            try:
                files = tuple([place.opened() for place in places])
                yield files
                for place, file in zip(places, files, strict=True):
                    place.complete(file)
                publish([place for place in places if isinstance(place, Draft)], force=force)
            finally:
                _discard(places)
        finally:
            _discard(places)  # again: a signal may have interrupted the first time
    except ConvtError:
        raise
    except (OSError, ValueError) as error:  # ValueError: a zero byte in the name
        raise failed_write(" and ".join(paths), error) from None


class _Stream:
    """An output that is written as it comes: standard output, a descriptor, a device or a pipe."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._file: BinaryIO | None = None

    def opened(self) -> BinaryIO:
        if is_stdout(self._path):
            _require_no_terminal()
            return standard_output()
        number = _descriptor(self._path)
        own = os.open(self._path, os.O_WRONLY) if number is None else os.dup(number)
        self._file = os.fdopen(own, "wb")
        return self._file

    def complete(self, file: BinaryIO) -> None:
        file.flush()

    def discard(self) -> None:
        if self._file is not None:
            with suppress(OSError):
                self._file.close()


def _discard(places: Sequence[_Stream | Draft]) -> None:
    for place in places:
        place.discard()


class _Whole:
    """A sink that writes all the data it is given: an unbuffered stream may take a part only."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream

    def write(self, data: Any, /) -> int:
        rest = memoryview(data).cast("B")
        while rest:
            done = self._stream.write(rest)
            if not done:  # None: a pipe that does not block is full
                raise BlockingIOError(errno.EAGAIN, "it takes no more data for now")
            rest = rest[done:]
        return memoryview(data).nbytes

    def flush(self) -> None:
        self._stream.flush()


def standard_output() -> BinaryIO:
    """Standard output as bytes.  Raises FileError (E402) where there is none."""
    if sys.stdout is None:
        raise FileError("E402", "standard output is closed", help="name a file with -o")
    return cast("BinaryIO", _Whole(sys.stdout.buffer))


def _require_no_terminal() -> None:
    if sys.stdout is not None and sys.stdout.isatty():
        raise FileError(
            "E402",
            "binary data is not written to a terminal",
            help="name a file with -o, or pipe it into another command",
        )


def _is_special(path: str) -> bool:
    """Whether `path` exists and is a device, a pipe or a socket."""
    status = _status(path)
    return status is not None and not (stat.S_ISREG(status.st_mode) or stat.S_ISDIR(status.st_mode))


def _descriptor(path: str) -> int | None:
    """The descriptor of this process that `path` names, as /dev/fd/3 does; None if it does not."""
    with suppress(OSError, ValueError):  # `readlink` of no link, or a zero byte in the name
        for _ in range(_MOST_LINKS):
            folder, name = os.path.split(path)
            folder = os.path.realpath(folder or os.curdir)
            if name.isdecimal() and folder in map(os.path.realpath, _DESCRIPTORS):
                return int(name)
            path = os.path.join(folder, os.readlink(os.path.join(folder, name)))
    return None


def _status(path: str) -> os.stat_result | None:
    """The status of an output; None where it does not exist yet."""
    with suppress(OSError, ValueError):  # ValueError: a zero byte in the name, or no real stream
        if path == STDOUT:
            return None if sys.stdout is None else os.fstat(sys.stdout.fileno())
        number = _descriptor(path)
        return os.stat(path) if number is None else os.fstat(number)
    return None


def _real(path: str) -> str:
    """`path` with all links followed; unchanged where no file can have this name."""
    with suppress(OSError, ValueError):
        return os.path.realpath(path)
    return path


def failed_write(path: str, error: OSError | ValueError) -> FileError | ReaderGone:
    """What to raise for `error` while writing `path`: a FileError (E402), or ReaderGone."""
    if isinstance(error, BrokenPipeError):
        return ReaderGone()
    return FileError(
        "E402",
        "cannot write standard output" if path == STDOUT else f"cannot write {shown(path)}",
        value=reason_of(error),
        help="" if path == STDOUT else "what stood there before is untouched",
    )
