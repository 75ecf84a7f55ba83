"""The registry of model formats: what each offers, and where people read its suffix."""

from __future__ import annotations

import re
from importlib import import_module
from inspect import signature
from pathlib import Path

import pytest

from convt_cli.errors import FileError
from convt_cli.models.formats import FORMATS, Format
from convt_cli.models.keras import read as keras
from convt_cli.models.load import load_model, load_spec, value_names
from convt_cli.models.onnx import read as onnx
from convt_cli.models.pt2 import read as pt2
from convt_cli.models.tflite import read as tflite
from tests.conftest import Run, WriteSpec, assert_refused

# mypy holds each module to the interface, so every format stands here.
CHECKED: tuple[Format, ...] = (onnx, pt2, keras, tflite)


@pytest.mark.parametrize("module", FORMATS.values())
class TestModules:
    def test_each_offers_read_model_with_the_arguments_of_the_interface(self, module: str) -> None:
        offered, asked = signature(import_module(module).read_model), signature(Format.read_model)
        _, *arguments = asked.parameters.values()
        assert [*offered.parameters.values()] == arguments
        assert offered.return_annotation == asked.return_annotation

    def test_each_is_checked_by_mypy(self, module: str) -> None:
        assert import_module(module) in CHECKED


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("suffix", FORMATS)
class TestSuffixes:
    def test_the_help_names_each(self, run: Run, suffix: str) -> None:
        assert suffix in re.findall(r"\.\w+", run("import", "--help").out)

    def test_the_error_for_another_names_each(self, suffix: str) -> None:
        with pytest.raises(FileError, match="a model file is named by its format") as caught:
            load_model("m.unheard", "m.unheard")
        assert suffix in caught.value.help.removeprefix("known are ").split(", ")

    def test_each_is_known_in_capitals_too(self, suffix: str) -> None:
        with pytest.raises(FileError, match="cannot read"):
            load_model(f"missing{suffix.upper()}", "")


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("name", ["m.pb", "m", ".onnx", "m.onnx.bak", "onnx", "-"])
def test_a_file_of_another_suffix_is_refused(run: Run, name: str) -> None:
    outcome = run("import", name, "-o", "m.yaml")
    assert_refused(outcome, "E401")
    assert "a model file is named by its format" in outcome.err


class TestValueNames:
    def test_of_an_onnx_model_are_those_of_its_graph(self, folder: Path) -> None:
        onnx_package = pytest.importorskip("onnx")
        helper, floats = onnx_package.helper, onnx_package.TensorProto.FLOAT
        nodes = [
            helper.make_node("Relu", ["image"], ["between"], "first"),
            helper.make_node("Sigmoid", ["between"], ["scores"], "second"),
        ]
        shapes = {"image": (1, 3, 8, 8), "scores": None}
        image, scores = (
            helper.make_tensor_value_info(name, floats, shape) for name, shape in shapes.items()
        )
        graph = helper.make_graph(nodes, "graph", [image], [scores])
        opsets = [helper.make_opsetid("", 17)]
        model = helper.make_model(graph, opset_imports=opsets, ir_version=8)
        (folder / "m.onnx").write_bytes(model.SerializeToString())
        found = value_names(load_spec("m.onnx"))
        assert found == {"image": "input", "between": "first", "scores": "second"}

    def test_of_a_spec_there_are_none(self, spec: WriteSpec) -> None:
        assert value_names(load_spec(spec("input: [1, 4]\nlayers: [{type: relu}]"))) == {}
