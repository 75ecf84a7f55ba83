"""Number types: rounding as NumPy and the bits of bfloat16 have it, and arrays by their types."""

from __future__ import annotations

import struct
from typing import Any

import numpy as np
import pytest

from convt_cli.analysis.diagnose.precision import PRECISIONS, numbers
from convt_cli.arithmetic.vocabulary import ACCUMULATORS
from convt_cli.errors import ArrayError

RNG = np.random.default_rng(1)
ODD = np.array([0.0, -0.0, 1.0, 65519.9, 65520.0, 1e-8, 3e-8, 6e-5, 1e39, -1e300, np.inf, np.nan])
MANY = np.concatenate([ODD, RNG.standard_normal(2000) * 10.0 ** RNG.integers(-44, 39, 2000)])


def bfloat16_bits(x: Any) -> Any:
    """The upper 16 bits of float32 numbers, rounded to even by hand."""
    bits = x.astype(np.float32).view(np.uint32).astype(np.uint64)
    return ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).astype(np.uint16)


def packed(x: float, letter: str) -> float:
    """A number as Python's struct rounds it, which refuses what is too large."""
    try:
        return float(struct.unpack(letter, struct.pack(letter, x))[0])
    except OverflowError:
        return float(np.copysign(np.inf, x))


@pytest.mark.parametrize(("name", "letter"), [("float16", "e"), ("float32", "f"), ("float64", "d")])
def test_rounding_is_to_the_nearest_ties_to_even(name: str, letter: str) -> None:
    expected = [packed(float(x), letter) for x in MANY]
    np.testing.assert_array_equal(PRECISIONS[name].rounded(MANY), expected)


def test_bfloat16_is_the_upper_half_of_float32() -> None:
    exact = MANY[abs(MANY) < 1e38].astype(np.float32)
    bits = bfloat16_bits(exact).astype(np.uint32) << 16
    np.testing.assert_array_equal(PRECISIONS["bfloat16"].rounded(exact), bits.view(np.float32))


def test_tf32_keeps_ten_bits_behind_the_leading_one() -> None:
    assert PRECISIONS["tf32"].rounded(
        np.array([1 + 2**-10, 1 + 2**-11, 1 + 3 * 2**-11])
    ).tolist() == [
        1 + 2**-10,
        1.0,
        1 + 2**-9,
    ]


@pytest.mark.parametrize("name", PRECISIONS)
def test_one_rounding_is_off_by_at_most_its_unit(name: str) -> None:
    one = PRECISIONS[name]
    x = MANY[np.isfinite(MANY) & (abs(MANY) < one.largest)]
    errors = abs(one.rounded(x) - x)
    assert (errors <= np.maximum(one.unit * abs(x), one.smallest / 2)).all()


def test_the_command_line_offers_every_type() -> None:
    assert tuple(PRECISIONS) == ACCUMULATORS


class TestNumbers:
    @pytest.mark.parametrize(
        ("dtype", "name"),
        [("float16", "float16"), (">f4", "float32"), ("float64", "float64"), ("int32", "float64")],
    )
    def test_an_array_has_the_precision_of_its_dtype(self, dtype: str, name: str) -> None:
        array, found = numbers(np.arange(3).astype(dtype), "x")
        assert (array.tolist(), found.name) == ([0, 1, 2], name)

    def test_bfloat16_is_known_by_its_two_bytes(self) -> None:
        array, found = numbers(bfloat16_bits(np.array([1.0, -2.5])).view("V2"), "x")
        assert (array.tolist(), found.name) == ([1.0, -2.5], "bfloat16")

    @pytest.mark.parametrize("dtype", ["complex64", "bool", "U3"])
    def test_what_is_no_real_number_is_refused(self, dtype: str) -> None:
        with pytest.raises(ArrayError, match="must hold"):
            numbers(np.zeros(2, dtype), "x")
