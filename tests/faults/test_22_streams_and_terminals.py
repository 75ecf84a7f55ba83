"""Any locale, any terminal and any closed stream: convt can be read, or is quiet.

Off a terminal no table is cut and nothing is coloured, whatever the variables say; what an
encoding lacks becomes a question mark; and with a stream closed the status still tells.
"""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest

from convt_cli.commands import main
from tests.commands.test_streams import on_terminal, widest
from tests.conftest import (
    PACKAGE,
    Outcome,
    Run,
    Shell,
    WriteSpec,
    assert_quiet,
    assert_refused,
    command_line,
    environment,
)
from tests.faults.outputs import FILES, SAID, STREAMS, Output, write_inputs
from tests.faults.rows import trying

ZFNET = str(PACKAGE.parent / "configs" / "zfnet.yaml")
BAD = "input: [1, 4]\nlayers: [{type: conv, out_channels: 1, kernel_size: 9}]\n"
WRONG = "input: [1, 4]\nlayers: [{type: relu, expect: [1, 5]}]\n"

TERMINALS = [
    {"TERM": "dumb"},
    {"TERM": ""},
    {"NO_COLOR": "1"},
    {"FORCE_COLOR": "1"},
    {"FORCE_COLOR": "1", "TERM": "dumb"},
    {"TTY_COMPATIBLE": "1"},
    {"COLUMNS": "1"},
    {"COLUMNS": "0", "LINES": "-1"},
    {"COLUMNS": "x"},
]
"""Variables that say what terminal there is, where there is none."""

LOCALES = [
    {"LC_ALL": "C"},
    {"LC_ALL": "POSIX", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
    {"PYTHONIOENCODING": "ascii"},
    {"PYTHONIOENCODING": "ascii:strict"},
    {"PYTHONIOENCODING": "latin-1"},
]


@pytest.fixture
def ready(folder: Path) -> Path:
    """The folder with what the commands read, a bad spec and one that expects wrongly."""
    write_inputs(folder)
    (folder / "bad.yaml").write_text(BAD, encoding="utf-8")
    (folder / "wrong.yaml").write_text(WRONG, encoding="utf-8")
    return folder


# --- variables --------------------------------------------------------------------------------


@pytest.mark.parametrize("command", [*SAID[:-2], "check bad.yaml", "shapes bad.yaml", "deps -x"])
def test_22_no_variable_changes_what_goes_into_a_pipe(
    run: Run, ready: Path, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    expected = run(*command.split())
    assert b"\x1b" not in expected.stdout + expected.stderr
    for env in TERMINALS:
        with trying(env), monkeypatch.context() as patch:
            for name, value in env.items():
                patch.setenv(name, value)
            assert run(*command.split()) == expected


@pytest.mark.parametrize("env", [*LOCALES, *TERMINALS[::4]], ids=str)
def test_22_tables_can_be_read_in_any_environment(shell: Shell, env: dict[str, str]) -> None:
    outcome = shell("shapes", ZFNET, env=env)
    assert (outcome.status, outcome.err) == (0, "")
    assert b"14,208" in outcome.stdout
    assert b"\x1b" not in outcome.stdout


@pytest.mark.slow
@pytest.mark.parametrize("env", [LOCALES[3], TERMINALS[4]], ids=str)
@pytest.mark.parametrize("command", [*SAID[1::4], *STREAMS[::3]])
def test_22_every_command_ends_well_in_any_environment(
    ready: Path, shell: Shell, run: Run, command: str, env: dict[str, str]
) -> None:
    outcome, expected = shell(*command.split(), env=env), run(*command.split())
    assert outcome.status == 0
    if not env.keys() & {"LC_ALL", "PYTHONIOENCODING"}:
        assert outcome == expected
    assert b"\x1b" not in outcome.stderr


@pytest.mark.parametrize("command", [f"shapes {ZFNET} --wide", "table", f"table {ZFNET}"])
def test_22_a_table_in_a_pipe_is_never_cut(run: Run, shell: Shell, command: str) -> None:
    """What a pipe gets is what a file gets, and that is every number there is."""
    piped = shell(*command.split(), env={"COLUMNS": "1"})
    assert_quiet(run(*command.split(), "-o", "out"))
    assert piped.stdout == Path("out").read_bytes()
    assert "…" not in piped.out


def test_22_every_number_of_a_document_is_in_the_table(run: Run, shell: Shell) -> None:
    piped = shell("shapes", ZFNET, "--wide", env={"COLUMNS": "1"}).out
    network = run("shapes", ZFNET, "--format", "json").document["networks"][0]
    for layer in network["layers"]:
        assert layer["name"] in piped
        assert "×".join(map(str, layer["output"])) in piped
        if layer["parameters"]:
            assert f"{layer['parameters']:,}" in piped


# --- terminals ---------------------------------------------------------------------------------


@pytest.mark.parametrize("term", ["dumb", "unknown", ""])
def test_22_no_line_is_wider_whatever_it_is_called(term: str) -> None:
    text = on_terminal(60, "shapes", ZFNET, TERM=term)
    assert widest(text) <= 60
    assert "14,208" in text


@pytest.mark.parametrize("columns", ["0", "-1", "x"])
def test_22_a_width_that_is_none_is_passed_over(columns: str) -> None:
    text = on_terminal(100, "shapes", ZFNET, COLUMNS=columns)
    assert "14,208" in text


@pytest.mark.parametrize("columns", [0, 1])
def test_22_a_terminal_too_narrow_for_any_table_shows_its_numbers(columns: int) -> None:
    assert "14,208" in on_terminal(columns, "shapes", ZFNET)


@pytest.mark.parametrize("arguments", [("shapes", ZFNET), ("table",), ("--help",)])
def test_22_one_that_understands_no_codes_gets_none(arguments: tuple[str, ...]) -> None:
    assert "\x1b" not in on_terminal(80, *arguments, TERM="dumb", FORCE_COLOR="1")


@pytest.mark.parametrize("variable", ["FORCE_COLOR", "TTY_COMPATIBLE"])
def test_22_none_of_it_concerns_a_pipe(run: Run, shell: Shell, variable: str) -> None:
    assert shell("shapes", ZFNET, env={variable: "1"}) == run("shapes", ZFNET)


@pytest.mark.parametrize("env", [{"TERM": "dumb"}, {"NO_COLOR": "1"}], ids=str)
def test_22_no_colour_where_none_is_wanted(env: dict[str, str]) -> None:
    content = on_terminal(80, "shapes", ZFNET, **env)
    assert not re.search(r"\x1b\[[0-9;]*[34][0-9]", content)


# --- encodings --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("encoding", "arguments"),
    [("ascii", "--help"), ("latin-1", "apply -h"), ("cp1252", "--help"), ("utf-16", "apply -h")],
)
def test_22_help_can_be_read_in_any_encoding(shell: Shell, encoding: str, arguments: str) -> None:
    outcome = shell(*arguments.split(), env={"PYTHONIOENCODING": encoding})
    assert (outcome.status, outcome.stderr) == (0, b"")
    plain = encoding if encoding != "ascii" else "utf-8"  # click then writes UTF-8
    assert "Usage: convt" in outcome.stdout.decode(plain)


@pytest.mark.parametrize(
    ("encoding", "arguments"),
    [("ascii", "check bad.yaml"), ("cp1252", "explain E305"), ("ascii", "table")],
)
def test_22_so_can_findings_and_tables(
    ready: Path, shell: Shell, run: Run, encoding: str, arguments: str
) -> None:
    outcome = shell(*arguments.split(), env={"PYTHONIOENCODING": encoding})
    expected = run(*arguments.split())
    assert outcome.status == expected.status
    assert outcome.stdout == expected.out.encode(encoding, errors="replace")


@pytest.mark.parametrize("encoding", ["ascii", "utf-8", "utf-16"])
def test_22_messages_can_be_read_in_any_encoding(shell: Shell, encoding: str) -> None:
    outcome = shell("shapes", "é日.yaml", env={"PYTHONIOENCODING": encoding})
    assert outcome.status == 2
    assert "E401" in outcome.stderr.decode("utf-8" if encoding == "ascii" else encoding)


def test_22_what_the_encoding_lacks_becomes_a_question_mark(shell: Shell, spec: WriteSpec) -> None:
    spec("name: é日\ninput: [1, 4]\nlayers: [{type: relu}]")
    outcome = shell("shapes", "net.yaml", env={"PYTHONIOENCODING": "ascii"})
    assert outcome.out.startswith("?? (pytorch), input [1, 4]")


def test_22_a_file_is_utf_8_in_any_locale(shell: Shell, spec: WriteSpec) -> None:
    spec("name: é日\ninput: [1, 4]\nlayers: [{type: relu}]")
    env = {"PYTHONIOENCODING": "ascii", "LC_ALL": "C"}
    assert_quiet(shell("shapes", "net.yaml", "-o", "out.txt", env=env))
    assert Path("out.txt").read_text(encoding="utf-8").startswith("é日 (pytorch)")


def test_22_a_spec_whose_name_is_in_no_encoding_can_be_reported(shell: Shell, folder: Path) -> None:
    name = os.fsdecode(b"\xff.yaml")
    (folder / name).write_text("input: [1, 4]\nlayers: [{type: relu}]", encoding="utf-8")
    outcome = shell("shapes", name, "--format", "json")
    assert (outcome.status, outcome.err) == (0, "")
    assert json.loads(outcome.stdout)["networks"][0]["output"] == [1, 4]


# --- closed streams ---------------------------------------------------------------------------

STREAM_NAMES = ("stdin", "stdout", "stderr")
CLOSED = [names for count in (1, 3) for names in combinations(STREAM_NAMES, count)]


def with_closed(patch: pytest.MonkeyPatch, names: tuple[str, ...], arguments: list[str]) -> int:
    """The status of convt, in this process, whose streams of these names are closed."""
    with patch.context() as inner:
        for name in names:
            inner.setattr(sys, name, None)
        return main.run(arguments)


@pytest.mark.parametrize("command", [*SAID, *STREAMS])
def test_22_without_a_stream_a_command_is_quiet_or_says_so(
    ready: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], command: str
) -> None:
    shows_help = command in ("--help", "--version")  # which click prints, and says nothing
    for names in CLOSED:
        with trying(*names):
            status = with_closed(monkeypatch, names, command.split())
            said = capfd.readouterr()
            assert "Traceback" not in said.err
            assert status == (2 if "stdout" in names and not shows_help else 0)
            if "stdout" in names:
                assert said.out == ""
                assert said.err.count("error[E402]") == ("stderr" not in names and not shows_help)


@pytest.mark.parametrize("one", FILES)
def test_22_without_any_stream_files_are_written(
    run: Run, ready: Path, monkeypatch: pytest.MonkeyPatch, one: Output
) -> None:
    run(*one.arguments("open-" + one.name))
    status = with_closed(monkeypatch, STREAM_NAMES, one.arguments(one.name))
    quiet = one.command.split()[0] not in ("invert", "reconstruct", "stimulus")
    assert status == (0 if quiet else 2)  # of those standard output was to get a table
    assert Path(one.name).read_bytes() == Path("open-" + one.name).read_bytes()


def redirected(redirections: str, *arguments: str) -> Outcome:
    """convt with its streams redirected by a shell."""
    done = subprocess.run(
        ["bash", "-c", f'exec "$@" {redirections}', "bash", *command_line(*arguments)],
        input=b"",
        capture_output=True,
        env=environment(),
        timeout=60,
        check=False,
    )
    return Outcome(done.returncode, done.stdout, done.stderr)


@pytest.mark.parametrize(
    "arguments",
    ["shapes -", "check -", "table -", "deps -", "matrix - --dry-run", "apply - x.npy -o out.npy",
     "apply net.yaml - -o out.npy", "invert net.yaml - -o out.npy",
     "reconstruct deep.yaml - --layer last -o out.npy"],
)  # fmt: skip
def test_22_standard_input_that_is_wanted_is_missed(
    ready: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], arguments: str
) -> None:
    assert with_closed(monkeypatch, ("stdin",), arguments.split()) == 2
    said = capfd.readouterr()
    assert said.err.count("error[E401]") == 1
    assert "Traceback" not in said.err
    assert not (ready / "out.npy").exists()


@pytest.mark.parametrize("arguments", ["shapes -", "apply net.yaml - -o out.npy"])
def test_22_so_it_is_by_a_process(ready: Path, arguments: str) -> None:
    assert_refused(redirected("<&-", *arguments.split()), "E401")
    assert not (ready / "out.npy").exists()


@pytest.mark.parametrize(
    "arguments",
    ["shapes net.yaml", "matrix net.yaml -o -", "apply net.yaml x.npy --forward -o -"],
)
def test_22_standard_input_that_is_not_wanted_is_not(ready: Path, run: Run, arguments: str) -> None:
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
def test_22_with_all_closed_the_status_still_tells(
    ready: Path, arguments: str, status: int
) -> None:
    assert redirected("<&- >&- 2>&-", *arguments.split()) == Outcome(status, b"", b"")


@pytest.mark.parametrize("arguments", ["nonsense", "explain E999", "shapes -x"])
def test_22_without_standard_error_a_wrong_use_does_not_go_to_the_data(
    folder: Path, arguments: str
) -> None:
    assert redirected("2>&-", *arguments.split()) == Outcome(2, b"", b"")


@pytest.mark.parametrize(
    "arguments", ["shapes net.yaml", "explain E105", "apply net.yaml y.npy -o -"]
)
def test_22_closed_standard_output_is_one_error_of_a_process(ready: Path, arguments: str) -> None:
    assert_refused(redirected(">&-", *arguments.split()), "E402")


def test_22_closed_standard_output_does_not_matter_to_a_file(ready: Path) -> None:
    outcome = redirected(">&-", "apply", "net.yaml", "y.npy", "-o", "out.npy")
    assert (outcome.status, outcome.err) == (0, "")
    assert np.load("out.npy").shape == (1, 4, 4)


@pytest.mark.parametrize(
    ("arguments", "redirection"),
    [
        ("shapes none.yaml", "2>&-"),
        ("shapes none.yaml", "2>/dev/full"),
        ("bogus", "2>/dev/full"),
        ("bogus", "2> >(true)"),
        ("shapes -h=", "2>/dev/full"),
    ],
)
def test_22_standard_error_that_cannot_be_written_changes_no_status(
    folder: Path, arguments: str, redirection: str
) -> None:
    outcome = redirected(redirection, *arguments.split())
    assert (outcome.status, outcome.out) == (2, "")


@pytest.mark.parametrize(
    ("command", "kind"), [("check", "pipe"), ("shapes", "device"), ("table", "socket")]
)
def test_22_a_stream_in_a_folder_of_specs_is_not_waited_for(
    shell: Shell, run: Run, folder: Path, command: str, kind: str
) -> None:
    """A folder stands for the files in it; a pipe that is named itself is read."""
    inside = folder / "specs"
    inside.mkdir()
    (inside / "net.yaml").write_text("input: [1, 4]\nlayers: [{type: relu}]", encoding="utf-8")
    expected = run(command, "specs")
    if kind == "pipe":
        os.mkfifo(inside / "x.yaml")
    elif kind == "device":
        (inside / "x.yaml").symlink_to("/dev/zero")
    else:
        with socket.socket(socket.AF_UNIX) as listening:
            listening.bind("specs/x.yaml")
    assert shell(command, "specs") == expected
    assert expected.status == 0


def test_22_a_folder_of_nothing_but_a_pipe_cannot_be_read(shell: Shell, folder: Path) -> None:
    (folder / "specs").mkdir()
    os.mkfifo(folder / "specs" / "x.yaml")
    outcome = shell("shapes", "specs")
    assert_refused(outcome, "E401")
