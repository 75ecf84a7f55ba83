"""Nodes to a `NetworkSpec`: the layers as written, their keys checked against their types.

The keys of a layer are the fields of its dataclass in `arithmetic.layers`, and `name`, `type`,
`from` and `expect` for all.  What is wrong is noted and left out, and reading goes on.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable
from collections.abc import Mapping as Mapping_
from dataclasses import dataclass
from functools import cache
from typing import Any, NamedTuple, TypeVar

from convt_cli.arithmetic.convolution import Shape
from convt_cli.arithmetic.frameworks import FRAMEWORKS
from convt_cli.arithmetic.kinds import Kind
from convt_cli.arithmetic.layers import LAYER_TYPES, LayerType
from convt_cli.arithmetic.layers.base import MAX_RANK
from convt_cli.errors import RequestError
from convt_cli.spec.nodes import Mapping, Node, Scalar, Sequence, Unusable, describe, parse
from convt_cli.spec.source import Place, Problems, shown
from convt_cli.spec.values import (
    Refusal,
    read_name,
    read_sizes,
    read_value,
    read_word,
    suggestion,
)

TOP_KEYS = ("name", "framework", "input", "defaults", "layers")
COMMON_KEYS = ("name", "type", "from", "expect")
DEFAULT_INPUT = "input"

InputOverride = Mapping_[str, Shape]
"""Shapes by the name of the input; the name "" is the one input of a spec that has no more."""

_T = TypeVar("_T")


class Field(NamedTuple):
    """One key of a layer type."""

    kind: Kind
    required: bool
    description: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerSpec:
    """One layer as written; `definition` is None where its keys do not make one.

    `places` holds the place of every key's value, and of the layer itself under "".
    """

    name: str
    type: str
    definition: LayerType | None
    sources: tuple[str, ...] | None
    expect: Shape | None
    places: dict[str, Place]

    def place(self, field: str) -> Place:
        """Where `field` stands; the layer's own place where it was left out."""
        return self.places.get(field, self.places[""])


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkSpec:
    """A spec as written; `inputs` is empty where `input` could not be read."""

    name: str
    framework: str
    inputs: dict[str, Shape]
    layers: tuple[LayerSpec, ...]


@cache
def fields_of(layer_type: str) -> dict[str, Field]:
    """The keys of a layer type, in the order of its dataclass."""
    definition: Any = LAYER_TYPES[layer_type]
    return {
        field.name: Field(
            field.metadata["kind"],
            field.default is dataclasses.MISSING,
            field.metadata["description"],
        )
        for field in dataclasses.fields(definition)
    }


def read(problems: Problems, stem: str, override: InputOverride) -> NetworkSpec:
    """The spec in `problems.text`; `stem` names it where it has no name of its own.

    `override` takes the place of the spec's own inputs of those names.  Raises SpecError where
    nothing can be made of the text, RequestError for an input that the spec does not have; all
    else is noted in `problems`.
    """
    root = parse(problems)
    if not isinstance(root, Mapping):
        problems.add(
            root.place,
            "E008",
            "a spec is a mapping with input and layers",
            value=f"got {describe(root)}",
            help="begin with `input: [3, 224, 224]`",
        )
        raise problems.error()
    _note_unknown(root, TOP_KEYS, problems, "a spec")
    reader = _Reader(problems)
    own_inputs = reader.optional(root, "input", reader.inputs)
    if not override:
        _note_missing(root, "input", problems, "input: [channels, height, width]")
    _note_missing(root, "layers", problems, "a list of layers")
    defaults = reader.optional(root, "defaults", reader.defaults) or {}
    inputs = _overridden(own_inputs or {}, override)
    return NetworkSpec(
        name=reader.optional(root, "name", lambda node: read_name(node, "name")) or stem,
        framework=reader.optional(root, "framework", reader.framework) or "pytorch",
        inputs=inputs,
        layers=reader.optional(root, "layers", lambda node: reader.layers(node, defaults, inputs))
        or (),
    )


class _Defaults(NamedTuple):
    values: dict[str, Any]
    places: dict[str, Place]


class _Reader:
    """Reads the parts of one spec; every refusal becomes a problem and reading goes on."""

    def __init__(self, problems: Problems) -> None:
        self.problems = problems

    def optional(self, mapping: Mapping, key: str, read: Callable[[Node], _T]) -> _T | None:
        """What `read` makes of the key's value; None where it is left out or refused."""
        if key not in mapping.entries:
            return None
        try:
            return read(mapping.entries[key][1])
        except Refusal as refusal:
            refusal.note(self.problems)
            return None

    def framework(self, node: Node) -> str:
        return read_word(node, "framework", FRAMEWORKS)

    def inputs(self, node: Node) -> dict[str, Shape]:
        """One shape, or a mapping of names to shapes."""
        if not isinstance(node, Mapping):
            return {DEFAULT_INPUT: _input_shape(node)}
        if not node.entries:
            raise Refusal(node.place, "E103", "input names at least one shape", "got none")
        return {name: _input_shape(entry) for name, (_, entry) in node.entries.items()}

    def defaults(self, node: Node) -> dict[str, _Defaults]:
        """Values that the layers of a type have unless they say otherwise."""
        if not isinstance(node, Mapping):
            raise _kind_refusal(node, "defaults is a mapping of layer types to keys")
        found = {}
        for name, (key, entry) in node.entries.items():
            if name not in LAYER_TYPES:
                self._note_unknown_type(key)
            elif isinstance(entry, Mapping):
                fields = fields_of(name)
                _note_unknown(entry, fields, self.problems, f"the defaults of {name}")
                found[name] = self._fields(entry, name, None)
            else:
                _kind_refusal(entry, f"the defaults of {name} are a mapping").note(self.problems)
        return found

    def layers(
        self, node: Node, defaults: dict[str, _Defaults], inputs: dict[str, Shape]
    ) -> tuple[LayerSpec, ...]:
        if not isinstance(node, Sequence) or not node.items:
            raise _kind_refusal(node, "layers is a list with at least one layer")
        names = _Names(self.problems, inputs)
        found = (self._layer(entry, defaults, names) for entry in node.items)
        return tuple(layer for layer in found if layer is not None)

    def _layer(self, node: Node, defaults: dict[str, _Defaults], names: _Names) -> LayerSpec | None:
        if not isinstance(node, Mapping):
            _kind_refusal(node, "a layer is a mapping with a type").note(self.problems)
            return None
        layer_type = self._type(node)
        name = self.optional(node, "name", lambda entry: read_name(entry, "name"))
        if layer_type is None:
            names.add_unusable(name)
            return None
        name = names.add(name, layer_type, node)
        _note_unknown(node, (*COMMON_KEYS, *fields_of(layer_type)), self.problems, layer_type, name)
        given = self._fields(node, layer_type, name)
        default = defaults.get(layer_type, _Defaults({}, {}))
        sources, places = self._sources(node, names, name)
        expect = self.optional(node, "expect", lambda entry: read_sizes(entry, "expect", 1))
        return LayerSpec(
            name=name,
            type=layer_type,
            definition=self._definition(node, layer_type, name, default.values | given.values),
            sources=sources,
            expect=expect,
            places=default.places | given.places | places | {"": _own_place(node)},
        )

    def _type(self, node: Mapping) -> str | None:
        if "type" not in node.entries:
            self.problems.add(
                node.place,
                "E102",
                "a layer needs a type",
                value="got none",
                help=f"known are {', '.join(LAYER_TYPES)}",
            )
            return None
        return self.optional(node, "type", lambda entry: read_word(entry, "type", LAYER_TYPES))

    def _fields(self, node: Mapping, layer_type: str, layer: str | None) -> _Defaults:
        """The values of a type's own keys, and their places; a refused one is left out."""
        values: dict[str, Any] = {}
        places: dict[str, Place] = {}
        for name, field in fields_of(layer_type).items():
            if name not in node.entries:
                continue
            entry = node.entries[name][1]
            places[name] = entry.place
            try:
                values[name] = read_value(field.kind, entry, name)
            except Refusal as refusal:
                refusal.note(self.problems, layer)
                values[name] = None
        return _Defaults(values, places)

    def _definition(
        self, node: Mapping, layer_type: str, layer: str, values: dict[str, Any]
    ) -> LayerType | None:
        missing = [
            name
            for name, field in fields_of(layer_type).items()
            if field.required and name not in values
        ]
        for name in missing:
            self.problems.add(
                _own_place(node),
                "E102",
                f"{layer_type} needs {name}",
                value=f"{fields_of(layer_type)[name].description}",
                help=f"add `{name}:`, here or under defaults",
                layer=layer,
            )
        if missing or any(values[name] is None for name in values):
            return None
        return LAYER_TYPES[layer_type](**values)

    def _sources(
        self, node: Mapping, names: _Names, layer: str
    ) -> tuple[tuple[str, ...] | None, dict[str, Place]]:
        """The names that `from` gives, else the layer before; None where one is not known."""
        places: dict[str, Place] = {
            key: node.entries[key][1].place
            for key in ("from", "type", "expect")
            if key in node.entries
        }
        if "from" not in node.entries:
            return names.before(), places
        entry = node.entries["from"][1]
        items = entry.items if isinstance(entry, Sequence) else [entry]
        found = [self._source(item, names, layer) for item in items]
        known = tuple(name for name in found if name is not None)
        return (known if known and len(known) == len(found) else None), places

    def _source(self, node: Node, names: _Names, layer: str) -> str | None:
        try:
            name = read_name(node, "from")
        except Refusal as refusal:
            refusal.note(self.problems, layer)
            return None
        if name in names.known and name != layer:
            return name
        self.problems.add(
            node.place,
            "E108",
            "from names an earlier layer or an input",
            value=f"got '{shown(name)}'",
            help=suggestion(name, [known for known in names.known if known != layer]),
            layer=layer,
        )
        return None

    def _note_unknown_type(self, key: Scalar) -> None:
        self.problems.add(
            key.place,
            "E104",
            "unknown type",
            value=f"got '{shown(key.text)}'",
            help=suggestion(key.text, list(LAYER_TYPES)),
        )


class _Names:
    """The names given so far, in order, and the running numbers of each type."""

    def __init__(self, problems: Problems, inputs: Iterable[str]) -> None:
        self.problems = problems
        self.known = dict.fromkeys(inputs, "an input")
        self._numbers: dict[str, int] = {}
        self._last: str | None = next(iter(self.known), None)
        self._previous: str | None = None

    def add(self, name: str | None, layer_type: str, node: Mapping) -> str:
        """The layer's name: its own, or its type with a running number."""
        number = self._numbers[layer_type] = self._numbers.get(layer_type, 0) + 1
        if name is None:
            name = f"{layer_type}{number}"
        if name in self.known:
            own = "name" in node.entries
            self.problems.add(
                node.entries["name"][1].place if own else node.place,
                "E109",
                "names are unique",
                value=f"'{shown(name)}' is {self.known[name]} already",
                help="rename one of them" if own else "give this layer a name",
                layer=name,
            )
        self.known.setdefault(name, f"the layer on line {node.place.line + 1}")
        self._previous, self._last = self._last, name
        return name

    def add_unusable(self, name: str | None) -> None:
        """A layer without a usable type: what follows it has no known source."""
        if name is not None:
            self.known.setdefault(name, "a layer")
        self._last = None

    def before(self) -> tuple[str, ...] | None:
        """The layer before the one just added."""
        return None if self._previous is None else (self._previous,)


def _overridden(own: dict[str, Shape], override: InputOverride) -> dict[str, Shape]:
    """`own` with the shapes of `override` in their places.  Raises RequestError (E503)."""
    inputs = dict(own)
    for name, shape in override.items():
        if name == "" and len(own) <= 1:
            inputs[next(iter(own), DEFAULT_INPUT)] = shape
        elif name in own:
            inputs[name] = shape
        else:
            raise RequestError(
                "E503",
                f"the spec has no input '{name}'" if name else "the spec has several inputs",
                value=f"its inputs are {', '.join(own) or 'none'}",
                help="write --input NAME=3,224,224",
            )
    return inputs


def _own_place(node: Mapping) -> Place:
    """Where a message about a layer as a whole points: at its type, else at its beginning."""
    return node.entries["type"][1].place if "type" in node.entries else node.place


def _input_shape(node: Node) -> Shape:
    shape = read_sizes(node, "input", 1)
    if not 2 <= len(shape) <= MAX_RANK + 1:
        raise Refusal(
            node.place,
            "E119",
            f"input is [channels, *spatial] with 1 to {MAX_RANK} spatial axes",
            f"got {len(shape)} sizes",
            "leave the batch axis out",
        )
    return shape


def _kind_refusal(node: Node, message: str) -> Refusal:
    if isinstance(node, Unusable):
        return Refusal(node.place)
    return Refusal(node.place, "E103", message, f"got {describe(node)}")


def _note_missing(node: Mapping, key: str, problems: Problems, what: str) -> None:
    if key not in node.entries:
        problems.add(
            node.place, "E102", f"a spec needs {key}", value="got none", help=f"add {what}"
        )


def _note_unknown(
    node: Mapping,
    known: Iterable[str],
    problems: Problems,
    where: str,
    layer: str | None = None,
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
