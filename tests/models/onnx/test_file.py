"""Models as files: graphs inside nodes, sparse constants, external data, names and types."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from convt_cli.errors import FileError, RequestError
from convt_cli.models.onnx.file import open_model
from convt_cli.models.onnx.graph import Graph
from tests.conftest import Outcome, Run, Shell, assert_refused
from tests.files.samples import onnx_weights

onnx = pytest.importorskip("onnx")

make = onnx.helper.make_node
TRUE = onnx.numpy_helper.from_array(np.array(True), "flag")


def value(name: str, shape: Any = None) -> Any:
    return onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, shape)


def body(*nodes: Any, outputs: str, inputs: str = "", constants: Any = ()) -> Any:
    """A graph inside a node."""
    names = [[value(name) for name in text.split()] for text in (inputs, outputs)]
    return onnx.helper.make_graph(list(nodes), "body", *names, list(constants))


def model_of(*nodes: Any, constants: Any = (TRUE,), **parts: Any) -> Any:
    """A model that reads x and gives y."""
    graph = onnx.helper.make_graph(
        list(nodes), "net", [value("x", [1, 3, 8, 8])], [value("y")], list(constants), **parts
    )
    opsets = [onnx.helper.make_opsetid("", 17)]
    return onnx.helper.make_model(graph, opset_imports=opsets, ir_version=8)


def opened(model: Any) -> Graph:
    Path("m.onnx").write_bytes(model.SerializeToString())
    return open_model("m.onnx").graph


@pytest.fixture(autouse=True)
def _in_the_folder(folder: Path) -> None:
    pass


def branches(then: Any, other: Any) -> Any:
    return make("If", ["flag"], ["y"], "if1", then_branch=then, else_branch=other)


RELU = make("Relu", ["a"], ["t"])
PLAIN = body(make("Constant", [], ["e"], value_float=1.0), outputs="e")


class TestGraphsInside:
    @pytest.mark.parametrize(
        ("inside", "captured", "inner"),
        [
            (branches(body(RELU, outputs="t"), PLAIN), "a", 2),
            (branches(body(outputs="a"), PLAIN), "a", 1),
            (branches(body(outputs="a"), body(outputs="x")), "x a", 0),
            (branches(body(branches(body(RELU, outputs="t"), PLAIN), outputs="y"), PLAIN),
             "flag a", 4),
            (make("Loop", ["", "flag", "x"], ["y"], "if1",
                  body=body(make("Add", ["v", "a"], ["w"]), inputs="i c v", outputs="c w")),
             "a", 1),
            (make("Scan", ["x", "x"], ["z", "y"], "if1", num_scan_inputs=1,
                  body=body(make("Add", ["v", "k"], ["w"]), make("Relu", ["a"], ["u"]),
                            inputs="v s", outputs="w u",
                            constants=[onnx.numpy_helper.from_array(np.float32(1), "k")])), "a", 2),
            (make("Cases", ["x"], ["y"], "if1", domain="own",
                  bodies=[body(RELU, outputs="t"), PLAIN]), "a", 2),
        ],
        ids=["node", "output", "outputs", "nested", "loop", "scan", "several"],
    )  # fmt: skip
    def test_what_they_read_from_around_them(self, inside: Any, captured: str, inner: int) -> None:
        graph = opened(model_of(make("Sigmoid", ["x"], ["a"]), inside))
        found = next(node for node in graph.nodes if node.name == "if1")
        assert (" ".join(found.captured), found.inner) == (captured, inner)
        assert {node.operator for node in graph.needed_for(("y",))} >= {"Sigmoid"}

    def test_what_nothing_gives_is_missed(self) -> None:
        with pytest.raises(FileError, match=r"'if1' \(If\) reads is given by the model: 'a'"):
            opened(model_of(branches(body(RELU, outputs="t"), PLAIN)))

    def test_an_import_keeps_it_and_names_the_node(self, run: Run) -> None:
        opened(
            model_of(
                branches(body(RELU, outputs="t"), PLAIN), make("Sigmoid", ["x"], ["a"], "kept")
            )
        )
        assert_refused(run("import", "m.onnx", "-o", "m.yaml"), "E505")
        outcome = run("import", "m.onnx", "-o", "m.yaml", "--partial")
        assert outcome.err.splitlines()[0] == (
            "cut: 3 of its 4 nodes, because of node 'if1' (If): no layer type does what it does; "
            "with it go the nodes inside it, 2"
        )
        assert "{name: kept, type: sigmoid}" in Path("m.yaml").read_text(encoding="utf-8")


def sparse(values: Any, indices: Any, dims: list[int]) -> Any:
    return onnx.helper.make_sparse_tensor(
        onnx.numpy_helper.from_array(np.asarray(values, np.float32), "w"),
        onnx.numpy_helper.from_array(np.asarray(indices, np.int64), "w_places"),
        dims,
    )


WEIGHT = np.zeros((2, 3, 2, 2), np.float32)
WEIGHT[0, 1, 1, 0], WEIGHT[1, 0, 0, 1], WEIGHT[1, 2, 1, 1] = 1.5, -2, 3
FLAT = np.flatnonzero(WEIGHT)
VALUES = WEIGHT.ravel()[FLAT]


class TestSparse:
    CONV = make("Conv", ["x", "w"], ["y"])

    @pytest.mark.parametrize("indices", [FLAT, np.argwhere(WEIGHT)], ids=["flat", "per axis"])
    def test_it_is_read_whole(self, indices: Any) -> None:
        made = sparse(VALUES, indices, [2, 3, 2, 2])
        opened(model_of(self.CONV, sparse_initializer=[made]))
        found = onnx_weights("m.onnx").read("w")
        np.testing.assert_array_equal(found, WEIGHT)
        assert found.dtype == np.float32

    def test_a_constant_node_may_hold_one(self) -> None:
        made = make("Constant", [], ["w"], sparse_value=sparse(VALUES, FLAT, [2, 3, 2, 2]))
        opened(model_of(made, self.CONV))
        found = onnx_weights("m.onnx").read("w")
        np.testing.assert_array_equal(found, WEIGHT)

    def test_one_that_is_large_is_read_when_it_is_asked_for(self) -> None:
        made = sparse([5], [99_999], [100_000])
        assert opened(model_of(self.CONV, sparse_initializer=[made])).constants["w"].packed is None
        found = onnx_weights("m.onnx").read("w")
        assert (found.sum(), found[-1]) == (5, 5)

    def test_one_that_does_not_fit_is_refused(self) -> None:
        made = sparse([5], [9], [2**40])
        opened(model_of(self.CONV, sparse_initializer=[made]))
        with pytest.raises(RequestError, match="needed") as caught:
            onnx_weights("m.onnx").read("w")
        assert caught.value.code == "E501"

    @pytest.mark.parametrize(
        ("indices", "said"),
        [
            ([0, 24], "index 24 along an axis of 24"),
            ([-1, 0], "index -1"),
            ([3, 3], "do not ascend"),
            ([3, 2], "do not ascend"),
            ([3], "indices for"),
            ([[0, 0], [1, 1]], "indices for"),
            ([[0, 0, 0, 0], [0, 3, 0, 0]], "index 3 along an axis of 3"),
        ],
        ids=str,
    )
    def test_its_places_are_held_against_its_shape(self, indices: Any, said: str) -> None:
        made = sparse([1, 2], indices, [2, 3, 2, 2])
        with pytest.raises(FileError, match=said) as caught:
            opened(model_of(self.CONV, sparse_initializer=[made]))
        assert caught.value.code == "E405"


class TestNames:
    def model(self) -> bytes:
        made = make("Conv", ["x", "wname"], ["vname"], "nname", doc_string="dname")
        last = make("Relu", ["vname"], ["y"], "rname", domain="oname")
        weight = onnx.numpy_helper.from_array(np.zeros((1, 3, 1, 1), np.float32), "wname")
        model = model_of(made, last, constants=[weight])
        model.producer_name = "pname"
        model.graph.input[0].type.tensor_type.shape.dim[0].dim_param = "bname"
        return bytes(model.SerializeToString())

    @pytest.mark.parametrize("name", ["wname", "vname", "nname", "rname", "oname", "pname"])
    def test_one_that_is_not_utf_8_is_refused(self, run: Run, name: str) -> None:
        Path("m.onnx").write_bytes(
            self.model().replace(name.encode(), b"\xff\xfe" + name[2:].encode())
        )
        outcome = run("import", "m.onnx", "-o", "-", "--partial")
        assert_refused(outcome, "E405")
        assert "a name that is not UTF-8" in outcome.err

    @pytest.mark.parametrize("name", ["dname", "bname"])
    def test_what_is_not_read_may_be_anything(self, run: Run, name: str) -> None:
        Path("m.onnx").write_bytes(
            self.model().replace(name.encode(), b"\xff\xfe" + name[2:].encode())
        )
        outcome = run("import", "m.onnx", "-o", "m.yaml", "--partial")
        assert outcome.status == 0, outcome.err
        assert run("check", "m.yaml").status == 0

    @pytest.mark.parametrize("place", [b"m\xff.onnx", b"\xff/m.onnx"])
    def test_a_model_whose_name_no_spec_can_hold_is_refused(self, run: Run, place: bytes) -> None:
        path = os.fsdecode(place)
        Path(path).parent.mkdir(exist_ok=True)
        Path(path).write_bytes(self.model())
        assert_refused(run("import", path, "-o", "m.yaml", "--partial"), "E401")
        assert not Path("m.yaml").exists()

    def test_a_spec_beside_it_names_it_all_the_same(self, run: Run) -> None:
        """The folder's own name is not written."""
        folder = Path(os.fsdecode(b"\xff"))
        folder.mkdir()
        (folder / "m.onnx").write_bytes(self.model())
        outcome = run("import", folder / "m.onnx", "-o", folder / "m.yaml", "--partial")
        assert outcome.status == 0, outcome.err
        assert "weight: m.onnx#wname" in (folder / "m.yaml").read_text(encoding="utf-8")


class TestAttributes:
    def test_one_without_a_type_is_refused(self, run: Run) -> None:
        """Its value would be taken for the default."""
        made = make("MaxPool", ["x"], ["y"], kernel_shape=[2, 2], strides=[2, 2])
        made.attribute[1].ClearField("type")
        opened_model = model_of(made)
        Path("m.onnx").write_bytes(opened_model.SerializeToString())
        outcome = run("import", "m.onnx", "-o", "m.yaml")
        assert_refused(outcome, "E405")
        assert "'strides' has no type" in outcome.err


class TestOutside:
    @pytest.fixture
    def told(self, shell: Shell) -> list[Outcome]:
        tensors = []
        for number in range(4):
            tensor = onnx.TensorProto(name=f"w{number}", data_type=1, dims=[3])
            tensor.data_location = onnx.TensorProto.EXTERNAL
            tensor.external_data.add(key="location", value=f"../outside{number}")
            tensors.append(tensor)
        model = model_of(make("Sum", ["x", "w0"], ["y"]), constants=tensors)
        Path("m.onnx").write_bytes(model.SerializeToString())
        command = ("import", "m.onnx", "-o", "m.yaml")
        return [shell(*command, env={"PYTHONHASHSEED": str(seed)}) for seed in range(4)]

    def test_the_first_of_several_is_named_whatever_the_hashes(self, told: list[Outcome]) -> None:
        for outcome in told:
            assert_refused(outcome, "E404")
            assert "../outside0" in outcome.err


def test_a_package_that_does_not_load_says_why(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is gained by installing it again."""
    Path("m.onnx").write_bytes(b"\x08\x08")
    Path("onnx.py").write_text("raise ImportError('libx.so: cannot open')", encoding="utf-8")
    monkeypatch.syspath_prepend(str(Path.cwd()))
    monkeypatch.delitem(sys.modules, "onnx")
    outcome = run("import", "m.onnx", "-o", "m.yaml")
    assert_refused(outcome, "E504")
    assert "libx.so: cannot open" in outcome.err
