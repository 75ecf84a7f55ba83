"""From nodes to `LayerSpec`s: the layers as written, their keys checked against their types.

The keys of a layer are the fields of its dataclass in `arithmetic.layers`, and for all of them
`COMMON_KEYS`.  What is wrong is noted in `Problems` and left out, and reading goes on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple, TypeVar

from convt_cli.arithmetic.convolution import Shape
from convt_cli.arithmetic.keys import EarlierLayer, EarlierShape
from convt_cli.arithmetic.layers import LAYER_TYPES, Definition
from convt_cli.errors import shown
from convt_cli.errors.suggestions import closest, suggestion
from convt_cli.spec.kinds import read_value
from convt_cli.spec.layer_spec import COMMON_KEYS, LayerSpec, fields_of
from convt_cli.spec.nodes import Mapping, Node, Scalar, Sequence
from convt_cli.spec.settings import Settings
from convt_cli.spec.source import Place, Problems
from convt_cli.spec.values import (
    Refusal,
    of_wrong_kind,
    read_each,
    read_name,
    read_sizes,
    read_word,
)

_T = TypeVar("_T")


class KeyValues(NamedTuple):
    """The values of keys, None for a value that was refused, and their places; both by key."""

    values: dict[str, Any]
    places: dict[str, Place]


def optional(
    problems: Problems,
    mapping: Mapping,
    key: str,
    read: Callable[[Node], _T],
    layer: str | None = None,
) -> _T | None:
    """The value of `key` in `mapping` by `read`; None if left out, or refused, which is noted."""
    if key not in mapping.entries:
        return None
    try:
        return read(mapping.entries[key][1])
    except Refusal as refusal:
        refusal.note(problems, layer)
        return None


def note_unknown(
    node: Mapping, known: Iterable[str], problems: Problems, where: str, layer: str | None = None
) -> None:
    """Note every key of `node` that is not among `known`."""
    names = list(known)
    for name, (key, _) in node.entries.items():
        if name not in names:
            problems.add(
                key.place,
                "E101",
                f"unknown key in {where}",
                value=f"got '{shown(name)}'",
                help=suggestion(name, names),
                layer=layer,
            )


class LayerReader:
    """Reads the layers of one spec in their order, and remembers those above for `from`."""

    def __init__(
        self,
        problems: Problems,
        inputs: Iterable[str],
        defaults: dict[str, KeyValues],
        settings: Settings,
    ) -> None:
        self.problems = problems
        self.defaults = defaults
        self.settings = settings
        # by name: what has it already, for a message
        self._names = dict.fromkeys(inputs, "an input")
        self._above: dict[str, LayerSpec] = {}
        self._counts: dict[str, int] = {}  # of layers, by type
        # what a layer without `from` reads; None where it could not be read
        self._before: str | None = next(iter(self._names), None)

    def read(self, node: Node) -> LayerSpec | None:
        """The layer that `node` describes; None where not even its type is known."""
        node = self.settings.on_layer(node)
        layer_type = self._type(node)
        if layer_type is None or not isinstance(node, Mapping):
            self._pass_over(node)
            return None
        name = self._name(node, layer_type)
        note_unknown(node, (*COMMON_KEYS, *fields_of(layer_type)), self.problems, layer_type, name)
        keys = self._keys(node, layer_type, name)
        layer = LayerSpec(
            name=name,
            type=layer_type,
            definition=self._definition(node, layer_type, name, keys.values),
            sources=self._sources(node, name),
            linked=linked_sources(keys.values, layer_type),
            expect=optional(self.problems, node, "expect", _expectation, name),
            stands_for=optional(self.problems, node, "stands_for", _operation, name),
            places=keys.places | _common_places(node) | {"": _own_place(node)},
        )
        self._names.setdefault(name, f"on line {node.place.line + 1}")
        self._above.setdefault(name, layer)
        self._before = name
        return layer

    def read_outputs(self, node: Node) -> tuple[str, ...]:
        """The names of the layers that give the outputs.  Raises Refusal (E103, E108, E109)."""
        if not isinstance(node, Sequence) or not node.items:
            raise of_wrong_kind(node, "outputs is a list of names of layers")
        names = read_each(node.items, self._output)
        for number, name in enumerate(names):
            if name in names[:number]:
                raise Refusal(
                    node.items[number].place,
                    "E109",
                    "outputs names each layer once",
                    f"got '{shown(name)}' twice",
                    "leave one out",
                )
        return names

    def _output(self, node: Node) -> str:
        """The name of a layer, whose output is one of the network's.  Raises Refusal."""
        name = read_name(node, "outputs")
        if name not in self._above:
            raise Refusal(
                node.place,
                "E108",
                "outputs names layers",
                f"got '{shown(name)}'",
                suggestion(name, list(self._above)),
            )
        return name

    def _pass_over(self, node: Node) -> None:
        """Skip a layer of unknown type; its name, if it has one, counts as taken."""
        self._before = None
        if isinstance(node, Mapping):
            name = optional(self.problems, node, "name", _layer_name)
            if name is not None:
                self._names.setdefault(name, f"on line {node.place.line + 1}")

    def _type(self, node: Node) -> str | None:
        """The type of the layer in `node`; None after noting what is wrong with it."""
        if not isinstance(node, Mapping):
            of_wrong_kind(node, "a layer is a mapping with a type").note(self.problems)
            return None
        if "type" in node.entries:
            name = node.entries["name"][1] if "name" in node.entries else None
            layer = name.text if isinstance(name, Scalar) else None
            return optional(self.problems, node, "type", _layer_type, layer)
        self.problems.add(
            node.place,
            "E102",
            "a layer needs a type",
            value="got none",
            help=f"known are {', '.join(LAYER_TYPES)}",
        )
        return None

    def _name(self, node: Mapping, layer_type: str) -> str:
        """The layer's own name, or its type with a running number, as in conv1, conv2."""
        number = self._counts[layer_type] = self._counts.get(layer_type, 0) + 1
        own = optional(self.problems, node, "name", _layer_name)
        name = f"{layer_type}{number}" if own is None else own
        if name in self._names:
            self.problems.add(
                node.entries["name"][1].place if own else _own_place(node),
                "E109",
                "names are unique",
                value=f"'{shown(name)}' is {self._names[name]} already",
                help="rename one of them" if own else "give this layer a name",
                layer=name,
            )
        return name

    def _keys(self, node: Mapping, layer_type: str, layer: str) -> KeyValues:
        """The values of the type's keys in `node`, and the spec's defaults for those left out."""
        default = self.defaults.get(layer_type, KeyValues({}, {}))
        given = read_keys(node, layer_type, self.problems, layer, self._named)
        return KeyValues(default.values | given.values, default.places | given.places)

    def _named(self, node: Node, field: str, kind: EarlierLayer | EarlierShape) -> Any:
        """What a node names: an earlier layer, or the name itself where its shape is needed."""
        if isinstance(kind, EarlierShape):
            return self._source(node, field)
        return self._earlier(node, field, kind.layer_type)

    def _earlier(self, node: Node, field: str, layer_type: str) -> LayerSpec:
        """The layer above that `node` names.  Raises Refusal (E108)."""
        name = read_name(node, field)
        found = self._above.get(name)
        if found is None or found.type != layer_type:
            known = [one.name for one in self._above.values() if one.type == layer_type]
            raise Refusal(
                node.place,
                "E108",
                f"{field} names an earlier {layer_type}",
                f"got '{shown(name)}'",
                suggestion(name, known) if known else f"put a {layer_type} above",
            )
        return found

    def _definition(
        self, node: Mapping, layer_type: str, layer: str, values: dict[str, Any]
    ) -> Definition | None:
        """The layer type with these values; None where one is missing, which is noted, or None."""
        fields = fields_of(layer_type)
        missing = [name for name, one in fields.items() if one.required and name not in values]
        unknown = [name for name in node.entries if name not in (*COMMON_KEYS, *fields)]
        misspelt = {closest(name, [*COMMON_KEYS, *fields]) for name in unknown}
        for name in missing:
            if name in misspelt:
                continue  # the unknown key has been noted, with this one as the suggestion
            self.problems.add(
                _own_place(node),
                "E102",
                f"{layer_type} needs {name}",
                value=fields[name].description,
                help=f"add `{name}:`, here or under defaults",
                layer=layer,
            )
        # a key that names an earlier layer becomes that layer's definition
        built = {
            name: value.definition if isinstance(value, LayerSpec) else value
            for name, value in values.items()
        }
        if missing or None in built.values():
            return None
        return LAYER_TYPES[layer_type](**built)

    def _sources(self, node: Mapping, layer: str) -> tuple[str, ...] | None:
        """The names in `from`, else that of the layer before; None where one is not known."""
        if "from" not in node.entries:
            return None if self._before is None else (self._before,)
        entry = node.entries["from"][1]
        try:
            if not isinstance(entry, Sequence):
                return (self._source(entry),)
            if not entry.items:
                raise of_wrong_kind(entry, "from names at least one source")
            return read_each(entry.items, self._source)
        except Refusal as refusal:
            refusal.note(self.problems, layer)
            return None

    def _source(self, node: Node, field: str = "from") -> str:
        """The name of an input or a layer above.  Raises Refusal (E103, E108)."""
        name = read_name(node, field)
        if name not in self._names:
            raise Refusal(
                node.place,
                "E108",
                f"{field} names an earlier layer or an input",
                f"got '{shown(name)}'",
                suggestion(name, list(self._names)),
            )
        return name


def linked_sources(values: dict[str, Any], layer_type: str) -> tuple[str, ...] | None:
    """The names of layers and inputs, beside `from`, whose shapes a layer of these keys needs.

    They are the sources of the earlier layers among `values`, and what an `EarlierShape` names.
    None where one is not known.
    """
    found: list[str] = []
    for name, value in values.items():
        if isinstance(value, LayerSpec):
            if value.sources is None:
                return None
            found.extend(value.sources)
        elif isinstance(fields_of(layer_type)[name].kind, EarlierShape):
            if value is None:
                return None
            found.append(value)
    return tuple(found)


def read_keys(
    node: Mapping,
    layer_type: str,
    problems: Problems,
    layer: str | None,
    named: Callable[[Node, str, EarlierLayer | EarlierShape], Any],
) -> KeyValues:
    """The values of a type's own keys in `node`, and their places; what is refused is noted.

    `named` finds what a node names further up, from the node, the key and its kind.
    """
    values: dict[str, Any] = {}
    places: dict[str, Place] = {}
    for name, field in fields_of(layer_type).items():
        if name not in node.entries:
            continue
        entry = node.entries[name][1]
        places[name] = entry.place
        values[name] = None
        try:
            if isinstance(field.kind, (EarlierLayer, EarlierShape)):
                values[name] = named(entry, name, field.kind)
            else:
                values[name] = read_value(field.kind, entry, name)
        except Refusal as refusal:
            refusal.note(problems, layer)
    return KeyValues(values, places)


def _layer_type(node: Node) -> str:
    return read_word(node, "type", LAYER_TYPES)


def _layer_name(node: Node) -> str:
    return read_name(node, "name")


def _operation(node: Node) -> str:
    return read_name(node, "stands_for")


def _expectation(node: Node) -> Shape:
    return read_sizes(node, "expect", 1)


def _common_places(node: Mapping) -> dict[str, Place]:
    return {key: node.entries[key][1].place for key in COMMON_KEYS if key in node.entries}


def _own_place(node: Mapping) -> Place:
    """The place of the layer as a whole, for messages: that of its type."""
    return node.entries["type"][1].place
