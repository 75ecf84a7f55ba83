"""convt table: the guide, a spec's arithmetic with its numbers put in, and sweeps.

Every formula that is printed evaluates, from its own text, to the size that stands beside it.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from math import ceil, floor
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import ZFNET, Run, WriteSpec, assert_quiet, assert_refused

SPEC = """
    name: mixed
    input: [2, 9, 12]
    layers:
      - {type: conv, out_channels: 4, kernel_size: 3, stride: 2, padding: [[0, 1], [2, 1]]}
      - {type: relu}
      - {type: max_pool, kernel_size: 2, ceil_mode: true}
      - {type: conv_transpose, out_channels: 2, kernel_size: [3, 4], stride: 2, padding: 1,
         output_padding: [1, 0]}
      - {type: conv_transpose, out_channels: 2, kernel_size: 3, dilation: 2, padding: causal}
      - {type: conv, out_channels: 2, kernel_size: 3, padding: 1, padding_mode: reflect}
      - {type: avg_pool, kernel_size: 2, stride: 1}
    """

SWEEP = ("table", "--type", "conv", "--input-size", "5", "--kernel-size", "3")


def evaluated(arithmetic: str) -> object:
    """The value of a formula."""
    return eval(arithmetic, {"__builtins__": {}, "floor": floor, "ceil": ceil})


def axes_of(document: Any) -> Iterator[dict[str, Any]]:
    """Every axis of every layer of every network."""
    for network in document["networks"]:
        for layer in network["layers"]:
            yield from layer["axes"]


class TestGuide:
    def test_json_has_exactly_these_keys(self, run: Run) -> None:
        document = run("table", "--format", "json").document
        assert list(document) == ["version", "relationships"]
        keys = {"number", "name", "formula", "arithmetic", "input_size", "output_size"}
        assert all(keys <= set(one) for one in document["relationships"])
        assert [one["number"] for one in document["relationships"]] == list(range(1, 16))

    @pytest.mark.parametrize("output_format", ["text", "csv", "markdown"])
    def test_every_format_has_all_fifteen(self, run: Run, output_format: str) -> None:
        outcome = run("table", "--format", output_format)
        assert (outcome.status, outcome.err) == (0, "")
        formula = "floor((i + 2*p - k - (k - 1)*(d - 1)) / s) + 1"
        assert formula in outcome.out.replace("\\", "")
        numbers = [line.strip("| ").partition(" ")[0].partition(",")[0].strip()
                   for line in outcome.out.splitlines()]  # fmt: skip
        assert {str(number) for number in range(1, 16)} <= set(numbers)


class TestSpec:
    @pytest.mark.parametrize("text", [SPEC, ZFNET], ids=["mixed", "zf-net"])
    def test_every_formula_comes_to_the_size_beside_it(
        self, run: Run, spec: WriteSpec, text: str
    ) -> None:
        axes = list(axes_of(run("table", spec(text), "--format", "json").document))
        assert len(axes) >= 10
        assert [evaluated(axis["arithmetic"]) for axis in axes] == [
            axis["output_size"] for axis in axes
        ]

    def test_a_layer_that_computes_sizes_without_a_window_has_a_formula(
        self, run: Run, spec: WriteSpec
    ) -> None:
        text = """
            input: [4, 7, 9]
            layers:
              - {type: upsample, scale_factor: [2, 1.5]}
              - {type: adaptive_avg_pool, output_size: [4, 6]}
              - {type: pixel_shuffle, factor: 2}
              - {type: pixel_unshuffle, factor: 4}
              - {type: relu}
            """
        document = run("table", spec(text), "--format", "json").document
        axes = list(axes_of(document))
        assert [axis["arithmetic"] for axis in axes] == [
            *("7*2", "floor(9 * 3/2)", "4", "6", "4*2", "6*2", "8 / 4", "12 / 4")
        ]
        assert [evaluated(axis["arithmetic"]) for axis in axes] == [
            axis["output_size"] for axis in axes
        ]
        assert document["networks"][0]["left_out"] == {"relu": 1}
        assert "Without a formula of its own: relu × 1." in run("table", "net.yaml").out

    def test_a_pool_with_ceil_mode_says_when_its_last_window_is_dropped(
        self, run: Run, spec: WriteSpec
    ) -> None:
        layer = "{type: max_pool, kernel_size: 2, stride: 3, padding: 1, ceil_mode: true}"
        outcome = run("table", spec(f"input: [1, 5, 3]\nlayers: [{layer}]"))
        assert "ceil((5 + 1 + 1 - 2) / 3) + 1 - 1" in outcome.out
        assert "ceil((3 + 1 + 1 - 2) / 3) + 1  " in outcome.out
        assert "begin at or past the end of the input, i + before, is dropped" in outcome.out

    def test_every_equivalent_has_the_output_s_size(self, run: Run, spec: WriteSpec) -> None:
        axes = axes_of(run("table", spec(SPEC), "--format", "json").document)
        transposed = [axis for axis in axes if axis["transposed"]]
        assert len(transposed) == 4
        assert [direct_size(axis["equivalent"]) for axis in transposed] == [
            axis["output_size"] for axis in transposed
        ]

    def test_the_stretched_input_has_zeros_between(self, run: Run, spec: WriteSpec) -> None:
        axes = axes_of(run("table", spec(SPEC), "--format", "json").document)
        (first, *_) = [axis for axis in axes if axis["transposed"]]
        assert first["equivalent"] == {
            "stretched_size": 3,
            "kernel_size": 3,
            "stride": 1,
            "padding": [1, 2],
            "dilation": 1,
        }

    def test_json_has_exactly_these_keys(self, run: Run, spec: WriteSpec) -> None:
        document = run("table", spec(SPEC), "--format", "json").document
        (network,) = document["networks"]
        assert list(document) == ["version", "networks", "problems"]
        assert list(network) == ["spec", "name", "framework", "layers", "left_out"]
        assert list(network["layers"][0]) == ["name", "type", "line", "axes"]

    def test_only_layers_with_a_window_are_listed(self, run: Run, spec: WriteSpec) -> None:
        (network,) = run("table", spec(SPEC), "--format", "json").document["networks"]
        assert [layer["type"] for layer in network["layers"]] == [
            *("conv", "max_pool", "conv_transpose", "conv_transpose", "conv", "avg_pool")
        ]

    def test_left_over_elements_are_counted(self, run: Run, spec: WriteSpec) -> None:
        (network,) = run("table", spec(SPEC), "--format", "json").document["networks"]
        assert [axis["left_over"] for axis in network["layers"][0]["axes"]] == [1, 0]

    def test_axes_that_are_alike_share_a_row(self, run: Run, spec: WriteSpec) -> None:
        out = run("table", spec(ZFNET), "--format", "csv").out
        rows = list(csv.DictReader(io.StringIO(out)))
        assert [(row["layer"], row["axis"]) for row in rows[:2]] == [
            ("conv1", "0, 1"),
            ("max_pool1", "0, 1"),
        ]
        assert rows[0]["arithmetic"] == "floor((224 + 1 + 1 - 7) / 2) + 1"
        assert (rows[0]["output_size"], rows[0]["left_over"]) == ("110", "1")

    @pytest.mark.parametrize("output_format", ["text", "markdown"])
    def test_people_get_the_formula_too(
        self, run: Run, spec: WriteSpec, output_format: str
    ) -> None:
        out = run("table", spec(ZFNET), "--format", output_format).out
        (row,) = [line for line in out.replace("\\", "").splitlines() if "conv1" in line]
        assert "floor((224 + 1 + 1 - 7) / 2) + 1" in row
        assert "110" in row

    def test_a_network_without_windows_is_no_error(self, run: Run, spec: WriteSpec) -> None:
        outcome = run("table", spec("input: [1, 4]\nlayers: [{type: relu}]"))
        assert (outcome.status, outcome.err) == (0, "")


def direct_size(equivalent: dict[str, Any]) -> int:
    """The output size of the direct convolution with stride 1."""
    effective = equivalent["dilation"] * (equivalent["kernel_size"] - 1) + 1
    return int(equivalent["stretched_size"] + sum(equivalent["padding"]) - effective + 1)


class TestSweep:
    def test_json_has_exactly_these_rows(self, run: Run) -> None:
        document = run(*SWEEP, "--stride", "1,2", "--format", "json").document
        row = {
            "type": "conv",
            "input_size": 5,
            "kernel_size": 3,
            "stride": 1,
            "padding": 0,
            "output_padding": 0,
            "dilation": 1,
            "output_size": 3,
        }
        assert document == {"version": 1, "rows": [row, row | {"stride": 2, "output_size": 2}]}

    def test_an_illegal_combination_has_no_size_but_a_reason(self, run: Run) -> None:
        document = run(*SWEEP[:-1], "9", "--format", "json").document
        (row,) = document["rows"]
        assert row["output_size"] is None
        assert row["error"].startswith("the window must fit into the padded input")

    @pytest.mark.parametrize(
        ("text", "values"),
        [
            ("7", [7]),
            ("4,6", [4, 6]),
            ("4..8", [4, 5, 6, 7, 8]),
            ("4..4", [4]),
            ("3,5..7,9", [3, 5, 6, 7, 9]),
            ("4, 6", [4, 6]),
            ("6,4", [6, 4]),
            ("010", [10]),
        ],
    )
    def test_sizes_are_numbers_and_ranges(self, run: Run, text: str, values: list[int]) -> None:
        arguments = ("table", "--type", "conv", "--kernel-size", "1", "--format", "json")
        rows = run(*arguments, "--input-size", text).document["rows"]
        assert [row["input_size"] for row in rows] == values

    @pytest.mark.parametrize(
        "text",
        [
            *("", "x", "4..", "..4", "8..4", "4...8", "4-8", "0", "-1", "1.5", "1e3", "4,,5", ","),
            *("0..3", "0x10", "9" * 17, "9" * 5000, "9007199254740993", "1..100001", "٣", "1_0"),
        ],
        ids=lambda text: text[:12],
    )
    def test_other_texts_are_refused(self, run: Run, text: str) -> None:
        outcome = run("table", "--type", "conv", "--kernel-size", "1", "--input-size", text)
        assert (outcome.status, outcome.out) == (2, "")
        assert "--input-size" in outcome.err
        assert "Traceback" not in outcome.err

    @pytest.mark.parametrize("option", ["--input-size", "--kernel-size", "--stride", "--dilation"])
    def test_sizes_are_at_least_1(self, run: Run, option: str) -> None:
        assert run(*SWEEP, option, "0").status == 2

    @pytest.mark.parametrize("option", ["--padding", "--output-padding"])
    def test_paddings_are_at_least_0(self, run: Run, option: str) -> None:
        arguments = ("table", "--type", "conv_transpose", *SWEEP[3:])
        assert run(*arguments, option, "0").status == 0
        assert run(*arguments, option, "-1").status == 2

    @pytest.mark.parametrize(
        ("arguments", "reason"),
        [
            (("--input-size", "4"), "needs --type"),
            (("--type", "conv"), "needs --input-size and --kernel-size"),
            (("--type", "conv", "--input-size", "4"), "needs --kernel-size"),
            (("--type", "pool", "--input-size", "4"), "is not one of"),
            ((*SWEEP[1:], "--output-padding", "0"), "goes with --type conv_transpose"),
            (("net.yaml", *SWEEP[1:]), "a sweep takes no SPEC"),
        ],
    )
    def test_options_that_do_not_fit_are_refused(
        self, run: Run, arguments: tuple[str, ...], reason: str
    ) -> None:
        outcome = run("table", *arguments)
        assert (outcome.status, outcome.out) == (2, "")
        assert reason in outcome.err

    def test_too_many_rows_are_refused(self, run: Run) -> None:
        arguments = (
            "table",
            "--type",
            "conv",
            "--input-size",
            "1..1000",
            "--kernel-size",
            "1..101",
        )
        assert_refused(run(*arguments), "E503")

    @pytest.mark.parametrize("output_format", ["text", "csv", "markdown"])
    def test_every_format_has_size_and_reason(self, run: Run, output_format: str) -> None:
        out = run(*SWEEP, "--stride", "1,2", "--dilation", "1,9", "--format", output_format).out
        assert out.count("the window must fit into the padded input") == 2

    def test_it_can_be_written_to_a_file(self, run: Run) -> None:
        assert_quiet(run(*SWEEP, "--format", "csv", "-o", "sweep.csv"))
        header, row = Path("sweep.csv").read_text(encoding="utf-8").splitlines()
        assert header == "input_size,kernel_size,stride,padding,dilation,output_size,error"
        assert row == "5,3,1,0,1,3,"
