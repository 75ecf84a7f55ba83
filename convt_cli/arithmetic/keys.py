"""The kinds of value that a layer's keys take, and the values themselves.

A layer type is a dataclass whose fields are made by `key`, each with a kind: the reader of specs,
the manual and the help all read these kinds.  `spec.values` turns text into such values.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from math import gcd
from typing import Any, NamedTuple

from convt_cli.errors import GeometryError

PerAxis = int | tuple[int, ...]
"""One integer for all spatial axes, or one per axis."""
Pair = tuple[int, int]
"""(before, after) of one axis, or another pair of integers."""
Padding = int | str | tuple[int, ...] | tuple[Pair, ...]
"""Padding as it is written: for all axes, as a word, per axis, or as a pair per axis."""

LARGEST = 2**53
"""The largest absolute value of a number in a spec: a double holds every integer up to it."""
FILLS = ("ones", "index", "bilinear", "normal")
"""The rules by which a weight without numbers is filled."""


class Integer(NamedTuple):
    """One integer, at least `minimum` and at most 2^53."""

    minimum: int


class Number(NamedTuple):
    """One number, at least `minimum` where that is given."""

    minimum: float | None = None


class IntegerPerAxis(NamedTuple):
    """One integer for all spatial axes, a list with one per axis, or one of `words`."""

    minimum: int
    words: tuple[str, ...] = ()


class FactorPerAxis(NamedTuple):
    """One number above 0 for all spatial axes, or a list with one per axis; see `Factor`."""


class PaddingPerAxis(NamedTuple):
    """An integer, one per axis, a [before, after] pair per axis, or one of `words`."""

    words: tuple[str, ...] = ()


class Sizes(NamedTuple):
    """A list of integers, at least `minimum` each."""

    minimum: int


class Flag(NamedTuple):
    """true or false."""


class Word(NamedTuple):
    """One of `choices`."""

    choices: tuple[str, ...]


class Weight(NamedTuple):
    """A file reference, nested lists, or a fill; with `scalar` also a single number."""

    scalar: bool = False


class Bias(NamedTuple):
    """true, false, or a value of kind `Weight`."""

    scalar: bool = False


class EarlierLayer(NamedTuple):
    """The name of a layer of `layer_type` further up; the value is that layer's definition.

    The shape of its source is appended to the sources of the layer that names it.
    """

    layer_type: str


class EarlierShape(NamedTuple):
    """The name of a layer further up, or of an input.

    Its shape is appended to the sources of the layer that names it.
    """


Kind = (
    Integer
    | Number
    | IntegerPerAxis
    | FactorPerAxis
    | PaddingPerAxis
    | Sizes
    | Flag
    | Word
    | Weight
    | Bias
    | EarlierLayer
    | EarlierShape
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ratio:
    """numerator / denominator in lowest terms, both at least 1.

    >>> str(Ratio.of(6, 4)), str(Ratio.of(6, 3))
    ('3/2', '2')
    """

    numerator: int
    denominator: int = 1

    @classmethod
    def of(cls, numerator: int, denominator: int) -> Ratio:
        """numerator / denominator in lowest terms."""
        common = gcd(numerator, denominator)
        return cls(numerator=numerator // common, denominator=denominator // common)

    def __str__(self) -> str:
        return str(self.numerator) + (f"/{self.denominator}" if self.denominator > 1 else "")


Factor = Ratio | float
"""A scale factor: an exact ratio (2, 3/2, 1.5), or a decimal that a double rounds (1.15)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FileReference:
    """`file#key`: an array in a file; `key` is empty where the file holds one array.

    The array is used with its `axes` in that order and then in `shape`, where these are given.
    """

    file: str
    key: str = ""
    axes: tuple[int, ...] | None = None
    shape: tuple[int, ...] | None = None

    def __str__(self) -> str:
        return f"{self.file}#{self.key}" if self.key else self.file


@dataclass(frozen=True, slots=True, kw_only=True)
class Fill:
    """A weight made by a rule, one of `FILLS`."""

    fill: str = "normal"
    seed: int = 0

    def __str__(self) -> str:
        return f"fill {self.fill}" + (f", seed {self.seed}" if self.fill == "normal" else "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Inline:
    """A weight written in the spec: its shape and its numbers in row-major order."""

    shape: tuple[int, ...]
    values: tuple[int | float, ...]

    def __str__(self) -> str:
        return "written in the spec"


WeightSource = FileReference | Fill | Inline
"""Where the numbers of a weight or a bias come from."""

DEFAULT_FILL = Fill()
"""The weight of a layer whose spec names none."""
FILL_NOTE = f"no weight; using {DEFAULT_FILL}"
"""What notes say of a layer whose weight the spec does not name."""


def key(kind: Kind, description: str, **default: Any) -> Any:
    """A dataclass field that is a key of a layer; without `default=` it is required."""
    return dataclasses.field(metadata={"kind": kind, "description": description}, **default)


def per_axis(value: PerAxis, rank: int, field: str) -> tuple[int, ...]:
    """`value` as one integer per spatial axis.  Raises GeometryError (E106)."""
    if isinstance(value, int):
        return (value,) * rank
    require_rank(len(value), rank, field)
    return value


def require_rank(count: int, rank: int, field: str) -> None:
    """Raise GeometryError (E106) unless `field` has one entry per spatial axis."""
    if count != rank:
        raise GeometryError(
            "E106",
            f"{field} takes one integer, or one entry for each of the {rank} spatial axes",
            field=field,
            value=f"got {count} entries",
            help=f"write one integer or a list of {rank}; an input has no batch axis",
        )
