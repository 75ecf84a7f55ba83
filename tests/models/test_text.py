"""The text of a spec for an imported model, whatever its format.

What the text says of ONNX's operators is in tests/models/onnx/test_convert.py.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from convt_cli.arithmetic.dialects.frameworks import FRAMEWORKS, at_opset
from convt_cli.arithmetic.keys import FileReference
from convt_cli.models.imported import Cause, ImportedLayer, ImportedModel
from convt_cli.models.text import quoted, spec_text
from convt_cli.spec.load import check_spec

LAYERS = {
    1: ImportedLayer(
        name="conv1",
        type="conv",
        sources=(0,),
        keys={
            "weight": FileReference(file="m.other", key="w"),
            "out_channels": 2,
            "kernel_size": (3, 1),
            "stride": 1,
        },
        output=(2, 6, 8),
    ),
    2: ImportedLayer(
        name="odd", type="identity", sources=(1,), keys={}, output=(2, 6, 8), stands_for="Odd"
    ),
    3: ImportedLayer(name="twice", type="add", sources=(2, 2), keys={}, output=(2, 6, 8)),
}

MODEL = ImportedModel(
    origin="a model of another kind",
    producer="",
    rules=FRAMEWORKS["pytorch"],
    inputs=(("x", (3, 8, 8)),),
    layers=LAYERS,
    outputs={"y": 3},
    notes={},
    unused=(),
    causes=(),
    left_out=0,
    nodes=3,
)

SPEC = """\
# m.other: a model of another kind, as convt imports it.
name: net
framework: pytorch
input: [3, 8, 8]
layers:
  - {name: conv1, type: conv, out_channels: 2, kernel_size: [3, 1], weight: m.other#w}
  - {name: odd, type: identity, stands_for: Odd}
  - {name: twice, type: add, from: [odd, odd]}
"""


def text_of(model: ImportedModel) -> str:
    return spec_text(model, title="net", model="m.other")


class TestSpec:
    def test_it_is_as_a_person_would_write_it(self, tmp_path: Path) -> None:
        assert text_of(MODEL) == SPEC
        path = tmp_path / "net.yaml"
        path.write_text(SPEC, encoding="utf-8")
        assert check_spec(str(path)) == ()

    def test_an_opset_is_said_where_the_rules_have_one(self) -> None:
        model = replace(MODEL, rules=at_opset(FRAMEWORKS["onnx"], 12))
        assert "framework: onnx\nopset: 12\ninput: " in text_of(model)

    def test_the_producer_and_what_is_left_out_are_said(self) -> None:
        lines = text_of(replace(MODEL, producer="keras 3", left_out=1200)).splitlines()
        assert lines[:2] == [
            "# m.other: a model of another kind, written by keras 3, as convt imports it.",
            "# Left out: 1,200 of its nodes, which a spec cannot say.",
        ]

    @pytest.mark.parametrize(
        ("outputs", "line"),
        [
            pytest.param({"y": 2}, "outputs: [odd]", id="not the last layer"),
            pytest.param({"y": 3, "z": 1}, "outputs: [twice, conv1]", id="several"),
            pytest.param({"y": 1, "z": 3, "v": 1}, "outputs: [conv1, twice]", id="one twice"),
        ],
    )
    def test_outputs_are_named_unless_the_last_layer_is_the_only_one(
        self, outputs: dict[str, int], line: str, tmp_path: Path
    ) -> None:
        text = text_of(replace(MODEL, outputs=outputs))
        assert text == SPEC.replace("layers:", f"{line}\nlayers:")
        path = tmp_path / "net.yaml"
        path.write_text(text, encoding="utf-8")
        assert check_spec(str(path)) == ()

    def test_an_input_that_is_an_output_is_repeated(self) -> None:
        text = text_of(replace(MODEL, outputs={"y": 3, "z": 0}))
        assert text.splitlines()[-1] == "  - {name: z, type: identity, from: input}"
        assert "outputs: [twice, z]\n" in text


def test_quotes_are_used_where_they_are_needed() -> None:
    assert [quoted(text) for text in ("a", "1.5", "-", "a-b", "~")] == [
        *("a", '"1.5"', '"-"', "a-b"),
        '"~"',
    ]


class TestMessages:
    def test_there_are_none_for_a_model_that_is_said_whole(self) -> None:
        assert MODEL.messages == ()

    def test_each_says_what_kind_it_is(self) -> None:
        model = replace(
            MODEL,
            notes={"pad stands for Mirror": 1, "odd": 1200},
            unused=("no output depends on 1 input (t): left out",),
            causes=(Cause(title="node 'a' (B)", layer="a", operator="B", reason="it is odd"),),
            left_out=2,
        )
        assert model.messages == (
            "note: pad stands for Mirror, once",
            "note: odd, 1,200 times",
            "note: no output depends on 1 input (t): left out",
            "cut: 2 of its 3 nodes, because of node 'a' (B): it is odd",
        )
