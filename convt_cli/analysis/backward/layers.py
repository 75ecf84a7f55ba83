"""The steps of every layer type, forward and back: one table, `STEPS`.

A signal goes back through a linear layer by its transpose, whatever the rule, and without the bias.
A max pool sends it to where the maximum was found.  `activations` go back by a rule of
`arithmetic.vocabulary`.
"""

from __future__ import annotations

from math import prod
from typing import cast

import numpy as np

from convt_cli.analysis.backward.activations import ACTIVATIONS
from convt_cli.analysis.backward.norms import NORMS
from convt_cli.analysis.backward.resizing import has_resize, resize
from convt_cli.analysis.backward.selecting import SELECTIONS
from convt_cli.analysis.backward.step import (
    BackKind,
    PreparedLayer,
    Sources,
    Step,
    StepType,
    step_of,
)
from convt_cli.arithmetic.averages import asked_pads, counts_padding
from convt_cli.arithmetic.convolution import Convolution
from convt_cli.arithmetic.dialects.frameworks import Framework
from convt_cli.arithmetic.layers import (
    Conv,
    ConvTranspose,
    Definition,
    Spans,
    Windows,
)
from convt_cli.arithmetic.layers.adaptive_pools import (
    AdaptiveAveragePool,
    AdaptiveMaxPool,
    GlobalAveragePool,
    GlobalMaxPool,
)
from convt_cli.arithmetic.layers.joins import Add, Concat, Multiply
from convt_cli.arithmetic.layers.linear import Linear
from convt_cli.arithmetic.layers.norms import GroupNorm
from convt_cli.arithmetic.layers.pointwise import Dropout, Identity, Scale
from convt_cli.arithmetic.layers.pools import AveragePool, MaxPool, MaxUnpool
from convt_cli.arithmetic.layers.rearranging import Flatten, Reshape, Transpose
from convt_cli.arithmetic.layers.resampling import PixelShuffle, PixelUnshuffle, Upsample
from convt_cli.arithmetic.network import NetworkLayer
from convt_cli.arithmetic.vocabulary import Rule
from convt_cli.errors import RequestError
from convt_cli.operators.dtypes import Array
from convt_cli.operators.matrix_free import own_actions
from convt_cli.operators.pooling import (
    Walk,
    divided,
    elements_met,
    max_pool,
    max_pool_transpose,
    max_unpool,
    max_unpool_transpose,
    span_walk,
    taps_within,
    window_sum,
    window_sum_transpose,
    window_walk,
)

# --- convolutions, scales and matrices --------------------------------------------------------


def _convolve(prepared: PreparedLayer[Conv | ConvTranspose], sources: Sources) -> Step:
    """A x + bias, where A is C or, for conv_transpose, Cᵀ; back by Aᵀ."""
    convolution = cast("Convolution", prepared.layer.geometry.convolution)
    weight = prepared.parameters["weight"]  # (out_channels, in_channels // groups, *kernel_size)
    forward, back = own_actions(convolution)
    value = forward(convolution, weight, sources[0])
    if "bias" in prepared.parameters:
        value += _per_channel(prepared.parameters["bias"], value)
    return Step(value, lambda signal, _: (back(convolution, weight, signal),))


def _scale(prepared: PreparedLayer[Scale], sources: Sources) -> Step:
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


def _multiply_matrix(prepared: PreparedLayer[Linear], sources: Sources) -> Step:
    """W x + bias along one axis, for a weight W of (out_features, in_features)."""
    weight = prepared.parameters["weight"]
    axis = (prepared.definition.axis or 0) + 1  # behind the batch
    value = np.moveaxis(sources[0], axis, -1) @ weight.T  # (batch, ..., out_features)
    if "bias" in prepared.parameters:
        value += prepared.parameters["bias"]

    def back(signal: Array) -> Array:
        return np.moveaxis(np.moveaxis(signal, axis, -1) @ weight, -1, axis)

    return Step(np.moveaxis(value, -1, axis), lambda signal, _: (back(signal),))


def _per_channel(parameter: Array, x: Array) -> Array:
    """(channels,) as (channels, 1, ...), which broadcasts over (batch, channels, *spatial)."""
    return parameter.reshape(-1, *(1 for _ in x.shape[2:]))


# --- pools, padding and resampling ------------------------------------------------------------


def _max_pool(prepared: PreparedLayer[Definition], sources: Sources) -> Step:
    walks = _walks(prepared)
    # switches, of the output's shape: the row-major spatial position of each maximum in x
    value, switches = max_pool(sources[0], walks)
    return Step(value, lambda signal, _: (max_pool_transpose(signal, switches, walks),))


def _average_pool(prepared: PreparedLayer[AveragePool], sources: Sources) -> Step:
    """The sum of each window, divided by the number of elements that the framework counts."""
    walks, windows = _walks(prepared), prepared.layer.geometry.dependence
    if not isinstance(windows, Windows) or not counts_padding(prepared.definition, prepared.rules):
        return _divided_sums(sources[0], walks, elements_met(walks))
    afters = [after for _, after in asked_pads(prepared.definition, windows.axes, prepared.rules)]
    return _divided_sums(sources[0], walks, taps_within(windows.axes, afters))


def _mean(prepared: PreparedLayer[Definition], sources: Sources) -> Step:
    """The mean of each window: those of a global or an adaptive pool, or of an upsample by area."""
    walks = _walks(prepared)
    return _divided_sums(sources[0], walks, elements_met(walks))


def _upsample(prepared: PreparedLayer[Upsample], sources: Sources) -> Step:
    by_area = prepared.definition.mode == "area"
    return _mean(prepared, sources) if by_area else resize(prepared, sources)


def _max_unpool(prepared: PreparedLayer[MaxUnpool], sources: Sources) -> Step:
    """Each value where its pool found the maximum in its own source, which is `sources[1]`.

    Raises RequestError (E507) where a maximum lies behind the end of the output.
    """
    x, pooled = sources
    sizes = prepared.layer.output[1:]
    _, switches = max_pool(pooled, _walks(prepared))
    if switches.max() >= prod(sizes):
        raise RequestError(
            "E507",
            "a max_unpool puts values back where its pool found them",
            value=f"{prepared.layer.name} gives {list(sizes)}, the pool read {pooled.shape[2:]}",
            help="add `output_size: source`",
        )
    value = max_unpool(x, switches, sizes)
    return Step(value, lambda signal, _: (max_unpool_transpose(signal, switches),))


def _divided_sums(x: Array, walks: tuple[Walk, ...], counts: list[Array]) -> Step:
    """The sum of each window of x, divided: by the product of `counts`, (output_size,) per axis."""
    value = divided(window_sum(x, walks), counts)
    return Step(value, lambda signal, _: (window_sum_transpose(divided(signal, counts), walks),))


def _walks(prepared: PreparedLayer[Definition]) -> tuple[Walk, ...]:
    """How the windows of a pool, or of the pool that is undone, move along each axis."""
    dependence = prepared.layer.geometry.dependence
    if isinstance(dependence, Windows):
        return tuple(map(window_walk, dependence.axes))
    inputs, outputs = prepared.layer.inputs[0][1:], prepared.layer.output[1:]
    spans = dependence.axes if isinstance(dependence, Spans) else (None,) * len(inputs)
    return tuple(map(span_walk, spans, inputs, outputs))


# --- the same elements elsewhere --------------------------------------------------------------


def _identity(_: PreparedLayer[Definition], sources: Sources) -> Step:
    return Step(sources[0], lambda signal, _: (signal,))


def _reshape(prepared: PreparedLayer[Definition], sources: Sources) -> Step:
    shape = sources[0].shape
    value = sources[0].reshape(len(sources[0]), *prepared.layer.output)
    return Step(value, lambda signal, _: (signal.reshape(len(signal), *shape[1:]),))


def _transpose(prepared: PreparedLayer[Transpose], sources: Sources) -> Step:
    # the definition's axes begin at the channels, those of an array at the batch
    axes = (0, *(axis + 1 for axis in prepared.definition.axes))
    back = tuple(int(axis) for axis in np.argsort(axes))  # the inverse permutation
    value = sources[0].transpose(axes)
    return Step(value, lambda signal, _: (signal.transpose(back),))


def _shuffle(prepared: PreparedLayer[PixelShuffle], sources: Sources) -> Step:
    factor = prepared.definition.factor
    value = _from_channels(sources[0], factor)
    return Step(value, lambda signal, _: (_into_channels(signal, factor),))


def _unshuffle(prepared: PreparedLayer[PixelUnshuffle], sources: Sources) -> Step:
    factor = prepared.definition.factor
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


def _concat(prepared: PreparedLayer[Concat], sources: Sources) -> Step:
    axis = prepared.definition.axis + 1  # behind the batch axis
    ends = np.cumsum([source.shape[axis] for source in sources])[:-1]
    value = np.concatenate(sources, axis)
    return Step(value, lambda signal, _: tuple(np.split(signal, ends, axis)))


def _add(_: PreparedLayer[Definition], sources: Sources) -> Step:
    """The sum of all sources; back, each gets the signal, summed over its broadcast axes."""
    value = sum(sources[1:], sources[0])
    shapes = [source.shape for source in sources]
    return Step(value, lambda signal, _: tuple(_summed_to(signal, shape) for shape in shapes))


def _multiply(_: PreparedLayer[Definition], sources: Sources) -> Step:
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


_STEP_TYPES = (
    step_of(Conv, BackKind.LINEAR, _convolve),
    step_of(ConvTranspose, BackKind.LINEAR, _convolve),
    step_of(Scale, BackKind.LINEAR, _scale),
    step_of(Linear, BackKind.LINEAR, _multiply_matrix),
    step_of(MaxPool, BackKind.SWITCHED, _max_pool),
    step_of(GlobalMaxPool, BackKind.SWITCHED, _max_pool),
    step_of(AdaptiveMaxPool, BackKind.SWITCHED, _max_pool),
    step_of(AveragePool, BackKind.LINEAR, _average_pool),
    step_of(GlobalAveragePool, BackKind.LINEAR, _mean),
    step_of(AdaptiveAveragePool, BackKind.LINEAR, _mean),
    step_of(MaxUnpool, BackKind.SWITCHED, _max_unpool),
    step_of(Upsample, BackKind.LINEAR, _upsample),
    *SELECTIONS,
    step_of(PixelShuffle, BackKind.LINEAR, _shuffle),
    step_of(PixelUnshuffle, BackKind.LINEAR, _unshuffle),
    step_of(Flatten, BackKind.LINEAR, _reshape),
    step_of(Reshape, BackKind.LINEAR, _reshape),
    step_of(Transpose, BackKind.LINEAR, _transpose),
    step_of(Concat, BackKind.LINEAR, _concat),
    step_of(Add, BackKind.LINEAR, _add),
    step_of(Multiply, BackKind.SMOOTH, _multiply),
    *ACTIVATIONS,
    step_of(Identity, BackKind.LINEAR, _identity),
    step_of(Dropout, BackKind.LINEAR, _identity),
    *NORMS,
)

STEPS: dict[type[Definition], StepType] = {one.definition: one for one in _STEP_TYPES}
"""The step of each layer type that a signal can go back through, by the class of its keys.

`TestLayerTypes` of tests/test_registries.py fails for a layer type that is not in it.
"""


def step_type(layer: NetworkLayer, rules: Framework) -> StepType | None:
    """The step of `layer`; None where no signal can go back through it, or numbers are missing."""
    if layer.stands_for is not None:
        return None
    definition = layer.definition
    if isinstance(definition, Upsample):
        pairs = list(zip(layer.inputs[0][1:], layer.output[1:], strict=True))
        if not has_resize(definition, pairs, rules):
            return None
    if isinstance(definition, GroupNorm) and definition.groups(rules) is None:
        return None
    return STEPS.get(type(definition))
