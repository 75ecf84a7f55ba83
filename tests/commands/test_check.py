"""convt check: every problem of every spec, one line of summary, and a status that scripts can
trust: 0 nothing found, 1 something found, 2 something unreadable.
"""

from __future__ import annotations

import re
from pathlib import Path
from unittest.mock import ANY

import pytest

from tests.conftest import GUIDE, Outcome, Run, WriteSpec, assert_quiet, assert_refused

MISMATCH = """
    input: [3, 224, 224]
    layers:
      - name: c
        type: conv
        out_channels: 96
        kernel_size: 7
        stride: 2
        expect: [96, 110, 110]
    """
"""The arithmetic gives 109."""

ILLEGAL = """
    input: [1, 4, 4]
    layers:
      - {type: conv, out_channels: 1, kernel_size: 9, expect: [1, 4, 4]}
      - {type: conv, out_channels: 1, kernel_size: 3, paddding: 1}
      - {type: relu, expect: [1, 2]}
    """
"""A window that does not fit, a misspelt key and, behind an expectation, a mismatch."""

MALFORMED = "input: [1, 4\nlayers:\n"


KEYS = ("code", "spec", "line", "column", "layer", "message", "help")

HEAD = re.compile(r"^(\S+?):(\d+):(\d+): error\[(E\d+)\]: ", re.MULTILINE)


def findings(outcome: Outcome) -> list[tuple[str, ...]]:
    """(spec, line, column, code) of every finding on standard output."""
    return [match.groups() for match in HEAD.finditer(outcome.out)]


def assert_summed_up(outcome: Outcome, specs: str, problems: str) -> None:
    """The last line, and no other, says how many specs were checked and what was found."""
    summaries = re.findall(r"^checked .*$", outcome.out, re.MULTILINE)
    assert [outcome.out.splitlines()[-1]] == summaries
    assert re.match(rf"checked {specs}: {problems}\b", summaries[0])


def assert_found(outcome: Outcome, count: int, *, status: int = 1) -> None:
    """`check` prints this many findings to standard output, a last line, and no error."""
    assert (outcome.status, outcome.err) == (status, "")
    assert len(findings(outcome)) == count


@pytest.fixture
def specs(spec: WriteSpec) -> None:
    """One spec of every kind."""
    spec(GUIDE, "good.yaml")
    spec(MISMATCH, "mismatch.yaml")
    spec(ILLEGAL, "illegal.yaml")
    spec(MALFORMED, "malformed.yaml")


@pytest.mark.usefixtures("specs")
class TestStatus:
    @pytest.mark.parametrize(
        ("names", "status"),
        [
            ("good.yaml", 0),
            ("good.yaml good.yaml", 0),
            ("mismatch.yaml", 1),
            ("illegal.yaml", 1),
            ("malformed.yaml", 1),
            ("missing.yaml", 2),
            ("good.yaml mismatch.yaml", 1),
            ("mismatch.yaml good.yaml", 1),
            ("good.yaml missing.yaml", 2),
            ("missing.yaml good.yaml", 2),
            ("missing.yaml mismatch.yaml", 2),
            ("mismatch.yaml missing.yaml", 2),
            ("malformed.yaml missing.yaml good.yaml", 2),
        ],
    )
    @pytest.mark.parametrize("output_format", ["text", "json"])
    def test_is_the_largest_of_all_specs(
        self, run: Run, names: str, status: int, output_format: str
    ) -> None:
        assert run("check", *names.split(), "--format", output_format).status == status

    @pytest.mark.parametrize(
        ("names", "status"),
        [
            ("good.yaml", 0),
            ("mismatch.yaml", 0),
            ("illegal.yaml malformed.yaml", 0),
            ("missing.yaml", 2),
            ("mismatch.yaml missing.yaml", 2),
        ],
    )
    @pytest.mark.parametrize("output_format", ["text", "json"])
    def test_exit_zero_forgives_what_was_found_and_nothing_else(
        self, run: Run, names: str, status: int, output_format: str
    ) -> None:
        options = ("--format", output_format)
        found = run("check", *names.split(), *options)
        outcome = run("check", *names.split(), *options, "--exit-zero")
        assert outcome.status == status
        assert (outcome.out, outcome.err) == (found.out, found.err)

    def test_a_problem_is_found_in_the_midst_of_good_ones(self, run: Run) -> None:
        outcome = run("check", "good.yaml", "mismatch.yaml", "good.yaml")
        assert outcome.status == 1
        assert_summed_up(outcome, "3 specs", "1 problem")


@pytest.mark.usefixtures("specs")
class TestText:
    def test_silence_but_for_one_line_is_success(self, run: Run) -> None:
        outcome = run("check", "good.yaml", "good.yaml", "good.yaml")
        assert outcome.out == "checked 3 specs: no problems\n"
        assert outcome.err == ""

    def test_a_finding_has_its_place_its_line_and_a_way_out(self, run: Run) -> None:
        head, margin, line, carets, remedy, _ = run("check", "mismatch.yaml").out.splitlines()
        assert head.startswith("mismatch.yaml:9:13: error[E201]: ")
        assert (margin, line) == ("  |", "9 |     expect: [96, 110, 110]")
        assert carets.startswith(f"  | {' ' * 12}^^^^^^^^^^^^^^ ")
        assert "[96, 110, 110]" in carets
        assert "[96, 109, 109]" in carets
        assert remedy.startswith("  = help: ")
        assert remedy.endswith("`convt explain E201` says why")

    def test_every_problem_of_a_spec_is_reported_in_the_order_of_its_lines(self, run: Run) -> None:
        outcome = run("check", "illegal.yaml")
        assert_found(outcome, 3)
        assert [(line, code) for _, line, _, code in findings(outcome)] == [
            ("4", "E110"),
            ("5", "E101"),
            ("6", "E201"),
        ]
        assert "did you mean 'padding'?" in outcome.out

    def test_every_spec_is_checked_in_the_order_given(self, run: Run) -> None:
        outcome = run("check", "mismatch.yaml", "good.yaml", "illegal.yaml", "malformed.yaml")
        names = [name for name, *_ in findings(outcome)]
        assert list(dict.fromkeys(names)) == ["mismatch.yaml", "illegal.yaml", "malformed.yaml"]
        assert_summed_up(outcome, "4 specs", f"{len(names)} problems")

    def test_what_cannot_be_read_is_told_on_standard_error(self, run: Run) -> None:
        outcome = run("check", "missing.yaml", "good.yaml")
        assert outcome.codes == ["E401"]
        assert outcome.out.count("\n") == 1
        assert_summed_up(outcome, "2 specs", "1 problem")

    def test_findings_stand_beside_what_cannot_be_read(self, run: Run) -> None:
        outcome = run("check", "mismatch.yaml", "missing.yaml", "illegal.yaml")
        assert outcome.codes == ["E401"]
        assert [code for *_, code in findings(outcome)] == ["E201", "E110", "E101", "E201"]
        assert_summed_up(outcome, "3 specs", "5 problems")

    def test_a_spec_named_twice_is_checked_twice(self, run: Run) -> None:
        outcome = run("check", "mismatch.yaml", "mismatch.yaml")
        assert_found(outcome, 2)
        assert_summed_up(outcome, "2 specs", "2 problems")

    @pytest.mark.parametrize("escape", ["\\n", "\\e[2J"])
    def test_no_name_reaches_the_terminal_as_a_control_character(
        self, run: Run, spec: WriteSpec, escape: str
    ) -> None:
        outcome = run("check", spec(MISMATCH.replace("name: c", f'name: "a{escape}b"')))
        assert (outcome.status, outcome.err) == (1, "")
        assert outcome.out.replace("\n", "").isprintable()
        assert "\nb" not in outcome.out


@pytest.mark.usefixtures("specs")
class TestJson:
    def test_a_good_spec_has_no_problems(self, run: Run) -> None:
        outcome = run("check", "good.yaml", "--format", "json")
        assert outcome.document == {"version": 1, "checked": 1, "problems": []}
        assert outcome.err == ""

    def test_a_problem_has_exactly_the_keys_that_programs_rely_on(self, run: Run) -> None:
        assert run("check", "mismatch.yaml", "--format", "json").document == {
            "version": 1,
            "checked": 1,
            "problems": [
                {
                    "code": "E201",
                    "spec": "mismatch.yaml",
                    "line": 9,
                    "column": 13,
                    "layer": "c",
                    "message": ANY,
                    "help": ANY,
                }
            ],
        }

    def test_every_problem_has_them(self, run: Run) -> None:
        names = ("missing.yaml", "malformed.yaml", "illegal.yaml", "mismatch.yaml")
        problems = run("check", *names, "--format", "json").document["problems"]
        assert {tuple(problem) for problem in problems} == {KEYS}
        assert {problem["spec"] for problem in problems} == set(names)
        assert min(min(problem["line"], problem["column"]) for problem in problems) >= 1

    def test_it_lists_what_the_text_shows(self, run: Run) -> None:
        names = ("illegal.yaml", "good.yaml", "malformed.yaml", "mismatch.yaml")
        problems = run("check", *names, "--format", "json").document["problems"]
        listed = [
            (one["spec"], str(one["line"]), str(one["column"]), one["code"]) for one in problems
        ]
        assert listed == findings(run("check", *names))

    def test_what_cannot_be_read_is_listed_and_told(self, run: Run) -> None:
        outcome = run("check", "missing.yaml", "good.yaml", "--format", "json")
        assert (outcome.status, outcome.codes) == (2, ["E401"])
        assert outcome.document["checked"] == 2
        (problem,) = outcome.document["problems"]
        assert (problem["code"], problem["spec"], problem["layer"]) == (
            *("E401", "missing.yaml"),
            None,
        )

    def test_findings_are_not_repeated_on_standard_error(self, run: Run) -> None:
        assert run("check", "illegal.yaml", "--format", "json").err == ""

    def test_a_folder_counts_as_the_specs_in_it(self, run: Run) -> None:
        document = run("check", ".", "--format", "json").document
        assert document["checked"] == 4
        assert {problem["spec"] for problem in document["problems"]} == {
            "./illegal.yaml",
            "./malformed.yaml",
            "./mismatch.yaml",
        }


@pytest.mark.usefixtures("specs")
class TestOutput:
    @pytest.mark.parametrize("output_format", ["text", "json"])
    @pytest.mark.parametrize(("name", "status"), [("illegal.yaml", 1), ("missing.yaml", 2)])
    def test_a_file_holds_the_findings_and_the_status_stays(
        self, run: Run, folder: Path, output_format: str, name: str, status: int
    ) -> None:
        printed = run("check", name, "--format", output_format)
        outcome = run("check", name, "--format", output_format, "-o", "out")
        assert (outcome.status, outcome.out, outcome.err) == (status, "", printed.err)
        assert (folder / "out").read_bytes() == printed.stdout

    @pytest.mark.parametrize("output_format", ["text", "json"])
    @pytest.mark.parametrize("name", ["good.yaml", "illegal.yaml"])
    def test_an_existing_file_stays_as_it_was(
        self, run: Run, folder: Path, output_format: str, name: str
    ) -> None:
        (folder / "out").write_bytes(b"old \xff")
        outcome = run("check", name, "--format", output_format, "-o", "out")
        assert_refused(outcome, "E403")
        assert (folder / "out").read_bytes() == b"old \xff"

    def test_force_replaces_it(self, run: Run, folder: Path) -> None:
        (folder / "out").write_bytes(b"old")
        assert_quiet(run("check", "good.yaml", "-o", "out", "--force"))
        assert (folder / "out").read_bytes() == b"checked 1 spec: no problems\n"

    def test_a_file_that_cannot_be_written_outweighs_what_was_found(self, run: Run) -> None:
        assert_refused(run("check", "illegal.yaml", "-o", "missing/out", "--exit-zero"), "E402")


class TestInput:
    @pytest.mark.parametrize(("size", "status"), [("3,224,224", 1), ("3,225,225", 0)])
    def test_takes_the_place_of_the_spec_s_own(
        self, run: Run, spec: WriteSpec, size: str, status: int
    ) -> None:
        assert run("check", spec(MISMATCH), "--input", size).status == status

    def test_one_that_the_spec_has_not_cannot_be_met(self, run: Run, spec: WriteSpec) -> None:
        outcome = run("check", spec(GUIDE), "--input", "mask=1,4,4", "--format", "json")
        assert (outcome.status, outcome.codes) == (2, ["E503"])
        assert [one["code"] for one in outcome.document["problems"]] == ["E503"]

    def test_one_that_no_layer_can_take_is_found(self, run: Run, spec: WriteSpec) -> None:
        outcome = run("check", spec(GUIDE), "--input", "1,2,2")
        assert_found(outcome, 1)
        assert findings(outcome)[0][3] == "E110"


class TestUsage:
    @pytest.mark.parametrize("output_format", ["csv", "markdown", "JSON", "sarf"])
    def test_other_formats_are_refused(self, run: Run, spec: WriteSpec, output_format: str) -> None:
        outcome = run("check", spec(GUIDE), "--format", output_format)
        assert (outcome.status, outcome.out) == (2, "")
        assert "Invalid value for '--format'" in outcome.err
