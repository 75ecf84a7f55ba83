"""The layers of an imported model as a spec lists them: their order and their names.

`text` writes them down and `network_spec` takes them as they are, so both give the same network.
Names are the model's, made unique, printable and short enough for a spec.
"""

from __future__ import annotations

from convt_cli.models.imported import ImportedLayer, ImportedModel
from convt_cli.spec.reader import DEFAULT_INPUT

_MOST_LETTERS = 160
"""Letters kept of a name.  A spec takes 200, and a number may be put behind."""

Numbered = list[tuple[int, ImportedLayer]]
"""Layers with their numbers, in the order of the spec."""


def listed(imported: ImportedModel) -> Numbered:
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


def names_of(imported: ImportedModel, layers: Numbered) -> dict[int, str]:
    """The name of every input and layer of the spec, by its number."""
    inputs = [name for name, _ in imported.inputs]
    wanted = [DEFAULT_INPUT] if len(inputs) == 1 else inputs
    used: dict[str, int] = {}
    names = {number: _unique(legal(name) or "input", used) for number, name in enumerate(wanted)}
    for number, layer in layers:
        names[number] = _unique(legal(layer.name) or layer.type, used)
    return names


def legal(name: str) -> str:
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
