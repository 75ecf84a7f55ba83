"""Strict YAML: the values of plain scalars, and what is refused, with its code and its place."""

from __future__ import annotations

import math

import pytest

from convt_cli.errors import SpecError
from convt_cli.errors.codes import EXPLANATIONS
from convt_cli.spec import nodes
from convt_cli.spec.nodes import MOST_DEPTH, MOST_VALUES, Node, Scalar, TooLong, parse
from convt_cli.spec.source import MOST_BYTES, decode
from tests.conftest import Found
from tests.spec.texts import REST, WHOLE, Place, places


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
            (f"%TAG ! tag:x,1:\n---\n{WHOLE}", [("E004", 1, 1, 1)]),
            (f"# all\r%TAG ! x\r%TAG ! x\r---\r{WHOLE}", [("E004", 2, 1, 1)]),
            (f"{WHOLE}...\n%TAG ! x\n---\nb", [("E004", 4, 1, 1)]),
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

    def test_parse_itself_raises_for_broken_yaml(self) -> None:
        with pytest.raises(SpecError) as caught:
            parsed("[")
        assert caught.value.code == "E002"


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
        ("before", "end", "place"),
        [
            ("", "[" * 2000, (1, MOST_DEPTH + 1)),
            ("", "{" * 2000, (1, MOST_DEPTH + 1)),
            ("input: 1\né: ", "[" * 2000, (2, MOST_DEPTH + 3)),
            ("", "[" * 500 + "@", (1, MOST_DEPTH + 1)),
            ("", "[" * 1000 + "'", (1, MOST_DEPTH + 1)),
            ("[" * 20 + "\n", "[" * 1000 + "@", (2, MOST_DEPTH - 19)),
        ],
        ids=[
            "brackets",
            "braces",
            "behind a key",
            "before an error",
            "before a quote",
            "on two lines",
        ],
    )
    def test_depth_is_named_before_what_stops_the_parser(
        self, found: Found, before: str, end: str, place: tuple[int, int]
    ) -> None:
        assert places(found(before + end)) == [("E007", *place, 1)]

    def test_an_error_within_the_bound_is_the_one_that_is_named(self, found: Found) -> None:
        assert places(found("[" * MOST_DEPTH + "@")) == [("E002", 1, MOST_DEPTH + 1, 1)]
        assert places(found("[" * MOST_DEPTH + "]" * MOST_DEPTH + "\n@")) == [("E002", 2, 1, 1)]
        assert places(found("[- " + "[" * 1000)) == [("E002", 1, 2, 1)]
        assert places(found("[" + "[]," * MOST_DEPTH + "@")) == [("E002", 1, 3 * MOST_DEPTH + 2, 1)]

    def test_what_is_wrong_in_front_of_too_deep_brackets_is_said_too(self, found: Found) -> None:
        assert places(found("[&a " + "[" * 1000)) == [
            ("E003", 1, 2, 4),
            ("E007", 1, MOST_DEPTH + 4, 1),
        ]

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
