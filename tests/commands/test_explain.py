"""convt explain: every code has an explanation, and every explanation a code that is used."""

from __future__ import annotations

import re
from functools import cache

import pytest

from convt_cli.errors.codes import EXPLANATIONS
from tests.conftest import PACKAGE, Run
from tests.rows import for_each

CODES = sorted(EXPLANATIONS)
SOURCES = {
    path: path.read_text(encoding="utf-8")
    for path in PACKAGE.rglob("*.py")
    if path.name != "codes.py"
}


@cache
def codes_in_the_sources() -> set[str]:
    """Every code that some module hands to an error."""
    return {code for text in SOURCES.values() for code in re.findall(r'"([EW]\d{3})"', text)}


class TestTable:
    @for_each("code", CODES)
    def test_every_explanation_is_of_a_code_in_use(self, code: str) -> None:
        message = f"take {code} out of errors/codes.py: no module raises it"
        assert code in codes_in_the_sources(), message

    @for_each("code", sorted(codes_in_the_sources()))
    def test_every_code_in_use_is_explained(self, code: str) -> None:
        assert code in EXPLANATIONS, f"say in errors/codes.py why there is {code}"

    @for_each("code", CODES)
    def test_a_rule_is_one_sentence_and_a_reason_whole_ones(self, code: str) -> None:
        rule, reason = EXPLANATIONS[code]
        assert rule
        assert "\n" not in rule
        assert not rule.endswith(".")
        assert reason.endswith(".")

    def test_codes_stand_in_order(self) -> None:
        assert list(EXPLANATIONS) == CODES


class TestCommand:
    @for_each("code", CODES)
    def test_every_code_is_explained_in_lines_that_fit(self, run: Run, code: str) -> None:
        outcome = run("explain", code)
        assert (outcome.status, outcome.err) == (0, "")
        assert outcome.out.startswith(f"{code}: {EXPLANATIONS[code].rule}\n\n")
        assert " ".join(outcome.out.split()).endswith(" ".join(EXPLANATIONS[code].reason.split()))
        assert max(map(len, outcome.out.splitlines())) <= 79

    def test_a_code_may_be_written_small(self, run: Run) -> None:
        assert run("explain", "e105").out == run("explain", "E105").out

    @pytest.mark.parametrize("code", ["E999", "105", "", "E105 ", "E1055", "x"])
    def test_an_unknown_code_lists_the_known_ones(self, run: Run, code: str) -> None:
        outcome = run("explain", code)
        assert (outcome.status, outcome.out) == (2, "")
        assert all(known in outcome.err for known in CODES)
