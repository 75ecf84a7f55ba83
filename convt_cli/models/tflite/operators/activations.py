"""Activation functions with numbers: slopes, an approximation, the sharpness of a softmax."""

from __future__ import annotations

from math import prod

from convt_cli.models.channels_last import channels_last
from convt_cli.models.tflite.operation import Operation, Translator
from convt_cli.models.translation import Activation


def _leaky_relu(operation: Operation) -> Activation:
    return operation.layer("leaky_relu", operation.activation(), alpha=operation.number("alpha"))


def _elu(operation: Operation) -> Activation:
    return operation.layer("elu", operation.activation(), alpha=1.0)


def _gelu(operation: Operation) -> Activation:
    approximate = "tanh" if operation.option("approximate") else "none"
    return operation.layer("gelu", operation.activation(), approximate=approximate)


def _softmax(operation: Operation) -> Activation:
    sharpened = operation.scaled(operation.activation(), operation.number("beta"))
    return operation.layer("softmax", sharpened, axis=0)


def _prelu(operation: Operation) -> Activation:
    """A prelu with one slope, one per channel or one per element; others have no counterpart."""
    source, slopes = operation.activation(), operation.weight(1)
    # broadcasting aligns shapes at their last axes, of which the last is the channels
    sizes = channels_last(source.shape)
    wanted = {(1,): (1,), sizes[-1:]: sizes[-1:], sizes: sizes}
    stored = tuple(slopes.shape)
    while len(stored) > 1 and stored[0] == 1:
        stored = stored[1:]
    if stored not in wanted:
        return operation.stand_in("prelu", source)
    return operation.layer(
        "prelu",
        source,
        num_parameters=prod(stored),
        weight=operation.reference(slopes, shape=stored),
    )


def _response_normalization(operation: Operation) -> Activation:
    return operation.layer(
        "lrn",
        operation.activation(),
        size=2 * operation.option("radius") + 1,
        k=operation.number("bias"),
        alpha=operation.number("alpha"),
        beta=operation.number("beta"),
    )


OPERATORS: dict[str, Translator] = {
    "LEAKY_RELU": _leaky_relu,
    "ELU": _elu,
    "GELU": _gelu,
    "SOFTMAX": _softmax,
    "PRELU": _prelu,
    "LOCAL_RESPONSE_NORMALIZATION": _response_normalization,
}
