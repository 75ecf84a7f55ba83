"""Where a spec says that the numbers of a weight or a bias come from, read from a node."""

from __future__ import annotations

from dataclasses import replace

from convt_cli.arithmetic.keys import FILLS, LARGEST, FileReference, Fill, Inline, WeightSource
from convt_cli.errors import shown
from convt_cli.errors.suggestions import suggestion
from convt_cli.spec.nodes import Mapping, Node, Scalar, Sequence
from convt_cli.spec.values import (
    Refusal,
    of_wrong_kind,
    read_each,
    read_integer,
    read_sizes,
    read_word,
)


def read_bias(node: Node, field: str, *, scalar: bool) -> bool | WeightSource:
    if isinstance(node, Scalar) and isinstance(node.value, bool):
        return node.value
    return read_weight(node, field, scalar=scalar)


def read_weight(node: Node, field: str, *, scalar: bool) -> WeightSource:
    if isinstance(node, Mapping):
        return _rearranged_file(node, field) if "from" in node.entries else _fill(node, field)
    if isinstance(node, Sequence):
        return _inline(node, field)
    if scalar and isinstance(node, Scalar) and type(node.value) in (int, float):
        return Inline(shape=(), values=(_number(node, field),))
    if not (isinstance(node, Scalar) and isinstance(node.value, str)):
        raise of_wrong_kind(
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
        raise of_wrong_kind(node, f"{field} names a file", "write w.npy or w.npz#key")
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
            raise of_wrong_kind(node, f"{field} has no numbers", "write at least one")
    return Inline(shape=tuple(shape), values=tuple(_number(entry, field) for entry in level))


def _list_of(node: Node, length: int, field: str) -> list[Node]:
    """The items of a list of this length.  Raises Refusal (E103)."""
    if not isinstance(node, Sequence) or len(node.items) != length:
        raise of_wrong_kind(
            node, f"the lists of {field} must be as long everywhere", f"{length} entries here"
        )
    return node.items


def _number(node: Node, field: str) -> int | float:
    value = node.value if isinstance(node, Scalar) else None
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise of_wrong_kind(node, f"{field} takes numbers")
    if isinstance(value, int) and abs(value) > LARGEST:
        raise Refusal(node.place, "E107", f"{field} takes integers up to 2^53", f"got {value}")
    return value
