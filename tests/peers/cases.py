"""A case: one layer in a spec's words on one input, and the numbers that go into it.

Input and weight come from a rule that needs no library, so that a file of results can be checked
where no framework is installed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import lcm, prod
from typing import Any
from zlib import crc32

import numpy as np

from tests.oracle import Array

Shape = tuple[int, ...]
Layer = dict[str, Any]
Pairs = tuple[tuple[int, int], ...]

WORDS = ("same", "same_lower", "valid")
NOTHING = -(2**31)
CHANNELS_LAST = ("tensorflow", "keras", "jax")


@dataclass(frozen=True)
class Case:
    """One layer, in a spec's words, on an input of shape (channels, *spatial)."""

    framework: str
    layer: Layer
    input: Shape
    opset: int | None = None

    @property
    def rank(self) -> int:
        return len(self.input) - 1

    @property
    def sizes(self) -> Shape:
        return self.input[1:]

    @property
    def type(self) -> str:
        return str(self.layer["type"])

    @property
    def pools(self) -> bool:
        return self.type.endswith("_pool")

    def axes(self, key: str, default: int | Shape = 1) -> Shape:
        """`key` with one int per axis."""
        value = self.layer.get(key, default)
        return (value,) * self.rank if isinstance(value, int) else tuple(value)

    @property
    def kernel_size(self) -> Shape:
        return self.axes("kernel_size")

    @property
    def stride(self) -> Shape:
        """A pool's is its kernel_size unless told."""
        return self.axes("stride", self.kernel_size if self.pools else 1)

    @property
    def dilation(self) -> Shape:
        return self.axes("dilation")

    @property
    def groups(self) -> int:
        return int(self.layer.get("groups", 1))

    @property
    def out_channels(self) -> int:
        return int(self.layer["out_channels"])

    @property
    def word(self) -> str | None:
        padding = self.layer.get("padding", 0)
        return padding if isinstance(padding, str) else None

    @property
    def pairs(self) -> Pairs:
        """The (before, after) of every axis, for padding that is no word."""
        padding = self.layer.get("padding", 0)
        entries = [padding] * self.rank if isinstance(padding, int) else padding
        return tuple((e, e) if isinstance(e, int) else (e[0], e[1]) for e in entries)

    @property
    def weight_shape(self) -> Shape:
        """In the framework's own layout."""
        outer, inner = self.out_channels, self.input[0]
        if self.framework == "jax" and self.type == "conv_transpose" and not self.flipped:
            return (*self.kernel_size, inner, outer)
        if self.type == "conv_transpose":
            outer, inner = inner, outer
        if self.framework in CHANNELS_LAST:
            return (*self.kernel_size, inner // self.groups, outer)
        return (outer, inner // self.groups, *self.kernel_size)

    @property
    def flipped(self) -> bool:
        return bool(self.layer.get("transpose_kernel", False))

    @property
    def scale(self) -> int:
        """What an average is multiplied by to be an integer, whatever its divisor."""
        if self.type != "avg_pool":
            return 1
        return prod(lcm(*range(1, taps + 1)) for taps in self.kernel_size)


def numbers(shape: Sequence[int], salt: int) -> Array:
    """int64 in -9..9: element j is ((j + salt) * 2654435761 mod 2^32) div 2^16 mod 19, less 9."""
    places = np.arange(prod(shape), dtype=np.int64) + salt
    mixed: Array = (places * 2654435761 % 2**32 // 2**16 % 19 - 9).reshape(shape)
    return mixed


def source_of(case: Case) -> Array:
    return numbers(case.input, 1)


def weight_of(case: Case) -> Array:
    return numbers(case.weight_shape, 1001)


def digest(result: Array) -> tuple[int, int]:
    """(sum, crc32 of the row-major little-endian int64 bytes)."""
    whole = np.ascontiguousarray(result, dtype="<i8")
    return int(whole.sum()), crc32(whole.tobytes())


def whole_numbers(case: Case, result: Array) -> Array:
    """`result` times `case.scale` as int64; it must have been integers.

    What a framework makes of a window of padding alone, nan or -inf, becomes NOTHING.
    """
    scaled = np.asarray(result, np.float64) * case.scale
    scaled = np.where(np.isfinite(scaled), scaled, NOTHING)
    rounded = np.rint(scaled)
    if not np.all(np.abs(scaled - rounded) < 0.02):
        raise AssertionError(f"{case}: {result}")
    return rounded.astype(np.int64)


def floored(case: Case) -> Shape:
    """floor((n + before + after - ke) / s) + 1 of every axis; none of it for the words same."""
    if case.word in ("same", "same_lower"):
        return ()
    pairs = ((0, 0),) * case.rank if case.word else case.pairs
    axes = zip(case.sizes, case.kernel_size, case.stride, case.dilation, pairs, strict=True)
    return tuple((n + b + a - (k - 1) * d - 1) // s + 1 for n, k, s, d, (b, a) in axes)
