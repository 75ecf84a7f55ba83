"""convt invert: numpy's shortest solution of the exported matrix, in the form of the array."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.sparse import load_npz

from tests.conftest import GUIDE, Outcome, Run, WriteSpec, assert_refused

UP = """
    input: [2, 4, 3]
    layers:
      - {name: up, type: conv_transpose, out_channels: 3, kernel_size: 3, stride: 2,
         weight: {fill: normal, seed: 3}, bias: [1, 2, 3]}
    """


def normal(*shape: int) -> NDArray[Any]:
    return np.random.default_rng(0).standard_normal(shape)


def solved(run: Run, y: NDArray[Any], *options: str) -> NDArray[Any]:
    """The x that convt writes for an array."""
    np.save("y.npy", y)
    outcome = run("invert", "net.yaml", "y.npy", "-o", "x.npy", "--force", *options)
    assert (outcome.status, outcome.err) == (0, "")
    found: NDArray[Any] = np.load("x.npy")
    return found


def action(run: Run) -> NDArray[Any]:
    """The dense Cᵀ of the layer."""
    assert run("matrix", "net.yaml", "--transpose", "-o", "A.npz", "--force").status == 0
    dense: NDArray[Any] = load_npz("A.npz").toarray()
    return dense


class TestTheArray:
    def test_is_the_shortest_solution(self, run: Run, spec: WriteSpec) -> None:
        spec(UP)
        y = normal(3, 9, 7)
        expected = np.linalg.lstsq(action(run), y.ravel(), rcond=None)[0]
        np.testing.assert_allclose(solved(run, y), expected.reshape(2, 4, 3), atol=1e-8)

    def test_the_bias_comes_off_first(self, run: Run, spec: WriteSpec) -> None:
        spec(UP)
        x = normal(2, 4, 3)
        np.save("x0.npy", x)
        assert run("apply", "net.yaml", "x0.npy", "--bias", "-o", "y0.npy").status == 0
        np.testing.assert_allclose(solved(run, np.load("y0.npy"), "--bias"), x, atol=1e-8)

    def test_comes_in_the_form_of_the_source(self, run: Run, spec: WriteSpec) -> None:
        spec(UP)
        y = normal(2, 3, 9, 7)
        both = solved(run, y)
        assert both.shape == (2, 2, 4, 3)
        np.testing.assert_array_equal(solved(run, y[1]), both[1])
        np.testing.assert_array_equal(solved(run, y[1].ravel()), both[1].ravel())
        last = solved(run, np.moveaxis(y, 1, -1), "--layout", "channels_last")
        np.testing.assert_array_equal(last, np.moveaxis(both, 1, -1))

    @pytest.mark.parametrize(
        ("given", "options", "dtype"),
        [
            ("float64", (), "float64"),
            ("int16", (), "float64"),
            ("float64", ("--dtype", "float32"), "float32"),
            (">f8", (), "float64"),
        ],
    )
    def test_has_the_dtype_asked_for(
        self, run: Run, spec: WriteSpec, given: str, options: tuple[str, ...], dtype: str
    ) -> None:
        spec(UP)
        assert solved(run, (9 * normal(3, 9, 7)).astype(given), *options).dtype == dtype

    def test_can_be_streamed(self, run: Run, spec: WriteSpec) -> None:
        spec(UP)
        expected = solved(run, normal(3, 9, 7))
        stdin = Path("y.npy").read_bytes()
        outcome = run("invert", "net.yaml", "-", "-o", "-", stdin=stdin)
        assert outcome.stdout == Path("x.npy").read_bytes()
        assert "The solver converged." in outcome.err
        assert expected.shape == (2, 4, 3)


class TestTheTable:
    @staticmethod
    def table(run: Run, *options: str) -> Outcome:
        np.save("y.npy", normal(1, 2, 2))
        return run("invert", "net.yaml", "y.npy", "-o", "x.npy", *options)

    def test_text(self, run: Run, spec: WriteSpec) -> None:
        spec(GUIDE)
        outcome = self.table(run)
        assert (outcome.status, outcome.err) == (0, "")
        assert "x with A x = y, where A is C of conv1 (net)" in outcome.out
        assert "Many x give this y (A has more columns (16) than rows (4))" in outcome.out

    def test_json(self, run: Run, spec: WriteSpec) -> None:
        spec(GUIDE)
        document = self.table(run, "--format", "json", "--damping", "0.5").document
        assert (document["version"], document["layer"], document["action"]) == (1, "conv1", "C")
        assert (document["damping"], document["output"]) == (0.5, "x.npy")
        (item,) = document["items"]
        assert item["converged"] is True
        assert [one["name"] for one in item["candidates"]] == ["x", "Aᵀy", "alpha Aᵀy"]

    def test_says_when_the_solver_was_cut_short(self, run: Run, spec: WriteSpec) -> None:
        spec(GUIDE)
        out = self.table(run, "--max-iterations", "1").out
        assert "The solver did not converge: raise --max-iterations" in out


class TestRefusals:
    @pytest.mark.parametrize(
        ("y", "code"),
        [
            (np.full((1, 2, 2), np.nan), "E302"),
            (np.ones((1, 2, 2), complex), "E302"),
            (np.ones((1, 2, 2), bool), "E302"),
            (np.ones((1, 2, 3)), "E301"),
        ],
        ids=["nan", "complex", "bool", "shape"],
    )
    def test_an_array_that_cannot_be_used(
        self, run: Run, spec: WriteSpec, y: NDArray[Any], code: str
    ) -> None:
        spec(GUIDE)
        np.save("y.npy", y)
        assert_refused(run("invert", "net.yaml", "y.npy", "-o", "x.npy"), code)
        assert not Path("x.npy").exists()

    def test_an_unknown_layer(self, run: Run, spec: WriteSpec) -> None:
        arguments = ("y.npy", "--layer", "none", "-o", "x.npy")
        assert_refused(run("invert", spec(GUIDE), *arguments), "E502")

    def test_a_file_that_is_there(self, run: Run, spec: WriteSpec) -> None:
        Path("x.npy").write_bytes(b"kept")
        assert_refused(run("invert", spec(GUIDE), "y.npy", "-o", "x.npy"), "E403")
        assert Path("x.npy").read_bytes() == b"kept"

    @pytest.mark.parametrize(
        ("options", "reason"),
        [
            (("--damping", "-1"), "--damping"),
            (("--damping", "nan"), "--damping"),
            (("--tolerance", "2"), "--tolerance"),
            (("--tolerance", "x"), "--tolerance"),
            (("--tolerance", "nan"), "--tolerance"),
            (("--max-iterations", "0"), "--max-iterations"),
            (("--dtype", "complex64"), "--dtype"),
            (("-o", "-", "--format", "json"), "--format"),
        ],
    )
    def test_options_out_of_their_range(
        self, run: Run, spec: WriteSpec, options: tuple[str, ...], reason: str
    ) -> None:
        outcome = run("invert", spec(GUIDE), "y.npy", "-o", "x.npy", *options)
        assert (outcome.status, outcome.out) == (2, "")
        assert reason in outcome.err

    def test_both_from_standard_input(self, run: Run) -> None:
        assert "not both" in run("invert", "-", "-", "-o", "x.npy").err
