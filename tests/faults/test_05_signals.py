"""A signal, whenever it comes, leaves whole files: the old one or the new one, and no other.

Before any system call, at random times, and between any two instructions of what publishes a file.
That convt ends, whatever it is doing, is in `test_05_signals_at_work`.
"""

from __future__ import annotations

import contextlib
import os
import random
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np
import pytest

from convt_cli.io import drafts, writing
from convt_cli.io.writing import output
from tests.conftest import GUIDE, Run, WriteSpec, assert_quiet
from tests.faults.calls import watched
from tests.faults.children import Children, children
from tests.faults.outputs import FEW_FILES, Output, write_inputs

OLD = b"what stood there before"
NEW = b"what is to stand there"

SIGNALS = [
    pytest.param(signal.SIGINT, 130, id="SIGINT"),
    pytest.param(signal.SIGTERM, 143, id="SIGTERM"),
]


UNHARMFUL = {"SIGCHLD", "SIGCONT", "SIGURG", "SIGWINCH", "SIGINFO"}
UNHARMFUL |= set() if sys.platform == "linux" else {"SIGIO"}
STOPPING = {"SIGSTOP", "SIGTSTP", "SIGTTIN", "SIGTTOU"}
OF_FAULTS = {"SIGABRT", "SIGBUS", "SIGFPE", "SIGILL", "SIGSEGV", "SIGSYS", "SIGTRAP", "SIGEMT"}
IGNORED_BY_PYTHON = {"SIGPIPE", "SIGXFSZ"}
"""Signals of a process that writes to a closed pipe, or beyond a limit; the call fails too."""


ENDING = [
    pytest.param(number, id=number.name)
    for number in sorted(signal.valid_signals())
    if isinstance(number, signal.Signals)
    if number.name not in {"SIGKILL", *UNHARMFUL, *STOPPING, *OF_FAULTS, *IGNORED_BY_PYTHON}
]
"""The signals from outside that end a process, except SIGKILL; of the real-time ones, two."""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, Children]]:
    """A folder with what the commands read, and the process whose children work there."""
    folder = write_inputs(tmp_path_factory.mktemp("ended"))
    np.save(folder / "large.npy", np.ones((2000, 1, 2, 2)))
    with children(folder) as process:
        yield folder, process


def content_of(path: Path) -> bytes | None:
    return path.read_bytes() if path.exists() else None


def put(path: Path, content: bytes | None) -> None:
    """Let `path` hold `content`, or not be there."""
    path.unlink(missing_ok=True)
    if content is not None:
        path.write_bytes(content)


@pytest.mark.parametrize(
    ("before", "number", "status"),
    [
        pytest.param(OLD, signal.SIGINT, 130, id="old"),
        pytest.param(None, signal.SIGTERM, 143, id="none"),
    ],
)
@pytest.mark.parametrize("one", FEW_FILES)
def test_05_before_any_call_a_signal_leaves_the_old_file_or_the_new_one(
    place: tuple[Path, Children],
    one: Output,
    before: bytes | None,
    number: signal.Signals,
    status: int,
) -> None:
    folder, process = place
    target = folder / one.name
    process.warm(one.arguments(one.name, force=True))
    new = target.read_bytes()
    names = {path.name for path in folder.iterdir()}
    found = []
    for call in range(1000):
        put(target, before)
        ended = process.ended_at_call(
            one.arguments(one.name, force=before is not None), call, number
        )
        found.append(content_of(target))
        assert {path.name for path in folder.iterdir()} <= names
        if ended == 0:
            break
        assert ended == status
    first_new = found.index(new)
    assert found == [before] * first_new + [new] * (len(found) - first_new)
    assert first_new >= 5  # open, write, fsync, close, replace or link


@pytest.mark.parametrize("number", ENDING)
def test_05_every_signal_that_ends_a_process_leaves_the_old_file_and_nothing_else(
    place: tuple[Path, Children], number: int
) -> None:
    folder, process = place
    command = ["apply", "net.yaml", "large.npy", "-o", "x.npy", "--force"]
    process.warm(command)
    put(folder / "x.npy", OLD)
    names = {path.name for path in folder.iterdir()}
    assert process.ended_at_call(command, 3, number) == 128 + number
    assert {path.name for path in folder.iterdir()} == names
    assert content_of(folder / "x.npy") == OLD


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGINT, signal.SIGUSR1])
def test_05_a_signal_that_is_ignored_or_handled_stays_so(
    run: Run, spec: WriteSpec, number: signal.Signals
) -> None:
    taken: list[int] = []
    name = spec(GUIDE)
    for handler in (signal.SIG_IGN, lambda number, _: taken.append(number)):
        before = signal.signal(number, handler)
        try:
            with watched(lambda _: os.kill(os.getpid(), number)):
                assert_quiet(run("shapes", name, "-o", "out.txt", "--force"))
            assert signal.getsignal(number) == handler
        finally:
            signal.signal(number, before)
    assert set(taken) == {number}


def ended_at_random(place: tuple[Path, Children], seed: int) -> None:
    """End a child that computes and writes two files in turn, and look at what it left."""
    folder, process = place
    chance = random.Random(seed)
    number, status = chance.choice([(signal.SIGINT, 130), (signal.SIGTERM, 143)])
    commands = [
        ["apply", "net.yaml", "large.npy", "-o", name, "--force"] for name in ("a.npy", "a.npz")
    ]
    possible = []
    for command in commands:
        process.warm(command)
        possible.append((folder / command[4]).read_bytes())
    for command in commands:
        (folder / command[4]).write_bytes(OLD)
    delay = 0.01 + chance.uniform(0, 0.05)
    assert process.ended_after(commands, delay, number) in (status, -number)
    for command, new in zip(commands, possible):
        assert (folder / command[4]).read_bytes() in (OLD, new)
    assert list(folder.glob(".convt-*")) == []


@pytest.mark.parametrize("seed", range(4))
def test_05_at_a_random_time_a_signal_leaves_whole_files(
    place: tuple[Path, Children], seed: int
) -> None:
    ended_at_random(place, seed)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(4, 20))
def test_05_at_more_random_times_a_signal_leaves_whole_files(
    place: tuple[Path, Children], seed: int
) -> None:
    ended_at_random(place, seed)


# --- between any two instructions -------------------------------------------------------------

TRACED = {writing.__file__, drafts.__file__, contextlib.__file__}


class Ended(BaseException):
    """What a signal raises in these tests."""


class EndAt:
    """A trace function that raises Ended before the instruction of one number.

    Python runs the handlers of signals between instructions, and nowhere else.
    """

    def __init__(self, instruction: int) -> None:
        self.count = 0
        self._instruction = instruction

    def __call__(self, frame: FrameType, event: str, _: Any) -> Callable[..., Any] | None:
        if frame.f_code.co_filename not in TRACED:
            return None
        frame.f_trace_opcodes = True
        if event == "opcode":
            self.count += 1
            if self.count == self._instruction + 1:
                sys.settrace(None)
                raise Ended
        return self


def write_new(target: Path, *, force: bool) -> None:
    with output(str(target), force=force) as file:
        file.write(NEW)


def ended_at(instruction: int, target: Path, *, force: bool) -> bool:
    """Whether writing `target` reached that instruction, and so ended there."""
    tracing = sys.gettrace()
    try:
        sys.settrace(EndAt(instruction))
        write_new(target, force=force)
    except Ended:
        return True
    finally:
        sys.settrace(tracing)
    return False


@pytest.mark.filterwarnings("ignore::ResourceWarning")  # of a file that nobody was there to close
@pytest.mark.parametrize("links", [True, False], ids=["links", "no links"])
@pytest.mark.parametrize("before", [OLD, None], ids=["old", "none"])
def test_05_between_any_two_instructions_a_signal_leaves_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, before: bytes | None, links: bool
) -> None:
    monkeypatch.setattr(os, "fsync", lambda _: None)  # it takes most of the time
    if not links:
        monkeypatch.setattr("os.link", no_link)
    target, ended, instruction = tmp_path / "out", True, 0
    missed = []
    while ended:
        put(target, before)
        ended = ended_at(instruction, target, force=before is not None)
        assert content_of(target) in (before, NEW)
        if {path.name for path in tmp_path.iterdir()} - {"out"}:
            missed.append(instruction)
            for path in tmp_path.glob(".convt*"):
                path.unlink()
        instruction += 1
    assert missed == []
    assert content_of(target) == NEW
    assert instruction > 100


def no_link(*_: object) -> None:
    raise PermissionError(1, "no links here")
