"""A layer as it is written in a spec, and the keys that its type has.

Here belong the values that reading a layer gives.  How they are read from nodes is for `layers`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, NamedTuple

from convt_cli.arithmetic.convolution import Shape
from convt_cli.arithmetic.dialects.frameworks import Framework
from convt_cli.arithmetic.keys import Kind
from convt_cli.arithmetic.layers import LAYER_TYPES, Definition
from convt_cli.spec.source import Place

COMMON_KEYS = ("name", "type", "from", "expect", "stands_for")
"""The keys that layers of every type have."""


class Field(NamedTuple):
    """What a layer type says about one of its keys."""

    kind: Kind
    required: bool
    description: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerSpec:
    """One layer as written; `definition` is None if its keys are not complete and right.

    `sources` are the names of the layers and inputs that it reads, and `linked` those of further
    ones whose shapes it needs, as an unpooling needs its pool's; either is None where it is not
    known.  `stands_for` names the operation whose shapes the layer has, and whose numbers it has
    not.  `places` holds the place of every key's value, and under "" that of the layer itself.
    """

    name: str
    type: str
    definition: Definition | None
    sources: tuple[str, ...] | None
    linked: tuple[str, ...] | None
    expect: Shape | None
    stands_for: str | None
    places: dict[str, Place]

    @property
    def needed(self) -> tuple[str, ...] | None:
        """The names of all layers and inputs whose shapes the layer needs; None if not known."""
        if self.sources is None or self.linked is None:
            return None
        return (*self.sources, *self.linked)

    def place(self, field: str) -> Place:
        """The place of a key's value; the layer's own place where the key is left out."""
        return self.places.get(field, self.places[""])


@cache
def fields_of(layer_type: str) -> dict[str, Field]:
    """The keys of a layer type by name, in the order of its dataclass."""
    definition: Any = LAYER_TYPES[layer_type]
    return {
        field.name: Field(
            field.metadata["kind"],
            field.default is dataclasses.MISSING,
            field.metadata["description"],
        )
        for field in dataclasses.fields(definition)
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """A layer of a spec, the layers above it by name, and all shapes that are known so far."""

    layer: LayerSpec
    framework: Framework
    above: Mapping[str, LayerSpec]
    shapes: Mapping[str, Shape]

    @property
    def sources(self) -> tuple[str, ...]:
        """The names of the layer's sources."""
        return self.layer.sources or ()
