"""convt shapes: every layer with its shapes, parameters, multiply-adds and receptive field."""

from __future__ import annotations

import csv
import io
import re
from pathlib import Path

import pytest

from tests.conftest import ZFNET, Run, WriteSpec, assert_quiet

ZFNET_COUNTS = [
    ("conv1", 14208, 170755200),
    ("max_pool1", 0, 0),
    ("conv2", 614656, 415334400),
    ("max_pool2", 0, 0),
    ("conv3", 885120, 149520384),
    ("conv4", 1327488, 224280576),
    ("conv5", 884992, 149520384),
    ("max_pool3", 0, 0),
]
"""Parameters and multiply-adds of the layers of ZF Net that have a window."""


class TestJson:
    def test_has_exactly_these_keys(self, run: Run, spec: WriteSpec) -> None:
        document = run("shapes", spec(ZFNET), "--format", "json").document
        (network,) = document["networks"]
        assert list(document) == ["version", "networks", "problems"]
        assert list(network) == [
            *("spec", "name", "framework", "input", "layers", "output"),
            *("parameters", "not_trained", "not_counted", "multiply_adds", "activations"),
        ]
        keys = ["name", "type", "line", "from", "inputs", "output", "activations"]
        keys += ["parameters", "not_trained", "parameter_percent", "multiply_adds"]
        seen = ["receptive_field", "receptive_field_is_bound", "jump"]
        assert list(network["layers"][0]) == [*keys, "nnz", *seen]
        assert list(network["layers"][1]) == [*keys, *seen]

    def test_of_the_first_layer_of_zf_net(self, run: Run, spec: WriteSpec) -> None:
        document = run("shapes", spec(ZFNET), "--format", "json").document
        assert document["version"] == 1
        assert document["networks"][0]["layers"][0] == {
            "name": "conv1",
            "type": "conv",
            "line": 4,
            "from": ["input"],
            "inputs": [[3, 224, 224]],
            "output": [96, 110, 110],
            "activations": 1161600,
            "parameters": 14208,
            "not_trained": 0,
            "parameter_percent": 0.4,
            "multiply_adds": 170755200,
            "nnz": 170311968,
            "receptive_field": [7, 7],
            "receptive_field_is_bound": False,
            "jump": [2, 2],
        }

    def test_of_a_network(self, run: Run, spec: WriteSpec) -> None:
        (network,) = run("shapes", spec(ZFNET), "--format", "json").document["networks"]
        del network["layers"]
        assert network == {
            "spec": "net.yaml",
            "name": "net",
            "framework": "pytorch",
            "input": [3, 224, 224],
            "output": [256, 6, 6],
            "parameters": sum(parameters for _, parameters, _ in ZFNET_COUNTS),
            "not_trained": 0,
            "not_counted": [],
            "multiply_adds": sum(multiply_adds for _, _, multiply_adds in ZFNET_COUNTS),
            "activations": 1161600 + 290400 + 173056 + 43264 + 2 * 64896 + 43264 + 9216,
        }

    def test_has_the_counts_of_every_layer(self, run: Run, spec: WriteSpec) -> None:
        (network,) = run("shapes", spec(ZFNET), "--format", "json").document["networks"]
        found = [
            (one["name"], one["parameters"], one["multiply_adds"]) for one in network["layers"]
        ]
        assert found == ZFNET_COUNTS

    def test_of_several_inputs_has_their_names(self, run: Run, spec: WriteSpec) -> None:
        spec("input: {a: [1, 4], b: [2, 4]}\nlayers: [{type: concat, from: [a, b]}]")
        (network,) = run("shapes", "net.yaml", "--format", "json").document["networks"]
        assert network["input"] == {"a": [1, 4], "b": [2, 4]}
        assert network["layers"][0]["inputs"] == [[1, 4], [2, 4]]


class TestWhatIsNotSimplyANumber:
    """A bound, parameters that are not trained, and those that nobody knows, are said to be so."""

    TEXT = """
        framework: keras
        input: [2, 4, 8]
        layers:
          - {name: norm, type: batch_norm}
          - {name: other, type: relu, stands_for: LSTM}
          - {name: rows, type: reshape, shape: [2, 32]}
          - {name: window, type: conv, out_channels: 1, kernel_size: 3, stands_for: QLinearConv}
        """

    def test_in_json(self, run: Run, spec: WriteSpec) -> None:
        (network,) = run("shapes", spec(self.TEXT), "--format", "json").document["networks"]
        assert (network["not_trained"], network["not_counted"]) == (4, ["other"])
        bounds = [one["receptive_field_is_bound"] for one in network["layers"]]
        assert bounds == [False, False, False, True]
        assert network["layers"][3]["receptive_field"] == [2, 8]

    def test_in_text(self, run: Run, spec: WriteSpec) -> None:
        out = run("shapes", spec(self.TEXT)).out
        assert re.search(r"^window .* ≤ 2×8$", out, re.MULTILINE)
        assert "≤ marks a receptive field that is an upper bound" in out
        assert "Of the parameters, 4 are not trained." in out
        assert "not counted: those of other." in out

    def test_in_csv(self, run: Run, spec: WriteSpec) -> None:
        rows = csv.DictReader(io.StringIO(run("shapes", spec(self.TEXT), "--format", "csv").out))
        assert [row["receptive_field"] for row in rows] == ["1x1", "1x1", "1x1", "≤ 2x8"]


class TestTables:
    def test_csv_has_full_numbers(self, run: Run, spec: WriteSpec) -> None:
        rows = list(csv.DictReader(io.StringIO(run("shapes", spec(ZFNET), "--format", "csv").out)))
        found = [(one["layer"], int(one["parameters"]), int(one["multiply_adds"])) for one in rows]
        assert found == ZFNET_COUNTS
        assert (rows[0]["output"], rows[0]["receptive_field"]) == ("96x110x110", "7x7")
        assert (rows[0]["jump"], rows[0]["activations"]) == ("2x2", "1161600")
        assert (rows[0]["nnz"], rows[1]["nnz"]) == ("170311968", "")

    def test_text_has_a_row_for_each_and_a_total(self, run: Run, spec: WriteSpec) -> None:
        out = run("shapes", spec(ZFNET)).out
        assert out.startswith("net (pytorch), input [3, 224, 224]\n")
        assert re.search(r"^conv1 .*96×110×110 +14,208 +170\.8 M +7×7$", out, re.MULTILINE)
        assert re.search(r"^total +256×6×6 +3,726,464 +1\.1 G$", out, re.MULTILINE)

    def test_text_is_no_wider_than_it_has_to_be(self, run: Run, spec: WriteSpec) -> None:
        head = run("shapes", spec(ZFNET)).out.splitlines()[2]
        assert "receptive field" in head
        assert "jump" not in head

    def test_wide_text_has_all_columns(self, run: Run, spec: WriteSpec) -> None:
        lines = run("shapes", spec(ZFNET), "--wide").out.splitlines()
        assert re.search(r"receptive field +jump +share % +activations +nnz$", lines[2])
        assert re.search(r" 7×7 +2×2 +0\.4 +1\.2 M +170\.3 M$", lines[4])
        assert lines[-1] == (
            "In float32 the parameters take 14.2 MiB and all outputs together 7.0 MiB."
        )

    def test_markdown_has_all_columns(self, run: Run, spec: WriteSpec) -> None:
        out = run("shapes", spec(ZFNET), "--format", "markdown").out
        assert "| receptive field | jump | share % | activations | nnz |" in out

    def test_markdown_has_a_row_for_each_and_a_total(self, run: Run, spec: WriteSpec) -> None:
        out = run("shapes", spec(ZFNET), "--format", "markdown").out
        rows = [line for line in out.splitlines() if line.startswith("|")]
        assert len(rows) == 2 + 8 + 1
        assert "14208" in rows[2]
        assert "3726464" in rows[-1]

    @pytest.mark.parametrize("output_format", ["text", "markdown"])
    def test_several_networks_have_a_table_each(
        self, run: Run, spec: WriteSpec, output_format: str
    ) -> None:
        spec(ZFNET)
        once = run("shapes", "net.yaml", "--format", output_format).out
        twice = run("shapes", "net.yaml", "net.yaml", "--format", output_format).out
        assert twice == f"{once}\n{once}"

    def test_of_several_networks_csv_has_one_table(self, run: Run, spec: WriteSpec) -> None:
        arguments = ("shapes", spec(ZFNET), spec(ZFNET, "b.yaml"), "--format", "csv")
        rows = list(csv.DictReader(io.StringIO(run(*arguments).out)))
        assert [(row["spec"], row["layer"]) for row in rows] == [
            (path, layer) for path in ("net.yaml", "b.yaml") for layer, _, _ in ZFNET_COUNTS
        ]

    def test_expectations_are_not_its_business(self, run: Run, spec: WriteSpec) -> None:
        spec("input: [1, 4]\nlayers: [{type: relu, expect: [9, 9]}]")
        assert run("shapes", "net.yaml").status == 0


class TestGraphs:
    @pytest.mark.parametrize("output_format", ["mermaid", "dot"])
    def test_one_network_has_no_frame(self, run: Run, spec: WriteSpec, output_format: str) -> None:
        outcome = run("shapes", spec(ZFNET), "--format", output_format)
        assert (outcome.status, outcome.err) == (0, "")
        assert "subgraph" not in outcome.out
        assert outcome.out.count("96×55×55") == 1

    @pytest.mark.parametrize("output_format", ["mermaid", "dot"])
    def test_several_have_one_each_in_one_graph(
        self, run: Run, spec: WriteSpec, output_format: str
    ) -> None:
        spec(ZFNET)
        outcome = run("shapes", "net.yaml", "net.yaml", "--format", output_format)
        assert outcome.out.count("subgraph") == 2
        assert outcome.out.count("96×55×55") == 2
        assert len(re.findall("digraph|flowchart", outcome.out)) == 1

    @pytest.mark.parametrize("output_format", ["mermaid", "dot"])
    def test_a_spec_that_cannot_be_read_leaves_the_others(
        self, run: Run, spec: WriteSpec, output_format: str
    ) -> None:
        outcome = run("shapes", spec(ZFNET), "none.yaml", "--format", output_format)
        assert (outcome.status, outcome.codes) == (2, ["E401"])
        assert outcome.out == run("shapes", "net.yaml", "--format", output_format).out
        arguments = ("--format", output_format, "-o", "out")
        assert run("shapes", "net.yaml", "none.yaml", *arguments).status == 2
        assert not Path("out").exists()

    def test_more_than_github_draws_is_said(self, run: Run, spec: WriteSpec) -> None:
        layers = ", ".join(
            f"{{type: conv, out_channels: {n % 7 + 1}, kernel_size: {n % 11 + 1}, padding: same}}"
            for n in range(600)
        )
        outcome = run("shapes", spec(f"input: [1, 40]\nlayers: [{layers}]"), "--format", "mermaid")
        assert outcome.status == 0
        assert outcome.err.startswith("note: GitHub draws at most 500 edges and 50,000 characters")
        assert run("shapes", "net.yaml", "--format", "dot").err == ""


class TestSuffixes:
    @pytest.mark.parametrize(
        ("suffix", "output_format"),
        [
            *((".json", "json"), (".csv", "csv"), (".md", "markdown"), (".mmd", "mermaid")),
            *((".dot", "dot"), (".DOT", "dot"), (".txt", "text"), ("", "text"), (".yaml", "text")),
        ],
    )
    def test_name_the_format(
        self, run: Run, spec: WriteSpec, suffix: str, output_format: str
    ) -> None:
        printed = run("shapes", spec(ZFNET), "--format", output_format)
        assert_quiet(run("shapes", "net.yaml", "-o", f"out{suffix}"))
        assert Path(f"out{suffix}").read_bytes() == printed.stdout

    def test_that_contradict_the_format_are_refused(self, run: Run, spec: WriteSpec) -> None:
        outcome = run("shapes", spec(ZFNET), "--format", "json", "-o", "out.dot")
        assert (outcome.status, Path("out.dot").exists()) == (2, False)
        assert "out.dot is dot, and --format says json: leave --format out" in outcome.err

    @pytest.mark.parametrize("name", ["out.txt", "out.mmd", "out.json"])
    def test_that_say_nothing_of_this_command_s_formats_are_free(
        self, run: Run, spec: WriteSpec, name: str
    ) -> None:
        spec(ZFNET)
        assert_quiet(run("compare", "net.yaml", "--format", "json", "-o", name))


class TestHostileSpecs:
    @pytest.mark.parametrize("output_format", ["text", "markdown", "csv"])
    @pytest.mark.parametrize(
        "name",
        ['"a\\nb"', '"\\e]0;title\\a"', '"\\e[2J"', '"\\0"', '"\\u202e"', '"\\r"', '"\\u2028"'],
    )
    def test_a_name_cannot_break_a_table_or_command_a_terminal(
        self, run: Run, spec: WriteSpec, name: str, output_format: str
    ) -> None:
        layers = f"layers: [{{type: relu, name: {name}}}]"
        plain = run(
            "shapes", spec("input: [1, 4]\nlayers: [{type: relu}]"), "--format", output_format
        )
        outcome = run("shapes", spec(f"input: [1, 4]\n{layers}"), "--format", output_format)
        lines = (outcome.out + outcome.err).splitlines()
        assert all(line.isprintable() for line in lines)
        assert outcome.status == 2 or len(lines) == len(plain.out.splitlines())

    @pytest.mark.parametrize("output_format", ["text", "json", "csv", "markdown"])
    @pytest.mark.parametrize("count", [2, 25, 300])
    def test_sizes_that_grow_without_end_are_said_or_refused(
        self, run: Run, spec: WriteSpec, output_format: str, count: int
    ) -> None:
        layer = f"  - {{type: conv_transpose, out_channels: 1, kernel_size: 1, stride: {2**53}}}\n"
        spec(f"input: [1, {2**53}]\nlayers:\n" + layer * count)
        outcome = run("shapes", "net.yaml", "--format", output_format)
        assert (outcome.status == 0) == (outcome.err == "")
        assert outcome.status in {0, 2}

    def test_a_border_that_is_too_long_to_count_is_refused(self, run: Run, spec: WriteSpec) -> None:
        spec("""
            input: [1, 4]
            layers:
              - type: conv
                out_channels: 1
                kernel_size: 1000000000
                padding: 1000000000000
                padding_mode: replicate
            """)
        outcome = run("shapes", "net.yaml", "--format", "json")
        assert (outcome.status, outcome.codes) == (2, ["E116"])

    def test_a_thousand_layers_are_listed(self, run: Run, spec: WriteSpec) -> None:
        spec("input: [1, 4]\nlayers:\n" + "  - {type: relu}\n" * 1000)
        outcome = run("shapes", "net.yaml", "--format", "csv")
        assert ",relu1000,relu," in outcome.out.splitlines()[-1]
