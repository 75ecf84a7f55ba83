"""What a layer does to arrays as a value: what it made of its sources, and the way back.

A step takes a layer's sources, (batch, channels, *spatial) each, and returns what the layer makes
of them together with its `Back`, which takes a signal of the output's shape to one signal per
source and remembers of the sources what it needs for that.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple

from convt_cli.analysis.backward.rules import Rule
from convt_cli.arithmetic.dialects.frameworks import Framework
from convt_cli.arithmetic.network import NetworkLayer
from convt_cli.operators.dtypes import Array

Back = Callable[[Array, Rule], tuple[Array, ...]]
"""(signal, rule) to one signal per source."""


class BackKind(Enum):
    """What the way back through a layer depends on."""

    LINEAR = "linear"
    SWITCHED = "switched"
    """Where the forward pass found its maxima."""
    RECTIFIER = "rectifier"
    """The sign of the forward input, of the signal, or both."""
    SMOOTH = "smooth"
    """The forward input; not a matter of signs, so that deconvnet has no rule for it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A layer, the rules it was resolved by, and the numbers it has, by key."""

    layer: NetworkLayer
    rules: Framework
    numbers: Mapping[str, Array]


class Step(NamedTuple):
    """What a layer made of its sources, and the way back."""

    value: Array
    back: Back


class StepType(NamedTuple):
    """How a layer type steps; `note` is what it has to assume, as the spec does not say."""

    kind: BackKind
    take: Callable[[Place, tuple[Array, ...]], Step]
    note: str = ""

    def has_way_back(self, rule: Rule) -> bool:
        """Whether a signal can go back through it by `rule`."""
        return self.kind is not BackKind.SMOOTH or rule != "deconvnet"
