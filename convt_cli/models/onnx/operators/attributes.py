"""Attributes that are read for every spatial axis, and values as short as a spec can say them."""

from __future__ import annotations

from convt_cli.arithmetic.keys import LARGEST, Padding, Pair, PerAxis
from convt_cli.models.onnx.operation import Operation

_WORDS: dict[str, Padding] = {"SAME_UPPER": "same", "SAME_LOWER": "same_lower", "VALID": 0}


def short(values: tuple[int, ...]) -> PerAxis:
    """One integer where all are equal.

    >>> short((3, 3)), short((3, 1))
    (3, (3, 1))
    """
    return values[0] if len(set(values)) == 1 else values


def short_pairs(pairs: tuple[Pair, ...]) -> Padding:
    """One integer, or one per axis, where before and after are equal.

    >>> short_pairs(((1, 1), (1, 1))), short_pairs(((1, 1), (2, 2))), short_pairs(((0, 1),))
    (1, (1, 2), ((0, 1),))
    """
    if all(before == after for before, after in pairs):
        return short(tuple(before for before, _ in pairs))
    return pairs


def pairs_of(flat: tuple[int, ...]) -> tuple[Pair, ...]:
    """ONNX's pads, all that go before and then all that go after, as one pair per axis.

    >>> pairs_of((0, 1, 2, 3))
    ((0, 2), (1, 3))
    """
    half = len(flat) // 2
    return tuple(zip(flat[:half], flat[half:]))


def per_axis(operation: Operation, name: str, rank: int, default: int = 1) -> tuple[int, ...]:
    """An attribute with one integer for each of `rank` axes, at least `default` each."""
    values = operation.node.integers(name) or (default,) * rank
    require_bounded(operation, name, values, default)
    if len(values) != rank:
        operation.refuse(f"{name} has {len(values)} entries for {rank} axes", code="E106")
    return values


def require_bounded(
    operation: Operation, name: str, values: tuple[int, ...], least: int, most: int = LARGEST
) -> None:
    """Refuse values outside of what a spec can hold."""
    if not all(least <= value <= most for value in values):
        operation.refuse(f"{name} is {list(values)}, not {least} or more", code="E107")


def padding(operation: Operation, rank: int) -> Padding:
    """`auto_pad` as a word, else `pads`."""
    word = operation.node.word("auto_pad", "NOTSET")
    if word in _WORDS:
        return _WORDS[word]
    if word not in ("NOTSET", ""):
        operation.refuse(f"its auto_pad is '{word}'")
    return short_pairs(pairs_of(per_axis(operation, "pads", 2 * rank, 0)))
