"""`.tflite` files beside the interpreter of LiteRT, which is asked anew."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("ai_edge_litert")

from tests.models.tflite.cases import CASES
from tests.models.tflite.records import PATH
from tests.peers.interpreting import record_of
from tests.records import read
from tests.rows import assert_each

pytestmark = [pytest.mark.peers, pytest.mark.filterwarnings("ignore")]


def test_the_interpreter_still_says_what_is_recorded() -> None:
    recorded = {record["name"]: record["tensors"] for record in read(PATH)}

    def check(name: str) -> None:
        found = record_of(name)["tensors"]
        assert found.keys() == recorded[name].keys()
        for one, (shape, values) in found.items():
            assert shape == recorded[name][one][0]
            np.testing.assert_allclose(values, recorded[name][one][1], rtol=1e-5, atol=1e-6)

    assert_each(CASES, check)
