"""A diagnostic as text: its place, the line it stands on, carets under the fault, a way out."""

from __future__ import annotations

import re
from unicodedata import combining, east_asian_width

import pytest
from hypothesis import given
from hypothesis import strategies as st

from convt_cli.errors import Diagnostic, FileError, SpecError
from convt_cli.render.diagnostics import diagnostic_text, error_text
from tests.conftest import Found


def problem(**changes: object) -> Diagnostic:
    """A diagnostic of a misspelt key."""
    fields: dict[str, object] = {
        "code": "E101",
        "spec": "net.yaml",
        "line": 3,
        "column": 5,
        "width": 8,
        "layer": "conv1",
        "message": "unknown key in conv",
        "value": "got 'paddding'",
        "help": "did you mean 'padding'?",
        "excerpt": "    paddding: 1",
    }
    return Diagnostic(**(fields | changes))  # type: ignore[arg-type]


def terminal_width(text: str) -> int:
    """The columns a terminal gives a text: two for a wide letter, none for a combining one."""
    return sum(
        0 if combining(letter) else 2 if east_asian_width(letter) in "WF" else 1 for letter in text
    )


def pointed_at(text: str) -> str:
    """What stands in the excerpt above the first caret."""
    _, _, excerpt, pointer, *_ = text.split("\n")
    before = pointer.index("^")
    taken = next(n for n in range(len(excerpt)) if terminal_width(excerpt[:n]) == before)
    return excerpt[taken:]


class TestText:
    def test_of_a_problem_of_a_spec(self) -> None:
        assert diagnostic_text(problem()) == (
            "net.yaml:3:5: error[E101]: unknown key in conv\n"
            "  |\n"
            "3 |     paddding: 1\n"
            "  |     ^^^^^^^^ got 'paddding'\n"
            "  = help: did you mean 'padding'? `convt explain E101` says why"
        )

    def test_of_one_on_a_line_of_more_digits(self) -> None:
        assert diagnostic_text(problem(line=1234, value="", help="use 0")) == (
            "net.yaml:1234:5: error[E101]: unknown key in conv\n"
            "     |\n"
            "1234 |     paddding: 1\n"
            "     |     ^^^^^^^^\n"
            "     = help: use 0; `convt explain E101` says why"
        )

    def test_of_one_without_a_remedy(self) -> None:
        last = diagnostic_text(problem(help="")).split("\n")[-1]
        assert last == "  = help: `convt explain E101` says why"

    def test_of_an_error_without_a_place(self) -> None:
        error = FileError("E401", "cannot read x", value="no such file", help="check the path")
        assert error_text(error) == (
            "error[E401]: cannot read x: no such file\n"
            "= help: check the path; `convt explain E401` says why"
        )

    def test_of_an_error_without_a_value_or_a_remedy(self) -> None:
        text = error_text(FileError("E402", "standard output is closed"))
        assert text == (
            "error[E402]: standard output is closed\n= help: `convt explain E402` says why"
        )

    def test_lines_to_be_pasted_stand_by_themselves(self) -> None:
        lines = ("python3 a", "python3 \x1b b")
        error = FileError("E401", "no", help="paste one of these", pasted=lines)
        assert error_text(error).split("\n")[1:] == [
            "= help: paste one of these; `convt explain E401` says why",
            "  python3 a",
            "  python3 \\x1b b",
        ]

    def test_of_several_problems_is_one_after_the_other(self) -> None:
        both = (problem(), problem(line=4))
        assert error_text(SpecError(both)) == "\n".join(map(diagnostic_text, both))

    @pytest.mark.parametrize("path", ["a\nb.yaml", "a\x1b[31m.yaml", "\udcff.yaml"], ids=ascii)
    def test_names_any_path_on_one_line(self, path: str) -> None:
        text = diagnostic_text(problem(spec=path))
        assert len(text.split("\n")) == 5
        assert text.split("\n")[0].isprintable()


class TestCarets:
    @pytest.mark.parametrize(
        ("excerpt", "column", "at"),
        [
            ("abc: x", 1, "abc: x"),
            ("abc: x", 6, "x"),
            ("\ta:\tx", 5, "x"),
            ("日本: x", 5, "x"),
            ("é: x", 4, "x"),
            ("e\u0301: x", 5, "x"),
            ("ｆ: 𝕏x", 5, "x"),
            ("👍: x", 4, "x"),
        ],
    )
    def test_stand_under_the_fault_whatever_stands_before_it(
        self, excerpt: str, column: int, at: str
    ) -> None:
        text = diagnostic_text(problem(excerpt=excerpt, column=column, width=1))
        assert pointed_at(text) == at

    @pytest.mark.parametrize("width", [1, 2, 5])
    def test_are_as_many_as_the_fault_is_long(self, width: int) -> None:
        text = diagnostic_text(problem(excerpt="abc: defgh", column=6, width=width, value=""))
        assert text.count("^") == width

    def test_end_with_the_line(self) -> None:
        text = diagnostic_text(problem(excerpt="abc", column=2, width=100, value=""))
        assert text.count("^") == 2

    def test_is_one_behind_the_end(self) -> None:
        text = diagnostic_text(problem(excerpt="[", column=2, width=1, value="no end"))
        assert text.split("\n")[3] == "  |  ^ no end"

    def test_is_one_under_an_empty_line(self) -> None:
        assert diagnostic_text(problem(excerpt="", column=1)).split("\n")[2:4] == [
            "3 | ",
            "  | ^ got 'paddding'",
        ]

    @pytest.mark.parametrize("before", [10, 80, 350, 395, 1000, 100_000])
    def test_stand_under_the_fault_on_a_line_of_any_length(self, found: Found, before: int) -> None:
        padding = " " * before
        content = f"input: [1, 4]\nlayers: [{padding}{{type: rely}},{padding} {{type: relu}}]\n"
        text = diagnostic_text(found(content.encode())[0])
        assert pointed_at(text).startswith("rely}")
        assert max(map(len, text.split("\n"))) < 200

    def test_a_huge_value_is_underlined_in_part(self, found: Found) -> None:
        content = f"input: [1, 4]\nlayers: [{{type: {'x' * 1_000_000}}}]\n"
        text = diagnostic_text(found(content)[0])
        assert 1 < text.count("^") < 200
        assert len(text) < 1500

    @given(
        excerpt=st.text(
            st.characters(exclude_categories=["C", "Zl", "Zp"]), min_size=1, max_size=300
        ),
        column=st.integers(1, 600),
        width=st.integers(1, 600),
    )
    def test_never_fail(self, excerpt: str, column: int, width: int) -> None:
        text = diagnostic_text(problem(excerpt=excerpt, column=column, width=width))
        lines = text.split("\n")
        assert len(lines) == 5
        assert re.fullmatch(r"  \|  *\^+ got 'paddding'", lines[3])


class TestValues:
    @pytest.mark.parametrize("name", ['"a\\nb"', '"\\e[31mred"', '"\\0"', '"\\u202e"'])
    def test_a_name_with_control_characters_is_shown_without_them(
        self, found: Found, name: str
    ) -> None:
        spec = f"input: [1, 4]\nlayers: [{{type: relu, name: {name}, expect: [9]}}]\n"
        text = "\n".join(map(diagnostic_text, found(spec)))
        assert all(line.isprintable() for line in text.split("\n"))
        assert text.count("\n") % 5 == 4

    @pytest.mark.parametrize("quoted", ["a\nb", "a\x1b[31mb", "a\x9bb", "\udcff"], ids=ascii)
    def test_a_remedy_shows_what_it_quotes_on_one_line(self, quoted: str) -> None:
        remedy = f"rename {quoted} to x"
        error = FileError("E402", "cannot write it", help=remedy)
        for text in (diagnostic_text(problem(help=remedy)), error_text(error)):
            last = text.split("\n")[-1]
            assert last.lstrip().startswith("= help: rename ")
            assert last.isprintable()
