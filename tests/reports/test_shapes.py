"""The numbers of a small network, worked out by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from convt_cli.arithmetic.network import Network
from convt_cli.reports.shapes import shapes_report
from convt_cli.reports.table import Report
from convt_cli.spec.load import load_spec

NET = """\
name: small
input: [2, 8, 6]
layers:
  - {name: c1, type: conv, out_channels: 4, kernel_size: 3, padding: 1}
  - {name: bn, type: batch_norm}
  - {name: act, type: relu}
  - {name: down, type: max_pool, kernel_size: 2}
  - {name: c2, type: conv, out_channels: 6, kernel_size: [3, 1], groups: 2, bias: false}
  - name: up
    type: conv_transpose
    out_channels: 4
    kernel_size: [4, 2]
    stride: 2
    padding: [1, 0]
  - {name: cut, type: crop, padding: [[0, 0], [0, 0]], from: act}
  - {name: flat, type: flatten, from: up}
  - {name: fc, type: linear, out_features: 10}
"""

Layer = dict[str, Any]


def network(folder: Path, text: str = NET) -> Network:
    path = folder / "small.yaml"
    path.write_text(text, encoding="utf-8")
    return load_spec(str(path))


@pytest.fixture
def report(tmp_path: Path) -> Report:
    return shapes_report([network(tmp_path)], [])


@pytest.fixture
def layers(report: Report) -> dict[str, Layer]:
    (document,) = report.document["networks"]  # type: ignore[misc]
    return {layer["name"]: layer for layer in document["layers"]}  # type: ignore[has-type]


class TestNumbers:
    @pytest.mark.parametrize(
        ("name", "output"),
        [
            ("c1", (4, 8, 6)),
            ("bn", (4, 8, 6)),
            ("down", (4, 4, 3)),
            ("c2", (6, 2, 3)),
            ("up", (4, 4, 6)),
            ("cut", (4, 8, 6)),
            ("flat", (96,)),
            ("fc", (10,)),
        ],
    )
    def test_output(self, layers: dict[str, Layer], name: str, output: tuple[int, ...]) -> None:
        assert tuple(layers[name]["output"]) == output

    @pytest.mark.parametrize(
        ("name", "parameters"),
        [
            ("c1", 4 * 2 * 3 * 3 + 4),
            ("bn", 2 * 4),
            ("act", 0),
            ("down", 0),
            ("c2", 6 * (4 // 2) * 3 * 1),
            ("up", 6 * 4 * 4 * 2 + 4),
            ("flat", 0),
            ("fc", 96 * 10 + 10),
        ],
    )
    def test_parameters(self, layers: dict[str, Layer], name: str, parameters: int) -> None:
        assert layers[name]["parameters"] == parameters

    @pytest.mark.parametrize(
        ("name", "multiply_adds"),
        [
            ("c1", 8 * 6 * 4 * 2 * 3 * 3),
            ("bn", 0),
            ("down", 0),
            ("c2", 2 * 3 * 6 * 2 * 3),
            ("up", 2 * 3 * 6 * 4 * 4 * 2),
            ("fc", 96 * 10),
        ],
    )
    def test_multiply_adds(self, layers: dict[str, Layer], name: str, multiply_adds: int) -> None:
        assert layers[name]["multiply_adds"] == multiply_adds

    @pytest.mark.parametrize(
        ("name", "nnz"),
        [
            ("c1", 4 * 2 * (3 * 8 - 2) * (3 * 6 - 2)),
            ("c2", 6 * 2 * (3 * 2) * 3),
            ("up", 6 * 4 * (4 * 2 - 2) * (2 * 3)),
        ],
    )
    def test_entries_of_c_without_the_padding(
        self, layers: dict[str, Layer], name: str, nnz: int
    ) -> None:
        assert layers[name]["nnz"] == nnz

    @pytest.mark.parametrize("name", ["bn", "act", "down", "cut", "flat", "fc"])
    def test_only_what_is_a_matrix_c_has_entries(self, layers: dict[str, Layer], name: str) -> None:
        assert "nnz" not in layers[name]

    @pytest.mark.parametrize(
        ("name", "field"),
        [
            ("c1", (3, 3)),
            ("act", (3, 3)),
            ("down", (4, 4)),
            ("c2", (8, 4)),
            ("up", (10, 4)),
            ("cut", (3, 3)),
            ("fc", (8, 6)),
        ],
    )
    def test_receptive_field(
        self, layers: dict[str, Layer], name: str, field: tuple[int, ...]
    ) -> None:
        assert tuple(layers[name]["receptive_field"]) == field

    @pytest.mark.parametrize(
        ("name", "jump"),
        [
            ("c1", (1, 1)),
            ("down", (2, 2)),
            ("c2", (2, 2)),
            ("up", (1, 1)),
            ("fc", None),
        ],
    )
    def test_jump(self, layers: dict[str, Layer], name: str, jump: tuple[int, ...] | None) -> None:
        assert layers[name]["jump"] == jump

    def test_jump_is_a_fraction_behind_an_upsample_and_0_over_a_whole_axis(
        self, tmp_path: Path
    ) -> None:
        (first, second, third) = (
            "{type: upsample, scale_factor: [2, 1.5]}",
            "{type: max_pool, kernel_size: [3, 3]}",
            "{type: adaptive_avg_pool, output_size: [4, 1]}",
        )
        text = f"input: [1, 12, 12]\nlayers: [{first}, {second}, {third}]"
        report = shapes_report([network(tmp_path, text)], [])
        (document,) = report.document["networks"]  # type: ignore[misc]
        jumps = [layer["jump"] for layer in document["layers"]]  # type: ignore[has-type]
        assert jumps == [("1/2", "2/3"), ("3/2", 2), (3, 0)]

    def test_activations_are_the_elements_of_the_output(self, layers: dict[str, Layer]) -> None:
        assert [layers[name]["activations"] for name in ("c1", "down", "fc")] == [192, 48, 10]

    def test_percent_of_the_parameters(self, layers: dict[str, Layer]) -> None:
        total = sum(layer["parameters"] for layer in layers.values())
        percent = round(100 * layers["fc"]["parameters"] / total, 1)
        assert layers["fc"]["parameter_percent"] == percent
        assert layers["act"]["parameter_percent"] == 0

    def test_sources_are_always_named(self, layers: dict[str, Layer]) -> None:
        assert (layers["c1"]["from"], layers["cut"]["from"]) == (("input",), ("act",))

    def test_lines_count_from_one(self, layers: dict[str, Layer]) -> None:
        assert [layer["line"] for layer in layers.values()] == [4, 5, 6, 7, 8, 10, 15, 16, 17]


class TestTable:
    def test_the_total_adds_up(self, report: Report, layers: dict[str, Layer]) -> None:
        (table,) = report.tables
        names = [one.name for one in table.columns]
        total = dict(zip(names, table.total or (), strict=True))
        assert total["parameters"] == sum(layer["parameters"] for layer in layers.values())
        assert total["multiply_adds"] == sum(layer["multiply_adds"] for layer in layers.values())

        assert total["activations"] == sum(layer["activations"] for layer in layers.values())

    def test_without_wide_it_has_the_first_columns(self, tmp_path: Path, report: Report) -> None:
        narrow = shapes_report([network(tmp_path)], [], wide=False)
        (table,), (whole,) = narrow.tables, report.tables
        assert [one.name for one in table.columns] == [one.name for one in whole.columns][:8]
        assert [row[:8] for row in whole.rows] == list(table.rows)
        assert narrow.document == report.document

    def test_what_was_asked_for_is_not_left_out(self, tmp_path: Path, report: Report) -> None:
        narrow = shapes_report([network(tmp_path)], [], wide=False)
        assert not any(one.optional for one in report.tables[0].columns)
        assert any(one.optional for one in narrow.tables[0].columns)

    def test_a_network_without_parameters_has_no_shares(self, tmp_path: Path) -> None:
        text = "input: [1, 4]\nlayers: [{type: relu}]"
        (table,) = shapes_report([network(tmp_path, text)], []).tables
        place = [one.name for one in table.columns].index("parameter_percent")
        assert table.rows[0][place] == 0

    def test_a_source_that_is_not_the_layer_before_is_named(self, report: Report) -> None:
        (table,) = report.tables
        place = [one.name for one in table.columns].index("from")
        named = {row[0]: row[place] for row in table.rows if row[place] is not None}
        assert named == {"cut": "act", "flat": "up"}

    def test_the_title_says_name_framework_and_input(self, report: Report) -> None:
        assert report.tables[0].title == "small (pytorch), input [2, 8, 6]"

    def test_several_outputs_are_named(self, tmp_path: Path) -> None:
        text = "input: [2]\noutputs: [b, a]\nlayers:\n  - {name: a, type: relu}\n" + (
            "  - {name: b, type: linear, out_features: 3}\n"
        )
        found = shapes_report([network(tmp_path, text)], [])
        document: Any = found.plain()
        assert document["networks"][0]["output"] == {"b": (3,), "a": (2,)}
        assert found.tables[0].total is not None
        assert found.tables[0].total[4] == ((3,), (2,))

    def test_several_inputs_are_named(self, tmp_path: Path) -> None:
        text = NET.replace("input: [2, 8, 6]", "input: {a: [2, 8, 6], b: [1, 1]}")
        report = shapes_report([network(tmp_path, text)], [])
        assert report.tables[0].title == "small (pytorch), input a [2, 8, 6], b [1, 1]"
        (document,) = report.document["networks"]  # type: ignore[misc]
        assert document["input"] == {"a": (2, 8, 6), "b": (1, 1)}  # type: ignore[has-type]


def test_the_plain_form_is_made_for_those_alone_who_read_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_summary: object) -> None:
        pytest.fail("nobody has read it")

    monkeypatch.setattr("convt_cli.reports.shapes._document", fail)
    made = shapes_report([network(tmp_path)], [])
    assert len(made.tables) == 1
    with pytest.raises(pytest.fail.Exception):
        _ = made.document
