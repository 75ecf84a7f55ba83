"""Layers that keep the shape of their source: activations without numbers, prelu, scale."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

from convt_cli.arithmetic.convolution import Shape
from convt_cli.arithmetic.dialects.frameworks import Framework
from convt_cli.arithmetic.keys import (
    Bias,
    FileReference,
    Flag,
    Inline,
    Integer,
    Weight,
    WeightSource,
    key,
)
from convt_cli.arithmetic.layers.base import Geometry, Layer, check_inline, single_source
from convt_cli.errors import GeometryError


@dataclass(frozen=True, slots=True, kw_only=True)
class Preserving(Layer):
    """A layer without numbers of its own."""

    def resolve(self, sources: tuple[Shape, ...], framework: Framework) -> Geometry:
        return Geometry(output=single_source(sources))


@dataclass(frozen=True, slots=True, kw_only=True)
class Pointwise(Preserving):
    """One function of each element by itself, the same in every channel."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Relu(Pointwise):
    """max(x, 0)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Silu(Pointwise):
    """x * sigmoid(x)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mish(Pointwise):
    """x * tanh(log(1 + exp(x)))."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Softplus(Pointwise):
    """log(1 + exp(x))."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Selu(Pointwise):
    """An elu, scaled so that it keeps mean 0 and variance 1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sigmoid(Pointwise):
    """1 / (1 + exp(-x))."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tanh(Pointwise):
    """The hyperbolic tangent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Dropout(Pointwise):
    """x: numbers are dropped in training alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity(Pointwise):
    """x."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PRelu(Layer):
    """x where it is positive, a learned slope times x elsewhere."""

    num_parameters: int | None = key(
        Integer(1),
        "slopes: one, or one per channel or element; as the framework has it",
        default=None,
    )

    weight: WeightSource | None = key(Weight(), "the slopes", default=None)

    def resolve(self, sources: tuple[Shape, ...], framework: Framework) -> Geometry:
        shape = single_source(sources)
        stored = self.stored_shape(shape, framework)
        check_inline("weight", self.weight, stored)
        return Geometry(output=shape, parameters=prod(stored))

    def stored_shape(self, source: Shape, framework: Framework) -> Shape:
        """The shape of the stored slopes: one, one per channel, or one per element.

        Raises GeometryError (E111) for a number of slopes that the framework's prelu cannot have.
        """
        shapes = {
            "one": (1,),
            "channels": source[:1],
            "elements": stored_order(source, framework),
        }
        legal = [shapes[word] for word in framework.prelu_slopes]
        slopes = self.num_parameters or prod(legal[0])
        for shape in legal:
            if prod(shape) == slopes:
                return shape
        raise GeometryError(
            "E111",
            f"{framework.name} has no prelu with as many slopes",
            field="num_parameters",
            value=f"got {slopes}, the source is {list(source)}",
            help=f"use {' or '.join(map(str, dict.fromkeys(map(prod, legal))))}",
        )


def stored_order(shape: Shape, framework: Framework) -> Shape:
    """`shape`, (channels, *spatial), as the framework stores it: there the channels may be last."""
    return (*shape[1:], shape[0]) if framework.taps_first else shape


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale(Layer):
    """Each channel times a factor plus an addend; one that is left out is not applied.

    With neither given both are counted, as a batch norm's are.  A list of one number, or a file
    of `shape: [1]`, is for all channels and counts as one parameter.  A number without a list is
    a constant of the formula, as the 3 and the 6 of x * clip(x + 3) / 6 are, and no parameter.
    """

    weight: WeightSource | None = key(Weight(scalar=True), "a factor per channel", default=None)
    bias: bool | WeightSource | None = key(Bias(scalar=True), "an addend per channel", default=None)
    learned: bool = key(
        Flag(), "whether its numbers count as parameters, or are fixed", default=True
    )

    def resolve(self, sources: tuple[Shape, ...], framework: Framework) -> Geometry:
        shape = single_source(sources)
        for field, source in (("weight", self.weight), ("bias", self.bias)):
            if not _is_for_all_channels(source):
                check_inline(field, source, shape[:1])
        parameters = 0
        if self.weight is not None or self.bias in (None, False):
            parameters += _numbers_in(self.weight, shape[0])
        if self.bias is not False and (self.bias is not None or self.weight is None):
            parameters += _numbers_in(self.bias, shape[0])
        return Geometry(output=shape, parameters=parameters if self.learned else 0)


def _is_for_all_channels(source: bool | WeightSource | None) -> bool:
    if isinstance(source, FileReference):
        return source.shape == (1,)
    return isinstance(source, Inline) and source.shape in {(), (1,)}


def _numbers_in(source: bool | WeightSource | None, channels: int) -> int:
    """How many parameters of a scale `source` holds; one per channel unless the spec has them."""
    if isinstance(source, Inline):
        return len(source.values) if source.shape else 0
    return 1 if _is_for_all_channels(source) else channels
