"""Rows, columns and entries at the last size that 32 bits count, and just behind it.

The index dtype follows from three integers; and matrices of these shapes, which have few entries,
are made and read back.  No index is ever wrapped.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.sparse
from scipy.io import mmread

from convt_cli.arithmetic.axis import Axis
from convt_cli.arithmetic.convolution import Convolution
from convt_cli.errors import RequestError
from convt_cli.io import memory
from convt_cli.operators.functions import conv_matrix
from tests.conftest import Run, Shell, WriteSpec, assert_quiet, assert_refused

load_npz: Any = scipy.sparse.load_npz

LAST = 2**31 - 1
SIZES = pytest.mark.parametrize("size", [LAST, LAST + 1, LAST + 2])


def index_dtype(size: int) -> str:
    """What counts to `size`."""
    return "int32" if size <= LAST else "int64"


def of_axis(axis: Axis) -> Convolution:
    return Convolution(out_channels=1, in_channels=1, axes=(axis,))


def tall(size: int) -> Convolution:
    """`size` rows, one column and one entry, in the last row: all but one lie in the padding."""
    return of_axis(Axis.conv(input_size=1, kernel_size=1, before=size - 1))


def wide(size: int) -> Convolution:
    """`size` columns, one row and two entries, in the first column and in the last."""
    return of_axis(Axis.conv(input_size=size, kernel_size=2, dilation=size - 1))


SPARSE_SPECS = {
    "rows": """
        input: [1, 1]
        layers:
          - {type: conv, out_channels: 1, kernel_size: 1, padding: [[LAST, 0]], weight: [[[3]]]}
        """,
    "columns": """
        input: [1, SIZE]
        layers:
          - {type: conv, out_channels: 1, kernel_size: 2, dilation: LAST, weight: [[[3, 5]]]}
        """,
}

LONG_KERNEL = 30_000
WITH_ENTRIES = {
    LAST: (100_663, 502, 424),
    LAST + 1: (101_455, 111, 16),
    LAST + 2: (101_425, 89, 68),
}
"""Input size and padding of a layer with so many entries in far fewer rows and columns."""


def with_entries(entries: int) -> Convolution:
    input_size, before, after = WITH_ENTRIES[entries]
    return of_axis(
        Axis.conv(input_size=input_size, kernel_size=LONG_KERNEL, before=before, after=after)
    )


def sparse_spec(kind: str, size: int) -> str:
    return SPARSE_SPECS[kind].replace("SIZE", str(size)).replace("LAST", str(size - 1))


class TestArithmetic:
    @SIZES
    @pytest.mark.parametrize("build", [tall, wide, with_entries], ids=["rows", "columns", "nnz"])
    def test_13_each_of_the_three_sizes_alone_decides(self, build: Any, size: int) -> None:
        convolution = build(size)
        sizes = (*convolution.matrix_shape, convolution.nnz)
        assert sum(one >= LAST for one in sizes) == 1
        assert max(sizes) == size
        assert convolution.index_dtype == index_dtype(size)

    @SIZES
    @pytest.mark.parametrize("options", [(), ("--transpose",)], ids=["C", "Cᵀ"])
    @pytest.mark.parametrize("kind", ["rows", "columns", "nnz"])
    def test_13_a_dry_run_counts_exactly(
        self, run: Run, spec: WriteSpec, kind: str, size: int, options: tuple[str, ...]
    ) -> None:
        if kind == "nnz":
            n, before, after = WITH_ENTRIES[size]
            text = (
                f"input: [1, {n}]\nlayers: [{{type: conv, out_channels: 1, "
                f"kernel_size: {LONG_KERNEL}, padding: [[{before}, {after}]]}}]\n"
            )
            rows, columns, entries = n + before + after - LONG_KERNEL + 1, n, size
        else:
            text = sparse_spec(kind, size)
            rows, columns, entries = (size, 1, 1) if kind == "rows" else (1, size, 2)
        arguments = ("matrix", spec(text), "--dry-run", "--dtype", "int8", "--format", "json")
        document = run(*arguments, *options).document
        shape = [columns, rows] if options else [rows, columns]
        width = 4 if size <= LAST else 8
        assert document == {
            "version": 1,
            "shape": shape,
            "nnz": entries,
            "bytes": entries * (1 + width) + (shape[0] + 1) * width,
            "index_dtype": index_dtype(size),
        }

    @pytest.mark.parametrize("size", [LAST + 1, LAST + 2])
    def test_13_so_does_a_process(self, shell: Shell, spec: WriteSpec, size: int) -> None:
        path = spec(f"input: [1, {size}]\nlayers: [{{type: relu, name: a}}, "
                    "{type: conv, out_channels: 1, kernel_size: 1}]")  # fmt: skip
        document = shell("matrix", path, "--dry-run", "--format", "json").document
        assert (document["shape"], document["nnz"]) == ([size, size], size)
        assert document["index_dtype"] == "int64"


class TestFiles:
    @SIZES
    @pytest.mark.parametrize(
        "export",
        [
            ("columns", "csr"),
            ("columns", "coo"),
            ("columns", "csc", "--transpose"),
            ("rows", "csc"),
            ("rows", "csr", "--transpose"),
            ("rows", "coo", "--transpose"),
        ],
        ids=" ".join,
    )
    def test_13_a_matrix_has_its_entries_in_the_last_place(
        self, run: Run, spec: WriteSpec, export: tuple[str, ...], size: int
    ) -> None:
        kind, stored_as, *options = export
        written = ("-o", "C.npz", "--sparse-format", stored_as, *options)
        assert_quiet(run("matrix", spec(sparse_spec(kind, size)), *written))
        matrix = load_npz("C.npz")
        assert matrix.format == stored_as
        assert max(matrix.shape) == size
        coordinates = matrix.tocoo()
        assert coordinates.row.dtype == coordinates.col.dtype == index_dtype(size)
        long = coordinates.col if matrix.shape[1] == size else coordinates.row
        assert long.tolist() == ([0, size - 1] if kind == "columns" else [size - 1])
        assert coordinates.data.tolist() == ([3, 5] if kind == "columns" else [3])

    @SIZES
    @pytest.mark.parametrize("options", [(), ("--transpose",)], ids=["C", "Cᵀ"])
    def test_13_a_text_counts_from_one(
        self, run: Run, spec: WriteSpec, size: int, options: tuple[str, ...]
    ) -> None:
        kind = "rows" if options else "columns"
        assert_quiet(run("matrix", spec(sparse_spec(kind, size)), "-o", "C.mtx", *options))
        lines = Path("C.mtx").read_text(encoding="utf-8").splitlines()
        entries = ["1 1 3", f"1 {size} 5"] if kind == "columns" else [f"1 {size} 3"]
        assert lines[2:] == [f"1 {size} {len(entries)}", *entries]
        assert mmread("C.mtx").shape == (1, size)

    @pytest.mark.parametrize("suffix", [".mat", ".MAT"])
    def test_13_a_format_that_counts_with_32_bits_is_not_written(
        self, run: Run, spec: WriteSpec, suffix: str
    ) -> None:
        options = ("-o", f"C{suffix}")
        assert_refused(run("matrix", spec(sparse_spec("columns", LAST + 1)), *options), "E402")
        assert not Path(f"C{suffix}").exists()


class TestArrays:
    @SIZES
    def test_13_the_library_s_matrix_has_its_entries_in_the_last_place(self, size: int) -> None:
        matrix = conv_matrix(np.array([[[3, 5]]]), size, dilation=size - 1)
        assert (matrix.shape, matrix.nnz) == ((1, size), 2)
        assert matrix.indices.tolist() == [0, size - 1]
        assert matrix.indices.dtype == matrix.indptr.dtype == index_dtype(size)

    @pytest.mark.parametrize("size", [LAST + 1, LAST + 2])
    def test_13_rows_that_do_not_fit_into_memory_are_refused_with_their_bytes(
        self, monkeypatch: pytest.MonkeyPatch, size: int
    ) -> None:
        monkeypatch.setattr(memory, "available", lambda: 2**34)
        with pytest.raises(RequestError, match=r"16\.0 GiB needed, 16\.0 GiB there") as caught:
            conv_matrix(np.ones((1, 1, 1)), 1, padding=[(size - 1, 0)])
        assert caught.value.code == "E501"
