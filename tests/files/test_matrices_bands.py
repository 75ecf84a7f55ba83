"""A matrix written band by band: the bytes of the whole one, in little memory."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import scipy.sparse
from hypothesis import given, settings
from hypothesis import strategies as st

from convt_cli.arithmetic.convolution import Convolution
from convt_cli.arithmetic.vocabulary import MATRIX_DTYPES
from convt_cli.errors import FileError
from convt_cli.files.matrices import write_bands, write_matrix
from convt_cli.files.matrix_formats.base import banded_bytes
from convt_cli.files.matrix_formats.npz import Npz
from convt_cli.operators.matrix.build import Band, BandedMatrix, banded_matrix, build_matrix
from tests import oracle
from tests.cost import cost, needs_a_measure
from tests.files.test_matrices import convolution
from tests.strategies import with_arrays, zero_padded_convolutions

load_npz: Any = scipy.sparse.load_npz

FILES = [("csr", "C.npz"), ("csc", "C.npz"), ("coo", "C.npz"), ("coo", "C.mtx")]


def weight(dtype: str = "float64") -> oracle.Array:
    """Of `convolution()`, an explicit zero and a negative zero among its taps."""
    taps = (np.arange(3 * 2 * 3 * 2).reshape(3, 2, 3, 2) - 4).astype(dtype)
    taps[0, 0, 0, 0] = -taps[0, 0, 1, 1] * 0
    return taps * (1 + 2j) if "complex" in dtype else taps


def written(
    folder: Path,
    shape: Convolution,
    taps: oracle.Array,
    file: tuple[str, str],
    **options: bool,
) -> tuple[bytes, bytes]:
    """The bytes of the file written in bands of some rows, and of that written whole."""
    sparse_format, name = file
    settings = {"transpose": False, "compress": False} | options
    transpose, compress = settings["transpose"], settings["compress"]
    bands = banded_matrix(
        shape, taps, transpose=transpose != (sparse_format == "csc"), band_bytes=300
    )
    done: list[int] = []
    write_bands(
        str(folder / name),
        bands,
        sparse_format=sparse_format,
        compress=compress,
        force=True,
        advance=done.append,
    )
    assert sum(done) == banded_bytes(bands, sparse_format)
    in_bands = (folder / name).read_bytes()
    whole = build_matrix(shape, taps)
    matrix = whole.T.tocsr() if transpose else whole
    write_matrix(
        str(folder / name), matrix, sparse_format=sparse_format, compress=compress, force=True
    )
    return in_bands, (folder / name).read_bytes()


class TestBytes:
    @pytest.mark.parametrize("compress", [False, True])
    @pytest.mark.parametrize("transpose", [False, True])
    @pytest.mark.parametrize("file", FILES)
    def test_are_those_of_the_whole_matrix(
        self, tmp_path: Path, file: tuple[str, str], transpose: bool, compress: bool
    ) -> None:
        in_bands, whole = written(
            tmp_path, convolution(), weight(), file, transpose=transpose, compress=compress
        )
        assert in_bands == whole

    @pytest.mark.parametrize("dtype", MATRIX_DTYPES)
    @pytest.mark.parametrize("file", FILES)
    def test_are_those_of_every_dtype(
        self, tmp_path: Path, file: tuple[str, str], dtype: str
    ) -> None:
        in_bands, whole = written(tmp_path, convolution(), weight(dtype), file)
        assert in_bands == whole

    @settings(deadline=None, max_examples=60)
    @given(
        drawn=with_arrays(zero_padded_convolutions()),
        file=st.sampled_from(FILES),
        transpose=st.booleans(),
    )
    def test_are_those_of_any_shape(
        self, tmp_path_factory: pytest.TempPathFactory, drawn: Any, file: Any, transpose: bool
    ) -> None:
        shape, taps, _, _ = drawn
        folder = tmp_path_factory.mktemp("any")
        in_bands, whole = written(folder, shape, taps, file, transpose=transpose)
        shutil.rmtree(folder)
        assert in_bands == whole


def failing(matrix: BandedMatrix, error: BaseException) -> BandedMatrix:
    """`matrix`, but the second band cannot be made."""

    class Bands:
        def __iter__(self) -> Iterator[Band]:
            yield next(iter(matrix.bands))
            raise error

    return BandedMatrix(
        shape=matrix.shape,
        nnz=matrix.nnz,
        dtype=matrix.dtype,
        index_dtype=matrix.index_dtype,
        bands=Bands(),
    )


def attempt(matrix: BandedMatrix, path: Path, *, compress: bool = False) -> None:
    write_bands(
        str(path),
        matrix,
        sparse_format="csr",
        compress=compress,
        force=True,
        advance=lambda _: None,
    )


class TestFailures:
    @pytest.mark.parametrize("error", [KeyboardInterrupt(), MemoryError()])
    @pytest.mark.parametrize("name", ["C.npz", "C.mtx"])
    def test_half_way_leave_the_target_untouched(
        self, tmp_path: Path, name: str, error: BaseException
    ) -> None:
        path = tmp_path / name
        path.write_bytes(b"old")
        bands = banded_matrix(convolution(), weight(), band_bytes=300)
        with pytest.raises(type(error)):
            attempt(failing(bands, error), path)
        assert path.read_bytes() == b"old"
        assert os.listdir(tmp_path) == [name]

    def test_a_disk_without_room_is_named_before_the_work(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        bands = banded_matrix(convolution(), weight())
        usage = Usage(free=banded_bytes(bands, "csr") - 1)
        monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
        with pytest.raises(FileError, match="no room") as caught:
            attempt(failing(bands, AssertionError()), tmp_path / "C.npz")
        assert caught.value.code == "E402"
        assert os.listdir(tmp_path) == []

    @pytest.mark.parametrize(("name", "compress"), [("C.mtx", False), ("C.npz", True)])
    def test_nor_is_a_smaller_file_begun_that_cannot_fit(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, compress: bool
    ) -> None:
        monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(free=1))
        with pytest.raises(FileError, match="no room"):
            attempt(banded_matrix(convolution(), weight()), tmp_path / name, compress=compress)

    def test_a_disk_with_just_enough_room_is_written(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        bands = banded_matrix(convolution(), weight())
        usage = Usage(free=banded_bytes(bands, "csr"))
        monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
        attempt(bands, tmp_path / "C.npz")
        assert load_npz(tmp_path / "C.npz").nnz == bands.nnz

    def test_a_device_has_no_room_to_run_out_of(self, monkeypatch: pytest.MonkeyPatch) -> None:
        bands = banded_matrix(convolution(), weight())
        monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(free=0))
        monkeypatch.setattr("convt_cli.files.matrices.matrix_format", lambda _: Npz())
        attempt(bands, Path("/dev/null"))


class Usage(NamedTuple):
    free: int


LARGE = """
input: [64, 56, 56]
layers: [{type: conv, out_channels: 64, kernel_size: 3, padding: 1, weight: {fill: normal}}]
"""
"""C takes 1.35 GB."""


@needs_a_measure
@pytest.mark.slow
@pytest.mark.parametrize("options", [(), ("--transpose",), ("--sparse-format", "coo")])
def test_a_large_matrix_takes_little_memory(tmp_path: Path, options: tuple[str, ...]) -> None:
    (tmp_path / "net.yaml").write_text(LARGE, encoding="utf-8")
    taken = cost("matrix", tmp_path / "net.yaml", "-o", "-", *options, printed=False)
    assert taken.status == 0
    assert taken.memory < 400e6
