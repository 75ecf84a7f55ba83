"""Activations that take numbers or a word: slopes, bounds, an exponent, the axis of a softmax.

A number that is left out is the framework's default, see `dialects.numbers`; the methods here say
which numbers a layer has.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from convt_cli.arithmetic.convolution import Shape
from convt_cli.arithmetic.dialects.frameworks import Framework
from convt_cli.arithmetic.keys import Integer, Number, Word, key
from convt_cli.arithmetic.layers.base import (
    Geometry,
    Layer,
    require_axis,
    single_source,
    whole_along,
)
from convt_cli.arithmetic.layers.pointwise import Pointwise
from convt_cli.errors import GeometryError

_AS_FRAMEWORK = "; as the framework has it"

FUNCTIONS = (*("abs", "sign", "floor", "ceil", "round", "exp", "log", "erf", "sin", "cos", "atan"),)
"""The functions of one number that have no layer type of their own; a half is rounded to even."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LeakyRelu(Pointwise):
    """x for x > 0, alpha * x elsewhere."""

    alpha: float | None = key(Number(), f"slope for x < 0{_AS_FRAMEWORK}", default=None)

    def slope(self, framework: Framework) -> float:
        """alpha, given or the framework's."""
        return framework.numbers.leaky_relu_alpha if self.alpha is None else self.alpha


@dataclass(frozen=True, slots=True, kw_only=True)
class Elu(Pointwise):
    """x for x > 0, alpha * (exp(x) - 1) elsewhere."""

    alpha: float | None = key(Number(), "the limit below is -alpha; 1 if left out", default=None)

    def limit(self, framework: Framework) -> float:
        """alpha, given or the framework's."""
        return framework.numbers.elu_alpha if self.alpha is None else self.alpha


@dataclass(frozen=True, slots=True, kw_only=True)
class Clip(Pointwise):
    """min(max(x, minimum), maximum); a bound that is left out does not bound."""

    minimum: float | None = key(Number(), "the least value that remains", default=None)
    maximum: float | None = key(Number(), "the greatest value that remains", default=None)

    def problems(self, framework: Framework) -> Iterator[GeometryError]:
        if self.minimum is not None and self.maximum is not None and self.minimum > self.maximum:
            yield GeometryError(
                "E107",
                "minimum is at most maximum",
                field="minimum",
                value=f"got {self.minimum:g} and {self.maximum:g}",
                help="exchange them",
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class HardSigmoid(Pointwise):
    """min(max(alpha * x + beta, 0), 1)."""

    alpha: float | None = key(Number(), f"slope at 0{_AS_FRAMEWORK}", default=None)
    beta: float | None = key(Number(), "value at 0; 1/2 if left out", default=None)

    def line(self, framework: Framework) -> tuple[float, float]:
        """(alpha, beta), given or the framework's."""
        alpha = framework.numbers.hard_sigmoid_alpha if self.alpha is None else self.alpha
        return alpha, 0.5 if self.beta is None else self.beta


@dataclass(frozen=True, slots=True, kw_only=True)
class HardSwish(Pointwise):
    """x * min(max(alpha * x + beta, 0), 1)."""

    alpha: float | None = key(Number(), "slope of the gate at 0; 1/6 if left out", default=None)
    beta: float | None = key(Number(), "the gate at 0; 1/2 if left out", default=None)

    @property
    def line(self) -> tuple[float, float]:
        """(alpha, beta), given or what every framework has."""
        alpha = 1 / 6 if self.alpha is None else self.alpha
        return alpha, 0.5 if self.beta is None else self.beta


@dataclass(frozen=True, slots=True, kw_only=True)
class Gelu(Pointwise):
    """x times the normal distribution's share below x, exactly or by a tanh."""

    approximate: str | None = key(
        Word(("none", "tanh")), f"whether a tanh stands for the share{_AS_FRAMEWORK}", default=None
    )

    def uses_tanh(self, framework: Framework) -> bool:
        """Whether the share is approximated by a tanh, as given or by the framework's default."""
        return (self.approximate or framework.numbers.gelu_approximate) == "tanh"


@dataclass(frozen=True, slots=True, kw_only=True)
class Function(Pointwise):
    """A function of each number, which is called as in NumPy; erf is that of the error."""

    function: str = key(Word(FUNCTIONS), "the function of each number")


@dataclass(frozen=True, slots=True, kw_only=True)
class Power(Pointwise):
    """x ** exponent: -1 is the reciprocal, 0.5 the square root."""

    exponent: float = key(Number(), "the exponent of each number")


@dataclass(frozen=True, slots=True, kw_only=True)
class Softmax(Layer):
    """exp(x) divided by its sum along an axis."""

    axis: int | None = key(
        Integer(0), f"the axis of the sum, 0 for the channels{_AS_FRAMEWORK}", default=None
    )

    def resolve(self, sources: tuple[Shape, ...], framework: Framework) -> Geometry:
        source = single_source(sources)
        require_axis(self.axis or 0, len(source))
        axes = self.axes(len(source), framework)
        return Geometry(output=source, dependence=whole_along(set(axes), len(source)))

    def axes(self, count: int, framework: Framework) -> tuple[int, ...]:
        """The axes of a source of `count` axes along which the values sum to 1."""
        if self.axis is not None:
            return (self.axis,)
        every = range(count)
        defaults = {"channels": every[:1], "last": every[-1:], "all": every}
        return tuple(defaults[framework.numbers.softmax_axis])


@dataclass(frozen=True, slots=True, kw_only=True)
class LogSoftmax(Softmax):
    """The logarithm of a softmax: x less the logarithm of the sum of exp(x)."""
