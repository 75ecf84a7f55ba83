"""Results that are computed on: bias, activation, divisor, constant factor, lower precision."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np

from convt_cli.analysis.diagnose.bounds import Reckoning
from convt_cli.analysis.diagnose.changes.factors import factor_of
from convt_cli.analysis.diagnose.changes.variant import Variant
from convt_cli.analysis.diagnose.changes.windows import with_definition
from convt_cli.analysis.diagnose.precision import LOWER, Precision
from convt_cli.analysis.diagnose.subject import Finish, Subject
from convt_cli.arithmetic.averages import counts_padding
from convt_cli.arithmetic.layers.pools import AveragePool
from convt_cli.operators.dtypes import Array
from convt_cli.operators.pooling import elements_met, window_walk


def bias(subject: Subject) -> Iterator[Variant]:
    """The bias left out, or added twice; any bias, where the spec names none."""
    own = subject.prepared.parameters.get("bias")
    if subject.prepared.layer.type not in _BIASED:
        return
    if own is None:
        yield Variant(
            change="bias",
            subject=subject.with_finish(_with_any_bias(subject.held)),
            was=None,
            becomes="one number per channel",
            text="there is a bias that the spec does not have",
            common=False,
        )
        return
    yield Variant(
        change="bias",
        subject=subject.with_parameters(bias=None),
        was="once",
        becomes="never",
        text="the bias is missing",
    )
    yield Variant(
        change="bias",
        subject=subject.with_parameters(bias=2 * own),
        was="once",
        becomes="twice",
        text="the bias is added twice",
    )


_BIASED = ("conv", "conv_transpose", "linear", "scale")
_LEAST_OF_A_CHANNEL = 4
"""An unknown bias is only found from as many elements of every channel."""


def _with_any_bias(held: Precision) -> Finish:
    """One number for every channel, added to all of its elements: any number that they allow."""

    def finish(found: Reckoning, got: Array) -> Reckoning | None:
        axes = (0, *range(2, got.ndim))
        if found.values.shape != got.shape or got[:, 0].size < _LEAST_OF_A_CHANNEL:
            return None
        # the last rounding is of a sum with the bias, so it is got's
        margins = found.errors + held.unit * abs(got) + held.smallest
        low = (got - found.values - margins).max(axes, keepdims=True)
        high = (got - found.values + margins).min(axes, keepdims=True)
        bias = (low + high) / 2
        if not (low <= high).all():
            return None
        return replace(found, values=found.values + bias)

    return finish


@dataclass(frozen=True, slots=True, kw_only=True)
class Activation:
    """A function that tools fuse into a layer, and the largest slope that it has.

    `computed` says that it rounds by itself, so that a few units are allowed for it.
    """

    name: str
    function: Callable[[Array], Array]
    slope: float = 1.0
    computed: bool = True

    def __call__(self, found: Reckoning, _: Array) -> Reckoning:
        values = self.function(found.values)
        return replace(found, values=values, errors=self.slope * found.errors)


def _sigmoid(x: Array) -> Array:
    return 1 / (1 + np.exp(-x))


def _leaky(slope: float) -> Callable[[Array], Array]:
    return lambda x: np.where(x < 0, slope * x, x)


_SLOPES = (0.01, 0.1, 0.2, 0.3)
"""The slopes of a leaky ReLU that frameworks and papers have."""

ACTIVATIONS = (
    Activation(name="relu", function=lambda x: np.maximum(x, 0), computed=False),
    Activation(name="relu6", function=lambda x: np.clip(x, 0, 6), computed=False),
    *(Activation(name=f"leaky_relu {slope}", function=_leaky(slope)) for slope in _SLOPES),
    Activation(name="sigmoid", function=_sigmoid, slope=0.25),
    Activation(name="tanh", function=np.tanh),
    Activation(name="silu", function=lambda x: x * _sigmoid(x), slope=1.1),
)
"""The functions that are tried, simplest first."""

_FUNCTION_ROUNDINGS = 16
"""Units in the last place that libraries' functions may be off by; the worst known are below 8."""


def activation(subject: Subject) -> Iterator[Variant]:
    """A function behind the layer that is not in the spec."""
    for one in ACTIVATIONS:
        finish = _rounding_itself(one, subject.accumulator) if one.computed else one
        yield Variant(
            change="activation",
            subject=subject.with_finish(finish),
            was=None,
            becomes=one.name,
            key=one.name.removesuffix("6"),  # where nothing passes 6, relu says it all
            text=f"a {one.name} is fused in",
            common=one.name == "relu",
        )


def _rounding_itself(one: Activation, accumulator: Precision) -> Finish:
    def finish(found: Reckoning, got: Array) -> Reckoning:
        done = one(found, got)
        own = _FUNCTION_ROUNDINGS * accumulator.unit * abs(done.values)
        return replace(done, errors=done.errors + own + accumulator.smallest)

    return finish


def factor(subject: Subject) -> Iterator[Variant]:
    """The result times a constant."""

    def finish(found: Reckoning, got: Array) -> Reckoning | None:
        constant = factor_of(found, got, subject.held)
        if constant is None:
            return None
        # the constant itself is rounded, and so is the product with it
        own = 2 * subject.accumulator.unit * abs(constant * found.values)
        return replace(
            found,
            values=constant * found.values,
            errors=abs(constant) * found.errors + own,
        )

    def told(found: Reckoning, got: Array) -> tuple[object, str]:
        constant = factor_of(found, got, subject.held)
        return constant, f"everything is multiplied by {constant:.10g}"

    yield Variant(
        change="factor",
        subject=subject.with_finish(finish),
        was=1.0,
        becomes=None,
        text="everything is multiplied by a constant",
        told=told,
    )


def divisor(subject: Subject) -> Iterator[Variant]:
    """An average over another number of elements."""
    definition = subject.prepared.definition
    if not isinstance(definition, AveragePool):
        return
    counts = counts_padding(definition, subject.prepared.rules)
    words = {True: "all elements of the window, padding too", False: "elements inside the input"}
    yield Variant(
        change="divisor",
        subject=with_definition(subject, replace(definition, count_include_pad=not counts)),
        was=words[counts],
        becomes=words[not counts],
        text=f"the sum is divided by the number of {words[not counts]}",
    )
    bare = with_definition(subject, replace(definition, count_include_pad=False))
    met = elements_met([window_walk(axis) for axis in subject.axes])
    ratio: Array = np.ones(())
    for axis, count in zip(subject.axes, met, strict=True):
        ratio = np.multiply.outer(ratio, count / axis.kernel_size)
    yield Variant(
        change="divisor",
        subject=bare.with_finish(_times(ratio)),
        was=words[counts],
        becomes="the size of the kernel",
        text="every sum is divided by the size of the kernel",
    )


def _times(ratio: Array) -> Finish:
    def finish(found: Reckoning, _: Array) -> Reckoning | None:
        if found.values.shape[2:] != ratio.shape:
            return None
        return replace(found, values=found.values * ratio, errors=found.errors * ratio)

    return finish


def precision(subject: Subject) -> Iterator[Variant]:
    """Operands or the result rounded to a narrower type, and the rest computed in the wider one."""
    parameters = subject.prepared.parameters
    for lower in LOWER:
        if lower.digits >= subject.held.digits:
            continue
        sources = tuple(map(lower.rounded, subject.sources))
        rounded = {name: lower.rounded(array) for name, array in parameters.items()}
        for names in _rounded_sets(parameters):
            changed = subject.with_parameters(**{n: rounded[n] for n in names if n != "x"})
            changed = changed.with_sources(*sources) if "x" in names else changed
            yield _narrowed(changed, [*names], lower)
        if lower.holds(subject.got):
            once = _rounded_once(lower)
            yield _narrowed(subject.with_finish(once), ["the result"], lower)
            changed = subject.with_parameters(**rounded).with_sources(*sources).with_finish(once)
            yield _narrowed(changed, ["x", *parameters, "the result"], lower)


def _rounded_sets(parameters: Mapping[str, Array]) -> Iterator[tuple[str, ...]]:
    """What is rounded together: x, the weight and the bias, as far as the layer has them."""
    names = [name for name in ("weight", "bias") if name in parameters]
    yield ("x",)
    if "weight" in names:
        yield ("weight",)
        yield ("x", "weight")
    if len(names) == 2:
        yield ("x", "weight", "bias")
        yield ("weight", "bias")


def _narrowed(subject: Subject, what: list[str], lower: Precision) -> Variant:
    listed = what[0] if len(what) == 1 else f"{', '.join(what[:-1])} and {what[-1]}"
    return Variant(
        change="precision",
        subject=subject,
        was=subject.held.name,
        becomes=lower.name,
        text=f"{listed} rounded to {lower.name}",
    )


def _rounded_once(lower: Precision) -> Finish:
    def finish(found: Reckoning, _: Array) -> Reckoning:
        return replace(found, errors=found.bounds(lower))

    return finish
