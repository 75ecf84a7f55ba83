"""Outputs are published whole or not at all, and never over an existing file unasked."""

from __future__ import annotations

import io
import os
import stat
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.sparse import csr_array

from convt_cli.commands.emit import put
from convt_cli.errors import FileError
from convt_cli.files.arrays import write_array
from convt_cli.files.matrices import write_matrix
from convt_cli.io.writing import output, require_writable

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
    put("layer\n" * 20_000, str(path), force=force)


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

"""More calls than any of the writers makes."""


def written_whole(write: Write, folder: Path, name: str) -> bytes:
    """What `write` writes when nothing fails."""
    folder.mkdir()
    write(folder / name, False)
    return (folder / name).read_bytes()


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


class TestDevices:
    @pytest.mark.parametrize(("write", "name"), WRITERS)
    def test_the_null_device_is_written_and_stays(
        self, tmp_path: Path, write: Write, name: str
    ) -> None:
        (tmp_path / name).symlink_to("/dev/null")
        write(tmp_path / name, False)
        assert stat.S_ISCHR(os.stat("/dev/null").st_mode)

    @pytest.mark.parametrize("force", [False, True])
    def test_a_pipe_is_written_and_stays(self, tmp_path: Path, force: bool) -> None:
        pipe = tmp_path / "pipe"
        os.mkfifo(pipe)
        received: list[bytes] = []
        reader = threading.Thread(target=lambda: received.append(pipe.read_bytes()), daemon=True)
        reader.start()
        write_bytes(pipe, force)
        assert stat.S_ISFIFO(pipe.stat().st_mode)  # or else the reader waits for ever
        reader.join()
        assert [len(data) for data in received] == [100_020]


class Reluctant(io.BytesIO):
    """A stream that takes at most 999 bytes of what it is given."""

    def write(self, data: Any, /) -> int:
        return super().write(data[:999])


class TestStandardOutput:
    def test_is_given_the_rest_of_what_it_took_in_part(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        stream = Reluctant()
        monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(stream))
        write_bytes(Path("-"), False)
        assert stream.getvalue() == written_whole(write_bytes, tmp_path / "whole", "out.bin")
