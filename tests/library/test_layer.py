"""A layer's numbers and its matrix, against the oracle's dense C on the numbers of the file."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from convt_cli import Layer, coverage, invert, load_spec, singular_values
from convt_cli.errors import ArrayError, FileError, RequestError
from tests import oracle
from tests.conftest import PACKAGE, WriteSpec, environment

RNG = np.random.default_rng(5)

KEYS = "out_channels: 4, kernel_size: [3, 2], stride: [2, 1], groups: 2"
WINDOW: dict[str, Any] = {"stride": [2, 1], "dilation": [1, 1], "groups": 2}
PADS = [(1, 1), (0, 0)]


def layer(spec: WriteSpec, keys: str, weight: oracle.Array, framework: str = "pytorch") -> Layer:
    """A layer of these keys on an input of (2, 7, 6), its weight in a file beside the spec."""
    np.save("w.npy", weight)
    return load_spec(
        spec(f"framework: {framework}\ninput: [2, 7, 6]\nlayers: [{{name: one, {keys}}}]")
    )["one"]


def whole(*shape: int) -> oracle.Array:
    """Integers, whose sums are exact."""
    return RNG.integers(-9, 10, shape).astype(np.float64)


def assert_applies(layer: Layer, action: oracle.Array) -> None:
    """`apply` and `apply_transpose` are A and Aᵀ, on one array and on a batch."""
    x, y = whole(3, *layer.inputs[0]), whole(3, *layer.output)
    forward = (x.reshape(3, -1) @ action.T).reshape(y.shape)
    back = (y.reshape(3, -1) @ action).reshape(x.shape)
    np.testing.assert_array_equal(layer.apply(x), forward)
    np.testing.assert_array_equal(layer.apply(x[0]), forward[0])
    np.testing.assert_array_equal(layer.apply_transpose(y), back)
    np.testing.assert_array_equal(layer.apply_transpose(y[0]), back[0])


class TestConv:
    @pytest.mark.parametrize("mode", ["zeros", "circular", "reflect", "replicate"])
    def test_c_and_the_own_action_are_the_oracle_s_matrix(self, spec: WriteSpec, mode: str) -> None:
        weight = whole(4, 1, 3, 2)
        keys = f"type: conv, {KEYS}, padding: [1, 0], padding_mode: {mode}, weight: w.npy"
        found = layer(spec, keys, weight)
        dense = oracle.matrix(weight, (7, 6), pads=PADS, padding_mode=mode, **WINDOW)
        np.testing.assert_array_equal(found.weight(), weight)
        np.testing.assert_array_equal(found.matrix().toarray(), dense)
        np.testing.assert_array_equal(found.operator() @ np.eye(len(dense[0])), dense)
        assert_applies(found, dense)

    def test_the_weight_of_another_framework_is_put_into_c_s_layout(self, spec: WriteSpec) -> None:
        stored = whole(3, 2, 1, 4)  # (*kernel_size, in // groups, out)
        found = layer(spec, f"type: conv, {KEYS}, weight: w.npy", stored, "tensorflow")
        weight = stored.transpose(3, 2, 0, 1)
        np.testing.assert_array_equal(found.weight(), weight)
        none = [(0, 0), (0, 0)]
        dense = oracle.matrix(weight, (7, 6), pads=none, **WINDOW)
        np.testing.assert_array_equal(found.matrix().toarray(), dense)


class TestConvTranspose:
    @staticmethod
    def drawn(spec: WriteSpec) -> tuple[Layer, oracle.Array]:
        """A layer, and the dense C of the convolution that it transposes."""
        weight = whole(2, 2, 3, 2)  # (in, out // groups, *kernel_size)
        keys = f"type: conv_transpose, {KEYS}, padding: [1, 0], output_padding: [1, 0]"
        found = layer(spec, f"{keys}, weight: w.npy", weight)
        assert found.output == (4, 14, 7)
        return found, oracle.matrix(weight, (14, 7), pads=PADS, output_size=[7, 6], **WINDOW)

    def test_c_has_the_output_as_columns(self, spec: WriteSpec) -> None:
        found, dense = self.drawn(spec)
        np.testing.assert_array_equal(found.matrix().toarray(), dense)
        np.testing.assert_array_equal(found.operator() @ np.eye(len(dense[0])), dense)

    def test_the_own_action_is_the_transpose(self, spec: WriteSpec) -> None:
        found, dense = self.drawn(spec)
        assert_applies(found, dense.T)

    def test_it_is_inverted_as_the_transposed_operator(self, spec: WriteSpec) -> None:
        found, dense = self.drawn(spec)
        y = whole(*found.output)
        expected = np.linalg.lstsq(dense.T, y.ravel(), rcond=1e-10)[0]
        for subject in (found, found.operator().T):
            np.testing.assert_allclose(invert(subject, y).x.ravel(), expected, atol=1e-6)

    def test_the_operator_alone_is_c(self, spec: WriteSpec) -> None:
        found, dense = self.drawn(spec)
        y = whole(*found.inputs[0])
        expected = np.linalg.lstsq(dense, y.ravel(), rcond=1e-10)[0]
        np.testing.assert_allclose(invert(found.operator(), y).x.ravel(), expected, atol=1e-6)

    def test_its_unread_inputs_are_the_empty_columns_of_the_own_action(
        self, spec: WriteSpec
    ) -> None:
        keys = "type: conv_transpose, out_channels: 1, kernel_size: 1, stride: 2, padding: 1"
        found = layer(spec, f"{keys}, weight: w.npy", np.ones((2, 1, 1, 1)))
        dense = found.matrix().toarray()  # rows are the layer's input
        assert coverage(found).unread_inputs == int((~dense.any(axis=1)).sum()) > 0
        assert coverage(found.operator()).unread_inputs == int((~dense.any(axis=0)).sum())


class TestNumbers:
    def test_without_a_weight_it_is_the_fill(self, spec: WriteSpec) -> None:
        text = "input: [1, 4]\nlayers: [{type: conv, out_channels: 2, kernel_size: 3}]"
        found = load_spec(spec(text))
        expected = np.random.default_rng(0).standard_normal((2, 1, 3))
        np.testing.assert_array_equal(found["conv1"].weight(), expected)
        assert found["conv1"].is_filled

    def test_the_bias_is_the_spec_s_or_zeros(self, spec: WriteSpec) -> None:
        text = "input: [1, 4]\nlayers: [{type: conv, out_channels: 2, kernel_size: 3, bias: %s}]"
        assert load_spec(spec(text % "[3, 4]"))["conv1"].bias().tolist() == [3, 4]
        assert load_spec(spec(text % "true"))["conv1"].bias().tolist() == [0, 0]

    @pytest.mark.parametrize(("framework", "shape"), [("pytorch", (2, 3)), ("keras", (3, 2))])
    def test_a_linear_layer_s_weight_is_out_by_in(
        self, spec: WriteSpec, framework: str, shape: tuple[int, int]
    ) -> None:
        stored = whole(*shape)
        np.save("w.npy", stored)
        layers = "[{type: flatten}, {name: fc, type: linear, out_features: 2, weight: w.npy}]"
        text = f"framework: {framework}\ninput: [3, 1]\nlayers: {layers}"
        found = load_spec(spec(text))["fc"]
        expected = stored if framework == "pytorch" else stored.T
        np.testing.assert_array_equal(found.weight(), expected)

    def test_a_dtype_that_cannot_hold_it_is_refused(self, spec: WriteSpec) -> None:
        found = layer(spec, f"type: conv, {KEYS}, weight: w.npy", np.full((4, 1, 3, 2), 0.5))
        assert found.weight("float32").dtype == np.float32
        with pytest.raises(ArrayError, match="must hold integers that fit int8"):
            found.weight("int8")

    def test_files_outside_are_read_if_that_is_allowed(self, spec: WriteSpec) -> None:
        np.save("w.npy", whole(1, 1, 3))
        Path("inner").mkdir()
        keys = "{type: conv, out_channels: 1, kernel_size: 3, weight: ../w.npy}"
        name = spec(f"input: [1, 4]\nlayers: [{keys}]", "inner/net.yaml")
        with pytest.raises(FileError, match="must lie in the folder"):
            load_spec(name)["conv1"].weight()
        assert load_spec(name, allow_outside=True)["conv1"].weight().shape == (1, 1, 3)


@pytest.mark.parametrize(
    ("keys", "padding"),
    [
        ("type: conv, out_channels: 1, kernel_size: [3, 2], padding: same", ((1, 1), (0, 1))),
        (
            "type: conv_transpose, out_channels: 1, kernel_size: 3, padding: [1, 0]",
            ((1, 1), (0, 0)),
        ),
        ("type: conv_transpose, out_channels: 1, kernel_size: 3, padding: causal", ((2, 0),) * 2),
        ("type: max_pool, kernel_size: 3, padding: 1", ((1, 1), (1, 1))),
        ("type: relu", None),
    ],
)
def test_padding_is_a_pair_for_each_axis(
    spec: WriteSpec, keys: str, padding: tuple[tuple[int, int], ...] | None
) -> None:
    assert layer(spec, keys, np.zeros(1)).padding == padding


class TestRefusals:
    @pytest.mark.parametrize("method", ["matrix", "operator"])
    def test_a_layer_without_a_matrix(self, spec: WriteSpec, method: str) -> None:
        relu = layer(spec, "type: relu", np.zeros(1))
        with pytest.raises(RequestError, match="a layer with a matrix is wanted: one is relu"):
            getattr(relu, method)()
        assert relu.convolution is None

    @pytest.mark.parametrize("analysis", [singular_values, coverage])
    def test_its_analysis(self, spec: WriteSpec, analysis: Any) -> None:
        with pytest.raises(RequestError, match="a layer with a matrix is wanted"):
            analysis(layer(spec, "type: relu", np.zeros(1)))

    @pytest.mark.parametrize("method", ["apply", "apply_transpose"])
    def test_applying_it(self, spec: WriteSpec, method: str) -> None:
        with pytest.raises(RequestError, match="a layer with a matrix is wanted"):
            getattr(layer(spec, "type: relu", np.zeros(1)), method)(np.zeros((2, 7, 6)))

    def test_a_weight_that_there_is_not(self, spec: WriteSpec) -> None:
        with pytest.raises(RequestError, match="a layer with a weight is wanted: one is relu"):
            layer(spec, "type: relu", np.zeros(1)).weight()

    def test_an_array_of_another_shape(self, spec: WriteSpec) -> None:
        found = layer(spec, f"type: conv, {KEYS}", np.zeros(1))
        with pytest.raises(ArrayError, match=r"must be \(2, 7, 6\)"):
            found.apply(np.zeros((2, 7, 7)))


def test_numbers_are_what_loads_numpy() -> None:
    code = (
        "import sys; from convt_cli import load_spec; network = load_spec('configs/unet.yaml');"
        "repr(network), network.table(), network._repr_html_(), network['up4'].output;"
        "assert 'numpy' not in sys.modules; network.matrix_layers[0].bias();"
        "assert 'numpy' in sys.modules"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=PACKAGE.parent, env=environment(), check=False, timeout=60
    )
    assert done.returncode == 0
