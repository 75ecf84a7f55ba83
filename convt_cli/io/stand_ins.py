"""What lies in place of a file: a pointer that Git LFS left, or the page of a server.

Both are common where files are large, and no reader of any format can say what they are.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress

from convt_cli.errors import ArrayError, FileError, shown
from convt_cli.io.reading import HEAD, Opened, head_of, open_regular

_POINTER = b"version https://git-lfs.github.com/spec/"
_PAGES = (b"<!doctype html", b"<html", b"<?xml")

_DAMAGED = ("E303", "E405")
"""The codes of arrays and of models that are not what they should be."""


def require_no_stand_in(path: str, head: bytes | None = None) -> None:
    """Raise FileError (E401) if the file `path` only stands for another; `head` are its bytes."""
    begin = (head_of(path) if head is None else head).lstrip().lower()
    if begin.startswith(_POINTER):
        found, remedy = "a pointer of Git LFS", "fetch the file that it points to: git lfs pull"
    elif begin.startswith(_PAGES):
        found, remedy = "a web page", "download the file itself, and not the page that shows it"
    else:
        return
    raise FileError(
        "E401", "the file itself is wanted", value=f"{shown(path)} is {found}", help=remedy
    )


@contextmanager
def telling_stand_ins(path: str, opened: Opened = open_regular) -> Iterator[None]:
    """Raise FileError (E401) in place of an error for damage, if the file stands for another."""
    try:
        yield
    except (ArrayError, FileError) as error:
        if error.code in _DAMAGED:
            with suppress(OSError), opened(path) as file:
                require_no_stand_in(path, file.read(HEAD))
        raise
