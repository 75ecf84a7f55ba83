"""convt diff: what differs between two networks, for people and programs."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import PACKAGE, Run, WriteSpec, assert_quiet

CONFIGS = PACKAGE.parent / "configs"
NET = """
    input: [3, 32, 32]
    layers:
      - {name: c, type: conv, out_channels: 8, kernel_size: 3, padding: 1}
      - {name: r, type: relu}
      - {name: d, type: conv, out_channels: 4, kernel_size: 3}
    """
OTHER = """
    input: [3, 32, 32]
    layers:
      - {name: c, type: conv, out_channels: 8, kernel_size: 5, padding: 2, stride: 2}
      - {name: d, type: conv, out_channels: 4, kernel_size: 3}
      - {name: s, type: softmax}
    """
TOLD = ("type", "inputs", "output", "parameters", "multiply_adds", "receptive_field")


@pytest.fixture
def nets(spec: WriteSpec) -> tuple[str, str]:
    return spec(NET), spec(OTHER, "b.yaml")


def layers(run: Run, path: str) -> dict[str, Any]:
    """What `convt shapes` says of each layer, by name."""
    (network,) = run("shapes", path, "--format", "json").document["networks"]
    return {one["name"]: {key: one[key] for key in TOLD} for one in network["layers"]}


class TestStatus:
    def test_is_0_where_nothing_differs(self, run: Run, nets: tuple[str, str]) -> None:
        outcome = run("diff", nets[0], nets[0])
        assert (outcome.status, outcome.err) == (0, "")
        assert "Nothing differs." in outcome.out

    @pytest.mark.parametrize("output_format", ["text", "json", "csv", "markdown"])
    def test_is_1_where_something_does(
        self, run: Run, nets: tuple[str, str], output_format: str
    ) -> None:
        outcome = run("diff", *nets, "--format", output_format)
        assert (outcome.status, outcome.err) == (1, "")
        assert "Nothing differs" not in outcome.out

    @pytest.mark.parametrize("names", [("net.yaml", "none.yaml"), ("none.yaml", "net.yaml")])
    def test_is_2_where_one_cannot_be_read(
        self, run: Run, nets: tuple[str, str], names: tuple[str, str]
    ) -> None:
        outcome = run("diff", *names)
        assert (outcome.status, outcome.out, outcome.codes) == (2, "", ["E401"])
        outcome = run("diff", *names, "--format", "json")
        assert (outcome.status, outcome.document["layers"]) == (2, [])
        assert [one["spec"] for one in outcome.document["problems"]] == ["none.yaml"]

    def test_all_that_cannot_be_read_is_told(self, run: Run, spec: WriteSpec) -> None:
        outcome = run("diff", "none.yaml", spec("input: [1, 4]\nlayers: [{type: rely}]"))
        assert (outcome.status, outcome.codes) == (2, ["E401", "E104"])

    def test_another_framework_and_other_names_are_no_difference(
        self, run: Run, spec: WriteSpec
    ) -> None:
        expression = "nn.Conv2d(3, 8, 3, padding=1); nn.ReLU(); nn.Conv2d(8, 4, 3)"
        text = NET.replace("input:", "framework: onnx\n    input:")
        outcome = run("diff", spec(text), expression, "--input", "3,32,32")
        assert (outcome.status, outcome.err) == (0, "")
        assert "onnx  pytorch" in " ".join(outcome.out.split()).replace(" ", "  ")
        assert "The same under another name, 3 layers: c is now conv1, r is now " in outcome.out


class TestWhatApplies:
    def test_set_to_the_second_alone(self, run: Run, nets: tuple[str, str]) -> None:
        document = run(
            "diff", nets[0], nets[0], "--set", "d.out_channels=5", "--format", "json"
        ).document
        (one,) = document["layers"]
        assert (one["layer"], one["change"]) == ("d", "changed")
        assert (one["was"]["output"], one["is"]["output"]) == ([4, 30, 30], [5, 30, 30])

    def test_input_to_both(self, run: Run, nets: tuple[str, str]) -> None:
        arguments = ("diff", *nets, "--input", "3,64,64", "--format", "json")
        document = run(*arguments).document
        assert document["was"]["inputs"] == document["is"]["inputs"] == {"input": [3, 64, 64]}

    def test_one_of_them_is_standard_input(self, run: Run, nets: tuple[str, str]) -> None:
        text = Path(nets[0]).read_bytes()
        assert run("diff", "-", nets[0], stdin=text).status == 0
        assert run("diff", nets[0], "-", stdin=text).status == 0
        outcome = run("diff", "-", "-", stdin=text)
        assert outcome.status == 2
        assert "standard input can be A or B, not both" in outcome.err


class TestJson:
    def test_has_these_keys(self, run: Run, nets: tuple[str, str]) -> None:
        document = run("diff", *nets, "--format", "json").document
        assert list(document) == [
            *("version", "equal", "was", "is", "layers", "renamed", "not_compared", "problems")
        ]
        assert (document["version"], document["equal"]) == (1, False)
        assert document["not_compared"] == ["weights"]
        assert {tuple(one) for one in document["layers"]} == {("layer", "change", "was", "is")}
        assert [(one["layer"], one["change"]) for one in document["layers"]] == [
            *(("c", "changed"), ("r", "removed"), ("d", "changed"), ("s", "added"))
        ]

    def test_of_a_changed_layer_it_has_what_differs(self, run: Run, nets: tuple[str, str]) -> None:
        first, removed, *_, added = run("diff", *nets, "--format", "json").document["layers"]
        assert first["was"] == {
            "output": [8, 32, 32],
            "kernel_size": [3, 3],
            "stride": [1, 1],
            "padding": [[1, 1], [1, 1]],
            "parameters": 8 * 3 * 9 + 8,
            "multiply_adds": 8 * 3 * 9 * 32 * 32,
            "receptive_field": [3, 3],
        }
        assert list(first["is"]) == list(first["was"])
        assert (first["is"]["kernel_size"], first["is"]["output"]) == ([5, 5], [8, 16, 16])
        assert (removed["is"], added["was"]) == (None, None)
        assert (removed["was"]["type"], added["is"]["type"]) == ("relu", "softmax")

    @pytest.mark.parametrize(
        ("was", "now"), [("unet", "unet_same"), ("resnet18", "resnet50"), ("vgg16", "alexnet")]
    )
    def test_agrees_with_what_shapes_says_of_both(self, run: Run, was: str, now: str) -> None:
        """Layers of the same name differ in just what `shapes` tells of them."""
        paths = [str(CONFIGS / f"{name}.yaml") for name in (was, now)]
        first, second = (layers(run, path) for path in paths)
        found = run("diff", *paths, "--format", "json").document["layers"]
        same_name = [one for one in found if one["was"] and one["is"] and "name" not in one["is"]]
        assert same_name
        for one in same_name:
            name = one["layer"]
            differing = {key for key in TOLD if first[name][key] != second[name][key]}
            assert {*one["was"], *one["is"]} & set(TOLD) == differing
            assert [one["was"][key] for key in differing] == [first[name][key] for key in differing]
            assert [one["is"][key] for key in differing] == [second[name][key] for key in differing]


class TestTables:
    def test_text_says_it_to_people(self, run: Run, nets: tuple[str, str]) -> None:
        assert run("diff", *nets).out.splitlines() == [
            "net.yaml → b.yaml",
            "",
            "what               was       is",
            "───────────────────────────────",
            "outputs        4×30×30  4×14×14",
            "layers               3        3",
            "parameters         516      900",
            "multiply_adds  480,384  210,048",
            "activations     19,984    3,616",
            "",
            "Layers",
            "",
            "layer  change   what                              was                       is",
            "──────────────────────────────────────────────────────────────────────────────",
            "c      changed  output                        8×32×32                  8×16×16",
            "c      changed  kernel_size                       3×3                      5×5",
            "c      changed  stride                            1×1                      2×2",
            "c      changed  padding                   (1,1) (1,1)              (2,2) (2,2)",
            "c      changed  parameters                        224                      608",
            "c      changed  multiply_adds                 221,184                  153,600",
            "c      changed  receptive_field                   3×3                      5×5",
            "r      removed  layer            relu, output 8×32×32",
            "d      changed  output                        4×30×30                  4×14×14",
            "d      changed  multiply_adds                 259,200                   56,448",
            "d      changed  receptive_field                   5×5                      9×9",
            "s      added    layer                                  softmax, output 4×14×14",
            "",
            "Types, sources, shapes, windows, keys and counts are compared; weights are not.",
        ]

    def test_csv_has_a_row_for_each_fact(self, run: Run, nets: tuple[str, str]) -> None:
        out = run("diff", *nets, "--format", "csv").out
        rows = list(csv.DictReader(io.StringIO(out)))
        assert list(rows[0]) == ["layer", "change", "what", "was", "is"]
        (row,) = (one for one in rows if (one["layer"], one["what"]) == ("c", "kernel_size"))
        assert (row["change"], row["was"], row["is"]) == ("changed", "3x3", "5x5")

    def test_receptive_fields_that_follow_are_counted_for_people_alone(
        self, run: Run, nets: tuple[str, str]
    ) -> None:
        arguments = ("diff", nets[0], nets[0], "--set", "c.dilation=2", "--set", "c.padding=2")
        told = "Other receptive fields alone, which follow from the above, 2 layers: r, d."
        assert told in run(*arguments).out
        assert told in run(*arguments, "--format", "markdown").out
        rows = csv.DictReader(io.StringIO(run(*arguments, "--format", "csv").out))
        assert {one["layer"] for one in rows if one["what"] == "receptive_field"} == {"c", "r", "d"}

    @pytest.mark.parametrize("output_format", ["text", "markdown"])
    def test_what_is_not_compared_is_said(
        self, run: Run, nets: tuple[str, str], output_format: str
    ) -> None:
        for name in nets:
            assert "weights are not" in run("diff", nets[0], name, "--format", output_format).out

    def test_it_can_be_written_to_a_file(self, run: Run, nets: tuple[str, str]) -> None:
        assert_quiet(run("diff", nets[0], nets[0], "--format", "markdown", "-o", "d.md"))
        assert Path("d.md").read_text(encoding="utf-8").startswith("**net.yaml → net.yaml**")
