"""Inputs whose sizes are likely meant in another order: channels last, or behind a batch axis.

Such an input is legal, but then every shape behind it is the answer to another question.  So a
warning says how it is read and what was likely meant.  It is not given where a layer that reads
the input has an in_channels that agrees: the number of channels then stands in the spec twice.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from convt_cli.arithmetic.convolution import Shape
from convt_cli.arithmetic.layers import Conv, ConvTranspose
from convt_cli.spec.layer_spec import LayerSpec

_IMAGE_CHANNELS = (1, 3, 4)
"""Channels of images: grey, colour, and colour with transparency."""

_SMALLEST_IMAGE = 16
"""Pixels: images are rarely smaller, and feature maps of this many channels rarely that narrow."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InputWarning:
    """The code and the texts of a warning about an input."""

    code: str
    message: str
    value: str
    help: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _OtherReading:
    """What an input likely means: `meant`, if the `condition` in the warning's help holds.

    `rule`, which the input breaks then, is what the warning says first.
    """

    code: str
    rule: str
    condition: str
    meant: Shape


def input_warning(
    name: str, shape: Shape, layers: Iterable[LayerSpec], flag: str | None
) -> InputWarning | None:
    """The warning about the input `name`; None if its shape is likely meant as it is written.

    `flag` is what --input writes in front of the shape, "" or "NAME=", if the shape was given
    there; None if it stands in the spec.
    """
    found = _other_reading(shape)
    if found is None:
        return None
    readers = dict(_readers(name, layers))
    if shape[0] in readers.values():
        return None
    sizes = " x ".join(map(str, shape[1:]))
    count = f"{shape[0]} channel{'' if shape[0] == 1 else 's'}"
    return InputWarning(
        code=found.code,
        message=found.rule,
        value=f"{_written(shape, flag)} is read as {count} of {sizes}",
        help=f"if {found.condition}, write {_written(found.meant, flag)}"
        + (f"; if not, add `in_channels: {shape[0]}` to {next(iter(readers))}" if readers else ""),
    )


def _other_reading(shape: Shape) -> _OtherReading | None:
    """The other way to read `shape`, if one is likely."""
    if len(shape) == 4 and shape[0] == 1:
        _, first, *sizes = shape
        if first in _IMAGE_CHANNELS:
            return _with_batch("the first size is a batch", (first, *sizes))
        if _is_channels_last(shape[1:]):
            condition = "the first size is a batch and the last the channels"
            return _with_batch(condition, (sizes[-1], first, *sizes[:-1]))
    if not _is_channels_last(shape):
        return None
    return _OtherReading(
        code="W001",
        rule="an input is [channels, *spatial], whatever the framework's own order",
        condition="the last size is the channels",
        meant=(shape[-1], *shape[:-1]),
    )


def _with_batch(condition: str, meant: Shape) -> _OtherReading:
    rule = "an input is [channels, *spatial] without a batch axis"
    return _OtherReading(code="W002", rule=rule, condition=condition, meant=meant)


def _is_channels_last(shape: Shape) -> bool:
    """Whether `shape` is likely (*sizes, channels) of an image."""
    *sizes, last = shape
    return len(sizes) >= 2 and min(sizes) >= _SMALLEST_IMAGE and last in _IMAGE_CHANNELS


def _readers(name: str, layers: Iterable[LayerSpec]) -> Iterator[tuple[str, int | None]]:
    """(name, in_channels) of the convolutions that read the input; None if they leave it out."""
    for layer in layers:
        if name in (layer.sources or ()) and isinstance(layer.definition, (Conv, ConvTranspose)):
            yield layer.name, layer.definition.in_channels


def _written(shape: Shape, flag: str | None) -> str:
    """A shape as the spec writes it, or as --input does."""
    if flag is None:
        return str(list(shape))
    return f"--input {flag}{','.join(map(str, shape))}"
