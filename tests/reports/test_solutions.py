"""The reports of `solve`: titles, columns, notes, and limits."""

from __future__ import annotations

from typing import Any

import pytest

from convt_cli.arithmetic.dialects.frameworks import FRAMEWORKS
from convt_cli.arithmetic.questions.bounds import Bounds
from convt_cli.arithmetic.questions.closing import closing_base, closing_sizes
from convt_cli.arithmetic.questions.solver import Question, promising_strides, solutions
from convt_cli.reports.solutions import MOST_LISTED, sizes_report, solutions_report
from convt_cli.reports.table import Report, Table
from convt_cli.spec.open_network import load_open_network
from tests.conftest import WriteSpec

UNET = """
    name: small
    input: [1, %s]
    layers:
      - {name: a, type: conv, out_channels: 1, kernel_size: 3}
      - {type: max_pool, kernel_size: 4}
      - {name: up, type: conv_transpose, out_channels: 1, kernel_size: 4, stride: 4}
      - {type: concat, from: [a, up]}
    """


def table(report: Report) -> Table:
    (one,) = report.tables
    return one


def layers(
    layer_type: str, size: int | None, output: int, bounds: Bounds, limit: int | None = None
) -> Report:
    question = Question(
        layer_type=layer_type,
        input_size=size,
        output_size=output,
        framework=FRAMEWORKS["pytorch"],
    )
    found = solutions(question, bounds)
    strides = [] if found else promising_strides(question, bounds)
    return solutions_report(question, bounds, found, limit=limit, strides=strides)


def sizes(path: str, up_to: int) -> Report:
    graph = load_open_network(path)
    base = closing_base(graph)
    axes = range(len(graph.inputs[0][1]) - 1)
    return sizes_report(
        path, graph, base, [closing_sizes(graph, base, axis, up_to) for axis in axes], up_to
    )


class TestSolutions:
    def test_columns_are_those_that_the_question_has(self) -> None:
        bounds = Bounds(kernel_size=[3], stride=[2], dilation=[1])
        names = {
            (layer_type, size): [one.name for one in table(report).columns]
            for layer_type in ("conv", "conv_transpose")
            for size in (7, None)
            for report in [layers(layer_type, size, 13, bounds)]
        }
        common = ["kernel_size", "stride", "padding"]
        assert names == {
            ("conv", 7): [*common, "dilation", "word"],
            ("conv", None): ["input_sizes", *common, "dilation"],
            ("conv_transpose", 7): [*common, "output_padding", "dilation", "overlap", "word"],
            ("conv_transpose", None): [
                *("input_sizes", *common, "output_padding", "dilation", "overlap")
            ],
        }

    def test_the_document_has_what_every_solution_has(self) -> None:
        bounds = Bounds(kernel_size=[4], stride=[2], dilation=[1], padding=[1])
        document: Any = layers("conv_transpose", 7, 14, bounds).document
        assert document["solutions"] == [
            {
                "kernel_size": 4,
                "stride": 2,
                "padding": [1, 1],
                "output_padding": 0,
                "dilation": 1,
                "overlap": "even",
                "word": None,
            }
        ]

    def test_a_limit_says_how_many_more_there_are(self) -> None:
        report = layers("conv", 7, 4, Bounds(kernel_size=[3], dilation=[1]), limit=2)
        assert len(table(report).rows) == 2
        count: Any = report.document["count"]
        assert table(report).title.endswith(f"the 2 simplest of {count} solutions")
        assert any(f"{count - 2} more" in note for note in table(report).notes)

    def test_what_was_searched_is_said(self) -> None:
        bounds = Bounds(kernel_size=[1, 2, 3, 5], padding=[0, 1], output_padding=[0])
        assert (
            "Searched: kernel_size 1..3,5, stride 1..8, padding 0..1, dilation 1..4, "
            "output_padding 0." in table(layers("conv_transpose", 7, 14, bounds)).notes
        )

    @pytest.mark.parametrize(
        ("layer_type", "size", "output", "remedy"),
        [
            ("conv", 200, 10, "There are some with --stride 20."),
            ("conv", 5, 900, "Try --type conv_transpose, or a larger"),
            ("conv_transpose", 900, 5, "Try --type conv, or a larger"),
            ("conv", None, 5, "Try a larger --kernel-size"),
        ],
    )
    def test_no_solution_is_said_with_what_to_widen(
        self, layer_type: str, size: int | None, output: int, remedy: str
    ) -> None:
        bounds = Bounds(padding=[10**6]) if size is None else Bounds()
        found = table(layers(layer_type, size, output, bounds))
        assert found.rows == ()
        assert "no solutions" in found.title
        assert any(note.startswith(remedy) for note in found.notes)


class TestSizes:
    def test_axes_that_are_alike_share_a_row(self, spec: WriteSpec) -> None:
        report = sizes(spec(UNET % "22, 22"), 50)
        assert [row[:2] for row in table(report).rows] == [("0, 1", 22)]
        assert [row[0] for row in table(sizes(spec(UNET % "22, 26"), 50)).rows] == ["0", "1"]

    def test_a_row_says_rule_neighbours_count_and_examples(self, spec: WriteSpec) -> None:
        (row,) = table(sizes(spec(UNET % "24"), 50)).rows
        assert row == ("0", 24, "6 + 4 j", "22, 26", 12, "6, 10, 14, 18, 22, ..., 50")

    def test_the_document_lists_every_size(self, spec: WriteSpec) -> None:
        document: Any = sizes(spec(UNET % "22"), 20).document
        assert document["sizes"] == [
            {
                "axis": 0,
                "size": 22,
                "nearest": [22],
                "progressions": [{"first": 6, "step": 4}],
                "alone": [],
                "alone_up_to": None,
                "count": 4,
                "sizes": [6, 10, 14, 18],
            }
        ]

    def test_more_sizes_than_anyone_reads_are_not_listed(self, spec: WriteSpec) -> None:
        document: Any = sizes(spec(UNET % "22"), 10**15).document
        assert document["sizes"][0]["sizes"] is None
        assert document["sizes"][0]["count"] > MOST_LISTED

    def test_why_the_written_input_does_not_fit_is_said(self, spec: WriteSpec) -> None:
        notes = table(sizes(spec(UNET % "24"), 50)).notes
        assert notes[0].startswith("As written, input [1, 24], it does not fit: concat1: sources")

    def test_that_nothing_fits_is_said(self, spec: WriteSpec) -> None:
        path = spec(UNET % "24")
        graph = load_open_network(path)
        report = sizes_report(path, graph, None, [closing_sizes(graph, None, 0, 50)], 50)
        (row,) = table(report).rows
        assert row[2:5] == ("none", "", 0)
        assert table(report).notes[1].startswith("No size for all axes mends ")

    def test_the_layer_that_no_size_mends_is_named_behind_one_that_some_mend(
        self, spec: WriteSpec
    ) -> None:
        wrong = "{name: last, type: conv, out_channels: 1, kernel_size: 1, in_channels: 7}"
        path = spec((UNET % "24").rstrip() + f"\n      - {wrong}\n")
        graph = load_open_network(path)
        notes = table(sizes_report(path, graph, None, [closing_sizes(graph, None, 0, 9)], 9)).notes
        assert "concat1" in notes[0]
        assert notes[1].startswith("No size for all axes mends last: in_channels must equal")

    def test_several_inputs_are_named(self, spec: WriteSpec) -> None:
        report = sizes(
            spec("input: {a: [1, 4], b: [1, 4]}\nlayers: [{type: add, from: [a, b]}]"), 9
        )
        assert report.document["input"] == {"a": [1, 4], "b": [1, 4]}
        assert (
            "Each axis varies by itself, with a [1, 4], b [1, 4] elsewhere." in table(report).notes
        )
