"""Results of the real frameworks for many layers, kept in a file, and convt's result for each.

`python -m tests.peers.make_cases` writes the file; `tests.dialects` says where convt departs.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from convt_cli.errors import SpecError
from convt_cli.spec.load import load_spec
from tests.dialects import DEPARTURES, TRUTH, Departure, case_of, expected, ours, spec_text
from tests.peers.cases import Case
from tests.peers.make_cases import PATH
from tests.records import Record, read
from tests.rows import assert_each, for_each

RECORDS = [record for record in read(PATH) if TRUTH[record["framework"]] in record["results"]]
SOME = RECORDS[::37]
"""A part of the records, enough to show that specs are read into the same layers."""


def name_of(record: Record) -> str:
    case = case_of(record)
    opset = "" if case.opset is None else f"-{case.opset}"
    keys = "-".join(f"{key}={value}" for key, value in case.layer.items() if key != "type")
    return f"{case.framework}{opset}-{case.type}-{list(case.input)}-{keys}".replace(" ", "")


def truth_of(record: Record) -> Any:
    return record["results"][TRUTH[record["framework"]]]


def assert_answers(record: Record) -> None:
    case = case_of(record)
    mine, wanted = ours(case), expected(case, truth_of(record))
    assert (mine is None) == (wanted is None)
    if mine is not None and wanted is not None:
        known = min(len(mine), len(wanted))
        assert mine[:known] == wanted[:known]


@pytest.mark.parametrize(
    ("framework", "layer_type"),
    sorted({(record["framework"], record["layer"]["type"]) for record in RECORDS}),
)
def test_convt_answers_as_the_framework(framework: str, layer_type: str) -> None:
    of_both = [
        record
        for record in RECORDS
        if (record["framework"], record["layer"]["type"]) == (framework, layer_type)
    ]
    assert_each(of_both, assert_answers, name_of)


@for_each("record", SOME)
def test_a_spec_answers_as_its_layer(record: Record, tmp_path: Path) -> None:
    case = case_of(record)
    path = tmp_path / "case.yaml"
    path.write_text(spec_text(case), encoding="utf-8")
    mine = ours(case)
    try:
        shape = list(load_spec(path).output)
    except SpecError:
        assert mine is None
    else:
        assert mine is not None
        assert mine[0] == shape


@pytest.mark.parametrize(
    ("framework", "legal", "illegal"),
    [
        ("pytorch", 200, 120),
        ("tensorflow", 350, 140),
        ("keras", 350, 150),
        ("onnx", 750, 150),
        ("jax", 400, 40),
        ("caffe", 30, 4),
    ],
)
def test_many_of_the_cases_are_legal_and_many_are_not(
    framework: str, legal: int, illegal: int
) -> None:
    answers = Counter(
        expected(case_of(record), truth_of(record)) is not None
        for record in RECORDS
        if record["framework"] == framework
    )
    assert answers[True] >= legal
    assert answers[False] >= illegal


@pytest.mark.parametrize("departure", DEPARTURES, ids=lambda departure: departure.reason)
def test_a_departure_is_one(departure: Departure) -> None:
    """Every listed departure differs from the tool somewhere; one that never does is a mistake."""
    apart = [
        record
        for record in RECORDS
        if departure.applies(case_of(record))
        and departure.answer(case_of(record)) != _as_answer(truth_of(record))
    ]
    assert apart


def _as_answer(said: Any) -> Any:
    return None if isinstance(said, str) or 0 in said[0] else said


@pytest.mark.parametrize(
    ("layer", "sizes"),
    [
        # (ONNX Runtime, reference implementation, shape inference)
        ({"kernel_size": 3, "stride": 4, "padding": "same", "output_padding": 0}, (11, 12, 11)),
        ({"kernel_size": 3, "stride": 2, "padding": "same", "output_padding": 1}, (6, 6, 7)),
        ({"kernel_size": 1, "stride": 2, "padding": "same", "output_padding": 0}, (5, 6, 5)),
    ],
)
def test_the_tools_of_onnx_contradict_each_other(
    layer: dict[str, Any], sizes: tuple[int, int, int]
) -> None:
    (record,) = (
        record
        for record in RECORDS
        if case_of(record)
        == Case(
            "onnx",
            {"type": "conv_transpose", **layer, "out_channels": 1},
            (1, 3),
            11 if layer["output_padding"] % 2 else 22,
        )
    )
    tools = ("onnxruntime", "onnx_reference", "onnx_shapes")
    assert tuple(record["results"][tool][0][1] for tool in tools) == sizes
