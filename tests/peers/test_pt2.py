"""What is kept of the networks that PyTorch exports is what it says, and exports, today."""

from __future__ import annotations

import numpy as np
import pytest

from convt_cli.models.load import load_spec
from tests.models.pt2.records import (
    PATH,
    assert_has_pytorchs_shapes,
    assert_has_pytorchs_weights,
    assert_is_its_import,
    gives_pytorchs_values,
    saved,
)
from tests.models.pt2.test_pytorch import REFUSED
from tests.records import Record, read

torch = pytest.importorskip("torch")

from tests.peers.exporting import names, record_of  # noqa: E402  # it needs torch

pytestmark = [
    pytest.mark.peers,
    pytest.mark.filterwarnings("ignore"),  # PyTorch's words about its own export
    pytest.mark.usefixtures("folder"),
]

RECORDS = {record["name"]: record for record in read(PATH)}


def facts(record: Record) -> Record:
    """All that is exact, but for the file, where every version of PyTorch may write other texts."""
    return {k: v for k, v in record.items() if k not in ("texts", "arrays", "values")}


def test_every_network_is_recorded() -> None:
    assert list(RECORDS) == names()


@pytest.mark.parametrize("name", names())
def test_the_record_is_what_pytorch_says(name: str) -> None:
    """And what this PyTorch exports is held to the same laws."""
    record, kept = record_of(name), RECORDS[name]
    assert facts(record) == facts(kept)
    np.testing.assert_allclose(
        record.get("values", []), kept.get("values", []), rtol=1e-6, atol=1e-9
    )
    if name not in REFUSED:
        path = saved(record)
        network = load_spec(path)
        assert_has_pytorchs_shapes(record, network)
        assert_has_pytorchs_weights(record, network)
        gives_pytorchs_values(record, path)
        assert_is_its_import(path)
