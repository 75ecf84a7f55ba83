"""convt matrix: C of a layer, exported, shown entry by entry, or only sized."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.sparse

from convt_cli.io import memory
from tests.conftest import GUIDE, ZFNET, Run, Shell, WriteSpec, assert_quiet, assert_refused

load_npz: Any = scipy.sparse.load_npz

GUIDE_C = np.array(
    [
        [1, 2, 3, 0, 4, 5, 6, 0, 7, 8, 9, 0, 0, 0, 0, 0],
        [0, 1, 2, 3, 0, 4, 5, 6, 0, 7, 8, 9, 0, 0, 0, 0],
        [0, 0, 0, 0, 1, 2, 3, 0, 4, 5, 6, 0, 7, 8, 9, 0],
        [0, 0, 0, 0, 0, 1, 2, 3, 0, 4, 5, 6, 0, 7, 8, 9],
    ]
)
"""The matrix of a 3 by 3 kernel over a 4 by 4 input, as it is drawn in the textbooks."""

UP = """
    input: [1, 2]
    layers:
      - {name: up, type: conv_transpose, out_channels: 1, kernel_size: 3, stride: 2,
         weight: [[[1, 2, 3]]]}
    """


class TestExport:
    def test_writes_the_matrix_of_a_convolution(self, run: Run, spec: WriteSpec) -> None:
        assert_quiet(run("matrix", spec(GUIDE), "-o", "C.npz"))
        matrix = load_npz("C.npz")
        np.testing.assert_array_equal(matrix.toarray(), GUIDE_C)
        assert (matrix.format, matrix.dtype, matrix.has_canonical_format) == (
            "csr",
            "float64",
            True,
        )

    def test_of_a_transposed_convolution_writes_the_direct_one_s(
        self, run: Run, spec: WriteSpec
    ) -> None:
        assert_quiet(run("matrix", spec(UP), "-o", "C.npz"))
        assert load_npz("C.npz").toarray().tolist() == [[1, 2, 3, 0, 0], [0, 0, 1, 2, 3]]

    def test_transposes(self, run: Run, spec: WriteSpec) -> None:
        assert_quiet(run("matrix", spec(GUIDE), "--transpose", "-o", "C.npz"))
        np.testing.assert_array_equal(load_npz("C.npz").toarray(), GUIDE_C.T)

    @pytest.mark.parametrize(
        "dtype",
        ["int8", "int16", "int32", "int64", "float32", "float64", "complex64", "complex128"],
    )
    def test_converts_to_a_dtype(self, run: Run, spec: WriteSpec, dtype: str) -> None:
        assert_quiet(run("matrix", spec(GUIDE), "--dtype", dtype, "-o", "C.npz"))
        matrix = load_npz("C.npz")
        assert matrix.dtype == dtype
        np.testing.assert_array_equal(matrix.toarray(), GUIDE_C)

    def test_refuses_a_dtype_that_the_weight_does_not_fit(self, run: Run, spec: WriteSpec) -> None:
        spec(GUIDE.replace("{fill: index}", "{fill: normal}"))
        assert_refused(run("matrix", "net.yaml", "--dtype", "int32", "-o", "C.npz"), "E302")

    def test_refuses_nan_as_an_integer_with_one_message(self, run: Run, spec: WriteSpec) -> None:
        spec("input: [1, 4]\nlayers: [{type: conv, out_channels: 1, kernel_size: 2,"
             " weight: [[[.nan, 1]]]}]")  # fmt: skip
        assert_refused(run("matrix", "net.yaml", "--dtype", "int32", "-o", "C.npz"), "E302")

    @pytest.mark.parametrize("mode", ["circular", "reflect", "replicate"])
    def test_folds_a_padding_that_is_read_from_the_input(
        self, run: Run, spec: WriteSpec, mode: str
    ) -> None:
        spec(
            "input: [1, 4]\nlayers: [{type: conv, out_channels: 1, kernel_size: 3, padding: 1,"
            f" padding_mode: {mode}, weight: [[[1, 2, 4]]]}}]"
        )
        assert_quiet(run("matrix", "net.yaml", "-o", "C.npz"))
        corner = {"circular": [2, 4, 0, 1], "reflect": [2, 5, 0, 0], "replicate": [3, 4, 0, 0]}
        assert load_npz("C.npz").toarray()[0].tolist() == corner[mode]

    def test_transposes_a_folded_matrix(self, run: Run, spec: WriteSpec) -> None:
        spec(
            "input: [1, 4]\nlayers: [{type: conv, out_channels: 1, kernel_size: 3, padding: 1,"
            " padding_mode: circular, weight: [[[1, 2, 4]]]}]"
        )
        assert_quiet(run("matrix", "net.yaml", "-o", "C.npz"))
        assert_quiet(run("matrix", "net.yaml", "-o", "D.npz", "--transpose"))
        np.testing.assert_array_equal(load_npz("D.npz").toarray(), load_npz("C.npz").toarray().T)

    @pytest.mark.parametrize("options", [(), ("--transpose",), ("--sparse-format", "coo")])
    def test_needs_no_memory_for_the_matrix(
        self,
        run: Run,
        spec: WriteSpec,
        monkeypatch: pytest.MonkeyPatch,
        options: tuple[str, ...],
    ) -> None:
        monkeypatch.setattr(memory, "available", lambda: 64 * 2**20)
        spec(
            "input: [1, 600000]\n"
            "layers: [{type: conv, out_channels: 10, kernel_size: 1, weight: {fill: ones}}]"
        )
        assert_quiet(run("matrix", "net.yaml", "-o", "C.npz", *options))
        matrix = load_npz("C.npz")
        assert matrix.nnz == 6_000_000
        assert matrix.nnz * (8 + 4) > memory.available()

    @pytest.mark.parametrize("sparse_format", ["bsr", "dia"])
    def test_needs_memory_for_formats_without_bands(
        self, run: Run, spec: WriteSpec, monkeypatch: pytest.MonkeyPatch, sparse_format: str
    ) -> None:
        monkeypatch.setattr(memory, "NEGLIGIBLE", 0)
        monkeypatch.setattr(memory, "available", lambda: 250)
        options = ("-o", "C.npz", "--sparse-format", sparse_format)
        assert_refused(run("matrix", spec(GUIDE), *options), "E501")

    def test_notes_a_weight_that_was_made_up(self, run: Run, spec: WriteSpec) -> None:
        spec(GUIDE.replace("weight: {fill: index}, ", ""))
        outcome = run("matrix", "net.yaml", "-o", "C.npz")
        assert (outcome.status, outcome.out) == (0, "")
        assert outcome.err == "note: conv1 has no weight; using fill normal, seed 0\n"
        expected = np.random.default_rng(0).standard_normal((1, 1, 3, 3)).ravel()
        np.testing.assert_array_equal(load_npz("C.npz").data[:9], expected)

    def test_twice_writes_the_same_bytes(self, run: Run, spec: WriteSpec) -> None:
        assert_quiet(run("matrix", spec(GUIDE), "--compress", "-o", "1.npz"))
        assert_quiet(run("matrix", "net.yaml", "--compress", "-o", "2.npz"))
        assert Path("1.npz").read_bytes() == Path("2.npz").read_bytes()

    def test_streams(self, shell: Shell, spec: WriteSpec) -> None:
        outcome = shell("matrix", spec(GUIDE), "-o", "-")
        assert (outcome.status, outcome.stderr) == (0, b"")
        np.testing.assert_array_equal(load_npz(io.BytesIO(outcome.stdout)).toarray(), GUIDE_C)

    def test_needs_force_over_a_file(self, run: Run, spec: WriteSpec) -> None:
        Path("C.npz").write_bytes(b"old")
        assert_refused(run("matrix", spec(GUIDE), "-o", "C.npz"), "E403")
        assert Path("C.npz").read_bytes() == b"old"
        assert_quiet(run("matrix", "net.yaml", "-o", "C.npz", "--force"))

    @pytest.mark.parametrize("name", ["C.csv", "C", "C.npy", "C.npz.gz"])
    def test_refuses_other_formats(self, run: Run, spec: WriteSpec, name: str) -> None:
        assert_refused(run("matrix", spec(GUIDE), "-o", name), "E402")


class TestDryRun:
    def test_json_has_exactly_these_keys(self, run: Run, spec: WriteSpec) -> None:
        document = run("matrix", spec(GUIDE), "--dry-run", "--format", "json").document
        assert document == {
            "version": 1,
            "shape": [4, 16],
            "nnz": 36,
            "bytes": 36 * (8 + 4) + 5 * 4,
            "index_dtype": "int32",
        }

    def test_of_the_first_layer_of_zf_net(self, run: Run, spec: WriteSpec) -> None:
        options = ("--layer", "conv1", "--dry-run", "--format", "json")
        document = run("matrix", spec(ZFNET), *options).document
        assert document["shape"] == [96 * 110 * 110, 3 * 224 * 224]
        assert (document["nnz"], document["index_dtype"]) == (170311968, "int32")

    def test_of_the_transpose_has_the_other_row_pointers(self, run: Run, spec: WriteSpec) -> None:
        options = ("--dry-run", "--transpose", "--format", "json")
        document = run("matrix", spec(GUIDE), *options).document
        assert (document["shape"], document["bytes"]) == ([16, 4], 36 * 12 + 17 * 4)

    @pytest.mark.parametrize(("dtype", "size"), [("int8", 1), ("float32", 4), ("complex128", 16)])
    def test_counts_the_bytes_of_the_dtype(
        self, run: Run, spec: WriteSpec, dtype: str, size: int
    ) -> None:
        options = ("--dry-run", "--dtype", dtype, "--format", "json")
        document = run("matrix", spec(GUIDE), *options).document
        assert document["bytes"] == 36 * (size + 4) + 20

    def test_says_the_bytes_that_the_export_takes(self, run: Run, spec: WriteSpec) -> None:
        document = run("matrix", spec(GUIDE), "--dry-run", "--format", "json").document
        assert_quiet(run("matrix", "net.yaml", "-o", "C.npz"))
        matrix = load_npz("C.npz")
        arrays = (matrix.data, matrix.indices, matrix.indptr)
        assert document["bytes"] == sum(array.nbytes for array in arrays)

    @pytest.mark.parametrize("output_format", ["text", "csv", "markdown"])
    def test_every_format_has_the_numbers(
        self, run: Run, spec: WriteSpec, output_format: str
    ) -> None:
        out = run("matrix", spec(GUIDE), "--dry-run", "--format", output_format).out
        assert all(word in out for word in ("4", "16", "36", "452", "int32"))

    def test_makes_no_weight_and_no_note(self, run: Run, spec: WriteSpec) -> None:
        spec(
            f"input: [1, {2**40}]\nlayers: [{{type: conv, out_channels: {2**40}, kernel_size: 5}}]"
        )
        outcome = run("matrix", "net.yaml", "--dry-run", "--format", "json")
        assert (outcome.status, outcome.err) == (0, "")
        assert outcome.document["nnz"] == 2**40 * (2**40 - 4) * 5


class TestShow:
    def test_prints_every_entry(self, run: Run, spec: WriteSpec) -> None:
        rows = list(
            csv.reader(io.StringIO(run("matrix", spec(GUIDE), "--show", "--format", "csv").out))
        )
        assert rows[0] == ["row", *map(str, range(16))]
        shown = [[float(cell or 0) for cell in row[1:]] for row in rows[1:]]
        np.testing.assert_array_equal(shown, GUIDE_C)

    def test_leaves_a_place_without_an_entry_empty(self, run: Run, spec: WriteSpec) -> None:
        document = run("matrix", spec(GUIDE), "--show", "--format", "json").document
        assert document["version"] == 1
        assert document["matrix"][0][:5] == ["1", "2", "3", None, "4"]

    def test_shows_a_zero_that_is_stored(self, run: Run, spec: WriteSpec) -> None:
        spec(UP.replace("[1, 2, 3]", "[1, 0, 3]"))
        document = run("matrix", "net.yaml", "--show", "--format", "json").document
        assert document["matrix"][0] == ["1", "0", "3", None, None]

    def test_names_taps_by_row_and_column(self, run: Run, spec: WriteSpec) -> None:
        options = ("--show", "--symbols", "--format", "json")
        document = run("matrix", spec(GUIDE), *options).document
        assert document["matrix"][3][5:12] == ["w0,0", "w0,1", "w0,2", None, "w1,0", "w1,1", "w1,2"]

    def test_names_channels_where_there_are_several(self, run: Run, spec: WriteSpec) -> None:
        spec("input: [2, 2]\nlayers: [{type: conv, out_channels: 1, kernel_size: 1}]")
        document = run("matrix", "net.yaml", "--show", "--symbols", "--format", "json").document
        assert document["matrix"] == [
            ["w0,0,0", None, "w0,1,0", None],
            [None, "w0,0,0", None, "w0,1,0"],
        ]

    def test_transposes(self, run: Run, spec: WriteSpec) -> None:
        options = ("--show", "--transpose", "--symbols", "--format", "json")
        document = run("matrix", spec(UP), *options).document
        assert [row[0] for row in document["matrix"]] == ["w0", "w1", "w2", None, None]

    @pytest.mark.parametrize("output_format", ["text", "markdown"])
    def test_people_get_a_table(self, run: Run, spec: WriteSpec, output_format: str) -> None:
        out = run("matrix", spec(UP), "--show", "--format", output_format).out
        assert "C of up" in out
        assert len([line for line in out.splitlines() if line.strip("| ")[:2] in {"0 ", "1 "}]) >= 2

    def test_refuses_what_nobody_can_read(self, run: Run, spec: WriteSpec) -> None:
        spec("input: [1, 257]\nlayers: [{type: conv, out_channels: 1, kernel_size: 1}]")
        assert_refused(run("matrix", "net.yaml", "--show"), "E503")
        assert run("matrix", "net.yaml", "--show", "--input", "1,256").status == 0


class TestUsage:
    @pytest.mark.parametrize(
        ("options", "reason"),
        [
            ((), "give one of -o FILE, --show and --dry-run"),
            (("--show", "--dry-run"), "give one of"),
            (("--show", "-o", "C.npz"), "give one of"),
            (("--dry-run", "-o", "C.npz"), "give one of"),
            (("--symbols", "--dry-run"), "--symbols goes with --show"),
            (("--symbols", "-o", "C.npz"), "--symbols goes with --show"),
            (("-o", "C.mtx", "--compress"), "go with .npz"),
            (("-o", "C.mtx", "--sparse-format", "csr"), "go with .npz"),
            (("-o", "C.npz", "--sparse-format", "lil"), "is not one of"),
            (("-o", "C.npz", "--dtype", "float16"), "is not one of"),
            (("-o", "C.npz", "--dtype", "object"), "is not one of"),
        ],
    )
    def test_options_that_do_not_fit_are_refused(
        self, run: Run, spec: WriteSpec, options: tuple[str, ...], reason: str
    ) -> None:
        outcome = run("matrix", spec(GUIDE), *options)
        assert (outcome.status, outcome.out) == (2, "")
        assert reason in outcome.err
        assert not Path("C.npz").exists()
        assert not Path("C.mtx").exists()
