"""One value of each kind, read from a node; a `Refusal` says what was wrong with it and where."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import replace
from math import isfinite
from typing import Any, TypeVar

from convt_cli.arithmetic.keys import (
    FILLS,
    LARGEST,
    Bias,
    EarlierLayer,
    EarlierShape,
    Factor,
    FactorPerAxis,
    FileReference,
    Fill,
    Flag,
    Inline,
    Integer,
    IntegerPerAxis,
    Kind,
    Number,
    PaddingPerAxis,
    Ratio,
    Sizes,
    Weight,
    WeightSource,
    Word,
)
from convt_cli.errors import shown
from convt_cli.errors.suggestions import suggestion
from convt_cli.spec.nodes import Mapping, Node, Scalar, Sequence, TooLong, Unusable, describe
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


def read_value(kind: Kind, node: Node, field: str) -> Any:
    """The value of `node` for a key of this kind, names of layers aside.  Raises Refusal."""
    match kind:
        case Integer():
            return read_integer(node, field, kind.minimum)
        case Number():
            return _real(node, field, kind.minimum)
        case IntegerPerAxis():
            return _integer_per_axis(node, field, kind)
        case FactorPerAxis():
            return _factor_per_axis(node, field)
        case PaddingPerAxis():
            return _padding_per_axis(node, field, kind.words)
        case Sizes():
            return read_sizes(node, field, kind.minimum)
        case Flag():
            return _flag(node, field)
        case Word():
            return read_word(node, field, kind.choices)
        case Weight(scalar):
            return _weight(node, field, scalar=scalar)
        case Bias(scalar):
            return _bias(node, field, scalar=scalar)
        case EarlierLayer() | EarlierShape():
            return read_name(node, field)


def read_integer(node: Node, field: str, minimum: int) -> int:
    """An integer from `minimum` to 2^53.  Raises Refusal (E103, E107)."""
    if not isinstance(node, Scalar) or not isinstance(node.value, (int, TooLong)):
        raise _not_a(node, f"{field} takes an integer", _integer_help(node))
    if isinstance(node.value, bool):
        raise _not_a(node, f"{field} takes an integer", "true and false are not numbers")
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


def _real(node: Node, field: str, minimum: float | None) -> float:
    """A finite number, at least `minimum` where that is given.  Raises Refusal (E103, E107)."""
    value = node.value if isinstance(node, Scalar) else None
    if isinstance(value, (int, TooLong)) and not isinstance(value, bool):
        value = read_integer(node, field, -LARGEST)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not isfinite(value):
        raise _not_a(node, f"{field} takes a number", "write 1, 0.5 or 1e-5")
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
        raise _not_a(node, f"{field} takes a list of integers", "write it as [3, 224, 224]")
    return read_each(node.items, lambda item: read_integer(item, field, minimum))


def read_name(node: Node, field: str) -> str:
    """A name: a word, or a quoted string.  Raises Refusal (E103)."""
    if not isinstance(node, Scalar) or not isinstance(node.value, str):
        raise _not_a(node, f"{field} takes a name", "quote it to make it one")
    if not node.value.isprintable() or not 1 <= len(node.value) <= _MOST_LETTERS:
        message = f"{field} is 1 to {_MOST_LETTERS} printable characters on one line"
        raise _not_a(node, message, "choose a shorter or a plainer one")
    return node.value


def read_word(node: Node, field: str, choices: Iterable[str]) -> str:
    """One of `choices`.  Raises Refusal (E103, E104) with the closest of them."""
    known = list(choices)
    if not isinstance(node, Scalar) or not isinstance(node.value, str):
        raise _not_a(node, f"{field} takes a word", f"one of {', '.join(known)}")
    if node.value not in known:
        raise Refusal(
            node.place,
            "E104",
            f"unknown {field}",
            f"got '{shown(node.value)}'",
            suggestion(node.value, known),
        )
    return node.value


def _integer_per_axis(node: Node, field: str, kind: IntegerPerAxis) -> int | str | tuple[int, ...]:
    if isinstance(node, Sequence):
        return read_sizes(node, field, kind.minimum)
    if kind.words and isinstance(node, Scalar) and isinstance(node.value, str):
        return read_word(node, field, kind.words)
    return read_integer(node, field, kind.minimum)


def _factor_per_axis(node: Node, field: str) -> Factor | tuple[Factor, ...]:
    if not isinstance(node, Sequence):
        return _factor(node, field)
    if not node.items:
        raise _not_a(node, f"{field} takes a number, or one per axis", "use 1 to change nothing")
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
        raise _not_a(node, message, "write 2, 1.5 or 4/3")
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


def _padding_per_axis(node: Node, field: str, words: tuple[str, ...]) -> Any:
    if isinstance(node, Scalar) and isinstance(node.value, str) and words:
        return read_word(node, field, words)
    if not isinstance(node, Sequence):
        return read_integer(node, field, 0)
    if not node.items:
        raise _not_a(node, f"{field} takes a number, one per axis, or pairs", "use 0 for none")
    if any(isinstance(item, Sequence) for item in node.items):
        return read_each(node.items, lambda item: _pair(item, field))
    return read_sizes(node, field, 0)


def _pair(node: Node, field: str) -> tuple[int, int]:
    if not isinstance(node, Sequence) or len(node.items) != 2:
        raise _not_a(node, f"{field} takes one [before, after] pair per axis", "write [1, 2]")
    before, after = read_sizes(node, field, 0)
    return before, after


def _flag(node: Node, field: str) -> bool:
    if not isinstance(node, Scalar) or not isinstance(node.value, bool):
        raise _not_a(node, f"{field} takes true or false", "YAML 1.2 knows no yes and no")
    return node.value


def _bias(node: Node, field: str, *, scalar: bool) -> bool | WeightSource:
    if isinstance(node, Scalar) and isinstance(node.value, bool):
        return node.value
    return _weight(node, field, scalar=scalar)


def _weight(node: Node, field: str, *, scalar: bool) -> WeightSource:
    if isinstance(node, Mapping):
        return _rearranged_file(node, field) if "from" in node.entries else _fill(node, field)
    if isinstance(node, Sequence):
        return _inline(node, field)
    if scalar and isinstance(node, Scalar) and type(node.value) in (int, float):
        return Inline(shape=(), values=(_number(node, field),))
    if not (isinstance(node, Scalar) and isinstance(node.value, str)):
        raise _not_a(
            node,
            f"{field} takes a file, nested lists or a fill",
            "write w.npy, w.npz#key, [[[1, 2]]] or {fill: ones}",
        )
    return _reference(node, field)


def _fill(node: Mapping, field: str) -> Fill:
    _require_keys(node, field, ("fill", "seed"))
    if "fill" not in node.entries:
        raise Refusal(node.place, "E102", f"{field} needs a fill", "", f"one of {', '.join(FILLS)}")
    fill = read_word(node.entries["fill"][1], "fill", FILLS)
    seed = read_integer(node.entries["seed"][1], "seed", 0) if "seed" in node.entries else 0
    return Fill(fill=fill, seed=seed)


def _rearranged_file(node: Mapping, field: str) -> FileReference:
    """A file reference under `from`, with the `axes` and `shape` that its array is brought to."""
    _require_keys(node, field, ("from", "axes", "shape"))
    reference = _reference(node.entries["from"][1], field)
    axes, shape = (
        read_sizes(node.entries[name][1], name, minimum) if name in node.entries else None
        for name, minimum in (("axes", 0), ("shape", 1))
    )
    if axes is not None and sorted(axes) != list(range(len(axes))):
        raise Refusal(
            node.entries["axes"][1].place,
            "E127",
            "axes names every axis of the array once, from 0",
            f"got {list(axes)}",
            "write a permutation such as [1, 0]",
        )
    return replace(reference, axes=axes, shape=shape)


def _reference(node: Node, field: str) -> FileReference:
    """A file and the key of an array in it.  Raises Refusal (E103)."""
    text = node.value if isinstance(node, Scalar) else None
    file, _, key = text.partition("#") if isinstance(text, str) else ("", "", "")
    if not file or "\0" in file:
        raise _not_a(node, f"{field} names a file", "write w.npy or w.npz#key")
    return FileReference(file=file, key=key)


def _require_keys(node: Mapping, field: str, known: tuple[str, ...]) -> None:
    """Raise Refusal (E101) for every key that is not among `known`."""
    read_each((key for key, _ in node.entries.values()), lambda key: _known_key(key, field, known))


def _known_key(node: Node, field: str, known: tuple[str, ...]) -> str:
    name = node.text if isinstance(node, Scalar) else ""
    if name not in known:
        raise Refusal(
            node.place,
            "E101",
            f"unknown key in {field}",
            f"got '{shown(name)}'",
            suggestion(name, list(known)),
        )
    return name


def _inline(node: Sequence, field: str) -> Inline:
    """The array in nested lists of numbers, which are as deep and as long everywhere."""
    shape: list[int] = []
    level: list[Node] = [node]  # all nodes of one depth, in the order of the array's elements
    while isinstance(level[0], Sequence):
        lists = [_list_of(entry, len(level[0].items), field) for entry in level]
        shape.append(len(lists[0]))
        level = [item for entry in lists for item in entry]
        if not level:
            raise _not_a(node, f"{field} has no numbers", "write at least one")
    return Inline(shape=tuple(shape), values=tuple(_number(entry, field) for entry in level))


def _list_of(node: Node, length: int, field: str) -> list[Node]:
    """The items of a list of this length.  Raises Refusal (E103)."""
    if not isinstance(node, Sequence) or len(node.items) != length:
        raise _not_a(
            node, f"the lists of {field} must be as long everywhere", f"{length} entries here"
        )
    return node.items


def _number(node: Node, field: str) -> int | float:
    value = node.value if isinstance(node, Scalar) else None
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise _not_a(node, f"{field} takes numbers", "")
    if isinstance(value, int) and abs(value) > LARGEST:
        raise Refusal(node.place, "E107", f"{field} takes integers up to 2^53", f"got {value}")
    return value


def of_wrong_kind(node: Node, message: str) -> Refusal:
    """The refusal (E103) of a node that should have been of another kind."""
    return _not_a(node, message, "")


def _not_a(node: Node, message: str, help: str) -> Refusal:
    """The refusal (E103) of a node that is not of the kind in `message`."""
    if isinstance(node, Unusable):
        return Refusal(node.place)
    return Refusal(node.place, "E103", message, f"got {describe(node)}", help)


def _integer_help(node: Node) -> str:
    value = node.value if isinstance(node, Scalar) else None
    if isinstance(value, float) and value.is_integer() and abs(value) <= LARGEST:
        return f"write {int(value)}"
    return "write a whole number in digits, such as 12"
