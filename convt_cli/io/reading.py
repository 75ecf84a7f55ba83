"""Opening what a person or a spec names: bounded, and for a spec's references contained."""

from __future__ import annotations

import os
import stat
import sys
from typing import BinaryIO

from convt_cli.errors import FileError, shown

STDIN = "-"

_CHECK = "check the path and its permissions"


def read_bytes(path: str, most: int) -> bytes:
    """The bytes of `path` ('-' is standard input); of a longer file, the first `most` + 1.

    Raises FileError (E401).
    """
    try:
        if path == STDIN:
            return standard_input().read(most + 1)
        with open(path, "rb") as file:
            return file.read(most + 1)
    except (OSError, ValueError) as error:  # ValueError: a zero byte in the name
        raise unreadable(path, error) from None


def standard_input() -> BinaryIO:
    """Standard input as bytes.  Raises FileError (E401) where there is none."""
    if sys.stdin is None:
        raise FileError("E401", "standard input is closed", help="name a file instead of -")
    return sys.stdin.buffer


def open_regular(path: str) -> BinaryIO:
    """`path` opened for reading, if it is a regular file: no FIFO, no device.

    Raises FileError (E401).
    """
    try:
        # Without O_NONBLOCK opening a FIFO would wait for a writer.
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
    except (OSError, ValueError) as error:
        raise unreadable(path, error) from None
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise FileError(
            "E401",
            "a regular file is wanted",
            value=f"{shown(path)} is a folder, a pipe or a device",
            help="save it to a file first",
        )
    return os.fdopen(descriptor, "rb")


def contained(spec: str, reference: str, *, allow_outside: bool) -> str:
    """The file that `reference` names beside `spec`, never outside its folder.

    Links are followed before the folder is compared.  Raises FileError (E404); with
    `allow_outside` any path is taken.
    """
    try:
        folder = os.path.realpath(_folder_of(spec))
        path = os.path.realpath(os.path.join(folder, reference))
        inside = os.path.commonpath((folder, path)) == folder
    except (OSError, ValueError) as error:
        raise unreadable(reference, error) from None
    if not (inside or allow_outside):
        raise FileError(
            "E404",
            "a weight file must lie in the folder of its spec",
            value=f"{shown(reference)} leads outside {shown(folder)}",
            help="move it there, or pass --allow-outside if you trust the spec",
        )
    return path


def reference_path(spec: str, reference: str) -> str:
    """`reference` as a path from the working folder: beside `spec`, as the spec was named."""
    return os.path.join(os.path.dirname(spec), reference) if spec != STDIN else reference


def model_reference(spec: str, model: str) -> tuple[str, bool]:
    """How the spec at `spec` names the file `model`, and whether that stays in its folder.

    Raises FileError (E401) for a name that no reference can hold.
    """
    try:
        folder = os.path.realpath(_folder_of(spec))
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
    """Whether a path can be written as UTF-8: other bytes are surrogates in Python."""
    return not any("\ud800" <= letter <= "\udfff" for letter in path)


def _folder_of(spec: str) -> str:
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
