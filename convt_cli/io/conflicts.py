"""Refusing an output that is an input of the same command, whatever name either of them has.

Who opens a file for reading notes it here, and so does who is going to write one, as soon as its
name is known.  The second of the two to come finds the clash: targets are noted first, so it is
found when the input is opened, before anything is computed.  Files are the same when device and
inode are, so links, other spellings and redirected streams change nothing.

Files are noted within `one_command` alone: in a Python session nothing is refused here.
"""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

from convt_cli.errors import OutputIsInput, shown

Identity = tuple[int, int]
"""The device and the inode of a file."""

_STANDARD_STREAM = "-"
"""How a command line names standard input, among its inputs, and standard output."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Command:
    """The files that one command has read so far, and those it is going to write, by name."""

    inputs: dict[Identity, str] = field(default_factory=dict)
    outputs: dict[Identity, str] = field(default_factory=dict)


_RUNNING: list[_Command] = []
"""The command that runs, if one does.  The process has one, and its threads share it."""


@contextmanager
def one_command() -> Iterator[None]:
    """Within the block, note all files that are read or written, beginning with standard output."""
    _RUNNING.append(_Command())
    try:
        with suppress(
            AttributeError, OSError, ValueError
        ):  # no standard output, or one that is no file
            note_output(_STANDARD_STREAM, os.fstat(sys.stdout.fileno()))
        yield
    finally:
        _RUNNING.pop()


def note_input(name: str, status: os.stat_result) -> None:
    """Note that the file `name` is read.  Raises OutputIsInput where it is to be written."""
    if not stat.S_ISREG(status.st_mode):
        return
    for command in _RUNNING[-1:]:
        identity = identity_of(status)
        command.inputs.setdefault(identity, name)
        if identity in command.outputs:
            raise _clash(command.outputs[identity], name)


def note_named(path: str) -> None:
    """Note a file that an input refers to, whether or not it exists and will be read."""
    if _RUNNING:
        try:
            status = os.stat(path)
        except (OSError, ValueError):  # reading it will say why
            return
        note_input(path, status)


def note_output(name: str, status: os.stat_result) -> None:
    """Note that the file `name` is to be written.  Raises OutputIsInput where it was read."""
    for command in _RUNNING[-1:]:
        identity = identity_of(status)
        command.outputs[identity] = name
        if identity in command.inputs:
            raise _clash(name, command.inputs[identity])


def identity_of(status: os.stat_result) -> Identity:
    """(device, inode) of a file: equal for two names exactly where both are one file."""
    return status.st_dev, status.st_ino


def _clash(target: str, source: str) -> OutputIsInput:
    written = "standard output" if target == _STANDARD_STREAM else shown(target)
    read = "standard input" if source == _STANDARD_STREAM else shown(source)
    return OutputIsInput(
        "E406",
        "no output of a command is one of its inputs",
        value=f"{written} is {read}" if written != read else f"{written} is both",
        help="write to another file",
    )
