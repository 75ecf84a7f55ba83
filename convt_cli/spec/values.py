"""One value of each kind, read from a node; a `Refusal` says what was wrong with it and where."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from math import isfinite
from typing import Any, TypeVar

from convt_cli.arithmetic.keys import (
    LARGEST,
    Factor,
    IntegerPerAxis,
    Ratio,
)
from convt_cli.errors import shown
from convt_cli.errors.suggestions import suggestion
from convt_cli.spec.nodes import Node, Scalar, Sequence, TooLong, Unusable, describe
from convt_cli.spec.source import Place, Problems

_MOST_LETTERS = 200
"""Characters of a name."""

_FRACTION = re.compile(r"([0-9]{1,16})\s*/\s*([0-9]{1,16})")
_LARGEST_EXACT = 1024
"""The largest denominator, a power of two, with which a float is kept as an exact ratio.

Every framework multiplies by such a float exactly; others are rounded, and stay floats.
"""

_T = TypeVar("_T")


class Refusal(Exception):
    """A value that cannot be read; without a message, its problem has been noted already.

    `more` are the refusals of other parts of the same value.
    """

    def __init__(
        self, place: Place, code: str = "", message: str = "", value: str = "", help: str = ""
    ) -> None:
        super().__init__(message)
        self.more: tuple[Refusal, ...] = ()
        self.place = place
        self.code = code
        self.message = message
        self.value = value
        self.help = help

    def note(self, problems: Problems, layer: str | None = None) -> None:
        """Add the problem, unless it has been noted."""
        if self.message:
            problems.add(
                self.place, self.code, self.message, value=self.value, help=self.help, layer=layer
            )
        for refusal in self.more:
            refusal.note(problems, layer)


def read_each(nodes: Iterable[Node], read: Callable[[Node], _T]) -> tuple[_T, ...]:
    """The value of every node, by `read`.  Raises one Refusal that holds those of all nodes."""
    values: list[_T] = []
    refusals: list[Refusal] = []
    for node in nodes:
        try:
            values.append(read(node))
        except Refusal as refusal:
            refusals.append(refusal)
    if refusals:
        refusals[0].more += tuple(refusals[1:])
        raise refusals[0]
    return tuple(values)


def read_integer(node: Node, field: str, minimum: int) -> int:
    """An integer from `minimum` to 2^53.  Raises Refusal (E103, E107)."""
    if not isinstance(node, Scalar) or not isinstance(node.value, (int, TooLong)):
        raise of_wrong_kind(node, f"{field} takes an integer", _integer_help(node))
    if isinstance(node.value, bool):
        raise of_wrong_kind(node, f"{field} takes an integer", "true and false are not numbers")
    if isinstance(node.value, TooLong) or abs(node.value) > LARGEST:
        raise Refusal(node.place, "E107", f"{field} must be at most 2^53", f"got {describe(node)}")
    if node.value < minimum:
        raise Refusal(
            node.place,
            "E107",
            f"{field} must be at least {minimum}",
            f"got {node.value}",
            f"use {minimum} or more",
        )
    return node.value


def read_real(node: Node, field: str, minimum: float | None) -> float:
    """A finite number, at least `minimum` where that is given.  Raises Refusal (E103, E107)."""
    value = node.value if isinstance(node, Scalar) else None
    if isinstance(value, (int, TooLong)) and not isinstance(value, bool):
        value = read_integer(node, field, -LARGEST)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not isfinite(value):
        raise of_wrong_kind(node, f"{field} takes a number", "write 1, 0.5 or 1e-5")
    if minimum is not None and value < minimum:
        raise Refusal(
            node.place,
            "E107",
            f"{field} must be at least {minimum:g}",
            f"got {describe(node)}",
            f"use {minimum:g} or more",
        )
    return float(value)


def read_sizes(node: Node, field: str, minimum: int) -> tuple[int, ...]:
    """A list of integers.  Raises Refusal (E103, E107)."""
    if not isinstance(node, Sequence) or not node.items:
        raise of_wrong_kind(node, f"{field} takes a list of integers", "write it as [3, 224, 224]")
    return read_each(node.items, lambda item: read_integer(item, field, minimum))


def read_name(node: Node, field: str) -> str:
    """A name: a word, or a quoted string.  Raises Refusal (E103)."""
    if not isinstance(node, Scalar) or not isinstance(node.value, str):
        raise of_wrong_kind(node, f"{field} takes a name", "quote it to make it one")
    if not node.value.isprintable() or not 1 <= len(node.value) <= _MOST_LETTERS:
        message = f"{field} is 1 to {_MOST_LETTERS} printable characters on one line"
        raise of_wrong_kind(node, message, "choose a shorter or a plainer one")
    return node.value


def read_word(node: Node, field: str, choices: Iterable[str]) -> str:
    """One of `choices`.  Raises Refusal (E103, E104) with the closest of them."""
    known = list(choices)
    if not isinstance(node, Scalar) or not isinstance(node.value, str):
        raise of_wrong_kind(node, f"{field} takes a word", f"one of {', '.join(known)}")
    if node.value not in known:
        raise Refusal(
            node.place,
            "E104",
            f"unknown {field}",
            f"got '{shown(node.value)}'",
            suggestion(node.value, known),
        )
    return node.value


def read_integer_per_axis(
    node: Node, field: str, kind: IntegerPerAxis
) -> int | str | tuple[int, ...]:
    if isinstance(node, Sequence):
        return read_sizes(node, field, kind.minimum)
    if kind.words and isinstance(node, Scalar) and isinstance(node.value, str):
        return read_word(node, field, kind.words)
    return read_integer(node, field, kind.minimum)


def read_factor_per_axis(node: Node, field: str) -> Factor | tuple[Factor, ...]:
    if not isinstance(node, Sequence):
        return _factor(node, field)
    if not node.items:
        raise of_wrong_kind(
            node, f"{field} takes a number, or one per axis", "use 1 to change nothing"
        )
    return read_each(node.items, lambda item: _factor(item, field))


def _factor(node: Node, field: str) -> Factor:
    """A number above 0: a Ratio for an integer, a fraction, or a float that is an exact one."""
    value = node.value if isinstance(node, Scalar) else None
    if isinstance(value, (int, TooLong)) and not isinstance(value, bool):
        return Ratio(numerator=read_integer(node, field, 1))
    if isinstance(value, float):
        numerator, denominator = value.as_integer_ratio() if isfinite(value) else (0, 1)
    elif isinstance(value, str) and (found := _FRACTION.fullmatch(value)):
        numerator, denominator = map(int, found.groups())
    else:
        message = f"{field} takes a number above 0, or a fraction such as 4/3"
        raise of_wrong_kind(node, message, "write 2, 1.5 or 4/3")
    if not 0 < numerator <= LARGEST * denominator or denominator > LARGEST * numerator:
        raise Refusal(
            node.place,
            "E107",
            f"{field} must be above 0 and at most 2^53",
            f"got {describe(node)}",
            "use a number such as 2 or 0.5",
        )
    return factor_of(value) if isinstance(value, float) else Ratio.of(numerator, denominator)


def factor_of(value: float) -> Factor:
    """The factor that a float above 0 is: an exact ratio where its denominator is small."""
    numerator, denominator = value.as_integer_ratio()
    return value if denominator > _LARGEST_EXACT else Ratio.of(numerator, denominator)


def read_padding_per_axis(node: Node, field: str, words: tuple[str, ...]) -> Any:
    if isinstance(node, Scalar) and isinstance(node.value, str) and words:
        return read_word(node, field, words)
    if not isinstance(node, Sequence):
        return read_integer(node, field, 0)
    if not node.items:
        raise of_wrong_kind(
            node, f"{field} takes a number, one per axis, or pairs", "use 0 for none"
        )
    if any(isinstance(item, Sequence) for item in node.items):
        return read_each(node.items, lambda item: _pair(item, field))
    return read_sizes(node, field, 0)


def _pair(node: Node, field: str) -> tuple[int, int]:
    if not isinstance(node, Sequence) or len(node.items) != 2:
        raise of_wrong_kind(
            node, f"{field} takes one [before, after] pair per axis", "write [1, 2]"
        )
    before, after = read_sizes(node, field, 0)
    return before, after


def read_flag(node: Node, field: str) -> bool:
    if not isinstance(node, Scalar) or not isinstance(node.value, bool):
        raise of_wrong_kind(node, f"{field} takes true or false", "YAML 1.2 knows no yes and no")
    return node.value


def of_wrong_kind(node: Node, message: str, help: str = "") -> Refusal:
    """The refusal (E103) of a node that is not of the kind in `message`."""
    if isinstance(node, Unusable):
        return Refusal(node.place)
    return Refusal(node.place, "E103", message, f"got {describe(node)}", help)


def _integer_help(node: Node) -> str:
    value = node.value if isinstance(node, Scalar) else None
    if isinstance(value, float) and value.is_integer() and abs(value) <= LARGEST:
        return f"write {int(value)}"
    return "write a whole number in digits, such as 12"
