"""Publishing outputs: whole or not at all, and never over an existing file unasked.

An output is written to a temporary file beside its target, flushed to the disk and published in
one step: with `force` by a rename, which replaces the target whole; without it by a link, which
fails if the target has appeared meanwhile.  Until then the target is as it was.
"""

from __future__ import annotations

import errno
import os
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, BinaryIO, Protocol, cast

from convt_cli.errors import ConvtError, FileError, ReaderGone, shown

STDOUT = "-"


class Sink(Protocol):
    """What outputs are written to."""

    def write(self, data: bytes, /) -> object:
        """Write all of `data`."""
        ...

    def flush(self) -> object:
        """Pass on what has been written."""
        ...


def require_writable(path: str, *, force: bool) -> None:
    """Raise FileError (E403) where `path` exists already and `force` is not given.

    Called before the work begins, so that nobody waits for a result that cannot be kept.
    """
    if path != STDOUT and not force and os.path.lexists(path) and not _is_special(path):
        raise _exists(path)


def is_file(path: str) -> bool:
    """Whether `path` is, or will be, a file, which can be written at any place: no stream."""
    return path != STDOUT and not _is_special(path)


@contextmanager
def output(path: str, *, force: bool) -> Iterator[BinaryIO]:
    """A binary file that becomes `path` when the block ends well, and vanishes otherwise.

    '-' is standard output; a device or a pipe is written as it is.  Raises FileError (E402,
    E403), ReaderGone.
    """
    require_writable(path, force=force)
    try:
        if path == STDOUT:
            _require_no_terminal()
            yield standard_output()
            standard_output().flush()
            return
        if _is_special(path):
            with open(path, "wb") as device:
                yield device
        else:
            target = _target(path)
            with _temporary(target) as file:
                yield file
                _complete(file)
                _publish(file.name, target, force=force)
    except ConvtError:
        raise
    except (OSError, ValueError) as error:  # ValueError: a zero byte in the name
        raise failed_write(path, error) from None


class _Whole:
    """A sink that writes all of what it is given: an unbuffered stream may take a part only."""

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


def _target(path: str) -> str:
    """The file that `path` leads to, links followed.  Raises FileError (E402) for a folder."""
    if not os.path.basename(path) or os.path.isdir(path):
        raise FileError("E402", f"cannot write {shown(path)}", value="it names a folder")
    return os.path.realpath(path)


@contextmanager
def _temporary(target: str) -> Iterator[BinaryIO]:
    """A new file beside `target` with the mode it will have, removed when the block ends."""
    path = os.path.join(os.path.dirname(target), f".convt-{os.urandom(8).hex()}.tmp")
    try:
        try:
            with open(path, "wb", opener=_new_file) as file:
                with suppress(OSError):
                    os.chmod(path, stat.S_IMODE(os.stat(target).st_mode))
                yield file
        finally:
            _remove(path)
    finally:
        _remove(path)  # a signal may have kept the first from it


def _new_file(path: str, _flags: int) -> int:
    return os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o666)


def _remove(path: str) -> None:
    with suppress(OSError):
        os.unlink(path)


def _complete(file: BinaryIO) -> None:
    file.flush()
    os.fsync(file.fileno())
    file.close()


def _publish(temporary: str, target: str, *, force: bool) -> None:
    if force:
        os.replace(temporary, target)
        return
    try:
        os.link(temporary, target)
    except FileExistsError:
        raise _exists(target) from None
    except OSError as error:
        if error.errno not in (errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS):
            raise
        _publish_by_claim(temporary, target)


def _publish_by_claim(temporary: str, target: str) -> None:
    """Where the file system has no links: claim the name with an empty file, then replace it."""
    try:
        os.close(os.open(target, os.O_CREAT | os.O_EXCL | os.O_WRONLY))
        os.replace(temporary, target)
    except FileExistsError:
        raise _exists(target) from None
    except BaseException:
        _remove_if_empty(target)
        raise


def _remove_if_empty(path: str) -> None:
    with suppress(OSError):
        if not os.path.getsize(path):
            os.unlink(path)


def _is_special(path: str) -> bool:
    """Whether `path` is there and is a device, a pipe or a socket."""
    try:
        mode = os.stat(path).st_mode
    except (OSError, ValueError):
        return False
    return not (stat.S_ISREG(mode) or stat.S_ISDIR(mode))


def _exists(path: str) -> FileError:
    return FileError(
        "E403",
        f"{shown(path)} exists already",
        help="pass --force to replace it, or choose another name",
    )


def failed_write(path: str, error: OSError | ValueError) -> FileError | ReaderGone:
    """What to raise for `error` while writing `path`: a FileError (E402), or ReaderGone."""
    if isinstance(error, BrokenPipeError):
        return ReaderGone()
    reason = getattr(error, "strerror", None) or str(error)
    return FileError(
        "E402",
        "cannot write standard output" if path == STDOUT else f"cannot write {shown(path)}",
        value=reason[:1].lower() + reason[1:],
        help="" if path == STDOUT else "what stood there before is untouched",
    )
