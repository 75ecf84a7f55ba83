"""What a person or a spec names is opened, or refused with a reason that fits on one line."""

from __future__ import annotations

import io
import os
import stat
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from convt_cli.errors import FileError, shown
from convt_cli.io.reading import open_regular, read_bytes, reference_path
from tests.conftest import (
    GUIDE,
    Outcome,
    Run,
    WriteSpec,
    assert_quiet,
    assert_refused,
    command_line,
    environment,
)

SPEC = "input: [1, 4]\nlayers: [{type: conv, out_channels: 1, kernel_size: 3, weight: w.npy}]\n"

RUN = "import sys; from convt_cli.commands.main import run; sys.exit(run(sys.argv[1:]))"


def process(*command: str, stdin: bytes = b"") -> Outcome:
    """The outcome of a command that runs convt in its own way."""
    done = subprocess.run(
        command,
        input=stdin,
        capture_output=True,
        env=environment(OPENBLAS_NUM_THREADS="1"),
        check=False,
    )
    return Outcome(done.returncode, done.stdout, done.stderr)


class TestSpecs:
    @pytest.mark.parametrize("command", ["shapes", "check", "table", "deps"])
    @pytest.mark.parametrize("path", ["none.yaml", "none/net.yaml", "a\nb.yaml", "x" * 300])
    def test_one_that_cannot_be_read_is_refused(self, run: Run, command: str, path: str) -> None:
        outcome = run(command, path)
        assert (outcome.status, outcome.codes) == (2, ["E401"])
        assert len(outcome.err.splitlines()) == 2

    @pytest.mark.parametrize("command", ["shapes", "check", "table"])
    def test_a_name_longer_than_any_file_s_is_refused(self, run: Run, command: str) -> None:
        assert run(command, "x" * 5000).codes == ["E401"]

    @pytest.mark.parametrize("command", ["matrix", "apply", "deps"])
    def test_a_folder_is_no_spec(self, run: Run, folder: Path, command: str) -> None:
        arguments = {"matrix": ["--dry-run"], "apply": ["x.npy", "-o", "y.npy"], "deps": []}
        assert_refused(run(command, folder, *arguments[command]), "E401")

    def test_a_device_that_fails_while_it_is_read_is_refused(self, run: Run) -> None:
        assert_refused(run("shapes", "/proc/self/mem"), "E401")

    @pytest.mark.parametrize("redirection", ["<&-", "0>write-only"])
    def test_standard_input_that_cannot_be_read_is_refused(
        self, folder: Path, redirection: str
    ) -> None:
        script = f'exec "$@" {redirection}'
        assert_refused(process("sh", "-c", script, "sh", *command_line("shapes", "-")), "E401")

    def test_a_pipe_is_read(self, folder: Path) -> None:
        script = 'exec "$@" <(printf "input: [1, 4]\nlayers: [{type: relu}]")'
        outcome = process("bash", "-c", script, "bash", *command_line("check"))
        assert (outcome.status, outcome.err) == (0, "")

    def test_a_name_in_no_encoding_is_read(self, folder: Path, run: Run) -> None:
        name = os.fsdecode(b"\xff\xfe.yaml")
        (folder / name).write_text("input: [1, 4]\nlayers: [{type: relu}]", encoding="utf-8")
        assert run("check", name).status == 0
        assert run("shapes", name, "--format", "json").status == 0

    def test_the_folder_may_be_gone(self, folder: Path) -> None:
        (folder / "gone").mkdir()
        script = 'cd gone && rmdir ../gone && exec "$@"'
        numpy = process("sh", "-c", script, "sh", sys.executable, "-c", "import numpy")
        if numpy.status:
            pytest.skip("this NumPy cannot be imported where the working folder is gone")
        (folder / "gone").mkdir()
        command = (sys.executable, "-c", RUN, "matrix", "-", "--dry-run")
        content = SPEC.encode()
        assert_refused(process("sh", "-c", script, "sh", *command, stdin=content), "E401")


class TestFunctions:
    def test_no_more_than_the_bound_and_one_byte_is_read(self, folder: Path) -> None:
        (folder / "x").write_bytes(b"0123456789")
        assert read_bytes("x", 3) == b"0123"
        assert read_bytes("x", 10) == b"0123456789"

    def test_a_dash_is_standard_input(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"0123")))
        assert read_bytes("-", 10) == b"0123"

    @pytest.mark.parametrize("name", ["none", "", "a\0b", "."])
    def test_what_cannot_be_opened_is_refused(self, folder: Path, name: str) -> None:
        with pytest.raises(FileError) as caught, open_regular(name):
            pass
        assert caught.value.code == "E401"

    def test_a_regular_file_is_opened(self, folder: Path) -> None:
        (folder / "x").write_bytes(b"abc")
        with open_regular("x") as file:
            assert stat.S_ISREG(os.fstat(file.fileno()).st_mode)
            assert file.read() == b"abc"

    @pytest.mark.parametrize("change", ["shorter", "longer", "as long"])
    def test_a_file_that_changes_while_it_is_read_is_refused(
        self, folder: Path, change: str
    ) -> None:
        path = folder / "x"
        path.write_bytes(b"abc")
        os.utime(path, (1, 1))
        with pytest.raises(FileError, match="was changed meanwhile") as caught, open_regular("x"):
            path.write_bytes({"shorter": b"a", "longer": b"abcd", "as long": b"xyz"}[change])
        assert caught.value.code == "E401"

    def test_one_that_is_only_looked_at_meanwhile_is_not(self, folder: Path) -> None:
        path = folder / "x"
        path.write_bytes(b"abc")
        with open_regular("x") as file:
            path.read_bytes()
            path.chmod(0o600)
            os.link(path, "y")
            path.unlink()
            assert file.read() == b"abc"

    @pytest.mark.parametrize(
        ("spec", "reference", "path"),
        [
            ("net.yaml", "w.npy", "w.npy"),
            ("a/net.yaml", "w.npy", "a/w.npy"),
            ("a/net.yaml", "b/../w.npy", "a/w.npy"),
            ("/x/net.yaml", "w.npy", "/x/w.npy"),
            ("net.yaml", "/x/w.npy", "/x/w.npy"),
            ("-", "w.npy", "w.npy"),
        ],
    )
    def test_a_reference_is_a_path_from_the_working_folder(
        self, spec: str, reference: str, path: str
    ) -> None:
        assert os.path.normpath(reference_path(spec, reference)) == path

    @pytest.mark.parametrize(
        "name", ["a\nb", "a\x1bb", os.fsdecode(b"\xff"), "a\u202eb"], ids=ascii
    )
    def test_a_path_is_shown_on_one_line(self, name: str) -> None:
        assert shown(name).isprintable()

    def test_an_apply_of_nothing_but_files_is_quiet(self, run: Run, spec: WriteSpec) -> None:
        np.save("y.npy", np.ones((1, 2, 2)))
        assert_quiet(run("apply", spec(GUIDE), "y.npy", "-o", "x.npy"))
