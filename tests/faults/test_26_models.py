"""ONNX models nobody meant to write: bytes changed in whole ones, and graphs that ask too much."""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings

from convt_cli.commands import main
from convt_cli.errors import FileError
from convt_cli.models.onnx.constants import fold
from convt_cli.models.onnx.convert import convert
from convt_cli.models.onnx.file import open_model
from convt_cli.models.onnx.graph import Node
from convt_cli.models.text import spec_text
from convt_cli.spec.load import check_spec
from tests.conftest import Run, assert_refused
from tests.faults.drawn import attempted, mutated
from tests.files.samples import onnx_weights

onnx = pytest.importorskip("onnx")

node = onnx.helper.make_node


def model(
    nodes: Sequence[Any],
    shape: Sequence[object] = ("N", 3, 8, 8),
    *,
    opset: int = 17,
    **arrays: Any,
) -> Any:
    """A model that reads x and gives y; `arrays` are its initializers."""
    value = onnx.helper.make_tensor_value_info
    graph = onnx.helper.make_graph(
        nodes,
        "net",
        [value("x", onnx.TensorProto.FLOAT, shape)],
        [value("y", onnx.TensorProto.FLOAT, None)],
        [onnx.numpy_helper.from_array(np.asarray(array), name) for name, array in arrays.items()],
    )
    opsets = [onnx.helper.make_opsetid("", 17)]
    return onnx.helper.make_model(graph, opset_imports=opsets, ir_version=8)


KERNEL = np.arange(36, dtype=np.float32).reshape(3, 3, 2, 2)

PADS: dict[str, Any] = {"p": [0, 0, 1, 1, 0, 0, 1, 1], "b": [1], "e": [7], "d": [2]}

MODELS = [
    model([node("Conv", ["x", "w"], ["a"], pads=[1] * 4), node("Relu", ["a"], ["y"])], w=KERNEL),
    model([node("ConvTranspose", ["x", "w"], ["y"], output_shape=[9, 9])], w=KERNEL),
    model([node("Resize", ["x", "", "s"], ["y"])], s=np.array([1, 1, 2, 2], np.float32)),
    model([node("MaxPool", ["x"], ["y"], kernel_shape=[2, 2], strides=[2, 2])]),
    model([node("Expand", ["x", "s"], ["y"])], ("N", 3, 1, 1), s=[1, 3, 4, 4]),
    model(
        [node("Pad", ["x", "p"], ["a"]), node("Slice", ["a", "b", "e", "d"], ["y"])],
        **PADS,
    ),
    model(
        [
            node("Shape", ["x"], ["s"]),
            node("Gather", ["s", "i"], ["n"]),
            node("Unsqueeze", ["n", "z"], ["u"]),
            node("Concat", ["u", "k"], ["t"], axis=0),
            node("Reshape", ["x", "t"], ["y"]),
        ],
        i=0,
        z=[0],
        k=[-1, 8],
    ),
    model(
        [
            node("Range", ["a", "b", "c"], ["r"]),
            node("Cast", ["r"], ["f"], to=1),
            node("Add", ["x", "f"], ["y"]),
        ],
        a=0,
        b=8,
        c=1,
    ),
]
"""Small models, each with operators of its own kind."""

WHOLES = [one.SerializeToString() for one in MODELS]
TOKENS = [
    *(b"Conv", b"Reshape", b"Expand", b"Range", b"ReduceProd", b"axis", b"perm", b"x", b"y", b"\0"),
    *(
        b"\x08\xff\xff\xff\xff\xff\xff\xff\xff\x7f",
        b"\x08\x80\x80\x80\x80\x08",
        b"\x0a\x00",
        b"\xff",
    ),
    *(b"\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01", b"\x10\x00", b"\x1a\x02\x08\x02", b"\xff"),
]


def real_models() -> list[bytes]:
    """The small ones of the models that the package onnx tests itself with."""
    folder = Path(onnx.__file__).parent / "backend" / "test" / "data"
    paths = [path for path in sorted(folder.glob("**/*.onnx")) if path.stat().st_size < 2000]
    return [path.read_bytes() for path in paths] or WHOLES


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where a drawn model is written."""
    return tmp_path_factory.mktemp("drawn") / "m.onnx"


def assert_handled(path: Path, content: bytes) -> None:
    """A model is a spec without problems, or a ConvtError says why it is none."""
    path.write_bytes(content)
    weights = attempted(lambda: onnx_weights(str(path)))
    if weights is None:
        return
    graph = open_model(str(path)).graph
    for name in [*graph.constants, *(one for each in graph.nodes for one in each.outputs)][:4]:
        attempted(partial(weights.read, name))
    imported = attempted(lambda: convert(graph, "m.onnx", partial=True))
    if imported is None:
        return
    spec = path.with_suffix(".yaml")
    spec.write_text(spec_text(imported, title="m", model="m.onnx", expect=True), encoding="utf-8")
    assert check_spec(str(spec)) == ()


@pytest.mark.parametrize("content", WHOLES)
def test_26_the_models_are_imported_as_they_are(path: Path, content: bytes) -> None:
    """Otherwise what is changed in them would change nothing."""
    path.write_bytes(content)
    assert convert(open_model(str(path)).graph, "m.onnx").layers


@settings(derandomize=True, max_examples=300)
@given(content=mutated(WHOLES, TOKENS))
def test_26_a_model_with_bytes_changed_is_a_spec_or_a_convt_error(
    path: Path, content: bytes
) -> None:
    assert_handled(path, content)


@settings(derandomize=True, max_examples=100)
@given(content=mutated(real_models(), TOKENS))
def test_26_a_real_model_with_bytes_changed_is_a_spec_or_a_convt_error(
    path: Path, content: bytes
) -> None:
    assert_handled(path, content)


@settings(derandomize=True, max_examples=30)
@given(content=mutated(WHOLES, TOKENS))
def test_26_a_model_with_bytes_changed_gets_a_documented_status(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    spec = str(path.with_name("net.yaml"))
    assert main.run(["import", str(path), "-o", spec, "--force", "--partial"]) in (0, 2)


# --- what random changes have found -----------------------------------------------------------


def imported(run: Run, changed: Any) -> Any:
    Path("m.onnx").write_bytes(changed.SerializeToString())
    return run("import", "m.onnx", "-o", "m.yaml")


@pytest.mark.parametrize("opset", [0, -1, 2**53 + 1, 2**62])
def test_26_an_opset_that_no_spec_can_say_is_refused(run: Run, opset: int) -> None:
    changed = model([node("Relu", ["x"], ["y"])])
    changed.opset_import[0].version = opset
    assert_refused(imported(run, changed), "E405")


def test_26_numbers_beyond_2_53_are_not_written_into_a_spec(run: Run) -> None:
    pads = node(
        "ConvTranspose",
        ["x", "w"],
        ["y"],
        output_shape=[16, 16],
        strides=[2, 2**40],
        output_padding=[1, 1],
    )
    outcome = imported(run, model([pads], ("N", 3, 8, 2**40), w=KERNEL))
    assert_refused(outcome, "E107")
    assert not os.path.exists("m.yaml")


@pytest.mark.parametrize("dims", [[2**20, 2**20], [2**31], [4097]], ids=str)
def test_26_a_product_of_very_many_numbers_is_not_computed(run: Run, dims: list[int]) -> None:
    """Of a constant of one number everywhere, which costs no memory, it would take hours."""
    nodes = [
        node("ConstantOfShape", ["s"], ["k"]),
        node("ReduceProd", ["k"], ["p"], keepdims=0),
        node("Mul", ["x", "p"], ["y"]),
    ]
    assert_refused(imported(run, model(nodes, s=dims)), "E505")
    with pytest.raises(FileError, match="where a few sizes are wanted"):
        onnx_weights("m.onnx").read("p")


@pytest.mark.parametrize(
    "nodes",
    [
        [node("Expand", ["x", "s"], ["y"])],
        [node("Reshape", ["k", "s"], ["r"]), node("Add", ["x", "r"], ["y"])],
        [node("Reshape", ["k", "s"], ["r"]), node("Add", ["r", "r"], ["t"]),
         node("Reshape", ["x", "t"], ["y"])],
        [node("Expand", ["k", "s"], ["t"]), node("Reshape", ["x", "t"], ["y"])],
    ],
    ids=["of an activation", "added to one", "of a constant", "expanded"],
)  # fmt: skip
def test_26_more_axes_than_numpy_broadcasts_are_refused(run: Run, nodes: list[Any]) -> None:
    outcome = imported(run, model(nodes, s=[1] * 36, k=np.array([1], np.float32)))
    assert_refused(outcome, "E505")


def test_26_a_reason_is_never_long(run: Run) -> None:
    outcome = imported(run, model([node("Reshape", ["x", "s"], ["y"])], s=[1] * 2000))
    assert outcome.status == 2
    assert len(outcome.err) < 1000


@pytest.mark.parametrize("broken", ["location", "w.bin"])
def test_26_external_data_with_a_name_that_is_not_utf_8_is_refused(run: Run, broken: str) -> None:
    changed = model([node("Conv", ["x", "w"], ["y"])], w=KERNEL)
    tensor = changed.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = onnx.TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="w.bin")
    content = changed.SerializeToString()
    damaged = content.replace(broken.encode(), b"\xff" + broken.encode()[1:])
    Path("m.onnx").write_bytes(damaged)
    assert_refused(run("import", "m.onnx", "-o", "m.yaml"), "E405")


def test_26_a_range_asks_for_all_the_memory_that_it_takes() -> None:
    """Its numbers are scaled and moved to their start, which takes as much twice more."""
    asked: list[int] = []
    numbers = Node(name="", operator="Range", inputs=(), outputs=("y",), attributes={})
    found = fold(numbers, [np.array(1), np.array(2001), np.array(2)], asked.append)
    assert found.tolist() == list(range(1, 2001, 2))
    assert asked == [3 * found.nbytes]
