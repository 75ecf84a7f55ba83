"""The group of commands: help, usage, exit statuses, signals, and what is imported for what."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import click
import pytest

import convt_cli
from convt_cli.commands.main import COMMANDS, group
from tests.conftest import (
    GUIDE,
    Outcome,
    Run,
    Shell,
    WriteSpec,
    assert_refused,
    command_line,
    environment,
)
from tests.rows import for_each

ARGUMENTS = {
    "shapes": ("net.yaml",),
    "check": ("net.yaml",),
    "table": ("net.yaml",),
    "matrix": ("net.yaml", "--dry-run"),
    "apply": ("net.yaml", "x.csv", "-o", "y.csv"),
    "run": ("net.yaml", "image.csv", "-o", "y.csv"),
    "deps": ("net.yaml",),
    "explain": ("E105",),
    "solve": ("--sizes", "net.yaml"),
    "compare": ("net.yaml",),
    "diff": ("net.yaml", "net.yaml"),
    "verify": ("net.yaml",),
    "diagnose": ("net.yaml", "--layer", "conv1", "--x", "image.csv", "--y", "made.csv"),
    "analyze": ("net.yaml",),
    "invert": ("net.yaml", "x.csv", "-o", "y.csv"),
    "reconstruct": ("net.yaml", "image.csv", "--layer", "conv1"),
    "stimulus": ("net.yaml", "--layer", "conv1", "--unit", "0,1,1"),
}
"""How each command does something useful.

x.csv is a 2 by 2 input, image.csv one of 4 by 4, and made.csv what the layer gives for that.
"""


def assert_usage(outcome: Outcome, message: str) -> None:
    """A request that was not understood: usage and the reason on standard error, status 2."""
    assert (outcome.status, outcome.out) == (2, "")
    assert outcome.err.startswith("Usage: convt ")
    assert message in outcome.err


class TestHelp:
    def test_the_version_is_said(self, run: Run) -> None:
        outcome = run("--version")
        assert (outcome.status, outcome.out) == (0, f"convt, version {convt_cli.__version__}\n")

    @pytest.mark.parametrize("option", ["-h", "--help"])
    def test_the_group_lists_every_command(self, run: Run, option: str) -> None:
        outcome = run(option)
        assert (outcome.status, outcome.err) == (0, "")
        listed = re.findall(r"^  (\w+)  ", outcome.out.partition("Commands:")[2], re.MULTILINE)
        assert listed == list(COMMANDS)

    @pytest.mark.parametrize("option", ["-h", "--help"])
    @pytest.mark.parametrize("command", COMMANDS)
    def test_every_command_has_help_with_an_example(
        self, run: Run, command: str, option: str
    ) -> None:
        outcome = run(command, option)
        assert (outcome.status, outcome.err) == (0, "")
        assert outcome.out.startswith(f"Usage: convt {command} ")
        assert re.search(rf"Example.*\n?[\s\S]*convt {command}\b", outcome.out.split("Options:")[1])

    @pytest.mark.parametrize("command", COMMANDS)
    def test_every_option_says_what_it_does(self, command: str) -> None:
        found = group.get_command(click.Context(group), command)
        parameters: list[Any] = [] if found is None else found.params
        options = [one for one in parameters if one.param_type_name == "option"]
        assert [one.name for one in options if not one.help] == []

    def test_every_command_is_tested_here(self) -> None:
        assert set(ARGUMENTS) == set(COMMANDS) - {"import"}  # of models: see test_import


class TestUsage:
    def test_nothing_asked_for_shows_the_help(self, run: Run) -> None:
        outcome = run()
        assert (outcome.status, outcome.out) == (2, "")
        assert "Commands:" in outcome.err

    @pytest.mark.parametrize(
        ("word", "suggested"), [("shape", "shapes"), ("chekc", "check"), ("matrx", "matrix")]
    )
    def test_a_misspelt_command_gets_a_suggestion(
        self, run: Run, word: str, suggested: str
    ) -> None:
        outcome = run(word)
        assert_usage(outcome, f"No such command '{word}'")
        assert f"'{suggested}'" in outcome.err

    @pytest.mark.parametrize("command", COMMANDS)
    def test_an_unknown_option_is_refused(self, run: Run, command: str) -> None:
        assert_usage(run(command, "--zzz"), "No such option")

    @pytest.mark.parametrize(
        "command", [name for name in COMMANDS if name not in ("table", "solve")]
    )
    def test_a_missing_argument_is_refused(self, run: Run, command: str) -> None:
        assert_usage(run(command), "Missing argument")

    @pytest.mark.parametrize("command", ["shapes", "check", "table", "matrix"])
    def test_an_unknown_format_is_refused(self, run: Run, command: str) -> None:
        assert_usage(run(command, "net.yaml", "--format", "xml"), "'xml' is not one of")

    @pytest.mark.parametrize("command", ["shapes", "check", "table", "matrix", "apply"])
    @for_each(
        "shape",
        [
            *("", "3,", "a", "3,x", "3,0", "0,3", "-1,3", "3,2.5", "3 4", "1,2,3,4,5"),
            *("3,1e3", "3,0x10", "3,٣", "3;4", "x=", "=", "a=b=c", "3," + "9" * 5000),
            "3,9007199254740993",
        ],
    )
    def test_a_shape_that_is_none_is_refused(self, run: Run, command: str, shape: str) -> None:
        arguments = ("net.yaml", *(("x.csv", "-o", "y.csv") if command == "apply" else ()))
        assert_usage(run(command, *arguments, "--input", shape), "--input")


class TestStatus:
    @pytest.mark.parametrize("command", ARGUMENTS)
    def test_is_0_where_all_is_well(
        self, run: Run, spec: WriteSpec, folder: Path, command: str
    ) -> None:
        spec(GUIDE)
        (folder / "x.csv").write_text("1,2\n3,4\n", encoding="utf-8")
        (folder / "image.csv").write_text("1,2,3,4\n" * 4, encoding="utf-8")
        (folder / "made.csv").write_text("196,241\n" * 2, encoding="utf-8")
        outcome = run(command, *ARGUMENTS[command])
        assert (outcome.status, outcome.err) == (0, "")

    @pytest.mark.parametrize("command", [name for name in ARGUMENTS if name != "explain"])
    def test_is_2_where_the_spec_cannot_be_read(self, run: Run, command: str) -> None:
        outcome = run(command, *ARGUMENTS[command])
        assert (outcome.status, {*outcome.codes}) == (2, {"E401"})

    @pytest.mark.parametrize("command", [name for name in ARGUMENTS if name != "explain"])
    def test_of_a_bad_spec_is_2_and_1_under_check(
        self, run: Run, spec: WriteSpec, command: str
    ) -> None:
        spec("input: [1, 4]\nlayers: [{type: rely}]")
        outcome = run(command, *ARGUMENTS[command])
        assert outcome.status == (1 if command == "check" else 2)
        assert "error[E104]" in (outcome.out if command == "check" else outcome.err)

    def test_of_memory_that_runs_out_is_2(self, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
        def fail(*_: object, **__: object) -> None:
            raise MemoryError

        monkeypatch.setattr("convt_cli.commands.table.guide_report", fail)
        assert_refused(run("table"), "E501")

    def test_of_an_interrupt_is_130(self, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
        def interrupt(*_: object, **__: object) -> None:
            raise KeyboardInterrupt

        monkeypatch.setattr("convt_cli.commands.table.guide_report", interrupt)
        outcome = run("table")
        assert (outcome.status, outcome.out, outcome.err.strip()) == (130, "", "")

    def test_the_handler_of_signals_is_put_back(self, run: Run) -> None:
        before = signal.getsignal(signal.SIGTERM)
        run("table")
        assert signal.getsignal(signal.SIGTERM) is before


def modules_after(code: str) -> set[str]:
    """The modules that a program has imported when it ends."""
    done = subprocess.run(
        [sys.executable, "-c", f"{code}\nimport sys; print(*sys.modules, file=sys.stderr)"],
        env=environment(),
        capture_output=True,
        check=True,
    )
    return set(done.stderr.decode().split())


class TestImports:
    @pytest.mark.parametrize(
        "command", ["shapes", "check", "table", "deps", "explain", "solve", "compare", "diff"]
    )
    def test_what_needs_no_arrays_imports_no_numpy(self, spec: WriteSpec, command: str) -> None:
        spec(GUIDE)
        arguments = [command, *ARGUMENTS[command]]
        code = f"from convt_cli.commands.main import run; assert run({arguments}) == 0"
        assert not modules_after(code) & {"numpy", "scipy"}

    @pytest.mark.parametrize("arguments", [["--help"], ["matrix", "--help"], ["apply", "--help"]])
    def test_help_imports_no_numpy(self, arguments: list[str]) -> None:
        code = f"from convt_cli.commands.main import run; assert run({arguments}) == 0"
        assert not modules_after(code) & {"numpy", "scipy"}

    def test_the_library_imports_nothing_before_it_is_used(self) -> None:
        assert not modules_after("import convt_cli") & {"numpy", "scipy", "click", "yaml", "rich"}

    def test_a_name_of_the_library_imports_what_it_needs(self) -> None:
        code = "import convt_cli; convt_cli.SpecError; assert 'conv_matrix' in dir(convt_cli)"
        assert "numpy" not in modules_after(code)
        assert "numpy" in modules_after("import convt_cli; convt_cli.conv_matrix")

    def test_an_unknown_name_of_the_library_is_an_attribute_error(self) -> None:
        with pytest.raises(AttributeError, match="no attribute 'conf_matrix'"):
            convt_cli.conf_matrix  # noqa: B018


class TestProcess:
    def test_the_module_runs_as_a_program(self, shell: Shell) -> None:
        outcome = shell("--version")
        assert (outcome.status, outcome.err) == (0, "")

    def test_the_status_is_the_process_s(self, shell: Shell, spec: WriteSpec) -> None:
        spec("input: [1, 4]\nlayers: [{type: relu, expect: [1, 5]}]")
        assert shell("check", "net.yaml").status == 1

    def test_garbage_is_looked_for_seldom_and_not_at_the_end(self, folder: Path) -> None:
        lines = (
            "import atexit, gc, sys",
            "from convt_cli.__main__ import main",
            "atexit.register(lambda: print(gc.get_threshold()[0], gc.get_freeze_count()))",
            "sys.argv[1:] = ['explain', 'E105']",
            "main()",
        )
        command = [sys.executable, "-c", "\n".join(lines)]
        done = subprocess.run(
            command, cwd=folder, env=environment(), capture_output=True, check=True
        )
        threshold, frozen = map(int, done.stdout.split()[-2:])
        assert threshold >= 10_000
        assert frozen >= 10_000

    def test_home_may_be_unset(self, folder: Path, spec: WriteSpec) -> None:
        variables = {key: value for key, value in environment().items() if key != "HOME"}
        command = command_line("shapes", spec(GUIDE))
        done = subprocess.run(command, env=variables, capture_output=True, check=False)
        assert (done.returncode, done.stderr) == (0, b"")
