"""Activation functions with numbers: slopes, bounds, an approximation, the axis of a softmax."""

from __future__ import annotations

from math import isfinite, prod

import numpy as np

from convt_cli.arithmetic.keys import Inline
from convt_cli.models.onnx.operation import Constant, Operation, Translator, decimal, is_per_channel
from convt_cli.models.translation import Activation, Untranslatable

_SELU = {"alpha": 1.6732632, "gamma": 1.050701}
"""The numbers of a selu that says none, in float32."""

_FIRST_ALONE = 13
"""The opset from which a softmax sums along one axis, not along all from that one on."""


def _with_numbers(layer_type: str, **defaults: float) -> Translator:
    """The translator of an operator whose attributes `defaults` are keys of its layer."""

    def translate(operation: Operation) -> Activation:
        keys = {name: operation.number(name, number) for name, number in defaults.items()}
        return operation.layer(layer_type, operation.activation(), **keys)

    return translate


def _selu(operation: Operation) -> Activation:
    """A selu, or with other numbers than its paper's an elu and a scale."""
    source = operation.activation()
    given = {name: operation.number(name, number) for name, number in _SELU.items()}
    if set(given.values()) == {None}:
        return operation.layer("selu", source)
    alpha, gamma = (_SELU[name] if one is None else one for name, one in given.items())
    bent = operation.layer("elu", source, alpha=alpha)
    return operation.layer("scale", bent, weight=Inline(shape=(), values=(gamma,)))


def _gelu(operation: Operation) -> Activation:
    word = operation.node.word("approximate", "none")
    if word not in ("none", "tanh"):
        operation.refuse(f"its approximate is '{word}'")
    approximate = None if word == "none" else word
    return operation.layer("gelu", operation.activation(), approximate=approximate)


def _clip(operation: Operation) -> Activation:
    source = operation.activation()
    try:
        minimum, maximum = _bound(operation, 1, "min"), _bound(operation, 2, "max")
    except Untranslatable:  # they are computed by the model
        return operation.stand_in("clip", source)
    if minimum is maximum is None:
        return operation.layer("identity", source)
    return operation.layer("clip", source, minimum=minimum, maximum=maximum)


def _bound(operation: Operation, number: int, attribute: str) -> float | None:
    """A bound of a Clip; None for one beyond which float32 has no number."""
    given = operation.constant(number)
    if given is None:
        bound = decimal(operation.node.number(attribute, np.inf), np.dtype("f4"))
    else:
        found, *others = operation.numbers(number) or (np.inf,)
        if others:
            operation.refuse(f"its input {number} is {1 + len(others)} numbers")
        bound = decimal(found, given.array.dtype)
    is_bound = isfinite(bound) and abs(bound) < float(np.finfo("f4").max)
    return bound if is_bound else None


def _prelu(operation: Operation) -> Activation:
    """A prelu with one slope, one per channel or one per element; others have no counterpart."""
    source, slopes = operation.activation(), operation.weight(1)
    stored = _stored_slopes(source, slopes)
    if stored is None:
        return operation.stand_in("prelu", source)
    count = prod(stored)
    return operation.layer(
        "prelu",
        source,
        num_parameters=count if count > 1 else None,
        weight=operation.array(1, stored),
    )


def _stored_slopes(source: Activation, slopes: Constant) -> tuple[int, ...] | None:
    """The shape of the slopes in a spec; None where a prelu does not have them so."""
    if slopes.array.size == 1:
        return (1,)
    if slopes.array.size == source.shape[0] and is_per_channel(source, slopes):
        return source.shape[:1]
    missing = len(source.full_shape) - len(slopes.shape)
    return source.shape if (1,) * missing + slopes.shape == (1, *source.shape) else None


def _softmax(operation: Operation) -> Activation:
    source = operation.activation()
    full, sums_all = source.full_shape, operation.opset < _FIRST_ALONE
    first = operation.axis("axis", 1 if sums_all else -1, len(full))
    if first == 0 and not (sums_all and source.batch == 1):
        operation.refuse("it sums over the batch")
    last = len(full) - 1
    layer_type = "log_softmax" if operation.node.operator == "LogSoftmax" else "softmax"
    if not sums_all:
        return operation.layer(layer_type, source, axis=None if first == last else first - 1)
    if first <= 1:
        return operation.layer(layer_type, source)
    if first == last:
        return operation.layer(layer_type, source, axis=last - 1)
    flat = operation.in_shape(source, (*full[:first], prod(full[first:])))
    return operation.in_shape(operation.layer(layer_type, flat, axis=first - 1), full)


def _softsign(operation: Operation) -> Activation:
    """x / (1 + abs(x))."""
    source = operation.activation()
    size = operation.layer("function", source, function="abs")
    above = operation.layer("scale", size, bias=Inline(shape=(), values=(1.0,)))
    return operation.layer("mul", source, operation.layer("power", above, exponent=-1.0))


OPERATORS: dict[str, Translator] = {
    "LeakyRelu": _with_numbers("leaky_relu", alpha=0.01),
    "Elu": _with_numbers("elu", alpha=1.0),
    "HardSigmoid": _with_numbers("hard_sigmoid", alpha=0.2, beta=0.5),
    "Selu": _selu,
    "Gelu": _gelu,
    "Clip": _clip,
    "Softsign": _softsign,
    "PRelu": _prelu,
    **dict.fromkeys(("Softmax", "LogSoftmax"), _softmax),
}
