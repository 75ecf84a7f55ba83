"""Targets that cannot be written are refused, and odd names are written as any other.

A folder without permission, a file system that is read-only, a target without permission, a link
to nowhere or to itself, a folder, and names with newlines, with bytes of no encoding or with a
dash in front.
"""

from __future__ import annotations

import errno
import os
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from convt_cli.commands import main
from convt_cli.errors import FileError
from convt_cli.files.arrays import write_array
from convt_cli.io.writing import output
from tests.conftest import Outcome, Run, assert_quiet, assert_refused
from tests.faults.outputs import FILES, Output, write_inputs
from tests.faults.rows import trying

OLD = b"what stood there before"
NOBODY = 65534


@pytest.fixture
def ready(folder: Path) -> Path:
    """The folder with what the commands read."""
    return write_inputs(folder)


@pytest.fixture
def powerless(one: Output, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder with what the commands read, for a user whom its permissions bind.

    The command has run once before, for that user might not be able to read what it imports.
    """
    with tempfile.TemporaryDirectory() as name:
        place = write_inputs(Path(name))
        monkeypatch.chdir(place)
        main.run(one.arguments(one.name))
        Path(one.name).unlink()
        root = os.geteuid() == 0
        if root:
            for path in (place, *place.iterdir()):
                os.chown(path, NOBODY, NOBODY)
            os.seteuid(NOBODY)
        try:
            yield place
        finally:
            if root:
                os.seteuid(0)
            place.chmod(0o700)
            monkeypatch.undo()


def write_bytes(path: str | Path, force: bool) -> None:
    with output(str(path), force=force) as file:
        file.write(b"new")


def listed(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


@pytest.mark.parametrize("one", FILES)
def test_19_what_there_is_no_permission_for_is_refused(
    run: Run, powerless: Path, one: Output
) -> None:
    """With --force a target is replaced, as by mv: that takes permission of the folder alone."""
    run(*one.arguments("other-" + one.name))
    powerless.chmod(0o555)
    assert_not_permitted(run(*one.arguments(one.name)))
    powerless.chmod(0o755)
    Path(one.name).write_bytes(OLD)
    names = listed(powerless)
    powerless.chmod(0o555)
    assert_not_permitted(run(*one.arguments(one.name, force=True)))
    powerless.chmod(0o755)
    assert listed(powerless) == names
    assert Path(one.name).read_bytes() == OLD
    Path(one.name).chmod(0o444)
    assert_refused(run(*one.arguments(one.name)), "E403")
    assert Path(one.name).read_bytes() == OLD
    assert run(*one.arguments(one.name, force=True)).status == 0
    assert Path(one.name).read_bytes() == Path("other-" + one.name).read_bytes()
    assert stat.S_IMODE(Path(one.name).stat().st_mode) == 0o444


def assert_not_permitted(outcome: Outcome) -> None:
    assert_refused(outcome, "E402")
    assert "permission denied" in outcome.err


@pytest.mark.parametrize("force", [True, False])
def test_19_a_file_system_that_is_read_only_is_refused(
    run: Run, ready: Path, monkeypatch: pytest.MonkeyPatch, force: bool
) -> None:
    def read_only(path: str, flags: int, mode: int = 0o777) -> int:
        if flags & os.O_CREAT:
            raise OSError(errno.EROFS, os.strerror(errno.EROFS))
        return opened(path, flags, mode)

    opened = os.open
    monkeypatch.setattr(os, "open", read_only)
    outcome = run("shapes", "net.yaml", "-o", "out.txt", *(["--force"] if force else []))
    assert_refused(outcome, "E402")
    assert "read-only file system" in outcome.err


@pytest.mark.parametrize("one", FILES)
def test_19_where_no_file_can_be_made_is_refused(run: Run, ready: Path, one: Output) -> None:
    """A folder that is missing, a folder's own name, and where not even root can write."""
    Path(one.name).mkdir()
    names = listed(ready)
    places = [("missing/", "E402"), ("", "E403")]
    if Path("/proc/self").exists():
        places.append(("/proc/", "E402"))
    for place, code in places:
        for force in (False, True):
            with trying(place, force):
                outcome = run(*one.arguments(f"{place}{one.name}", force=force))
                assert_refused(outcome, "E402" if force else code)
    assert listed(ready) == names
    assert list(Path(one.name).iterdir()) == []


@pytest.mark.parametrize("one", FILES)
def test_19_a_link_to_nowhere_exists_and_with_force_its_target_is_made(
    run: Run, ready: Path, one: Output
) -> None:
    Path(one.name).symlink_to("made-" + one.name)
    assert_refused(run(*one.arguments(one.name)), "E403")
    assert not Path("made-" + one.name).exists()
    assert run(*one.arguments(one.name, force=True)).status == 0
    assert Path(one.name).is_symlink()
    assert Path("made-" + one.name).stat().st_size


@pytest.mark.parametrize(("goal", "code"), [("itself", "E403"), ("missing/out", "E403")])
def test_19_a_link_that_leads_nowhere_is_refused(
    run: Run, ready: Path, goal: str, code: str
) -> None:
    Path("link").symlink_to("link" if goal == "itself" else goal)
    assert_refused(run("shapes", "net.yaml", "-o", "link"), code)
    names = listed(ready)
    outcome = run("shapes", "net.yaml", "-o", "link", "--force")
    if goal != "itself":
        assert_refused(outcome, "E402")
    assert listed(ready) == names


def test_19_a_link_to_a_file_stays_and_the_file_is_replaced(run: Run, ready: Path) -> None:
    Path("real").write_bytes(OLD)
    Path("link").symlink_to("real")
    assert_quiet(run("shapes", "net.yaml", "-o", "link", "--force"))
    assert Path("link").is_symlink()
    assert Path("real").read_bytes() != OLD


@pytest.mark.parametrize("name", ["", "new/"])
def test_19_a_name_that_only_a_folder_can_have_is_refused(folder: Path, name: str) -> None:
    with pytest.raises(FileError):
        write_bytes(name, force=False)
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("name", ["missing/out", "file/out", "x" * 300, "a\0b"], ids=ascii)
@pytest.mark.parametrize("force", [True, False])
def test_19_where_nothing_can_be_written_is_refused(tmp_path: Path, name: str, force: bool) -> None:
    (tmp_path / "file").write_bytes(OLD)
    with pytest.raises(FileError) as caught:
        write_bytes(tmp_path / name, force)
    assert caught.value.code == "E402"
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


ODD = [os.fsdecode(b"\xff\n"), "-o", "a\nb", "a b", "--", "~", "é日𝕏", "%s", "$(x)", "a'b"]


@pytest.mark.parametrize("one", FILES)
def test_19_a_command_writes_any_name(run: Run, ready: Path, one: Output) -> None:
    for odd in ODD[:2]:
        with trying(odd):
            names = listed(ready)
            name = odd + Path(one.name).suffix
            target = f"./{name}" if name.startswith("-") else name
            outcome = run(*one.arguments(target))
            assert (outcome.status, outcome.codes) == (0, [])
            assert listed(ready) == names | {name}
            again = run(*one.arguments(target))
            assert_refused(again, "E403")
            assert_lines_are_printable(again)


@pytest.mark.parametrize("name", [*ODD, "x" * 251, "日" * 83], ids=ascii)
def test_19_an_array_is_written_to_any_name_that_a_file_can_have(tmp_path: Path, name: str) -> None:
    write_array(str(tmp_path / f"{name}.npy"), np.ones(3), force=False)
    assert [path.name for path in tmp_path.iterdir()] == [f"{name}.npy"]


def assert_lines_are_printable(outcome: Outcome) -> None:
    """A strange name is shown in a line that any terminal can take."""
    lines = outcome.err.splitlines()
    assert all(line.isprintable() for line in lines)
    assert 1 <= len(lines) <= 2


@pytest.mark.parametrize("command", ["shapes", "check", "deps", "matrix --dry-run"])
def test_19_a_spec_may_have_any_name(run: Run, ready: Path, command: str) -> None:
    for odd in ODD:
        with trying(odd):
            name = f"{odd}.yaml"
            Path(name).write_bytes(Path("net.yaml").read_bytes())
            outcome = run(*command.split(), "--", name)
            unspeakable = command == "deps" and set("\n~%$()'") & set(name) - {"$"}
            assert outcome.status == (2 if unspeakable else 0)
            assert "Traceback" not in outcome.err


def test_19_names_may_begin_with_a_dash(run: Run, ready: Path) -> None:
    Path("-net.yaml").write_bytes(Path("net.yaml").read_bytes())
    arguments = ("shapes", "--format", "csv", "-o", "-x.csv", "--", "-net.yaml")
    assert_quiet(run(*arguments))
    assert Path("-x.csv").read_text(encoding="utf-8").startswith("spec,layer,")
