"""convt run: one layer as apply has it, forms of arrays, several inputs and outputs, refusals."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.conftest import GUIDE, Run, WriteSpec, assert_quiet, assert_refused
from tests.oracle import Array

NET = """
    input: [2, 6, 5]
    layers:
      - {name: first, type: conv, out_channels: 3, kernel_size: 3, weight: {fill: index},
         bias: [1, 2, 3]}
      - {name: second/act, type: relu}
    """
PAIR = """
    input: {a: [1, 3], b: [1, 3]}
    layers: [{name: sum, type: add, from: [a, b]}]
    """
X = np.random.default_rng(0).integers(-5, 6, (2, 2, 6, 5)).astype(np.float64)


@pytest.mark.parametrize("layer_type", ["conv", "conv_transpose"])
def test_one_convolution_is_what_apply_gives(
    run: Run, spec: WriteSpec, folder: Path, layer_type: str
) -> None:
    path = spec(GUIDE.replace("type: conv,", f"type: {layer_type}, stride: 1,"))
    np.save("x.npy", np.random.default_rng(1).standard_normal((3, 1, 4, 4)))
    forward = ["--forward"] if layer_type == "conv" else []
    assert_quiet(run("apply", path, "x.npy", *forward, "--bias", "-o", "a.npy"))
    assert_quiet(run("run", path, "x.npy", "-o", "r.npy"))
    assert Path("a.npy").read_bytes() == Path("r.npy").read_bytes()


def in_form(batch: Array, form: str) -> Array:
    """A batch, or its first image, as a file can hold it."""
    forms: dict[str, Array] = {
        "batch": batch,
        "channels_last": np.moveaxis(batch, 1, -1),
        "plain": batch[0],
        "flat": batch[0].ravel(),
    }
    return forms[form]


@pytest.mark.parametrize("form", ["plain", "batch", "flat", "channels_last"])
def test_an_array_comes_back_in_its_form(run: Run, spec: WriteSpec, form: str) -> None:
    path = spec(NET)
    np.save("batch.npy", X)
    np.save("x.npy", in_form(X, form))
    layout = ["--layout", "channels_last"] if form == "channels_last" else []
    assert_quiet(run("run", path, "batch.npy", "-o", "expected.npy"))
    assert_quiet(run("run", path, "x.npy", *layout, "-o", "y.npy"))
    np.testing.assert_array_equal(np.load("y.npy"), in_form(np.load("expected.npy"), form))


class TestSeveral:
    def test_inputs_are_in_an_npz_by_their_names(self, run: Run, spec: WriteSpec) -> None:
        path = spec(PAIR)
        np.savez("x.npz", b=np.array([[1.0, 2, 3]]), a=np.array([[10.0, 20, 30]]))
        assert_quiet(run("run", path, "x.npz", "-o", "y.npy"))
        assert np.load("y.npy").tolist() == [[11, 22, 33]]
        np.save("x.npy", np.ones((1, 3)))
        assert_refused(run("run", path, "x.npy", "-o", "z.npy"), "E401")
        np.savez("less.npz", a=np.ones((1, 3)))
        outcome = run("run", path, "less.npz", "-o", "z.npy")
        assert "its arrays are a\n= help: give it the arrays a, b;" in outcome.err
        assert (outcome.status, "b" in outcome.err) == (2, True)

    def test_outputs_are_in_an_npz_by_their_names(self, run: Run, spec: WriteSpec) -> None:
        path = spec(NET.replace("layers:", "outputs: [second/act, first]\n    layers:"))
        np.save("x.npy", X)
        assert_quiet(run("run", path, "x.npy", "-o", "y.npz"))
        with np.load("y.npz") as found:
            assert list(found) == ["second/act", "first"]
            np.testing.assert_array_equal(found["second/act"], np.maximum(found["first"], 0))
        assert_refused(run("run", path, "x.npy", "-o", "y.npy"), "E401")
        assert_quiet(run("run", path, "x.npy", "-o", "y.npy", "--layer", "first"))

    def test_all_layers_are_in_an_npz_by_their_names(self, run: Run, spec: WriteSpec) -> None:
        np.save("x.npy", X)
        assert_quiet(run("run", spec(NET), "x.npy", "--all", "-o", "all.npz"))
        with np.load("all.npz") as found:
            assert list(found) == ["first", "second/act"]
            np.testing.assert_array_equal(found["second/act"], np.maximum(found["first"], 0))

    @pytest.mark.parametrize("output", ["all.npy", "all.npz#key", "-"])
    def test_several_need_a_whole_npz(self, run: Run, spec: WriteSpec, output: str) -> None:
        np.save("x.npy", X)
        assert_refused(run("run", spec(NET), "x.npy", "--all", "-o", output), "E401")

    def test_names_that_are_none_in_an_archive_are_refused(self, run: Run, spec: WriteSpec) -> None:
        path = spec(NET.replace("second/act", "../act"))
        np.save("x.npy", X)
        assert_refused(run("run", path, "x.npy", "--all", "-o", "all.npz"), "E402")
        assert not Path("all.npz").exists()


class TestSaid:
    def test_a_filled_weight_is_noted(self, run: Run, spec: WriteSpec) -> None:
        np.save("x.npy", X)
        outcome = run(
            "run", spec(NET.replace("weight: {fill: index},", "")), "x.npy", "-o", "y.npy"
        )
        assert outcome.status == 0
        assert outcome.err.startswith("note: first: no weight; using fill normal")

    def test_an_unknown_layer_gets_a_suggestion(self, run: Run, spec: WriteSpec) -> None:
        np.save("x.npy", X)
        outcome = run("run", spec(NET), "x.npy", "--layer", "frist", "-o", "y.npy")
        assert_refused(outcome, "E502")
        assert "'first'" in outcome.err

    @pytest.mark.parametrize(
        "arguments",
        [("x.npy", "--all", "--layer", "first", "-o", "y.npz"), ("x.npy",)],
    )
    def test_what_is_not_understood(
        self, run: Run, spec: WriteSpec, arguments: tuple[str, ...]
    ) -> None:
        outcome = run("run", spec(NET), *arguments)
        assert (outcome.status, outcome.out) == (2, "")
        assert outcome.err.startswith("Usage: convt run")

    def test_two_standard_inputs_and_an_output_that_is_an_input(
        self, run: Run, spec: WriteSpec
    ) -> None:
        path = spec(NET)
        np.save("x.npy", X)
        assert "standard input can be SPEC or ARRAY" in run("run", "-", "-", "-o", "y.npy").err
        before = Path("x.npy").read_bytes()
        assert run("run", path, "x.npy", "-o", "x.npy", "--force").status == 2
        assert run("run", path, "x.npy", "-o", "x.npy").status == 2
        assert Path("x.npy").read_bytes() == before
