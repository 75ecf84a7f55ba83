"""What a layer gives, in float64, and how far rounding can carry a tool from it: proved bounds.

A sum of n products, in any order and in a type with unit roundoff u, is off by at most n u times
the sum of their absolute values (Jeannerod and Rump, "Improved error bounds for inner products in
floating-point arithmetic", 2013); a bias is one more term.  `_ERRORS` has such a relative error for
every layer type for which one is proved, relative to what the layer makes of absolute values.
Numbers that the accumulator cannot hold are rounded before, and results once more to the type of
the array that holds them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from math import expm1, log1p, prod
from typing import Any

import numpy as np

from convt_cli.analysis.backward.layers import STEPS
from convt_cli.analysis.backward.step import PreparedLayer, Sources
from convt_cli.analysis.diagnose.precision import PRECISIONS, Precision
from convt_cli.analysis.rounding import products_summed
from convt_cli.arithmetic.axis import ceil_div
from convt_cli.arithmetic.keys import per_axis
from convt_cli.arithmetic.layers import Conv, ConvTranspose, Definition
from convt_cli.arithmetic.layers import pointwise as points
from convt_cli.arithmetic.layers import rearranging as moves
from convt_cli.arithmetic.layers.activations import Clip, LeakyRelu
from convt_cli.arithmetic.layers.adaptive_pools import (
    AdaptiveAveragePool,
    AdaptiveMaxPool,
    GlobalAveragePool,
    GlobalMaxPool,
)
from convt_cli.arithmetic.layers.joins import Add, Concat, Multiply
from convt_cli.arithmetic.layers.linear import Linear
from convt_cli.arithmetic.layers.norms import BatchNorm
from convt_cli.arithmetic.layers.pools import AveragePool, MaxPool, MaxUnpool
from convt_cli.arithmetic.layers.resampling import PixelShuffle, PixelUnshuffle, Upsample
from convt_cli.operators.dtypes import Array

Prepared = PreparedLayer[Any]

_REFERENCE = PRECISIONS["float64"]
"""The type in which the values themselves are computed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reckoning:
    """A layer's `values`, in float64, and the `errors` that summing can make beside them.

    `overflows` tells where a partial sum can pass the accumulator's largest number.  All three are
    (batch, channels, *spatial), or of chosen elements alone.
    """

    values: Array
    errors: Array
    overflows: Array

    def at(self, index: Any) -> Reckoning:
        """The elements at `index` alone."""
        return Reckoning(
            values=self.values[index], errors=self.errors[index], overflows=self.overflows[index]
        )

    def bounds(self, held: Precision) -> Array:
        """How far an element may be off after its last rounding, to the type `held`."""
        rounding = held.unit * (abs(self.values) + self.errors) + held.smallest / 2
        bounds: Array = self.errors + rounding
        return bounds

    def equal(self, got: Array, held: Precision) -> Array:
        """Where `got` is the value, rounded once to the type `held`; nan equals nan."""
        exact = held.rounded(self.values)
        same: Array = (exact == got) | (np.isnan(exact) & np.isnan(got))
        return same

    def agrees(self, got: Array, held: Precision) -> Array:
        """Where `got` is the value but for rounding, an overflow included."""
        bounds = self.bounds(held)
        near = (abs(got - self.values) <= bounds) & np.isfinite(bounds)
        # half a step above the largest number, from where rounding gives infinity
        passes = abs(self.values) + self.errors >= held.largest * (1 + held.unit / 2)
        too_large = passes & np.isinf(got) & (np.sign(got) == np.sign(self.values))
        overflown = (self.overflows | too_large) & np.isfinite(self.values) & ~np.isfinite(got)
        found: Array = near | self.equal(got, held) | overflown
        return found


def has_bound(prepared: Prepared) -> bool:
    """Whether a bound of rounding is proved for the layer."""
    return _relative(prepared, _REFERENCE.unit) is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class Applied:
    """A layer applied to its sources: its values, and what it makes of absolute values."""

    prepared: Prepared
    sources: Sources
    values: Array
    sizes: Array

    def summed_in(self, accumulator: Precision) -> Reckoning:
        """The values, with the errors of a tool that sums in `accumulator`.

        Without a proved bound the errors are zeros.
        """
        relative = relative_error(self.prepared, accumulator)
        before = _roundings_before(self.prepared, self.sources, accumulator)
        sizes = self._sizes_rounded_in(accumulator) if relative and before else self.sizes
        partials = self._partials(sizes)
        found = with_errors(self.values, sizes, relative, before, accumulator, partials=partials)
        if before and any(_passes(one, accumulator) for one in self._operands):
            return replace(found, overflows=np.ones_like(found.overflows))
        return found

    def _sizes_rounded_in(self, accumulator: Precision) -> Array:
        """The sizes with no operand between zero and the accumulator's normal numbers.

        A rounding there is off by u of the smallest normal number, times the other operand.
        """
        if not any(_is_subnormal(one, accumulator).any() for one in self._operands):
            return self.sizes
        raised = {
            name: _raised(array, accumulator)
            for name, array in self.prepared.parameters.items()
            if name != "running_var"  # which divides
        }
        prepared = replace(self.prepared, parameters={**self.prepared.parameters, **raised})
        sources = tuple(_raised(x, accumulator) for x in self.sources)
        return np.maximum(_on_absolutes(prepared, sources), self.sizes)

    def _partials(self, sizes: Array) -> Array:
        """How large a partial result can be that leads to results of `sizes`."""
        kind = type(self.prepared.definition)
        if kind in _COUNTS:
            return sizes * _COUNTS[kind](self.prepared)
        if kind is not BatchNorm or "running_var" not in self.prepared.parameters:
            return sizes
        # the scale and the reciprocal deviation come in any order: those below 1 may come last
        parameters = dict(self.prepared.parameters)
        eps = self.prepared.definition.epsilon(self.prepared.rules)
        parameters["running_var"] = np.minimum(parameters["running_var"], 1 - eps)
        if "weight" in parameters:
            parameters["weight"] = np.maximum(abs(parameters["weight"]), 1)
        return _on_absolutes(replace(self.prepared, parameters=parameters), self.sources)

    @property
    def _operands(self) -> tuple[Array, ...]:
        return (*self.sources, *self.prepared.parameters.values())


def _is_subnormal(x: Array, held: Precision) -> Array:
    """Where the type has fewer digits than elsewhere, though the number is not zero."""
    found: Array = (x != 0) & (abs(x) < held.normal)
    return found


def _raised(x: Array, held: Precision) -> Array:
    """x with the smallest normal number of the type for its subnormal ones."""
    return np.where(_is_subnormal(x, held), held.normal, x)


def _passes(x: Array, held: Precision) -> bool:
    """Whether the type is too narrow for a finite number of x."""
    return bool((np.isfinite(x) & np.isinf(held.rounded(x))).any())


def applied(prepared: Prepared, sources: Sources) -> Applied:
    """The layer's values in float64.

    Two applications of the layer: on its numbers, and on their absolute values where it sums.
    """
    values = STEPS[type(prepared.definition)].take(prepared, sources).value
    sizes = abs(values)
    if relative_error(prepared, _REFERENCE):
        sizes = np.maximum(_on_absolutes(prepared, sources), sizes)
    return Applied(prepared=prepared, sources=sources, values=values, sizes=sizes)


def _on_absolutes(prepared: Prepared, sources: Sources) -> Array:
    """What the layer makes of absolute values."""
    take = STEPS[type(prepared.definition)].take
    return take(absolute(prepared), tuple(map(abs, sources))).value


def with_errors(
    values: Array,
    sizes: Array,
    relative: float,
    roundings: int,
    accumulator: Precision,
    *,
    partials: Array,
) -> Reckoning:
    """The reckoning of `values` whose sums have absolute values of `sizes`.

    `relative` is the error of the sum, `roundings` how often each operand is rounded before it,
    and no partial result is larger than `partials`.
    """
    unit = accumulator.unit
    total = relative + (1 + relative) * compounded(roundings, unit)
    # the values themselves were summed in float64
    total += relative / unit * _REFERENCE.unit
    errors = total * sizes + (relative / unit + roundings) * accumulator.smallest
    if not total:
        errors = np.zeros_like(values)
    return Reckoning(
        values=values,
        errors=errors,
        overflows=np.isfinite(sizes) & (partials * (1 + total) > accumulator.largest),
    )


def compounded(count: int, unit: float) -> float:
    """(1 + unit)^count - 1: the error of `count` roundings, one after the other.

    >>> compounded(2, 0.5), compounded(1, 2.0**-53) == 2.0**-53
    (1.25, True)
    """
    return expm1(count * log1p(unit))


def _roundings_before(prepared: Prepared, sources: Sources, accumulator: Precision) -> int:
    """How often a product's operands are rounded: for the sources, and for the weight or bias."""
    held = (
        all(map(accumulator.holds, sources)),
        all(map(accumulator.holds, prepared.parameters.values())),
    )
    return held.count(False)


def absolute(prepared: Prepared) -> Prepared:
    """The layer with absolute values for its numbers, so that no two terms of a sum cancel."""
    parameters = {name: abs(array) for name, array in prepared.parameters.items()}
    if "running_mean" in parameters:  # which is subtracted
        parameters["running_mean"] = -parameters["running_mean"]
    return replace(prepared, parameters=parameters)


def relative_error(prepared: Prepared, accumulator: Precision) -> float:
    """The error of the layer's sums in `accumulator`, relative to its result on absolute values."""
    return _relative(prepared, accumulator.unit) or 0.0


def _relative(prepared: Prepared, unit: float) -> float | None:
    """The relative error of a layer's sums; None where none is proved."""
    rule = _ERRORS.get(type(prepared.definition))
    return None if rule is None else rule(prepared, unit)


def _exact(_: Prepared, __: float) -> float:
    """0: the layer selects or moves numbers."""
    return 0.0


def _products(prepared: Prepared, unit: float) -> float:
    """(n + 1) u for sums of n products and a bias."""
    convolution = prepared.layer.require_convolution()
    return (products_summed(convolution, forward=not convolution.adjoint) + 1) * unit


def _matrix(prepared: Prepared, unit: float) -> float:
    inner: int = prepared.parameters["weight"].shape[1]
    return (inner + 1) * unit


def _mean(count: Callable[[Prepared], int]) -> _Rule:
    """The error of a mean of `count` numbers: their sum, and at most three factors behind it."""

    def rule(prepared: Prepared, unit: float) -> float:
        summed = (count(prepared) - 1) * unit
        return summed + (1 + summed) * compounded(3, unit)

    return rule


def _window(prepared: Prepared) -> int:
    rank = len(prepared.layer.inputs[0]) - 1
    return prod(per_axis(prepared.definition.kernel_size, rank, "kernel_size"))


def _positions(prepared: Prepared) -> int:
    return prod(prepared.layer.inputs[0][1:])


def _shared(prepared: Prepared) -> int:
    pairs = zip(prepared.layer.inputs[0][1:], prepared.layer.output[1:], strict=True)
    return prod(ceil_div(size, wanted) + 1 for size, wanted in pairs)


def _factors(count: int) -> _Rule:
    """The error of `count` roundings, one after the other."""
    return lambda _, unit: compounded(count, unit)


def _upsampled(prepared: Prepared, _: float) -> float | None:
    return 0.0 if prepared.definition.mode == "nearest" else None


_Rule = Callable[[Prepared, float], float | None]
"""(layer, u) to the relative error of its sums."""

_MOVING: tuple[type[Definition], ...] = (
    *(MaxPool, MaxUnpool, GlobalMaxPool, AdaptiveMaxPool, PixelShuffle, PixelUnshuffle),
    *(moves.Flatten, moves.Reshape, moves.Transpose, moves.Slice, moves.Pad, moves.Crop),
    *(Concat, points.Relu, points.Dropout, points.Identity),
)
"""The layers that only select or move numbers."""

_COUNTS: Mapping[type[Definition], Callable[[Prepared], int]] = {
    AveragePool: _window,
    GlobalAveragePool: _positions,
    AdaptiveAveragePool: _shared,
}
"""How many numbers a mean is of, at most."""

_ERRORS: Mapping[type[Definition], _Rule] = {
    **dict.fromkeys(_MOVING, _exact),
    Conv: _products,
    ConvTranspose: _products,
    Linear: _matrix,
    **{kind: _mean(count) for kind, count in _COUNTS.items()},
    Upsample: _upsampled,
    Add: lambda prepared, unit: (len(prepared.layer.inputs) - 1) * unit,
    Multiply: lambda prepared, unit: compounded(len(prepared.layer.inputs) - 1, unit),
    points.Scale: _factors(2),
    Clip: _factors(1),  # the bounds of a clip
    LeakyRelu: _factors(2),  # the slope, and the product
    points.PRelu: _factors(2),
    # eps, the sum with it and its root, the quotient, the weight; the difference or the product
    # with the mean, the product with x, the last sum; and one more for the variance, if rounded
    BatchNorm: _factors(9),
}
"""The relative error of each layer type, where one is proved."""
