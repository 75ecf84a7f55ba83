"""An imported model as a `NetworkSpec`: the way by which a model file becomes a network.

No text lies between: the values of a model's layers are those that the text of its import would
be read as, and from here on both go the same way.
"""

from __future__ import annotations

from convt_cli.arithmetic.layers import LAYER_TYPES
from convt_cli.models.imported import ImportedLayer, ImportedModel
from convt_cli.models.listing import legal, listing
from convt_cli.spec.layer_spec import LayerSpec
from convt_cli.spec.reader import NetworkSpec
from convt_cli.spec.source import Place, Problems

_TOP = Place(0, 0)
"""The place of what is about the whole model; layers have those behind it."""


def network_spec(imported: ImportedModel, path: str, title: str) -> tuple[NetworkSpec, Problems]:
    """The spec that the model in the file `path` is, and the warning (W003) of what it lacks.

    `title` is the network's name.  Whether its inputs are meant as they are is not asked, as of
    one that a person wrote: the model's own layers take them so.
    """
    problems = Problems(path, "", is_model=True)
    listed = listing(imported)
    names = listed.names
    spec = NetworkSpec(
        name=legal(title) or "network",
        framework=imported.rules,
        inputs={names[number]: shape for number, (_, shape) in enumerate(imported.inputs)},
        layers=tuple(
            _layer_spec(layer, names, number, line)
            for line, (number, layer) in enumerate(listed.layers.items(), 1)
        ),
        outputs=listed.outputs,
    )
    if imported.causes:
        problems.add(_TOP, "W003", "a part of the model is left out", value=imported.cut)
    return spec, problems


def _layer_spec(layer: ImportedLayer, names: dict[int, str], number: int, line: int) -> LayerSpec:
    return LayerSpec(
        name=names[number],
        type=layer.type,
        definition=LAYER_TYPES[layer.type](**layer.keys),
        sources=tuple(names[source] for source in layer.sources),
        linked=(),
        expect=None,
        stands_for=None if layer.stands_for is None else legal(layer.stands_for),
        places={"": Place(line, 0)},
    )
