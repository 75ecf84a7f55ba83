"""C on disk: every format loads back as the same matrix, and is written the same way twice."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.io
import scipy.sparse
from numpy.typing import NDArray
from scipy.sparse import csr_array

from convt_cli.arithmetic.axis import Axis
from convt_cli.arithmetic.convolution import Convolution
from convt_cli.arithmetic.vocabulary import MATRIX_DTYPES, SPARSE_FORMATS
from convt_cli.errors import FileError
from convt_cli.files.matrices import matrix_format, write_matrix
from convt_cli.operators.matrix.build import build_matrix
from tests.conftest import Run, Shell, WriteSpec, assert_quiet

Array = NDArray[Any]

load_npz: Any = scipy.sparse.load_npz
mmread: Any = scipy.io.mmread

SPEC = """
    input: [2, 5, 4]
    layers:
      - {name: down, type: conv, out_channels: 3, kernel_size: [3, 2], stride: [2, 1], padding: 1,
         weight: {fill: index}}
      - {name: up, type: conv_transpose, out_channels: 2, kernel_size: 3, stride: 2,
         weight: {fill: index}}
    """


def convolution() -> Convolution:
    """Two channels of 5 by 4, three of 3 by 5."""
    vertical = Axis.conv(input_size=5, kernel_size=3, stride=2, before=1, after=1)
    horizontal = Axis.conv(input_size=4, kernel_size=2, before=1, after=1)
    return Convolution(out_channels=3, in_channels=2, axes=(vertical, horizontal))


def small(dtype: str = "float64") -> csr_array:
    """C of `convolution()`, an explicit zero among its taps."""
    weight = (np.arange(3 * 2 * 3 * 2).reshape(3, 2, 3, 2) - 4).astype(dtype)
    return build_matrix(convolution(), weight * (1 + 2j) if "complex" in dtype else weight)


def written(path: Path, matrix: Any, **options: Any) -> Path:
    settings = {"sparse_format": None, "compress": False, "force": False} | options
    write_matrix(str(path), matrix, **settings)
    return path


def assert_equal(loaded: Any, matrix: Any) -> None:
    """The same matrix of the same dtype, whatever its format."""
    assert loaded.shape == matrix.shape
    assert loaded.dtype == matrix.dtype
    np.testing.assert_array_equal(loaded.toarray(), matrix.toarray())


class TestNpz:
    @pytest.mark.parametrize("compress", [False, True])
    @pytest.mark.parametrize("sparse_format", SPARSE_FORMATS)
    def test_every_sparse_format_loads_back(
        self, tmp_path: Path, sparse_format: str, compress: bool
    ) -> None:
        path = written(tmp_path / "C.npz", small(), sparse_format=sparse_format, compress=compress)
        loaded = load_npz(path)
        assert loaded.format == sparse_format
        assert isinstance(loaded, scipy.sparse.sparray)
        assert_equal(loaded, small())

    @pytest.mark.parametrize("dtype", MATRIX_DTYPES)
    def test_every_dtype_loads_back(self, tmp_path: Path, dtype: str) -> None:
        matrix = small().astype(dtype) if dtype == "int8" else small(dtype)
        assert_equal(load_npz(written(tmp_path / "C.npz", matrix)), matrix)

    @pytest.mark.parametrize("sparse_format", [None, "csr", "csc", "coo"])
    def test_zeros_that_are_stored_stay(self, tmp_path: Path, sparse_format: str | None) -> None:
        path = written(tmp_path / "C.npz", small(), sparse_format=sparse_format)
        loaded = load_npz(path)
        assert loaded.nnz == small().nnz > np.count_nonzero(small().toarray())

    def test_csr_is_what_is_written_without_a_word(self, tmp_path: Path) -> None:
        loaded = load_npz(written(tmp_path / "C.npz", small()))
        np.testing.assert_array_equal(loaded.indices, small().indices)
        np.testing.assert_array_equal(loaded.indptr, small().indptr)
        assert (loaded.format, loaded.indices.dtype) == ("csr", np.int32)

    def test_indices_of_64_bits_stay(self, tmp_path: Path) -> None:
        matrix = small()
        matrix.indices, matrix.indptr = (
            matrix.indices.astype(np.int64),
            matrix.indptr.astype(np.int64),
        )
        with np.load(written(tmp_path / "C.npz", matrix)) as members:
            assert members["indices"].dtype == members["indptr"].dtype == np.int64

    def test_nothing_in_it_is_pickled(self, tmp_path: Path) -> None:
        with np.load(written(tmp_path / "C.npz", small()), allow_pickle=False) as members:
            kinds = {members[name].dtype.kind for name in members.files}
        assert "O" not in kinds

    def test_compressed_it_is_smaller(self, tmp_path: Path) -> None:
        plain = written(tmp_path / "C.npz", small())
        compressed = written(tmp_path / "D.npz", small(), compress=True)
        assert compressed.stat().st_size < plain.stat().st_size

    @pytest.mark.parametrize("sparse_format", SPARSE_FORMATS)
    def test_a_matrix_without_entries_loads_back(self, tmp_path: Path, sparse_format: str) -> None:
        matrix = csr_array((3, 4), dtype=np.float32)
        path = written(tmp_path / "C.npz", matrix, sparse_format=sparse_format)
        assert_equal(load_npz(path), matrix)


class TestMtx:
    @pytest.mark.parametrize("dtype", MATRIX_DTYPES)
    def test_every_dtype_loads_back_in_value(self, tmp_path: Path, dtype: str) -> None:
        matrix = small().astype(dtype) if dtype == "int8" else small(dtype)
        loaded = mmread(written(tmp_path / "C.mtx", matrix))
        assert loaded.shape == matrix.shape
        np.testing.assert_array_equal(loaded.toarray(), matrix.toarray())

    def test_every_digit_is_kept(self, tmp_path: Path) -> None:
        matrix = small()
        matrix.data = np.random.default_rng(0).standard_normal(matrix.nnz)
        loaded = mmread(written(tmp_path / "C.mtx", matrix))
        np.testing.assert_array_equal(loaded.toarray(), matrix.toarray())

    def test_zeros_that_are_stored_stay(self, tmp_path: Path) -> None:
        assert mmread(written(tmp_path / "C.mtx", small())).nnz == small().nnz

    def test_a_symmetric_matrix_is_written_whole(self, tmp_path: Path) -> None:
        matrix = csr_array(np.array([[1.0, 2.0], [2.0, 1.0]]))
        path = written(tmp_path / "C.mtx", matrix)
        assert path.read_text(encoding="ascii").startswith(
            "%%MatrixMarket matrix coordinate real general\n"
        )

    def test_a_matrix_without_entries_loads_back(self, tmp_path: Path) -> None:
        matrix = csr_array((3, 4), dtype=np.float64)
        loaded = mmread(written(tmp_path / "C.mtx", matrix))
        assert (loaded.shape, loaded.nnz) == ((3, 4), 0)


class TestNames:
    @pytest.mark.parametrize(
        ("name", "suffix"), [("C.npz", ".npz"), ("a/C.MTX", ".mtx"), ("-", ".npz")]
    )
    def test_a_name_says_the_format(self, name: str, suffix: str) -> None:
        assert matrix_format(name).suffix == suffix

    @pytest.mark.parametrize("name", ["C", "C.npy", "C.csv", "C.npz#k", "C.mtx.gz", ""])
    def test_other_names_are_refused(self, name: str) -> None:
        with pytest.raises(FileError) as caught:
            matrix_format(name)
        assert caught.value.code == "E402"
        assert ".npz, .mtx" in caught.value.help


class TestTwice:
    @pytest.mark.parametrize("compress", [False, True])
    @pytest.mark.parametrize("sparse_format", SPARSE_FORMATS)
    def test_the_same_matrix_makes_the_same_bytes(
        self, tmp_path: Path, sparse_format: str, compress: bool
    ) -> None:
        options = {"sparse_format": sparse_format, "compress": compress}
        first = written(tmp_path / "1.npz", small(), **options)
        second = written(tmp_path / "2.npz", small(), **options)
        assert first.read_bytes() == second.read_bytes()

    def test_so_does_a_text_file(self, tmp_path: Path) -> None:
        first = written(tmp_path / "1.mtx", small())
        second = written(tmp_path / "2.mtx", small())
        assert first.read_bytes() == second.read_bytes()


class TestCommand:
    @pytest.mark.parametrize("layer", ["down", "up"])
    @pytest.mark.parametrize("name", ["C.npz", "C.mtx"])
    def test_transpose_writes_the_transpose(
        self, run: Run, spec: WriteSpec, layer: str, name: str
    ) -> None:
        load = load_npz if name == "C.npz" else mmread
        assert_quiet(run("matrix", spec(SPEC), "--layer", layer, "-o", name))
        plain = load(name).toarray()
        options = ("--transpose", "--force", "-o", name)
        assert_quiet(run("matrix", "net.yaml", "--layer", layer, *options))
        np.testing.assert_array_equal(load(name).toarray(), plain.T)

    @pytest.mark.parametrize("transpose", [(), ("--transpose",)])
    @pytest.mark.parametrize("sparse_format", SPARSE_FORMATS)
    def test_every_format_holds_the_same_matrix(
        self, run: Run, spec: WriteSpec, sparse_format: str, transpose: tuple[str, ...]
    ) -> None:
        options = ("--layer", "down", *transpose)
        assert_quiet(run("matrix", spec(SPEC), *options, "-o", "C.npz"))
        sparse = ("--sparse-format", sparse_format, "--compress")
        assert_quiet(run("matrix", "net.yaml", *options, *sparse, "-o", "D.npz"))
        assert_equal(load_npz("D.npz"), load_npz("C.npz"))

    def test_a_stream_holds_the_bytes_of_the_file(
        self, run: Run, shell: Shell, spec: WriteSpec
    ) -> None:
        assert_quiet(run("matrix", spec(SPEC), "--layer", "down", "-o", "C.npz"))
        outcome = shell("matrix", "net.yaml", "--layer", "down", "-o", "-")
        assert (outcome.status, outcome.stderr) == (0, b"")
        assert outcome.stdout == Path("C.npz").read_bytes()
        loaded = load_npz(io.BytesIO(outcome.stdout))
        assert loaded.shape == (45, 40)
