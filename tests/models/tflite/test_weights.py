"""Reading `model.tflite#name`: stored numbers, quantised ones, and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from convt_cli.errors import ConvtError
from convt_cli.io.folders import Folder
from convt_cli.models.tflite.weights import open_weights
from convt_cli.operators.dtypes import Array
from tests.models.tflite.samples import Sample, Stored, Vector, op, quantization, saved

pytestmark = pytest.mark.usefixtures("folder")

RELU = op("RELU", "x", "y")


def opened(sample: Sample) -> Any:
    path = saved(sample)
    folder = Folder.of(path, allow_outside=False)
    return open_weights(folder.resolved(path), folder)


def read(constant: Array | Stored, *more: Any, key: str = "w", **tensors: Any) -> Array:
    sample = Sample([RELU, *more], {"x": (1, 4)}, {"w": constant}, ["y"], tensors)
    found: Array = opened(sample).read(key)
    return found


def refused(constant: Array | Stored, *more: Any, key: str = "w") -> ConvtError:
    with pytest.raises(ConvtError) as caught:
        read(constant, *more, key=key)
    return caught.value


@pytest.mark.parametrize(
    "dtype", ["float32", "float16", "int32", "uint8", "int64", "int16", "int8", "bool"]
)
def test_numbers_are_as_they_are_stored(dtype: str) -> None:
    array = np.arange(6).reshape(2, 3).astype(dtype)
    found = read(array)
    assert found.dtype == dtype
    np.testing.assert_array_equal(found, array)


def test_bfloat16_is_widened() -> None:
    halves = Stored((np.array([1.5, -2], np.float32).view(np.uint32) >> 16).astype("u2"), type=18)
    np.testing.assert_array_equal(read(halves), [1.5, -2])


@pytest.mark.parametrize("count", [4, 3])
def test_two_numbers_of_four_bits_are_in_a_byte(count: int) -> None:
    packed = Stored(np.array([0x81, 0x7F], np.uint8), type=17, shape=(count,))
    np.testing.assert_array_equal(read(packed), [1, -8, -1, 7][:count])


class TestQuantised:
    def test_with_one_scale(self) -> None:
        stored = Stored(np.array([0, 3, 255], np.uint8), quantization([0.5], [3]))
        np.testing.assert_array_equal(read(stored), [-1.5, 0, 126])

    @pytest.mark.parametrize("axis", [0, 1])
    def test_with_a_scale_for_each_place_along_an_axis(self, axis: int) -> None:
        array = np.array([[1, -2, 4], [8, -16, 32]], np.int8)
        count = array.shape[axis]
        scales, zeros = [2.0**-place for place in range(count)], list(range(count))
        found = read(Stored(array, quantization(scales, zeros, axis)))
        expected = [
            [(int(array[i, j]) - (i, j)[axis]) * 2.0 ** -(i, j)[axis] for j in range(3)]
            for i in range(2)
        ]
        np.testing.assert_array_equal(found, expected)

    def test_one_zero_point_is_for_all_scales(self) -> None:
        stored = Stored(np.array([1, 1], np.int8), quantization([0.5, 2], [-1]))
        np.testing.assert_array_equal(read(stored), [1, 4])

    def test_a_scale_that_is_infinite(self) -> None:
        stored = Stored(np.array([1, 0], np.int8), quantization([np.inf]))
        np.testing.assert_array_equal(read(stored), [np.inf, np.nan])

    @pytest.mark.parametrize(
        ("scales", "zeros", "axis", "said"),
        [
            ([1, 2, 3], [0], 0, "has 3 scales along axis 0"),
            ([1, 2], [0], 9, "has 2 scales along axis 9"),
            ([1, 2], [0], -1, "has 2 scales along axis -1"),
            ([1], [0, 0], 0, "has 2 zero points"),
        ],
    )
    def test_scales_that_do_not_fit_are_damage(
        self, scales: list[float], zeros: list[int], axis: int, said: str
    ) -> None:
        error = refused(Stored(np.ones(2, np.int8), quantization(scales, zeros, axis)))
        assert error.code == "E405"
        assert said in error.value


SHAPED: dict[str, Any] = {"u": {0: Vector("i", (3, 1))}, "v": {0: Vector("i", (1, 3))}}


class TestBehindNodes:
    def test_a_chain_of_them_leaves_the_numbers(self) -> None:
        nodes = [op("DEQUANTIZE", "w", "u"), op("RESHAPE", "u", "v")]
        stored = Stored(np.array([1, 2, 3], np.int8), quantization([0.5]))
        found = read(stored, *nodes, key="v", **SHAPED)
        np.testing.assert_array_equal(found, [[0.5, 1, 1.5]])

    def test_dequantised_half_precision_is_single(self) -> None:
        found = read(np.ones((3, 1), np.float16), op("DEQUANTIZE", "w", "u"), key="u", **SHAPED)
        assert found.dtype == np.float32

    def test_what_is_computed_otherwise_is_no_constant(self) -> None:
        error = refused(np.ones(3, np.float32), op("EXP", "w", "u"), key="u")
        assert error.code == "E401"
        assert error.value == "it is computed by node 'u' (EXP)"

    def test_a_shape_that_does_not_fit_is_damage(self) -> None:
        error = refused(np.ones(3, np.float32), op("RESHAPE", "w", "u"), key="u")
        assert (error.code, error.value) == ("E405", "'u' is [] of 3")


class TestRefused:
    def test_an_unknown_name_brings_those_that_there_are(self) -> None:
        error = refused(np.ones(3, np.float32), key="v")
        assert error.code == "E401"
        assert error.help.endswith("net.tflite#NAME")
        assert "its constants are w" in error.value

    def test_no_name_at_all(self) -> None:
        assert "a .tflite file needs a key" in str(refused(np.ones(3, np.float32), key=""))

    def test_a_type_that_numpy_has_not(self) -> None:
        error = refused(Stored(np.ones(3, np.uint8), type=5))
        assert (error.code, error.value) == ("E302", "'w' is of the type with number 5")

    def test_fewer_numbers_than_the_shape_has(self) -> None:
        error = refused(Stored(np.ones(3, np.float32), shape=(4,)))
        assert (error.code, error.value) == ("E405", "'w' does not have 4 numbers")

    def test_a_file_that_was_changed_between_two_weights(self) -> None:
        weights = opened(Sample([RELU], {"x": (1, 4)}, {"w": np.ones(3, np.float32)}))
        weights.read("w")
        with Path("net.tflite").open("ab") as file:
            file.write(b"more")
        with pytest.raises(ConvtError, match="it was changed between two weights"):
            weights.read("w")
