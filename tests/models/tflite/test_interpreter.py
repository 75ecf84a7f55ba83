"""Small graphs of every operator, held to what the interpreter of LiteRT 2.3 computes for them.

`tests/peers/test_tflite.py` asks the interpreter anew.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from convt_cli.analysis.forward import run_network
from convt_cli.models.load import load_model, load_spec
from convt_cli.models.text import spec_text
from convt_cli.models.tflite.operators import OPERATORS
from tests.models.same import assert_same_network
from tests.models.tflite.cases import CASES
from tests.models.tflite.records import PATH, as_stored, example_of, sampled
from tests.models.tflite.samples import saved
from tests.records import Record, read
from tests.rows import assert_each

pytestmark = pytest.mark.usefixtures("folder")

RECORDS = read(PATH)

STAND_INS = (
    *("ABS", "EXP", "LOG", "SQRT", "RSQRT", "SIN", "COS", "FLOOR", "CEIL", "ROUND", "SIGN"),
    *("L2_NORMALIZATION", "LOG_SOFTMAX", "CUMSUM", "CAST", "FLOOR_DIV", "FLOOR_MOD", "ATAN2"),
)
"""Operators whose layers have their shapes and other numbers."""

QUANTISED = ("QUANTIZE", "FAKE_QUANT")
"""Operators whose rounding is left out."""


def name_of(record: Record) -> str:
    return str(record["name"])


def test_every_case_is_recorded() -> None:
    assert list(map(name_of, RECORDS)) == list(CASES)


def test_every_operator_has_a_case() -> None:
    have = {node.operator for sample in CASES.values() for node in sample.nodes}
    assert OPERATORS.keys() - have == {*STAND_INS, *QUANTISED}


def test_every_graph_gives_the_interpreters_numbers() -> None:
    def check(record: Record) -> None:
        sample = CASES[name_of(record)]
        path = saved(sample)
        imported, network = load_model(path, path), load_spec(path)
        assert not imported.notes
        given = {name: example_of(shape, salt) for salt, (name, shape) in enumerate(network.inputs)}
        names = network.outputs or (network.layers[-1].name,)
        found = run_network(network, given, layers=names)
        assert len(names) == len(record["tensors"])
        for name, (output, (shape, values)) in zip(names, record["tensors"].items(), strict=True):
            result = as_stored(found[name])
            assert list(result.shape) == shape, output
            np.testing.assert_allclose(sampled(result), values, rtol=1e-5, atol=1e-5)

    assert_each(RECORDS, check, name_of)


def test_every_graph_is_its_import() -> None:
    def check(record: Record) -> None:
        path = saved(CASES[name_of(record)])
        imported = load_model(path, Path(path).name)
        assert_same_network(imported, spec_text(imported, title="net", model=Path(path).name))

    assert_each(RECORDS, check, name_of)
