"""Reports for people: nothing is ever cut; on a terminal a table is made to fit its width."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from convt_cli.render.terminal import on_terminal
from convt_cli.render.text import amount, as_text, columns_of
from convt_cli.reports.guide import guide_report
from convt_cli.reports.table import Cell, CellKind, Report, Table, column

COLUMNS = (
    column("layer"),
    column("output", kind=CellKind.SHAPE),
    column("parameters", kind=CellKind.COUNT),
    column("multiply_adds", kind=CellKind.AMOUNT),
    column("why_not"),
)

ESCAPE = re.compile(r"\x1b\[[0-9;]*m")


def report(*rows: tuple[Cell, ...], notes: tuple[str, ...] = (), **more: Any) -> Report:
    table = Table(title="net", columns=COLUMNS, rows=rows, notes=notes, **more)
    return Report(tables=(table,), plain=dict)


def squeezed(text: str) -> str:
    """A text without its spaces and line ends."""
    return "".join(text.split())


class TestText:
    def test_numbers_stand_right_and_words_left(self) -> None:
        rows: tuple[tuple[Cell, ...], ...] = (
            ("conv1", (96, 110, 110), 14208, 170755200, "no"),
            ("relu1", (96, 110, 110), 0, 0, None),
        )
        lines = as_text(report(*rows)).splitlines()
        first, second = lines[-2:]
        assert re.fullmatch(r"conv1 +96×110×110 +14,208 +170\.8 M +no", first)
        assert re.fullmatch(r"relu1 +96×110×110 +0 +-", second)
        assert first.index("14,208") + 6 == second.index(" 0 ") + 2

    def test_a_column_with_nothing_in_it_is_left_out(self) -> None:
        text = as_text(report(("a", (1,), 2, 3, None)))
        assert "why not" not in text
        assert "parameters" in text

    def test_the_total_and_the_notes_stand_below(self) -> None:
        total: tuple[Cell, ...] = ("total", None, 7, 0, None)
        text = as_text(report(("a", (1,), 2, 3, None), total=total, notes=("a note",)))
        assert text.index("total") < text.index("a note")
        assert text.endswith("a note\n")

    @pytest.mark.parametrize("length", [100, 1000, 100_000, 200_000])
    def test_no_cell_is_ever_cut(self, length: int) -> None:
        name = "n" * length
        lines = as_text(report((name, (1,), 2, 3, "reason"))).splitlines()
        assert [line for line in lines if line.startswith(name)]
        assert lines[-1].endswith("reason")

    @given(
        names=st.lists(
            st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1, max_size=20),
            min_size=1,
            max_size=4,
        ),
        count=st.integers(0, 10**12),
    )
    def test_every_row_is_a_line_with_all_its_cells(self, names: list[str], count: int) -> None:
        lines = as_text(report(*((name, (3, 4), count, 1, "because") for name in names)))
        for line, name in zip(lines.splitlines()[-len(names) :], names, strict=True):
            assert line.split() == [name, "3×4", f"{count:,}", "1", "because"]

    def test_lines_end_without_spaces(self) -> None:
        text = as_text(report(("a", (1,), 2, 3, "x"), ("b", (1,), 2, 3, None)))
        assert all(line == line.rstrip() for line in text.splitlines())

    def test_tables_are_parted_by_a_blank_line(self) -> None:
        one = report(("a", (1,), 2, 3, None))
        both = Report(tables=one.tables * 2, plain=dict)
        assert as_text(both) == f"{as_text(one)}\n{as_text(one)}"

    def test_a_table_without_rows_still_says_its_title(self) -> None:
        assert as_text(report(notes=("a note",))).startswith("net\n")


class TestAmounts:
    @pytest.mark.parametrize(
        ("count", "text"),
        [
            (0, "-"),
            (1, "1"),
            (999, "999"),
            (1000, "1.0 K"),
            (999_949, "999.9 K"),
            (999_950, "1.0 M"),
            (170755200, "170.8 M"),
            (10**9, "1.0 G"),
            (10**12, "1.0 T"),
            (10**15, "1.0 P"),
            (10**18, "1.0 E"),
        ],
    )
    def test_are_rounded_to_their_unit(self, count: int, text: str) -> None:
        assert amount(count) == text

    def test_beyond_the_units_are_said_in_the_largest(self) -> None:
        assert amount(10**24) == "1000000.0 E"

    @given(count=st.integers(1, 10**18))
    def test_are_right_to_a_tenth_of_a_percent_of_their_unit(self, count: int) -> None:
        number, _, unit = amount(count).partition(" ")
        scale = 1000 ** " KMGTPE".index(unit or " ")
        assert abs(float(number) * scale - count) <= 0.051 * scale


class TestWidths:
    @pytest.mark.parametrize(
        ("text", "width"),
        [
            ("abc", 3),
            ("é", 1),
            ("e\u0301", 1),
            ("日本", 4),
            ("ｆ", 2),
            ("a日b", 4),
            ("", 0),
            ("×", 1),
        ],
    )
    def test_are_those_of_a_terminal(self, text: str, width: int) -> None:
        assert columns_of(text) == width


class TestTerminal:
    @pytest.fixture
    def columns(self, monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
        monkeypatch.setenv("TERM", "xterm")
        return monkeypatch

    @pytest.mark.parametrize("width", [60, 80, 100])
    def test_lines_fit_the_width(self, columns: pytest.MonkeyPatch, width: int) -> None:
        columns.setenv("COLUMNS", str(width))
        lines = on_terminal(report(("a", (3, 224, 224), 14208, 5, "word " * 30))).splitlines()
        assert max(map(columns_of, lines)) <= width

    def test_words_among_numbers_are_folded_and_numbers_are_not(
        self, columns: pytest.MonkeyPatch
    ) -> None:
        columns.setenv("COLUMNS", "60")
        words: Any = "conv 3×3, output 64×570×570, 36,928 parameters"
        rows: list[tuple[Cell, ...]] = [
            ("a", (1,), words, 3, None),
            ("b", (1,), 11_893_211_136, 3, None),
        ]
        text = on_terminal(report(*rows))
        assert max(map(columns_of, text.splitlines())) <= 60
        assert all(word in text for word in (*words.split(), "11,893,211,136"))

    def test_a_long_text_is_folded_and_not_cut(self, columns: pytest.MonkeyPatch) -> None:
        columns.setenv("COLUMNS", "60")
        why = " ".join(f"reason{number}" for number in range(30))
        text = on_terminal(report(("a", (1,), 2, 3, why)))
        assert all(word in text for word in why.split())

    @pytest.mark.parametrize("width", ["1", "10", "40", "60", "1000"])
    def test_a_name_is_never_cut(self, columns: pytest.MonkeyPatch, width: str) -> None:
        columns.setenv("COLUMNS", width)
        name = "abcdefghijklmnopqrstuvwxyz" * 3
        text = on_terminal(report((name, (1,), 2, 3, None)))
        folded = "".join(line.split()[0] for line in text.splitlines() if line and line[0] in name)
        assert name in folded

    @pytest.mark.parametrize("width", ["60", "80", "120", "200"])
    def test_the_guide_says_what_it_leaves_out(
        self, columns: pytest.MonkeyPatch, width: str
    ) -> None:
        columns.setenv("COLUMNS", width)
        text = on_terminal(guide_report())
        titles = [one.title for one in guide_report().tables[1].columns if one.under is None]
        assert all(squeezed(title) in squeezed(text) for title in titles)

    def test_a_wide_terminal_shows_what_a_pipe_gets(self, columns: pytest.MonkeyPatch) -> None:
        columns.setenv("COLUMNS", "500")
        assert ESCAPE.sub("", on_terminal(guide_report())) == as_text(guide_report())

    def test_colour_comes_with_force_color(self, columns: pytest.MonkeyPatch) -> None:
        columns.setenv("FORCE_COLOR", "1")
        assert ESCAPE.search(on_terminal(guide_report()))

    @pytest.mark.parametrize(("name", "value"), [("NO_COLOR", "1"), ("TERM", "dumb")])
    def test_colour_goes_with_no_color_and_a_dumb_terminal(
        self, columns: pytest.MonkeyPatch, name: str, value: str
    ) -> None:
        columns.setenv("FORCE_COLOR", "1")
        columns.setenv(name, value)
        assert not re.search(r"\x1b\[[0-9;]*3[0-9]", on_terminal(guide_report()))
