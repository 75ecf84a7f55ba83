"""The types of a step: a layer applied to arrays, and the function that takes a signal back.

A step takes the layer's sources, each (batch, channels, *spatial), and returns the layer's output
together with its `Back`.  That function takes a signal of the output's shape to one signal for each
source, and holds whatever it needs of the sources.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple

from convt_cli.arithmetic.dialects.frameworks import Framework
from convt_cli.arithmetic.network import NetworkLayer
from convt_cli.arithmetic.vocabulary import Rule
from convt_cli.operators.dtypes import Array

Back = Callable[[Array, Rule], tuple[Array, ...]]
"""(signal of the output's shape, rule) to one signal for each source, of the source's shape."""


class BackKind(Enum):
    """What the way back through a layer depends on."""

    LINEAR = "linear"
    SWITCHED = "switched"
    """The switches: where the forward pass found its maxima."""
    RECTIFIER = "rectifier"
    """The sign of the forward input, of the signal, or both."""
    SMOOTH = "smooth"
    """The values of the forward input; deconvnet, which goes by signs, has no rule for it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PreparedLayer:
    """A layer, the framework that it was resolved by, and its weight and bias, by key."""

    layer: NetworkLayer
    rules: Framework
    parameters: Mapping[str, Array]


class Step(NamedTuple):
    """The output of a layer for given sources, and the function that takes a signal back."""

    value: Array
    back: Back


class StepType(NamedTuple):
    """The step of a layer type, and what its way back depends on.

    `note` says what is assumed where a spec cannot hold the layer's parameters, or is empty.
    """

    kind: BackKind
    take: Callable[[PreparedLayer, tuple[Array, ...]], Step]
    note: str = ""

    def has_way_back(self, rule: Rule) -> bool:
        """Whether a signal can go back through the layer by `rule`."""
        return self.kind is not BackKind.SMOOTH or rule != "deconvnet"
