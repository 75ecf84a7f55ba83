"""One answer from every command, in every format, and from the library: shapes, table, check,
matrix and apply never disagree about a size, a count or a problem.
"""

from __future__ import annotations

import csv
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.sparse import load_npz

from convt_cli import conv, conv_transpose
from tests.conftest import GUIDE, PACKAGE, Run, WriteSpec, assert_quiet, assert_refused

CONFIGS = sorted((PACKAGE.parent / "configs").glob("*.yaml"))

MIXED = """
    name: mixed
    input: [2, 9, 12]
    layers:
      - {name: down, type: conv, out_channels: 4, kernel_size: [3, 2], stride: [2, 1],
         padding: [[0, 1], [2, 1]], groups: 2, weight: {fill: index}}
      - {name: fold, type: conv, out_channels: 2, kernel_size: 3, padding: 1,
         padding_mode: reflect, weight: {fill: ones}}
      - {name: act, type: relu}
      - {name: up, type: conv_transpose, out_channels: 3, kernel_size: [4, 3], stride: [1, 2],
         padding: 1, output_padding: [0, 1], weight: {fill: index}}
      - {name: far, type: conv_transpose, out_channels: 1, kernel_size: 2, dilation: 3,
         output_padding: 2, weight: {fill: index}}
    """

BAD = """
    input: [1, 4, 4]
    layers:
      - {type: conv, out_channels: 1, kernel_size: 9}
      - {type: conv, out_channels: 1, kernel_size: 3, stride: 0}
      - {type: rely}
    """

LAYERS = ("down", "fold", "up", "far")
TRANSPOSED = ("up", "far")


def layer(run: Run, command: str, path: str, name: str) -> Any:
    """One layer of a command's JSON document."""
    document = run(command, path, "--format", "json").document
    (found,) = (one for one in document["networks"][0]["layers"] if one["name"] == name)
    return found


class TestCommands:
    @pytest.mark.parametrize("name", LAYERS)
    def test_shapes_and_matrix_agree_on_the_size_of_c(
        self, run: Run, spec: WriteSpec, name: str
    ) -> None:
        found = layer(run, "shapes", spec(MIXED), name)
        shapes = (found["output"], found["inputs"][0])
        rows, columns = shapes[::-1] if name in TRANSPOSED else shapes
        dry = ("--layer", name, "--dry-run", "--format", "json")
        document = run("matrix", "net.yaml", *dry).document
        assert document["shape"] == [np.prod(rows), np.prod(columns)]
        assert document["nnz"] == found["nnz"]

    @pytest.mark.parametrize("name", LAYERS)
    def test_shapes_counts_the_entries_that_matrix_writes(
        self, run: Run, spec: WriteSpec, name: str
    ) -> None:
        found = layer(run, "shapes", spec(MIXED), name)
        assert_quiet(run("matrix", "net.yaml", "--layer", name, "-o", "C.npz"))
        assert load_npz("C.npz").nnz == found["nnz"]

    @pytest.mark.parametrize("name", LAYERS)
    def test_apply_gives_the_output_that_shapes_tells(
        self, run: Run, spec: WriteSpec, name: str
    ) -> None:
        found = layer(run, "shapes", spec(MIXED), name)
        np.save("x.npy", np.ones(found["inputs"][0]))
        direction = () if name in TRANSPOSED else ("--forward",)
        options = ("--layer", name, "-o", "y.npy", *direction)
        assert_quiet(run("apply", "net.yaml", "x.npy", *options))
        assert list(np.load("y.npy").shape) == found["output"]

    @pytest.mark.parametrize("name", LAYERS)
    def test_apply_is_the_product_with_what_matrix_writes(
        self, run: Run, spec: WriteSpec, name: str
    ) -> None:
        path = spec(MIXED)
        assert_quiet(run("matrix", path, "--layer", name, "-o", "C.npz"))
        matrix = load_npz("C.npz")
        x = np.random.default_rng(0).integers(-9, 10, matrix.shape[1]).astype(float)
        np.save("x.npy", x)
        assert_quiet(run("apply", path, "x.npy", "--layer", name, "--forward", "-o", "y.npy"))
        assert np.load("y.npy").tolist() == (matrix @ x).tolist()

    @pytest.mark.parametrize("name", LAYERS)
    def test_table_gives_the_sizes_that_shapes_tells(
        self, run: Run, spec: WriteSpec, name: str
    ) -> None:
        found = layer(run, "shapes", spec(MIXED), name)
        axes = layer(run, "table", "net.yaml", name)["axes"]
        assert [axis["input_size"] for axis in axes] == found["inputs"][0][1:]
        assert [axis["output_size"] for axis in axes] == found["output"][1:]

    @pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
    def test_table_and_shapes_agree_on_every_config(self, run: Run, path: Path) -> None:
        networks = run("shapes", path, "--format", "json").document["networks"]
        shapes = {one["name"]: one["output"][1:] for one in networks[0]["layers"]}
        (network,) = run("table", path, "--format", "json").document["networks"]
        sizes = {
            one["name"]: [axis["output_size"] for axis in one["axes"]] for one in network["layers"]
        }
        assert sizes == {name: shapes[name] for name in sizes} != {}

    @pytest.mark.parametrize("command", ["shapes", "table"])
    def test_problems_are_those_of_check(self, run: Run, spec: WriteSpec, command: str) -> None:
        outcome = run(command, spec(BAD), "missing.yaml", "--format", "json")
        checked = run("check", "net.yaml", "missing.yaml", "--format", "json")
        assert outcome.document["problems"] == checked.document["problems"]
        assert [one["code"] for one in outcome.document["problems"]] == outcome.codes
        assert outcome.codes == ["E110", "E107", "E104", "E401"]

    @pytest.mark.parametrize("command", ["shapes", "table", "deps", "matrix --dry-run"])
    def test_a_bad_spec_is_told_as_check_tells_it(
        self, run: Run, spec: WriteSpec, command: str
    ) -> None:
        *findings, _ = run("check", spec(BAD)).out.splitlines()
        name, *options = command.split()
        outcome = run(name, "net.yaml", *options)
        assert (outcome.status, outcome.out) == (2, "")
        assert outcome.err.splitlines() == findings


class TestSpellings:
    @pytest.mark.parametrize(
        "path", ["net.yaml", "./net.yaml", "sub/../net.yaml", ".//net.yaml", 'n é"t.yaml']
    )
    @pytest.mark.parametrize("command", ["shapes", "table"])
    def test_a_spec_is_named_as_it_was_given(
        self, run: Run, spec: WriteSpec, folder: Path, command: str, path: str
    ) -> None:
        (folder / "sub").mkdir()
        spec(GUIDE, Path(path).name)
        (network,) = run(command, path, "--format", "json").document["networks"]
        assert network["spec"] == path

    @pytest.mark.parametrize("path", ["bad.yaml", "./bad.yaml", "sub/../bad.yaml"])
    @pytest.mark.parametrize("command", ["shapes", "table", "check"])
    def test_so_is_one_with_problems(
        self, run: Run, spec: WriteSpec, folder: Path, command: str, path: str
    ) -> None:
        (folder / "sub").mkdir()
        spec(BAD, "bad.yaml")
        problems = run(command, path, "--format", "json").document["problems"]
        assert {problem["spec"] for problem in problems} == {path}

    @pytest.mark.parametrize(
        ("file", "name"), [("a.b.yaml", "a.b"), ("net.yml", "net"), ("net", "net")]
    )
    @pytest.mark.parametrize("command", ["shapes", "table"])
    def test_a_network_without_a_name_has_its_file_s(
        self, run: Run, spec: WriteSpec, command: str, file: str, name: str
    ) -> None:
        (network,) = run(command, spec(GUIDE, file), "--format", "json").document["networks"]
        assert network["name"] == name


def markdown_rows(text: str) -> list[list[str]]:
    """The cells of every row, without the line under the titles."""
    lines = [line for line in text.splitlines() if line.startswith("|") and "---" not in line]
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines]


class TestFormats:
    def test_csv_has_the_numbers_of_the_document(self, run: Run, spec: WriteSpec) -> None:
        document = run("shapes", spec(MIXED), "--format", "json").document
        rows = csv.DictReader(run("shapes", "net.yaml", "--format", "csv").out.splitlines())
        assert [{key: row[key] for key in ("layer", "output", "parameters")} for row in rows] == [
            {
                "layer": one["name"],
                "output": "x".join(map(str, one["output"])),
                "parameters": str(one["parameters"]),
            }
            for one in document["networks"][0]["layers"]
        ]

    def test_markdown_has_them_and_their_sum(self, run: Run, spec: WriteSpec) -> None:
        document = run("shapes", spec(MIXED), "--format", "json").document
        counts = [one["multiply_adds"] for one in document["networks"][0]["layers"]]
        head, *rows = markdown_rows(run("shapes", "net.yaml", "--format", "markdown").out)
        column = head.index("multiply adds")
        assert [int(row[column]) for row in rows] == [*counts, sum(counts)]

    @pytest.mark.parametrize("name", ["a|b", "a,b", 'a"b', "a*b_c`d", "日本", "a\\b", "<b>", " a "])
    @pytest.mark.parametrize("command", ["shapes", "table"])
    def test_no_name_breaks_a_row(self, run: Run, spec: WriteSpec, command: str, name: str) -> None:
        path = spec(GUIDE.replace("{type", f"{{name: '{name}', type"))
        rows = csv.DictReader(run(command, path, "--format", "csv").out.splitlines())
        assert {row["layer"] for row in rows} == {name}
        cells = markdown_rows(run(command, path, "--format", "markdown").out)
        assert len({len(row) for row in cells}) == 1

    @pytest.mark.parametrize("output_format", ["text", "json", "csv", "markdown"])
    @pytest.mark.parametrize("command", ["shapes", "table"])
    def test_the_same_spec_makes_the_same_bytes_and_one_line_end(
        self, run: Run, spec: WriteSpec, command: str, output_format: str
    ) -> None:
        first = run(command, spec(MIXED), "--format", output_format)
        assert run(command, "net.yaml", "--format", output_format) == first
        assert first.out.endswith("\n")
        assert not first.out.endswith("\n\n")


class TestOutput:
    @pytest.mark.parametrize("output_format", ["text", "csv", "markdown"])
    @pytest.mark.parametrize("command", ["shapes", "table"])
    def test_a_bad_spec_leaves_an_old_file_even_with_force(
        self, run: Run, spec: WriteSpec, command: str, output_format: str
    ) -> None:
        Path("out").write_bytes(b"old \xff")
        options = ("--format", output_format, "-o", "out", "--force")
        assert run(command, spec(BAD), *options).status == 2
        assert Path("out").read_bytes() == b"old \xff"

    @pytest.mark.parametrize("target", ["net.yaml/out", "sub/", "\0", "x" * 300])
    @pytest.mark.parametrize("command", ["shapes", "check", "table", "deps"])
    def test_where_nothing_can_be_written_is_refused(
        self, run: Run, spec: WriteSpec, command: str, target: str
    ) -> None:
        assert_refused(run(command, spec(GUIDE), "-o", target), "E402")


def swept(run: Run, layer_type: str, *options: str) -> list[Any]:
    """The rows of a sweep."""
    outcome = run("table", "--type", layer_type, *options, "--format", "json")
    assert (outcome.status, outcome.err) == (0, "")
    rows: list[Any] = outcome.document["rows"]
    return rows


def size_by_the_library(row: Any) -> int | None:
    """The length of the library's output for an array of the row's input size."""
    names = ("stride", "padding", "dilation")
    arguments = {name: row[name] for name in names}
    source, taps = np.ones((1, row["input_size"])), np.ones((1, 1, row["kernel_size"]))
    try:
        if row["type"] == "conv":
            return int(conv(source, taps, **arguments).shape[1])
        extra = row["output_padding"]
        return int(conv_transpose(source, taps, output_padding=extra, **arguments).shape[1])
    except ValueError:
        return None


WIDE = (
    *("--input-size", "1..7", "--kernel-size", "1..4", "--stride", "1..3"),
    *("--padding", "0..3", "--dilation", "1,2"),
)


class TestSweep:
    @pytest.mark.parametrize(
        ("layer_type", "more"), [("conv", ()), ("conv_transpose", ("--output-padding", "0..2"))]
    )
    def test_every_row_has_the_size_of_a_real_array(
        self, run: Run, layer_type: str, more: tuple[str, ...]
    ) -> None:
        rows = swept(run, layer_type, *WIDE, *more)
        assert len(rows) == 7 * 4 * 3 * 4 * 2 * (3 if more else 1)
        wrong = [row for row in rows if row["output_size"] != size_by_the_library(row)]
        assert wrong == []

    @pytest.mark.parametrize(
        ("layer_type", "more"), [("conv", ()), ("conv_transpose", ("--output-padding", "0..2"))]
    )
    def test_a_row_has_either_a_size_or_a_reason(
        self, run: Run, layer_type: str, more: tuple[str, ...]
    ) -> None:
        rows = swept(run, layer_type, *WIDE, *more)
        keys = (
            *("type", "input_size", "kernel_size", "stride", "padding", "output_padding"),
            *("dilation", "output_size"),
        )
        assert {tuple(row) for row in rows} == {keys, (*keys, "error")}
        with_reason = [row for row in rows if "error" in row]
        assert with_reason == [row for row in rows if row["output_size"] is None]
        assert all(isinstance(row["error"], str) and row["error"] for row in with_reason)

    def test_no_combination_is_left_out_or_repeated(self, run: Run) -> None:
        rows = swept(run, "conv", *WIDE)
        assert len({tuple(row.items()) for row in rows}) == len(rows)

    @pytest.mark.slow
    @pytest.mark.parametrize("output_format", ["text", "json", "csv", "markdown"])
    def test_as_many_rows_as_the_bound_are_printed(self, run: Run, output_format: str) -> None:
        sizes = ("--input-size", "1..1000", "--kernel-size", "1..100")
        outcome = run("table", "--type", "conv", *sizes, "--format", output_format)
        assert (outcome.status, outcome.err) == (0, "")
        assert outcome.out.count("\n") >= 100_000

    @pytest.mark.parametrize(
        "arguments", [(), ("--type", "conv", "--input-size", "4", "--kernel-size", "3")], ids=str
    )
    def test_an_input_without_a_spec_to_take_it_is_refused(
        self, run: Run, arguments: tuple[str, ...]
    ) -> None:
        outcome = run("table", *arguments, "--input", "3,4,4")
        assert (outcome.status, outcome.out) == (2, "")


UNEQUAL = """
    input: [1, 4, 5, 5]
    layers:
      - {type: conv_transpose, out_channels: 1, kernel_size: [3, 2, 2], stride: [2, 3, 3],
         padding: [[1, 0], [0, 1], [0, 1]], output_padding: [1, 2, 2], dilation: [1, 2, 2]}
    """


class TestEquivalent:
    @pytest.mark.parametrize("axis", [0, 1, 2])
    def test_a_transposed_axis_equals_the_direct_one_it_is_told_to(
        self, run: Run, spec: WriteSpec, axis: int
    ) -> None:
        found = layer(run, "table", spec(UNEQUAL), "conv_transpose1")["axes"][axis]
        rng = np.random.default_rng(axis)
        y = rng.integers(-9, 10, (1, found["input_size"]))
        taps = rng.integers(-9, 10, (1, 1, found["kernel_size"]))
        own = conv_transpose(
            y,
            taps,
            stride=found["stride"],
            padding=[found["padding"]],
            output_padding=found["left_over"],
            dilation=found["dilation"],
        )
        equal = found["equivalent"]
        stretched = np.zeros((1, equal["stretched_size"]), np.int64)
        stretched[:, :: found["stride"]] = y
        padded = np.pad(stretched, [(0, 0), equal["padding"]])
        direct = conv(padded, taps[:, :, ::-1], stride=equal["stride"], dilation=equal["dilation"])
        assert direct.tolist() == own.tolist()

    def test_axes_that_differ_have_rows_of_their_own(self, run: Run, spec: WriteSpec) -> None:
        out = run("table", spec(UNEQUAL), "--format", "csv").out
        rows = list(csv.DictReader(out.splitlines()))
        assert [row["axis"] for row in rows] == ["0", "1, 2"]
        assert [row["equivalent_kernel_size"] for row in rows] == ["3", "2"]
