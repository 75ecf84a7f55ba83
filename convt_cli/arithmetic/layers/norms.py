"""Normalisations: by statistics of the input or kept ones, and by the neighbouring channels.

They differ in the number of their parameters, which each framework counts in its own way; a
number that is left out is the framework's default, see `dialects.numbers`.

Sources: `numel` of the parameters of PyTorch 2.13's modules, `count_params` of Keras 3.15's layers,
the inputs that ONNX's operators require, and the blobs of BVLC Caffe's layers.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import prod
from typing import ClassVar

from convt_cli.arithmetic.convolution import Shape
from convt_cli.arithmetic.dialects.frameworks import Framework
from convt_cli.arithmetic.keys import (
    Bias,
    Flag,
    Integer,
    Number,
    Sizes,
    Weight,
    WeightSource,
    key,
)
from convt_cli.arithmetic.layers.base import (
    Geometry,
    Layer,
    Spans,
    check_inline,
    excluding,
    single_source,
)
from convt_cli.arithmetic.spans import Span, unknown_span
from convt_cli.errors import GeometryError


@dataclass(frozen=True, slots=True, kw_only=True)
class Norm(Layer):
    """The keys of all layers that subtract a mean and divide by a deviation.

    y = (x - mean) / sqrt(variance + eps) * weight + bias; the last two with `affine` alone.
    """

    affine: bool | None = key(
        Flag(), "whether a scale and a shift are learned; as the framework has it", default=None
    )
    eps: float | None = key(
        Number(0), "added to the variance; as the framework has it", default=None
    )
    weight: WeightSource | None = key(Weight(), "the scale; ones if left out", default=None)
    bias: bool | WeightSource | None = key(
        Bias(), "the shift; zeros if left out, and none if false", default=None
    )

    _default_eps: ClassVar[str]
    """The name of the default among the numbers of a framework."""

    def problems(self, framework: Framework) -> Iterator[GeometryError]:
        for field, value in (("weight", self.weight), ("bias", self.bias)):
            if self.affine is False and value not in (None, False):
                yield excluding(field, "affine: false")

    def resolve(self, sources: tuple[Shape, ...], framework: Framework) -> Geometry:
        shape = single_source(sources)
        return Geometry(output=shape, parameters=self._learned(shape, framework))

    def epsilon(self, framework: Framework) -> float:
        """eps, given or the framework's."""
        default: float = getattr(framework.numbers, self._default_eps)
        return default if self.eps is None else self.eps

    def is_affine(self, framework: Framework) -> bool:
        """Whether it has a weight."""
        return self.affine is not False

    def has_bias(self, framework: Framework) -> bool:
        """Whether it has a bias."""
        return self.is_affine(framework) and self.bias is not False

    def stored_axes(self, count: int, framework: Framework) -> tuple[int, ...]:
        """The axes of a source of `count` that a weight has, in the order in which it is stored."""
        return (0,)

    def stored_shape(self, source: Shape, framework: Framework) -> Shape:
        """The shape of a stored weight."""
        return tuple(source[axis] for axis in self.stored_axes(len(source), framework))

    def _learned(self, source: Shape, framework: Framework) -> int:
        """The number of learned numbers.

        Raises GeometryError (E121) for ones in the spec that do not have the weight's shape.
        """
        shape = self.stored_shape(source, framework)
        check_inline("weight", self.weight, shape)
        check_inline("bias", self.bias, shape)
        return prod(shape) * (self.is_affine(framework) + self.has_bias(framework))


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchNorm(Norm):
    """Normalised by a mean and a variance per channel that were kept in training."""

    running_mean: WeightSource | None = key(Weight(), "the kept means", default=None)
    running_var: WeightSource | None = key(Weight(), "the kept variances", default=None)

    _default_eps = "batch_norm_eps"

    def problems(self, framework: Framework) -> Iterator[GeometryError]:
        yield from Norm.problems(self, framework)
        kept = {"running_mean": self.running_mean, "running_var": self.running_var}
        missing = [name for name, value in kept.items() if value is None]
        if len(missing) == 1:
            (given,) = kept.keys() - missing
            yield GeometryError(
                "E102",
                "running_mean and running_var come together",
                field=given,
                value=f"there is no {missing[0]}",
                help=f"add `{missing[0]}:`, or leave out both",
            )

    def resolve(self, sources: tuple[Shape, ...], framework: Framework) -> Geometry:
        shape = single_source(sources)
        check_inline("running_mean", self.running_mean, shape[:1])
        check_inline("running_var", self.running_var, shape[:1])
        kept = 2 * shape[0] if framework.counts_running_statistics else 0
        learned = self._learned(shape, framework)
        return Geometry(output=shape, parameters=learned + kept, not_trained=kept)


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupNorm(Norm):
    """Normalised over groups of channels; a scale and a shift per channel."""

    num_groups: int | None = key(
        Integer(1), "groups that the channels are split into; as the framework has it", default=None
    )

    _default_eps = "group_norm_eps"

    def groups(self, framework: Framework) -> int | None:
        """The number of groups; None where neither the spec nor the framework says it."""
        return self.num_groups or framework.numbers.group_norm_groups

    def resolve(self, sources: tuple[Shape, ...], framework: Framework) -> Geometry:
        shape = single_source(sources)
        groups = self.groups(framework) or 1
        if shape[0] % groups:
            own = "" if self.num_groups else f", {framework.name}'s default,"
            raise GeometryError(
                "E111",
                "num_groups must divide the channels",
                field="num_groups",
                value=f"got {groups}{own} with {shape[0]} channels",
                help="use a divisor of the channels",
            )
        return Norm.resolve(self, sources, framework)


@dataclass(frozen=True, slots=True, kw_only=True)
class InstanceNorm(Norm):
    """Normalised channel by channel; a scale and a shift per channel where it is affine."""

    _default_eps = "instance_norm_eps"

    def is_affine(self, framework: Framework) -> bool:
        if self.affine is None:
            given = self.weight is not None or self.bias not in (None, False)
            return given or framework.instance_norm_affine
        return self.affine


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerNorm(Norm):
    """Normalised along some axes; a scale and a shift for each of their elements."""

    normalized_axes: Shape | None = key(
        Sizes(0), "the axes, 0 for the channels; as the framework has it", default=None
    )

    _default_eps = "layer_norm_eps"

    def problems(self, framework: Framework) -> Iterator[GeometryError]:
        yield from Norm.problems(self, framework)
        axes = self.normalized_axes or ()
        if len(set(axes)) < len(axes):
            yield self._refused("names each axis once", f"got {list(axes)}")

    def resolve(self, sources: tuple[Shape, ...], framework: Framework) -> Geometry:
        shape = single_source(sources)
        axes = self.axes(len(shape), framework)
        if max(axes) >= len(shape):
            raise self._refused(
                f"names axes below {len(shape)}", f"got {list(axes)}, the source is {list(shape)}"
            )
        return Norm.resolve(self, sources, framework)

    def axes(self, count: int, framework: Framework) -> tuple[int, ...]:
        """The normalised axes of a source of `count` axes."""
        defaults = {"all": tuple(range(count)), "channels": (0,), "last": (count - 1,)}
        return self.normalized_axes or defaults[framework.layer_norm_axes]

    def stored_axes(self, count: int, framework: Framework) -> tuple[int, ...]:
        axes = sorted(self.axes(count, framework))
        is_last = framework.taps_first and axes[0] == 0
        return (*axes[1:], 0) if is_last else tuple(axes)

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
class Lrn(Layer):
    """x / (k + alpha / size * (sum of squares in a window of size channels)) ** beta.

    TensorFlow does not divide alpha by size.
    """

    size: int | None = key(
        Integer(1), "channels in the window; as the framework has it", default=None
    )
    k: float | None = key(Number(), "added to the sum; as the framework has it", default=None)
    alpha: float | None = key(Number(), "factor of the sum; as the framework has it", default=None)
    beta: float | None = key(Number(), "the exponent; as the framework has it", default=None)

    def problems(self, framework: Framework) -> Iterator[GeometryError]:
        if self.size is not None and self.size % 2 == 0 and not framework.numbers.lrn_even_size:
            yield GeometryError(
                "E125",
                f"{framework.title} has no lrn over an even number of channels",
                field="size",
                value=f"got {self.size}",
                help=f"use {self.size - 1} or {self.size + 1}, or another framework",
            )

    def window(self, framework: Framework) -> tuple[int, int] | None:
        """(before, after): how many channels on either side are read; None if not known."""
        size = self.size or framework.numbers.lrn_size
        return None if size is None else (size // 2, (size - 1) // 2)

    def numbers(self, framework: Framework) -> tuple[float, float, float]:
        """(k, alpha, beta), given or the framework's; alpha is that of each single square."""
        default = framework.numbers
        k, alpha, beta = (
            own if given is None else given
            for given, own in (
                (self.k, default.lrn_k),
                (self.alpha, default.lrn_alpha),
                (self.beta, default.lrn_beta),
            )
        )
        size = (self.size or default.lrn_size or 1) if default.lrn_divides else 1
        return k, alpha / size, beta

    def resolve(self, sources: tuple[Shape, ...], framework: Framework) -> Geometry:
        shape = single_source(sources)
        window = self.window(framework)
        read = unknown_span(shape[0]) if window is None else Span(first=-window[0], last=window[1])
        spans = (Span(),) * (len(shape) - 1)
        return Geometry(output=shape, dependence=Spans(axes=spans, channels=(read,)))
