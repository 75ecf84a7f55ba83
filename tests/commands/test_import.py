"""convt import on files: what it writes and tells, and every file that is no model.

The graphs' own cases are in tests/models/onnx; here models are made with the package onnx,
which reads them too.
"""

from __future__ import annotations

import os
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.conftest import Outcome, Run, assert_refused

onnx = pytest.importorskip("onnx")

F32 = np.float32
WEIGHT = np.arange(8 * 3 * 3 * 3, dtype=F32).reshape(8, 3, 3, 3)
UP = np.arange(8 * 2 * 2 * 2, dtype=F32).reshape(8, 2, 2, 2)
BIAS = np.array([1, 2], F32)


def model() -> Any:
    """x, conv1, relu1, up1, y: an input of (N, 3, 8, 8)."""
    make, value = onnx.helper.make_node, onnx.helper.make_tensor_value_info
    tensor = onnx.numpy_helper.from_array
    constant = make("Constant", [], ["b"], value=tensor(BIAS))
    graph = onnx.helper.make_graph(
        [
            make("Conv", ["x", "w"], ["c"], "conv1", pads=[1, 1, 1, 1]),
            make("Relu", ["c"], ["r"], "relu1"),
            constant,
            make("ConvTranspose", ["r", "u", "b"], ["y"], "up1", strides=[2, 2]),
        ],
        "net",
        [value("x", onnx.TensorProto.FLOAT, ("N", 3, 8, 8))],
        [value("y", onnx.TensorProto.FLOAT, None)],
        [tensor(WEIGHT, "w"), tensor(UP, "u")],
    )
    opsets = [onnx.helper.make_opsetid("", 17)]
    return onnx.helper.make_model(graph, opset_imports=opsets, ir_version=8)


SPEC = """\
# m.onnx: an ONNX model, as convt imports it.
name: m
framework: onnx
opset: 17
input: [3, 8, 8]
layers:
  - {name: conv1, type: conv, out_channels: 8, kernel_size: 3, padding: 1, weight: m.onnx#w,
     bias: false}
  - {name: relu1, type: relu}
  - {name: up1, type: conv_transpose, out_channels: 2, kernel_size: 2, stride: 2, weight: m.onnx#u,
     bias: m.onnx#b}
"""


@pytest.fixture
def content(folder: Path) -> bytes:
    """The bytes of the model, which lies in the test's folder as m.onnx."""
    data: bytes = model().SerializeToString()
    (folder / "m.onnx").write_bytes(data)
    return data


def structure(content: bytes) -> list[int]:
    """The offsets of a model's bytes; within a weight, every fiftieth."""
    begin = content.index(WEIGHT.tobytes())
    inside = range(begin + 1, begin + WEIGHT.nbytes - 1)
    return [place for place in range(len(content)) if place not in inside or place % 50 == 0]


def write(folder: Path, changed: Any) -> None:
    (folder / "m.onnx").write_bytes(changed.SerializeToString())


def assert_told(outcome: Outcome, *lines: str) -> None:
    assert (outcome.status, outcome.out) == (0, "")
    assert outcome.err.splitlines() == list(lines)


@pytest.mark.usefixtures("content")
class TestSpec:
    def test_it_is_written_to_the_file(self, run: Run, folder: Path) -> None:
        assert_told(run("import", "m.onnx", "-o", "m.yaml"))
        assert (folder / "m.yaml").read_text(encoding="utf-8") == SPEC

    def test_it_goes_to_standard_output(self, run: Run) -> None:
        outcome = run("import", "m.onnx", "-o", "-")
        assert (outcome.status, outcome.out, outcome.err) == (0, SPEC, "")

    def test_it_is_right_as_it_is(self, run: Run) -> None:
        run("import", "m.onnx", "-o", "m.yaml", "--expect")
        outcome = run("check", "m.yaml")
        assert (outcome.status, outcome.out) == (0, "checked 1 spec: no problems\n")

    def test_it_is_not_written_over_another(self, run: Run, folder: Path) -> None:
        (folder / "m.yaml").write_text("mine", encoding="utf-8")
        assert_refused(run("import", "m.onnx", "-o", "m.yaml"), "E403")
        assert (folder / "m.yaml").read_text(encoding="utf-8") == "mine"
        assert_told(run("import", "m.onnx", "-o", "m.yaml", "--force"))

    def test_an_input_can_be_given(self, run: Run) -> None:
        assert "input: [3, 5, 7]\n" in run("import", "m.onnx", "-o", "-", "--input", "3,5,7").out

    def test_its_weights_are_named_from_the_spec_s_folder(self, run: Run, folder: Path) -> None:
        (folder / "sub").mkdir()
        (folder / "m.onnx").rename(folder / "sub" / "m.onnx")
        assert_told(run("import", "sub/m.onnx", "-o", "m.yaml"))
        assert "weight: sub/m.onnx#w" in (folder / "m.yaml").read_text(encoding="utf-8")

    def test_weights_outside_of_the_spec_s_folder_are_warned_of(
        self, run: Run, folder: Path
    ) -> None:
        (folder / "sub").mkdir()
        assert_told(
            run("import", "m.onnx", "-o", "sub/m.yaml"),
            "warning: ../m.onnx is outside the spec's folder: --allow-outside reads it",
        )
        assert "weight: ../m.onnx#w" in (folder / "sub" / "m.yaml").read_text(encoding="utf-8")

    def test_the_same_model_gives_the_same_bytes(self, run: Run) -> None:
        assert (
            run("import", "m.onnx", "-o", "-").stdout == run("import", "m.onnx", "-o", "-").stdout
        )

    def test_a_name_with_a_hash_is_refused(self, run: Run, folder: Path) -> None:
        (folder / "m.onnx").rename(folder / "a#b.onnx")
        assert_refused(run("import", "a#b.onnx", "-o", "m.yaml"), "E401")

    def test_the_weights_are_read_from_the_model(self, run: Run) -> None:
        run("import", "m.onnx", "-o", "m.yaml")
        np.save("x.npy", np.ones((8, 1, 1), F32))
        arguments = ("m.yaml", "x.npy", "-o", "y.npy", "--layer", "up1", "--bias")
        outcome = run("apply", *arguments, "--input", "3,1,1")
        assert outcome.status == 0, outcome.err
        expected = UP.sum(0) + BIAS[:, None, None]
        np.testing.assert_array_equal(np.load("y.npy"), expected)

    def test_make_is_told_of_the_model(self, run: Run) -> None:
        run("import", "m.onnx", "-o", "m.yaml")
        assert run("deps", "m.yaml").out == "m.yaml: m.onnx\n"


class TestPartial:
    @pytest.fixture(autouse=True)
    def _unknown_operator(self, folder: Path) -> None:
        changed = model()
        changed.graph.node[3].op_type = "Unheard"
        write(folder, changed)

    def test_an_unknown_operator_is_an_error_that_names_the_node(self, run: Run) -> None:
        outcome = run("import", "m.onnx", "-o", "m.yaml")
        assert_refused(outcome, "E505")
        assert "node 'up1' (Unheard)" in outcome.err
        assert not os.path.exists("m.yaml")

    def test_partial_keeps_the_rest_and_says_so(self, run: Run) -> None:
        assert_told(
            run("import", "m.onnx", "-o", "m.yaml", "--partial"),
            "cut: 1 of its 3 nodes, because of node 'up1' (Unheard): "
            "no layer type does what it does",
        )
        assert run("check", "m.yaml").status == 0


class TestBadFiles:
    @pytest.mark.parametrize(
        "data",
        [
            pytest.param(b"", id="empty"),
            pytest.param(b"\0" * 100, id="zeros"),
            pytest.param(b"not a model\n", id="text"),
            pytest.param(b"\x80\x04\x95.", id="pickle"),
            pytest.param(b"\x89PNG\r\n\x1a\n" + b"\0" * 50, id="picture"),
            pytest.param(b":\x80\x80\x80\x80\x08", id="2 GiB claimed in 6 bytes"),
            pytest.param(b"\x0a" * 100_000, id="nested"),
        ],
    )
    def test_what_is_no_model_is_refused(self, run: Run, folder: Path, data: bytes) -> None:
        (folder / "m.onnx").write_bytes(data)
        assert_refused(run("import", "m.onnx", "-o", "m.yaml"), "E405")

    def test_no_cut_is_a_model(self, run: Run, folder: Path, content: bytes) -> None:
        for length in [*structure(content)[::3], *range(len(content) - 9, len(content))]:
            (folder / "m.onnx").write_bytes(content[:length])
            outcome = run("import", "m.onnx", "-o", "m.yaml", "--force")
            assert outcome.status in ({0, 2} if length > len(content) - 9 else {2})
            assert outcome.status == 0 or len(outcome.codes) == 1, outcome.err

    def test_no_flipped_bit_gets_past_the_coded_errors(
        self, run: Run, folder: Path, content: bytes
    ) -> None:
        """Flipped bytes in the model's structure; those in the weights change numbers only."""
        generator = random.Random(7)
        for place in structure(content)[::2]:
            data = bytearray(content)
            data[place] ^= 1 << generator.randrange(8)
            (folder / "m.onnx").write_bytes(data)
            outcome = run("import", "m.onnx", "-o", "m.yaml", "--force", "--partial")
            assert outcome.status in (0, 2)
            assert outcome.status == 0 or len(outcome.codes) == 1, outcome.err

    @pytest.mark.parametrize("name", ["missing.onnx", "."])
    def test_what_cannot_be_read_is_refused(self, run: Run, name: str) -> None:
        assert_refused(run("import", name, "-o", "m.yaml"), "E401")

    def test_a_pipe_is_refused(self, run: Run, folder: Path) -> None:
        os.mkfifo(folder / "m.onnx")
        assert_refused(run("import", "m.onnx", "-o", "m.yaml"), "E401")


class TestBadModels:
    def assert_damaged(self, run: Run, folder: Path, changed: Any, said: str) -> None:
        write(folder, changed)
        outcome = run("import", "m.onnx", "-o", "m.yaml")
        assert_refused(outcome, "E405")
        assert said in outcome.err

    @pytest.mark.parametrize(
        "dims", [[2**31], [2**62, 2**62], [-1], [8, 3, 3, 4], [1] * 99, []], ids=str
    )
    def test_a_tensor_is_held_against_its_bytes(
        self, run: Run, folder: Path, dims: list[int]
    ) -> None:
        changed = model()
        del changed.graph.initializer[0].dims[:]
        changed.graph.initializer[0].dims.extend(dims)
        self.assert_damaged(run, folder, changed, "constant 'w'")

    def test_numbers_in_fields_are_held_against_the_shape(self, run: Run, folder: Path) -> None:
        changed = model()
        tensor = changed.graph.initializer[0]
        tensor.ClearField("raw_data")
        tensor.float_data.extend([1.0] * 7)
        self.assert_damaged(run, folder, changed, "28")

    def test_a_constant_given_twice(self, run: Run, folder: Path) -> None:
        changed = model()
        changed.graph.initializer.append(changed.graph.initializer[0])
        self.assert_damaged(run, folder, changed, "'w' is given twice")

    def test_a_value_given_twice(self, run: Run, folder: Path) -> None:
        changed = model()
        changed.graph.node[1].output[0] = "c"
        self.assert_damaged(run, folder, changed, "'c' is given twice")

    def test_a_missing_initializer(self, run: Run, folder: Path) -> None:
        changed = model()
        del changed.graph.initializer[0]
        self.assert_damaged(run, folder, changed, "'w' is not")

    def test_a_cycle(self, run: Run, folder: Path) -> None:
        changed = model()
        changed.graph.node[0].input[0] = "r"
        self.assert_damaged(run, folder, changed, "node 'conv1' (Conv), which reads node 'relu1'")

    def test_no_graph(self, run: Run, folder: Path) -> None:
        changed = model()
        changed.ClearField("graph")
        self.assert_damaged(run, folder, changed, "no graph")

    @pytest.mark.parametrize("size", [2**54, 2**63 - 1])
    def test_a_huge_input(self, run: Run, folder: Path, size: int) -> None:
        changed = model()
        changed.graph.input[0].type.tensor_type.shape.dim[2].dim_value = size
        write(folder, changed)
        assert_refused(run("import", "m.onnx", "-o", "m.yaml"), "E506")

    def test_a_constant_of_a_huge_shape_costs_nothing(self, run: Run, folder: Path) -> None:
        changed = model()
        make = onnx.helper.make_node
        shape = onnx.numpy_helper.from_array(np.array([2**20, 3, 2**10, 2**10]), "s")
        changed.graph.initializer.append(shape)
        del changed.graph.initializer[0]
        changed.graph.node.insert(0, make("ConstantOfShape", ["s"], ["w"]))
        write(folder, changed)
        assert_refused(run("import", "m.onnx", "-o", "m.yaml"), "E110")

    def test_an_initializer_may_be_listed_as_an_input(self, run: Run, folder: Path) -> None:
        changed = model()
        value = onnx.helper.make_tensor_value_info
        changed.graph.input.insert(0, value("w", onnx.TensorProto.FLOAT, WEIGHT.shape))
        write(folder, changed)
        assert run("import", "m.onnx", "-o", "-").out == SPEC


class TestExternalData:
    def outside(self, folder: Path, **entries: str) -> None:
        """Make the weight of conv1 one that lies in another file."""
        changed = model()
        tensor = changed.graph.initializer[0]
        tensor.ClearField("raw_data")
        tensor.data_location = onnx.TensorProto.EXTERNAL
        for key, value in entries.items():
            tensor.external_data.add(key=key, value=value)
        write(folder, changed)

    def apply(self, run: Run, *options: str) -> Outcome:
        np.save("x.npy", np.ones((3, 8, 8), F32))
        arguments = ("m.yaml", "x.npy", "-o", "y.npy", "--layer", "conv1", "--forward", "--force")
        return run("apply", *arguments, *options)

    def test_it_is_read_where_it_lies(self, run: Run, folder: Path) -> None:
        (folder / "w.bin").write_bytes(b"12345678" + WEIGHT.tobytes())
        self.outside(folder, location="w.bin", offset="8", length=str(WEIGHT.nbytes))
        assert_told(run("import", "m.onnx", "-o", "m.yaml"))
        assert self.apply(run).status == 0
        assert np.load("y.npy")[:, 4, 4].tolist() == WEIGHT.sum((1, 2, 3)).tolist()

    @pytest.mark.parametrize("location", ["../w.bin", "/etc/passwd", "sub/../../w.bin"])
    def test_it_does_not_lie_outside_the_model_s_folder(
        self, run: Run, folder: Path, location: str
    ) -> None:
        self.outside(folder, location=location)
        assert_refused(run("import", "m.onnx", "-o", "m.yaml"), "E404")
        assert_told(run("import", "m.onnx", "-o", "m.yaml", "--allow-outside"))
        assert_refused(self.apply(run), "E404")

    def test_a_link_does_not_lead_outside(self, run: Run, folder: Path) -> None:
        (folder / "w.bin").symlink_to("/etc/passwd")
        self.outside(folder, location="w.bin")
        assert_refused(run("import", "m.onnx", "-o", "m.yaml"), "E404")

    @pytest.mark.parametrize(
        "entries",
        [
            {"offset": "9"},
            {"offset": "-1"},
            {"offset": "1e3"},
            {"offset": "9" * 30},
            {"length": "1"},
            {"length": str(2**40)},
        ],
        ids=str,
    )
    def test_it_is_held_against_its_file(
        self, run: Run, folder: Path, entries: dict[str, str]
    ) -> None:
        (folder / "w.bin").write_bytes(WEIGHT.tobytes())
        self.outside(folder, location="w.bin", **entries)
        assert_told(run("import", "m.onnx", "-o", "m.yaml"))
        assert_refused(self.apply(run), "E405")

    def test_without_its_file_shapes_are_known_all_the_same(self, run: Run, folder: Path) -> None:
        self.outside(folder, location="gone.bin")
        assert_told(run("import", "m.onnx", "-o", "m.yaml"))
        assert run("shapes", "m.yaml").status == 0
        assert_refused(self.apply(run), "E401")
