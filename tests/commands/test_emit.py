"""Where output goes: terminals, pipes, files, streams that are closed or full, odd encodings.

Off a terminal no table is cut; where a reader has gone nothing is said; data go to standard
output and everything else to standard error.
"""

from __future__ import annotations

import json
import os
import pty
import re
import subprocess
from pathlib import Path
from typing import IO, Any

import numpy as np
import pytest

from tests.conftest import (
    GUIDE,
    ZFNET,
    Outcome,
    Run,
    Shell,
    WriteSpec,
    assert_quiet,
    assert_refused,
    command_line,
    environment,
)

ESCAPE = re.compile(rb"\x1b\[[0-9;]*[A-Za-z]")


def script(text: str, *arguments: str, env: dict[str, str] | None = None) -> Outcome:
    """What a shell script comes to that runs convt as "$@"."""
    done = subprocess.run(
        ["bash", "-c", text, "bash", *command_line(*arguments)],
        capture_output=True,
        env=environment(**(env or {})),
        check=False,
    )
    return Outcome(done.returncode, done.stdout, done.stderr)


def on_terminal(*arguments: str, columns: int = 80, **env: str) -> bytes:
    """What convt writes to a terminal of this width."""
    ours, theirs = pty.openpty()
    variables = {"TERM": "xterm-256color", "COLUMNS": str(columns)} | env
    with subprocess.Popen(
        command_line(*arguments), stdout=theirs, env=environment(**variables)
    ) as process:
        os.close(theirs)
        with os.fdopen(ours, "rb") as terminal:
            content = b"".join(iter(lambda: read_some(terminal), b""))
    assert process.returncode == 0
    return content.replace(b"\r\n", b"\n")


def read_some(terminal: IO[bytes]) -> bytes:
    """The next bytes; none where the other end has been closed."""
    try:
        return os.read(terminal.fileno(), 65536)
    except OSError:
        return b""


@pytest.fixture
def ready(folder: Path, spec: WriteSpec) -> Path:
    """A folder with net.yaml and the array x.npy for it."""
    spec(GUIDE)
    np.save("x.npy", np.ones((2000, 1, 2, 2)))
    return folder


SWEEP = ("table", "--type", "conv", "--input-size", "1..2000", "--kernel-size", "1..3")
WRITING = [
    pytest.param((*SWEEP, "--format", "text"), id="table"),
    pytest.param((*SWEEP, "--format", "json"), id="json"),
    pytest.param(("apply", "net.yaml", "x.npy", "-o", "-"), id="apply"),
    pytest.param(("matrix", "net.yaml", "--input", "1,100,100", "-o", "-"), id="matrix"),
]
"""More output than a pipe holds."""


class TestPipes:
    @pytest.mark.parametrize("arguments", WRITING)
    @pytest.mark.parametrize("reader", ["head -1", "true"])
    def test_a_reader_that_has_gone_is_no_error(
        self, ready: Path, arguments: tuple[str, ...], reader: str
    ) -> None:
        outcome = script(f'"$@" | {reader} > /dev/null; exit ${{PIPESTATUS[0]}}', *arguments)
        assert (outcome.status, outcome.err) == (0, "")

    @pytest.mark.parametrize("arguments", [("--help",), ("--version",), ("explain", "E105")])
    def test_nor_is_it_one_for_short_answers(
        self, folder: Path, arguments: tuple[str, ...]
    ) -> None:
        outcome = script(
            '(sleep 0.2; "$@"; echo $? >status) | true; exit $(cat status)', *arguments
        )
        assert (outcome.status, outcome.err) == (0, "")

    @pytest.mark.parametrize(
        "arguments",
        [
            ("shapes", "net.yaml"),
            ("explain", "E105"),
            ("apply", "net.yaml", "x.npy", "-o", "-"),
            ("matrix", "net.yaml", "-o", "-"),
        ],
        ids=lambda arguments: arguments[0],
    )
    def test_closed_standard_output_is_one_error(
        self, ready: Path, arguments: tuple[str, ...]
    ) -> None:
        assert_refused(script('exec "$@" >&-', *arguments), "E402")

    def test_closed_standard_output_does_not_matter_to_a_file(self, ready: Path) -> None:
        outcome = script('exec "$@" >&-', "apply", "net.yaml", "x.npy", "-o", "y.npy")
        assert (outcome.status, outcome.err) == (0, "")
        assert np.load("y.npy").shape == (2000, 1, 4, 4)

    @pytest.mark.parametrize("redirection", ["2>&-", "2>/dev/full", "2> >(true)"])
    @pytest.mark.parametrize("arguments", [("shapes", "none.yaml"), ("bogus",), ("shapes", "-h=")])
    def test_standard_error_that_cannot_be_written_changes_no_status(
        self, folder: Path, arguments: tuple[str, ...], redirection: str
    ) -> None:
        outcome = script(f'"$@" {redirection}', *arguments)
        assert (outcome.status, outcome.out) == (2, "")

    def test_notes_go_to_standard_error(self, run: Run, spec: WriteSpec) -> None:
        spec("input: [1, 4]\nlayers: [{type: conv, out_channels: 1, kernel_size: 2}]")
        outcome = run("matrix", "net.yaml", "--show", "--format", "csv")
        assert outcome.err == "note: conv1 has no weight; using fill normal, seed 0\n"
        assert outcome.out.startswith("row,0,1,2,3\n")


class TestEncodings:
    @pytest.mark.parametrize(
        "env",
        [
            {"LC_ALL": "C"},
            {"LC_ALL": "POSIX", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
            {"PYTHONIOENCODING": "ascii"},
            {"PYTHONIOENCODING": "ascii:strict"},
            {"PYTHONIOENCODING": "latin-1"},
            {"TERM": "dumb"},
            {"NO_COLOR": "1"},
            {"COLUMNS": "1"},
            {"COLUMNS": "x", "LINES": "-1"},
        ],
        ids=str,
    )
    def test_tables_can_be_read_in_any_environment(
        self, shell: Shell, spec: WriteSpec, env: dict[str, str]
    ) -> None:
        outcome = shell("shapes", spec(ZFNET), env=env)
        assert (outcome.status, outcome.err) == (0, "")
        assert b"14,208" in outcome.stdout
        assert b"\x1b" not in outcome.stdout

    @pytest.mark.parametrize("encoding", ["ascii", "utf-8", "utf-16"])
    def test_messages_can_be_read_in_any_encoding(self, shell: Shell, encoding: str) -> None:
        outcome = shell("shapes", "é日.yaml", env={"PYTHONIOENCODING": encoding})
        assert outcome.status == 2
        assert "E401" in outcome.stderr.decode("utf-8" if encoding == "ascii" else encoding)

    def test_what_the_encoding_lacks_becomes_a_question_mark(
        self, shell: Shell, spec: WriteSpec
    ) -> None:
        spec("name: é日\ninput: [1, 4]\nlayers: [{type: relu}]")
        outcome = shell("shapes", "net.yaml", env={"PYTHONIOENCODING": "ascii"})
        assert outcome.out.startswith("?? (pytorch), input [1, 4]")

    def test_a_file_is_utf_8_in_any_locale(self, shell: Shell, spec: WriteSpec) -> None:
        spec("name: é日\ninput: [1, 4]\nlayers: [{type: relu}]")
        env = {"PYTHONIOENCODING": "ascii", "LC_ALL": "C"}
        assert_quiet(shell("shapes", "net.yaml", "-o", "out.txt", env=env))
        assert Path("out.txt").read_text(encoding="utf-8").startswith("é日 (pytorch)")

    def test_a_spec_whose_name_is_in_no_encoding_can_be_reported(
        self, shell: Shell, folder: Path
    ) -> None:
        name = os.fsdecode(b"\xff.yaml")
        (folder / name).write_text("input: [1, 4]\nlayers: [{type: relu}]", encoding="utf-8")
        outcome = shell("shapes", name, "--format", "json")
        assert (outcome.status, outcome.err) == (0, "")
        assert json.loads(outcome.stdout)["networks"][0]["output"] == [1, 4]


class TestTerminals:
    @pytest.mark.parametrize("columns", [60, 80, 120])
    def test_tables_fit_the_width(self, spec: WriteSpec, columns: int) -> None:
        content = on_terminal("shapes", spec(ZFNET), columns=columns)
        lines = ESCAPE.sub(b"", content).decode().splitlines()
        assert max(map(len, lines)) <= columns
        assert any("14,208" in line for line in lines)

    def test_a_terminal_of_one_column_still_gets_its_numbers(self, spec: WriteSpec) -> None:
        text = ESCAPE.sub(b"", on_terminal("shapes", spec(ZFNET), columns=1)).decode()
        assert "14,208" in text
        assert "96×110×110" in text

    def test_they_come_in_colour(self, spec: WriteSpec) -> None:
        assert ESCAPE.search(on_terminal("shapes", spec(ZFNET)))

    @pytest.mark.parametrize("env", [{"TERM": "dumb"}, {"NO_COLOR": "1"}], ids=str)
    def test_no_colour_where_none_is_wanted(self, spec: WriteSpec, env: dict[str, Any]) -> None:
        content = on_terminal("shapes", spec(ZFNET), **env)
        assert not re.search(rb"\x1b\[[0-9;]*[34][0-9]", content)

    def test_a_dumb_terminal_gets_no_escapes_at_all(self, spec: WriteSpec) -> None:
        assert b"\x1b" not in on_terminal("shapes", spec(ZFNET), TERM="dumb")

    def test_json_is_the_same_on_a_terminal(self, run: Run, spec: WriteSpec) -> None:
        arguments = ("shapes", spec(ZFNET), "--format", "json")
        assert on_terminal(*arguments) == run(*arguments).stdout


class TestFiles:
    @pytest.mark.parametrize("output_format", ["text", "json", "csv", "markdown"])
    @pytest.mark.parametrize(
        "arguments",
        [
            ("shapes", "net.yaml"),
            ("table", "net.yaml"),
            ("table",),
            ("table", "--type", "conv", "--input-size", "4", "--kernel-size", "3"),
        ],
        ids=lambda arguments: f"{len(arguments)} {arguments[0]}",
    )
    def test_a_file_holds_what_a_pipe_gets(
        self, run: Run, spec: WriteSpec, arguments: tuple[str, ...], output_format: str
    ) -> None:
        spec(GUIDE)
        piped = run(*arguments, "--format", output_format)
        assert_quiet(run(*arguments, "--format", output_format, "-o", "out"))
        assert Path("out").read_bytes() == piped.stdout
        assert run(*arguments, "--format", output_format, "-o", "-").stdout == piped.stdout

    @pytest.mark.parametrize("output_format", ["text", "json"])
    def test_so_it_does_for_check(self, run: Run, spec: WriteSpec, output_format: str) -> None:
        piped = run("check", spec(GUIDE), "--format", output_format)
        assert_quiet(run("check", "net.yaml", "--format", output_format, "-o", "out"))
        assert Path("out").read_bytes() == piped.stdout
        again = run("check", "net.yaml", "--format", output_format, "-o", "-")
        assert again.stdout == piped.stdout

    @pytest.mark.parametrize("command", ["shapes", "check", "table"])
    def test_an_existing_file_needs_force(self, run: Run, spec: WriteSpec, command: str) -> None:
        Path("out").write_text("old", encoding="utf-8")
        assert_refused(run(command, spec(GUIDE), "-o", "out"), "E403")
        assert Path("out").read_text(encoding="utf-8") == "old"
        assert_quiet(run(command, "net.yaml", "-o", "out", "--force"))
        assert Path("out").read_text(encoding="utf-8") != "old"

    @pytest.mark.parametrize("command", ["shapes", "check", "table"])
    def test_a_missing_folder_is_refused(self, run: Run, spec: WriteSpec, command: str) -> None:
        assert_refused(run(command, spec(GUIDE), "-o", "none/out"), "E402")

    @pytest.mark.parametrize("command", ["shapes", "table"])
    def test_a_bad_spec_writes_no_table(self, run: Run, spec: WriteSpec, command: str) -> None:
        outcome = run(command, spec("input: [1, 4]\nlayers: []"), "-o", "out")
        assert outcome.status == 2
        assert not Path("out").exists()
