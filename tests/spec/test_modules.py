"""Calls of modules as PyTorch evaluates them: shapes, parameters, and what it refuses.

`tests/peers/test_expression.py` asks PyTorch anew.
"""

from __future__ import annotations

import pytest

from convt_cli.errors import ConvtError
from convt_cli.spec.load import load_spec
from tests.peers.expressions import PATH
from tests.records import Record, read
from tests.rows import assert_each

pytestmark = pytest.mark.usefixtures("folder")

RECORDS = read(PATH)
LEGAL = [record for record in RECORDS if record["result"] is not None]
ILLEGAL = [record for record in RECORDS if record["result"] is None]


def name_of(record: Record) -> str:
    return f"{record['call']} on {record['source']}"


def test_a_call_has_pytorchs_shape_and_parameters() -> None:
    def check(record: Record) -> None:
        network = load_spec(record["call"], input={"": tuple(record["source"])})
        parameters = sum(one.geometry.parameters for one in network.layers)
        assert [list(network.output), parameters] == record["result"]

    assert_each(LEGAL, check, name_of)


def test_what_pytorch_refuses_is_refused() -> None:
    def check(record: Record) -> None:
        with pytest.raises(ConvtError):
            load_spec(record["call"], input={"": tuple(record["source"])})

    assert_each(ILLEGAL, check, name_of)


def test_calls_after_one_another_are_one_network() -> None:
    """A call reads what the one before it gives."""
    first, second = "nn.Conv2d(2, 6, 3, stride=2)", "nn.Sequential(nn.ReLU(), nn.Flatten(2))"
    network = load_spec(f"{first}; {second}", input={"": (2, 9, 7)})
    assert [layer.output for layer in network.layers] == [(6, 4, 3), (6, 4, 3), (6, 12)]
