"""The types of a step: a layer applied to arrays, and the function that takes a signal back.

A step takes the layer's sources, each (batch, channels, *spatial), and returns the layer's output
together with its `Back`.  That function takes a signal of the output's shape to one signal for each
source, and holds whatever it needs of the sources.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, Generic, NamedTuple, TypeVar

from convt_cli.arithmetic.dialects.frameworks import Framework
from convt_cli.arithmetic.layers import Definition
from convt_cli.arithmetic.network import NetworkLayer
from convt_cli.arithmetic.vocabulary import Rule
from convt_cli.operators.dtypes import Array

DefinitionT = TypeVar("DefinitionT", bound=Definition)
Definition_co = TypeVar("Definition_co", bound=Definition, covariant=True)

Sources = tuple[Array, ...]
"""A layer's sources, each (batch, channels, *spatial)."""

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
    NORMALISED = "normalised"
    """The values of the forward input; deconvnet passes signals unchanged."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PreparedLayer(Generic[Definition_co]):
    """A layer, the framework that it was resolved by, and its weight and bias, by key.

    `definition` is the layer's, as the class that its step is for.
    """

    layer: NetworkLayer
    definition: Definition_co
    rules: Framework
    parameters: Mapping[str, Array]


class Step(NamedTuple):
    """The output of a layer for given sources, and the function that takes a signal back."""

    value: Array
    back: Back


Take = Callable[[PreparedLayer[DefinitionT], Sources], Step]
"""The step of a layer whose keys are of this class."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StepType:
    """The step of the layers that a class defines, and what its way back depends on.

    `note` says what is assumed of a layer where its spec leaves numbers out; "" for nothing.
    """

    definition: type[Definition]
    kind: BackKind
    take: Take[Any]
    note: Callable[[Any, Framework], str]

    def has_way_back(self, rule: Rule) -> bool:
        """Whether a signal can go back through the layer by `rule`."""
        return self.kind is not BackKind.SMOOTH or rule != "deconvnet"


def no_note(_: Definition, __: Framework) -> str:
    """Nothing: no number of the layer is assumed."""
    return ""


def step_of(
    definition: type[DefinitionT],
    kind: BackKind,
    take: Take[DefinitionT],
    note: Callable[[DefinitionT, Framework], str] = no_note,
) -> StepType:
    """The step of a class of layers; mypy sees that `take` is for layers of that class."""
    return StepType(definition=definition, kind=kind, take=take, note=note)
