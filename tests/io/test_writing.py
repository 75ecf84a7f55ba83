"""Outputs are published whole or not at all, and never over an existing file unasked.

Whichever call to the system fails, the target holds what it held before or all of the new, and
nothing else is left in its folder.
"""

from __future__ import annotations

import errno
import io
import os
import random
import signal
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.sparse import csr_array

from convt_cli.commands.emit import save_text
from convt_cli.errors import ArrayError, FileError
from convt_cli.files.arrays import write_array
from convt_cli.files.matrices import write_matrix
from convt_cli.io import writing
from convt_cli.io.writing import output, require_writable
from tests.conftest import (
    GUIDE,
    Run,
    WriteSpec,
    assert_quiet,
    assert_refused,
    command_line,
    environment,
)

OLD = b"what stood there before"
ARRAY = np.random.default_rng(0).standard_normal((30, 40))
MATRIX = csr_array(np.triu(ARRAY))

Write = Callable[[Path, bool], None]
"""Writes one output to a path, with or without force."""


def write_bytes(path: Path, force: bool) -> None:
    """More bytes than a buffer holds, in three pieces."""
    with output(str(path), force=force) as file:
        file.write(b"a" * 10)
        file.write(b"b" * 100_000)
        file.write(b"c" * 10)


def array_writer(path: Path, force: bool) -> None:
    write_array(str(path), ARRAY, force=force)


def matrix_writer(path: Path, force: bool) -> None:
    write_matrix(str(path), MATRIX, sparse_format=None, compress=False, force=force)


def compressed_writer(path: Path, force: bool) -> None:
    write_matrix(str(path), MATRIX, sparse_format="coo", compress=True, force=force)


def text_writer(path: Path, force: bool) -> None:
    save_text("layer\n" * 20_000, str(path), force=force)


WRITERS = [
    pytest.param(write_bytes, "out.bin", id="bytes"),
    pytest.param(array_writer, "out.npy", id="npy"),
    pytest.param(array_writer, "out.npz", id="npz"),
    pytest.param(array_writer, "out.csv", id="csv"),
    pytest.param(matrix_writer, "C.npz", id="matrix npz"),
    pytest.param(compressed_writer, "C.npz", id="matrix npz compressed"),
    pytest.param(matrix_writer, "C.mtx", id="matrix mtx"),
    pytest.param(text_writer, "table.md", id="text"),
]

MOST_CALLS = 12
"""More calls than any of the writers makes."""


class Faults:
    """Counts calls to the system and lets one of them fail."""

    def __init__(self, failing: int, number: int = errno.EIO) -> None:
        self.failing = failing
        self.calls = 0
        self.error = OSError(number, os.strerror(number))

    def __call__(self) -> None:
        self.calls += 1
        if self.calls == self.failing + 1:
            raise self.error

    def before(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """`function`, or the failure in its place."""

        def call(*arguments: Any, **options: Any) -> Any:
            self()
            return function(*arguments, **options)

        return call


class FaultyFile(io.FileIO):
    """A file whose writes and whose closing can fail."""

    faults: Faults

    def write(self, data: Any, /) -> int:
        self.faults()
        return super().write(data)

    def close(self) -> None:
        if not self.closed:
            super().close()
            self.faults()


def inject(patch: pytest.MonkeyPatch, faults: Faults) -> None:
    """Let `faults` decide about every call that publishing an output makes, but for cleaning up."""

    def opened(path: str, mode: str, opener: Any = None) -> io.BufferedWriter:
        file = FaultyFile(path, mode, opener=opener)
        file.faults = faults
        return io.BufferedWriter(file)

    patch.setattr(writing, "open", opened, raising=False)
    for name in ("open", "fsync", "link", "replace", "chmod"):
        patch.setattr(os, name, faults.before(getattr(os, name)))


@contextmanager
def failing(patch: pytest.MonkeyPatch, call: int) -> Iterator[Faults]:
    """The block's call number `call` to the system fails."""
    faults = Faults(call)
    with patch.context() as inner:
        inject(inner, faults)
        yield faults


def written_whole(write: Write, folder: Path, name: str) -> bytes:
    """What `write` writes when nothing fails."""
    folder.mkdir()
    write(folder / name, False)
    return (folder / name).read_bytes()


def attempted(write: Write, target: Path, *, force: bool) -> FileError | None:
    """What `write` raises, if it does."""
    try:
        write(target, force)
    except FileError as error:
        return error
    return None


def assert_written_or_untouched(
    write: Write, target: Path, before: bytes | None, new: bytes, *, force: bool
) -> None:
    """The target is the new one whole, or `write` raised and it is as it was; nothing else is."""
    error = attempted(write, target, force=force)
    after = target.read_bytes() if target.exists() else None
    assert (error and error.code, after) in [("E402", before), (None, new)]
    assert {path.name for path in target.parent.iterdir()} <= {target.name}


@pytest.mark.parametrize("call", range(MOST_CALLS))
@pytest.mark.parametrize(("write", "name"), WRITERS)
class TestAnyFailure:
    def test_leaves_the_old_file_or_the_new_one(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, write: Write, name: str, call: int
    ) -> None:
        new = written_whole(write, tmp_path / "whole", name)
        (tmp_path / "target").mkdir()
        target = tmp_path / "target" / name
        target.write_bytes(OLD)
        with failing(monkeypatch, call):
            assert_written_or_untouched(write, target, OLD, new, force=True)

    def test_leaves_no_file_or_the_new_one(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, write: Write, name: str, call: int
    ) -> None:
        new = written_whole(write, tmp_path / "whole", name)
        (tmp_path / "target").mkdir()
        with failing(monkeypatch, call):
            assert_written_or_untouched(write, tmp_path / "target" / name, None, new, force=False)


class TestFailures:
    @pytest.mark.parametrize("force", [True, False])
    @pytest.mark.parametrize(("write", "name"), WRITERS)
    def test_every_call_was_among_those_that_failed(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, write: Write, name: str, force: bool
    ) -> None:
        with failing(monkeypatch, MOST_CALLS) as faults:
            write(tmp_path / name, force)
        assert 5 <= faults.calls < MOST_CALLS

    @pytest.mark.parametrize("call", range(8))
    def test_without_links_a_failure_leaves_no_empty_file(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: int
    ) -> None:
        def no_link(*_: object) -> None:
            raise PermissionError(errno.EPERM, "no links here")

        new = written_whole(array_writer, tmp_path / "whole", "out.npy")
        (tmp_path / "target").mkdir()
        target = tmp_path / "target" / "out.npy"
        monkeypatch.setattr(os, "link", no_link)
        with failing(monkeypatch, call):
            assert_written_or_untouched(array_writer, target, None, new, force=False)

    def test_without_links_an_existing_file_is_not_replaced(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def link(_source: str, target: str) -> None:
            Path(target).write_bytes(OLD)  # another writer is faster
            raise PermissionError(errno.EPERM, "no links here")

        monkeypatch.setattr(os, "link", link)
        with pytest.raises(FileError, match="exists already"):
            array_writer(tmp_path / "out.npy", False)
        assert (tmp_path / "out.npy").read_bytes() == OLD

    @pytest.mark.parametrize(
        "error", [KeyboardInterrupt(), SystemExit(143), MemoryError(), RuntimeError("no")]
    )
    def test_whatever_is_raised_while_writing_comes_out_and_leaves_nothing(
        self, tmp_path: Path, error: BaseException
    ) -> None:
        def write() -> None:
            with output(str(tmp_path / "x"), force=False) as file:
                file.write(b"half")
                raise error

        with pytest.raises(type(error)):
            write()
        assert list(tmp_path.iterdir()) == []

    def test_an_error_of_convt_s_own_keeps_its_code(self, tmp_path: Path) -> None:
        with pytest.raises(ArrayError), output(str(tmp_path / "x"), force=False):
            raise ArrayError("E304", "the result does not fit")

    def test_the_reason_is_the_system_s(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with monkeypatch.context() as patch:
            inject(patch, Faults(2, errno.ENOSPC))
            with pytest.raises(FileError) as caught:
                array_writer(tmp_path / "out.npy", False)
        assert caught.value.value == "no space left on device"

    @pytest.mark.slow
    @pytest.mark.parametrize("seed", range(40))
    def test_a_killed_writer_leaves_the_old_file_or_the_new_one(
        self, tmp_path: Path, seed: int
    ) -> None:
        target = tmp_path / "out.npy"
        old, new = np.zeros(200_000), np.ones(200_000)
        np.save(target, old)
        code = (
            "import numpy, sys; from convt_cli.files.arrays import write_array; print(flush=True);"
            "[write_array(sys.argv[1], numpy.full(200_000, n % 2.0), force=True)"
            " for n in range(10**9)]"
        )
        command = [sys.executable, "-c", code, str(target)]
        with subprocess.Popen(command, env=environment(), stdout=subprocess.PIPE) as writer:
            assert writer.stdout is not None
            writer.stdout.readline()
            time.sleep(random.Random(seed).uniform(0, 0.05))
            writer.kill()
        content = np.load(target)
        assert np.array_equal(content, old) or np.array_equal(content, new)


class TestExisting:
    @pytest.mark.parametrize(("write", "name"), WRITERS)
    def test_is_refused_without_force(self, tmp_path: Path, write: Write, name: str) -> None:
        (tmp_path / name).write_bytes(OLD)
        with pytest.raises(FileError) as caught:
            write(tmp_path / name, False)
        assert caught.value.code == "E403"
        assert "--force" in caught.value.help
        assert (tmp_path / name).read_bytes() == OLD

    @pytest.mark.parametrize(("write", "name"), WRITERS)
    def test_is_replaced_with_force(self, tmp_path: Path, write: Write, name: str) -> None:
        (tmp_path / name).write_bytes(OLD)
        write(tmp_path / name, True)
        assert (tmp_path / name).read_bytes() == written_whole(write, tmp_path / "whole", name)

    def test_keeps_its_mode(self, tmp_path: Path) -> None:
        target = tmp_path / "out.npy"
        target.write_bytes(OLD)
        target.chmod(0o600)
        array_writer(target, True)
        assert stat.S_IMODE(target.stat().st_mode) == 0o600

    @pytest.mark.parametrize(("umask", "mode"), [(0o022, 0o644), (0o027, 0o640), (0, 0o666)])
    def test_a_new_file_has_the_mode_that_the_umask_leaves(
        self, tmp_path: Path, umask: int, mode: int
    ) -> None:
        before = os.umask(umask)
        try:
            array_writer(tmp_path / "out.npy", False)
        finally:
            os.umask(before)
        assert stat.S_IMODE((tmp_path / "out.npy").stat().st_mode) == mode

    def test_is_found_before_the_work_begins(self, tmp_path: Path) -> None:
        (tmp_path / "out").write_bytes(OLD)
        with pytest.raises(FileError, match="exists already"):
            require_writable(str(tmp_path / "out"), force=False)
        require_writable(str(tmp_path / "out"), force=True)
        require_writable(str(tmp_path / "other"), force=False)

    def test_of_two_writers_at_once_the_first_wins(self, tmp_path: Path) -> None:
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

    def test_of_two_writers_with_force_the_last_one_wins_whole(self, tmp_path: Path) -> None:
        target = str(tmp_path / "out")
        with output(target, force=True) as slow:
            slow.write(b"slow" * 100)
            with output(target, force=True) as fast:
                fast.write(b"fast")
        assert (tmp_path / "out").read_bytes() == b"slow" * 100

    def test_the_input_of_a_command_can_be_its_output(self, run: Run, spec: WriteSpec) -> None:
        np.save("x.npy", np.ones((1, 4, 4)))
        arguments = ("apply", spec(GUIDE), "x.npy", "--forward", "-o", "x.npy")
        assert_refused(run(*arguments), "E403")
        assert np.load("x.npy").shape == (1, 4, 4)
        assert_quiet(run(*arguments, "--force"))
        assert np.load("x.npy").tolist() == [[[45.0, 45.0], [45.0, 45.0]]]


class TestLinks:
    def test_a_link_s_target_is_replaced_and_the_link_stays(self, tmp_path: Path) -> None:
        (tmp_path / "real").write_bytes(OLD)
        (tmp_path / "link").symlink_to("real")
        write_bytes(tmp_path / "link", True)
        assert (tmp_path / "link").is_symlink()
        assert (tmp_path / "real").read_bytes().startswith(b"a" * 10)

    def test_a_link_without_a_target_exists_already(self, tmp_path: Path) -> None:
        (tmp_path / "link").symlink_to("missing")
        with pytest.raises(FileError) as caught:
            write_bytes(tmp_path / "link", False)
        assert caught.value.code == "E403"
        assert not (tmp_path / "missing").exists()

    def test_with_force_its_target_is_made(self, tmp_path: Path) -> None:
        (tmp_path / "link").symlink_to("missing")
        write_bytes(tmp_path / "link", True)
        assert (tmp_path / "link").is_symlink()
        assert (tmp_path / "missing").stat().st_size == 100_020

    def test_one_into_a_missing_folder_is_refused(self, tmp_path: Path) -> None:
        (tmp_path / "link").symlink_to("nowhere/out")
        with pytest.raises(FileError) as caught:
            write_bytes(tmp_path / "link", True)
        assert caught.value.code == "E402"
        assert (tmp_path / "link").is_symlink()


class TestPlaces:
    @pytest.mark.parametrize("name", ["missing/out", "file/out", "x" * 300, "a\0b"], ids=ascii)
    @pytest.mark.parametrize("force", [True, False])
    def test_where_nothing_can_be_written_is_refused(
        self, tmp_path: Path, name: str, force: bool
    ) -> None:
        (tmp_path / "file").write_bytes(OLD)
        with pytest.raises(FileError) as caught:
            write_bytes(tmp_path / name, force)
        assert caught.value.code == "E402"
        assert [path.name for path in tmp_path.iterdir()] == ["file"]

    @pytest.mark.parametrize(("force", "code"), [(True, "E402"), (False, "E403")])
    def test_a_folder_is_no_target(self, tmp_path: Path, force: bool, code: str) -> None:
        (tmp_path / "out").mkdir()
        with pytest.raises(FileError) as caught:
            write_bytes(tmp_path / "out", force)
        assert caught.value.code == code
        assert [path.name for path in tmp_path.iterdir()] == ["out"]

    @pytest.mark.parametrize("name", ["", "new/"])
    def test_a_name_that_only_a_folder_can_have_is_refused(self, folder: Path, name: str) -> None:
        with pytest.raises(FileError), output(name, force=False) as file:
            file.write(b"x")
        assert list(folder.iterdir()) == []

    @pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
    def test_a_folder_without_permission_is_refused(self, tmp_path: Path) -> None:
        tmp_path.chmod(0o500)
        with pytest.raises(FileError, match="permission denied"):
            write_bytes(tmp_path / "out", False)

    @pytest.mark.parametrize(
        "name",
        ["a\nb", "a b", "-o", "~", "é日𝕏", os.fsdecode(b"\xff\xfe"), "x" * 255, "日" * 85, "%s"],
        ids=ascii,
    )
    def test_any_name_that_a_file_can_have_is_written(self, tmp_path: Path, name: str) -> None:
        write_bytes(tmp_path / name, False)
        assert [path.name for path in tmp_path.iterdir()] == [name]

    @pytest.mark.parametrize("name", ["a\nb.npy", os.fsdecode(b"\xff.npy")], ids=ascii)
    def test_a_message_about_a_strange_name_is_one_line(self, tmp_path: Path, name: str) -> None:
        array_writer(tmp_path / name, False)
        with pytest.raises(FileError) as caught:
            array_writer(tmp_path / name, False)
        assert str(caught.value).isprintable()

    def test_names_may_begin_with_a_dash(self, run: Run, spec: WriteSpec) -> None:
        arguments = ("shapes", "--format", "csv", "-o", "-x.csv", "--", spec(GUIDE, "-net.yaml"))
        assert_quiet(run(*arguments))
        assert Path("-x.csv").read_text(encoding="utf-8").startswith("spec,layer,")


class TestDevices:
    @pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")
    @pytest.mark.parametrize(("write", "name"), WRITERS)
    def test_a_full_one_is_refused(self, tmp_path: Path, write: Write, name: str) -> None:
        (tmp_path / name).symlink_to("/dev/full")
        with pytest.raises(FileError) as caught:
            write(tmp_path / name, False)
        assert (caught.value.code, caught.value.value) == ("E402", "no space left on device")

    @pytest.mark.parametrize(("write", "name"), WRITERS)
    def test_the_null_device_is_written_and_stays(
        self, tmp_path: Path, write: Write, name: str
    ) -> None:
        (tmp_path / name).symlink_to("/dev/null")
        write(tmp_path / name, False)
        assert stat.S_ISCHR(os.stat("/dev/null").st_mode)

    def test_a_pipe_is_written_and_stays(self, tmp_path: Path) -> None:
        pipe = tmp_path / "pipe"
        os.mkfifo(pipe)
        received: list[bytes] = []
        reader = threading.Thread(target=lambda: received.append(pipe.read_bytes()))
        reader.start()
        write_bytes(pipe, False)
        reader.join()
        assert [len(data) for data in received] == [100_020]
        assert stat.S_ISFIFO(pipe.stat().st_mode)

    @pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")
    @pytest.mark.parametrize(
        "arguments",
        [
            ("table",),
            ("shapes", "net.yaml", "--format", "json"),
            ("check", "net.yaml"),
            ("matrix", "net.yaml", "-o", "-"),
            ("apply", "net.yaml", "x.csv", "-o", "-"),
            ("deps", "net.yaml"),
            ("explain", "E105"),
            ("--help",),
            ("table", "--help"),
            ("--version",),
        ],
        ids=" ".join,
    )
    def test_full_standard_output_is_one_error(
        self, folder: Path, spec: WriteSpec, arguments: tuple[str, ...]
    ) -> None:
        spec(GUIDE)
        np.savetxt("x.csv", np.ones((2, 2)), delimiter=",")
        with Path("/dev/full").open("wb") as full:
            done = subprocess.run(
                command_line(*arguments),
                stdout=full,
                stderr=subprocess.PIPE,
                cwd=folder,
                env=environment(),
                check=False,
            )
        assert b"Traceback" not in done.stderr
        assert (done.returncode, done.stderr.count(b"error[E402]")) == (2, 1)

    def test_a_file_may_grow_no_further(self, spec: WriteSpec, folder: Path) -> None:
        spec(GUIDE)
        np.save("x.npy", np.ones((500, 1, 2, 2)))
        Path("out.npy").write_bytes(OLD)
        code = (
            "import resource, signal, sys; from convt_cli.commands.main import run;"
            "resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, 10_000));"
            "sys.exit(run(['apply', 'net.yaml', 'x.npy', '-o', 'out.npy', '--force']))"
        )
        done = subprocess.run(
            [sys.executable, "-c", code],
            cwd=folder,
            env=environment(),
            stderr=subprocess.PIPE,
            check=False,
        )
        assert (done.returncode, done.stderr.count(b"error[E402]")) == (2, 1)
        assert Path("out.npy").read_bytes() == OLD
        assert {path.name for path in folder.iterdir()} == {"net.yaml", "x.npy", "out.npy"}


class TestSignals:
    @pytest.mark.parametrize(
        ("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)], ids=str
    )
    def test_while_writing_leave_the_old_file_and_nothing_else(
        self, folder: Path, number: signal.Signals, status: int
    ) -> None:
        (folder / "out").write_bytes(OLD)
        code = (
            "import sys, time; from convt_cli.commands import main;"
            "from convt_cli.io.writing import output\n"
            "def write(arguments):\n"
            "    with output('out', force=True) as file:\n"
            "        file.write(b'half'); file.flush(); print(flush=True); time.sleep(60)\n"
            "main.group.callback = None\n"
            "main._LazyGroup.invoke = lambda self, context: write(context.args)\n"
            "sys.exit(main.run(['table']))\n"
        )
        with subprocess.Popen(
            [sys.executable, "-c", code],
            cwd=folder,
            env=environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        ) as writer:
            assert writer.stdout is not None
            writer.stdout.readline()
            writer.send_signal(number)
            _, errors = writer.communicate(timeout=30)
        assert (writer.returncode, b"Traceback" in errors) == (status, False)
        assert {path.name: path.read_bytes() for path in folder.iterdir()} == {"out": OLD}
