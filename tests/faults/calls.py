"""The calls to the system that publishing a file makes: counted, failing, cut short, or the last.

What is patched here is all that `convt_cli.io.drafts` and those who write through it call; the
calls that read and those that clean up are left alone.
"""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from convt_cli.io import drafts

CHANGING = ("truncate", "posix_fallocate", "pwrite", "chmod", "fsync", "link", "replace")

Before = Callable[[str], None]
"""Told the name of a call before it is made; what it raises, the call raises."""


@contextmanager
def watched(before: Before, *others: str) -> Iterator[None]:
    """Within the block `before` is told of every call that publishing a file makes.

    Of `others`, functions of the module os, as well.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(drafts, "open", _opener(before), raising=False)
        patch.setattr(os, "open", _announced_if_new(before, os.open))
        for name in (*CHANGING, *others):
            patch.setattr(os, name, _announced(before, name, getattr(os, name)))
        yield


def _announced(before: Before, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    def call(*arguments: Any, **options: Any) -> Any:
        before(name)
        return function(*arguments, **options)

    return call


def _announced_if_new(before: Before, function: Callable[..., Any]) -> Callable[..., Any]:
    """os.open, announced where it makes a file."""

    def call(path: str, flags: int, *arguments: Any, **options: Any) -> Any:
        if flags & os.O_CREAT:
            before("open")
        return function(path, flags, *arguments, **options)

    return call


def _opener(before: Before) -> Callable[..., io.BufferedWriter]:
    """open as `drafts` calls it, of a file that announces its writes and its closing."""

    def opened(path: str, mode: str, opener: Any = None) -> io.BufferedWriter:
        file = AnnouncedFile(path, mode, opener=opener)
        file.before = before
        return io.BufferedWriter(file)

    return opened


class AnnouncedFile(io.FileIO):
    """A file that announces every write, and its closing once it is closed."""

    before: Callable[[str], None]

    def write(self, data: Any, /) -> int:
        self.before("write")
        return super().write(data)

    def close(self) -> None:
        if not self.closed:
            super().close()
            self.before("close")


class Failing:
    """Lets the call of one number fail with an error of the system; counts them all."""

    def __init__(self, call: int, number: int) -> None:
        self.names: list[str] = []
        self._call = call
        self._number = number

    def __call__(self, name: str) -> None:
        self.names.append(name)
        if self.reached:
            raise OSError(self._number, os.strerror(self._number))

    @property
    def reached(self) -> bool:
        """Whether the call that just failed, or is the last so far, is the one of the number."""
        return len(self.names) == self._call + 1
