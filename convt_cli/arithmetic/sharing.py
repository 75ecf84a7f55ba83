"""Tensors that several layers of a network name: their numbers count once, at the first layer.

So `parameters` add up to what a framework has to store, `sum(p.numel() for p in net.parameters())`
in PyTorch.  Tests are in tests/spec/test_resolve.py.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

from convt_cli.arithmetic.dialects.frameworks import Framework
from convt_cli.arithmetic.keys import FileReference
from convt_cli.arithmetic.layers import Weighted
from convt_cli.arithmetic.network import NetworkLayer

_Tensor = tuple[str, str]
"""The file and the key of a tensor."""


def counted_once(layers: Iterable[NetworkLayer], rules: Framework) -> Iterator[NetworkLayer]:
    """`layers`, less the parameters of tensors that a layer before them has counted."""
    seen: set[_Tensor] = set()
    for layer in layers:
        tensors = _tensors_of(layer)
        known = {role for role, tensor in tensors.items() if tensor in seen}
        seen.update(tensors.values())
        yield _without(layer, known, rules) if known else layer


def _tensors_of(layer: NetworkLayer) -> dict[str, _Tensor]:
    """The tensors that `layer` names in files as its weight and its bias."""
    definition = layer.definition
    if not isinstance(definition, Weighted):
        return {}
    sources = {"weight": definition.weight, "bias": getattr(definition, "bias", None)}
    return {
        role: (source.file, source.key)
        for role, source in sources.items()
        if isinstance(source, FileReference)
    }


def _without(layer: NetworkLayer, roles: set[str], rules: Framework) -> NetworkLayer:
    """`layer` without the parameters of its weight, its bias, or both."""
    definition: Any = layer.definition
    count, of_weight = layer.geometry.parameters, layer.geometry.parameters
    if getattr(definition, "bias", False):
        bare = replace(definition, bias=False).resolve(layer.inputs, rules)
        of_weight = bare.parameters if definition.weight is not None else 0
    counts = {"weight": of_weight, "bias": count - of_weight}
    left = count - sum(counts[role] for role in roles)
    # the statistics of a norm count with its weight
    kept = 0 if "weight" in roles else layer.geometry.not_trained
    return replace(layer, geometry=replace(layer.geometry, parameters=left, not_trained=kept))
