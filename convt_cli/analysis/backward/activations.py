"""The steps of element-wise functions, forward and back: `ACTIVATIONS`.

A signal goes back by a rule of `arithmetic.vocabulary`.  The slope of relu at 0 is taken as 0.
"""

from __future__ import annotations

from collections.abc import Callable
from math import pi, sqrt

import numpy as np
from scipy.special import erf, expit

from convt_cli.analysis.backward.step import (
    BackKind,
    PreparedLayer,
    Sources,
    Step,
    StepType,
    Take,
    step_of,
)
from convt_cli.arithmetic.layers import Definition
from convt_cli.arithmetic.layers.assumed import CLIP_BOUNDS, CLIP_TEXT, LEAKY_SLOPE, PRELU_SLOPE
from convt_cli.arithmetic.layers.pointwise import (
    Clip,
    Elu,
    Gelu,
    LeakyRelu,
    PRelu,
    Relu,
    Sigmoid,
    Silu,
    Tanh,
)
from convt_cli.arithmetic.vocabulary import Rule
from convt_cli.operators.dtypes import Array
from convt_cli.operators.threads import by_channels


def _rectifier(
    function: Callable[[Array], Array], slope: Callable[[Array], Array]
) -> Take[Definition]:
    """The step of a rectifier: `slope` is the derivative of `function`, bool where it is 0 or 1."""

    def take(_: PreparedLayer[Definition], sources: Sources) -> Step:
        slopes = slope(sources[0])  # (batch, channels, *spatial)

        def back(signal: Array, rule: Rule) -> tuple[Array, ...]:
            # gradient keeps all of the signal, the other two its positive part; deconvnet alone
            # does not look at the forward input
            kept = signal if rule == "gradient" else np.maximum(signal, 0)
            return (kept if rule == "deconvnet" else _times(kept, slopes),)

        return Step(function(sources[0]), back)

    return take


def _times(signal: Array, slopes: Array) -> Array:
    """`signal` * `slopes`, of the same shape, computed a few channels at a time in threads."""
    product = np.empty_like(signal)

    def fill(part: slice) -> None:
        np.multiply(signal[:, part], slopes[:, part], out=product[:, part])

    by_channels(fill, signal.shape)
    return product


def _smooth(
    definition: type[Definition],
    function: Callable[[Array], Array],
    derivative: Callable[[Array], Array],
) -> StepType:
    """The step of a smooth function, which goes back by its derivative under either rule."""

    def take(_: PreparedLayer[Definition], sources: Sources) -> Step:
        x = sources[0]
        return Step(function(x), lambda signal, _: (signal * derivative(x),))

    return step_of(definition, BackKind.SMOOTH, take)


def _leaky(slope: float) -> Take[Definition]:
    """The step of x for x > 0, else slope * x."""

    def slopes(x: Array) -> Array:
        steepness: Array = np.where(x > 0, x.dtype.type(1), x.dtype.type(slope))
        return steepness

    return _rectifier(lambda x: x * slopes(x), slopes)


def _within_bounds(x: Array) -> Array:
    """Whether each element lies strictly between the clip bounds: the slope of clip."""
    low, high = CLIP_BOUNDS
    inside: Array = (x > low) & (x < high)
    return inside


def _normal_cdf(x: Array) -> Array:
    cdf: Array = ((1 + erf(x / sqrt(2))) / 2).astype(x.dtype)
    return cdf


def _gelu_slope(x: Array) -> Array:
    slope: Array = _normal_cdf(x) + x * np.exp(-x * x / 2) / sqrt(2 * pi)
    return slope


def _silu_slope(x: Array) -> Array:
    gate = expit(x)
    slope: Array = gate * (1 + x * (1 - gate))
    return slope


def _elu(x: Array) -> Array:
    value: Array = np.where(x > 0, x, np.expm1(np.minimum(x, 0)))
    return value


def _below_zero(definition: type[Definition], slope: float) -> StepType:
    """The step of a rectifier with a slope for x < 0, which it notes."""
    return step_of(definition, BackKind.RECTIFIER, _leaky(slope), f"has the slope {slope} below 0")


ACTIVATIONS: tuple[StepType, ...] = (
    step_of(Relu, BackKind.RECTIFIER, _rectifier(lambda x: np.maximum(x, 0), lambda x: x > 0)),
    _below_zero(LeakyRelu, LEAKY_SLOPE),
    _below_zero(PRelu, PRELU_SLOPE),
    step_of(
        Clip,
        BackKind.RECTIFIER,
        _rectifier(lambda x: np.clip(x, *CLIP_BOUNDS), _within_bounds),
        f"clips to {CLIP_TEXT}",
    ),
    _smooth(Elu, _elu, lambda x: np.exp(np.minimum(x, 0))),
    _smooth(Gelu, lambda x: x * _normal_cdf(x), _gelu_slope),
    _smooth(Silu, lambda x: x * expit(x), _silu_slope),
    _smooth(Sigmoid, expit, lambda x: expit(x) * expit(-x)),
    _smooth(Tanh, np.tanh, lambda x: 1 - np.tanh(x) ** 2),
)
"""The steps of the element-wise layer types; softmax is not element-wise and has none."""
