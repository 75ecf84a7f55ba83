"""Every command on a model file: it does what it does on the spec that the model is imported as."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.commands.test_import import model, write
from tests.commands.test_remedies import run_quoted
from tests.conftest import Run, assert_refused
from tests.docs import ROOT

onnx = pytest.importorskip("onnx")

TABLES = {
    "shapes": ["shapes"],
    "table": ["table"],
    "compare": ["compare"],
    "analyze": ["analyze"],
    "verify": ["verify"],
    "stimulus": ["stimulus", "--layer", "up1", "--unit", "0,3,4"],
    "matrix": ["matrix", "--layer", "conv1", "--dry-run"],
}
"""Commands that print a table of a network."""


@pytest.fixture(autouse=True)
def _m_onnx(folder: Path, run: Run) -> None:
    """m.onnx, and its import m.yaml."""
    write(folder, model())
    run("import", "m.onnx", "-o", "m.yaml")


def without_place(value: Any) -> Any:
    """A document without the names of specs and the numbers of lines."""
    if isinstance(value, dict):
        return {
            key: without_place(entry) for key, entry in value.items() if key not in {"spec", "line"}
        }
    return [without_place(entry) for entry in value] if isinstance(value, list) else value


class TestTheSameAsItsImport:
    @pytest.mark.parametrize("command", TABLES)
    def test_a_table(self, run: Run, command: str) -> None:
        name, *options = TABLES[command]
        found, expected = (
            run(name, spec, *options, "--format", "json") for spec in ("m.onnx", "m.yaml")
        )
        assert (found.status, found.err) == (expected.status, expected.err)
        assert without_place(found.document) == without_place(expected.document)

    @pytest.mark.parametrize("layer", ["conv1", "up1"])
    def test_a_matrix_to_the_byte(self, run: Run, folder: Path, layer: str) -> None:
        for spec in ("m.onnx", "m.yaml"):
            assert run("matrix", spec, "--layer", layer, "-o", f"{spec}.npz").status == 0
        assert (folder / "m.onnx.npz").read_bytes() == (folder / "m.yaml.npz").read_bytes()

    def test_an_applied_layer_to_the_byte(self, run: Run, folder: Path) -> None:
        np.save("x.npy", np.arange(8 * 8 * 8.0).reshape(8, 8, 8))
        for spec in ("m.onnx", "m.yaml"):
            done = run("apply", spec, "x.npy", "--layer", "up1", "--bias", "-o", f"{spec}.npy")
            assert done.status == 0, done.err
        assert (folder / "m.onnx.npy").read_bytes() == (folder / "m.yaml.npy").read_bytes()

    def test_the_sizes_that_fit(self, run: Run) -> None:
        found, expected = (
            run("solve", "--sizes", spec, "--up-to", "9", "--format", "csv")
            for spec in ("m.onnx", "m.yaml")
        )
        assert found.out.replace("m.onnx", "m.yaml") == expected.out


class TestOfAModel:
    def test_a_layer_has_no_line(self, run: Run) -> None:
        (network,) = run("shapes", "m.onnx", "--format", "json").document["networks"]
        assert network["spec"] == "m.onnx"
        assert [(layer["name"], layer["line"]) for layer in network["layers"]] == [
            ("conv1", None),
            ("relu1", None),
            ("up1", None),
        ]

    def test_its_input_can_be_given_by_its_own_name(self, run: Run) -> None:
        outcome = run("shapes", "m.onnx", "--input", "x=3,5,7", "--format", "json")
        assert outcome.document["networks"][0]["input"] == [3, 5, 7]

    def test_it_stands_beside_specs(self, run: Run) -> None:
        outcome = run("check", "m.yaml", "m.onnx")
        assert (outcome.status, outcome.out) == (0, "checked 2 specs: no problems\n")

    def test_a_rule_of_make_names_it_once(self, run: Run) -> None:
        assert run("deps", "m.onnx", "--target", "C.npz").out == "C.npz: m.onnx\n"

    def test_it_is_not_written_over(self, run: Run, folder: Path) -> None:
        before = (folder / "m.onnx").read_bytes()
        assert_refused(run("shapes", "m.onnx", "-o", "m.onnx", "--force"), "E406")
        assert (folder / "m.onnx").read_bytes() == before

    def test_one_that_cannot_be_read_has_no_line_either(self, run: Run, folder: Path) -> None:
        (folder / "m.onnx").write_bytes(b"text")
        (problem,) = run("shapes", "m.onnx", "--format", "json").document["problems"]
        assert (problem["code"], problem["line"], problem["column"]) == ("E405", None, None)


class TestWhatASpecCannotSay:
    @pytest.fixture(autouse=True)
    def _unknown_operators(self, folder: Path) -> None:
        changed = model()
        changed.graph.node[1].op_type = "Unheard"
        changed.graph.node[3].op_type = "Unsung"
        changed.graph.node[3].input[0] = "c"
        changed.graph.output.append(onnx.helper.make_tensor_value_info("r", 1, None))
        write(folder, changed)

    @pytest.mark.parametrize(
        ("command", "status"), [("shapes", 2), ("check", 1), ("deps", 2), ("analyze", 2)]
    )
    def test_each_operator_is_an_error_that_names_the_file_and_the_layer(
        self, run: Run, command: str, status: int
    ) -> None:
        outcome = run(command, "m.onnx")
        assert outcome.status == status
        said = outcome.out if command == "check" else outcome.err
        reason = "cannot be said in a spec: no layer type does what it does"
        help_line = (
            "= help: --partial keeps the layers that do not depend on it; "
            "`convt explain E505` says why"
        )
        assert said.splitlines()[:4] == [
            f"m.onnx: error[E505]: node 'relu1' (Unheard) {reason}",
            help_line,
            f"m.onnx: error[E505]: node 'up1' (Unsung) {reason}",
            help_line,
        ]

    def test_check_names_them_in_json(self, run: Run) -> None:
        outcome = run("check", "m.onnx", "--format", "json")
        assert [
            (one["spec"], one["line"], one["column"], one["layer"])
            for one in outcome.document["problems"]
        ] == [("m.onnx", None, None, "relu1"), ("m.onnx", None, None, "up1")]

    @pytest.mark.parametrize("command", ["shapes", "analyze", "deps", "table"])
    def test_partial_keeps_the_rest_and_says_so_in_one_line(self, run: Run, command: str) -> None:
        outcome = run(command, "m.onnx", "--partial")
        unknown = "no layer type does what it does"
        assert outcome.err == (
            "m.onnx: warning[W003]: a part of the model is left out: 2 of its 3 nodes, "
            f"because of node 'relu1' (Unheard): {unknown}; node 'up1' (Unsung): {unknown}\n"
        )
        assert outcome.status == 0

    def test_a_document_says_so_too(self, run: Run) -> None:
        document = run("shapes", "m.onnx", "--partial", "--format", "json").document
        (problem,) = document["problems"]
        assert (problem["code"], problem["severity"]) == ("W003", "warning")
        assert [layer["name"] for layer in document["networks"][0]["layers"]] == ["conv1"]

    def test_partial_goes_with_a_spec(self, run: Run) -> None:
        outcome = run("solve", "--output-size", "4", "--partial")
        assert outcome.status == 2
        assert "go with --sizes" in outcome.err


def test_sizes_that_do_not_fit_are_told_how_to_be_found(run: Run) -> None:
    """Its sizes were given, so the model is not what is wrong."""
    path = shutil.copy(ROOT / "examples" / "unet.pt2", "net 1.pt2")
    outcome = run("check", path, "--input", "3,65,65")
    assert "error[E115]: node 'cat' (cat) is not legal: sources may differ" in outcome.out
    asked = run_quoted(run, outcome.out, "convt solve", "--format", "json")
    assert asked.status == 0, asked.err


def test_data_outside_of_its_folder_needs_consent(run: Run, folder: Path) -> None:
    sub = folder / "sub"
    sub.mkdir()
    changed = model()
    onnx.external_data_helper.convert_model_to_external_data(
        changed, location="w.bin", size_threshold=0
    )
    onnx.save(changed, sub / "m.onnx")
    (sub / "w.bin").rename(folder / "w.bin")
    (sub / "w.bin").symlink_to(folder / "w.bin")
    for command in ("shapes", "check", "analyze"):
        refused = run(command, "sub/m.onnx")
        assert refused.codes == ["E404"], command
        assert run(command, "sub/m.onnx", "--allow-outside").status == 0, command


def test_json_of_a_spec_keeps_its_lines(run: Run) -> None:
    (network,) = json.loads(run("shapes", "m.yaml", "--format", "json").out)["networks"]
    assert [layer["line"] for layer in network["layers"]] == [7, 9, 10]
