"""The steps of element-wise functions, forward and back: `ACTIVATIONS`.

A signal goes back by a rule of `arithmetic.vocabulary`.  The slope of relu at 0 is taken as 0.
"""

from __future__ import annotations

from collections.abc import Callable
from math import inf, pi, sqrt

import numpy as np
from scipy.special import erf, expit

from convt_cli.analysis.backward.step import (
    BackKind,
    DefinitionT,
    PreparedLayer,
    Sources,
    Step,
    StepType,
    no_note,
    step_of,
)
from convt_cli.arithmetic.dialects.frameworks import Framework
from convt_cli.arithmetic.layers.activations import (
    Clip,
    Elu,
    Function,
    Gelu,
    HardSigmoid,
    HardSwish,
    LeakyRelu,
    Power,
)
from convt_cli.arithmetic.layers.assumed import CLIP_BOUNDS, CLIP_TEXT
from convt_cli.arithmetic.layers.pointwise import (
    Mish,
    PRelu,
    Relu,
    Selu,
    Sigmoid,
    Silu,
    Softplus,
    Tanh,
)
from convt_cli.arithmetic.vocabulary import Rule
from convt_cli.operators.dtypes import Array
from convt_cli.operators.threads import by_channels

Curve = tuple[Array, Array]
"""The values of a function and its derivatives, both of the shape of its input.

The derivatives of a rectifier may be bool, where they are 0 or 1.
"""
Draw = Callable[[PreparedLayer[DefinitionT], Array], Curve]
"""The curve of a layer at an input, (batch, channels, *spatial)."""

_SELU_ALPHA = 1.6732632423543772848170429916717
_SELU_SCALE = 1.0507009873554804934193349852946
"""G. Klambauer et al., "Self-Normalizing Neural Networks" (2017)."""
_TANH_GELU = 0.044715
"""The factor of x³ in the tanh that stands for the normal distribution in a gelu."""


def _rectifier(
    definition: type[DefinitionT],
    draw: Draw[DefinitionT],
    note: Callable[[DefinitionT, Framework], str] = no_note,
) -> StepType:
    """The step of a rectifier, which goes back by the rule."""

    def take(prepared: PreparedLayer[DefinitionT], sources: Sources) -> Step:
        value, slopes = draw(prepared, sources[0])

        def back(signal: Array, rule: Rule) -> tuple[Array, ...]:
            # gradient keeps all of the signal, the other two its positive part; deconvnet alone
            # does not look at the forward input
            kept = signal if rule == "gradient" else np.maximum(signal, 0)
            return (kept if rule == "deconvnet" else _times(kept, slopes),)

        return Step(value, back)

    return step_of(definition, BackKind.RECTIFIER, take, note)


def _times(signal: Array, slopes: Array) -> Array:
    """`signal` * `slopes`, of the same shape, computed a few channels at a time in threads."""
    product = np.empty_like(signal)

    def fill(part: slice) -> None:
        np.multiply(signal[:, part], slopes[:, part], out=product[:, part])

    by_channels(fill, signal.shape)
    return product


def _smooth(definition: type[DefinitionT], draw: Draw[DefinitionT]) -> StepType:
    """The step of a smooth function, which goes back by its derivative under either rule."""

    def take(prepared: PreparedLayer[DefinitionT], sources: Sources) -> Step:
        value, slopes = draw(prepared, sources[0])
        return Step(value, lambda signal, _: (signal * slopes,))

    return step_of(definition, BackKind.SMOOTH, take)


# --- rectifiers -------------------------------------------------------------------------------


def _relu(_: PreparedLayer[Relu], x: Array) -> Curve:
    return np.maximum(x, 0), x > 0


def _below_zero(x: Array, slope: Array | float) -> Curve:
    """x for x > 0, else slope * x; the slope may be an array that broadcasts."""
    slopes: Array = np.where(x > 0, x.dtype.type(1), np.asarray(slope, x.dtype))
    return x * slopes, slopes


def _leaky_relu(prepared: PreparedLayer[LeakyRelu], x: Array) -> Curve:
    return _below_zero(x, prepared.definition.slope(prepared.rules))


def _leaky_note(definition: LeakyRelu, rules: Framework) -> str:
    return "" if definition.alpha is not None else _slope_note(definition.slope(rules))


def _prelu(prepared: PreparedLayer[PRelu], x: Array) -> Curve:
    return _below_zero(x, prepared.parameters.get("weight", prepared.rules.numbers.prelu_slope))


def _prelu_note(definition: PRelu, rules: Framework) -> str:
    return "" if definition.weight is not None else _slope_note(rules.numbers.prelu_slope)


def _slope_note(slope: float) -> str:
    return f"has the slope {slope:g} below 0"


def _clip(prepared: PreparedLayer[Clip], x: Array) -> Curve:
    low, high = _bounds(prepared.definition)
    return np.clip(x, low, high), (x > low) & (x < high)


def _bounds(definition: Clip) -> tuple[float, float]:
    """The bounds that are given; `CLIP_BOUNDS` where neither is."""
    low, high = definition.minimum, definition.maximum
    if low is high is None:
        return CLIP_BOUNDS
    return -inf if low is None else low, inf if high is None else high


def _clip_note(definition: Clip, _: Framework) -> str:
    return f"clips to {CLIP_TEXT}" if definition.minimum is definition.maximum is None else ""


# --- smooth functions -------------------------------------------------------------------------


def _elu(prepared: PreparedLayer[Elu], x: Array) -> Curve:
    return _exponential(x, prepared.definition.limit(prepared.rules))


def _selu(_: PreparedLayer[Selu], x: Array) -> Curve:
    value, slopes = _exponential(x, _SELU_ALPHA)
    return _SELU_SCALE * value, _SELU_SCALE * slopes


def _exponential(x: Array, alpha: float) -> Curve:
    """x for x > 0, else alpha * (exp(x) - 1)."""
    below = np.minimum(x, 0)
    one = x.dtype.type(1)
    return np.where(x > 0, x, alpha * np.expm1(below)), np.where(x > 0, one, alpha * np.exp(below))


def _gelu(prepared: PreparedLayer[Gelu], x: Array) -> Curve:
    """x times the share of the normal distribution below x."""
    if prepared.definition.uses_tanh(prepared.rules):
        return _tanh_gelu(x)
    share: Array = ((1 + erf(x / sqrt(2))) / 2).astype(x.dtype)
    return x * share, share + x * np.exp(-x * x / 2) / sqrt(2 * pi)


def _tanh_gelu(x: Array) -> Curve:
    curved = np.tanh(sqrt(2 / pi) * (x + _TANH_GELU * x**3))
    share = (1 + curved) / 2
    steepness = sqrt(2 / pi) * (1 + 3 * _TANH_GELU * x * x) * (1 - curved * curved) / 2
    return x * share, share + x * steepness


def _silu(_: PreparedLayer[Silu], x: Array) -> Curve:
    gate = expit(x)
    return x * gate, gate * (1 + x * (1 - gate))


def _mish(_: PreparedLayer[Mish], x: Array) -> Curve:
    gate = np.tanh(np.logaddexp(0, x))
    return x * gate, gate + x * (1 - gate * gate) * expit(x)


def _softplus(_: PreparedLayer[Softplus], x: Array) -> Curve:
    return np.logaddexp(x.dtype.type(0), x), expit(x)


def _sigmoid(_: PreparedLayer[Sigmoid], x: Array) -> Curve:
    return expit(x), expit(x) * expit(-x)


def _hard_sigmoid(prepared: PreparedLayer[HardSigmoid], x: Array) -> Curve:
    return _gate(x, prepared.definition.line(prepared.rules))


def _hard_swish(prepared: PreparedLayer[HardSwish], x: Array) -> Curve:
    gate, slopes = _gate(x, prepared.definition.line)
    return x * gate, gate + x * slopes


def _gate(x: Array, line: tuple[float, float]) -> Curve:
    """min(max(alpha * x + beta, 0), 1)."""
    alpha, beta = line
    straight = alpha * x + beta
    inside = (straight > 0) & (straight < 1)
    return np.clip(straight, 0, 1), np.where(inside, x.dtype.type(alpha), x.dtype.type(0))


def _tanh(_: PreparedLayer[Tanh], x: Array) -> Curve:
    value = np.tanh(x)
    return value, 1 - value * value


_CURVES: dict[str, Callable[[Array], Curve]] = {
    "abs": lambda x: (np.abs(x), np.sign(x)),
    "sign": lambda x: (np.sign(x), np.zeros_like(x)),
    "floor": lambda x: (np.floor(x), np.zeros_like(x)),
    "ceil": lambda x: (np.ceil(x), np.zeros_like(x)),
    "round": lambda x: (np.rint(x), np.zeros_like(x)),
    "exp": lambda x: (np.exp(x), np.exp(x)),
    "log": lambda x: (np.log(x), 1 / x),
    "erf": lambda x: (erf(x), 2 / sqrt(pi) * np.exp(-x * x)),
    "sin": lambda x: (np.sin(x), np.cos(x)),
    "cos": lambda x: (np.cos(x), -np.sin(x)),
    "atan": lambda x: (np.arctan(x), 1 / (1 + x * x)),
}
"""The curve of each of `FUNCTIONS`."""


def _function(prepared: PreparedLayer[Function], x: Array) -> Curve:
    return _CURVES[prepared.definition.function](x)


def _power(prepared: PreparedLayer[Power], x: Array) -> Curve:
    exponent = prepared.definition.exponent
    return x**exponent, exponent * x ** (exponent - 1)


ACTIVATIONS: tuple[StepType, ...] = (
    _rectifier(Relu, _relu),
    _rectifier(LeakyRelu, _leaky_relu, _leaky_note),
    _rectifier(PRelu, _prelu, _prelu_note),
    _rectifier(Clip, _clip, _clip_note),
    _smooth(Elu, _elu),
    _smooth(Selu, _selu),
    _smooth(Gelu, _gelu),
    _smooth(Silu, _silu),
    _smooth(Mish, _mish),
    _smooth(Softplus, _softplus),
    _smooth(Sigmoid, _sigmoid),
    _smooth(HardSigmoid, _hard_sigmoid),
    _smooth(HardSwish, _hard_swish),
    _smooth(Tanh, _tanh),
    _smooth(Function, _function),
    _smooth(Power, _power),
)
"""The steps of the element-wise layer types."""
