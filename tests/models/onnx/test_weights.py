"""Weights in models: constants of every kind, and what nodes of constants come to."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from convt_cli.errors import ArrayError, ConvtError, FileError, RequestError
from convt_cli.files.weights import Weights, as_vector
from convt_cli.io import memory
from convt_cli.io.folders import Folder
from convt_cli.models.onnx.file import open_model
from convt_cli.spec.load import load_spec

onnx = pytest.importorskip("onnx")

Array = NDArray[Any]
SHAPE = (4, 2, 3)
NUMBERS = np.arange(24).reshape(SHAPE)


def save(nodes: list[Any], *tensors: Any) -> None:
    graph = onnx.helper.make_graph(nodes, "net", [], [], list(tensors))
    onnx.save(onnx.helper.make_model(graph), "m.onnx")


def tensor(array: Any, name: str) -> Any:
    return onnx.numpy_helper.from_array(np.asarray(array), name)


def read(reference: str, bias: str = "false") -> tuple[Array, Array]:
    """Weight and bias of a conv with 4 output channels, 2 input channels and a kernel of 3."""
    Path("net.yaml").write_text(
        "framework: onnx\ninput: [2, 8]\nlayers:\n  - {type: conv, out_channels: 4, "
        f'kernel_size: 3, weight: "{reference}", bias: "{bias}"}}\n'.replace('"false"', "false"),
        encoding="utf-8",
    )
    network = load_spec("net.yaml")
    (layer,) = network.matrix_layers
    weights = Weights(network)
    return weights.weight(layer), weights.bias(layer)


@pytest.fixture(autouse=True)
def _in_the_folder(folder: Path) -> None:
    pass


class TestConstants:
    @pytest.mark.parametrize(
        "dtype",
        [
            *("float16", "float32", "float64", "int8", "int16", "int32", "int64"),
            *("uint8", "uint16", "uint32", "uint64", "complex64", "complex128"),
        ],
    )
    @pytest.mark.parametrize("raw", [True, False])
    def test_an_initializer_of_any_type(self, dtype: str, raw: bool) -> None:
        array = NUMBERS.astype(dtype)
        kind = onnx.helper.np_dtype_to_tensor_dtype(array.dtype)
        values = array.tobytes() if raw else array.ravel()
        save([], onnx.helper.make_tensor("w", kind, SHAPE, values, raw=raw))
        weight, _ = read("m.onnx#w")
        assert weight.dtype == np.dtype(dtype)
        np.testing.assert_array_equal(weight, array)

    @pytest.mark.parametrize("raw", [True, False])
    def test_bfloat16_is_widened(self, raw: bool) -> None:
        bits = (NUMBERS.astype(np.float32).view(np.uint32) >> 16).astype("<u2")
        made = onnx.TensorProto(name="w", data_type=onnx.TensorProto.BFLOAT16, dims=SHAPE)
        if raw:
            made.raw_data = bits.tobytes()
        else:
            made.int32_data.extend(bits.ravel().tolist())
        save([], made)
        weight, _ = read("m.onnx#w")
        assert weight.dtype == np.float32
        np.testing.assert_array_equal(weight, NUMBERS)

    def test_a_constant_node(self) -> None:
        value = tensor(NUMBERS.astype(np.float32), "")
        save([onnx.helper.make_node("Constant", [], ["w"], value=value)])
        weight, _ = read("m.onnx#w")
        np.testing.assert_array_equal(weight, NUMBERS)

    @pytest.mark.parametrize("shape", [(4,), (4, 1), (1, 4, 1, 1)])
    def test_a_bias_may_have_axes_of_1_around_it(self, shape: tuple[int, ...]) -> None:
        save([], tensor(NUMBERS, "w"), tensor(np.arange(4.0).reshape(shape), "b"))
        _, bias = read("m.onnx#w", "m.onnx#b")
        assert bias.tolist() == [0, 1, 2, 3]

    @pytest.mark.parametrize(
        ("stored", "wanted", "expected"),
        [
            ((), (3,), (3,)),
            ((3, 1), (3,), (3,)),
            ((2, 2), (4,), (2, 2)),
            ((5,), (3,), (5,)),
            ((3, 1), (3, 1, 1), (3, 1)),
        ],
    )
    def test_only_what_broadcasts_to_a_vector_becomes_one(
        self, stored: tuple[int, ...], wanted: tuple[int, ...], expected: tuple[int, ...]
    ) -> None:
        assert as_vector(np.zeros(stored), wanted).shape == expected


class TestFolded:
    def make(self, *steps: tuple[str, list[str], dict[str, Any]], **constants: Any) -> Array:
        """What the last of some nodes gives; each is called n0, n1, ..."""
        nodes = [
            onnx.helper.make_node(operator, inputs, [f"n{number}"], **attributes)
            for number, (operator, inputs, attributes) in enumerate(steps)
        ]
        save(nodes, *(tensor(array, name) for name, array in constants.items()))
        return read(f"m.onnx#n{len(nodes) - 1}")[0]

    def test_a_constant_of_shape(self) -> None:
        value = tensor(np.array([0.5], np.float32), "")
        made = self.make(("ConstantOfShape", ["s"], {"value": value}), s=np.array(SHAPE))
        np.testing.assert_array_equal(made, np.full(SHAPE, 0.5, np.float32))

    def test_a_chain_of_views_and_casts(self) -> None:
        made = self.make(
            ("Transpose", ["w"], {"perm": [2, 1, 0]}),
            ("Identity", ["n0"], {}),
            ("Reshape", ["n1", "flat"], {}),
            ("Cast", ["n2"], {"to": 11}),
            ("Reshape", ["n3", "shape"], {}),
            w=NUMBERS.transpose(2, 1, 0).astype(np.float32),
            flat=np.array([-1]),
            shape=np.array(SHAPE),
        )
        assert made.dtype == np.float64
        np.testing.assert_array_equal(made, NUMBERS)

    def test_arithmetic(self) -> None:
        """Weight normalisation: v * (g / norm)."""
        made = self.make(
            ("Div", ["g", "norm"], {}),
            ("Unsqueeze", ["n0", "axes"], {}),
            ("Mul", ["v", "n1"], {}),
            v=NUMBERS.astype(np.float32),
            g=np.array([2, 4, 6, 8], np.float32),
            norm=np.float32(2),
            axes=np.array([1, 2]),
        )
        np.testing.assert_array_equal(made, NUMBERS * np.arange(1, 5)[:, None, None])

    def test_parts_of_a_larger_tensor(self) -> None:
        made = self.make(
            ("Slice", ["w", "two", "ten", "zero"], {}),
            ("Gather", ["n0", "order"], {"axis": 0}),
            w=np.concatenate([NUMBERS - 100, NUMBERS])[2:],
            two=np.array([2]),
            ten=np.array([10]),
            zero=np.array([0]),
            order=np.array([0, 1, 2, 3]),
        )
        np.testing.assert_array_equal(made, NUMBERS)

    def test_a_huge_one_is_no_weight_and_costs_nothing(self) -> None:
        with pytest.raises(ArrayError) as caught:
            self.make(("ConstantOfShape", ["s"], {}), s=np.array([2**20, 2**20]))
        assert caught.value.code == "E121"

    def test_what_does_not_fit_into_memory_is_refused(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(memory, "available", lambda: 2**16)
        with pytest.raises(RequestError) as caught:
            self.make(
                ("Add", ["a", "b"], {}),
                a=np.zeros((500, 1), np.float32),
                b=np.zeros((1, 500), np.float32),
            )
        assert caught.value.code == "E501"


class TestRefused:
    def refused(self, reference: str) -> ConvtError:
        with pytest.raises(ConvtError) as caught:
            read(reference)
        return caught.value

    def test_an_unknown_name(self) -> None:
        save([], tensor(NUMBERS, "conv1.weight"))
        error = self.refused("m.onnx#conv1.wieght")
        assert (error.code, error.help) == ("E401", "did you mean 'conv1.weight'?")
        assert isinstance(error, FileError)

    def test_no_name(self) -> None:
        save([], tensor(NUMBERS, "w"))
        assert self.refused("m.onnx").message == "an .onnx file needs a key"

    def test_what_is_computed_from_the_input(self) -> None:
        value = onnx.helper.make_tensor_value_info("x", 1, (4, 2, 3))
        graph = onnx.helper.make_graph(
            [onnx.helper.make_node("Relu", ["x"], ["y"])], "net", [value], []
        )
        onnx.save(onnx.helper.make_model(graph), "m.onnx")
        error = self.refused("m.onnx#y")
        assert error.message.startswith("'y' in ")
        assert error.value == "it is computed from the input 'x'"

    def test_an_operator_that_is_not_computed(self) -> None:
        save([onnx.helper.make_node("Tan", ["w"], ["y"])], tensor(np.ones(SHAPE), "w"))
        assert "Tan is not computed" in self.refused("m.onnx#y").value

    def test_text(self) -> None:
        save([], onnx.helper.make_tensor("w", onnx.TensorProto.STRING, (1,), [b"abc"]))
        assert self.refused("m.onnx#w").code == "E302"

    def test_truth(self) -> None:
        save([], tensor(np.ones(SHAPE, bool), "w"))
        assert self.refused("m.onnx#w").code == "E302"

    def test_another_shape(self) -> None:
        save([], tensor(np.ones((4, 3, 2)), "w"))
        assert self.refused("m.onnx#w").code == "E121"

    def test_a_damaged_file(self) -> None:
        Path("m.onnx").write_bytes(b"\x80\x04canary")
        assert self.refused("m.onnx#w").code == "E405"


def test_the_model_is_opened_once(monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []

    def counting(path: str, *, within: Folder) -> Any:
        opened.append(path)
        return open_model(path, within=within)

    monkeypatch.setattr("convt_cli.models.onnx.weights.open_model", counting)
    save([], tensor(NUMBERS, "w"), tensor(np.arange(4), "b"))
    read("m.onnx#w", "m.onnx#b")
    assert len(opened) == 1
