"""Imported models against ONNX's own shape inference and ONNX Runtime's own results.

The nine models are those that the `onnx` package ships, real networks of 2012 to 2017 whose
weights are made by ConstantOfShape; the single nodes are those of its backend tests.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from convt_cli.models.imported import ImportedModel
from convt_cli.models.onnx.convert import convert
from convt_cli.models.onnx.file import open_model
from convt_cli.models.text import spec_text
from convt_cli.spec.load import check_spec, load_spec

onnx = pytest.importorskip("onnx")
runtime = pytest.importorskip("onnxruntime")

pytestmark = pytest.mark.peers

LIGHT = Path(onnx.__file__).parent / "backend" / "test" / "data" / "light"

LAYERS = {
    "bvlc_alexnet": 24,
    "densenet121": 668,
    "inception_v1": 143,
    "inception_v2": 371,
    "resnet50": 176,
    "shufflenet": 203,
    "squeezenet": 66,
    "vgg19": 46,
    "zfnet512": 22,
}
"""The models, and the layers that each has: its nodes but for those of constants."""


def imported(path: Path) -> ImportedModel:
    return convert(open_model(str(path)).graph, path.name)


def inferred(path: Path) -> dict[str, tuple[int, ...]]:
    """The shape of every value of a model, by ONNX's shape inference."""
    graph = onnx.shape_inference.infer_shapes(onnx.load(str(path)), strict_mode=True).graph
    return {
        value.name: tuple(dim.dim_value for dim in value.type.tensor_type.shape.dim)
        for value in (*graph.value_info, *graph.output)
    }


def mismatches(found: ImportedModel, expected: dict[str, tuple[int, ...]]) -> list[str]:
    """The layers whose shape is not the inferred one."""
    return [
        f"{layer.name}: {layer.output}, not {expected.get(layer.value)}"
        for layer in found.layers.values()
        if (1, *layer.output) != expected.get(layer.value)
    ]


def test_the_table_holds_every_model_that_onnx_ships() -> None:
    assert sorted(f"light_{name}.onnx" for name in LAYERS) == sorted(
        path.name for path in LIGHT.glob("*.onnx")
    )


@pytest.mark.parametrize("name", sorted(LAYERS))
def test_every_layer_has_the_inferred_shape(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = LIGHT / f"light_{name}.onnx"
    start = time.perf_counter()
    found = imported(path)
    text = spec_text(found, title=name, model=path.name)
    seconds = time.perf_counter() - start
    wrong = mismatches(found, inferred(path))
    with capsys.disabled():
        counts = f"{len(found.layers):4} layers, {len(wrong)} mismatches"
        print(f"\n{name:14} {counts}, {seconds:.2f} s")  # noqa: T201  # what one wants to see

    assert wrong == []
    assert len(found.layers) == LAYERS[name]
    assert found.causes == ()
    assert all("passes signals unchanged" in note for note in found.notes)
    spec = tmp_path / "net.yaml"
    spec.write_text(text, encoding="utf-8")
    assert check_spec(str(spec)) == ()
    network = load_spec(spec)
    assert [layer.output for layer in network.layers] == [
        layer.output for layer in found.layers.values()
    ]


# One node each: what ONNX Runtime gives for it, and the shape that the import finds.

SHAPE = (2, 4, 7, 9)
"""Of the input, whose batch is 2."""


def model_of(path: Path, nodes: list[Any], constants: dict[str, Any], opset: int) -> Any:
    """A model from x to y, written to `path`."""
    graph = onnx.helper.make_graph(
        nodes,
        "graph",
        [onnx.helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, SHAPE)],
        [onnx.helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, None)],
        [onnx.numpy_helper.from_array(np.asarray(one), name) for name, one in constants.items()],
    )
    opsets = [onnx.helper.make_opsetid("", opset)]
    model = onnx.helper.make_model(graph, opset_imports=opsets, ir_version=8)
    onnx.save(model, str(path))
    return model


F32 = np.float32
NONE = np.array([], F32)
KERNEL = np.ones((6, 2, 3, 2), F32)
UP = np.ones((4, 3, 3, 2), F32)

NODES: dict[str, tuple[str, dict[str, Any], list[Any], int]] = {
    "conv": ("Conv", {"group": 2, "pads": [1, 0, 2, 1], "strides": [2, 1]}, [KERNEL], 13),
    "conv-same-lower": ("Conv", {"group": 2, "auto_pad": "SAME_LOWER"}, [KERNEL], 13),
    "conv-same-upper": ("Conv", {"group": 2, "auto_pad": "SAME_UPPER"}, [KERNEL], 13),
    "conv-valid": ("Conv", {"group": 2, "auto_pad": "VALID", "strides": [2, 2]}, [KERNEL], 13),
    "up": ("ConvTranspose", {"strides": [2, 3], "output_padding": [1, 0]}, [UP], 11),
    "up-same": ("ConvTranspose", {"strides": [2, 3], "auto_pad": "SAME_UPPER"}, [UP], 11),
    "up-shape": ("ConvTranspose", {"strides": [2, 3], "output_shape": [14, 25]}, [UP], 11),
    "up-both": (
        "ConvTranspose",
        {"strides": [2, 3], "output_shape": [13, 25], "output_padding": [1, 2]},
        [UP],
        11,
    ),
    "up-both-upper": (
        "ConvTranspose",
        {
            "strides": [2, 3],
            "output_shape": [13, 25],
            "output_padding": [1, 2],
            "auto_pad": "SAME_UPPER",
        },
        [UP],
        11,
    ),
    "max-pool": ("MaxPool", {"kernel_shape": [3, 2], "pads": [1, 1, 1, 0]}, [], 12),
    "max-pool-ceil": (
        "MaxPool",
        {"kernel_shape": [3, 2], "strides": [2, 2], "ceil_mode": 1},
        [],
        12,
    ),
    "avg-pool": ("AveragePool", {"kernel_shape": [3, 3], "auto_pad": "SAME_UPPER"}, [], 11),
    "global": ("GlobalAveragePool", {}, [], 11),
    "mean": ("ReduceMean", {"axes": [2, 3], "keepdims": 0}, [], 13),
    "mean-18": ("ReduceMean", {"keepdims": 1}, [np.array([-1, 2])], 18),
    "flatten": ("Flatten", {}, [], 13),
    "reshape": ("Reshape", {}, [np.array([0, -1, 3, 7])], 13),
    "transpose": ("Transpose", {"perm": [0, 3, 1, 2]}, [], 13),
    "unsqueeze": ("Unsqueeze", {}, [np.array([1, -1])], 13),
    "pad": ("Pad", {}, [np.array([0, 0, 1, 2, 0, 0, 3, 0])], 13),
    "pad-negative": ("Pad", {}, [np.array([0, 0, -1, 2, 0, 0, 3, -2])], 13),
    "pad-axes": ("Pad", {}, [np.array([1, 2]), F32(0), np.array([-1])], 18),
    "slice": ("Slice", {}, [np.array([1, -3]), np.array([6, 2**62]), np.array([2, 3])], 13),
    "slice-steps": (
        "Slice",
        {},
        [np.array([1]), np.array([9]), np.array([3]), np.array([3])],
        13,
    ),
    "resize": ("Resize", {}, [NONE, np.array([1, 1, 2, 3], F32)], 13),
    "resize-fraction": (
        "Resize",
        {"mode": "linear"},
        [NONE, np.array([1, 1, 1.3, 0.5], F32)],
        13,
    ),
    "resize-sizes": (
        "Resize",
        {},
        [NONE, NONE, np.array([2, 4, 5, 20])],
        13,
    ),
    "upsample": ("Upsample", {}, [np.array([1, 1, 2, 2], F32)], 9),
    "shuffle": ("DepthToSpace", {"blocksize": 2, "mode": "CRD"}, [], 13),
    "shuffle-dcr": ("DepthToSpace", {"blocksize": 2}, [], 13),
    "scale": ("Mul", {}, [np.ones((4, 1, 1), F32)], 13),
    "number": ("Sub", {}, [F32(3)], 13),
    "prelu": ("PRelu", {}, [np.ones((4, 1, 1), F32)], 13),
}


@pytest.mark.parametrize("case", sorted(NODES))
def test_a_node_has_the_shape_that_the_runtime_gives(case: str, tmp_path: Path) -> None:
    operator, attributes, constants, opset = NODES[case]
    names = {f"c{number}": one for number, one in enumerate(constants)}
    node = onnx.helper.make_node(operator, ["x", *names], ["y"], **attributes)
    path = tmp_path / "model.onnx"
    model_of(path, [node], names, opset)
    session = runtime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    (expected,) = session.run(None, {"x": np.zeros(SHAPE, F32)})

    found = imported(path)

    *_, last = found.layers.values()
    assert (2, *last.output) == expected.shape


@pytest.mark.parametrize("case", ["up", "up-same", "up-shape", "up-both", "up-both-upper"])
def test_a_transposed_node_has_the_values_that_the_runtime_gives(
    case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from convt_cli.commands.main import run

    operator, attributes, _, opset = NODES[case]
    random = np.random.default_rng(1)
    weight, bias = random.integers(-9, 9, UP.shape), random.integers(-9, 9, 3)
    constants = {"w": weight.astype(F32), "b": bias.astype(F32)}
    x = random.integers(-9, 9, SHAPE).astype(F32)
    node = onnx.helper.make_node(operator, ["x", "w", "b"], ["y"], **attributes)
    monkeypatch.chdir(tmp_path)
    model_of(tmp_path / "model.onnx", [node], constants, opset)
    session = runtime.InferenceSession("model.onnx", providers=["CPUExecutionProvider"])
    (expected,) = session.run(None, {"x": x})
    np.save("x.npy", x)

    assert run(["import", "model.onnx", "-o", "model.yaml"]) == 0
    assert run(["apply", "model.yaml", "x.npy", "-o", "y.npy", "--bias"]) == 0

    np.testing.assert_array_equal(np.load("y.npy"), expected)
    assert ("output_size" in Path("model.yaml").read_text(encoding="utf-8")) == (case == "up-shape")


@pytest.mark.parametrize("mode", ["CRD", "DCR"])
def test_a_depth_to_space_moves_every_channel_to_where_the_runtime_has_it(
    mode: str, tmp_path: Path
) -> None:
    shape = (1, 8, 2, 3)
    x = np.arange(48, dtype=F32).reshape(shape)
    node = onnx.helper.make_node("DepthToSpace", ["x"], ["y"], blocksize=2, mode=mode)
    value = onnx.helper.make_tensor_value_info
    graph = onnx.helper.make_graph(
        [node],
        "graph",
        [value("x", onnx.TensorProto.FLOAT, shape)],
        [value("y", onnx.TensorProto.FLOAT, None)],
    )
    opsets = [onnx.helper.make_opsetid("", 13)]
    model = onnx.helper.make_model(graph, opset_imports=opsets, ir_version=8)
    path = tmp_path / "model.onnx"
    onnx.save(model, str(path))
    session = runtime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    (expected,) = session.run(None, {"x": x})

    y = x[0]
    for layer in imported(path).layers.values():
        if layer.type == "reshape":
            y = y.reshape(layer.keys["shape"])
        elif layer.type == "transpose":
            y = y.transpose(layer.keys["axes"])
        else:
            assert layer.type == "pixel_shuffle"
            y = y.reshape(2, 2, 2, 2, 3).transpose(0, 3, 1, 4, 2).reshape(2, 4, 6)

    np.testing.assert_array_equal(y, expected[0])


@pytest.mark.parametrize("per_axis", [False, True])
def test_an_unsorted_model_with_a_sparse_weight_has_the_values_that_the_runtime_gives(
    per_axis: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from convt_cli.commands.main import run

    random = np.random.default_rng(2)
    weight = random.integers(-9, 9, (6, 4, 3, 2)).astype(F32) * (random.random((6, 4, 3, 2)) < 0.2)
    places = np.argwhere(weight) if per_axis else np.flatnonzero(weight)
    x = random.integers(0, 9, SHAPE).astype(F32)  # a Relu leaves these as they are
    nodes = [
        onnx.helper.make_node("Conv", ["a", "w"], ["y"], "conv"),
        onnx.helper.make_node("Relu", ["x"], ["a"], "relu"),
    ]
    monkeypatch.chdir(tmp_path)
    model = model_of(tmp_path / "model.onnx", nodes, {}, 13)
    stored = onnx.helper.make_sparse_tensor(
        onnx.numpy_helper.from_array(weight[weight != 0], "w"),
        onnx.numpy_helper.from_array(places, "places"),
        weight.shape,
    )
    model.graph.sparse_initializer.append(stored)
    onnx.save(model, "model.onnx")
    session = runtime.InferenceSession("model.onnx", providers=["CPUExecutionProvider"])
    (expected,) = session.run(None, {"x": x})
    np.save("x.npy", x)

    assert run(["import", "model.onnx", "-o", "model.yaml"]) == 0
    assert run(["apply", "model.yaml", "x.npy", "-o", "y.npy", "--forward"]) == 0

    np.testing.assert_array_equal(np.load("y.npy"), expected)
