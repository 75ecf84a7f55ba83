"""What a person or a spec names is opened; a spec's references never leave its folder.

A reference is refused wherever the file that would be read lies outside, however it is spelt;
and no pipe, no device and no folder is waited for or read without end.
"""

from __future__ import annotations

import io
import os
import stat
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from convt_cli.errors import FileError, shown
from convt_cli.io.reading import contained, open_regular, read_bytes, reference_path
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

WEIGHT = np.arange(9.0).reshape(1, 1, 3, 3)

MatrixOf = Callable[..., Outcome]
"""Runs `convt matrix --show` on a spec in box/ whose one layer has this weight."""


def spec_with_weight(reference: str) -> str:
    """A spec whose one layer names its weight."""
    quoted = reference.replace("\\", "\\\\").replace('"', '\\"')
    return (
        "input: [1, 4, 4]\nlayers:\n"
        f'  - {{type: conv, out_channels: 1, kernel_size: 3, weight: "{quoted}"}}\n'
    )


@pytest.fixture
def matrix_of(folder: Path, run: Run) -> MatrixOf:
    (folder / "box" / "sub").mkdir(parents=True)
    np.save(folder / "secret.npy", WEIGHT)
    np.savez(folder / "secret.npz", k=WEIGHT)
    np.save(folder / "box" / "w.npy", WEIGHT)
    np.save(folder / "box" / "sub" / "w.npy", WEIGHT)
    np.savez(folder / "box" / "w.npz", k=WEIGHT)

    def matrix_of(reference: str, *options: str) -> Outcome:
        (folder / "box" / "net.yaml").write_text(spec_with_weight(reference), encoding="utf-8")
        return run("matrix", "box/net.yaml", "--dry-run", "--format", "json", *options)

    return matrix_of


RUN = "import sys; from convt_cli.commands.main import run; sys.exit(run(sys.argv[1:]))"


def process(*command: str, stdin: bytes = b"") -> Outcome:
    """What a command comes to that runs convt in its own way."""
    done = subprocess.run(
        command,
        input=stdin,
        capture_output=True,
        env=environment(OPENBLAS_NUM_THREADS="1"),
        check=False,
    )
    return Outcome(done.returncode, done.stdout, done.stderr)


def assert_read(outcome: Outcome) -> None:
    """The weight was found and its matrix sized."""
    assert (outcome.status, outcome.err) == (0, "")
    assert outcome.document["shape"] == [4, 16]


class TestContainment:
    @pytest.mark.parametrize(
        "reference", ["w.npy", "./w.npy", "sub/w.npy", "sub/../w.npy", "w.npz#k", "w.npz"]
    )
    def test_a_file_beside_the_spec_is_read(self, matrix_of: MatrixOf, reference: str) -> None:
        assert_read(matrix_of(reference))

    @pytest.mark.parametrize(
        "reference",
        ["../secret.npy", "../secret.npz#k", "sub/../../secret.npy", "./.././secret.npy"],
    )
    def test_one_above_it_is_refused_unless_asked_for(
        self, matrix_of: MatrixOf, reference: str
    ) -> None:
        assert_refused(matrix_of(reference), "E404")
        assert_read(matrix_of(reference, "--allow-outside"))

    def test_an_absolute_path_is_refused_unless_asked_for(
        self, matrix_of: MatrixOf, folder: Path
    ) -> None:
        assert_refused(matrix_of(f"{folder}/secret.npy"), "E404")
        assert_read(matrix_of(f"{folder}/secret.npy", "--allow-outside"))

    def test_an_absolute_path_into_the_folder_is_read(
        self, matrix_of: MatrixOf, folder: Path
    ) -> None:
        assert_read(matrix_of(f"{folder}/box/w.npy"))

    @pytest.mark.parametrize("target", ["../secret.npy", "sub/../../secret.npy"])
    def test_a_link_that_leads_out_is_refused(
        self, matrix_of: MatrixOf, folder: Path, target: str
    ) -> None:
        (folder / "box" / "link.npy").symlink_to(target)
        assert_refused(matrix_of("link.npy"), "E404")
        assert_read(matrix_of("link.npy", "--allow-outside"))

    def test_a_linked_folder_that_leads_out_is_refused(
        self, matrix_of: MatrixOf, folder: Path
    ) -> None:
        (folder / "box" / "up").symlink_to("..")
        assert_refused(matrix_of("up/secret.npy"), "E404")

    def test_a_link_within_the_folder_is_read(self, matrix_of: MatrixOf, folder: Path) -> None:
        (folder / "box" / "link.npy").symlink_to("sub/w.npy")
        assert_read(matrix_of("link.npy"))

    def test_a_folder_reached_through_a_link_is_the_spec_s(
        self, matrix_of: MatrixOf, folder: Path, run: Run
    ) -> None:
        matrix_of("w.npy")
        (folder / "other").symlink_to("box")
        assert_read(run("matrix", "other/net.yaml", "--dry-run", "--format", "json"))

    @pytest.mark.parametrize(
        "reference", ["a#/../../secret.npy", "a#/../../secret.npz#k", "a#/../../secret.npz"]
    )
    def test_what_follows_a_hash_cannot_lead_out(
        self, matrix_of: MatrixOf, folder: Path, reference: str
    ) -> None:
        (folder / "box" / "a#").mkdir()
        assert matrix_of(reference).status == 2

    def test_a_link_with_a_hash_in_its_name_cannot_lead_out(
        self, matrix_of: MatrixOf, folder: Path
    ) -> None:
        (folder / "box" / "a#b.npy").symlink_to("../secret.npy")
        assert matrix_of("a#b.npy").status == 2

    def test_a_folder_named_like_an_archive_does_not_move_the_file(
        self, folder: Path, run: Run
    ) -> None:
        (folder / "secret.npz#box").mkdir()
        with zipfile.ZipFile(folder / "secret.npz", "w") as archive:
            archive.writestr("box/w.npy", b"not the weight")
        np.save(folder / "secret.npz#box" / "w.npy", WEIGHT)
        spec = folder / "secret.npz#box" / "net.yaml"
        spec.write_text(spec_with_weight("w.npy"), encoding="utf-8")
        outcome = run("matrix", spec, "--show", "--format", "csv")
        assert outcome.out.splitlines()[1] == "0,0,1,2,,3,4,5,,6,7,8,,,,,"

    def test_on_standard_input_the_working_folder_counts(self, folder: Path, run: Run) -> None:
        np.save("w.npy", WEIGHT)
        np.save(folder.parent / "outside.npy", WEIGHT)
        options = ("matrix", "-", "--dry-run", "--format", "json")
        assert_read(run(*options, stdin=spec_with_weight("w.npy").encode()))
        assert_refused(run(*options, stdin=spec_with_weight("../outside.npy").encode()), "E404")

    def test_the_message_names_the_way_out(self, folder: Path) -> None:
        with pytest.raises(FileError) as caught:
            contained(str(folder / "net.yaml"), "../x.npy", allow_outside=False)
        assert "../x.npy leads outside" in caught.value.value
        assert "--allow-outside" in caught.value.help


class TestNoFiles:
    @pytest.mark.parametrize("suffix", [".npy", ".npz", ".csv", ".txt"])
    @pytest.mark.parametrize("options", [(), ("--allow-outside",)], ids=["inside", "outside"])
    def test_a_folder_is_refused(
        self, matrix_of: MatrixOf, folder: Path, suffix: str, options: tuple[str, ...]
    ) -> None:
        (folder / "box" / f"w{suffix}").unlink(missing_ok=True)
        (folder / "box" / f"w{suffix}").mkdir()
        assert_refused(matrix_of(f"w{suffix}", *options), "E401")

    @pytest.mark.parametrize("suffix", [".npy", ".npz", ".csv", ".txt"])
    def test_a_pipe_is_not_waited_for(self, folder: Path, suffix: str) -> None:
        os.mkfifo(folder / f"w{suffix}")
        (folder / "net.yaml").write_text(spec_with_weight(f"w{suffix}"), encoding="utf-8")
        assert_refused(
            process("timeout", "5", *command_line("matrix", "net.yaml", "--show")), "E401"
        )

    @pytest.mark.parametrize("suffix", [".npy", ".npz"])
    def test_a_device_is_refused(
        self, folder: Path, run: Run, spec: WriteSpec, suffix: str
    ) -> None:
        (folder / f"x{suffix}").symlink_to("/dev/zero")
        assert_refused(run("apply", spec(GUIDE), f"x{suffix}", "-o", "y.npy"), "E401")

    @pytest.mark.parametrize("suffix", [".csv", ".txt"])
    def test_a_device_without_end_is_not_read_to_its_end(
        self, folder: Path, spec: WriteSpec, suffix: str
    ) -> None:
        (folder / f"x{suffix}").symlink_to("/dev/zero")
        limited = "import resource; resource.setrlimit(resource.RLIMIT_AS, (2**31, 2**31));" + RUN
        command = (sys.executable, "-c", limited, "apply", spec(GUIDE), f"x{suffix}", "-o", "y.npy")
        assert_refused(process("timeout", "20", *command), "E401")

    @pytest.mark.parametrize(
        "reference", ["none.npy", "none.npz#k", "none/w.npy", "w.npy/w.npy", "x" * 300 + ".npy"]
    )
    def test_what_is_not_there_is_refused(self, matrix_of: MatrixOf, reference: str) -> None:
        assert_refused(matrix_of(reference), "E401")

    @pytest.mark.parametrize("reference", ["-", "w", "w.pt", "w.npy#k", "w.NPX", "."])
    def test_what_names_no_array_file_is_refused(self, matrix_of: MatrixOf, reference: str) -> None:
        assert_refused(matrix_of(reference), "E401")

    def test_a_link_to_itself_is_refused(self, matrix_of: MatrixOf, folder: Path) -> None:
        (folder / "box" / "loop.npy").symlink_to("loop.npy")
        assert_refused(matrix_of("loop.npy"), "E401")

    @pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
    def test_what_may_not_be_read_is_refused(self, matrix_of: MatrixOf, folder: Path) -> None:
        (folder / "box" / "w.npy").chmod(0)
        assert_refused(matrix_of("w.npy"), "E401")


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
        content = spec_with_weight("w.npy").encode()
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
        with pytest.raises(FileError) as caught:
            open_regular(name)
        assert caught.value.code == "E401"

    def test_a_regular_file_is_opened(self, folder: Path) -> None:
        (folder / "x").write_bytes(b"abc")
        with open_regular("x") as file:
            assert stat.S_ISREG(os.fstat(file.fileno()).st_mode)
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
