"""Attributes with a value per axis, checked, and written as briefly as a spec allows."""

from __future__ import annotations

from convt_cli.arithmetic.keys import LARGEST, Padding, Pair
from convt_cli.models.onnx.operation import Operation
from convt_cli.models.translation import short_pairs

_PADDING_WORDS: dict[str, Padding] = {
    "SAME_UPPER": "same",
    "SAME_LOWER": "same_lower",
    "VALID": 0,
}
"""The values of auto_pad, as the padding of a spec."""


def pairs_of(pads: tuple[int, ...]) -> tuple[Pair, ...]:
    """One (before, after) pair per axis, of ONNX's pads: all of before, then all of after.

    >>> pairs_of((0, 1, 2, 3))
    ((0, 2), (1, 3))
    """
    half = len(pads) // 2
    return tuple(zip(pads[:half], pads[half:]))


def attribute_per_axis(
    operation: Operation, name: str, rank: int, default: int = 1
) -> tuple[int, ...]:
    """The attribute `name`: an integer for each of `rank` axes, `default` or more."""
    values = operation.node.integers(name) or (default,) * rank
    require_bounded(operation, name, values, default)
    if len(values) != rank:
        operation.refuse(f"{name} has {len(values)} entries for {rank} axes", code="E106")
    return values


def require_bounded(
    operation: Operation, name: str, values: tuple[int, ...], least: int, most: int = LARGEST
) -> None:
    """Raise Untranslatable for a value below `least`, or above what a spec can hold."""
    if not all(least <= value <= most for value in values):
        operation.refuse(f"{name} is {list(values)}, not {least} or more", code="E107")


def padding(operation: Operation, rank: int) -> Padding:
    """The padding of a layer: a word for `auto_pad`, else the numbers of `pads`."""
    word = operation.node.word("auto_pad", "NOTSET")
    if word in _PADDING_WORDS:
        return _PADDING_WORDS[word]
    if word not in ("NOTSET", ""):
        operation.refuse(f"its auto_pad is '{word}'")
    return short_pairs(pairs_of(attribute_per_axis(operation, "pads", 2 * rank, 0)))
