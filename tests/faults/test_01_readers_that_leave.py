"""Readers of standard output that leave, early or at once: convt is quiet and ends as it would.

Nothing is said on standard error, and the status says what was found, of text and of bytes.
"""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import suppress
from itertools import cycle
from pathlib import Path

import numpy as np
import pytest

from convt_cli.commands import main
from tests.conftest import Outcome, command_line, environment
from tests.faults.outputs import SAID, STREAMS, write_inputs

BAD = "input: [1, 4]\nlayers: [{type: conv, out_channels: 1, kernel_size: 9}]\n"
WRONG = "input: [1, 4]\nlayers: [{type: relu, expect: [1, 5]}]\n"


@pytest.fixture
def ready(folder: Path) -> Path:
    """The folder with what the commands read, and arrays that no pipe holds."""
    write_inputs(folder)
    (folder / "bad.yaml").write_text(BAD, encoding="utf-8")
    (folder / "wrong.yaml").write_text(WRONG, encoding="utf-8")
    np.save(folder / "many.npy", np.ones((2000, 1, 2, 2)))
    np.save(folder / "single.npy", np.ones((1, 399, 399)))
    return folder


def said_to_nobody(patch: pytest.MonkeyPatch, arguments: list[str]) -> int:
    """The status of convt, in this process, whose reader has gone before it begins."""
    reading, writing = os.pipe()
    os.close(reading)
    stream = os.fdopen(writing, "w", encoding="utf-8")
    with patch.context() as inner:
        inner.setattr(sys, "stdout", stream)
        inner.setattr(sys, "stderr", sys.stderr)  # click exchanges both
        status = main.run(arguments)
    with suppress(BrokenPipeError):
        stream.close()
    return status


@pytest.mark.parametrize("command", [*SAID, *STREAMS])
def test_01_a_reader_that_has_gone_is_no_error_of_any_command(
    ready: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], command: str
) -> None:
    assert said_to_nobody(monkeypatch, command.split()) == 0
    errors = capfd.readouterr().err
    assert "error" not in errors
    assert "Traceback" not in errors


SWEEP = "table --type conv --input-size 1..2000 --kernel-size 1..3"
LONG = [
    pytest.param(f"{SWEEP} --format text", id="table"),
    pytest.param(f"{SWEEP} --format json", id="json"),
    pytest.param("apply net.yaml many.npy -o -", id="apply"),
    pytest.param("matrix net.yaml --input 1,100,100 -o -", id="matrix"),
    pytest.param(
        "matrix folded.yaml --input 1,60,60 -o -", id="matrix folded", marks=pytest.mark.slow
    ),
    pytest.param(
        "invert net.yaml single.npy --input 1,401,401 --max-iterations 1 -o -",
        id="invert",
        marks=pytest.mark.slow,
    ),
]
"""More output than a pipe holds."""


def script(text: str, *arguments: str) -> Outcome:
    """What a shell script comes to that runs convt as "$@"."""
    done = subprocess.run(
        ["bash", "-c", text, "bash", *command_line(*arguments)],
        capture_output=True,
        env=environment(),
        timeout=60,
        check=False,
    )
    return Outcome(done.returncode, done.stdout, done.stderr)


@pytest.mark.parametrize(
    ("command", "reader"),
    [
        pytest.param(*one.values, reader, id=f"{one.id}-{reader}", marks=one.marks)
        for one, reader in zip(LONG, cycle(["head -1", "true"]))
    ],
)
def test_01_a_reader_that_leaves_early_is_no_error(ready: Path, command: str, reader: str) -> None:
    text = f'"$@" | {reader} > /dev/null; exit ${{PIPESTATUS[0]}}'
    outcome = script(text, *command.split())
    assert (outcome.status, outcome.err) == (0, "")


@pytest.mark.slow
@pytest.mark.parametrize("command", LONG)
def test_01_it_may_leave_when_the_pipe_has_been_full(ready: Path, command: str) -> None:
    text = '"$@" | head -c 65537; exit ${PIPESTATUS[0]}'
    outcome = script(text, *command.split())
    assert (outcome.status, len(outcome.stdout), outcome.err) == (0, 65_537, "")


@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        ("--help", 0),
        ("--version", 0),
        ("explain E105", 0),
        ("check net.yaml", 0),
        ("check bad.yaml", 1),
        ("check wrong.yaml --format json", 1),
        ("check wrong.yaml --exit-zero", 0),
        ("check missing.yaml", 2),
        ("shapes net.yaml bad.yaml", 2),
        ("table net.yaml missing.yaml --format json", 2),
    ],
)
def test_01_readers_that_leave_change_nothing_about_what_was_found(
    ready: Path, arguments: str, status: int
) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "wb") as closed:
        done = subprocess.run(
            command_line(*arguments.split()),
            stdout=closed,
            stderr=subprocess.PIPE,
            env=environment(),
            check=False,
        )
    assert b"Traceback" not in done.stderr
    assert b"Exception ignored" not in done.stderr
    assert status or not done.stderr
    assert done.returncode == status
