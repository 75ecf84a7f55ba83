"""The text of a spec for an imported model, as a person would write it.

Each layer is one flow mapping, `{name: conv1, type: conv, ...}`, without keys that have their
default, and with `from` only where the source is not the layer before.  Names are the model's,
made unique, printable and short enough for a spec.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable, Iterator
from typing import Any

from convt_cli.arithmetic.keys import FileReference, Inline
from convt_cli.arithmetic.layers import LAYER_TYPES
from convt_cli.errors import shown
from convt_cli.models.imported import ImportedLayer, ImportedModel
from convt_cli.spec.nodes import resolve_plain
from convt_cli.spec.reader import DEFAULT_INPUT

_WIDTH = 100
"""Columns of a line; a layer that needs more is continued on the next."""

_MOST_LETTERS = 160
"""Letters kept of a name.  A spec takes 200, and a number may be put behind."""

_PLAIN = re.compile(r"[A-Za-z_/.][A-Za-z0-9_./#+@-]*")
"""Text that needs no quotes in YAML, if it is not a word such as null."""

_LAST_KEYS = ("weight", "bias")
"""Keys that stand at the end of a layer, because references are long."""

_Numbered = list[tuple[int, ImportedLayer]]
"""Layers with their numbers, in the order of the spec."""


def spec_text(imported: ImportedModel, *, title: str, model: str, expect: bool = False) -> str:
    """The spec of `imported` as YAML.

    `title` is the network's name and `model` the name of its file.  With `expect` every layer has
    the shape of its output.
    """
    return "".join(f"{line}\n" for line in _lines(imported, title, model, expect=expect))


def _lines(imported: ImportedModel, title: str, model: str, *, expect: bool) -> Iterator[str]:
    layers = _ending_in_main_output(imported)
    names = _names(imported, layers)
    producer = f", written by {shown(imported.producer)[:60]}" if imported.producer else ""
    yield f"# {shown(model)}: {imported.origin}{producer}, as convt imports it."
    if imported.left_out:
        yield f"# Left out: {imported.left_out:,} of its nodes, which a spec cannot say."
    yield f"name: {quoted(_legal(title) or 'network')}"
    yield f"framework: {imported.rules.name}"
    if imported.rules.opset is not None:
        yield f"opset: {imported.rules.opset}"
    yield from _input_lines(imported, names)
    yield "layers:"
    before = 0  # the number of the first input, which is what the first layer reads by default
    for number, layer in layers:
        sources = None if layer.sources == (before,) else [names[one] for one in layer.sources]
        yield from _layer_lines(_items(layer, names[number], sources, expect=expect))
        before = number


def _ending_in_main_output(imported: ImportedModel) -> _Numbered:
    """The layers in order, the last of which gives the model's main output: a spec's is its last.

    The layer that gives it is moved to the end; an identity is added where that cannot be, because
    others read it or it is an input.
    """
    ordered = list(imported.layers.items())
    if not imported.outputs:
        return ordered
    name, main = next(iter(imported.outputs.items()))
    if main == ordered[-1][0]:
        return ordered
    if main in imported.layers and not any(main in layer.sources for _, layer in ordered):
        return [entry for entry in ordered if entry[0] != main] + [(main, imported.layers[main])]
    shape = imported.layers[main].output if main in imported.layers else imported.inputs[main][1]
    last = ImportedLayer(
        name=name, type="identity", sources=(main,), keys={}, output=shape, value=name
    )
    return [*ordered, (ordered[-1][0] + 1, last)]


def _names(imported: ImportedModel, layers: _Numbered) -> dict[int, str]:
    """The name of every input and layer of the spec, by its number."""
    inputs = [name for name, _ in imported.inputs]
    wanted = [DEFAULT_INPUT] if len(inputs) == 1 else inputs
    used: dict[str, int] = {}
    names = {number: _unique(_legal(name) or "input", used) for number, name in enumerate(wanted)}
    for number, layer in layers:
        names[number] = _unique(_legal(layer.name) or layer.type, used)
    return names


def _legal(name: str) -> str:
    """`name` with `_` for what cannot be printed, cut to `_MOST_LETTERS`."""
    return "".join(letter if letter.isprintable() else "_" for letter in name)[:_MOST_LETTERS]


def _unique(name: str, used: dict[str, int]) -> str:
    """`name`, or `name_2`, `name_3` and so on: the first that is not in `used`; it is added there.

    `used` holds the last number that was put behind each name, so that the search for the next
    one does not begin anew.
    """
    number = used.get(name, 0) + 1
    while (found := name if number == 1 else f"{name}_{number}") in used:
        number += 1
    used[name] = number
    used.setdefault(found, 1)
    return found


def _input_lines(imported: ImportedModel, names: dict[int, str]) -> Iterator[str]:
    shapes = [shape for _, shape in imported.inputs]
    if len(shapes) == 1:
        yield f"input: {_value(shapes[0])}"
        return
    entries = [f"{quoted(names[number])}: {_value(one)}" for number, one in enumerate(shapes)]
    yield f"input: {{{', '.join(entries)}}}"


def _items(
    layer: ImportedLayer, name: str, sources: list[str] | None, *, expect: bool
) -> Iterator[str]:
    yield f"name: {quoted(name)}"
    yield f"type: {layer.type}"
    if sources is not None:
        listed = [quoted(source) for source in sources]
        yield f"from: {listed[0] if len(listed) == 1 else '[' + ', '.join(listed) + ']'}"
    keys = sorted(layer.keys.items(), key=lambda item: item[0] in _LAST_KEYS)
    for key, value in keys:
        if value != _default(layer.type, key):
            yield f"{key}: {_value(value)}"
    if layer.stands_for is not None:
        yield f"stands_for: {quoted(_legal(layer.stands_for))}"
    if expect:
        yield f"expect: {_value(layer.output)}"


def _layer_lines(items: Iterable[str]) -> Iterator[str]:
    """The lines of a flow mapping, broken between items where `_WIDTH` asks for it."""
    line = "  - {"
    for number, item in enumerate(items):
        if number and len(line) + len(item) + 3 > _WIDTH:
            yield f"{line},"
            line = "     " + item
        else:
            line += f", {item}" if number else item
    yield line + "}"


def _default(layer_type: str, key: str) -> Any:
    """The value that a key has where a layer leaves it out."""
    definition: Any = LAYER_TYPES[layer_type]
    return next(one.default for one in dataclasses.fields(definition) if one.name == key)


def _value(value: Any) -> str:
    """The value of a key as YAML."""
    match value:
        case bool():
            return str(value).lower()
        case str():
            return quoted(value)
        case tuple():
            return "[" + ", ".join(map(_value, value)) + "]"
        case Inline():
            return _value(value.values if value.shape else value.values[0])
        case FileReference(axes=None, shape=None):
            return quoted(str(value))
        case FileReference():
            given = {"axes": value.axes, "shape": value.shape}
            more = (f", {name}: {_value(one)}" for name, one in given.items() if one is not None)
            return f"{{from: {quoted(str(value))}{''.join(more)}}}"
        case _:
            return str(value)


def quoted(text: str) -> str:
    r"""`text` as a YAML string, in quotes only where it would be read as something else.

    >>> quoted("conv1/bn.w#0"), quoted("010"), quoted("null"), quoted('a: "b"\n')
    ('conv1/bn.w#0', '"010"', '"null"', '"a: \\"b\\"\\x0a"')
    """
    if _PLAIN.fullmatch(text) and resolve_plain(text) == text:
        return text
    return '"' + "".join(map(_escaped, text)) + '"'


def _escaped(letter: str) -> str:
    if letter in '"\\':
        return "\\" + letter
    if letter.isprintable():
        return letter
    code = ord(letter)
    if code < 2**8:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 2**16 else f"\\U{code:08x}"
