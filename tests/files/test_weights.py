"""A layer's numbers: found where the spec says, in the shape and the dtype that are wanted."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from convt_cli.errors import ArrayError, ConvtError, FileError
from convt_cli.files.weights import Weights, cast
from convt_cli.spec.load import load_spec

Array = NDArray[Any]

Find = Callable[..., tuple[Array, Array]]
"""Weight and bias of a conv with 4 output channels, 2 input channels and a kernel of 3."""


@pytest.fixture
def find(folder: Path) -> Find:
    def find(keys: str, dtype: str | None = None, layer_type: str = "conv") -> tuple[Array, Array]:
        text = (
            "input: [2, 8]\nlayers:\n"
            f"  - {{type: {layer_type}, out_channels: 4, kernel_size: 3, {keys}}}\n"
        )
        (folder / "net.yaml").write_text(text, encoding="utf-8")
        network = load_spec("net.yaml")
        (layer,) = network.matrix_layers
        weights = Weights(network)
        wanted = None if dtype is None else np.dtype(dtype)
        return weights.weight(layer, wanted), weights.bias(layer, wanted)

    return find


def numbers(*shape: int, dtype: str = "float64") -> Array:
    return np.arange(np.prod(shape)).reshape(shape).astype(dtype)


class TestSources:
    def test_a_npy_file(self, find: Find) -> None:
        np.save("w.npy", numbers(4, 2, 3, dtype="float32"))
        weight, _ = find("weight: w.npy")
        assert weight.dtype == np.float32
        np.testing.assert_array_equal(weight, numbers(4, 2, 3))

    def test_a_key_of_an_archive(self, find: Find) -> None:
        np.savez("w.npz", w=numbers(4, 2, 3), b=numbers(4))
        weight, bias = find("weight: w.npz#w, bias: w.npz#b")
        np.testing.assert_array_equal(weight, numbers(4, 2, 3))
        np.testing.assert_array_equal(bias, numbers(4))

    def test_a_transposed_layer_s_file_is_in_channels_by_out_channels(self, find: Find) -> None:
        np.save("w.npy", numbers(2, 4, 3))
        weight, bias = find("weight: w.npy, bias: [1, 2, 3, 4]", layer_type="conv_transpose")
        np.testing.assert_array_equal(weight, numbers(2, 4, 3))
        assert bias.tolist() == [1, 2, 3, 4]

    def test_big_endian_numbers_come_in_native_order(self, find: Find) -> None:
        np.save("w.npy", numbers(4, 2, 3, dtype=">f4"))
        weight, _ = find("weight: w.npy")
        assert weight.dtype == np.dtype("=f4")
        np.testing.assert_array_equal(weight, numbers(4, 2, 3))

    @pytest.mark.parametrize(("first", "dtype"), [("0", "int64"), ("0.5", "float64")])
    def test_nested_lists(self, find: Find, first: str, dtype: str) -> None:
        rows = [[[3 * (2 * o + i) + t for t in range(3)] for i in range(2)] for o in range(4)]
        weight, _ = find(f"weight: {str(rows).replace('0', first, 1)}")
        assert weight.dtype == dtype
        assert (weight[0, 0, 0], weight[3, 1, 2]) == (float(first), 23)

    @pytest.mark.parametrize(
        ("fill", "expected"),
        [
            ("ones", np.ones((4, 2, 3))),
            ("index", numbers(4, 2, 3) + 1),
            ("bilinear", np.broadcast_to([0.5, 1.0, 0.5], (4, 2, 3))),
            ("normal", np.random.default_rng(0).standard_normal((4, 2, 3))),
            ("normal, seed: 5", np.random.default_rng(5).standard_normal((4, 2, 3))),
        ],
        ids=str,
    )
    def test_a_fill(self, find: Find, fill: str, expected: Array) -> None:
        weight, _ = find(f"weight: {{fill: {fill}}}")
        assert weight.dtype == np.float64
        np.testing.assert_array_equal(weight, expected)

    def test_without_one_it_is_normal_with_seed_0(self, find: Find) -> None:
        weight, _ = find("")
        expected = np.random.default_rng(0).standard_normal((4, 2, 3))
        np.testing.assert_array_equal(weight, expected)

    @pytest.mark.parametrize("bias", ["", "bias: true", "bias: false"])
    def test_a_bias_without_numbers_is_zero(self, find: Find, bias: str) -> None:
        _, found = find(bias)
        assert found.tolist() == [0, 0, 0, 0]

    def test_a_bias_can_be_filled(self, find: Find) -> None:
        _, bias = find("bias: {fill: index}")
        assert bias.tolist() == [1, 2, 3, 4]


class TestRearranged:
    """`axes` first, then `shape`, as numpy.transpose and numpy.reshape have them."""

    def test_axes_and_shape(self, find: Find) -> None:
        np.save("w.npy", numbers(6, 4))
        weight, _ = find("weight: {from: w.npy, axes: [1, 0], shape: [4, 2, 3]}")
        # stored is (input and tap, output): element (o, i, t) is row 3i + t of column o
        assert weight[2, 1, 0] == 4 * (3 * 1 + 0) + 2
        assert weight[3, 0, 2] == 4 * (3 * 0 + 2) + 3

    @pytest.mark.parametrize(
        ("keys", "wanted"),
        [("axes: [2, 1, 0]", "axes [2, 1, 0]"), ("shape: [4, 2, 4]", "shape [4, 2, 4]")],
    )
    def test_what_does_not_fit_is_refused(self, find: Find, keys: str, wanted: str) -> None:
        np.save("w.npy", numbers(6, 4))
        with pytest.raises(ArrayError) as caught:
            find(f"weight: {{from: w.npy, {keys}}}")
        assert caught.value.code == "E121"
        assert caught.value.message == f"an array that is brought to {wanted} must fit it"
        assert "is (6, 4)" in caught.value.value


class TestRefused:
    @pytest.mark.parametrize(
        "shape", [(4, 2), (4, 2, 3, 1), (2, 4, 3), (3, 2, 4), (24,), (4, 2, 4)], ids=str
    )
    def test_another_shape(self, find: Find, shape: tuple[int, ...]) -> None:
        np.save("w.npy", np.ones(shape))
        with pytest.raises(ArrayError) as caught:
            find("weight: w.npy")
        assert caught.value.code == "E121"
        assert caught.value.message == "the weight of conv1 must be (4, 2, 3)"
        assert caught.value.value == f"w.npy is {shape}"

    @pytest.mark.parametrize("shape", [(), (1,), (5,), (4, 1), (1, 4)], ids=str)
    def test_a_bias_of_another_shape(self, find: Find, shape: tuple[int, ...]) -> None:
        np.save("b.npy", np.ones(shape))
        with pytest.raises(ArrayError) as caught:
            find("bias: b.npy")
        assert caught.value.code == "E121"

    @pytest.mark.parametrize("dtype", ["bool", "U3", "S3", "M8[s]", "m8[s]", "V4", "f4,i4"])
    def test_what_is_no_number(self, find: Find, dtype: str) -> None:
        np.save("w.npy", np.zeros((4, 2, 3), dtype))
        with pytest.raises(ArrayError) as caught:
            find("weight: w.npy")
        assert caught.value.code == "E302"

    @pytest.mark.parametrize("reference", ["w.npz", "w.npz#c", "none.npy", "w.txt", "w.h5#a"])
    def test_what_cannot_be_found(self, find: Find, reference: str) -> None:
        np.savez("w.npz", a=np.ones(1), b=np.ones(1))
        with pytest.raises(FileError) as caught:
            find(f"weight: {reference}")
        assert caught.value.code == "E401"

    def test_a_damaged_file(self, find: Find) -> None:
        Path("w.npy").write_bytes(b"\x93NUMPY")
        with pytest.raises(ArrayError) as caught:
            find("weight: w.npy")
        assert caught.value.code == "E303"


class TestCast:
    @pytest.mark.parametrize(
        ("dtype", "wanted"),
        [
            ("float64", "float32"),
            ("float64", "float16"),
            ("float64", "complex64"),
            ("int64", "float64"),
            ("float32", "int8"),
            ("uint8", "int8"),
            ("complex128", "complex64"),
        ],
    )
    def test_numbers_that_fit_are_converted(self, find: Find, dtype: str, wanted: str) -> None:
        np.save("w.npy", numbers(4, 2, 3, dtype=dtype))
        weight, bias = find("weight: w.npy", wanted)
        assert weight.dtype == bias.dtype == wanted
        np.testing.assert_array_equal(weight, numbers(4, 2, 3))

    @pytest.mark.parametrize(
        ("value", "dtype", "wanted"),
        [
            (0.5, "float64", "int64"),
            (-0.1, "float64", "int8"),
            (128, "int64", "int8"),
            (-129, "int64", "int8"),
            (2**31, "int64", "int32"),
            (2**63, "uint64", "int64"),
            (2.0**63, "float64", "int64"),
            (1e300, "float64", "int32"),
            (float("nan"), "float64", "int32"),
            (float("inf"), "float64", "int64"),
            (1j, "complex128", "float64"),
            (1, "complex64", "int64"),
        ],
    )
    def test_numbers_that_do_not_fit_are_refused(
        self, value: complex, dtype: str, wanted: str
    ) -> None:
        with pytest.raises(ArrayError) as caught:
            cast(np.array([value]).astype(dtype), np.dtype(wanted), "array")
        assert caught.value.code == "E302"

    @pytest.mark.parametrize(
        ("value", "dtype", "wanted"),
        [(1e10, "float64", "float16"), (1e300, "float64", "float32"), (2**60, "int64", "float16")],
    )
    def test_a_number_too_large_for_a_float_makes_no_warning(
        self, value: float, dtype: str, wanted: str
    ) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            assert outcome(np.array([value]).astype(dtype), wanted) in {"inf", "E302"}

    def test_nan_stays_nan_among_floats(self) -> None:
        assert np.isnan(cast(np.array([np.nan]), np.dtype("float32"), "array")).all()


def outcome(array: Array, wanted: str) -> str:
    """The one number of `array` as `wanted`, or the code of convt's own error."""
    try:
        return str(cast(array, np.dtype(wanted), "array")[0])
    except ConvtError as error:
        return error.code
