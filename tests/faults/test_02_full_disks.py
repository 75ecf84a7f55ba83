"""Disks, devices and quotas that are full: status 2, one error, and no part of a file.

/dev/full is a device that is always full; RLIMIT_FSIZE is a quota; a file system of a few pages
is mounted where the system lets a user do so.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.conftest import Outcome, Run, assert_refused, command_line, environment
from tests.faults.outputs import FILES, SAID, STREAMS, Output, write_inputs

OLD = b"what stood there before"

needs_full = pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")


@pytest.fixture
def ready(folder: Path) -> Path:
    """The folder with what the commands read, and an array that makes a large result."""
    write_inputs(folder)
    np.save(folder / "many.npy", np.ones((2000, 1, 2, 2)))
    return folder


def listed(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


@needs_full
@pytest.mark.parametrize("one", FILES)
def test_02_a_full_device_is_refused(run: Run, ready: Path, one: Output) -> None:
    Path(one.name).symlink_to("/dev/full")
    outcome = run(*one.arguments(one.name))
    assert_refused(outcome, "E402")
    assert "no space left on device" in outcome.err
    assert Path(one.name).is_symlink()


@needs_full
@pytest.mark.parametrize("command", [*SAID, *STREAMS])
def test_02_full_standard_output_is_one_error_of_any_command(
    ready: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], command: str
) -> None:
    from convt_cli.commands import main

    with monkeypatch.context() as patch, open("/dev/full", "w", encoding="utf-8") as full:
        patch.setattr(sys, "stdout", full)
        status = main.run(command.split())
    errors = capfd.readouterr().err
    assert "Traceback" not in errors
    assert (status, errors.count("error[E402]")) == (2, 1)


@needs_full
@pytest.mark.parametrize(
    "command", ["table", "matrix net.yaml -o -", "apply net.yaml y.csv -o -", "--help"]
)
def test_02_full_standard_output_is_one_error_of_a_process(ready: Path, command: str) -> None:
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            command_line(*command.split()),
            stdout=full,
            stderr=subprocess.PIPE,
            env=environment(),
            check=False,
        )
    assert b"Traceback" not in done.stderr
    assert (done.returncode, done.stderr.count(b"error[E402]")) == (2, 1)


LARGE = [
    pytest.param("apply net.yaml many.npy -o TARGET", "out.npy", id="apply by tiles"),
    pytest.param(
        "apply net.yaml many.npy -o TARGET", "out.npz", id="apply npz", marks=pytest.mark.slow
    ),
    pytest.param(
        "matrix net.yaml --input 1,60,60 -o TARGET",
        "C.npz",
        id="matrix npz",
        marks=pytest.mark.slow,
    ),
    pytest.param("matrix net.yaml --input 1,60,60 -o TARGET", "C.mtx", id="matrix mtx"),
    pytest.param(
        "matrix folded.yaml --input 1,60,60 -o TARGET",
        "C.npz",
        id="matrix folded",
        marks=pytest.mark.slow,
    ),
    pytest.param(
        "table --type conv --input-size 1..2000 --kernel-size 3 --format json -o TARGET",
        "out.json",
        id="table",
    ),
]
"""Commands whose files are larger than what there is room for."""


def limited_file_size(*arguments: str) -> Outcome:
    """convt as a process whose files may be 10,000 bytes long."""
    code = (
        "import resource, sys; from convt_cli.commands.main import run;"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, 10_000));"
        "sys.exit(run(sys.argv[1:]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        env=environment(),
        capture_output=True,
        check=False,
    )
    return Outcome(done.returncode, done.stdout, done.stderr)


@pytest.mark.skipif(sys.platform == "win32", reason="there are no limits of that kind")
@pytest.mark.parametrize("before", [OLD, None], ids=["old", "none"])
@pytest.mark.parametrize(("command", "name"), LARGE)
def test_02_a_file_that_may_grow_no_further_is_left_as_it_was(
    ready: Path, command: str, name: str, before: bytes | None
) -> None:
    if before is not None:
        Path(name).write_bytes(before)
    names = listed(ready)
    arguments = Output(command, name).arguments(name, force=before is not None)
    assert_refused(limited_file_size(*arguments), "E402")
    assert listed(ready) == names
    assert before is None or Path(name).read_bytes() == before


def on_a_small_disk(*arguments: str) -> Outcome:
    """convt with `small` as a file system of its own, of 16 KiB, which this user mounts."""
    script = 'mount -t tmpfs -o size=16k none small && echo -n old > small/old && "$@"; echo $?'
    script += "; cat small/old; ls -A small"
    done = subprocess.run(
        ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", script, "sh",
         *command_line(*arguments)],
        env=environment(),
        capture_output=True,
        check=False,
    )  # fmt: skip
    return Outcome(done.returncode, done.stdout, done.stderr)


@pytest.fixture
def small_disk(ready: Path) -> None:
    """Skips where a user may not mount a file system, or there are none."""
    (ready / "small").mkdir()
    if shutil.which("unshare") is None:
        pytest.skip("there is no unshare")
    outcome = on_a_small_disk("--version")
    if not outcome.out.endswith("old\n"):
        pytest.skip("this user may mount nothing")


@pytest.mark.usefixtures("small_disk")
@pytest.mark.parametrize(("command", "name"), LARGE)
def test_02_a_small_disk_that_is_full_keeps_what_was_on_it(
    ready: Path, command: str, name: str
) -> None:
    suffix = os.path.splitext(name)[1]
    outcome = on_a_small_disk(*Output(command, name).arguments(f"small/new{suffix}"))
    assert outcome.codes == ["E402"]
    assert "Traceback" not in outcome.err
    assert outcome.out == "2\noldold\n"


@pytest.mark.parametrize("count", [1, 10_000])
def test_02_a_disk_without_room_for_a_matrix_is_seen_before_it_is_made(
    run: Run, ready: Path, monkeypatch: pytest.MonkeyPatch, count: int
) -> None:
    usage = shutil.disk_usage(ready)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=count))
    outcome = run("matrix", "net.yaml", "--input", "1,100,100", "-o", "C.npz")
    assert_refused(outcome, "E402")
    assert "needed" in outcome.err
    assert "there" in outcome.err
    assert not Path("C.npz").exists()
