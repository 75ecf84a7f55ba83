"""What every layer type does to arrays, and the way back through it: one table, `STEPS`.

The way back through a linear layer is its transpose, whatever the rule, without the bias; a max
pool sends a signal to where its maximum stood.  At `activations` it is by one of the `rules`.
"""

from __future__ import annotations

from typing import cast

import numpy as np

from convt_cli.analysis.backward.activations import ACTIVATIONS
from convt_cli.analysis.backward.rules import Rule
from convt_cli.analysis.backward.step import BackKind, Place, Step, StepType
from convt_cli.arithmetic.averages import asked_pads, counts_padding
from convt_cli.arithmetic.convolution import Convolution
from convt_cli.arithmetic.layers import Spans, Windows
from convt_cli.arithmetic.layers.joins import Concat
from convt_cli.arithmetic.layers.pools import AveragePool
from convt_cli.arithmetic.layers.rearranging import Transpose
from convt_cli.arithmetic.layers.resampling import PixelShuffle, PixelUnshuffle, Upsample
from convt_cli.arithmetic.network import NetworkLayer
from convt_cli.operators.dtypes import Array
from convt_cli.operators.functions import Route
from convt_cli.operators.matrix_free import apply_forward, apply_transpose
from convt_cli.operators.pooling import (
    Walk,
    divided,
    elements_met,
    max_pool,
    max_pool_transpose,
    span_walk,
    taps_within,
    window_sum,
    window_sum_transpose,
    window_walk,
)

# --- convolutions and numbers per channel -----------------------------------------------------


def _convolve(place: Place, sources: tuple[Array, ...]) -> Step:
    """A x + bias, where A is C or, for conv_transpose, Cᵀ; back by Aᵀ."""
    convolution = cast("Convolution", place.layer.geometry.convolution)
    weight = place.numbers["weight"]
    both: tuple[Route, Route] = (apply_forward, apply_transpose)
    there, back = both[::-1] if convolution.adjoint else both
    value = there(convolution, weight, sources[0])
    if "bias" in place.numbers:
        value += _per_channel(place.numbers["bias"], value)
    return Step(value, lambda signal, _: (back(convolution, weight, signal),))


def _scale(place: Place, sources: tuple[Array, ...]) -> Step:
    """weight * x + bias, one number of each per channel."""
    value, numbers = sources[0], place.numbers
    if "weight" not in numbers:
        weight = np.ones((), value.dtype)
    else:
        weight = _per_channel(numbers["weight"], value)
    value = value * weight
    if "bias" in numbers:
        value += _per_channel(numbers["bias"], value)
    return Step(value, lambda signal, _: (signal * weight,))


def _multiply_matrix(place: Place, sources: tuple[Array, ...]) -> Step:
    """W x + bias, for a weight W of (out_features, in_features)."""
    weight = place.numbers["weight"]
    value = sources[0] @ weight.T
    if "bias" in place.numbers:
        value += place.numbers["bias"]
    return Step(value, lambda signal, _: (signal @ weight,))


def _per_channel(numbers: Array, x: Array) -> Array:
    """(channels,) such that it broadcasts over (batch, channels, *spatial)."""
    return numbers.reshape(-1, *(1 for _ in x.shape[2:]))


# --- pools, padding and resampling ------------------------------------------------------------


def _max_pool(place: Place, sources: tuple[Array, ...]) -> Step:
    walks = _walks(place)
    value, switches = max_pool(sources[0], walks)
    return Step(value, lambda signal, _: (max_pool_transpose(signal, switches, walks),))


def _average(place: Place, sources: tuple[Array, ...]) -> Step:
    """The sum of each window over how many elements count, by the framework's rule.

    So is an upsample, whose windows are one element (nearest) or those of an adaptive pool (area).
    """
    walks, counts = _walks(place), _counts(place)
    value = divided(window_sum(sources[0], walks), counts)
    return Step(value, lambda signal, _: (window_sum_transpose(divided(signal, counts), walks),))


def _copied(place: Place, sources: tuple[Array, ...]) -> Step:
    """Every output is one element of the source, or 0: pad, crop."""
    walks = _walks(place)
    value = window_sum(sources[0], walks)
    return Step(value, lambda signal, _: (window_sum_transpose(signal, walks),))


def _walks(place: Place) -> tuple[Walk, ...]:
    """The walk of every axis of a pool, pad, crop or upsample."""
    dependence = place.layer.geometry.dependence
    if isinstance(dependence, Windows):
        return tuple(map(window_walk, dependence.axes))
    inputs, outputs = place.layer.inputs[0][1:], place.layer.output[1:]
    spans = dependence.axes if isinstance(dependence, Spans) else (None,) * len(inputs)
    return tuple(map(span_walk, spans, inputs, outputs))


def _counts(place: Place) -> list[Array]:
    """What an average divides by on each axis."""
    definition, dependence = place.layer.definition, place.layer.geometry.dependence
    if not counts_padding(definition, place.rules):
        return elements_met(_walks(place))
    pool, axes = cast("AveragePool", definition), cast("Windows", dependence).axes
    pairs = asked_pads(pool, axes, place.rules)
    return taps_within(axes, [after for _, after in pairs])


# --- the same elements elsewhere --------------------------------------------------------------


def _identity(_: Place, sources: tuple[Array, ...]) -> Step:
    return Step(sources[0], lambda signal, _: (signal,))


def _reshape(place: Place, sources: tuple[Array, ...]) -> Step:
    shape = sources[0].shape
    value = sources[0].reshape(len(sources[0]), *place.layer.output)
    return Step(value, lambda signal, _: (signal.reshape(len(signal), *shape[1:]),))


def _transpose(place: Place, sources: tuple[Array, ...]) -> Step:
    axes = (0, *(axis + 1 for axis in cast("Transpose", place.layer.definition).axes))
    back = tuple(int(axis) for axis in np.argsort(axes))
    value = sources[0].transpose(axes)
    return Step(value, lambda signal, _: (signal.transpose(back),))


def _shuffle(place: Place, sources: tuple[Array, ...]) -> Step:
    factor = cast("PixelShuffle", place.layer.definition).factor
    value = _from_channels(sources[0], factor)
    return Step(value, lambda signal, _: (_into_channels(signal, factor),))


def _unshuffle(place: Place, sources: tuple[Array, ...]) -> Step:
    factor = cast("PixelUnshuffle", place.layer.definition).factor
    value = _into_channels(sources[0], factor)
    return Step(value, lambda signal, _: (_from_channels(signal, factor),))


def _from_channels(x: Array, factor: int) -> Array:
    """(batch, c * factor**rank, *sizes) to (batch, c, *(size * factor)), as PyTorch orders it."""
    sizes = x.shape[2:]
    rank = len(sizes)
    blocks = x.reshape(len(x), -1, *(factor,) * rank, *sizes)
    pairs = [2 + axis + behind for axis in range(rank) for behind in (rank, 0)]
    return blocks.transpose(0, 1, *pairs).reshape(
        len(x), blocks.shape[1], *(size * factor for size in sizes)
    )


def _into_channels(x: Array, factor: int) -> Array:
    """`_from_channels` undone: a block of positions becomes channels again."""
    rank = x.ndim - 2
    sizes = tuple(size // factor for size in x.shape[2:])
    blocks = x.reshape(*x.shape[:2], *(one for size in sizes for one in (size, factor)))
    behind = [3 + 2 * axis for axis in range(rank)]
    ahead = [2 + 2 * axis for axis in range(rank)]
    return blocks.transpose(0, 1, *behind, *ahead).reshape(
        len(x), x.shape[1] * factor**rank, *sizes
    )


# --- several sources --------------------------------------------------------------------------


def _concat(place: Place, sources: tuple[Array, ...]) -> Step:
    axis = cast("Concat", place.layer.definition).axis + 1
    ends = np.cumsum([source.shape[axis] for source in sources])[:-1]
    value = np.concatenate(sources, axis)
    return Step(value, lambda signal, _: tuple(np.split(signal, ends, axis)))


def _add(_: Place, sources: tuple[Array, ...]) -> Step:
    """The sum of all; every source gets the signal, summed where it was broadcast."""
    value = sum(sources[1:], sources[0])
    shapes = [source.shape for source in sources]
    return Step(value, lambda signal, _: tuple(_summed_to(signal, shape) for shape in shapes))


def _multiply(_: Place, sources: tuple[Array, ...]) -> Step:
    """The product of all; every source gets the signal times the product of the others."""
    value = _product(sources)

    def back(signal: Array, _: Rule) -> tuple[Array, ...]:
        others = (
            _product((*sources[:number], *sources[number + 1 :])) for number in range(len(sources))
        )
        return tuple(
            _summed_to(signal * other, source.shape)
            for source, other in zip(sources, others, strict=True)
        )

    return Step(value, back)


def _product(factors: tuple[Array, ...]) -> Array:
    product = factors[0]
    for factor in factors[1:]:
        product = product * factor
    return product


def _summed_to(signal: Array, shape: tuple[int, ...]) -> Array:
    """`signal` summed over the axes on which an array of `shape` was broadcast to it."""
    axes = tuple(n for n in range(1, len(shape)) if shape[n] == 1 < signal.shape[n])
    return signal.sum(axes, keepdims=True) if axes else signal


_UNCHANGED = "passes signals unchanged: a spec holds no numbers for it"

STEPS: dict[str, StepType] = {
    "conv": StepType(BackKind.LINEAR, _convolve),
    "conv_transpose": StepType(BackKind.LINEAR, _convolve),
    "scale": StepType(BackKind.LINEAR, _scale),
    "linear": StepType(BackKind.LINEAR, _multiply_matrix),
    "max_pool": StepType(BackKind.SWITCHED, _max_pool),
    "global_max_pool": StepType(BackKind.SWITCHED, _max_pool),
    "adaptive_max_pool": StepType(BackKind.SWITCHED, _max_pool),
    "avg_pool": StepType(BackKind.LINEAR, _average),
    "global_avg_pool": StepType(BackKind.LINEAR, _average),
    "adaptive_avg_pool": StepType(BackKind.LINEAR, _average),
    "upsample": StepType(BackKind.LINEAR, _average),
    "pad": StepType(BackKind.LINEAR, _copied),
    "crop": StepType(BackKind.LINEAR, _copied),
    "pixel_shuffle": StepType(BackKind.LINEAR, _shuffle),
    "pixel_unshuffle": StepType(BackKind.LINEAR, _unshuffle),
    "flatten": StepType(BackKind.LINEAR, _reshape),
    "reshape": StepType(BackKind.LINEAR, _reshape),
    "transpose": StepType(BackKind.LINEAR, _transpose),
    "concat": StepType(BackKind.LINEAR, _concat),
    "add": StepType(BackKind.LINEAR, _add),
    "mul": StepType(BackKind.SMOOTH, _multiply),
    **ACTIVATIONS,
    "identity": StepType(BackKind.LINEAR, _identity),
    "dropout": StepType(BackKind.LINEAR, _identity),
    "batch_norm": StepType(BackKind.LINEAR, _identity, _UNCHANGED),
    "lrn": StepType(BackKind.LINEAR, _identity, _UNCHANGED),
}
"""Missing are softmax, the norms that look at their input, and max_unpool."""

_MODES = ("nearest", "area")


def step_type(layer: NetworkLayer) -> StepType | None:
    """How `layer` steps; None where no signal can go back through it."""
    if layer.stands_for is not None:
        return None
    definition = layer.definition
    if isinstance(definition, Upsample) and definition.mode not in _MODES:
        return None
    return STEPS.get(layer.type)
