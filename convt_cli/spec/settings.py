"""Values of a spec that are changed before it is read: `LAYER.KEY=VALUE` and `KEY=VALUE`.

VALUE is YAML, and the last dot separates, as names hold dots; `defaults.TYPE.KEY=VALUE` is a
default.  A layer is called as the spec has it, or by its type and running number.  Places are those
in the option, so that a problem with a value points there.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from convt_cli.arithmetic.layers import LAYER_TYPES
from convt_cli.errors import RequestError, SpecError, shown
from convt_cli.errors.suggestions import suggestion
from convt_cli.spec.nodes import Mapping, Node, Scalar, Sequence, Unusable, parse
from convt_cli.spec.source import NOT_YAML, Place, Problems

_OPTION = "--set "
_DEFAULTS = "defaults"


class _Setting(NamedTuple):
    """One value, and whose key it is: a layer's, a type's defaults, or for "" the spec's own."""

    owner: Scalar
    key: Scalar
    value: Node


class Settings:
    """The values to set in one spec; layers are offered to it in their order."""

    def __init__(self, texts: Iterable[str], problems: Problems) -> None:
        """Raises RequestError (E503) for a text that is no setting."""
        self._problems = problems
        self._settings = [_read(text, problems) for text in texts]
        self._names: list[str] = []
        self._counts: dict[str, int] = {}  # of layers, by type

    def on_top(self, root: Mapping) -> Mapping:
        """The mapping at the top of a spec with its own keys, and its defaults, set."""
        for owner, key, value in self._settings:
            path = _path(owner)
            if path is not None:
                root = _with(root, path, key, value)
        return root

    def on_layer(self, node: Node) -> Node:
        """The node of the next layer with its keys set."""
        if not isinstance(node, Mapping):
            return node
        name = self._written_name(node)
        self._names.append(name)
        for key, value in self.of_layer(name):
            node = _with(node, [], key, value)
        return node

    def of_layer(self, name: str) -> list[tuple[Scalar, Node]]:
        """(key, value) of all that is set of the layer `name`."""
        return [(key, value) for owner, key, value in self._settings if owner.text == name]

    def require_layers(self, names: Iterable[str] | None = None) -> None:
        """Note a problem (E108) for every layer that is set and not among `names`.

        Without `names` they are those of the layers that were offered.
        """
        known = self._names if names is None else list(names)
        for owner, _, _ in self._settings:
            if _path(owner) is None and owner.text not in known and known:
                self._problems.add(
                    owner.place,
                    "E108",
                    "a setting names a layer",
                    value=f"got '{shown(owner.text)}'",
                    help=suggestion(owner.text, known),
                )

    def _written_name(self, node: Mapping) -> str:
        """The layer's name as the spec has it, or its type and running number."""
        texts = {key: one.text for key, (_, one) in node.entries.items() if isinstance(one, Scalar)}
        layer_type = texts.get("type", "")
        if layer_type in LAYER_TYPES:
            self._counts[layer_type] = self._counts.get(layer_type, 0) + 1
        return texts.get("name", f"{layer_type}{self._counts.get(layer_type, 0)}")


def _path(owner: Scalar) -> list[str] | None:
    """The keys that lead from the top of a spec to a mapping; None for a layer."""
    if not owner.text:
        return []
    first, dot, layer_type = owner.text.partition(".")
    return None if first != _DEFAULTS else [first, layer_type] if dot else [first]


def _with(node: Mapping, path: list[str], key: Scalar, value: Node) -> Mapping:
    """`node` with `value` under `key` in the mapping at `path`, which is made if missing."""
    if not path:
        return Mapping({**node.entries, key.text: (key, value)}, node.place)
    name, *rest = path
    own, inner = node.entries.get(name, (Scalar(name, name, key.place), Mapping({}, key.place)))
    below = inner if isinstance(inner, Mapping) else Mapping({}, key.place)
    return Mapping({**node.entries, name: (own, _with(below, rest, key, value))}, node.place)


def _read(text: str, problems: Problems) -> _Setting:
    """The setting in `text`; what is wrong with its value is noted.  Raises RequestError (E503)."""
    path, equals, value = text.partition("=")
    owner, _, key = path.rpartition(".")
    if not equals or not key:
        raise RequestError(
            "E503",
            "a setting is LAYER.KEY=VALUE or KEY=VALUE",
            value=f"got {shown(text)}",
            help="write it as in --set conv1.stride=2",
        )
    option = _OPTION + text
    begin = len(_OPTION)
    at_key = begin + len(path) - len(key)
    return _Setting(
        Scalar(owner, owner, Place(0, begin, max(1, len(owner)), option)),
        Scalar(key, key, Place(0, at_key, len(key), option)),
        _value(value, Place(0, begin + len(path) + 1, max(1, len(value)), option), problems),
    )


def _value(text: str, place: Place, problems: Problems) -> Node:
    """The node of a value that stands at `place` in its option."""
    if NOT_YAML.search(text):
        problems.add(place, "E001", "a spec holds printable characters only")
        return Unusable(place)
    # spaces in front bring every place to where it is in the option
    found = Problems(problems.spec, " " * place.column + text)
    try:
        node = parse(found)
    except SpecError:
        node = Unusable(place)
    for one in found.diagnostics:
        where = _moved_place(Place(one.line - 1, one.column - 1, one.width), place)
        problems.add(where, one.code, one.message, value=one.value, help=one.help)
    if isinstance(node, Unusable) and not found.diagnostics:
        return Scalar(None, "", place)  # nothing, or a comment
    return _moved(node, place)


def _moved(node: Node, to: Place) -> Node:
    """`node` with all its places in the option in which `to` is."""
    place = _moved_place(node.place, to)
    if isinstance(node, Sequence):
        return Sequence([_moved(item, to) for item in node.items], place)
    if isinstance(node, Mapping):
        moved = {
            name: (key._replace(place=_moved_place(key.place, to)), _moved(value, to))
            for name, (key, value) in node.entries.items()
        }
        return Mapping(moved, place)
    return node._replace(place=place)


def _moved_place(place: Place, to: Place) -> Place:
    return to if place.line else Place(0, place.column, place.width, to.option)
