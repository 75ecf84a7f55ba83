"""Which inputs are warned of, what the warning says, and that both remedies work when pasted."""

from __future__ import annotations

import json
import re

import pytest

from convt_cli.errors import Diagnostic, RequestError, SpecError
from convt_cli.spec.load import load_spec
from tests.conftest import Found, WriteSpec

NET = "framework: keras\ninput: {shape}\nlayers:\n  - {{type: conv, out_channels: 2, {keys}}}\n"
LAYER = "kernel_size: 1"

DOUBTFUL = [
    ([224, 224, 3], "W001", [3, 224, 224]),
    ([480, 640, 1], "W001", [1, 480, 640]),
    ([16, 16, 4], "W001", [4, 16, 16]),
    ([64, 64, 32, 1], "W001", [1, 64, 64, 32]),
    ([1, 3, 224, 224], "W002", [3, 224, 224]),
    ([1, 1, 28, 28], "W002", [1, 28, 28]),
    ([1, 4, 8, 8], "W002", [4, 8, 8]),
    ([1, 3, 224, 3], "W002", [3, 224, 3]),
    ([1, 224, 224, 3], "W002", [3, 224, 224]),
]
"""An input, its warning, and the shape that is likely meant."""

PLAIN = [
    *([3, 224, 224], [1, 28, 28], [4, 16, 16], [100, 1, 1], [200, 1, 1, 1], [100, 1], [80, 32]),
    *([512, 7, 7], [512, 15, 3], [15, 512, 3], [64, 64, 2], [64, 64, 5], [64, 3], [3, 64, 64, 1]),
    *([1, 2, 8, 8], [1, 16, 112, 112], [1, 64, 64, 64], [2, 3, 64, 64], [1, 3, 4]),
]
"""Inputs as they are: no size of theirs is likely the channels or a batch but the first."""


def shape_in(help: str) -> list[int]:
    """The shape that a remedy says to write."""
    found = re.search(r"write (\[[\d, ]+\])", help)
    assert found
    shape: list[int] = json.loads(found[1])
    return shape


def warnings(problems: tuple[Diagnostic, ...]) -> list[Diagnostic]:
    return [one for one in problems if one.severity == "warning"]


class TestDoubt:
    @pytest.mark.parametrize(("shape", "code", "meant"), DOUBTFUL)
    def test_is_a_warning_at_the_input_with_the_likely_shape(
        self, found: Found, shape: list[int], code: str, meant: list[int]
    ) -> None:
        (problem,) = found(NET.format(shape=shape, keys=LAYER))
        assert (problem.code, problem.severity, problem.line) == (code, "warning", 2)
        assert problem.excerpt[problem.column - 1 :] == str(shape)
        assert shape_in(problem.help) == meant

    @pytest.mark.parametrize("shape", PLAIN, ids=str)
    def test_is_cast_on_no_other_input(self, found: Found, shape: list[int]) -> None:
        assert found(NET.format(shape=shape, keys=LAYER)) == ()

    @pytest.mark.parametrize("framework", ["pytorch", "tensorflow", "jax", "onnx", "caffe"])
    def test_is_the_same_in_every_framework(self, found: Found, framework: str) -> None:
        text = NET.format(shape=[224, 224, 3], keys=LAYER).replace("keras", framework)
        assert [one.code for one in found(text)] == ["W001"]

    def test_is_cast_on_each_of_several_inputs(self, found: Found) -> None:
        inputs = "{a: [64, 64, 3], b: [3, 64, 64], c: [1, 3, 64, 64]}"
        problems = found(NET.format(shape=inputs, keys=LAYER))
        assert [one.code for one in problems] == ["W001", "W002"]
        assert [inputs[one.column - 8 :][: one.width] for one in problems] == [
            "[64, 64, 3]",
            "[1, 3, 64, 64]",
        ]

    def test_stands_beside_the_errors_that_it_explains(self, found: Found) -> None:
        problems = found(NET.format(shape=[64, 64, 3], keys=f"{LAYER}, in_channels: 3"))
        assert [one.code for one in problems] == ["W001", "E114"]


class TestRemedies:
    @pytest.mark.parametrize(("shape", "code", "meant"), DOUBTFUL)
    def test_the_shape_that_is_named_is_not_doubted(
        self, found: Found, shape: list[int], code: str, meant: list[int]
    ) -> None:
        (problem,) = found(NET.format(shape=shape, keys=LAYER))
        assert found(NET.format(shape=shape_in(problem.help), keys=LAYER)) == (), (code, meant)

    @pytest.mark.parametrize(("shape", "code", "meant"), DOUBTFUL)
    def test_in_channels_settles_that_the_shape_is_meant(
        self, found: Found, shape: list[int], code: str, meant: list[int]
    ) -> None:
        (problem,) = found(NET.format(shape=shape, keys=LAYER))
        said = re.search(r"if not, add `(in_channels: \d+)` to conv1", problem.help)
        assert said, (code, meant)
        assert found(NET.format(shape=shape, keys=f"{LAYER}, {said[1]}")) == ()

    def test_in_channels_is_named_only_where_a_layer_takes_it(self, found: Found) -> None:
        (problem,) = found("input: [64, 64, 3]\nlayers: [{type: relu}]\n")
        assert "in_channels" not in problem.help


class TestLoad:
    def test_a_network_carries_its_warnings(self, spec: WriteSpec) -> None:
        network = load_spec(spec(NET.format(shape=[64, 64, 3], keys=LAYER)))
        assert [one.code for one in network.warnings] == ["W001"]
        assert network.output == (2, 64, 3)

    def test_an_error_is_of_the_first_error_and_holds_all(self, spec: WriteSpec) -> None:
        path = spec(NET.format(shape=[64, 64, 3], keys=f"{LAYER}, in_channels: 3"))
        with pytest.raises(SpecError) as caught:
            load_spec(path)
        assert caught.value.code == "E114"
        assert "more" not in str(caught.value)
        assert [one.code for one in caught.value.diagnostics] == ["W001", "E114"]

    def test_what_takes_an_input_s_place_is_doubted_instead(self, spec: WriteSpec) -> None:
        path = spec(NET.format(shape=[64, 64, 3], keys=LAYER))
        assert load_spec(path, input={"": (3, 64, 64)}).warnings == ()
        (warning,) = load_spec(path, input={"input": (32, 32, 1)}).warnings
        assert "--input input=1,32,32;" in warning.help


class TestRank:
    @pytest.mark.parametrize(
        ("own", "given", "remedy"),
        [
            ([3, 224, 224], (224, 320), (3, 224, 320)),
            ([3, 224, 224], (1, 3, 96, 96), (3, 96, 96)),
            ([3, 224, 224], (2, 3, 96, 96), (3, 224, 224)),
            ([3, 8, 8, 8], (3, 9), (3, 8, 8, 8)),
            ([3, 64], (1, 3, 96), (3, 96)),
        ],
    )
    @pytest.mark.parametrize("name", ["", "input"])
    def test_another_is_refused_and_the_remedy_taken(
        self,
        spec: WriteSpec,
        own: list[int],
        given: tuple[int, ...],
        remedy: tuple[int, ...],
        name: str,
    ) -> None:
        path = spec(NET.format(shape=own, keys=LAYER))
        with pytest.raises(RequestError, match="number of axes") as caught:
            load_spec(path, input={name: given})
        named = f"{name}=" if name else ""
        said = f"--input {named}{','.join(map(str, remedy))}"
        assert caught.value.help.endswith(said)
        assert load_spec(path, input={name: remedy}).inputs == (("input", remedy),)

    def test_any_stands_in_for_an_input_that_is_not_written(self, spec: WriteSpec) -> None:
        path = spec("layers: [{type: relu}]")
        assert load_spec(path, input={"": (2, 3, 4, 5)}).output == (2, 3, 4, 5)
