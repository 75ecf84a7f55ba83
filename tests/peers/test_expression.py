"""Expressions against PyTorch, which evaluates them: chains of calls, and the recorded calls."""

from __future__ import annotations

import random

import pytest

from convt_cli.errors import ConvtError
from convt_cli.spec.load import load_spec
from tests.peers.expressions import PATH, drawn, of_torch
from tests.records import Record, read
from tests.rows import assert_each

torch = pytest.importorskip("torch")

pytestmark = [
    pytest.mark.peers,
    pytest.mark.filterwarnings("ignore"),
    pytest.mark.usefixtures("folder"),
]


@pytest.mark.parametrize("part", range(10))
def test_the_record_is_what_pytorch_says(part: int) -> None:
    def check(record: Record) -> None:
        assert of_torch(record["call"], record["source"]) == record["result"]

    assert_each(read(PATH)[part::10], check)


@pytest.mark.parametrize("seed", range(400))
def test_a_chain_has_pytorchs_shapes_and_parameters(seed: int) -> None:
    draw = random.Random(seed)
    rank = draw.choice([1, 2, 2, 3])
    first = [draw.choice([1, 2, 4]), *(draw.randint(4, 12) for _ in range(rank))]
    shape, calls, parameters = first, [], 0
    for _ in range(6):
        if not 2 <= len(shape) <= 4:
            break
        call = drawn(draw, len(shape) - 1, shape)
        expected = of_torch(call, shape)
        if expected is None:
            assert_refused_too(call, shape)
            continue
        calls.append(call)
        parameters += expected[1]
        shape = expected[0]
    if not calls:
        return
    network = load_spec("; ".join(calls), input={"": tuple(first)})
    assert list(network.output) == shape, calls
    assert sum(one.geometry.parameters for one in network.layers) == parameters, calls


def assert_refused_too(call: str, shape: list[int]) -> None:
    """convt refuses what PyTorch refuses."""
    try:
        network = load_spec(call, input={"": tuple(shape)})
    except ConvtError:
        return
    pytest.fail(f"{call} on {shape} gives {network.output}")
