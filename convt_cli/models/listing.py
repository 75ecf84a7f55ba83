"""The layers of an imported model as a spec lists them: their order and their names.

`text` writes them down and `network_spec` takes them as they are, so both give the same network.
Names are the model's, made unique, printable and short enough for a spec.
"""

from __future__ import annotations

from dataclasses import dataclass

from convt_cli.arithmetic.convolution import Shape
from convt_cli.models.imported import ImportedLayer, ImportedModel
from convt_cli.spec.reader import DEFAULT_INPUT

_MOST_LETTERS = 160
"""Letters kept of a name.  A spec takes 200, and a number may be put behind."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """The layers of a spec by their numbers, in order, and its names.

    `names` are those of inputs and layers by their numbers, `outputs` those of the layers that give
    the model's outputs, the main one first; it is empty where the last layer alone does.
    """

    layers: dict[int, ImportedLayer]
    names: dict[int, str]
    outputs: tuple[str, ...]


def listing(imported: ImportedModel) -> Listing:
    """The layers of `imported` as its spec lists them.

    A spec's outputs are layers, so an identity is added for an output that is an input.
    """
    layers = dict(imported.layers)
    outputs: dict[int, None] = {}  # the numbers of their layers, each once
    for name, number in imported.outputs.items():
        if number in imported.layers:
            outputs[number] = None
        else:
            outputs[behind := max(layers) + 1] = None
            layers[behind] = _repeated(name, number, imported.inputs[number][1])
    names = _names_of(imported, layers)
    is_last = [*outputs] == [max(layers)]
    return Listing(
        layers=layers,
        names=names,
        outputs=() if is_last else tuple(names[number] for number in outputs),
    )


def _repeated(name: str, number: int, shape: Shape) -> ImportedLayer:
    """The identity `name` that gives input `number` again."""
    return ImportedLayer(
        name=name, type="identity", sources=(number,), keys={}, output=shape, value=name
    )


def _names_of(imported: ImportedModel, layers: dict[int, ImportedLayer]) -> dict[int, str]:
    """The name of every input and layer of the spec, by its number."""
    inputs = [name for name, _ in imported.inputs]
    wanted = [DEFAULT_INPUT] if len(inputs) == 1 else inputs
    used: dict[str, int] = {}
    names = {number: _unique(legal(name) or "input", used) for number, name in enumerate(wanted)}
    for number, layer in layers.items():
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
