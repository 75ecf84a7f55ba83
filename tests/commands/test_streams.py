"""convt as a process among others: terminals of any width, and interpreters started in other ways.

Whatever becomes of its output, the status says what was found.
"""

from __future__ import annotations

import fcntl
import os
import pty
import re
import struct
import subprocess
import sys
import termios
from contextlib import suppress
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from tests.conftest import (
    GUIDE,
    PACKAGE,
    Outcome,
    Run,
    Shell,
    WriteSpec,
    assert_refused,
    command_line,
    environment,
)

ZFNET = str(PACKAGE.parent / "configs" / "zfnet.yaml")

BAD = "input: [1, 4]\nlayers: [{type: conv, out_channels: 1, kernel_size: 9}]\n"
WRONG = "input: [1, 4]\nlayers: [{type: relu, expect: [1, 5]}]\n"


def finished(process: subprocess.Popen[bytes]) -> Outcome:
    """The outcome of a process, which is killed after a minute."""
    try:
        out, err = process.communicate(timeout=60)
    finally:
        process.kill()
    return Outcome(process.returncode, out or b"", err or b"")


@pytest.fixture
def ready(folder: Path, spec: WriteSpec) -> Path:
    """A folder with a good spec, a bad one, one that expects wrongly, and an array."""
    spec(GUIDE)
    spec(BAD, "bad.yaml")
    spec(WRONG, "wrong.yaml")
    np.save("x.npy", np.ones((1, 4, 4)))
    return folder


def size_of(terminal: int, columns: int) -> None:
    """Give a terminal a width."""
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))


def read_all(terminal: int) -> bytes:
    """What is written to a terminal until its other end is closed."""
    content = b""
    with suppress(OSError):  # that is how Linux says it
        while more := os.read(terminal, 65536):
            content += more
    return content


@cache
def on_terminal(columns: int, *arguments: str, **env: str) -> str:
    """What convt writes to a terminal of this width."""
    ours, theirs = pty.openpty()
    size_of(theirs, columns)
    process = subprocess.Popen(
        command_line(*arguments),
        stdin=subprocess.DEVNULL,
        stdout=theirs,
        stderr=theirs,
        env=environment(**({"TERM": "xterm-256color"} | env)),
    )
    os.close(theirs)
    content = read_all(ours)
    os.close(ours)
    assert process.wait(60) == 0
    return content.decode().replace("\r\n", "\n")


def refused_on_terminal(*arguments: str) -> Outcome:
    """The outcome of convt with a terminal as standard output."""
    ours, theirs = pty.openpty()
    with os.fdopen(theirs, "wb") as terminal:
        process = subprocess.Popen(
            command_line(*arguments), stdout=terminal, stderr=subprocess.PIPE, env=environment()
        )
    outcome = finished(process)
    os.set_blocking(ours, False)
    shown = read_all(ours)
    os.close(ours)
    return Outcome(outcome.status, shown, outcome.stderr)


def without_codes(text: str) -> str:
    """The text without the codes that say how it looks; no other codes are known here."""
    return re.sub(r"\x1b\[[0-9;]*m", "", text)


def widest(text: str) -> int:
    """The length of the longest line."""
    return max(len(line) for line in without_codes(text).splitlines())


class TestTerminals:
    @pytest.mark.parametrize("columns", [60, 100])
    @pytest.mark.parametrize(
        "arguments",
        [("shapes", ZFNET), ("table",), ("table", ZFNET)],
        ids=["shapes", "table", "table of a spec"],
    )
    def test_no_line_is_wider(self, arguments: tuple[str, ...], columns: int) -> None:
        assert widest(on_terminal(columns, *arguments)) <= columns

    @pytest.mark.parametrize("columns", [40, 100])
    def test_what_is_left_out_is_named(self, columns: int) -> None:
        text = without_codes(on_terminal(columns, "shapes", ZFNET))
        words = " ".join(text.split())
        assert all(
            word in words
            for word in ("input", "output", "parameters", "multiply", "adds", "receptive", "field")
        )

    @pytest.mark.parametrize("arguments", [("shapes", ZFNET), ("table",), ("check", ZFNET)])
    def test_nothing_but_looks_is_in_the_codes(self, arguments: tuple[str, ...]) -> None:
        text = on_terminal(100, *arguments)
        assert "\x1b" not in without_codes(text)
        assert text.count("\x1b[0m") * 2 == text.count("\x1b[")

    @pytest.mark.parametrize(("said", "is_whole"), [("100", True), ("", True), ("50", False)])
    def test_one_that_does_not_know_its_width_is_as_wide_as_columns_says(
        self, spec: WriteSpec, said: str, is_whole: bool
    ) -> None:
        line = f"layers: [{{name: {'n' * 40}, type: relu, expect: [2, 4, 4]}}]"
        path = spec(f"input: [1, 4, 4]\n{line}")
        assert (line in on_terminal(0, "check", path, "--exit-zero", COLUMNS=said)) == is_whole

    @pytest.mark.parametrize(
        "arguments", ["matrix net.yaml -o -", "apply net.yaml x.npy --forward -o -"]
    )
    def test_none_is_sent_numbers_that_only_programs_read(
        self, ready: Path, arguments: str
    ) -> None:
        assert_refused(refused_on_terminal(*arguments.split()), "E402")

    @pytest.mark.parametrize("output_format", ["json", "csv", "markdown"])
    def test_what_programs_read_is_neither_folded_nor_coloured(
        self, run: Run, output_format: str
    ) -> None:
        arguments = ("shapes", ZFNET, "--format", output_format)
        assert on_terminal(60, *arguments, FORCE_COLOR="1") == run(*arguments).out


def interpreted(*command: str, **env: str) -> Outcome:
    """The outcome of an interpreter that is started in this way."""
    done = subprocess.run(
        [sys.executable, *command], env=environment(**env), capture_output=True, check=False
    )
    return Outcome(done.returncode, done.stdout, done.stderr)


class TestInterpreters:
    @pytest.mark.slow
    @pytest.mark.parametrize(
        ("option", "arguments"),
        [
            ("-OO", "shapes net.yaml"),
            ("-OO", "apply net.yaml x.npy --forward -o -"),
            *((option, "matrix net.yaml -o -") for option in ("-OO", "-Xdev", "-Werror", "-bb")),
            ("-uB", "matrix net.yaml -o -"),
        ],
    )
    def test_options_of_python_change_nothing(
        self, ready: Path, run: Run, option: str, arguments: str
    ) -> None:
        expected = run(*arguments.split())
        assert interpreted(option, "-m", "convt_cli", *arguments.split()) == expected
        assert expected.status == 0

    @pytest.mark.skipif(
        not (Path(sys.executable).parent / "convt").exists(), reason="convt is not installed"
    )
    def test_the_installed_script_is_the_module(self, ready: Path, run: Run) -> None:
        done = subprocess.run(
            [Path(sys.executable).parent / "convt", "check", "wrong.yaml"],
            env=environment(),
            capture_output=True,
            check=False,
        )
        assert Outcome(done.returncode, done.stdout, done.stderr) == run("check", "wrong.yaml")

    def test_a_name_without_an_encoding_is_reported(self, shell: Shell, folder: Path) -> None:
        name = os.fsdecode(b"\xff\n.yaml")
        (folder / name).write_text(BAD, encoding="utf-8")
        outcome = shell("shapes", name)
        assert_refused(outcome, "E110")
        assert len(outcome.err.splitlines()) == 5
