"""The report of a diagnosis: the first guilty layer first, and what to do about it."""

from __future__ import annotations

from typing import Any

import numpy as np

from convt_cli import diagnose, diagnose_dump
from convt_cli.render.text import as_text
from convt_cli.reports.diagnosis import code_of, diagnosis_report, dump_report, setting_of
from tests.analysis.diagnose.layers import BIAS, CONV, WEIGHT, X, conv, network
from tests.conftest import WriteSpec


def test_the_line_of_a_framework_is_that_of_the_right_values(spec: WriteSpec) -> None:
    strided = CONV.replace("padding: 1", "padding: 1, stride: 2")
    net = network(spec, strided, size=8)
    x = np.pad(X, ((0, 0), (0, 1), (0, 1)))
    found = diagnose(net, x, conv(x, pads=(0, 1), stride=2), layer="one")
    lines = code_of(net, found)
    assert list(lines) == ["tensorflow"]
    assert "[1, 1], [1, 1]" in lines["tensorflow"]
    text = as_text(diagnosis_report(net, found))
    assert "padding 'same' of tensorflow" in text
    assert lines["tensorflow"] in text


def test_without_an_explanation_there_is_no_line(spec: WriteSpec) -> None:
    net = network(spec, CONV)
    y = conv()
    y[0, 0, 0] += 1
    found = diagnose(net, X, y, layer="one")
    assert code_of(net, found) == {}
    assert "no change that convt knows explains all of it" in as_text(diagnosis_report(net, found))


def test_the_option_is_told_where_one_key_says_it(spec: WriteSpec) -> None:
    net = network(spec, CONV)
    told = {}
    for name, y in {"stride": conv(padding_mode="circular"), "bias": conv(bias=2 * BIAS)}.items():
        (one,) = diagnose(net, X, y, layer="one").explanations
        told[name] = setting_of(diagnose(net, X, y, layer="one"), one)
    assert told == {"stride": "--set 'one.padding_mode=circular'", "bias": None}


def test_two_changes_at_once_are_both_told(spec: WriteSpec) -> None:
    net = network(spec, CONV)
    y = np.maximum(conv(weight=WEIGHT[:, :, ::-1, ::-1]), 0)
    found = diagnose(net, X, y, layer="one")
    assert setting_of(found, found.explanations[0]) is None
    text = as_text(diagnosis_report(net, found))
    assert "activation and flip" in text
    document: Any = diagnosis_report(net, found).document
    assert document["explanations"][0]["also"]["change"] == "flip"


def test_the_first_guilty_layer_stands_in_the_first_note(spec: WriteSpec) -> None:
    net = network(spec, f"{CONV}}}, {{name: two, type: relu}}, {{name: three, type: relu")
    one = conv()
    found = diagnose_dump(net, {"input": X, "one": one, "two": one + 1, "three": one - 1})
    report = dump_report(net, found.judged, found.not_judged)
    (table,) = report.tables
    assert table.notes[0] == "The first layer that is wrong is two."
    assert report.document["first"] == "two"
    assert "Judged, 3: 1 equal, 2 different." in table.notes
    assert table.quiet == {0}


def test_what_is_small_in_norm_gets_its_hint_and_a_precision(spec: WriteSpec) -> None:
    net = network(spec, CONV)
    x = np.random.default_rng(0).standard_normal(X.shape).astype(np.float32)
    y = conv(x.astype(np.float64)).astype(np.float32)
    y[0, 0, 0] += np.float32(3e-4)
    found = diagnose(net, x, y, layer="one")
    text = as_text(diagnosis_report(net, found))
    assert "Winograd" in text
    assert "`--accumulator tf32` would call it rounding." in text
    assert str(diagnosis_report(net, found).document["hint"]).startswith("Its differences")
