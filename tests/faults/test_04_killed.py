"""SIGKILL at any time while writing: the old file or the new one, whole, and never a mixture.

A killed process cannot clean up: what it leaves is a temporary file beside the target, which is
in nobody's way.
"""

from __future__ import annotations

import random
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from tests.conftest import command_line, environment
from tests.faults.children import Children, children
from tests.faults.outputs import FEW_FILES, Output, write_inputs

OLD = b"what stood there before"

LARGE = """\
input: [1, 60, 60]
layers:
  - {type: conv, out_channels: 4, kernel_size: 3, weight: {fill: normal, seed: SEED}}
"""
"""A layer whose C takes a megabyte."""

LARGE_FILES = [
    pytest.param(Output("matrix SPEC -o TARGET", "C.npz"), id="matrix npz"),
    pytest.param(Output("matrix SPEC --compress -o TARGET", "C.npz"), id="matrix compressed"),
    pytest.param(Output("matrix SPEC --sparse-format coo -o TARGET", "C.npz"), id="matrix coo"),
    pytest.param(Output("matrix SPEC -o TARGET", "C.mtx"), id="matrix mtx"),
    pytest.param(Output("apply SPEC y.npy -o TARGET", "x.npy"), id="apply by tiles"),
    pytest.param(Output("apply SPEC y.npy -o TARGET", "x.npz"), id="apply npz"),
    pytest.param(Output("apply SPEC one.npy -o TARGET", "x.csv"), id="apply csv"),
    pytest.param(Output("shapes SPEC --format json -o TARGET", "out.json"), id="shapes json"),
]
SEEDS = range(8)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, Children]]:
    """A folder with what the commands read, and the process whose children work there."""
    folder = write_inputs(tmp_path_factory.mktemp("killed"))
    for seed in "01":
        text = LARGE.replace("SEED", seed)
        (folder / f"large{seed}.yaml").write_text(text, encoding="utf-8")
    np.save(folder / "y.npy", np.ones((16, 4, 58, 58)))
    np.save(folder / "one.npy", np.ones((4, 58, 58)))
    np.save(folder / "small.npy", np.arange(4.0).reshape(1, 2, 2))
    with children(folder) as process:
        yield folder, process


def written(process: Children, folder: Path, command: list[str], name: str) -> bytes:
    """What a command writes that nobody kills; and the process has imported what it needs."""
    process.warm(command)
    return (folder / name).read_bytes()


def temporary_files(folder: Path) -> list[Path]:
    return list(folder.glob(".convt-*.tmp"))


def small(one: Output, *, force: bool) -> list[str]:
    """The command on the small array."""
    command = one.arguments(one.name, force=force)
    return ["small.npy" if word == "y.npy" else word for word in command]


@pytest.mark.parametrize("before", [OLD, None], ids=["old", "none"])
@pytest.mark.parametrize("one", FEW_FILES)
def test_04_killed_before_any_call_it_leaves_the_old_file_or_the_new_one(
    place: tuple[Path, Children], one: Output, before: bytes | None
) -> None:
    folder, process = place
    target = folder / one.name
    new = written(process, folder, small(one, force=True), one.name)
    found: list[bytes | None] = []
    for call in range(1000):
        target.unlink()
        if before is not None:
            target.write_bytes(before)
        status = process.ended_at_call(small(one, force=before is not None), call, signal.SIGKILL)
        found.append(target.read_bytes() if target.exists() else None)
        if status == 0:
            break
        assert status == -signal.SIGKILL
        target.touch()
    first_new = found.index(new)
    assert found == [before] * first_new + [new] * (len(found) - first_new)
    assert first_new >= 5  # open, write, fsync, close, replace or link
    assert temporary_files(folder)
    assert written(process, folder, small(one, force=True), one.name) == new
    remove_temporary_files(folder)


def remove_temporary_files(folder: Path) -> None:
    for path in temporary_files(folder):
        path.unlink()


WHOLE: dict[Output, frozenset[bytes]] = {}
"""What each command writes that nobody kills."""


def killed(place: tuple[Path, Children], one: Output, seed: int) -> None:
    """Kill a child that writes two files in turn to one name, and look at what it left."""
    folder, process = place
    target = folder / one.name
    commands = [
        [word.replace("SPEC", f"large{n}.yaml") for word in one.arguments(one.name, force=True)]
        for n in range(2)
    ]
    if one not in WHOLE:
        WHOLE[one] = frozenset(written(process, folder, command, one.name) for command in commands)
    assert len(WHOLE[one]) == 2
    target.write_bytes(OLD)
    delay = random.Random(seed).uniform(0, 0.05)
    assert process.ended_after(commands, delay, signal.SIGKILL) == -signal.SIGKILL
    assert target.read_bytes() in {OLD, *WHOLE[one]}
    if temporary_files(folder):
        assert written(process, folder, commands[0], one.name) in WHOLE[one]
        remove_temporary_files(folder)


@pytest.mark.parametrize("one", LARGE_FILES)
def test_04_killed_at_a_random_time_it_leaves_a_whole_file(
    place: tuple[Path, Children], one: Output
) -> None:
    killed(place, one, -1)


@pytest.mark.slow
@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("one", LARGE_FILES)
def test_04_killed_many_times_it_leaves_a_whole_file(
    place: tuple[Path, Children], one: Output, seed: int
) -> None:
    killed(place, one, seed)


@pytest.mark.parametrize("share", [0.3, 1])
def test_04_a_stream_whose_writer_is_killed_replaces_nothing(
    place: tuple[Path, Children], tmp_path: Path, share: float
) -> None:
    """One convt writes an array into another; the first is killed at a share of its bytes."""
    folder, _ = place
    for name in ("net.yaml", "w.npy"):
        shutil.copy(folder / name, tmp_path)
    np.save(tmp_path / "x.npy", np.ones((1_000, 1, 4, 4)))
    (tmp_path / "out.npy").write_bytes(OLD)
    size = 128 + 1_000 * 4 * 8
    first = ("apply", "net.yaml", "x.npy", "--forward", "-o", "-")
    second = ("apply", "net.yaml", "-", "-o", "out.npy", "--force")
    with (
        subprocess.Popen(
            command_line(*first), cwd=tmp_path, stdout=subprocess.PIPE, env=environment()
        ) as writer,
        subprocess.Popen(
            command_line(*second),
            cwd=tmp_path,
            stdin=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment(),
        ) as reader,
    ):
        assert writer.stdout is not None
        part = writer.stdout.read(int(share * size))
        writer.kill()
        _, errors = reader.communicate(part, timeout=60)
    if share < 1:
        assert (reader.returncode, errors.count(b"error[E303]")) == (2, 1)
        assert (tmp_path / "out.npy").read_bytes() == OLD
    else:
        assert (reader.returncode, errors) == (0, b"")
        assert np.load(tmp_path / "out.npy").shape == (1_000, 1, 4, 4)
    assert temporary_files(tmp_path) == []
