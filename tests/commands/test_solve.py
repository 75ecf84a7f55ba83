"""convt solve: the layers between two sizes, and the sizes that fit a network."""

from __future__ import annotations

import csv
import io
import sys
from pathlib import Path

import pytest

from tests.conftest import PACKAGE, Run, Shell, WriteSpec, assert_quiet, assert_refused

UNET = PACKAGE.parent / "configs" / "unet.yaml"
DOUBLE = ("solve", "--input-size", "7", "--output-size", "14", "--type", "conv_transpose")
HALVE = ("solve", "--input-size", "224", "--output-size", "112", "--kernel-size", "3")
KEYS = ("kernel_size", "stride", "padding", "output_padding", "dilation")


class TestLayers:
    def test_json_has_every_solution_simplest_first(self, run: Run) -> None:
        document = run(*DOUBLE, "--format", "json").document
        assert document["version"] == 1
        assert document["count"] == len(document["solutions"]) > 1000
        values = [[one[key] for key in KEYS] for one in document["solutions"][:2]]
        assert values == [[2, 2, [0, 0], 0, 1], [4, 2, [1, 1], 0, 1]]

    def test_text_shows_the_simplest_and_says_how_to_see_the_rest(self, run: Run) -> None:
        outcome = run(*DOUBLE)
        assert (outcome.status, outcome.err) == (0, "")
        assert "the 20 simplest of 5,944 solutions" in outcome.out
        assert "--limit 5944" in outcome.out
        assert len(outcome.out.splitlines()) == 4 + 20 + 5

    def test_the_type_follows_from_the_sizes(self, run: Run) -> None:
        grown = run(*DOUBLE[:-2], "--format", "json").document
        shrunk = run(*HALVE, "--format", "json").document
        assert (grown["type"], shrunk["type"]) == ("conv_transpose", "conv")

    @pytest.mark.parametrize(
        ("framework", "first"), [("pytorch", None), ("keras", "same"), ("onnx", "same")]
    )
    def test_the_framework_says_what_its_words_come_to(
        self, run: Run, framework: str, first: str | None
    ) -> None:
        options = ("--stride", "2", "--dilation", "1", "--framework", framework)
        document = run(*HALVE, *options, "--format", "json").document
        words = {tuple(one["padding"]): one["word"] for one in document["solutions"]}
        assert words[0, 1] == first

    def test_without_an_input_size_each_has_its_own(self, run: Run) -> None:
        arguments = ("--output-size", "4", "--kernel-size", "3", "--stride", "2", "--padding", "1")
        document = run("solve", *arguments, "--dilation", "1", "--format", "json").document
        assert [one["input_sizes"] for one in document["solutions"]] == [[7, 8]]

    @pytest.mark.parametrize("output_format", ["text", "json", "csv", "markdown"])
    def test_no_solution_is_an_answer(self, run: Run, output_format: str) -> None:
        outcome = run(
            "solve", "--input-size", "200", "--output-size", "10", "--format", output_format
        )
        assert (outcome.status, outcome.err) == (0, "")
        if output_format in ("text", "markdown"):
            assert "no solutions" in outcome.out
            assert "stride 20" in outcome.out.replace("\\", "")

    def test_csv_has_all_of_them(self, run: Run) -> None:
        rows = list(csv.DictReader(io.StringIO(run(*DOUBLE, "--format", "csv").out)))
        assert len(rows) == 5944
        assert [rows[1][key] for key in KEYS] == ["4", "2", "1, 1", "0", "1"]

    def test_a_limit_holds_for_every_format(self, run: Run) -> None:
        assert len(run(*DOUBLE, "--limit", "3", "--format", "json").document["solutions"]) == 3
        assert run(*DOUBLE, "--limit", "3", "--format", "csv").out.count("\n") == 4

    def test_it_can_be_written_to_a_file(self, run: Run) -> None:
        assert_quiet(run(*HALVE, "--format", "csv", "-o", "found.csv"))
        assert Path("found.csv").read_text(encoding="utf-8").startswith("kernel_size,")

    def test_too_wide_a_search_is_refused(self, run: Run) -> None:
        assert_refused(run(*DOUBLE, "--kernel-size", "1..1000", "--stride", "1..1000"), "E503")


class TestSizes:
    def test_of_the_unet(self, run: Run) -> None:
        document = run("solve", "--sizes", UNET, "--format", "json").document
        assert list(document) == [
            *("version", "spec", "name", "framework", "input", "up_to", "sizes")
        ]
        assert document["spec"] == str(UNET)
        expected = list(range(188, 1025, 16))
        assert [axis["sizes"] for axis in document["sizes"]] == [expected, expected]

    def test_up_to_any_bound(self, run: Run) -> None:
        outcome = run("solve", "--sizes", UNET, "--up-to", "1000000000000000")
        assert (outcome.status, outcome.err) == (0, "")
        assert "62,499,999,999,989" in outcome.out

    def test_an_input_that_does_not_fit_gets_its_neighbours(self, run: Run) -> None:
        out = run("solve", "--sizes", UNET, "--input", "1,512,512").out
        assert "508, 524" in out
        assert "it does not fit: join3" in out

    def test_that_nothing_fits_is_an_answer(self, run: Run, spec: WriteSpec) -> None:
        path = spec(
            "input: [1, 9]\nlayers: [{name: a, type: conv, out_channels: 1, kernel_size: 2},"
            " {type: concat, from: [a, input]}]"
        )
        outcome = run("solve", "--sizes", path)
        assert (outcome.status, outcome.err) == (0, "")
        assert "none" in outcome.out
        assert "No size for all axes mends that." in outcome.out

    @pytest.mark.parametrize("output_format", ["text", "csv", "markdown"])
    def test_every_format_has_the_rule(self, run: Run, output_format: str) -> None:
        assert "188 + 16 j" in run("solve", "--sizes", UNET, "--format", output_format).out

    def test_a_spec_that_no_size_mends_is_refused(self, run: Run, spec: WriteSpec) -> None:
        assert_refused(run("solve", "--sizes", spec("input: [1, 9]\nlayers: [{type: x}]")), "E104")
        assert_refused(run("solve", "--sizes", "missing.yaml"), "E401")

    def test_a_spec_may_come_from_standard_input(self, run: Run) -> None:
        outcome = run("solve", "--sizes", "-", stdin=UNET.read_bytes())
        assert "188 + 16 j" in outcome.out


class TestUsage:
    @pytest.mark.parametrize(
        ("arguments", "reason"),
        [
            ((), "--output-size is needed"),
            (("--input-size", "4"), "--output-size is needed"),
            (("--output-size", "0"), "--output-size"),
            (("--output-size", "4..5"), "one integer is wanted"),
            (("--output-size", "4", "--padding", "x"), "--padding"),
            (("--output-size", "4", "--output-padding", "0"), "goes with --type conv_transpose"),
            (("--output-size", "4", "--up-to", "9"), "go with --sizes"),
            (("--output-size", "4", "--input", "1,9"), "go with --sizes"),
            (("--sizes", "net.yaml", "--stride", "2"), "--sizes goes with"),
            (("--sizes", "net.yaml", "--framework", "jax"), "--sizes goes with"),
            (("--output-size", "4", "--framework", "chainer"), "is not one of"),
        ],
    )
    def test_options_that_do_not_fit_are_refused(
        self, run: Run, arguments: tuple[str, ...], reason: str
    ) -> None:
        outcome = run("solve", *arguments)
        assert (outcome.status, outcome.out) == (2, "")
        assert reason in outcome.err


def test_neither_numpy_nor_scipy_is_imported(shell: Shell) -> None:
    outcome = shell(
        *DOUBLE, env={"PYTHONPROFILEIMPORTTIME": "1", "PYTHONPATH": str(PACKAGE.parent)}
    )
    assert outcome.status == 0, sys.executable
    assert "convt_cli.arithmetic.questions.solver" in outcome.err
    assert "numpy" not in outcome.err
    assert "scipy" not in outcome.err
