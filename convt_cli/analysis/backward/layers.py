"""The steps of every layer type, forward and back: one table, `STEPS`.

A signal goes back through a linear layer by its transpose, whatever the rule, and without the bias.
A max pool sends it to where the maximum was found.  `activations` go back by a rule of
`arithmetic.vocabulary`.
"""

from __future__ import annotations

from typing import cast

import numpy as np

from convt_cli.analysis.backward.activations import ACTIVATIONS
from convt_cli.analysis.backward.step import BackKind, PreparedLayer, Step, StepType
from convt_cli.arithmetic.averages import asked_pads, counts_padding
from convt_cli.arithmetic.convolution import Convolution
from convt_cli.arithmetic.layers import Spans, Windows
from convt_cli.arithmetic.layers.joins import Concat
from convt_cli.arithmetic.layers.pools import AveragePool
from convt_cli.arithmetic.layers.rearranging import Transpose
from convt_cli.arithmetic.layers.resampling import PixelShuffle, PixelUnshuffle, Upsample
from convt_cli.arithmetic.network import NetworkLayer
from convt_cli.arithmetic.vocabulary import Rule
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

# --- convolutions, scales and matrices --------------------------------------------------------


def _convolve(prepared: PreparedLayer, sources: tuple[Array, ...]) -> Step:
    """A x + bias, where A is C or, for conv_transpose, Cᵀ; back by Aᵀ."""
    convolution = cast("Convolution", prepared.layer.geometry.convolution)
    weight = prepared.parameters["weight"]  # (out_channels, in_channels // groups, *kernel_size)
    both: tuple[Route, Route] = (apply_forward, apply_transpose)
    forward, back = both[::-1] if convolution.adjoint else both
    value = forward(convolution, weight, sources[0])
    if "bias" in prepared.parameters:
        value += _per_channel(prepared.parameters["bias"], value)
    return Step(value, lambda signal, _: (back(convolution, weight, signal),))


def _scale(prepared: PreparedLayer, sources: tuple[Array, ...]) -> Step:
    """weight * x + bias, with one weight and one bias for each channel."""
    value, parameters = sources[0], prepared.parameters
    if "weight" not in parameters:
        weight = np.ones((), value.dtype)
    else:
        weight = _per_channel(parameters["weight"], value)
    value = value * weight
    if "bias" in parameters:
        value += _per_channel(parameters["bias"], value)
    return Step(value, lambda signal, _: (signal * weight,))


def _multiply_matrix(prepared: PreparedLayer, sources: tuple[Array, ...]) -> Step:
    """W x + bias, for a weight W of (out_features, in_features)."""
    weight = prepared.parameters["weight"]
    value = sources[0] @ weight.T  # (batch, out_features)
    if "bias" in prepared.parameters:
        value += prepared.parameters["bias"]
    return Step(value, lambda signal, _: (signal @ weight,))


def _per_channel(parameter: Array, x: Array) -> Array:
    """(channels,) as (channels, 1, ...), which broadcasts over (batch, channels, *spatial)."""
    return parameter.reshape(-1, *(1 for _ in x.shape[2:]))


# --- pools, padding and resampling ------------------------------------------------------------


def _max_pool(prepared: PreparedLayer, sources: tuple[Array, ...]) -> Step:
    walks = _walks(prepared)
    # switches, of the output's shape: the row-major spatial position of each maximum in x
    value, switches = max_pool(sources[0], walks)
    return Step(value, lambda signal, _: (max_pool_transpose(signal, switches, walks),))


def _average(prepared: PreparedLayer, sources: tuple[Array, ...]) -> Step:
    """The sum of each window, divided by the number of elements that the framework counts.

    An upsample is the same: its windows are one element (nearest) or those of an adaptive pool
    (area).
    """
    walks, counts = _walks(prepared), _counts(prepared)
    value = divided(window_sum(sources[0], walks), counts)
    return Step(value, lambda signal, _: (window_sum_transpose(divided(signal, counts), walks),))


def _copied(prepared: PreparedLayer, sources: tuple[Array, ...]) -> Step:
    """pad and crop: every output is one element of the source, or 0."""
    walks = _walks(prepared)
    value = window_sum(sources[0], walks)
    return Step(value, lambda signal, _: (window_sum_transpose(signal, walks),))


def _walks(prepared: PreparedLayer) -> tuple[Walk, ...]:
    """How the windows of a pool, pad, crop or upsample move along each axis."""
    dependence = prepared.layer.geometry.dependence
    if isinstance(dependence, Windows):
        return tuple(map(window_walk, dependence.axes))
    inputs, outputs = prepared.layer.inputs[0][1:], prepared.layer.output[1:]
    spans = dependence.axes if isinstance(dependence, Spans) else (None,) * len(inputs)
    return tuple(map(span_walk, spans, inputs, outputs))


def _counts(prepared: PreparedLayer) -> list[Array]:
    """The divisors of an average, (output_size,) for each axis: a window's is their product."""
    definition, dependence = prepared.layer.definition, prepared.layer.geometry.dependence
    if not counts_padding(definition, prepared.rules):
        return elements_met(_walks(prepared))
    pool, axes = cast("AveragePool", definition), cast("Windows", dependence).axes
    pairs = asked_pads(pool, axes, prepared.rules)
    return taps_within(axes, [after for _, after in pairs])


# --- the same elements elsewhere --------------------------------------------------------------


def _identity(_: PreparedLayer, sources: tuple[Array, ...]) -> Step:
    return Step(sources[0], lambda signal, _: (signal,))


def _reshape(prepared: PreparedLayer, sources: tuple[Array, ...]) -> Step:
    shape = sources[0].shape
    value = sources[0].reshape(len(sources[0]), *prepared.layer.output)
    return Step(value, lambda signal, _: (signal.reshape(len(signal), *shape[1:]),))


def _transpose(prepared: PreparedLayer, sources: tuple[Array, ...]) -> Step:
    # the definition's axes begin at the channels, those of an array at the batch
    axes = (0, *(axis + 1 for axis in cast("Transpose", prepared.layer.definition).axes))
    back = tuple(int(axis) for axis in np.argsort(axes))  # the inverse permutation
    value = sources[0].transpose(axes)
    return Step(value, lambda signal, _: (signal.transpose(back),))


def _shuffle(prepared: PreparedLayer, sources: tuple[Array, ...]) -> Step:
    factor = cast("PixelShuffle", prepared.layer.definition).factor
    value = _from_channels(sources[0], factor)
    return Step(value, lambda signal, _: (_into_channels(signal, factor),))


def _unshuffle(prepared: PreparedLayer, sources: tuple[Array, ...]) -> Step:
    factor = cast("PixelUnshuffle", prepared.layer.definition).factor
    value = _into_channels(sources[0], factor)
    return Step(value, lambda signal, _: (_from_channels(signal, factor),))


def _from_channels(x: Array, factor: int) -> Array:
    """(batch, c * factor**rank, *sizes) to (batch, c, *(size * factor)), as PyTorch orders it."""
    sizes = x.shape[2:]
    rank = len(sizes)
    blocks = x.reshape(len(x), -1, *(factor,) * rank, *sizes)  # (batch, c, factor, ..., *sizes)
    # each size's axis, then the factor's axis that belongs to it: (batch, c, size, factor, ...)
    pairs = [2 + axis + behind for axis in range(rank) for behind in (rank, 0)]
    return blocks.transpose(0, 1, *pairs).reshape(
        len(x), blocks.shape[1], *(size * factor for size in sizes)
    )


def _into_channels(x: Array, factor: int) -> Array:
    """(batch, c, *(size * factor)) to (batch, c * factor**rank, *sizes): its inverse."""
    rank = x.ndim - 2
    sizes = tuple(size // factor for size in x.shape[2:])
    # (batch, c, size, factor, size, factor, ...) to (batch, c, factor, ..., *sizes)
    blocks = x.reshape(*x.shape[:2], *(one for size in sizes for one in (size, factor)))
    behind = [3 + 2 * axis for axis in range(rank)]
    ahead = [2 + 2 * axis for axis in range(rank)]
    return blocks.transpose(0, 1, *behind, *ahead).reshape(
        len(x), x.shape[1] * factor**rank, *sizes
    )


# --- several sources --------------------------------------------------------------------------


def _concat(prepared: PreparedLayer, sources: tuple[Array, ...]) -> Step:
    axis = cast("Concat", prepared.layer.definition).axis + 1  # behind the batch axis
    ends = np.cumsum([source.shape[axis] for source in sources])[:-1]
    value = np.concatenate(sources, axis)
    return Step(value, lambda signal, _: tuple(np.split(signal, ends, axis)))


def _add(_: PreparedLayer, sources: tuple[Array, ...]) -> Step:
    """The sum of all sources; back, each gets the signal, summed over its broadcast axes."""
    value = sum(sources[1:], sources[0])
    shapes = [source.shape for source in sources]
    return Step(value, lambda signal, _: tuple(_summed_to(signal, shape) for shape in shapes))


def _multiply(_: PreparedLayer, sources: tuple[Array, ...]) -> Step:
    """The product of all sources; back, each gets the signal times the product of the others."""
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
"""The note of normalisations whose statistics and factors a spec cannot hold."""

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
"""The step of each layer type that a signal can go back through.

Not in it are softmax, the normalisations by statistics of their own input, and max_unpool;
`test_every_type_is_known_or_known_to_have_no_way_back` names them, and fails for a layer type that
is in neither list.
"""

_WINDOWED_MODES = ("nearest", "area")
"""The modes of upsample that are means over windows, which `_average` computes."""


def step_type(layer: NetworkLayer) -> StepType | None:
    """The step of `layer`; None where no signal can go back through it."""
    if layer.stands_for is not None:
        return None
    definition = layer.definition
    if isinstance(definition, Upsample) and definition.mode not in _WINDOWED_MODES:
        return None
    return STEPS.get(layer.type)
