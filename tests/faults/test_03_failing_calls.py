"""Any call to the system may fail, and none of them loses anything.

Every command that writes a file is run once more for every call that publishing the file makes,
and that call fails: the target then is what it was, byte by byte, or the new file whole, and
nothing else is left beside it.
"""

from __future__ import annotations

import errno
import io
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

from convt_cli.commands import main
from convt_cli.errors import ArrayError, FileError
from convt_cli.files.arrays import write_array
from convt_cli.io.writing import output
from tests.conftest import Outcome, Run, assert_quiet
from tests.faults.calls import AnnouncedFile, Failing, watched
from tests.faults.outputs import (
    FILES,
    SAID,
    STREAMS,
    Output,
    commands_tested,
    commands_that_write,
    write_inputs,
)

OLD = b"what stood there before"

NUMBERS = [
    pytest.param(errno.EIO, id="EIO"),
    pytest.param(errno.EPERM, id="EPERM", marks=pytest.mark.slow),
]


@pytest.fixture
def ready(folder: Path) -> Path:
    """The folder with what the commands read."""
    return write_inputs(folder)


class Attempt(NamedTuple):
    """One run of a command of which one call failed, and what it left."""

    call: str
    outcome: Outcome
    content: bytes | None
    others: set[str]


def put(path: Path, content: bytes | None) -> None:
    """Let `path` hold `content`, or not be there."""
    path.unlink(missing_ok=True)
    if content is not None:
        path.write_bytes(content)


def content_of(path: Path) -> bytes | None:
    return path.read_bytes() if path.exists() else None


def written(run: Run, one: Output) -> bytes:
    """What a command writes when nothing fails."""
    run(*one.arguments("whole-" + one.name))
    target = Path("whole-" + one.name)
    content = target.read_bytes()
    target.unlink()
    return content


def attempts(run: Run, one: Output, before: bytes | None, number: int) -> Iterator[Attempt]:
    """A command that writes, run once for each of its calls, which fails."""
    names = set(os.listdir())
    for call in range(1000):
        put(Path(one.name), before)
        failing = Failing(call, number)
        with watched(failing):
            outcome = run(*one.arguments(one.name, force=before is not None))
        if len(failing.names) <= call:
            return
        left = set(os.listdir()) - names - {one.name}
        yield Attempt(failing.names[call], outcome, content_of(Path(one.name)), left)


def assert_old_or_new(attempt: Attempt, old: bytes | None, new: bytes) -> None:
    """A refusal and the old file, or success and the new one; nothing else is left."""
    found = (attempt.outcome.status, attempt.outcome.codes, attempt.content)
    assert found in [(2, ["E402"], old), (0, [], new)], attempt
    assert "Traceback" not in attempt.outcome.err
    assert attempt.others == set()


def test_03_every_command_that_writes_is_tried() -> None:
    assert commands_that_write() <= commands_tested()


@pytest.mark.parametrize("number", NUMBERS)
@pytest.mark.parametrize("before", [OLD, None], ids=["old", "none"])
@pytest.mark.parametrize("one", FILES)
def test_03_whichever_call_fails_the_file_is_the_old_one_or_the_new(
    run: Run, ready: Path, one: Output, before: bytes | None, number: int
) -> None:
    new = written(run, one)
    failed = set()
    for attempt in attempts(run, one, before, number):
        assert_old_or_new(attempt, before, new)
        if attempt.outcome.status:
            failed.add(attempt.call)
    publishing = "link" if before is None else "replace"
    expected = {"open", "fsync", "close", publishing}
    if number == errno.EPERM:
        expected.discard("link")  # as of a file system without links: there is another way
    assert expected <= failed
    assert failed & {"write", "pwrite"}


@pytest.mark.parametrize("one", FILES)
def test_03_calls_that_write_less_than_they_were_given_add_up(
    run: Run, ready: Path, monkeypatch: pytest.MonkeyPatch, one: Output
) -> None:
    new = written(run, one)
    pwrite = os.pwrite

    def half(_: AnnouncedFile, data: Any, /) -> int:
        part = memoryview(data).cast("B")
        return io.FileIO.write(_, part[: len(part) // 2 + 1])

    monkeypatch.setattr(AnnouncedFile, "write", half)
    monkeypatch.setattr(os, "pwrite", lambda file, data, at: pwrite(file, data[:3], at))
    with watched(lambda _: None):
        run(*one.arguments(one.name))
    assert Path(one.name).read_bytes() == new


@contextmanager
def interrupted_again_and_again() -> Iterator[list[int]]:
    """A signal every millisecond, which a handler takes; the list has one number for each."""
    taken: list[int] = []
    before = signal.signal(signal.SIGALRM, lambda number, _: taken.append(number))
    signal.setitimer(signal.ITIMER_REAL, 0.001, 0.001)
    try:
        yield taken
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


@pytest.mark.parametrize("one", FILES)
def test_03_calls_that_signals_interrupt_are_made_again(run: Run, ready: Path, one: Output) -> None:
    new = written(run, one)
    with interrupted_again_and_again() as taken:
        while len(taken) < 5:
            run(*one.arguments(one.name, force=True))
            assert Path(one.name).read_bytes() == new


@pytest.mark.parametrize("command", [*STREAMS, *SAID])
def test_03_a_write_to_standard_output_that_fails_is_one_error(
    ready: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], command: str
) -> None:
    statuses = []
    for call in range(100):
        failing = Failing(call, errno.EIO)
        statuses.append(said_to(failing, monkeypatch, command.split()))
        errors = capfd.readouterr().err
        assert "Traceback" not in errors
        assert errors.count("error[E402]") == (1 if statuses[-1] else 0)
        if len(failing.names) <= call:
            break
    assert statuses == [2] * (len(statuses) - 1) + [0]
    assert len(statuses) >= 2


def said_to(failing: Failing, patch: pytest.MonkeyPatch, arguments: list[str]) -> int:
    """The status of convt where a write to standard output fails."""
    raw = AnnouncedFile("said", "w")
    raw.before = lambda name: failing(name) if name == "write" else None
    with patch.context() as inner, io.TextIOWrapper(io.BufferedWriter(raw)) as stream:
        inner.setattr("sys.stdout", stream)
        return main.run(arguments)


class Refusing:
    """A file system without links, and calls beyond that of which one fails."""

    def __init__(self, call: int) -> None:
        self.failing = Failing(call, errno.EIO)

    def __call__(self, name: str) -> None:
        if name == "link":
            raise PermissionError(errno.EPERM, "no links here")
        self.failing(name)


@pytest.mark.parametrize(
    ("call", "name"), [*enumerate(["open", "write", "fsync", "close", "open", "replace"])]
)
def test_03_without_links_a_failure_leaves_no_empty_file(
    tmp_path: Path, call: int, name: str
) -> None:
    refusing = Refusing(call)
    with watched(refusing), pytest.raises(FileError) as caught:
        write_array(str(tmp_path / "out.npy"), np.arange(10.0), force=False)
    assert caught.value.code == "E402"
    assert refusing.failing.names[call] == name
    assert list(tmp_path.iterdir()) == []


def test_03_without_links_an_existing_file_is_not_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def link(_source: str, target: str) -> None:
        Path(target).write_bytes(OLD)  # another writer is faster
        raise PermissionError(errno.EPERM, "no links here")

    monkeypatch.setattr(os, "link", link)
    with pytest.raises(FileError, match="exists already"):
        write_array(str(tmp_path / "out.npy"), np.ones(3), force=False)
    assert content_of(tmp_path / "out.npy") == OLD
    assert [path.name for path in tmp_path.iterdir()] == ["out.npy"]


@pytest.mark.parametrize("before", [OLD, None], ids=["old", "none"])
@pytest.mark.parametrize("one", FILES[:1])
def test_03_a_temporary_file_that_cannot_be_removed_harms_nothing(
    run: Run, ready: Path, monkeypatch: pytest.MonkeyPatch, one: Output, before: bytes | None
) -> None:
    def unlink(_: str) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    new = written(run, one)
    put(Path(one.name), before)
    with monkeypatch.context() as patch:
        patch.setattr(os, "unlink", unlink)
        assert_quiet(run(*one.arguments(one.name, force=before is not None)))
    assert Path(one.name).read_bytes() == new
    assert_quiet(run(*one.arguments(one.name, force=True)))


@pytest.mark.parametrize(
    "error", [KeyboardInterrupt(), SystemExit(143), MemoryError(), RuntimeError("no")]
)
def test_03_whatever_is_raised_while_writing_comes_out_and_leaves_nothing(
    tmp_path: Path, error: BaseException
) -> None:
    def write() -> None:
        with output(str(tmp_path / "x"), force=False) as file:
            file.write(b"half")
            raise error

    with pytest.raises(type(error)):
        write()
    assert list(tmp_path.iterdir()) == []


def test_03_an_error_of_convt_s_own_keeps_its_code(tmp_path: Path) -> None:
    with pytest.raises(ArrayError), output(str(tmp_path / "x"), force=False):
        raise ArrayError("E304", "the result does not fit")


def test_03_the_reason_is_the_system_s(tmp_path: Path) -> None:
    with watched(Failing(2, errno.ENOSPC)), pytest.raises(FileError) as caught:
        write_array(str(tmp_path / "out.npy"), np.ones(3), force=False)
    assert caught.value.value == "no space left on device"
    assert caught.value.help == "what stood there before is untouched"
