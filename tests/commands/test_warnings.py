"""A warning: every command shows it once, on standard error, and does what it was asked to."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.conftest import Outcome, Run, WriteSpec, assert_refused

DOUBTFUL = """
    framework: keras
    input: [16, 16, 3]
    layers:
      - {type: conv, out_channels: 1, kernel_size: 3, weight: {fill: ones}}
    """
MEANT = DOUBTFUL.replace("[16, 16, 3]", "[3, 16, 16]")
HEAD = "net.yaml:3:8: warning[W001]: "

COMMANDS = {
    "shapes": ("shapes", "net.yaml"),
    "table": ("table", "net.yaml"),
    "compare": ("compare", "net.yaml"),
    "diff": ("diff", "net.yaml", "nn.Conv2d(16, 1, 3)", "--input", "16,16,3"),
    "verify": ("verify", "net.yaml"),
    "diagnose": ("diagnose", "net.yaml", "--layer", "conv1", "--x", "x.npy", "--y", "made.npy"),
    "analyze": ("analyze", "net.yaml"),
    "matrix": ("matrix", "net.yaml", "-o", "out.npz"),
    "apply": ("apply", "net.yaml", "x.npy", "--forward", "-o", "out.npy"),
    "run": ("run", "net.yaml", "x.npy", "-o", "out.npy"),
    "invert": ("invert", "net.yaml", "y.npy", "-o", "out.npy"),
    "reconstruct": ("reconstruct", "net.yaml", "x.npy", "--layer", "conv1", "-o", "out.npy"),
    "stimulus": ("stimulus", "net.yaml", "--layer", "conv1", "--unit", "0,0,0"),
    "solve": ("solve", "--sizes", "net.yaml"),
    "deps": ("deps", "net.yaml"),
}
"""Every command that reads a spec, `check` aside: its findings are on standard output."""


@pytest.fixture
def _arrays(folder: Path) -> None:
    np.save(folder / "x.npy", np.ones((16, 16, 3)))
    np.save(folder / "y.npy", np.ones((1, 14, 1)))
    np.save(folder / "made.npy", np.full((1, 14, 1), 9 * 16.0))


def assert_warned_once(outcome: Outcome) -> None:
    """Nothing was wrong, and one warning with its line and its remedy is on standard error."""
    assert outcome.status == 0, outcome.err
    assert outcome.codes == []
    assert outcome.err.count("warning[") == 1
    begin = outcome.err.index(HEAD)
    lines = outcome.err[begin:].splitlines()
    assert lines[2] == "3 | input: [16, 16, 3]"
    assert lines[3].startswith("  |        ^^^^^^^^^^^ ")
    assert lines[4].startswith("  = help: ")
    assert lines[4].endswith("`convt explain W001` says why")


class TestEveryCommand:
    @pytest.mark.usefixtures("_arrays")
    @pytest.mark.parametrize("arguments", COMMANDS.values(), ids=COMMANDS)
    def test_shows_it_once_and_goes_on(
        self, run: Run, spec: WriteSpec, arguments: tuple[str, ...]
    ) -> None:
        spec(DOUBTFUL)
        assert_warned_once(run(*arguments))

    @pytest.mark.parametrize("command", ["shapes", "table", "compare", "verify", "analyze"])
    def test_lists_it_among_the_problems_of_its_document(
        self, run: Run, spec: WriteSpec, command: str
    ) -> None:
        outcome = run(command, spec(DOUBTFUL), "--format", "json")
        (problem,) = outcome.document["problems"]
        assert (outcome.status, problem["code"], problem["severity"]) == (0, "W001", "warning")

    def test_shows_it_once_for_each_spec(self, run: Run, spec: WriteSpec) -> None:
        outcome = run("shapes", spec(DOUBTFUL), spec(MEANT, "b.yaml"), spec(DOUBTFUL, "c.yaml"))
        assert (outcome.status, outcome.err.count("warning[W001]")) == (0, 2)

    def test_writes_its_file_whole(self, run: Run, spec: WriteSpec, folder: Path) -> None:
        printed = run("shapes", spec(DOUBTFUL))
        assert_warned_once(run("shapes", "net.yaml", "-o", "out"))
        assert (folder / "out").read_bytes() == printed.stdout

    def test_explains_its_code(self, run: Run) -> None:
        assert run("explain", "W001").out.startswith("W001: ")


class TestCheck:
    @pytest.mark.parametrize("output_format", ["text", "json"])
    def test_finds_it_and_passes(self, run: Run, spec: WriteSpec, output_format: str) -> None:
        outcome = run("check", spec(DOUBTFUL), "--format", output_format)
        assert (outcome.status, outcome.err) == (0, "")
        assert outcome.out.count("W001") >= 1

    def test_its_last_line_counts_it(self, run: Run, spec: WriteSpec) -> None:
        outcome = run("check", spec(DOUBTFUL))
        assert outcome.out.startswith(HEAD)
        assert outcome.out.endswith("\nchecked 1 spec: no problems, 1 warning\n")

    @pytest.mark.parametrize(
        ("names", "status", "last"),
        [
            ("net.yaml net.yaml", 0, "checked 2 specs: no problems, 2 warnings"),
            ("net.yaml bad.yaml", 1, "checked 2 specs: 1 problem in 1 of them, 1 warning"),
            ("both.yaml", 1, "checked 1 spec: 1 problem, 1 warning"),
            ("bad.yaml", 1, "checked 1 spec: 1 problem"),
            ("meant.yaml", 0, "checked 1 spec: no problems"),
        ],
    )
    def test_errors_and_warnings_are_counted_apart(
        self, run: Run, spec: WriteSpec, names: str, status: int, last: str
    ) -> None:
        spec(DOUBTFUL)
        spec(MEANT, "meant.yaml")
        spec(MEANT.replace("kernel_size: 3", "kernel_size: 99"), "bad.yaml")
        spec(DOUBTFUL.replace("kernel_size: 3", "kernel_size: 99"), "both.yaml")
        outcome = run("check", *names.split())
        assert (outcome.status, outcome.out.splitlines()[-1]) == (status, last)

    def test_only_a_warning_names_its_severity(self, run: Run, spec: WriteSpec) -> None:
        spec(DOUBTFUL.replace("kernel_size: 3", "kernel_size: 99"))
        problems = run("check", "net.yaml", "--format", "json").document["problems"]
        assert [(one["code"], one.get("severity")) for one in problems] == [
            ("W001", "warning"),
            ("E110", None),
        ]


class TestInputOption:
    @pytest.mark.parametrize("command", ["shapes", "table", "analyze"])
    @pytest.mark.parametrize("text", ["16,16", "input=16,16", "1,3,16,16"])
    def test_another_number_of_axes_is_an_error(
        self, run: Run, spec: WriteSpec, command: str, text: str
    ) -> None:
        assert_refused(run(command, spec(MEANT), "--input", text), "E503")

    def test_so_it_is_under_check(self, run: Run, spec: WriteSpec) -> None:
        outcome = run("check", spec(MEANT), "--input", "16,16")
        assert (outcome.status, outcome.codes) == (2, ["E503"])

    def test_so_it_is_for_one_of_several(self, run: Run, spec: WriteSpec) -> None:
        path = spec("input: {a: [1, 4, 4], b: [2, 4, 4]}\nlayers: [{type: concat, from: [a, b]}]")
        assert_refused(run("shapes", path, "--input", "a=1,8,8", "--input", "b=8,8"), "E503")
        assert run("shapes", path, "--input", "a=1,8,8", "--input", "b=2,8,8").status == 0

    def test_channels_last_is_a_warning_with_the_option_to_write(
        self, run: Run, spec: WriteSpec
    ) -> None:
        outcome = run("shapes", spec(MEANT), "--input", "32,48,3")
        assert "write --input 3,32,48; if not" in outcome.err
        assert (outcome.status, outcome.codes) == (0, [])
        assert run("shapes", "net.yaml", "--input", "3,32,48").err == ""
