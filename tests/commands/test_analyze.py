"""convt analyze: what C is like, in every format, against numpy on the exported matrix."""

from __future__ import annotations

import csv
import io

import numpy as np
import pytest
from scipy.sparse import load_npz

from convt_cli.analysis.singular import values
from convt_cli.operators.functions import conv_matrix
from tests.conftest import GUIDE, Run, WriteSpec, assert_refused

UP = """
    input: [2, 5, 5]
    layers:
      - {name: up, type: conv_transpose, out_channels: 1, kernel_size: 3, stride: 2}
      - {name: down, type: conv, out_channels: 2, kernel_size: 2, stride: 3, weight: {fill: ones}}
    """


class TestJson:
    def test_of_the_guide_s_layer(self, run: Run, spec: WriteSpec) -> None:
        document = run("analyze", spec(GUIDE), "--format", "json").document
        assert list(document) == ["version", "layers", "problems"]
        (found,) = document["layers"]
        assert run("matrix", "net.yaml", "-o", "C.npz").status == 0
        largest, *_, smallest = np.linalg.svd(load_npz("C.npz").toarray(), compute_uv=False)
        assert found["singular_value_max"] == pytest.approx(largest)
        assert found["singular_value_min"] == pytest.approx(smallest)
        assert found["condition_number"] == pytest.approx(largest / smallest)
        fixed = ("spec", "layer", "nnz", "overlap_min", "overlap_max", "unread_inputs")
        assert [found[key] for key in fixed] == ["net.yaml", "conv1", 36, 1, 4, 0]
        assert (found["shape"], found["density"], found["bytes"]) == ([4, 16], 36 / 64, 452)

    def test_of_a_checkerboard(self, run: Run, spec: WriteSpec) -> None:
        up, down = run("analyze", spec(UP), "--format", "json").document["layers"]
        keys = ("interior_overlap", "overlap_period", "checkerboard", "even_kernel_size")
        assert [up[key] for key in keys] == [[1, 4], [2, 2], "uneven: 1 to 4, period 2×2", [4, 4]]
        assert (up["unread_inputs"], down["unread_inputs"]) == (0, 121 - 64)
        assert (down["singular_value_min"], down["condition_number"]) == (0.0, None)

    @pytest.mark.parametrize(
        ("between", "checkerboard"),
        [
            ("{type: batch_norm}, {type: relu}, ", "not judged with shuffle"),
            ("{type: relu, stands_for: PRelu}, ", "not judged with shuffle"),
            ("{type: conv, out_channels: 4, kernel_size: 1}, ", "even in the interior"),
        ],
    )
    def test_a_layer_before_pixel_shuffle_is_not_judged_by_its_counts(
        self, run: Run, spec: WriteSpec, between: str, checkerboard: str
    ) -> None:
        path = spec(f"""
            input: [1, 6, 6]
            layers: [{{type: conv, out_channels: 4, kernel_size: 3}}, {between}
              {{name: shuffle, type: pixel_shuffle, factor: 2}}]
            """)
        found, *_ = run("analyze", path, "--format", "json").document["layers"]
        assert found["checkerboard"] == checkerboard

    @pytest.mark.parametrize(
        ("weight", "checkerboard"),
        [
            ("[[[1, 2, 3]], [[3, 2, 1]]]", "even with shuffle"),
            ("[[[1, 2, 3]], [[3, 2, 0]]]", "uneven with shuffle: kernel sums differ by 16.7 %"),
        ],
    )
    def test_a_layer_and_its_pixel_shuffle_are_judged_by_the_kernels_of_the_phases(
        self, run: Run, spec: WriteSpec, weight: str, checkerboard: str
    ) -> None:
        path = spec(f"""
            input: [1, 6]
            layers: [{{type: conv, out_channels: 2, kernel_size: 3, weight: {weight}}},
              {{type: relu}}, {{name: shuffle, type: pixel_shuffle, factor: 2}}]
            """)
        (found,) = run("analyze", path, "--format", "json").document["layers"]
        assert found["checkerboard"] == checkerboard

    def test_a_spec_that_cannot_be_read_leaves_the_others(self, run: Run, spec: WriteSpec) -> None:
        outcome = run("analyze", "none.yaml", spec(GUIDE), "--format", "json")
        assert (outcome.status, len(outcome.document["layers"])) == (2, 1)
        assert [one["code"] for one in outcome.document["problems"]] == ["E401"]


class TestTables:
    def test_text_says_what_would_help(self, run: Run, spec: WriteSpec) -> None:
        outcome = run("analyze", spec(UP))
        assert (outcome.status, outcome.err) == (0, "")
        notes = outcome.out.splitlines()[-3:]
        assert notes == [
            "up: kernel_size 4×4 in place of 3×3 would make the overlap even.",
            "down: kernel_size 3×3 in place of 2×2 would make the overlap even.",
            "Without a weight of their own, with fill normal, seed 0: up.",
        ]

    def test_text_says_where_no_kernel_would(self, run: Run, spec: WriteSpec) -> None:
        layer = "{type: conv, out_channels: 1, kernel_size: 3, stride: 2, dilation: 2}"
        out = run("analyze", spec(f"input: [1, 40]\nlayers: [{layer}]")).out
        assert "a dilation with no factor in common with the stride" in out

    def test_csv_has_a_row_for_each_layer(self, run: Run, spec: WriteSpec) -> None:
        out = run("analyze", spec(UP), "--format", "csv").out
        rows = list(csv.DictReader(io.StringIO(out)))
        assert [row["layer"] for row in rows] == ["up", "down"]
        assert rows[0]["checkerboard"] == "uneven: 1 to 4, period 2×2"

    def test_one_layer_can_be_chosen(self, run: Run, spec: WriteSpec) -> None:
        document = run("analyze", spec(UP), "--layer", "down", "--format", "json").document
        assert [one["layer"] for one in document["layers"]] == ["down"]

    def test_a_network_without_a_matrix_is_no_error(self, run: Run, spec: WriteSpec) -> None:
        outcome = run("analyze", spec("input: [1, 4]\nlayers: [{type: relu}]"))
        assert (outcome.status, outcome.err) == (0, "")

    def test_an_unknown_layer_is_refused(self, run: Run, spec: WriteSpec) -> None:
        assert_refused(run("analyze", spec(UP), "--layer", "upp"), "E502")


class TestEstimates:
    """What is not proved is nowhere called a bound."""

    def test_no_key_of_an_estimate_calls_it_a_bound(self, run: Run, spec: WriteSpec) -> None:
        (found,) = run("analyze", spec(GUIDE), "--format", "json").document["layers"]
        estimates = {key for key in found if "error" in key}
        assert estimates == {f"singular_value_{end}_error_estimate" for end in ("max", "min")}
        assert not [key for key in found if "bound" in key or "proved" in key]

    @pytest.mark.parametrize("output_format", ["text", "csv", "markdown"])
    def test_no_table_calls_an_estimate_a_bound(
        self, run: Run, spec: WriteSpec, monkeypatch: pytest.MonkeyPatch, output_format: str
    ) -> None:
        """The largest value of this layer is found by iteration, which may miss a larger one."""
        monkeypatch.setattr(values, "_MOST_DENSE_WORK", 0)  # as if C were large
        kernel = np.abs(np.random.default_rng(5).standard_normal((3, 3)))
        weight = np.repeat(kernel[np.newaxis, np.newaxis], 8, axis=0)
        weight[-1] *= 1 + 3e-6
        np.save("w.npy", weight)
        path = spec("""
            input: [8, 12, 12]
            layers:
              - {type: conv, out_channels: 8, kernel_size: 3, padding: 1, groups: 8,
                 weight: w.npy}
            """)
        largest = np.linalg.norm(conv_matrix(weight[:1], (12, 12), padding=1).toarray(), 2)
        out = run("analyze", path, "--format", output_format).out
        assert f"{largest:.4g}" in out
        assert "iteration" in out or output_format == "text"
        assert "±" not in out
        assert "bound" not in out
