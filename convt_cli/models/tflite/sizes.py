"""Sizes that a graph computes from other sizes, for a reshape or a resize that depends on them."""

from __future__ import annotations

import operator
from collections.abc import Callable
from math import prod

from convt_cli.arithmetic.keys import LARGEST
from convt_cli.models.tflite.graph import Node

Sizes = tuple[int, ...]

MOST_SIZES = 64
"""Numbers of what is computed; more are no sizes of a shape."""

_ARITHMETIC: dict[str, Callable[[int, int], int]] = {
    "ADD": operator.add,
    "SUB": operator.sub,
    "MUL": operator.mul,
    "FLOOR_DIV": operator.floordiv,
    "FLOOR_MOD": operator.mod,
    "MAXIMUM": max,
    "MINIMUM": min,
}
"""Operators on two numbers, or two lists of them."""

_SAME = ("CAST", "RESHAPE", "SQUEEZE", "EXPAND_DIMS")
"""Operators that keep the numbers in their order."""


def computed(node: Node, given: list[Sizes | None]) -> Sizes | None:
    """What a node gives for inputs of these numbers, row-major; None where it is not known.

    Of an operator in `_SAME` only the first input has to be known.
    """
    if node.operator in _SAME:
        return next(iter(given), None)
    known = [one for one in given if one is not None and len(one) <= MOST_SIZES]
    if len(known) < len(given) or not known:
        return None
    try:
        found = _computed(node, known)
    except (ArithmeticError, IndexError, ValueError):
        return None
    return None if any(abs(one) > LARGEST for one in found or ()) else found


def _computed(node: Node, given: list[Sizes]) -> Sizes | None:
    match node.operator, given:
        case (("PACK" | "CONCATENATION"), _):
            joined = tuple(one for some in given for one in some)
            return joined if len(joined) <= MOST_SIZES else None
        case "STRIDED_SLICE", [sizes, (begin,), (end,), (step,)]:
            return _slice(node, sizes, begin, end, step)
        case "SLICE", [sizes, (begin,), (count,)]:
            return sizes[begin : None if count < 0 else begin + count]
        case "GATHER", [sizes, places]:
            return tuple(sizes[place] for place in places)
        case "REDUCE_PROD", [sizes, _]:
            return (prod(sizes),)
        case name, [first, second] if name in _ARITHMETIC:
            count = max(len(first), len(second))
            pairs = (one * count if len(one) == 1 else one for one in (first, second))
            return tuple(_ARITHMETIC[name](*pair) for pair in zip(*pairs, strict=True))
    return None


def _slice(node: Node, sizes: Sizes, begin: int, end: int, step: int) -> Sizes:
    if node.options["shrink_axis_mask"]:
        return (sizes[begin],)
    first = None if node.options["begin_mask"] else begin
    return sizes[first : None if node.options["end_mask"] else end : step]
