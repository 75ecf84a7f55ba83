"""convt as a process among others: readers that leave, streams that are closed, terminals of any
width, signals at any moment, and interpreters started in other ways.

Whatever becomes of its output, the status says what was found.
"""

from __future__ import annotations

import fcntl
import os
import pty
import re
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
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

GREEDY = """
    input: [64, 40, 40]
    layers: [{type: conv, out_channels: 64, kernel_size: 25, padding: 12}]
    """
"""A layer whose product takes seconds for the arrays of a batch of twenty."""

LARGE = """
    input: [1, 300, 300]
    layers: [{type: conv, out_channels: 5, kernel_size: 3, weight: {fill: normal}}]
    """
"""A matrix of four million entries, which takes seconds to compress."""


def finished(process: subprocess.Popen[bytes]) -> Outcome:
    """What a process comes to; it is killed after a minute."""
    try:
        out, err = process.communicate(timeout=60)
    finally:
        process.kill()
    return Outcome(process.returncode, out or b"", err or b"")


def redirected(redirections: str, *arguments: str, stdin: bytes = b"") -> Outcome:
    """convt with its streams redirected by a shell."""
    done = subprocess.run(
        ["sh", "-c", f'exec "$@" {redirections}', "sh", *command_line(*arguments)],
        input=stdin,
        capture_output=True,
        env=environment(),
        timeout=60,
        check=False,
    )
    return Outcome(done.returncode, done.stdout, done.stderr)


@pytest.fixture
def ready(folder: Path, spec: WriteSpec) -> Path:
    """A folder with a good spec, a bad one, one that expects wrongly, and an array."""
    spec(GUIDE)
    spec(BAD, "bad.yaml")
    spec(WRONG, "wrong.yaml")
    np.save("x.npy", np.ones((1, 4, 4)))
    return folder


class TestReadersThatLeave:
    @pytest.mark.parametrize(
        ("arguments", "status"),
        [
            ("check net.yaml", 0),
            ("check bad.yaml", 1),
            ("check wrong.yaml --format json", 1),
            ("check wrong.yaml --exit-zero", 0),
            ("check missing.yaml", 2),
            ("shapes net.yaml bad.yaml", 2),
            ("table net.yaml missing.yaml --format json", 2),
        ],
    )
    def test_change_nothing_about_what_was_found(
        self, ready: Path, arguments: str, status: int
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
        assert done.returncode == status

    @pytest.mark.parametrize(
        "arguments",
        [
            "matrix net.yaml --input 1,200,200 -o -",
            "apply net.yaml wide.npy -o -",
            "table --type conv --input-size 1..3000 --kernel-size 1..5",
        ],
        ids=lambda arguments: arguments.split()[0],
    )
    def test_a_pipe_that_takes_no_more_for_now_is_an_error(
        self, ready: Path, arguments: str
    ) -> None:
        np.save("wide.npy", np.ones((9000, 1, 2, 2)))
        reading, writing = os.pipe()
        os.set_blocking(writing, False)
        with os.fdopen(reading, "rb"), os.fdopen(writing, "wb") as full:
            done = subprocess.run(
                command_line(*arguments.split()),
                stdout=full,
                stderr=subprocess.PIPE,
                env=environment(),
                check=False,
            )
        assert b"Traceback" not in done.stderr
        assert (done.returncode, done.stderr.count(b"error[E402]")) == (2, 1)


class TestClosedStreams:
    @pytest.mark.parametrize(
        "arguments",
        ["shapes -", "check -", "table -", "deps -", "matrix - --dry-run", "apply - x.npy -o y.npy",
         "apply net.yaml - -o y.npy"],
    )  # fmt: skip
    def test_standard_input_that_is_wanted_is_missed(self, ready: Path, arguments: str) -> None:
        outcome = redirected("<&-", *arguments.split())
        assert (outcome.status, outcome.codes) == (2, ["E401"])
        assert "Traceback" not in outcome.err
        assert not (ready / "y.npy").exists()

    @pytest.mark.parametrize(
        "arguments",
        ["shapes net.yaml", "matrix net.yaml -o -", "apply net.yaml x.npy --forward -o -"],
    )
    def test_standard_input_that_is_not_wanted_is_not(
        self, ready: Path, run: Run, arguments: str
    ) -> None:
        expected = run(*arguments.split())
        assert redirected("<&-", *arguments.split()) == expected
        assert expected.status == 0

    @pytest.mark.parametrize(
        ("arguments", "status"),
        [
            ("shapes net.yaml -o out", 0),
            ("matrix net.yaml -o C.npz", 0),
            ("check wrong.yaml -o out", 1),
            ("shapes missing.yaml", 2),
            ("nonsense", 2),
            ("shapes", 2),
            ("--help", 0),
        ],
    )
    def test_with_all_closed_the_status_still_tells(
        self, ready: Path, arguments: str, status: int
    ) -> None:
        assert redirected("<&- >&- 2>&-", *arguments.split()) == Outcome(status, b"", b"")

    @pytest.mark.parametrize("arguments", ["nonsense", "shapes", "explain E999", "shapes -x"])
    def test_without_standard_error_a_wrong_use_does_not_go_to_the_data(
        self, folder: Path, arguments: str
    ) -> None:
        assert redirected("2>&-", *arguments.split()) == Outcome(2, b"", b"")


class TestEncodings:
    @pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp1252", "utf-16"])
    @pytest.mark.parametrize("arguments", ["--help", "apply -h"])
    def test_help_can_be_read_in_any(self, shell: Shell, encoding: str, arguments: str) -> None:
        outcome = shell(*arguments.split(), env={"PYTHONIOENCODING": encoding})
        assert (outcome.status, outcome.stderr) == (0, b"")
        plain = encoding if encoding != "ascii" else "utf-8"  # click then writes UTF-8
        assert "Usage: convt" in outcome.stdout.decode(plain)

    @pytest.mark.parametrize("encoding", ["ascii", "cp1252"])
    @pytest.mark.parametrize("arguments", ["check bad.yaml", "explain E305", "table"])
    def test_so_can_findings_and_tables(
        self, ready: Path, shell: Shell, run: Run, encoding: str, arguments: str
    ) -> None:
        outcome = shell(*arguments.split(), env={"PYTHONIOENCODING": encoding})
        expected = run(*arguments.split())
        assert outcome.status == expected.status
        assert outcome.stdout == expected.out.encode(encoding, errors="replace")


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


def on_terminal(columns: int, *arguments: str, **env: str) -> str:
    """What convt writes to a terminal that is really so wide."""
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
    """What convt says when its standard output is a terminal, and what comes of it."""
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

    @pytest.mark.parametrize("term", ["dumb", "unknown", ""])
    def test_no_line_is_wider_whatever_it_is_called(self, term: str) -> None:
        text = on_terminal(60, "shapes", ZFNET, TERM=term)
        assert widest(text) <= 60
        assert "14,208" in text

    @pytest.mark.parametrize("columns", ["0", "-1", "x"])
    def test_a_width_that_is_none_is_passed_over(self, columns: str) -> None:
        text = on_terminal(100, "shapes", ZFNET, COLUMNS=columns)
        assert "14,208" in text

    @pytest.mark.parametrize("columns", [0, 1])
    def test_a_terminal_too_narrow_for_any_table_shows_its_numbers(self, columns: int) -> None:
        assert "14,208" in on_terminal(columns, "shapes", ZFNET)

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

    @pytest.mark.parametrize("arguments", [("shapes", ZFNET), ("table",), ("--help",)])
    def test_one_that_understands_no_codes_gets_none(self, arguments: tuple[str, ...]) -> None:
        assert "\x1b" not in on_terminal(80, *arguments, TERM="dumb", FORCE_COLOR="1")

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

    @pytest.mark.parametrize("variable", ["FORCE_COLOR", "TTY_COMPATIBLE"])
    def test_none_of_it_concerns_a_pipe(self, run: Run, shell: Shell, variable: str) -> None:
        assert shell("shapes", ZFNET, env={variable: "1"}) == run("shapes", ZFNET)


SIGNALS = [
    pytest.param(signal.SIGINT, 130, id="SIGINT"),
    pytest.param(signal.SIGTERM, 143, id="SIGTERM"),
]


@contextmanager
def started(*arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    """convt as a process with pipes."""
    with subprocess.Popen(
        command_line(*arguments),
        env=environment(OPENBLAS_NUM_THREADS="1"),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def wait_until(condition: Callable[[], object]) -> None:
    """Return once `condition` holds; fail after half a minute."""
    for _ in range(3000):
        if condition():
            return
        time.sleep(0.01)
    pytest.fail("it never came to that")


def assert_ended(process: subprocess.Popen[bytes], number: signal.Signals, status: int) -> None:
    """On a signal the process ends with its status, and says nothing."""
    assert process.poll() is None
    process.send_signal(number)
    outcome = finished(process)
    assert (outcome.status, outcome.err.strip()) == (status, "")


@pytest.mark.parametrize(("number", "status"), SIGNALS)
class TestSignals:
    @pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")
    def test_end_a_command_that_computes(
        self, folder: Path, spec: WriteSpec, number: signal.Signals, status: int
    ) -> None:
        np.save("x.npy", np.ones((20, 64, 40, 40)))
        (folder / "y.npy").write_bytes(b"old")
        before = sorted(path.name for path in folder.iterdir())
        spec(GREEDY)
        arguments = ("apply", "net.yaml", "x.npy", "--forward", "-o", "y.npy", "--force")
        with started(*arguments) as process:
            wait_until(lambda: cpu_seconds(process.pid) > 1.2)
            assert_ended(process, number, status)
        assert (folder / "y.npy").read_bytes() == b"old"
        assert sorted(path.name for path in folder.iterdir()) == sorted(["net.yaml", *before])

    def test_end_a_command_that_compresses_and_leave_the_old_file(
        self, folder: Path, spec: WriteSpec, number: signal.Signals, status: int
    ) -> None:
        (folder / "C.npz").write_bytes(b"old")
        arguments = ("matrix", spec(LARGE), "--compress", "-o", "C.npz", "--force")
        with started(*arguments) as process:
            wait_until(lambda: len(list(folder.iterdir())) == 3)
            assert_ended(process, number, status)
        assert (folder / "C.npz").read_bytes() == b"old"
        assert sorted(path.name for path in folder.iterdir()) == ["C.npz", "net.yaml"]

    def test_end_a_command_whose_reader_does_not_read(
        self, spec: WriteSpec, number: signal.Signals, status: int
    ) -> None:
        with started("matrix", spec(LARGE), "-o", "-") as process:
            assert process.stdout is not None
            assert process.stdout.read(1) == b"P"
            time.sleep(0.3)  # until the pipe is full
            assert_ended(process, number, status)

    def test_end_a_command_that_waits_for_an_array(
        self, spec: WriteSpec, folder: Path, number: signal.Signals, status: int
    ) -> None:
        with started("apply", spec(GUIDE), "-", "-o", "x.npy") as process:
            assert process.stdin is not None
            process.stdin.write(
                b"\x93NUMPY\x02\x00" + (2**20).to_bytes(4, "little") + b" " * 200_000
            )
            process.stdin.flush()  # more than a pipe holds: it has been read from
            assert_ended(process, number, status)
        assert [path.name for path in folder.iterdir()] == ["net.yaml"]


def cpu_seconds(pid: int) -> float:
    """The processor time that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def interpreted(*command: str, **env: str) -> Outcome:
    """What the interpreter comes to when it is started in this way."""
    done = subprocess.run(
        [sys.executable, *command], env=environment(**env), capture_output=True, check=False
    )
    return Outcome(done.returncode, done.stdout, done.stderr)


class TestInterpreters:
    @pytest.mark.slow
    @pytest.mark.parametrize("option", ["-OO", "-Xdev", "-Werror", "-bb", "-u", "-B"])
    @pytest.mark.parametrize(
        "arguments",
        ["shapes net.yaml", "apply net.yaml x.npy --forward -o -", "matrix net.yaml -o -"],
    )
    def test_options_of_python_change_nothing(
        self, ready: Path, run: Run, option: str, arguments: str
    ) -> None:
        expected = run(*arguments.split())
        assert interpreted(option, "-m", "convt_cli", *arguments.split()) == expected
        assert expected.status == 0

    @pytest.mark.parametrize(
        "arguments", ["shapes net.yaml bad.yaml --format json", "table", "matrix net.yaml -o -"]
    )
    @pytest.mark.slow
    def test_no_output_hangs_on_the_order_of_a_set(self, ready: Path, arguments: str) -> None:
        outcomes = {
            interpreted("-m", "convt_cli", *arguments.split(), PYTHONHASHSEED=seed)
            for seed in ("1", "2", "3")
        }
        assert len(outcomes) == 1

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

    @pytest.mark.parametrize(
        "command",
        [
            ("shapes", "FOLDER/net.yaml"),
            ("check", "FOLDER/net.yaml"),
            ("table",),
            ("matrix", "FOLDER/net.yaml", "-o", "-"),
            ("apply", "FOLDER/net.yaml", "FOLDER/x.npy", "--forward", "-o", "FOLDER/y.npy"),
        ],
        ids=lambda command: command[0],
    )
    def test_a_working_folder_that_is_gone_is_not_needed(
        self, ready: Path, command: tuple[str, ...]
    ) -> None:
        arguments = [argument.replace("FOLDER", str(ready)) for argument in command]
        done = subprocess.run(
            ["sh", "-c", 'mkdir gone && cd gone && rmdir ../gone && exec "$@"', "sh",
             *command_line(*arguments)],
            env=environment(),
            capture_output=True,
            check=False,
        )  # fmt: skip
        assert (done.returncode, done.stderr) == (0, b"")

    def test_without_any_variable_at_all_it_runs(self, ready: Path) -> None:
        done = subprocess.run(
            command_line("shapes", "net.yaml"),
            env={"PYTHONPATH": str(PACKAGE.parent)},
            capture_output=True,
            check=False,
        )
        assert (done.returncode, done.stderr) == (0, b"")

    def test_a_name_without_an_encoding_is_reported(self, shell: Shell, folder: Path) -> None:
        name = os.fsdecode(b"\xff\n.yaml")
        (folder / name).write_text(BAD, encoding="utf-8")
        outcome = shell("shapes", name)
        assert_refused(outcome, "E110")
        assert len(outcome.err.splitlines()) == 5
