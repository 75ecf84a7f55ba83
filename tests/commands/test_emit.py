"""Where output goes: terminals and files; data to standard output, all else to standard error."""

from __future__ import annotations

import os
import pty
import re
import subprocess
from pathlib import Path
from typing import IO

import pytest

from tests.conftest import (
    GUIDE,
    ZFNET,
    Run,
    WriteSpec,
    assert_quiet,
    assert_refused,
    command_line,
    environment,
)

ESCAPE = re.compile(rb"\x1b\[[0-9;]*[A-Za-z]")


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


"""More output than a pipe holds."""


@pytest.mark.parametrize("command", ["check", "deps", "shapes"])
def test_a_dash_is_standard_output_on_a_terminal_too(command: str, spec: WriteSpec) -> None:
    name = spec(ZFNET)
    assert on_terminal(command, name, "-o", "-") == on_terminal(command, name) != b""


class TestPipes:
    def test_notes_go_to_standard_error(self, run: Run, spec: WriteSpec) -> None:
        spec("input: [1, 4]\nlayers: [{type: conv, out_channels: 1, kernel_size: 2}]")
        outcome = run("matrix", "net.yaml", "--show", "--format", "csv")
        assert outcome.err == "note: conv1 has no weight; using fill normal, seed 0\n"
        assert outcome.out.startswith("row,0,1,2,3\n")


class TestTerminals:
    @pytest.mark.parametrize("columns", [60, 80, 120])
    def test_tables_fit_the_width(self, spec: WriteSpec, columns: int) -> None:
        content = on_terminal("shapes", spec(ZFNET), columns=columns)
        lines = ESCAPE.sub(b"", content).decode().splitlines()
        assert max(map(len, lines)) <= columns
        assert any("14,208" in line for line in lines)

    def test_they_come_in_colour(self, spec: WriteSpec) -> None:
        assert ESCAPE.search(on_terminal("shapes", spec(ZFNET)))

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
