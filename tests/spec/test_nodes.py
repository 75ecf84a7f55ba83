"""Strict YAML: what a plain scalar is worth, and what is refused with its code and its place.

Whatever the text, nothing but a document or a list of diagnostics comes back, and neither the
depth, the number of values nor the size of a text can exhaust the machine.
"""

from __future__ import annotations

import math
import re

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from convt_cli.errors import Diagnostic, SpecError
from convt_cli.errors.codes import EXPLANATIONS
from convt_cli.render.diagnostics import diagnostic_text
from convt_cli.spec import nodes
from convt_cli.spec.nodes import MOST_DEPTH, MOST_VALUES, Node, Scalar, TooLong, parse
from convt_cli.spec.source import MOST_BYTES, decode
from tests.conftest import Found, Run, assert_refused

REST = "layers: [{type: relu}]\n"
WHOLE = f"input: [1, 4]\n{REST}"

Place = tuple[str, int, int, int]
"""Code, line, column and width of a diagnostic."""


def parsed(text: str) -> Node:
    """The root of a text in which nothing is refused."""
    problems = decode("net.yaml", text.encode())
    root = parse(problems)
    assert problems.diagnostics == ()
    return root


def value_of(text: str) -> object:
    """The value of the one scalar in `text`."""
    node = parsed(text)
    assert isinstance(node, Scalar)
    return node.value


def places(diagnostics: tuple[Diagnostic, ...]) -> list[Place]:
    return [(one.code, one.line, one.column, one.width) for one in diagnostics]


def assert_within(text: str, diagnostics: tuple[Diagnostic, ...]) -> None:
    """Every diagnostic points at a place of the text, or just behind its end, and can be shown."""
    lines = re.split("\r\n|[\n\r\x85\u2028\u2029]", text)
    ends = [len(lines[one.line - 1]) for one in diagnostics]
    assert all(1 <= one.column <= end + 1 for one, end in zip(diagnostics, ends))
    assert all(one.width >= 1 for one in diagnostics)
    assert all(one.code in diagnostic_text(one) for one in diagnostics)


class TestPlainScalars:
    @pytest.mark.parametrize(
        ("text", "value"),
        [
            ("0", 0),
            ("12", 12),
            ("+12", 12),
            ("-12", -12),
            ("010", 10),
            ("08", 8),
            ("0x10", 16),
            ("0xfF", 255),
            ("0o17", 15),
            ("9" * 40, int("9" * 40)),
        ],
    )
    def test_an_integer_is_decimal_octal_or_hex(self, text: str, value: int) -> None:
        assert (type(value_of(text)), value_of(text)) == (int, value)

    @pytest.mark.parametrize(
        ("text", "value"),
        [
            ("1.0", 1.0),
            ("1.", 1.0),
            (".5", 0.5),
            ("-.5", -0.5),
            ("1e3", 1000.0),
            ("+1.5E-2", 0.015),
            (".inf", math.inf),
            ("+.Inf", math.inf),
            ("-.INF", -math.inf),
        ],
    )
    def test_a_point_or_an_exponent_makes_a_float(self, text: str, value: float) -> None:
        assert (type(value_of(text)), value_of(text)) == (float, value)

    @pytest.mark.parametrize("text", [".nan", ".NaN", ".NAN"])
    def test_nan_is_a_float(self, text: str) -> None:
        value = value_of(text)
        assert isinstance(value, float)
        assert math.isnan(value)

    @pytest.mark.parametrize(
        ("text", "value"),
        [
            ("true", True),
            ("True", True),
            ("TRUE", True),
            ("false", False),
            ("False", False),
            ("FALSE", False),
            ("null", None),
            ("Null", None),
            ("NULL", None),
            ("~", None),
            ("- ", None),
        ],
    )
    def test_a_constant_is_written_in_one_of_three_ways(
        self, text: str, value: bool | None
    ) -> None:
        node = parsed(text if text == "- " else f"- {text}")
        assert [item.value for item in node.items] == [value]  # type: ignore[union-attr]

    @pytest.mark.parametrize(
        "text",
        [
            *("yes", "no", "on", "off", "y", "n", "Yes", "NO", "tRUE", "nULL", "none"),
            *("3:30", "190:20:30", "1_000", "0b11", "0o8", "0xg", "0x", "0o", "-0x10", "+0o7"),
            *("1e", "e3", "1.2.3", ".", "+", "..", "1,000", "1 000", "inf", "nan", "-.nan"),
            *("2020-13-45", "2001-12-14t21:59:43.10-05:00", "=", "<", "½", "١٢"),
        ],
    )
    def test_everything_else_is_a_word(self, text: str) -> None:
        assert value_of(text) == text

    @pytest.mark.parametrize(
        "text", ["'10'", '"10"', '"\\x31\\x30"', "|-\n  10", ">-\n  10"], ids=repr
    )
    def test_what_is_quoted_is_a_word(self, text: str) -> None:
        assert value_of(text) == "10"

    @pytest.mark.parametrize("digits", ["9" * 41, "-" + "9" * 41, "0x" + "f" * 41, "0o" + "7" * 41])
    def test_more_digits_than_a_key_can_use_are_counted_and_not_converted(
        self, digits: str
    ) -> None:
        assert value_of(digits) == TooLong(41)


class TestRefused:
    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            (f"input: &a [1, 4]\n{REST}", [("E003", 1, 8, 4)]),
            (f"input: *a\n{REST}", [("E003", 1, 8, 2)]),
            (f"&k input: [1, 4]\n{REST}", [("E003", 1, 1, 8)]),
            (f"*k : 3\n{WHOLE}", [("E003", 1, 1, 2)]),
            (
                "input: [1, 4]\nlayers: [&x {type: relu}, *x]\n",
                [("E003", 2, 10, 4), ("E003", 2, 27, 2)],
            ),
            (f"input: [1, 4]\n<<: {{a: 1}}\n{REST}", [("E003", 2, 1, 2)]),
            (f"input: [1, 4]\n<<: *a\n{REST}", [("E003", 2, 1, 2), ("E003", 2, 5, 2)]),
            ("input: [1, 4]\nlayers: [{<<: [], type: relu}]\n", [("E003", 2, 11, 2)]),
            (f"input: !!seq [1, 4]\n{REST}", [("E004", 1, 8, 7)]),
            (f"!t input: [1, 4]\n{REST}", [("E004", 1, 1, 8)]),
            (f"name: !!python/name:os.system x\n{WHOLE}", [("E004", 1, 7, 25)]),
            (f"name: ! x\n{WHOLE}", [("E004", 1, 7, 3)]),
            (f"input: [1, 4]\ninput: [1, 5]\n{REST}", [("E005", 2, 1, 5)]),
            (f"input: [1, 4]\n'input': 3\n{REST}", [("E005", 2, 1, 7)]),
            ("input: [1, 4]\nlayers: [{type: relu, type: relu}]\n", [("E005", 2, 23, 4)]),
            (f"{WHOLE}---\na\n", [("E006", 3, 1, 3)]),
            (f"{WHOLE}...\n---\n--- {{}}\n", [("E006", 4, 1, 3)]),
            (f"? [a]\n: 1\n{WHOLE}", [("E103", 1, 3, 3)]),
            (f"? {{a: b}}\n: 1\n{WHOLE}", [("E103", 1, 3, 6)]),
        ],
    )
    def test_it_is_refused_at_its_place(
        self, found: Found, text: str, expected: list[Place]
    ) -> None:
        assert places(found(text)) == expected

    @pytest.mark.parametrize(
        ("text", "line", "column"),
        [
            ("input: [1, 4\n", 2, 1),
            ("input:\n\t- 1\n", 2, 1),
            ("a: b: c\n", 1, 5),
            ("'abc", 1, 5),
            (f"{WHOLE}  bad\n", 3, 3),
            ("@x", 1, 1),
            ("a: %x", 1, 4),
            ("input: [1, 4]]\n", 1, 14),
            ("input:[1, 4]\nlayers: 3", 2, 7),
            (f"%YAML 2.0\n---\n{WHOLE}", 1, 1),
            ('name: "\\z"', 1, 8),
        ],
    )
    def test_broken_yaml_is_refused_where_it_breaks(
        self, found: Found, text: str, line: int, column: int
    ) -> None:
        assert places(found(text)) == [("E002", line, column, 1)]

    @pytest.mark.parametrize(
        ("text", "width"), [("[]", 2), ("3", 1), ("input", 5), ("- a", 1), ("'input: 3'", 10)]
    )
    def test_a_spec_that_is_no_mapping_is_refused(
        self, found: Found, text: str, width: int
    ) -> None:
        assert places(found(text)) == [("E008", 1, 1, width)]

    @pytest.mark.parametrize("text", ["", "\n", "   \n\n", "# nothing\n", "~", "---\n"])
    def test_an_empty_spec_is_refused(self, found: Found, text: str) -> None:
        (problem,) = found(text)
        assert (problem.code, problem.value) == ("E008", "got nothing")

    @pytest.mark.parametrize("directive", ["%YAML 1.2\n---\n", "%YAML 1.1\n---\n", "---\n"])
    def test_what_stands_before_the_document_is_let_pass(
        self, found: Found, directive: str
    ) -> None:
        assert found(f"{directive}{WHOLE}...\n") == ()


class TestBounds:
    def test_are_those_that_are_explained(self) -> None:
        reason = EXPLANATIONS["E007"].reason
        assert f"{MOST_BYTES // 2**20} MiB" in reason
        assert f"{MOST_DEPTH} levels" in reason
        assert f"{MOST_VALUES:,} values" in reason

    def test_lists_nest_to_the_bound_and_no_further(self, found: Found) -> None:
        assert {one.code for one in found("[" * MOST_DEPTH + "]" * MOST_DEPTH)} == {"E008"}
        assert places(found("[" * (MOST_DEPTH + 1))) == [("E007", 1, MOST_DEPTH + 1, 1)]

    @pytest.mark.parametrize(
        "text", ["[" * 100_000, "{a: " * 100_000, "- " * 100_000, "? " * 100_000]
    )
    def test_100_000_levels_are_refused(self, found: Found, text: str) -> None:
        assert [one.code for one in found(text)] == ["E007"]

    def test_more_values_than_the_bound_are_refused(
        self, found: Found, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(nodes, "MOST_VALUES", 100)
        text = "[" + "1," * 200
        (problem,) = found(text)
        assert problem.code == "E007"
        assert 90 <= text[: problem.column].count("1") <= 100

    @pytest.mark.slow
    def test_half_a_million_values_are_refused(self, found: Found) -> None:
        (problem,) = found("[" + "1," * MOST_VALUES)
        assert (problem.code, problem.line) == ("E007", 1)

    def test_one_byte_more_than_the_bound_is_refused(self, found: Found) -> None:
        assert found(WHOLE.encode() + b"#" * (MOST_BYTES - len(WHOLE))) == ()
        assert places(found(WHOLE.encode() + b"#" * (MOST_BYTES + 1 - len(WHOLE)))) == [
            ("E007", 1, 1, 1)
        ]

    @pytest.mark.parametrize(
        ("text", "code"),
        [
            ("name: " + "x" * 10_000_000, "E007"),
            ("name: [" + "x" * 4_000_000 + "]", "E103"),
            ("? " + "x" * 1_000_000 + "\n: 1\n", "E101"),
        ],
        ids=["10 MB", "a value", "a key"],
    )
    def test_a_message_about_a_huge_scalar_is_short(
        self, found: Found, text: str, code: str
    ) -> None:
        problem = next(one for one in found(text) if one.code == code)
        assert len(diagnostic_text(problem)) < 1000

    def test_an_alias_bomb_is_refused_alias_by_alias(self, found: Found) -> None:
        levels = [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 30)]
        codes = [one.code for one in found("a0: &a0 [x]\n" + "".join(levels) + WHOLE)]
        assert codes.count("E003") == 30 + 29 * 9

    def test_a_merge_bomb_is_refused_key_by_key(self, found: Found) -> None:
        levels = [f"b{n}: {{<<: [*b{n - 1}, *b{n - 1}]}}\n" for n in range(1, 30)]
        codes = [one.code for one in found("b0: {x: 1}\n" + "".join(levels) + WHOLE)]
        assert codes.count("E003") == 3 * 29


class TestEncodings:
    @pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-be"])
    def test_utf_8_and_utf_16_with_a_mark_are_read(self, found: Found, encoding: str) -> None:
        mark = b"\xfe\xff" if encoding == "utf-16-be" else b""
        assert found(mark + f"name: é日本\n{WHOLE}".encode(encoding)) == ()

    @pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
    def test_columns_count_characters_and_no_mark(self, found: Found, encoding: str) -> None:
        text = "input: [1, 4]\nlayers: [{name: é日𝕏, type: rely}]\n"
        assert places(found(text.encode(encoding))) == [("E104", 2, 28, 4)]

    @pytest.mark.parametrize("end", ["\n", "\r\n", "\r", "\x85", "\u2028", "\u2029"], ids=ascii)
    def test_every_line_end_of_yaml_ends_a_line(self, found: Found, end: str) -> None:
        text = end.join(["input: [1, 4]", "", "layers:", "- type: rely", ""])
        assert places(found(text.encode())) == [("E104", 4, 9, 4)]

    @pytest.mark.parametrize("end", ["\n", "\r\n", "\r", "\x85", "\u2028"], ids=ascii)
    def test_the_excerpt_is_the_line_without_its_end(self, found: Found, end: str) -> None:
        (problem,) = found(f"input: [1, 4]{end}layers: [{{type: rely}}]{end}".encode())
        assert problem.excerpt == "layers: [{type: rely}]"

    @pytest.mark.parametrize(
        ("content", "line", "column", "value"),
        [
            (b"caf\xe9", 1, 4, "byte 0xe9 at offset 3 is not"),
            (b"a\n\n  \xc0\x80", 3, 3, "byte 0xc0 at offset 5 is not"),
            (b"\xed\xa0\x80", 1, 1, "byte 0xed at offset 0 is not"),
            (b"\xef\xbb\xbfcaf\xe9", 1, 4, "byte 0xe9 at offset 6 is not"),
            (b"\xff\xfei\0n", 1, 2, "byte 0x6e at offset 4 is not"),
            (b"a\x7f", 1, 2, "character U+007F at offset 1"),
            (b"i\0n\0", 1, 2, "character U+0000 at offset 1"),
            (b"a: 1\nb:\x1b[31m", 2, 3, "character U+001B at offset 7"),
            (b"\xff\xfe\0\0a\0\0\0", 1, 1, "character U+0000 at offset 0"),
            (b"\xef\xbf\xbe", 1, 1, "character U+FFFE at offset 0"),
        ],
    )
    def test_the_first_byte_that_is_no_text_is_named_with_its_offset(
        self, found: Found, content: bytes, line: int, column: int, value: str
    ) -> None:
        (problem,) = found(content)
        assert places((problem,)) == [("E001", line, column, 1)]
        assert problem.value == value

    def test_a_binary_file_is_refused(self, found: Found) -> None:
        assert {one.code for one in found(b"\x89PNG\r\n\x1a\n\0\0")} == {"E001"}

    def test_tabs_separate_but_do_not_indent(self, found: Found) -> None:
        assert found("input:\t[1,\t4]\t# tab\nlayers: [\t{type: relu}]\n") == ()
        assert places(found("input: [1, 4]\nlayers:\n\t- type: relu\n")) == [("E002", 3, 1, 1)]


INDICATORS = st.sampled_from([*"-?:,[]{}#&*!|>'\"%@` \n\t~<.=_0123456789xoeabc\\", "\r\n", "input"])


class TestAnyText:
    @settings(deadline=None, max_examples=300)
    @given(text=st.lists(INDICATORS, max_size=60).map("".join))
    @example(text="? \n- !<x> &a *b\n---\n...\n")
    @example(text="%TAG ! x\n--- !y z")
    def test_made_of_indicators_is_a_document_or_diagnostics(self, found: Found, text: str) -> None:
        assert_within(text, found(text.encode()))

    @settings(deadline=None, max_examples=200)
    @given(text=st.text(max_size=60))
    @example(text="﻿a: ﻿b")
    def test_is_a_document_or_diagnostics(self, found: Found, text: str) -> None:
        assert_within(text.removeprefix("\ufeff"), found(text.encode()))

    @settings(deadline=None, max_examples=200)
    @given(content=st.binary(max_size=60))
    @example(content=b"\xff\xfe\xd8")
    def test_any_bytes_are_a_document_or_diagnostics(self, found: Found, content: bytes) -> None:
        problems = found(content)
        assert all(one.line >= 1 and one.column >= 1 for one in problems)
        assert all(diagnostic_text(one) for one in problems)

    @settings(deadline=None, max_examples=100)
    @given(
        start=st.integers(0, len(WHOLE)),
        past=st.integers(0, len(WHOLE)),
        patch=st.lists(INDICATORS, max_size=4).map("".join),
    )
    def test_a_patched_spec_is_a_document_or_diagnostics(
        self, found: Found, start: int, past: int, patch: str
    ) -> None:
        text = WHOLE[:start] + patch + WHOLE[past:]
        assert_within(text, found(text.encode()))

    def test_parse_itself_raises_for_broken_yaml(self) -> None:
        with pytest.raises(SpecError) as caught:
            parsed("[")
        assert caught.value.code == "E002"


class TestCommands:
    @pytest.mark.parametrize(("command", "status"), [("check", 1), ("shapes", 2), ("table", 2)])
    @pytest.mark.parametrize(
        ("content", "code"),
        [
            (b"[" * 100_000, "E007"),
            (b"name: " + b"x" * 10_000_000, "E007"),
            (b"name: caf\xe9\n", "E001"),
            (b"\0" * 100, "E001"),
            (b"", "E008"),
            (b"input: [1, 4\n", "E002"),
        ],
        ids=["depth", "bytes", "latin-1", "zeros", "empty", "open bracket"],
    )
    def test_every_problem_reaches_whoever_runs_the_command(
        self, run: Run, command: str, status: int, content: bytes, code: str
    ) -> None:
        outcome = run(command, "-", stdin=content)
        assert outcome.status == status
        assert f"error[{code}]" in outcome.out + outcome.err

    def test_zeros_without_end_are_too_long(self, run: Run) -> None:
        assert_refused(run("shapes", "/dev/zero"), "E007")
