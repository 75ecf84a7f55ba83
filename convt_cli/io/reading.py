"""Opening the files that a person names, and the paths by which specs name others.

`folders` opens the files that a spec or a model names.
"""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from typing import BinaryIO

from convt_cli.errors import FileError, shown
from convt_cli.io.conflicts import note_input

STDIN = "-"
"""How a command line names standard input."""

READ = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0)
"""The flags with which files are opened.  Without O_NONBLOCK, opening a FIFO waits for a writer."""

HEAD = 200
"""Bytes at the begin of a file by which its kind is recognised."""

Opened = Callable[[str], AbstractContextManager[BinaryIO]]
"""A function that opens a regular file for reading, for the time of a block."""

_CHECK = "check the path and its permissions"  # the remedy for most errors of the system


def read_bytes(path: str, most: int) -> bytes:
    """The bytes of `path` ('-' is standard input); of a longer file, the first `most` + 1.

    Raises FileError (E401).
    """
    try:
        if path == STDIN:
            return standard_input().read(most + 1)
        with open(path, "rb") as file:
            note_input(path, os.fstat(file.fileno()))
            return file.read(most + 1)
    except (OSError, ValueError) as error:  # ValueError: a zero byte in the name
        raise unreadable(path, error) from None


def standard_input() -> BinaryIO:
    """Standard input as bytes.  Raises FileError (E401) where there is none."""
    if sys.stdin is None:
        raise FileError("E401", "standard input is closed", help="name a file instead of -")
    with suppress(OSError, ValueError):  # a stream without a descriptor
        note_input(STDIN, os.fstat(sys.stdin.fileno()))
    return sys.stdin.buffer


@contextmanager
def open_regular(path: str) -> Iterator[BinaryIO]:
    """The regular file `path`, opened for reading; a FIFO or a device is refused.

    Raises FileError (E401), also where the file is changed during the block.
    """
    try:
        descriptor = os.open(path, READ)
    except (OSError, ValueError) as error:
        raise unreadable(path, error) from None
    with regular(descriptor, path) as file:
        yield file


def head_of(path: str) -> bytes:
    """The first bytes of the regular file `path`; none of one that cannot be read.

    A pipe is not opened: its writer would see its reader go.
    """
    if not os.path.isfile(path):
        return b""
    try:
        with open_regular(path) as file:
            return file.read(HEAD)
    except (FileError, OSError):
        return b""


@contextmanager
def regular(descriptor: int, path: str) -> Iterator[BinaryIO]:
    """The file object of an open descriptor of the regular file `path`; the block's end closes it.

    Raises as `open_regular`.
    """
    before = os.fstat(descriptor)
    if not stat.S_ISREG(before.st_mode):
        os.close(descriptor)
        raise FileError(
            "E401",
            "a regular file is wanted",
            value=f"{shown(path)} is a folder, a pipe or a device",
            help="save it to a file first",
        )
    with os.fdopen(descriptor, "rb") as file:
        note_input(path, before)
        yield file
        require_unchanged(path, before, os.fstat(descriptor))


def require_unchanged(path: str, before: os.stat_result, now: os.stat_result) -> None:
    """Raise FileError (E401) where the file `path` was written between two looks at it."""
    if (now.st_size, now.st_mtime_ns) != (before.st_size, before.st_mtime_ns):
        raise FileError(
            "E401",
            "a file stays as it is while it is read",
            value=f"{shown(path)} was changed meanwhile",
            help="wait until it is written, and try again",
        )


def reference_path(spec: str, reference: str) -> str:
    """`reference` as a path from the working folder: beside `spec`, as the spec was named."""
    return os.path.join(os.path.dirname(spec), reference) if spec != STDIN else reference


def model_reference(spec: str, model: str) -> tuple[str, bool]:
    """(reference, inside): how `spec` refers to the file `model`, and if that is in its folder.

    Raises FileError (E401) for a name that no reference can hold.
    """
    try:
        folder = os.path.realpath(folder_of(spec))
        beside = os.path.join(os.path.realpath(os.path.dirname(model)), os.path.basename(model))
        reference = os.path.relpath(beside, folder)
        inside = os.path.commonpath((folder, os.path.realpath(model))) == folder
    except (OSError, ValueError) as error:
        raise unreadable(model, error) from None
    if "#" in reference:
        raise FileError(
            "E401",
            "a weight reference is file#name, so the file has no # in its name",
            value=f"got {shown(reference)}",
            help="rename the model or its folder",
        )
    if not _is_text(reference):
        raise FileError(
            "E401",
            "a spec is UTF-8, and so are the names of the files that it refers to",
            value=f"got {shown(reference)}",
            help="rename the model or its folder",
        )
    return reference, inside


def _is_text(path: str) -> bool:
    """Whether a path can be written as UTF-8; Python shows other bytes as surrogates."""
    return not any("\ud800" <= letter <= "\udfff" for letter in path)


def folder_of(spec: str) -> str:
    """The folder of a spec; of one on standard input, the working folder."""
    return os.getcwd() if spec == STDIN else os.path.dirname(spec) or os.getcwd()


def unreadable(path: str, error: Exception) -> FileError:
    """The FileError (E401) for `error` while reading `path`."""
    reason = getattr(error, "strerror", None) or str(error)
    return FileError(
        "E401",
        f"cannot read {'standard input' if path == STDIN else shown(path)}",
        value=reason.lower() if reason.isascii() else reason,
        help="name a file in it" if isinstance(error, IsADirectoryError) else _CHECK,
    )
