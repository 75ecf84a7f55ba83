"""Several writers of one file at once: one result is whole.

Without --force a result is published by a link, so that of several writers one succeeds and the
others are told that the file exists already; with it the last one wins, whole.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from scipy.sparse import load_npz

from convt_cli.errors import FileError
from convt_cli.io.writing import output
from tests.conftest import Outcome, Run, assert_quiet, assert_refused, command_line, environment
from tests.faults.outputs import FILES, Output, write_inputs


@pytest.fixture
def ready(folder: Path) -> Path:
    """The folder with what the commands read."""
    return write_inputs(folder)


def listed(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


@pytest.mark.parametrize("one", FILES)
def test_18_a_target_that_appears_while_convt_works_is_not_replaced(
    run: Run, ready: Path, monkeypatch: pytest.MonkeyPatch, one: Output
) -> None:
    link = os.link

    def late(source: str, target: str) -> None:
        Path(target).write_bytes(b"of somebody faster")
        link(source, target)

    names = listed(ready)
    monkeypatch.setattr(os, "link", late)
    assert_refused(run(*one.arguments(one.name)), "E403")
    assert Path(one.name).read_bytes() == b"of somebody faster"
    assert listed(ready) == names | {one.name}


def test_18_of_two_writers_at_once_the_first_wins(tmp_path: Path) -> None:
    def both(target: str) -> None:
        with output(target, force=False) as slow:
            slow.write(b"slow")
            with output(target, force=False) as fast:
                fast.write(b"fast")

    with pytest.raises(FileError) as caught:
        both(str(tmp_path / "out"))
    assert caught.value.code == "E403"
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
    assert (tmp_path / "out").read_bytes() == b"fast"


def test_18_of_two_writers_with_force_the_last_one_wins_whole(tmp_path: Path) -> None:
    target = str(tmp_path / "out")
    with output(target, force=True) as slow:
        slow.write(b"slow" * 100)
        with output(target, force=True) as fast:
            fast.write(b"fast")
    assert (tmp_path / "out").read_bytes() == b"slow" * 100


def at_once(*commands: tuple[str, ...]) -> list[Outcome]:
    """What convt comes to on several command lines, all started before any has ended."""
    started = [
        subprocess.Popen(
            command_line(*command),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment(OPENBLAS_NUM_THREADS="1"),
        )
        for command in commands
    ]
    outputs = [process.communicate(timeout=60) for process in started]
    return [Outcome(process.returncode, *both) for process, both in zip(started, outputs)]


def test_18_of_many_processes_without_force_exactly_one_writes(ready: Path) -> None:
    commands = [
        ("matrix", "net.yaml", "--input", f"1,{size},{size}", "-o", "C.npz") for size in range(4, 7)
    ]
    outcomes = at_once(*commands)
    (winner,) = (number for number, outcome in enumerate(outcomes) if outcome.status == 0)
    for outcome in outcomes:
        if outcome is not outcomes[winner]:
            assert_refused(outcome, "E403")
    assert load_npz("C.npz").shape[1] == range(4, 7)[winner] ** 2
    assert list(ready.glob(".convt-*")) == []


def test_18_of_many_processes_with_force_all_write_and_one_result_is_whole(ready: Path) -> None:
    sizes = range(4, 7)
    commands = [
        ("matrix", "net.yaml", "--input", f"1,{n},{n}", "-o", "C.npz", "--force") for n in sizes
    ]
    for outcome in at_once(*commands):
        assert_quiet(outcome)
    assert load_npz("C.npz").shape[1] in {n**2 for n in sizes}
    assert list(ready.glob(".convt-*")) == []


MAKEFILE = """\
CONVT = {convt}
SIZES = 4 5
DIFFERENT = $(SIZES:%=C%.npz) $(SIZES:%=S%.json)
SAME = $(SIZES:%=same%)

all: $(DIFFERENT) $(SAME)
C%.npz: net.yaml
\t$(CONVT) matrix net.yaml --input 1,$*,$* -o $@ --force
S%.json: net.yaml
\t$(CONVT) shapes net.yaml --input 1,$*,$* --format json -o $@ --force
$(SAME): same%: net.yaml
\t$(CONVT) shapes net.yaml --input 1,$*,$* --format json -o same.json --force
.PHONY: all $(SAME)
"""


@pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")
def test_18_make_with_many_jobs_gets_every_file_whole(run: Run, ready: Path) -> None:
    text = MAKEFILE.format(convt=f"{sys.executable} -m convt_cli")
    Path("Makefile").write_text(text, encoding="utf-8")
    env = environment(OPENBLAS_NUM_THREADS="1") | {"MAKEFLAGS": "", "MAKELEVEL": ""}
    done = subprocess.run(
        ["make", "-s", "-j6"], env=env, capture_output=True, timeout=120, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    expected = {n: shapes_of(run, n) for n in (4, 5)}
    assert {n: Path(f"S{n}.json").read_bytes() for n in expected} == expected
    assert Path("same.json").read_bytes() in expected.values()
    assert [load_npz(f"C{n}.npz").shape[1] for n in expected] == [n**2 for n in expected]
    assert list(ready.glob(".convt-*")) == []


def shapes_of(run: Run, size: int) -> bytes:
    """The shapes of the network for an input of that size."""
    return run("shapes", "net.yaml", "--input", f"1,{size},{size}", "--format", "json").stdout
