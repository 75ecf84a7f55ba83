"""The stimulus of a unit against rows of dense matrices, and against random inputs."""

from __future__ import annotations

from math import sqrt
from typing import Any

import numpy as np
import pytest

from convt_cli import stimulus
from convt_cli.arithmetic.network import Network
from convt_cli.arithmetic.vocabulary import NORMS, Norm
from convt_cli.errors import ConvtError
from convt_cli.spec.load import load_spec
from tests import oracle
from tests.conftest import WriteSpec
from tests.oracle import Array

TEXT = """
    input: [2, 6, 5]
    layers:
      - {name: c1, type: conv, out_channels: 3, kernel_size: 3, stride: 2, padding: 1,
         weight: w.npy, bias: [5, 5, 5]}
      - {name: t, type: conv_transpose, out_channels: 2, kernel_size: 2, weight: v.npy}
      - {name: r, type: relu}
      - {name: c2, type: conv, out_channels: 2, kernel_size: 2, weight: u.npy}
    """


@pytest.fixture
def network(spec: WriteSpec) -> Network:
    for seed, (name, shape) in enumerate(
        (("w", (3, 2, 3, 3)), ("v", (3, 2, 2, 2)), ("u", (2,) * 4))
    ):
        np.save(f"{name}.npy", np.random.default_rng(seed).integers(-5, 6, shape))
    return load_spec(spec(TEXT))


def dense() -> tuple[Array, Array, Array]:
    """The matrices of the own actions of c1, t and c2."""
    plain: dict[str, Any] = {
        "stride": (1, 1),
        "pads": [(0, 0)] * 2,
        "dilation": (1, 1),
        "groups": 1,
    }
    strided = {**plain, "stride": (2, 2), "pads": [(1, 1)] * 2}
    return (
        oracle.matrix(np.load("w.npy"), (6, 5), **strided),
        oracle.matrix(np.load("v.npy"), (4, 4), **plain).T,
        oracle.matrix(np.load("u.npy"), (4, 4), **plain),
    )


def row_of(matrix: Array, unit: tuple[int, ...], shape: tuple[int, ...]) -> Array:
    row: Array = matrix[np.ravel_multi_index(unit, shape)]
    return row


def assert_excites_most(row: Array, x: Array, norm: Norm, response: float) -> None:
    """x has norm 1, gives `response`, and no other x of norm 1 that is tried gives more."""
    length = np.abs(x).max() if norm == "inf" else np.linalg.norm(x.ravel())
    assert length == pytest.approx(1)
    assert row @ x.ravel() == pytest.approx(response)
    rng = np.random.default_rng(0)
    others = x.ravel() + rng.standard_normal((200, x.size)) * rng.choice([0.01, 1], (200, 1))
    others /= np.linalg.norm(others, np.inf if norm == "inf" else 2, axis=1, keepdims=True)
    assert (others @ row).max() <= response


@pytest.mark.parametrize("norm", NORMS)
class TestRows:
    def test_of_a_convolution_alone(self, network: Network, norm: Norm) -> None:
        found = stimulus(network, layer="c1", unit=(1, 0, 2), norm=norm)
        row = row_of(dense()[0], (1, 0, 2), (3, 3, 3))
        assert np.array_equal(found.row.ravel(), row)
        assert_excites_most(row, found.x, norm, found.response)
        assert (found.source, found.x.shape) == ("input", (2, 6, 5))

    def test_of_a_transposed_convolution_alone(self, network: Network, norm: Norm) -> None:
        found = stimulus(network, layer="t", unit=(1, 2, 3), norm=norm)
        row = row_of(dense()[1], (1, 2, 3), (2, 4, 4))
        assert np.array_equal(found.row.ravel(), row)
        assert_excites_most(row, found.x, norm, found.response)
        assert (found.source, found.x.shape) == ("c1", (3, 3, 3))

    def test_through_linear_layers(self, network: Network, norm: Norm) -> None:
        found = stimulus(network, layer="t", unit=(0, 1, 1), norm=norm, through=True)
        first, second, _ = dense()
        row = row_of(second @ first, (0, 1, 1), (2, 4, 4))
        assert np.array_equal(found.row.ravel(), row)
        assert_excites_most(row, found.x, norm, found.response)

    def test_at_an_image(self, network: Network, norm: Norm) -> None:
        image = np.random.default_rng(7).integers(-3, 4, (2, 6, 5))
        found = stimulus(network, layer="c2", unit=(1, 1, 2), norm=norm, at=image)
        first, second, third = dense()
        before = second @ (first @ image.ravel() + 5)
        assert 0 < (before > 0).sum() < before.size
        row = row_of(third @ np.diag(1.0 * (before > 0)) @ second @ first, (1, 1, 2), (2, 3, 3))
        assert np.array_equal(found.row.ravel(), row)
        assert_excites_most(row, found.x, norm, found.response)

    def test_random_inputs_reach_the_share_that_is_said(self, network: Network, norm: Norm) -> None:
        found = stimulus(network, layer="c1", unit=(2, 1, 1), norm=norm)
        rng = np.random.default_rng(0)
        inputs = rng.standard_normal((20_000, 60))
        if norm == "inf":
            inputs = np.sign(inputs)
        else:
            inputs /= np.linalg.norm(inputs, axis=1, keepdims=True)
        responses = inputs @ found.row.ravel()
        assert found.random_share is not None
        assert sqrt((responses**2).mean()) / found.response == pytest.approx(
            found.random_share, rel=0.02
        )

    def test_of_a_unit_that_reads_nothing_is_nothing(self, spec: WriteSpec, norm: Norm) -> None:
        text = "input: [1, 3]\nlayers: [{name: p, type: pad, padding: [[2, 0]]}]"
        found = stimulus(load_spec(spec(text)), layer="p", unit=(0, 0), norm=norm)
        assert (found.x.tolist(), found.response, found.random_share) == ([[0, 0, 0]], 0, None)


def test_a_row_of_large_numbers_has_a_unit_vector(spec: WriteSpec) -> None:
    text = "input: [2, 1]\nlayers: [{type: conv, out_channels: 1, kernel_size: 1, weight: w.npy}]"
    np.save("w.npy", np.array([[[3e30], [4e30]]], np.float32))
    found = stimulus(load_spec(spec(text)), layer="conv1", unit=(0, 0))
    assert found.x.ravel() == pytest.approx([0.6, 0.8])
    assert found.response == pytest.approx(5e30)


WRONG = [
    ({"unit": (3, 0, 0)}, "E503", "no such unit: got 3,0,0, the last one is 2,2,2"),
    ({"unit": (0, 0)}, "E503", "is 3 numbers, the channel first"),
    ({"layer": "x"}, "E502", "has no layer 'x'"),
    ({"layer": "c2", "through": True}, "E507", "linear layers alone: r is relu"),
    ({"layer": "r"}, "E507", "linear layers alone: r is relu"),
    ({"at": np.zeros((2, 6, 6))}, "E301", "an image must be (2, 6, 5)"),
    ({"at": np.full((2, 6, 5), np.nan)}, "E302", "finite"),
]


@pytest.mark.parametrize(("changes", "code", "message"), WRONG)
def test_what_cannot_be_done_is_refused(
    network: Network, changes: dict[str, Any], code: str, message: str
) -> None:
    arguments: dict[str, Any] = {"layer": "c1", "unit": (0, 0, 0), **changes}
    with pytest.raises(ConvtError) as caught:
        stimulus(network, **arguments)
    assert caught.value.code == code
    assert message in str(caught.value)
