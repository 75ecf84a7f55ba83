"""convt verify: 0 where every route agrees, 1 where one does not, 2 where none can be asked."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

import numpy as np
import pytest

from convt_cli.operators import routes
from tests.conftest import Run, WriteSpec, assert_refused

SPEC = """
    input: [2, 9, 8]
    layers:
      - {name: down, type: conv, out_channels: 3, kernel_size: 3, stride: 2, padding: 1}
      - {type: relu}
      - {name: up, type: conv_transpose, out_channels: 2, kernel_size: 4, stride: 2, padding: 1,
         weight: {fill: index}}
    """


@pytest.fixture
def planted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Cᵀ by the matrix is wrong in one element."""
    right = routes.TRANSPOSE["matrix"]

    def wrong(*arguments: Any) -> Any:
        result = right(*arguments).copy()
        result.flat[3] += 1e-6
        return result

    monkeypatch.setitem(routes.TRANSPOSE, "matrix", wrong)


class TestJson:
    def test_has_these_keys(self, run: Run, spec: WriteSpec) -> None:
        outcome = run("verify", spec(SPEC), "--format", "json")
        document = outcome.document
        assert (outcome.status, outcome.err) == (0, "")
        assert list(document) == ["version", "layers", "problems"]
        assert (document["version"], document["problems"]) == (1, [])
        assert [one["layer"] for one in document["layers"]] == ["down", "up"]
        first = document["layers"][0]
        assert (first["spec"], first["weight"], first["passed"]) == (
            *("net.yaml", "fill normal, seed 0", True),
        )
        for check in first["checks"]:
            assert list(check) == ["name", "passed", "value", "bound", "note"]
            assert check["passed"] is True
            assert 0 <= check["value"] <= check["bound"]

    @pytest.mark.usefixtures("planted")
    def test_a_defect_is_found(self, run: Run, spec: WriteSpec) -> None:
        outcome = run("verify", spec(SPEC), "--format", "json")
        assert outcome.status == 1
        for layer in outcome.document["layers"]:
            assert layer["passed"] is False
            names = [one["name"] for one in layer["checks"] if not one["passed"]]
            assert names == ["Cᵀ y: matrix = direct", "Cᵀ y: matrix = direct, on integers"]

    def test_a_layer_whose_weight_is_missing_leaves_the_others(
        self, run: Run, spec: WriteSpec
    ) -> None:
        spec(SPEC.replace("{fill: index}", "none.npy"))
        outcome = run("verify", "net.yaml", "--format", "json")
        assert (outcome.status, outcome.codes) == (2, ["E401"])
        assert [one["layer"] for one in outcome.document["layers"]] == ["down"]
        problems = outcome.document["problems"]
        assert [(one["code"], one["layer"]) for one in problems] == [("E401", "up")]

    def test_a_spec_that_cannot_be_read_leaves_the_others(self, run: Run, spec: WriteSpec) -> None:
        outcome = run("verify", "none.yaml", spec(SPEC), "--format", "json")
        assert outcome.status == 2
        assert len(outcome.document["layers"]) == 2
        assert [one["code"] for one in outcome.document["problems"]] == ["E401"]


class TestTables:
    def test_text_counts_what_passed(self, run: Run, spec: WriteSpec) -> None:
        out = run("verify", spec(SPEC), "--layer", "down").out
        assert out.splitlines()[-2:] == [
            "8 passed.",
            "Without a weight of their own, with fill normal, seed 0: down.",
        ]

    @pytest.mark.usefixtures("planted")
    def test_text_says_what_failed(self, run: Run, spec: WriteSpec) -> None:
        outcome = run("verify", spec(SPEC), "--layer", "up")
        assert outcome.status == 1
        assert sum("FAILED" in line for line in outcome.out.splitlines()) == 2 + 1
        assert "6 passed, 2 FAILED." in outcome.out

    def test_a_network_without_a_matrix_has_nothing_to_check(
        self, run: Run, spec: WriteSpec
    ) -> None:
        outcome = run("verify", spec("input: [1, 4]\nlayers: [{type: relu}]"))
        assert (outcome.status, "nothing to check" in outcome.out) == (0, True)


class TestRefusals:
    def test_an_unknown_layer(self, run: Run, spec: WriteSpec) -> None:
        assert_refused(run("verify", spec(SPEC), "--layer", "relu1"), "E502")

    def test_an_unknown_library(self, run: Run, spec: WriteSpec) -> None:
        outcome = run("verify", spec(SPEC), "--against", "troch")
        assert (outcome.status, outcome.out) == (2, "")
        assert "did you mean 'torch'?" in " ".join(outcome.err.split())

    @pytest.mark.parametrize(
        ("name", "command"),
        [("torch", "pip install 'convt-cli[peers]'"), ("tensorflow", "pip install 'tensorflow'")],
    )
    def test_a_library_that_is_not_there(
        self, run: Run, spec: WriteSpec, name: str, command: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def found(module: str) -> object:
            return None if module == name else find_spec(module)

        monkeypatch.setattr("convt_cli.analysis.peers.find_spec", found)
        outcome = run("verify", spec(SPEC), "--against", name)
        assert_refused(outcome, "E504")
        assert f"install it with: {command}" in outcome.err

    def test_a_complex_weight(self, run: Run, spec: WriteSpec) -> None:
        spec(
            "input: [2, 9]\nlayers: [{type: conv, out_channels: 1, kernel_size: 2, weight: c.npy}]"
        )
        np.save("c.npy", np.ones((1, 2, 2), complex))
        assert run("verify", "net.yaml").codes == ["E302"]
