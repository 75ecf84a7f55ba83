"""The text of a spec for an imported model, as a person would write it.

Each layer is one flow mapping, `{name: conv1, type: conv, ...}`, without keys that have their
default, and with `from` only where the source is not the layer before.
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
from convt_cli.models.listing import legal, listing
from convt_cli.spec.nodes import resolve_plain

_WIDTH = 100
"""Columns of a line; a layer that needs more is continued on the next."""

_PLAIN = re.compile(r"[A-Za-z_/.][A-Za-z0-9_./#+@-]*")
"""Text that needs no quotes in YAML, if it is not a word such as null."""

_LAST_KEYS = ("weight", "bias")
"""Keys that stand at the end of a layer, because references are long."""


def spec_text(imported: ImportedModel, *, title: str, model: str, expect: bool = False) -> str:
    """The spec of `imported` as YAML.

    `title` is the network's name and `model` the name of its file.  With `expect` every layer has
    the shape of its output.
    """
    return "".join(f"{line}\n" for line in _lines(imported, title, model, expect=expect))


def _lines(imported: ImportedModel, title: str, model: str, *, expect: bool) -> Iterator[str]:
    listed = listing(imported)
    names = listed.names
    producer = f", written by {shown(imported.producer)[:60]}" if imported.producer else ""
    yield f"# {shown(model)}: {imported.origin}{producer}, as convt imports it."
    if imported.left_out:
        yield f"# Left out: {imported.left_out:,} of its nodes, which a spec cannot say."
    yield f"name: {quoted(legal(title) or 'network')}"
    yield f"framework: {imported.rules.name}"
    if imported.rules.opset is not None:
        yield f"opset: {imported.rules.opset}"
    yield from _input_lines(imported, names)
    if listed.outputs:
        yield f"outputs: [{', '.join(map(quoted, listed.outputs))}]"
    yield "layers:"
    before = 0  # the number of the first input, which is what the first layer reads by default
    for number, layer in listed.layers.items():
        sources = None if layer.sources == (before,) else [names[one] for one in layer.sources]
        pool = {} if layer.pool is None else {"pool": names[layer.pool]}
        written = dataclasses.replace(layer, keys={**layer.keys, **pool})
        yield from _layer_lines(_items(written, names[number], sources, expect=expect))
        before = number


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
        named = [quoted(source) for source in sources]
        yield f"from: {named[0] if len(named) == 1 else '[' + ', '.join(named) + ']'}"
    keys = sorted(layer.keys.items(), key=lambda item: item[0] in _LAST_KEYS)
    for key, value in keys:
        if value != _default(layer.type, key):
            yield f"{key}: {_value(value)}"
    if layer.stands_for is not None:
        yield f"stands_for: {quoted(legal(layer.stands_for))}"
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
