"""Reports for programs: JSON, CSV and markdown hold every value in full and parse back."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace
from math import inf, nan
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from convt_cli.render.formats import RENDERERS, as_csv, as_json, as_markdown
from convt_cli.reports.table import Cell, CellKind, Report, Table, column

COLUMNS = (
    column("layer"),
    column("output", kind=CellKind.SHAPE),
    column("parameters", kind=CellKind.COUNT),
    column("multiply_adds", kind=CellKind.AMOUNT),
)


def report(
    *rows: tuple[Cell, ...], title: str = "net", notes: tuple[str, ...] = (), **more: Any
) -> Report:
    table = Table(title=title, columns=COLUMNS, rows=rows, notes=notes, **more)
    return Report(tables=(table,), plain=dict)


def markdown_cells(text: str) -> list[list[str]]:
    """The cells of every table in a markdown text, as they are read by people."""
    tokens = MarkdownIt("commonmark").enable(["table", "strikethrough"]).parse(text)
    rows: list[list[str]] = []
    for number, token in enumerate(tokens):
        if token.type == "tr_open":
            rows.append([])
        if token.type in {"th_open", "td_open"}:
            rows[-1].append(plain(tokens[number + 1].children or []))
    return rows


def plain(children: list[Any]) -> str:
    """The text of a cell; any markup in it is shown by its name."""
    return "".join(
        child.content if child.type in {"text", "text_special"} else f"<{child.type}>"
        for child in children
    )


WORDS = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=1, max_size=12)


class TestJson:
    def test_short_lists_stand_on_one_line(self) -> None:
        document = {"version": 1, "shape": (3, 4), "rows": [{"a": [1, None]}], "none": []}
        assert as_json(Report(tables=(), plain=lambda: document)) == (
            "{\n"
            '  "version": 1,\n'
            '  "shape": [3, 4],\n'
            '  "rows": [\n'
            "    {\n"
            '      "a": [1, null]\n'
            "    }\n"
            "  ],\n"
            '  "none": []\n'
            "}\n"
        )

    @given(
        document=st.dictionaries(
            st.text(max_size=5),
            st.recursive(
                st.one_of(
                    st.none(), st.booleans(), st.integers(), st.text(max_size=60), st.just(2**200)
                ),
                lambda inner: st.one_of(
                    st.lists(inner, max_size=4), st.dictionaries(st.text(max_size=5), inner)
                ),
                max_leaves=20,
            ),
            max_size=4,
        )
    )
    @example(document={"a": [[1] * 100, [{}], {}, [[]]]})
    def test_parses_back(self, document: dict[str, Any]) -> None:
        text = as_json(Report(tables=(), plain=lambda: document))
        assert json.loads(text) == document
        assert text.endswith("}\n")

    @pytest.mark.parametrize("value", [inf, -inf, nan])
    def test_what_is_not_finite_is_null(self, value: float) -> None:
        document = {"alone": value, "listed": [1.5, value], "deep": {"here": [[value]] * 40}}
        read = json.loads(as_json(Report(tables=(), plain=lambda: document)))
        assert read == {"alone": None, "listed": [1.5, None], "deep": {"here": [[None]] * 40}}


class TestCsv:
    def test_has_full_values_under_the_columns_names(self) -> None:
        rows: tuple[tuple[Cell, ...], ...] = (("a", (3, 4), 10**6, 10**9), ("b", None, None, 0))
        assert as_csv(report(*rows, total=("total", None, 1, 2))) == (
            "layer,output,parameters,multiply_adds\na,3x4,1000000,1000000000\nb,,,0\n"
        )

    @given(name=st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1, max_size=20))
    @example(name='a,"b"')
    def test_parses_back(self, name: str) -> None:
        """Without the ' in front of texts that a spreadsheet would take for a formula."""
        text = as_csv(report((name, (1,), 2, 3)))
        _, [found, *others] = csv.reader(io.StringIO(text, newline=""))
        assert found in (name, f"'{name}")
        assert others == ["1", "2", "3"]

    def test_names_the_columns_of_like_tables_once(self) -> None:
        one = report(("a", (1,), 2, 3))
        both = Report(tables=one.tables * 2, plain=dict)
        head, row = as_csv(one).splitlines()
        assert as_csv(both).splitlines() == [head, row, row]

    def test_begins_with_the_spec_that_a_table_is_about(self) -> None:
        one = report(("a", (1,), 2, 3))
        about = Report(tables=(replace(one.tables[0], spec="net.yaml"),), plain=dict)
        head, row = as_csv(one).splitlines()
        assert as_csv(about).splitlines() == [f"spec,{head}", f"net.yaml,{row}"]


class TestMarkdown:
    def test_has_a_title_a_table_and_notes(self) -> None:
        total: tuple[Cell, ...] = ("total", None, 7, None)
        assert as_markdown(
            report(("a", (3, 4), 1000000, 5), title="net", notes=("one", "two"), total=total)
        ) == (
            "**net**\n"
            "\n"
            "| layer | output | parameters | multiply adds |\n"
            "| --- | --- | ---: | ---: |\n"
            "| a | 3×4 | 1000000 | 5 |\n"
            "| total |  | 7 |  |\n"
            "\n"
            "one  \n"
            "two  \n"
        )

    @pytest.mark.parametrize(
        "name",
        [
            *("a_b", "_a_", "*a*", "**a**", "a|b", "a\\b", "\\", "\\|", "`a`", "``", "<b>", "a<b"),
            *("[a](b)", "![a](b)", "[a]", "~~a~~", "&amp;", "&lt;b&gt;", "&#65;", "<http://a.b>"),
            *("# a", "- a", "1. a", "---", "| --- |", "$a$", "a::b", "é日𝕏", "^", "{}", "a  b"),
        ],
    )
    def test_a_name_is_read_as_it_is_written(self, name: str) -> None:
        cells = markdown_cells(as_markdown(report((name, (1,), 2, 3))))
        assert cells[1:] == [[" ".join(name.split()), "1", "2", "3"]]

    @given(name=WORDS)
    def test_any_printable_name_is_read_as_it_is_written(self, name: str) -> None:
        assert markdown_cells(as_markdown(report((name, (1,), 2, 3))))[1][0] == name

    @pytest.mark.parametrize("name", ["a\nb", "a\r\nb", "a\tb", "\na"], ids=ascii)
    def test_a_row_is_one_line(self, name: str) -> None:
        text = as_markdown(report((name, (1,), 2, 3)))
        assert len(text.splitlines()) == 5
        assert all(line.isprintable() for line in text.splitlines())
        assert "a" in markdown_cells(text)[1][0]

    @pytest.mark.parametrize("title", ["a*b", "[a](b) <i>", "a\nb"])
    def test_a_title_stays_one_paragraph(self, title: str) -> None:
        text = as_markdown(report(("x", None, 0, 0), title=title))
        assert text.startswith("**")
        assert "\n\n| layer" in text
        assert len(text.splitlines()) == 5


def test_every_format_has_its_renderer() -> None:
    assert list(RENDERERS) == ["json", "csv", "markdown"]
