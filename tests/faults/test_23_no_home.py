"""No home, no working folder, no variables and no place for caches: convt needs none of them."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.conftest import PACKAGE, Outcome, Run, command_line, environment
from tests.faults.outputs import NEEDS, SAID, STREAMS, write_inputs

COMMANDS = [
    "shapes net.yaml",
    "check net.yaml",
    "table",
    "solve --input-size 4 --output-size 2",
    "matrix net.yaml -o -",
    "apply net.yaml y.npy -o -",
    "verify net.yaml",
    pytest.param("import m.onnx -o -", marks=NEEDS["import"]),
]


@pytest.fixture
def ready(folder: Path) -> Path:
    """The folder with what the commands read."""
    return write_inputs(folder)


def process(*command: str, env: dict[str, str], cwd: Path | None = None) -> Outcome:
    """What a process comes to."""
    done = subprocess.run(command, env=env, cwd=cwd, capture_output=True, timeout=60, check=False)
    return Outcome(done.returncode, done.stdout, done.stderr)


@pytest.mark.parametrize(
    ("command", "home"), [("shapes net.yaml", None), ("apply net.yaml y.npy -o -", "/proc")]
)
def test_23_no_home_is_needed(ready: Path, run: Run, command: str, home: str | None) -> None:
    env = {name: value for name, value in environment().items() if name != "HOME"}
    env |= {} if home is None else {"HOME": home}
    assert process(*command_line(*command.split()), env=env) == run(*command.split())


@pytest.mark.parametrize("command", COMMANDS[::2])
def test_23_no_variable_is_needed(ready: Path, run: Run, command: str) -> None:
    env = {"PYTHONPATH": str(PACKAGE.parent)}
    expected = run(*command.split())
    assert process(*command_line(*command.split()), env=env) == expected
    assert (expected.status, expected.err) == (0, "")


@pytest.mark.slow
@pytest.mark.parametrize("command", [*SAID[1::3], *STREAMS[::3]])
def test_23_no_command_needs_a_home_that_can_be_written(ready: Path, command: str) -> None:
    names = {path.name for path in ready.iterdir()}
    env = environment(HOME="/proc", XDG_CACHE_HOME="/proc", XDG_CONFIG_HOME="/proc")
    env.pop("MPLCONFIGDIR", None)
    outcome = process(*command_line(*command.split()), env=env)
    assert outcome.status == 0
    assert "Traceback" not in outcome.err
    assert {path.name for path in ready.iterdir()} == names


@pytest.mark.parametrize(
    "command",
    ["shapes FOLDER/net.yaml", "table",
     "apply FOLDER/net.yaml FOLDER/y.npy -o FOLDER/out.npy", "deps FOLDER/net.yaml -o FOLDER/d"],
    ids=lambda command: command.split()[0],
)  # fmt: skip
def test_23_a_working_folder_that_is_gone_is_not_needed(ready: Path, command: str) -> None:
    arguments = command.replace("FOLDER", str(ready)).split()
    script = 'mkdir gone && cd gone && rmdir ../gone && exec "$@"'
    outcome = process("sh", "-c", script, "sh", *command_line(*arguments), env=environment())
    assert (outcome.status, outcome.err) == (0, "")


def test_23_a_file_in_a_working_folder_that_is_gone_cannot_be_written(ready: Path) -> None:
    script = 'mkdir gone && cd gone && rmdir ../gone && exec "$@"'
    arguments = ("shapes", str(ready / "net.yaml"), "-o", "out.txt")
    outcome = process("sh", "-c", script, "sh", *command_line(*arguments), env=environment())
    assert (outcome.status, outcome.codes, outcome.out) == (2, ["E402"], "")
    assert "Traceback" not in outcome.err


@pytest.fixture(scope="module")
def sealed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the package, in which nothing can be written: a file stands for each cache."""
    folder = tmp_path_factory.mktemp("sealed")
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(PACKAGE, folder / "convt_cli", ignore=ignored)
    for path in [*folder.rglob("*/")]:
        if path.is_dir():
            (path / "__pycache__").touch()
            path.chmod(0o555)
    where = "import convt_cli, sys; sys.stdout.write(convt_cli.__file__)"
    env = environment(PYTHONPATH=str(folder))
    assert process(sys.executable, "-c", where, env=env, cwd=Path("/")).out.startswith(str(folder))
    return folder


@pytest.mark.parametrize("command", COMMANDS[3::2])
def test_23_the_package_may_lie_where_nothing_can_be_written(
    ready: Path, run: Run, sealed: Path, command: str
) -> None:
    env = environment(PYTHONPATH=str(sealed))
    before = contents(sealed)
    assert process(*command_line(*command.split()), env=env) == run(*command.split())
    assert contents(sealed) == before


def contents(folder: Path) -> list[tuple[str, int]]:
    return sorted((os.fspath(path), path.stat().st_size) for path in folder.rglob("*"))


def test_23_no_command_writes_beside_what_it_was_asked_to(ready: Path, run: Run) -> None:
    before = contents(ready)
    assert run("apply", "net.yaml", "y.npy", "-o", "out.npy").status == 0
    assert [entry for entry in contents(ready) if entry not in before] == [
        (str(ready / "out.npy"), (ready / "out.npy").stat().st_size)
    ]
    assert np.load("out.npy").shape == (1, 4, 4)
