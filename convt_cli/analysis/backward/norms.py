"""The steps of normalisations and of softmax, forward and back.

With kept statistics a batch norm is a scale per channel.  The others divide by statistics of their
own input, and go back by the derivative, which sees these statistics move.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from convt_cli.analysis.backward.step import BackKind, PreparedLayer, Sources, Step, step_of
from convt_cli.arithmetic.dialects.frameworks import Framework
from convt_cli.arithmetic.layers.activations import LogSoftmax, Softmax
from convt_cli.arithmetic.layers.norms import (
    BatchNorm,
    GroupNorm,
    InstanceNorm,
    LayerNorm,
    Lrn,
    Norm,
)
from convt_cli.arithmetic.vocabulary import Rule
from convt_cli.operators.dtypes import Array

_UNCHANGED = "passes signals unchanged: a spec holds no numbers for it"
"""The note of a normalisation whose numbers are not known."""


def _note(definition: Norm, rules: Framework) -> str:
    if definition.is_affine(rules) and definition.weight is None:
        return "has a weight of ones and a bias of zeros where the spec names none"
    return ""


def _batch_note(definition: BatchNorm, rules: Framework) -> str:
    return _UNCHANGED if definition.running_mean is None else _note(definition, rules)


def _lrn_note(definition: Lrn, rules: Framework) -> str:
    if definition.window(rules) is None:
        return _UNCHANGED
    return "passes signals of the rule deconvnet unchanged"


def _batch_norm(prepared: PreparedLayer[BatchNorm], sources: Sources) -> Step:
    """(x - mean) / sqrt(variance + eps) * weight + bias, by kept means and variances."""
    x, arrays = sources[0], prepared.parameters
    if "running_mean" not in arrays:
        return Step(x, lambda signal, _: (signal,))
    eps = prepared.definition.epsilon(prepared.rules)
    scale = arrays.get("weight", 1) / np.sqrt(arrays["running_var"] + eps)
    value = (x - arrays["running_mean"]) * scale + arrays.get("bias", 0)
    return Step(value, lambda signal, _: (signal * scale,))


def _group_norm(prepared: PreparedLayer[GroupNorm], sources: Sources) -> Step:
    return _by_groups(prepared, sources[0], prepared.definition.groups(prepared.rules) or 1)


def _instance_norm(prepared: PreparedLayer[InstanceNorm], sources: Sources) -> Step:
    return _by_groups(prepared, sources[0], sources[0].shape[1])


def _by_groups(prepared: PreparedLayer[Norm], x: Array, groups: int) -> Step:
    grouped = x.reshape(len(x), groups, -1)  # (batch, groups, all elements of a group)
    eps = prepared.definition.epsilon(prepared.rules)
    normal, back = _normalised(grouped, (2,), eps)
    return _affine(
        prepared,
        normal.reshape(x.shape),
        lambda signal: back(signal.reshape(grouped.shape)).reshape(x.shape),
    )


def _layer_norm(prepared: PreparedLayer[LayerNorm], sources: Sources) -> Step:
    axes = prepared.definition.axes(sources[0].ndim - 1, prepared.rules)
    eps = prepared.definition.epsilon(prepared.rules)
    behind_batch = tuple(axis + 1 for axis in axes)
    return _affine(prepared, *_normalised(sources[0], behind_batch, eps))


def _normalised(
    x: Array, axes: tuple[int, ...], eps: float
) -> tuple[Array, Callable[[Array], Array]]:
    """x less its mean over `axes`, divided by its deviation, and the derivative's transpose."""
    centred = x - x.mean(axes, keepdims=True)
    inverse = 1 / np.sqrt((centred * centred).mean(axes, keepdims=True) + eps)
    normal = centred * inverse

    def back(signal: Array) -> Array:
        along = (signal * normal).mean(axes, keepdims=True)
        moved: Array = (signal - signal.mean(axes, keepdims=True) - normal * along) * inverse
        return moved

    return normal, back


def _affine(prepared: PreparedLayer[Norm], normal: Array, back: Callable[[Array], Array]) -> Step:
    """normal * weight + bias, as far as the layer has them."""
    weight = prepared.parameters.get("weight", 1)
    value = normal * weight + prepared.parameters.get("bias", 0)
    return Step(value, lambda signal, _: (back(signal * weight),))


def _lrn(prepared: PreparedLayer[Lrn], sources: Sources) -> Step:
    """x / d ** beta, where d = k + alpha * (sum of the squares in the window of channels)."""
    x, window = sources[0], prepared.definition.window(prepared.rules)
    if window is None:
        return Step(x, lambda signal, _: (signal,))
    k, alpha, beta = prepared.definition.numbers(prepared.rules)
    divisor = k + alpha * _window_sum(x * x, *window)
    power = divisor**-beta

    def back(signal: Array, rule: Rule) -> tuple[Array, ...]:
        if rule == "deconvnet":
            return (signal,)
        # how much each divisor is wanted larger, summed over the windows that hold a channel
        moved = _window_sum(signal * x * power / divisor, *window[::-1])
        return (signal * power - 2 * alpha * beta * x * moved,)

    return Step(x * power, back)


def _window_sum(x: Array, before: int, after: int) -> Array:
    """For each channel the sum over the channels from `before` in front to `after` behind."""
    before, after = min(before, x.shape[1]), min(after, x.shape[1])  # behind them are none
    padded = np.zeros((len(x), before + x.shape[1] + after, *x.shape[2:]), x.dtype)
    padded[:, before : before + x.shape[1]] = x
    total = np.zeros_like(x)
    for first in range(before + after + 1):
        total += padded[:, first : first + x.shape[1]]
    return total


def _softmax(prepared: PreparedLayer[Softmax], sources: Sources) -> Step:
    x = sources[0]
    axes = tuple(axis + 1 for axis in prepared.definition.axes(x.ndim - 1, prepared.rules))
    powers = np.exp(x - x.max(axes, keepdims=True))
    value: Array = powers / powers.sum(axes, keepdims=True)

    def back(signal: Array, _: Rule) -> tuple[Array, ...]:
        return (value * (signal - (signal * value).sum(axes, keepdims=True)),)

    return Step(value, back)


def _log_softmax(prepared: PreparedLayer[LogSoftmax], sources: Sources) -> Step:
    x = sources[0]
    axes = tuple(axis + 1 for axis in prepared.definition.axes(x.ndim - 1, prepared.rules))
    below = x - x.max(axes, keepdims=True)
    value: Array = below - np.log(np.exp(below).sum(axes, keepdims=True))

    def back(signal: Array, _: Rule) -> tuple[Array, ...]:
        return (signal - np.exp(value) * signal.sum(axes, keepdims=True),)

    return Step(value, back)


NORMS = (
    step_of(BatchNorm, BackKind.LINEAR, _batch_norm, _batch_note),
    step_of(InstanceNorm, BackKind.SMOOTH, _instance_norm, _note),
    step_of(GroupNorm, BackKind.SMOOTH, _group_norm, _note),
    step_of(LayerNorm, BackKind.SMOOTH, _layer_norm, _note),
    step_of(Lrn, BackKind.NORMALISED, _lrn, _lrn_note),
    step_of(Softmax, BackKind.SMOOTH, _softmax),
    step_of(LogSoftmax, BackKind.SMOOTH, _log_softmax),
)
