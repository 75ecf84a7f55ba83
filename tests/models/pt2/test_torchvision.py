"""Whole networks of torchvision, as PyTorch 2.13 exports them: shapes, parameters and outputs.

The files are recorded without their numbers, which are drawn by a rule that needs no library.
`tests/peers/test_truth.py` holds every layer of these and of larger ones to PyTorch itself.
"""

from __future__ import annotations

import numpy as np
import pytest

from convt_cli import load_spec
from tests.models.pt2.records import TORCHVISION, example_of, filled_up, sampled
from tests.records import Record, read

_FAST = ("mobilenet_v3_small", "lraspp_mobilenet_v3_large")
"""Networks that run in about a second, and have most of the operators of the others."""


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    "record",
    [
        pytest.param(one, id=one["name"], marks=() if one["name"] in _FAST else pytest.mark.slow)
        for one in read(TORCHVISION)
    ],
)
def test_a_network_gives_what_pytorch_gives(record: Record) -> None:
    network = load_spec(filled_up(record))
    assert (network.warnings, network.output) == ((), tuple(record["output"][1:]))
    assert sum(layer.geometry.parameters for layer in network.layers) == record["parameters"]
    x = example_of(tuple(record["input"]))
    (output,) = network.run(x, layers=network.outputs[:1]).values()
    largest = max(map(abs, record["values"]))
    np.testing.assert_allclose(sampled(output), record["values"], rtol=1e-7, atol=1e-9 * largest)
