"""convt diagnose: its document, its words, and its statuses, on files of every kind."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.analysis.diagnose.layers import CONV, WEIGHT, X, conv, network
from tests.conftest import Outcome, Run, WriteSpec, assert_refused

NET = f"""
    input: [4, 7, 7]
    layers:
      - {{name: one, {CONV}}}
      - {{name: two, type: relu}}
      - {{name: three, type: softmax}}
    """

ONE = ("diagnose", "net.yaml", "--layer", "one", "--x", "x.npy", "--y", "y.npy")
DUMP = ("diagnose", "net.yaml", "--dump", "d.npz")


@pytest.fixture
def diagnosed(run: Run, spec: WriteSpec) -> Any:
    """Runs the command on x and y, after the files are written."""
    network(spec, CONV)
    spec(NET)

    def diagnosed(y: Any, *options: str, x: Any = X) -> Outcome:
        np.save("x.npy", x)
        np.save("y.npy", y)
        return run(*ONE, *options)

    return diagnosed


class TestOneLayer:
    def test_its_document(self, diagnosed: Any) -> None:
        y = conv(weight=WEIGHT[:, :, ::-1, ::-1])[None]
        outcome = diagnosed(y, "--format", "json")
        document = outcome.document
        at = document["largest"]["at"]
        assert (outcome.status, outcome.err) == (1, "")
        assert document["version"] == 1
        assert (document["layer"], document["verdict"]) == ("one", "different")
        assert document["of"] == y.size
        assert document["differing"] == np.count_nonzero(y[0] != conv())
        assert document["shape"] == {"got": [1, 6, 7, 7], "expected": [1, 6, 7, 7]}
        assert document["largest"]["got"] == y[*at]
        assert document["largest"]["expected"] == conv()[*at[1:]]
        assert 0 < document["largest"]["bound"] < 0.01
        assert document["explanations"] == [
            {
                "change": "flip",
                "was": "correlation",
                "is": "convolution",
                "text": "the kernel is flipped",
                "framework": None,
            }
        ]

    def test_padding_is_told_by_its_pairs_and_the_option_for_them(self, diagnosed: Any) -> None:
        y = conv(pads=(0, 2))
        outcome = diagnosed(y, "--format", "json")
        (one,) = outcome.document["explanations"]
        assert (one["change"], one["was"]) == ("padding", [[1, 1], [1, 1]])
        assert one["is"] == [[0, 2], [0, 2]]
        text = diagnosed(y).out
        assert "--set 'one.padding=[[0, 2], [0, 2]]'" in text
        again = diagnosed(y, "--set", "one.padding=[[0, 2], [0, 2]]")
        assert (again.status, again.err) == (0, "")

    @pytest.mark.parametrize("value", [np.nan, np.inf])
    def test_what_is_not_finite_is_null(self, diagnosed: Any, value: float) -> None:
        y = conv()
        y[0, 0, 0] = value
        document = diagnosed(y, "--format", "json").document
        assert document["verdict"] == "different"
        assert document["largest"]["got"] is None
        assert document["differing"] == 1

    def test_equal_and_rounding_are_0(self, diagnosed: Any) -> None:
        assert diagnosed(conv()).status == 0
        y = conv() * (1 + np.float32(2**-20))
        outcome = diagnosed(y, "--accumulator", "tf32", "--format", "json")
        assert (outcome.status, outcome.document["verdict"]) == (0, "rounding")
        assert outcome.document["accumulator"] == "tf32"
        assert outcome.document["explanations"] == []

    def test_another_shape_is_a_finding(self, diagnosed: Any) -> None:
        outcome = diagnosed(np.zeros((6, 3, 3)), "--format", "json")
        assert (outcome.status, outcome.document["verdict"]) == (1, "different")
        assert outcome.document["shape"]["got"] == [6, 3, 3]
        assert "one has (6, 3, 3), expected is (1, 6, 7, 7)." in diagnosed(np.zeros((6, 3, 3))).out

    def test_files_of_every_kind_are_read(self, run: Run, spec: WriteSpec) -> None:
        spec("input: [1, 2]\nlayers: [{name: one, type: scale, weight: [3], bias: [1]}]")
        np.savez("a.npz", x=[[1, 2]], y=[[4.0, 7.0]])
        np.savetxt("x.csv", [[1, 2]], delimiter=",")
        np.savetxt("y.txt", [[4, 7]])
        for x, y in (("a.npz#x", "a.npz#y"), ("x.csv", "y.txt")):
            outcome = run("diagnose", "net.yaml", "--layer", "one", "--x", x, "--y", y)
            assert (outcome.status, outcome.err) == (0, ""), outcome.out

    def test_bfloat16_is_read(self, diagnosed: Any) -> None:
        bits = conv().astype(np.float32).view(np.uint32)
        short = ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).astype(np.uint16)
        outcome = diagnosed(short.view("V2"), "--format", "json")
        assert (outcome.status, outcome.document["verdict"]) == (0, "equal")

    def test_other_commands_still_refuse_bfloat16(self, run: Run, diagnosed: Any) -> None:
        diagnosed(X.astype(np.float16).view("V2"), x=X.astype(np.float16).view("V2"))
        forward = ("apply", "net.yaml", "x.npy", "--layer", "one", "--forward", "-o", "o.npy")
        for more in ((), ("--method", "matrix")):
            assert_refused(run(*forward, *more), "E302")

    def test_the_report_goes_to_a_file(self, diagnosed: Any) -> None:
        outcome = diagnosed(conv(), "--format", "json", "-o", "found.json")
        assert (outcome.status, outcome.out, outcome.err) == (0, "", "")


class TestDump:
    @pytest.fixture(autouse=True)
    def _files(self, spec: WriteSpec) -> None:
        network(spec, CONV)
        spec(NET)

    def test_its_document(self, run: Run) -> None:
        one = conv()
        np.savez("d.npz", input=X, one=one, two=one)
        outcome = run(*DUMP, "--format", "json")
        document = outcome.document
        assert (outcome.status, document["version"], document["first"]) == (1, 1, "two")
        found = [(layer["layer"], layer["verdict"]) for layer in document["layers"]]
        assert found == [("one", "equal"), ("two", "different")]
        assert document["not_judged"] == ["three"]
        assert list(document["reasons"]) == ["three"]

    def test_a_right_run_is_0(self, run: Run) -> None:
        np.savez("d.npz", input=X, one=conv(), two=np.maximum(conv(), 0))
        outcome = run(*DUMP)
        assert (outcome.status, outcome.err) == (0, "")
        assert "Judged, 2: 2 equal." in outcome.out
        assert "Not judged, 1: three." in outcome.out

    def test_arrays_that_belong_to_nothing_are_told_of(self, run: Run) -> None:
        np.savez("d.npz", input=X, one=conv(), other=X)
        outcome = run(*DUMP)
        assert outcome.status == 0
        assert "no layer or input is called other" in outcome.err

    def test_one_without_any_pair_is_refused(self, run: Run) -> None:
        np.savez("d.npz", other=X)
        assert "E503" in run(*DUMP).codes

    def test_it_has_to_be_an_archive(self, run: Run) -> None:
        np.save("d.npy", X)
        assert_refused(run("diagnose", "net.yaml", "--dump", "d.npy"), "E401")


class TestRequests:
    @pytest.mark.parametrize(
        "options",
        [
            (),
            ("--layer", "one"),
            ("--x", "x.npy", "--y", "y.npy"),
            ("--dump", "d.npz", "--layer", "one"),
            ("--layer", "one", "--x", "x.npy", "--y", "x.npy"),
            ("--layer", "one", "--x", "x.npy", "--y", "y.npy", "--accumulator", "float8"),
        ],
    )
    def test_one_that_makes_no_sense_is_refused(
        self, run: Run, spec: WriteSpec, options: tuple[str, ...]
    ) -> None:
        spec(NET)
        outcome = run("diagnose", "net.yaml", *options)
        assert (outcome.status, outcome.out) == (2, "")
        assert outcome.err.startswith("Usage: convt diagnose ")

    def test_a_layer_without_numbers_is_named(self, run: Run, spec: WriteSpec) -> None:
        spec("input: [4, 7, 7]\nlayers: [{name: one, type: conv, out_channels: 1, kernel_size: 1}]")
        np.save("x.npy", X)
        np.save("y.npy", X[:1])
        outcome = run(*ONE)
        assert_refused(outcome, "E507")
        assert "one is conv, without a weight" in outcome.err

    def test_an_unknown_layer_is_refused(self, run: Run, spec: WriteSpec) -> None:
        spec(NET)
        arguments = ("--layer", "ones", "--x", "x.npy", "--y", "y.npy")
        assert_refused(run("diagnose", "net.yaml", *arguments), "E502")
