"""Several specs, folders of specs, standard input, other inputs, and which layer is meant."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import GUIDE, Run, WriteSpec, assert_refused

GOOD = "input: [1, 4]\nlayers: [{type: relu}]\n"
BAD = "input: [1, 4]\nlayers: [{type: rely}]\n"
TWO = """
    name: two layers
    input: [1, 6]
    layers:
      - {name: a, type: conv, out_channels: 1, kernel_size: 3, weight: {fill: ones}}
      - {name: act, type: relu}
      - {name: b, type: conv_transpose, out_channels: 1, kernel_size: 2, weight: {fill: ones}}
    """

SEVERAL = ("shapes", "check", "table")
ONE = ("matrix", "apply")


@pytest.fixture
def specs(spec: WriteSpec) -> tuple[str, ...]:
    """A good spec, a bad one, a missing one and another good one."""
    return (spec(GOOD, "a.yaml"), spec(BAD, "b.yaml"), "c.yaml", spec(GOOD, "d.yaml"))


class TestSeveral:
    @pytest.mark.parametrize(("command", "listed"), [("shapes", "networks"), ("table", "networks")])
    def test_the_good_ones_are_done_and_the_others_listed(
        self, run: Run, specs: tuple[str, ...], command: str, listed: str
    ) -> None:
        outcome = run(command, *specs, "--format", "json")
        assert (outcome.status, outcome.codes) == (2, ["E104", "E401"])
        assert [one["spec"] for one in outcome.document[listed]] == ["a.yaml", "d.yaml"]
        problems = [(one["spec"], one["code"]) for one in outcome.document["problems"]]
        assert problems == [("b.yaml", "E104"), ("c.yaml", "E401")]

    def test_a_problem_has_the_keys_of_check(self, run: Run, specs: tuple[str, ...]) -> None:
        (first, second) = run("shapes", *specs, "--format", "json").document["problems"]
        assert first == {
            "code": "E104",
            "spec": "b.yaml",
            "line": 2,
            "column": 17,
            "layer": None,
            "message": "unknown type: got 'rely'",
            "help": "did you mean 'relu'?",
        }
        assert list(second) == list(first)

    @pytest.mark.parametrize("command", ["shapes", "table"])
    @pytest.mark.parametrize("output_format", ["text", "csv", "markdown"])
    def test_every_format_has_the_good_ones(
        self, run: Run, specs: tuple[str, ...], command: str, output_format: str
    ) -> None:
        outcome = run(command, *specs, "--format", output_format)
        alone = run(command, "a.yaml", "d.yaml", "--format", output_format)
        assert outcome.status == 2
        assert outcome.out == alone.out != ""

    @pytest.mark.parametrize("command", ["shapes", "table"])
    def test_where_all_are_bad_only_json_says_something(
        self, run: Run, specs: tuple[str, ...], command: str
    ) -> None:
        assert run(command, "b.yaml").out == ""
        document = run(command, "b.yaml", "--format", "json").document
        assert (document["networks"], len(document["problems"])) == ([], 1)

    def test_the_same_one_twice_is_done_twice(self, run: Run, spec: WriteSpec) -> None:
        outcome = run("shapes", spec(GOOD), "net.yaml", "--format", "json")
        assert len(outcome.document["networks"]) == 2

    def test_the_path_is_said_as_it_was_given(self, run: Run, spec: WriteSpec) -> None:
        spec(GOOD)
        outcome = run("shapes", "./net.yaml", "--format", "json")
        assert outcome.document["networks"][0]["spec"] == "./net.yaml"


class TestFolders:
    @pytest.fixture
    def configs(self, folder: Path) -> Path:
        configs = folder / "configs"
        configs.mkdir()
        (configs / "b.yaml").write_text(GOOD, encoding="utf-8")
        (configs / "a.yml").write_text(GOOD, encoding="utf-8")
        (configs / "notes.txt").write_text("no spec", encoding="utf-8")
        return configs

    @pytest.mark.parametrize("name", ["configs", "configs/", "./configs"])
    def test_one_stands_for_its_specs_in_order(self, run: Run, configs: Path, name: str) -> None:
        document = run("shapes", name, "--format", "json").document
        paths = [one["spec"] for one in document["networks"]]
        assert [Path(path).name for path in paths] == ["a.yml", "b.yaml"]
        assert all(path.startswith(name.rstrip("/")) for path in paths)

    @pytest.mark.parametrize("command", SEVERAL)
    def test_every_command_of_several_takes_one(
        self, run: Run, configs: Path, command: str
    ) -> None:
        outcome = run(command, "configs")
        assert (outcome.status, outcome.err) == (0, "")

    @pytest.mark.parametrize("command", SEVERAL)
    def test_one_without_specs_is_refused(self, run: Run, folder: Path, command: str) -> None:
        (folder / "empty").mkdir()
        outcome = run(command, "empty")
        assert (outcome.status, outcome.codes) == (2, ["E401"])
        assert "name a file in it" in outcome.err

    @pytest.mark.parametrize("command", ["shapes", "table"])
    def test_and_does_not_keep_the_others_from_being_done(
        self, run: Run, configs: Path, folder: Path, command: str
    ) -> None:
        (folder / "empty").mkdir()
        outcome = run(command, "empty", "configs", "--format", "json")
        assert (outcome.status, outcome.codes) == (2, ["E401"])
        assert len(outcome.document["networks"]) == 2

    def test_nor_from_being_checked(self, run: Run, configs: Path, folder: Path) -> None:
        (folder / "empty").mkdir()
        outcome = run("check", "empty", "configs", "--format", "json")
        assert (outcome.status, outcome.codes) == (2, ["E401"])
        assert [one["code"] for one in outcome.document["problems"]] == ["E401"]

    def test_a_folder_within_that_is_named_like_a_spec_is_no_spec(
        self, run: Run, configs: Path
    ) -> None:
        (configs / "c.yaml").mkdir()
        outcome = run("shapes", "configs", "--format", "json")
        assert len(outcome.document["networks"]) == 2


class TestStandardInput:
    @pytest.mark.parametrize("command", SEVERAL)
    def test_a_dash_is_a_spec(self, run: Run, command: str) -> None:
        outcome = run(command, "-", stdin=GOOD.encode())
        assert (outcome.status, outcome.err) == (0, "")

    def test_its_network_has_a_name(self, run: Run) -> None:
        outcome = run("shapes", "-", "--format", "json", stdin=GOOD.encode())
        (network,) = outcome.document["networks"]
        assert (network["spec"], network["name"]) == ("-", "network")

    def test_its_problems_are_placed(self, run: Run) -> None:
        outcome = run("shapes", "-", stdin=BAD.encode())
        assert outcome.err.startswith("-:2:17: error[E104]: unknown type\n")


class TestInput:
    @pytest.mark.parametrize("text", ["1,9", "input=1,9", "3,4"])
    def test_another_shape_takes_its_place(self, run: Run, spec: WriteSpec, text: str) -> None:
        outcome = run("shapes", spec(GOOD), "--input", text, "--format", "json")
        sizes = [int(size) for size in text.rpartition("=")[2].split(",")]
        assert outcome.document["networks"][0]["output"] == sizes

    def test_it_can_stand_in_for_a_missing_one(self, run: Run, spec: WriteSpec) -> None:
        outcome = run("shapes", spec("layers: [{type: relu}]"), "--input", "1,9")
        assert outcome.status == 0

    def test_of_several_each_can_be_named(self, run: Run, spec: WriteSpec) -> None:
        spec("input: {a: [1, 4], b: [2, 4]}\nlayers: [{type: concat, from: [a, b]}]")
        options = ("--input", "b=3,9", "--input", "a=1,9")
        outcome = run("shapes", "net.yaml", *options, "--format", "json")
        assert outcome.document["networks"][0]["input"] == {"a": [1, 9], "b": [3, 9]}
        assert outcome.document["networks"][0]["output"] == [4, 9]

    @pytest.mark.parametrize("text", ["1,9", "c=1,9"])
    def test_of_several_one_must_be_named(self, run: Run, spec: WriteSpec, text: str) -> None:
        spec("input: {a: [1, 4], b: [2, 4]}\nlayers: [{type: relu}]")
        outcome = run("shapes", "net.yaml", "--input", text)
        assert_refused(outcome, "E503")
        assert "a, b" in outcome.err

    def test_check_judges_by_it(self, run: Run, spec: WriteSpec) -> None:
        spec("input: [1, 4]\nlayers: [{type: relu, expect: [1, 9]}]")
        assert run("check", "net.yaml").status == 1
        assert run("check", "net.yaml", "--input", "1,9").status == 0

    def test_a_spec_that_cannot_take_it_is_reported(self, run: Run, spec: WriteSpec) -> None:
        outcome = run("shapes", spec(GUIDE), "--input", "1,2,2")
        assert (outcome.status, outcome.codes) == (2, ["E110"])


ARGUMENTS = {"matrix": ("--dry-run",), "apply": ("x.npy", "-o", "y.npy")}


class TestLayer:
    @pytest.mark.parametrize("command", ONE)
    def test_several_are_listed_where_none_is_named(
        self, run: Run, spec: WriteSpec, command: str
    ) -> None:
        outcome = run(command, spec(TWO), *ARGUMENTS[command])
        assert_refused(outcome, "E502")
        assert "two layers has several layers" in outcome.err
        assert "choose one with --layer: a, b" in outcome.err

    @pytest.mark.parametrize("command", ONE)
    @pytest.mark.parametrize("name", ["c", "act", "A", ""])
    def test_one_that_is_no_matrix_is_refused(
        self, run: Run, spec: WriteSpec, command: str, name: str
    ) -> None:
        outcome = run(command, spec(TWO), "--layer", name, *ARGUMENTS[command])
        assert_refused(outcome, "E502")
        assert "a, b" in outcome.err

    @pytest.mark.parametrize("command", ONE)
    def test_a_network_without_one_is_refused(
        self, run: Run, spec: WriteSpec, command: str
    ) -> None:
        outcome = run(command, spec(GOOD), *ARGUMENTS[command])
        assert_refused(outcome, "E502")
        assert "no conv or conv_transpose layer" in outcome.err

    @pytest.mark.parametrize(("name", "shape"), [("a", [4, 6]), ("b", [4, 5])])
    def test_one_can_be_named(self, run: Run, spec: WriteSpec, name: str, shape: list[int]) -> None:
        outcome = run("matrix", spec(TWO), "--layer", name, "--dry-run", "--format", "json")
        assert outcome.document["shape"] == shape

    def test_the_only_one_needs_no_name(self, run: Run, spec: WriteSpec) -> None:
        assert run("matrix", spec(GUIDE), "--dry-run").status == 0
        assert run("matrix", spec(GUIDE), "--dry-run", "--layer", "conv2").status == 2
