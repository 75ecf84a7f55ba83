"""convt compare: every convolution and pool under each framework."""

from __future__ import annotations

import csv
import io
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import Run, WriteSpec, assert_quiet, assert_refused, environment

SPEC = """
    framework: keras
    input: [3, 224, 224]
    layers:
      - {name: conv1, type: conv, out_channels: 64, kernel_size: 7, stride: 2, padding: same}
      - {type: relu}
      - {name: pool1, type: max_pool, kernel_size: 3, stride: 2, padding: same}
    """
NAMES = ["keras", "pytorch", "tensorflow", "onnx", "jax", "caffe"]


class TestJson:
    def test_has_these_keys(self, run: Run, spec: WriteSpec) -> None:
        document = run("compare", spec(SPEC), "--format", "json").document
        assert list(document) == ["version", "layers", "not_compared", "problems"]
        assert document["version"] == 1
        assert document["problems"] == []
        assert [one["layer"] for one in document["layers"]] == ["conv1", "pool1"]
        first = document["layers"][0]
        assert (first["spec"], first["type"], first["line"]) == ("net.yaml", "conv", 5)
        assert [one["framework"] for one in first["frameworks"]] == NAMES

    def test_of_the_strided_same_layer(self, run: Run, spec: WriteSpec) -> None:
        document = run("compare", spec(SPEC), "--format", "json").document
        own, torch, *_ = document["layers"][0]["frameworks"]
        fixed = ("accepted", "error", "output", "padding", "output_padding", "shift")
        assert [own[key] for key in fixed] == [
            *(True, None, [64, 112, 112], [[2, 3], [2, 3]], None, [0, 0])
        ]
        assert [torch[key] for key in fixed] == [
            *(False, "padding 'same' needs stride 1 in pytorch: got stride 2"),
            *(None, None, None, None),
        ]

    def test_a_spec_that_cannot_be_read_is_among_the_problems(
        self, run: Run, spec: WriteSpec
    ) -> None:
        outcome = run("compare", spec(SPEC), "none.yaml", "--format", "json")
        assert outcome.status == 2
        assert [one["code"] for one in outcome.document["problems"]] == ["E401"]
        assert len(outcome.document["layers"]) == 2

    def test_the_opset_of_the_spec_holds(self, run: Run, spec: WriteSpec) -> None:
        layer = "{type: max_pool, kernel_size: 2, stride: 3, padding: 1, ceil_mode: true}"
        for opset, told in ((21, 1), (22, 0)):
            spec(f"framework: onnx\nopset: {opset}\ninput: [1, 5]\nlayers: [{layer}]")
            (found,) = run("compare", "net.yaml", "--format", "json").document["layers"]
            assert len(found["frameworks"][0]["dissent"]) == told


class TestFrameworks:
    @pytest.mark.parametrize(
        ("given", "shown"),
        [
            ("tensorflow", ["keras", "tensorflow"]),
            ("onnx,pytorch", ["keras", "onnx", "pytorch"]),
            ("onnx, onnx", ["keras", "onnx"]),
            ("keras", ["keras"]),
        ],
    )
    def test_the_spec_s_own_stands_before_those_asked_for(
        self, run: Run, spec: WriteSpec, given: str, shown: list[str]
    ) -> None:
        outcome = run("compare", spec(SPEC), "--with", given, "--format", "json")
        found = outcome.document["layers"][0]["frameworks"]
        assert [one["framework"] for one in found] == shown

    @pytest.mark.parametrize(
        ("given", "hint"),
        [("tensorfow", "did you mean 'tensorflow'?"), ("", "known are"), ("onnx,", "known are")],
    )
    def test_an_unknown_one_is_refused(
        self, run: Run, spec: WriteSpec, given: str, hint: str
    ) -> None:
        outcome = run("compare", spec(SPEC), "--with", given)
        assert (outcome.status, outcome.out) == (2, "")
        assert hint in " ".join(outcome.err.split())


class TestLayers:
    def test_one_can_be_chosen(self, run: Run, spec: WriteSpec) -> None:
        outcome = run("compare", spec(SPEC), "--layer", "pool1", "--format", "json")
        assert [one["layer"] for one in outcome.document["layers"]] == ["pool1"]

    @pytest.mark.parametrize("name", ["relu1", "conv2", ""])
    def test_one_without_a_window_cannot(self, run: Run, spec: WriteSpec, name: str) -> None:
        assert_refused(run("compare", spec(SPEC), "--layer", name), "E502")

    def test_a_spec_that_has_it_not_leaves_the_others(self, run: Run, spec: WriteSpec) -> None:
        spec(SPEC)
        spec("input: [1, 4]\nlayers: [{type: relu}]", "b.yaml")
        arguments = ("b.yaml", "net.yaml", "--layer", "conv1", "--format", "json")
        outcome = run("compare", *arguments)
        assert (outcome.status, outcome.codes) == (2, ["E502"])
        assert [one["layer"] for one in outcome.document["layers"]] == ["conv1"]
        assert [one["spec"] for one in outcome.document["problems"]] == ["b.yaml"]

    def test_each_reads_what_it_has_in_its_own_framework(self, run: Run, spec: WriteSpec) -> None:
        document = run("compare", spec(SPEC), "--format", "json").document
        assert document["layers"][1]["input"] == [64, 112, 112]

    def test_a_network_of_other_layers_says_what_they_are(self, run: Run, spec: WriteSpec) -> None:
        outcome = run("compare", spec("input: [1, 4]\nlayers: [{type: relu}, {type: relu}]"))
        assert (outcome.status, outcome.err) == (0, "")
        assert "Not compared, as convt knows no difference for them: relu × 2." in outcome.out

    def test_those_left_out_are_counted(self, run: Run, spec: WriteSpec) -> None:
        document = run("compare", spec(SPEC), "--format", "json").document
        assert document["not_compared"] == [{"spec": "net.yaml", "types": {"relu": 1}}]
        text = run("compare", "net.yaml").out
        assert text.rstrip().endswith(
            "Not compared, as convt knows no difference for them: relu × 1."
        )
        assert "Not compared" not in run("compare", "net.yaml", "--layer", "conv1").out

    def test_another_input_can_be_given(self, run: Run, spec: WriteSpec) -> None:
        outcome = run("compare", spec(SPEC), "--input", "3,225,225", "--format", "json")
        assert outcome.document["layers"][0]["frameworks"][0]["padding"] == [[3, 3], [3, 3]]


class TestTables:
    def test_text_says_it_to_people(self, run: Run, spec: WriteSpec) -> None:
        outcome = run("compare", spec(SPEC), "--layer", "conv1", "--with", "pytorch,onnx")
        assert (outcome.status, outcome.err) == (0, "")
        assert outcome.out.splitlines() == [
            "net (keras), conv1: conv, input [3, 224, 224]",
            "",
            "layer  framework  output      padding      values",
            "─────────────────────────────────────────────────────",
            "conv1  keras      64×112×112  (2,3) (2,3)  as written",
            "conv1  pytorch                             refused",
            "conv1  onnx       64×112×112  (2,3) (2,3)  equal",
            "",
            "The usual padding=3 of pytorch gives the same size, but values shifted by -1.",
            "pytorch refuses it: padding 'same' needs stride 1 in pytorch: got stride 2.",
            "To have the values of keras:",
            "  pytorch (even input sizes): nn.Conv2d(3, 64, 7, stride=2)(F.pad(x, (2, 3, 2, 3)))",
            "  onnx (even input sizes): helper.make_node('Conv', ['x', 'w', 'b'], ['y'], "
            + "kernel_shape=[7, 7], strides=[2, 2], pads=[2, 2, 3, 3])",
        ]

    def test_csv_has_a_row_for_each_layer_and_framework(self, run: Run, spec: WriteSpec) -> None:
        out = run("compare", spec(SPEC), "--format", "csv").out
        rows = list(csv.DictReader(io.StringIO(out)))
        found = [(row["spec"], row["layer"], row["framework"]) for row in rows]
        assert found == [
            ("net.yaml", layer, name) for layer in ("conv1", "pool1") for name in NAMES
        ]
        assert rows[0] == {
            "spec": "net.yaml",
            "layer": "conv1",
            "framework": "keras",
            "output": "64x112x112",
            "padding": "(2,3) (2,3)",
            "output_padding": "",
            "values": "as written",
        }

    def test_markdown_has_a_table_for_each_layer(self, run: Run, spec: WriteSpec) -> None:
        out = run("compare", spec(SPEC), "--format", "markdown").out
        assert sum(line.startswith("**net") for line in out.splitlines()) == 2
        assert sum(line.startswith("| conv1 |") for line in out.splitlines()) == 6

    def test_it_can_be_written_to_a_file(self, run: Run, spec: WriteSpec) -> None:
        assert_quiet(run("compare", spec(SPEC), "--format", "csv", "-o", "found.csv"))
        assert len(Path("found.csv").read_text(encoding="utf-8").splitlines()) == 13

    def test_a_bad_spec_leaves_no_file(self, run: Run, spec: WriteSpec) -> None:
        outcome = run("compare", spec(SPEC), "none.yaml", "-o", "found.txt")
        assert outcome.status == 2
        assert not Path("found.txt").exists()

    def test_an_illegal_spec_is_refused(self, run: Run, spec: WriteSpec) -> None:
        assert_refused(run("compare", spec("input: [1, 4]\nlayers: [{type: convv}]")), "E104")


def test_it_imports_neither_numpy_nor_scipy(spec: WriteSpec) -> None:
    spec(SPEC)
    code = (
        "import sys; from convt_cli.commands.main import run; run(['compare', 'net.yaml']); "
        "sys.exit(' '.join({'numpy', 'scipy'} & set(sys.modules)) or None)"
    )
    arguments = [sys.executable, "-c", code]
    done = subprocess.run(arguments, env=environment(), capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")
