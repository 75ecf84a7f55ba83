"""convt reconstruct: `apply` for one convolution, what it prints and what it refuses."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from convt_cli.arithmetic.vocabulary import RULES
from tests.conftest import GUIDE, Run, WriteSpec, assert_quiet, assert_refused

STACK = """
    input: [1, 4, 4]
    layers:
      - {name: c, type: conv, out_channels: 2, kernel_size: 1, weight: w.npy}
      - {name: p, type: max_pool, kernel_size: 2}
      - {name: s, type: sigmoid}
    """


@pytest.fixture
def stack(spec: WriteSpec) -> str:
    np.save("w.npy", np.array([[[[1.0]]], [[[-1.0]]]]))
    np.save("x.npy", np.arange(16.0).reshape(1, 4, 4))
    return spec(STACK)


class TestOutput:
    @pytest.mark.parametrize("rule", RULES)
    def test_one_convolution_is_apply(self, run: Run, spec: WriteSpec, rule: str) -> None:
        name = spec(GUIDE)
        np.save("x.npy", np.arange(16.0).reshape(1, 4, 4))
        assert_quiet(run("apply", name, "x.npy", "--forward", "--bias", "-o", "y.npy"))
        assert_quiet(run("apply", name, "y.npy", "-o", "back.npy"))
        arguments = ("--layer", "conv1", "--rule", rule, "-o", "picture.npy")
        assert run("reconstruct", name, "x.npy", *arguments).status == 0
        assert np.array_equal(np.load("picture.npy"), np.load("back.npy"))

    def test_the_table_says_what_was_kept(self, run: Run, stack: str) -> None:
        outcome = run("reconstruct", stack, "x.npy", "--layer", "p", "--top", "2", "-o", "y.npy")
        assert outcome.out.splitlines() == [
            "p by deconvnet",
            "",
            "picture  image  channel  position  activation",
            "─────────────────────────────────────────────",
            "      0      0        0  1,1               15",
            "      1      0        1  0,0                0",
        ]
        expected = np.zeros((2, 1, 4, 4))
        expected[0, 0, 3, 3] = 15
        assert np.array_equal(np.load("y.npy"), expected)

    def test_a_unit_is_kept_alone(self, run: Run, stack: str) -> None:
        outcome = run(
            "reconstruct", stack, "x.npy", "--layer", "p", "--unit", "1,1,0", "-o", "y.npy"
        )
        assert (outcome.status, outcome.err) == (0, "")
        assert np.argwhere(np.load("y.npy")).tolist() == [[0, 2, 0]]

    def test_json_has_every_digit(self, run: Run, stack: str) -> None:
        outcome = run(
            "reconstruct", stack, "x.npy", "--layer", "c", "--channel", "0", "--format", "json"
        )
        assert outcome.document == {
            "version": 1,
            "spec": "net.yaml",
            "layer": "c",
            "rule": "deconvnet",
            "pictures": [{"image": 0, "channel": 0, "position": None, "activation": 15.0}],
            "notes": [],
        }

    @pytest.mark.parametrize(
        ("more", "shape"),
        [
            (("--channel", "0"), (3, 1, 4, 4)),
            (("--channel", "0", "--top", "2"), (2, 1, 4, 4)),
            (("--top", "1"), (2, 1, 4, 4)),
        ],
    )
    def test_a_batch_gives_a_batch(
        self, run: Run, stack: str, more: tuple[str, ...], shape: tuple[int, ...]
    ) -> None:
        np.save("all.npy", np.random.default_rng(0).standard_normal((3, 1, 4, 4)))
        arguments = ("--layer", "p", "--batch", "-o", "y.npy", *more)
        assert run("reconstruct", stack, "all.npy", *arguments).status == 0
        assert np.load("y.npy").shape == shape

    def test_text_goes_in_and_out(self, run: Run, stack: str) -> None:
        Path("x.csv").write_text("0,1,2,3\n" * 4, encoding="utf-8")
        assert run("reconstruct", stack, "x.csv", "--layer", "p", "-o", "y.csv").status == 0
        text = Path("y.csv").read_text(encoding="utf-8")
        assert text == "0.0,1.0,2.0,3.0\n0.0,0.0,0.0,0.0\n" * 2

    def test_a_stream_is_the_array_alone(self, run: Run, stack: str) -> None:
        data = Path("x.npy").read_bytes()
        outcome = run("reconstruct", stack, "-", "--layer", "p", "-o", "-", stdin=data)
        assert (outcome.status, outcome.err) == (0, "")
        assert outcome.stdout.startswith(b"\x93NUMPY")
        assert b"picture" not in outcome.stdout

    def test_a_layer_without_a_weight_is_told(self, run: Run, spec: WriteSpec) -> None:
        name = spec("input: [1, 4]\nlayers: [{type: conv, out_channels: 1, kernel_size: 1}]")
        np.save("x.npy", np.ones((1, 4)))
        outcome = run("reconstruct", name, "x.npy", "--layer", "conv1")
        assert outcome.err == "note: conv1: no weight; using fill normal, seed 0\n"

    def test_twice_the_same_gives_the_same_bytes(self, run: Run, stack: str) -> None:
        for name in ("1.npy", "2.npy"):
            assert run("reconstruct", stack, "x.npy", "--layer", "p", "-o", name).status == 0
        assert Path("1.npy").read_bytes() == Path("2.npy").read_bytes()


class TestSheet:
    def size(self, name: str) -> tuple[int, int]:
        image = pytest.importorskip("PIL.Image")
        with image.open(name) as sheet:
            width, height = sheet.size
        return width, height

    def test_it_shows_the_image_and_the_pictures(self, run: Run, stack: str) -> None:
        pytest.importorskip("matplotlib")
        arguments = ("--layer", "p", "--top", "2", "--sheet", "s.png")
        assert run("reconstruct", stack, "x.npy", *arguments).status == 0
        width, height = self.size("s.png")
        assert width == pytest.approx((2 * 1.66 + 0.06) * 120, abs=2)
        assert height == pytest.approx((2 * 1.82 + 0.06) * 120, abs=2)

    def test_of_a_batch_it_shows_every_picture_s_own_image(self, run: Run, stack: str) -> None:
        pytest.importorskip("matplotlib")
        np.save("all.npy", np.random.default_rng(0).standard_normal((3, 1, 4, 4)))
        arguments = ("--layer", "p", "--batch", "--sheet", "s.png")
        assert run("reconstruct", stack, "all.npy", *arguments).status == 0
        width, height = self.size("s.png")
        assert width == pytest.approx((3 * 1.66 + 0.06) * 120, abs=2)
        assert height == pytest.approx((2 * 1.82 + 0.06) * 120, abs=2)

    def test_it_is_not_written_over_a_file(self, run: Run, stack: str) -> None:
        Path("s.png").write_bytes(b"mine")
        arguments = ("--layer", "p", "--sheet", "s.png", "-o", "y.npy")
        assert_refused(run("reconstruct", stack, "x.npy", *arguments), "E403")
        assert Path("s.png").read_bytes() == b"mine"
        assert not Path("y.npy").exists()


class TestRefused:
    @pytest.mark.parametrize(
        ("more", "code"),
        [
            (("--layer", "x"), "E502"),
            (("--layer", "p", "--channel", "2"), "E503"),
            (("--layer", "p", "--channel", "-1"), "E503"),
            (("--layer", "p", "--unit", "0,2,0"), "E503"),
            (("--layer", "p", "--unit", "0,0"), "E503"),
            (("--layer", "p", "--unit", "0,0,0", "--top", "2"), "E503"),
            (("--layer", "p", "--channel", "0", "--top", "2"), "E503"),
            (("--layer", "s"), "E507"),
            (("--layer", "p", "--input", "1,6,6"), "E301"),
            (("--layer", "p", "-o", "y.xyz"), "E401"),
        ],
    )
    def test_what_the_layer_does_not_have(
        self, run: Run, stack: str, more: tuple[str, ...], code: str
    ) -> None:
        assert_refused(run("reconstruct", stack, "x.npy", *more), code)

    def test_a_rule_says_which_layer_stops_it(self, run: Run, stack: str) -> None:
        outcome = run("reconstruct", stack, "x.npy", "--layer", "s")
        assert "the rule deconvnet has no way back through sigmoid: s stands on" in outcome.err
        assert "help: use gradient or guided" in outcome.err

    @pytest.mark.parametrize("value", [np.nan, -np.inf])
    def test_an_image_that_is_not_finite(self, run: Run, stack: str, value: float) -> None:
        np.save("x.npy", np.full((1, 4, 4), value))
        assert_refused(run("reconstruct", stack, "x.npy", "--layer", "p", "-o", "y.npy"), "E302")
        assert not Path("y.npy").exists()

    def test_a_batch_without_batch(self, run: Run, stack: str) -> None:
        np.save("x.npy", np.zeros((3, 1, 4, 4)))
        assert_refused(run("reconstruct", stack, "x.npy", "--layer", "p"), "E301")

    @pytest.mark.parametrize("unit", ["", "1,", "a", "1,2,3,4,5", "-1,0,0", "1.5"])
    def test_a_unit_that_is_none(self, run: Run, stack: str, unit: str) -> None:
        outcome = run("reconstruct", stack, "x.npy", "--layer", "p", "--unit", unit)
        assert (outcome.status, outcome.out) == (2, "")
        assert "is not channel,*position" in outcome.err

    def test_standard_input_twice(self, run: Run) -> None:
        outcome = run("reconstruct", "-", "-", "--layer", "p")
        assert outcome.status == 2
        assert "SPEC or IMAGE, not both" in outcome.err

    def test_an_output_that_is_there(self, run: Run, stack: str) -> None:
        Path("y.npy").write_bytes(b"mine")
        arguments = ("reconstruct", stack, "x.npy", "--layer", "p", "-o", "y.npy")
        assert_refused(run(*arguments), "E403")
        assert Path("y.npy").read_bytes() == b"mine"
        assert run(*arguments, "--force").status == 0

    @pytest.mark.parametrize(
        ("package", "arguments"),
        [("PIL", ("x.png",)), ("matplotlib", ("x.npy", "--sheet", "s.png"))],
    )
    def test_without_the_extra_it_says_what_to_install(
        self,
        run: Run,
        stack: str,
        monkeypatch: pytest.MonkeyPatch,
        package: str,
        arguments: tuple[str, ...],
    ) -> None:
        monkeypatch.setitem(sys.modules, package, None)
        outcome = run("reconstruct", stack, *arguments, "--layer", "p")
        assert_refused(outcome, "E504")
        assert "pip install 'convt-cli[plot]'" in outcome.err
