"""Layers that keep the shape of their source: activations, normalisations, scale.

They differ here in the number of their parameters, which each framework counts in its own way.

Sources: `numel` of the parameters of PyTorch 2.13's modules, `count_params` of Keras 3.15's layers,
the inputs that ONNX's operators require, and the blobs of BVLC Caffe's layers.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import prod

from convt_cli.arithmetic.convolution import Shape
from convt_cli.arithmetic.dialects.frameworks import Framework
from convt_cli.arithmetic.keys import Bias, Flag, Inline, Integer, Sizes, Weight, WeightSource, key
from convt_cli.arithmetic.layers.base import Geometry, Layer, check_inline, single_source
from convt_cli.errors import GeometryError

_AFFINE = "whether a scale and a shift are learned; as the framework has it"
"""The description of `affine` where its default depends on the framework."""


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
class LeakyRelu(Pointwise):
    """x where it is positive, a small slope times x elsewhere."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Clip(Pointwise):
    """The nearest number between two bounds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Elu(Pointwise):
    """x where it is positive, exp(x) - 1 elsewhere."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Gelu(Pointwise):
    """x times the normal distribution's share below x."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Silu(Pointwise):
    """x * sigmoid(x)."""


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
class Softmax(Preserving):
    """exp(x), divided by its sum over the channels."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lrn(Preserving):
    """x, divided by a power of the sum of squares of the channels around it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PRelu(Layer):
    """x where it is positive, a learned slope times x elsewhere."""

    num_parameters: int | None = key(
        Integer(1),
        "slopes: one, or one per channel or element; as the framework has it",
        default=None,
    )

    def resolve(self, sources: tuple[Shape, ...], framework: Framework) -> Geometry:
        shape = single_source(sources)
        counts = {"one": 1, "channels": shape[0], "elements": prod(shape)}
        legal = [counts[word] for word in framework.prelu_slopes]
        slopes = self.num_parameters or legal[0]
        if slopes not in legal:
            raise GeometryError(
                "E111",
                f"{framework.name} has no prelu with as many slopes",
                field="num_parameters",
                value=f"got {slopes}, the source is {list(shape)}",
                help=f"use {' or '.join(map(str, dict.fromkeys(legal)))}",
            )
        return Geometry(output=shape, parameters=slopes)


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchNorm(Layer):
    """A mean and a variance per channel, and with `affine` a learned scale and shift."""

    affine: bool = key(Flag(), "whether a scale and a shift are learned", default=True)

    def resolve(self, sources: tuple[Shape, ...], framework: Framework) -> Geometry:
        shape = single_source(sources)
        learned = 2 * shape[0] if self.affine else 0
        kept = 2 * shape[0] if framework.counts_running_statistics else 0
        return Geometry(output=shape, parameters=learned + kept, not_trained=kept)


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupNorm(Layer):
    """Normalised over groups of channels; with `affine` a scale and a shift per channel."""

    affine: bool = key(Flag(), "whether a scale and a shift are learned", default=True)

    def resolve(self, sources: tuple[Shape, ...], framework: Framework) -> Geometry:
        shape = single_source(sources)
        return Geometry(output=shape, parameters=2 * shape[0] if self.affine else 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class InstanceNorm(Layer):
    """Normalised channel by channel; with `affine` a scale and a shift per channel."""

    affine: bool | None = key(Flag(), _AFFINE, default=None)

    def resolve(self, sources: tuple[Shape, ...], framework: Framework) -> Geometry:
        shape = single_source(sources)
        affine = framework.instance_norm_affine if self.affine is None else self.affine
        return Geometry(output=shape, parameters=2 * shape[0] if affine else 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerNorm(Layer):
    """Normalised along some axes; with `affine` a scale and a shift for each of their elements."""

    normalized_axes: Shape | None = key(
        Sizes(0), "the axes, 0 for the channels; as the framework has it", default=None
    )
    affine: bool = key(Flag(), "whether a scale and a shift are learned", default=True)

    def problems(self, framework: Framework) -> Iterator[GeometryError]:
        axes = self.normalized_axes or ()
        if len(set(axes)) < len(axes):
            yield self._refused("names each axis once", f"got {list(axes)}")

    def resolve(self, sources: tuple[Shape, ...], framework: Framework) -> Geometry:
        shape = single_source(sources)
        axes = self._axes(len(shape), framework)
        if max(axes) >= len(shape):
            raise self._refused(
                f"names axes below {len(shape)}", f"got {list(axes)}, the source is {list(shape)}"
            )
        elements = prod(shape[axis] for axis in axes)
        return Geometry(output=shape, parameters=2 * elements if self.affine else 0)

    def _axes(self, rank: int, framework: Framework) -> tuple[int, ...]:
        defaults = {"all": tuple(range(rank)), "channels": (0,), "last": (rank - 1,)}
        return self.normalized_axes or defaults[framework.layer_norm_axes]

    @staticmethod
    def _refused(rule: str, value: str) -> GeometryError:
        return GeometryError(
            "E127",
            f"normalized_axes {rule}",
            field="normalized_axes",
            value=value,
            help="0 is the channels, 1 the first spatial axis",
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale(Layer):
    """Each channel times a factor plus an addend; one that is left out is not applied.

    With neither given both are counted, as a batch norm's are.  A list of one number is for all
    channels and counts as one parameter.  A number without a list is a constant of the formula,
    as the 3 and the 6 of x * clip(x + 3) / 6 are, and no parameter.
    """

    weight: WeightSource | None = key(Weight(scalar=True), "a factor per channel", default=None)
    bias: bool | WeightSource | None = key(Bias(scalar=True), "an addend per channel", default=None)

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
        return Geometry(output=shape, parameters=parameters)


def _is_for_all_channels(source: bool | WeightSource | None) -> bool:
    return isinstance(source, Inline) and source.shape in {(), (1,)}


def _numbers_in(source: bool | WeightSource | None, channels: int) -> int:
    """How many parameters of a scale `source` holds; one per channel unless the spec has them."""
    if isinstance(source, Inline):
        return len(source.values) if source.shape else 0
    return channels
