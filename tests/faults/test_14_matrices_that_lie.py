"""Arrays whose headers lie about their shape, and the arrays of matrices.

No command reads a matrix back as one, whose indices somebody else may have written: its parts are
plain arrays, held against the layer's shape like any other.  The matrices that convt writes are
consistent, entry by entry.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.sparse

from tests.conftest import GUIDE, Run, WriteSpec, assert_refused
from tests.faults.rows import trying
from tests.files.samples import Array, header_of, npy_bytes, npz_bytes, outcome_of, with_header

load_npz: Any = scipy.sparse.load_npz

SHAPES = [
    *("(-1,)", "(2, -3)", "(-1, -8)", "(1.0,)", "('2',)", "2", "None", "(2, 3, 1000)", "(10**9,)"),
    *("(" + "9" * 5000 + ",)", "(99999999999999999999, 0)", "(4611686018427387904, 0)"),
    "(" + "(" * 100 + ")" * 100 + ",)",
    *("(2147483648, 2147483648)", "(4294967296, 4294967296, 1)", "(-2147483648, 4)"),
    *("[1, 2]", "{1}", "(2, 3", "((2, 3)", "(2, 3))", "(2, 3), 'x': ["),
]
"""Shapes that are none, and those whose products pass 32 or 64 bits."""

LAYER = """
    input: [1, 4, 4]
    layers: [{type: conv, out_channels: 1, kernel_size: 3, weight: WEIGHT}]
    """


@pytest.mark.usefixtures("folder")
class TestArrays:
    @pytest.mark.parametrize("body", [b"", bytes(8)], ids=["empty", "one number"])
    @pytest.mark.parametrize("name", ["x.npy", "x.npz"])
    def test_14_a_shape_that_is_none_is_refused(self, name: str, body: bytes) -> None:
        for shape in SHAPES:
            with trying(shape):
                content = with_header(header_of(shape), body)
                whole = content if name == "x.npy" else npz_bytes({"a.npy": content})
                assert outcome_of(whole, name) == "E303"

    @pytest.mark.parametrize("size", ["0, ", "1, "])
    @pytest.mark.parametrize("name", ["x.npy", "x.npz"])
    def test_14_more_axes_than_an_array_can_have_are_refused(self, name: str, size: str) -> None:
        content = with_header(header_of("(" + size * 65 + ")"), bytes(8))
        whole = content if name == "x.npy" else npz_bytes({"a.npy": content})
        assert outcome_of(whole, name) == "E301"

    @pytest.mark.parametrize("descr", ["'<f4'", "'<f16'", "'<c16'", "'|i1'"])
    @pytest.mark.parametrize("name", ["x.npy", "x.npz"])
    def test_14_numbers_of_another_size_are_refused(self, name: str, descr: str) -> None:
        content = with_header(header_of("(2, 3)", descr), bytes(48))
        whole = content if name == "x.npy" else npz_bytes({"a.npy": content})
        assert outcome_of(whole, name) == "E303"

    @pytest.mark.parametrize("change", [-48, -8, -1, 1, 8, 1000])
    @pytest.mark.parametrize("name", ["x.npy", "x.npz"])
    def test_14_data_shorter_or_longer_than_the_header_says_are_refused(
        self, name: str, change: int
    ) -> None:
        content = npy_bytes(np.ones((2, 3)))
        content = content[:change] if change < 0 else content + bytes(change)
        whole = content if name == "x.npy" else npz_bytes({"a.npy": content})
        assert outcome_of(whole, name) == "E303"

    @pytest.mark.parametrize(
        "descr",
        [
            *("'<f9'", "'x'", "8", "None", "'='", "('<f8', (2,))", "[('a', '<f8')]", "'<M8[s]'"),
            *("'<m8[s]'", "'<U2'", "'|S8'", "'|V8'", "'|O'", "'O'", "'<f8, <f8'", "float", "'f0'"),
            *("'(1000000000,)f8'", "'f8,' * 9", "[('a', '|O')]", "('O', (2,))"),
        ],
    )
    def test_14_a_dtype_that_is_no_number_is_refused(self, descr: str) -> None:
        content = with_header(header_of("(1,)", descr), bytes(8))
        assert outcome_of(content, "x.npy") in {"E302", "E303"}

    @pytest.mark.parametrize("shape", [(4, 4), (3, 3, 1, 1), (1, 1, 9), (9,), (1, 1, 3, 4), ()])
    @pytest.mark.parametrize("reference", ["w.npy", "w.npz#w"])
    def test_14_a_weight_of_another_shape_is_refused(
        self, run: Run, spec: WriteSpec, reference: str, shape: tuple[int, ...]
    ) -> None:
        np.save("w.npy", np.ones(shape))
        np.savez("w.npz", w=np.ones(shape))
        path = spec(LAYER.replace("WEIGHT", reference))
        assert_refused(run("matrix", path, "-o", "C.npz"), "E121")
        assert not Path("C.npz").exists()


GOOD = {
    "format": np.array(b"csr"),
    "shape": np.array([4, 16]),
    "data": np.arange(36.0),
    "indices": np.tile(np.arange(9, dtype=np.int32), 4),
    "indptr": np.arange(5, dtype=np.int32) * 9,
}
LIES: dict[str, dict[str, Array]] = {
    "an index behind the last column": {"indices": np.full(36, 2**30, np.int32)},
    "a negative index": {"indices": np.full(36, -1, np.int32)},
    "pointers that go back": {"indptr": np.array([0, 36, 9, 18, 36], np.int32)},
    "pointers behind the data": {"indptr": np.array([0, 9, 18, 27, 2**31 - 1], np.int32)},
    "too little data": {"data": np.arange(3.0)},
    "a negative shape": {"shape": np.array([-4, 16])},
    "a huge shape": {"shape": np.array([2**62, 2**62])},
    "a format that is none": {"format": np.array(b"\xff\xfe\xfd")},
}


@pytest.mark.usefixtures("folder")
class TestMatrices:
    @pytest.mark.parametrize("lie", LIES)
    @pytest.mark.parametrize(
        "arguments",
        [("apply", "--forward"), ("apply",), ("invert", "--layer", "conv1")],
        ids=" ".join,
    )
    def test_14_one_that_lies_is_no_array_of_a_layer(
        self, run: Run, spec: WriteSpec, arguments: tuple[str, ...], lie: str
    ) -> None:
        members = {**GOOD, **LIES[lie]}
        Path("C.npz").write_bytes(npz_bytes({f"{n}.npy": npy_bytes(members[n]) for n in members}))
        command, *options = arguments
        path = spec(GUIDE)
        for key in ("", "#data", "#indices", "#indptr", "#shape", "#format"):
            with trying(key):
                outcome = run(command, path, f"C.npz{key}", "-o", "out.npy", *options)
                codes = {"": ["E401"], "#format": ["E302"]}.get(key, ["E301"])
                assert (outcome.status, outcome.codes) == (2, codes)
                assert not Path("out.npy").exists()

    @pytest.mark.parametrize("lie", LIES)
    def test_14_one_that_lies_is_no_weight(self, run: Run, spec: WriteSpec, lie: str) -> None:
        members = {**GOOD, **LIES[lie]}
        Path("C.npz").write_bytes(npz_bytes({f"{n}.npy": npy_bytes(members[n]) for n in members}))
        path = spec(LAYER.replace("WEIGHT", "C.npz#data"))
        assert_refused(run("apply", path, "C.npz#data", "-o", "out.npy"), "E121")

    @pytest.mark.parametrize("sparse_format", ["csr", "csc", "coo", "bsr", "dia"])
    @pytest.mark.parametrize("transpose", [(), ("--transpose",)], ids=["C", "Cᵀ"])
    @pytest.mark.parametrize("mode", ["zeros", "circular"])
    def test_14_what_is_written_is_consistent_entry_by_entry(
        self,
        run: Run,
        spec: WriteSpec,
        sparse_format: str,
        transpose: tuple[str, ...],
        mode: str,
    ) -> None:
        layer = f"kernel_size: 3, padding: 1, padding_mode: {mode}"
        path = spec(GUIDE.replace("kernel_size: 3", layer))
        options = ("-o", "C.npz", "--sparse-format", sparse_format, *transpose)
        assert run("matrix", path, *options).status == 0
        matrix = load_npz("C.npz")
        if sparse_format in ("csr", "csc", "bsr"):
            matrix.check_format(full_check=True)
        coordinates = matrix.tocoo()
        for part, size in zip((coordinates.row, coordinates.col), matrix.shape, strict=True):
            assert 0 <= part.min() <= part.max() < size == 16
