"""convt stimulus: a row of C, or its signs, and the response that it reaches."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.conftest import GUIDE, Run, WriteSpec, assert_refused

STACK = """
    input: [1, 3]
    layers:
      - {name: a, type: conv, out_channels: 1, kernel_size: 2, weight: [[[3, -4]]]}
      - {name: b, type: conv, out_channels: 1, kernel_size: 2, weight: [[[1, 2]]]}
      - {name: r, type: relu}
      - {name: c, type: conv, out_channels: 2, kernel_size: 1, weight: [[[1]], [[-2]]]}
    """


@pytest.fixture
def stack(spec: WriteSpec) -> str:
    np.save("x.npy", np.array([[0, 0, -1]]))
    return spec(STACK)


def made(run: Run, *arguments: str) -> list[float]:
    """The x that is written, with one channel or several, as a list."""
    outcome = run("stimulus", *arguments, "-o", "y.npy", "--force")
    assert (outcome.status, outcome.err) == (0, "")
    values: list[float] = np.load("y.npy").ravel().tolist()
    return values


def test_it_is_the_row_of_c_over_its_length(run: Run, stack: str) -> None:
    assert made(run, stack, "--layer", "a", "--unit", "0,1") == [0, 0.6, -0.8]


def test_in_the_max_norm_it_is_the_row_s_signs(run: Run, stack: str) -> None:
    assert made(run, stack, "--layer", "a", "--unit", "0,0", "--norm", "inf") == [1, -1, 0]


def test_it_is_an_input_of_the_layer_itself(run: Run, stack: str) -> None:
    assert made(run, stack, "--layer", "b", "--unit", "0,0", "--norm", "inf") == [1, 1]


def test_or_of_the_network_through_linear_layers(run: Run, stack: str) -> None:
    arguments = ("--layer", "b", "--unit", "0,0", "--norm", "inf", "--through")
    assert made(run, stack, *arguments) == [1, 1, -1]


def test_or_of_the_network_at_an_image(run: Run, stack: str) -> None:
    arguments = ("--layer", "c", "--unit", "1,0", "--norm", "inf", "--at", "x.npy")
    assert made(run, stack, *arguments) == [-1, -1, 1]
    np.save("x.npy", np.array([[0, 0, 1]]))
    assert made(run, stack, *arguments) == [0, 0, 0]


def test_the_table_says_what_it_reaches(run: Run, stack: str) -> None:
    outcome = run("stimulus", stack, "--layer", "b", "--unit", "0,0", "--through")
    assert outcome.out.splitlines() == [
        "what excites b most at 0,0",
        "",
        "in place of  input  reads  norm  response  random share",
        "───────────────────────────────────────────────────────",
        "input        1×3        3  2        8.775        0.5774",
    ]


def test_text_leaves_out_a_single_channel(run: Run, spec: WriteSpec) -> None:
    arguments = ("--layer", "conv1", "--unit", "0,0,1", "--norm", "inf", "-o", "x.csv")
    assert run("stimulus", spec(GUIDE), *arguments).status == 0
    row = "0.0,1.0,1.0,1.0"
    expected = [row, row, row, "0.0,0.0,0.0,0.0"]
    assert Path("x.csv").read_text(encoding="utf-8").splitlines() == expected


def test_a_stream_is_the_array_alone(run: Run, stack: str) -> None:
    outcome = run("stimulus", stack, "--layer", "a", "--unit", "0,0", "-o", "-")
    assert (outcome.status, outcome.err) == (0, "")
    assert outcome.stdout.startswith(b"\x93NUMPY")
    assert b"excites" not in outcome.stdout


def test_a_layer_without_a_weight_is_told(run: Run, spec: WriteSpec) -> None:
    name = spec("input: [1, 4]\nlayers: [{type: conv, out_channels: 1, kernel_size: 1}]")
    outcome = run("stimulus", name, "--layer", "conv1", "--unit", "0,0")
    assert outcome.err == "note: conv1: no weight; using fill normal, seed 0\n"


@pytest.mark.parametrize(
    ("more", "code"),
    [
        (("--layer", "d", "--unit", "0,0"), "E502"),
        (("--layer", "a", "--unit", "0,2"), "E503"),
        (("--layer", "a", "--unit", "0"), "E503"),
        (("--layer", "r", "--unit", "0,0"), "E507"),
        (("--layer", "c", "--unit", "0,0", "--through"), "E507"),
        (("--layer", "c", "--unit", "0,0", "--at", "none.npy"), "E401"),
        (("--layer", "a", "--unit", "0,0", "-o", "x.npy"), "E403"),
    ],
)
def test_what_cannot_be_done_is_refused(
    run: Run, stack: str, more: tuple[str, ...], code: str
) -> None:
    before = Path("x.npy").read_bytes()
    assert_refused(run("stimulus", stack, *more), code)
    assert Path("x.npy").read_bytes() == before


def test_a_nonlinear_layer_in_between_is_named_with_a_way_out(run: Run, stack: str) -> None:
    outcome = run("stimulus", stack, "--layer", "c", "--unit", "0,0", "--through")
    assert "known through linear layers alone: r is relu" in outcome.err
    assert "--at" in outcome.err


def test_standard_input_twice_is_refused(run: Run) -> None:
    outcome = run("stimulus", "-", "--layer", "a", "--unit", "0,0", "--at", "-")
    assert outcome.status == 2
    assert "SPEC or IMAGE, not both" in outcome.err
