"""An imported model as a `NetworkSpec`: the way by which a model file becomes a network.

No text lies between: the values of a model's layers are those that the text of its import would
be read as, and from here on both go the same way.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from convt_cli.arithmetic.layers import LAYER_TYPES
from convt_cli.models.imported import ImportedLayer, ImportedModel
from convt_cli.models.listing import Listing, legal, listing
from convt_cli.spec.layer_spec import LayerSpec, fields_of
from convt_cli.spec.layers import note_unknown, read_keys
from convt_cli.spec.nodes import Mapping, Node, Scalar
from convt_cli.spec.reader import NetworkSpec, framework_of, no_layer_yet
from convt_cli.spec.settings import Settings
from convt_cli.spec.source import Place, Problems

_TOP_KEYS = ("framework",)
"""The keys of a whole spec that settings give to a model."""

_TOP = Place(0, 0)
"""The place of what is about the whole model; layers have those behind it."""


def network_spec(imported: ImportedModel, path: str, title: str) -> tuple[NetworkSpec, Problems]:
    """The spec that the model in the file `path` is, and its warnings.

    They say what it lacks (W003), and what it says differently than the model (W004).

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
            _layer_spec(layer, listed, number, line)
            for line, (number, layer) in enumerate(listed.layers.items(), 1)
        ),
        outputs=listed.outputs,
    )
    if imported.causes:
        problems.add(_TOP, "W003", "a part of the model is left out", value=imported.cut)
    if imported.differences:
        problems.add(
            _TOP,
            "W004",
            "the network differs from its model",
            value=imported.differences,
            help="`convt import` lists every difference",
        )
    return spec, problems


def with_settings(spec: NetworkSpec, texts: Iterable[str], problems: Problems) -> NetworkSpec:
    """`spec` with the values of settings such as `conv1.stride=2`; what is wrong is noted.

    Of a model the framework can be set, and the keys that the layers' types have.
    """
    settings = Settings(texts, problems)
    settings.require_layers(layer.name for layer in spec.layers)
    top = settings.on_top(Mapping({}, _TOP))
    note_unknown(top, _TOP_KEYS, problems, "a model")
    framework = framework_of(top, problems) if "framework" in top.entries else spec.framework
    layers = tuple(
        _with_keys(layer, keys, problems) if (keys := settings.of_layer(layer.name)) else layer
        for layer in spec.layers
    )
    return replace(spec, framework=framework, layers=layers)


def _with_keys(layer: LayerSpec, keys: list[tuple[Scalar, Node]], problems: Problems) -> LayerSpec:
    node = Mapping({key.text: (key, value) for key, value in keys}, _TOP)
    note_unknown(node, fields_of(layer.type), problems, layer.type, layer.name)
    read = read_keys(node, layer.type, problems, layer.name, no_layer_yet)
    if None in read.values.values():
        return replace(layer, definition=None)
    definition: Any = layer.definition
    return replace(
        layer,
        definition=replace(definition, **read.values),
        places=layer.places | read.places,
    )


def _layer_spec(layer: ImportedLayer, listed: Listing, number: int, line: int) -> LayerSpec:
    names = listed.names
    pooled = () if layer.pool is None else listed.layers[layer.pool].sources
    return LayerSpec(
        name=names[number],
        type=layer.type,
        definition=LAYER_TYPES[layer.type](**layer.keys),
        sources=tuple(names[source] for source in layer.sources),
        linked=tuple(names[source] for source in pooled),
        expect=None,
        stands_for=None if layer.stands_for is None else legal(layer.stands_for),
        places={"": Place(line, 0)},
    )
