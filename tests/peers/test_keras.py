"""What is kept of the networks that Keras saves is what it says, and saves, today."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
import pytest

from convt_cli.models.load import load_spec
from tests.models.keras.records import (
    PATH,
    assert_has_kerass_shapes,
    assert_has_kerass_values,
    saved,
)
from tests.records import read

pytest.importorskip("torch")
os.environ.setdefault("KERAS_BACKEND", "torch")
pytest.importorskip("keras")

from tests.peers.recording import MAJOR, names, record_of  # it needs Keras

pytestmark = [
    pytest.mark.peers,
    pytest.mark.filterwarnings("ignore"),  # Keras's words about its own formats
    pytest.mark.usefixtures("folder"),
]

RECORDS = {record["name"]: record for record in read(PATH)}


def test_every_network_is_recorded() -> None:
    own = [name for name in RECORDS if name.endswith(f"Keras {MAJOR}")]
    assert sorted(own) == sorted(f"{name}, Keras {MAJOR}" for name in names())


@pytest.mark.parametrize("name", names())
def test_the_record_is_what_keras_says(name: str) -> None:
    """And what this Keras saves is held to the same laws."""
    record = record_of(name)
    kept = RECORDS[record["name"]]
    for key in ("variables", "inputs", "outputs", "parameters", "not_trained"):
        assert record[key] == kept[key]
    assert record["layers"].keys() == kept["layers"].keys()
    for layer, (shape, values) in record["layers"].items():
        assert shape == kept["layers"][layer][0]
        _assert_close(values, kept["layers"][layer][1])
    for suffix in (".keras", ".h5"):
        network = load_spec(saved(record, f"net{suffix}"))
        assert_has_kerass_shapes(record, network)
        assert_has_kerass_values(record, network)


def _assert_close(values: Any, expected: Any) -> None:
    np.testing.assert_allclose(values, expected, rtol=1e-5, atol=1e-6)
