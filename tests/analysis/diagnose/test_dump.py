"""Whole networks: each layer is judged on what is known of it, and the rest is counted."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from convt_cli import Network, diagnose_dump, load_spec
from convt_cli.errors import RequestError
from tests.analysis.diagnose.layers import BIAS, WEIGHT, X, conv
from tests.conftest import WriteSpec

TEXT = """
    input: [4, 7, 7]
    layers:
      - {name: c1, type: conv, out_channels: 6, kernel_size: 3, padding: 1,
         weight: w.npz#weight, bias: w.npz#bias}
      - {name: r1, type: relu}
      - {name: t1, type: tanh}
      - {name: p1, type: max_pool, kernel_size: 7}
      - {name: f1, type: flatten}
    """


@pytest.fixture
def network(spec: WriteSpec) -> Network:
    np.savez("w.npz", weight=WEIGHT, bias=BIAS)
    return load_spec(spec(TEXT))


def run() -> dict[str, Any]:
    """What a right run keeps, computed by hand."""
    c1 = conv()
    r1 = np.maximum(c1, 0)
    t1 = np.tanh(r1)
    p1 = t1.max((1, 2), keepdims=True)
    return {"input": X, "c1": c1, "r1": r1, "t1": t1, "p1": p1, "f1": p1.ravel()}


def verdicts(network: Network, arrays: dict[str, Any]) -> dict[str, str]:
    return {one.layer.name: one.verdict for one in diagnose_dump(network, arrays).judged}


def test_every_layer_is_judged_by_itself(network: Network) -> None:
    arrays = run()
    arrays["r1"] = arrays["c1"]  # what stands behind is right for its own source
    arrays["t1"] = np.tanh(arrays["c1"].astype(np.float64))
    found = verdicts(network, arrays)
    assert found["c1"] == "equal"
    assert found["r1"] == "different"
    assert found["t1"] == "equal"
    first = diagnose_dump(network, arrays).first
    assert first is not None
    assert first.layer.name == "r1"


def test_what_is_missing_is_counted_with_the_reason(network: Network) -> None:
    arrays = run()
    del arrays["r1"]
    found = diagnose_dump(network, arrays)
    assert dict(found.not_judged) == {
        "r1": "r1 is not in the dump",
        "t1": "r1 is not in the dump",
    }
    assert [one.layer.name for one in found.judged] == ["c1", "p1", "f1"]
    assert found.first is None


def test_a_layer_without_a_proved_bound_is_not_judged_unless_equal(network: Network) -> None:
    arrays = run()
    arrays["t1"] = arrays["t1"] + np.float32(0.25)
    found = diagnose_dump(network, arrays)
    assert "not equal bit for bit" in found.not_judged["t1"]


def test_an_array_that_no_layer_can_read_is_told_of(network: Network) -> None:
    arrays = run() | {"input": X[:, :3]}
    assert "with or without a batch axis" in diagnose_dump(network, arrays).not_judged["c1"]


def test_a_dump_without_any_pair_is_refused(network: Network) -> None:
    with pytest.raises(RequestError, match="c1: input, c1 is not in the dump") as caught:
        diagnose_dump(network, {"p1": run()["p1"], "other": X})
    assert caught.value.code == "E503"
    with pytest.raises(RequestError, match="the dump has none of its names"):
        diagnose_dump(network, {})
