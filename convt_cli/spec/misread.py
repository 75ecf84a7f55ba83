"""Inputs whose sizes are likely meant in another order: channels last, or behind a batch axis.

Such an input is legal, and every shape behind it is then the answer to another question.  So a
warning says how it is read and what was likely meant.  An in_channels in a layer that reads the
input settles the matter: with it, the number of channels stands in the spec twice.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from convt_cli.arithmetic.convolution import Shape
from convt_cli.arithmetic.layers import Conv, ConvTranspose
from convt_cli.spec.layers import LayerSpec

# Grey, colour, and colour with transparency.
_IMAGE_CHANNELS = (1, 3, 4)
# In pixels: images are rarely smaller, and feature maps of so many channels rarely so narrow.
_IMAGE_SIZE = 16


class Doubt(NamedTuple):
    """What a warning says of an input."""

    code: str
    message: str
    value: str
    help: str


class _Misreading(NamedTuple):
    """The other way to read an input: the code of its warning, in which case, and the shape."""

    code: str
    condition: str
    meant: Shape


_RULES = {
    "W001": "an input is [channels, *spatial], whatever the framework's own order",
    "W002": "an input is [channels, *spatial] without a batch axis",
}


def doubt(name: str, shape: Shape, layers: Iterable[LayerSpec], flag: str | None) -> Doubt | None:
    """The warning that the input called `name` deserves, if any.

    `flag` is what --input stands for where the shape comes from there: "" or "NAME=".
    """
    found = _misreading(shape)
    if found is None:
        return None
    readers = dict(_readers(name, layers))
    if shape[0] in readers.values():
        return None
    sizes = " x ".join(map(str, shape[1:]))
    count = f"{shape[0]} channel{'' if shape[0] == 1 else 's'}"
    return Doubt(
        found.code,
        _RULES[found.code],
        f"{_written(shape, flag)} is read as {count} of {sizes}",
        f"if {found.condition}, write {_written(found.meant, flag)}"
        + (f"; if not, add `in_channels: {shape[0]}` to {next(iter(readers))}" if readers else ""),
    )


def _misreading(shape: Shape) -> _Misreading | None:
    """The other way to read `shape`, if one is likely."""
    if len(shape) == 4 and shape[0] == 1:
        _, first, *sizes = shape
        if first in _IMAGE_CHANNELS:
            return _Misreading("W002", "the first size is a batch", (first, *sizes))
        if _is_channels_last(shape[1:]):
            condition = "the first size is a batch and the last the channels"
            return _Misreading("W002", condition, (sizes[-1], first, *sizes[:-1]))
    if _is_channels_last(shape):
        return _Misreading("W001", "the last size is the channels", (shape[-1], *shape[:-1]))
    return None


def _is_channels_last(shape: Shape) -> bool:
    """Whether this is likely (*sizes, channels) of an image."""
    *sizes, last = shape
    return len(sizes) >= 2 and min(sizes) >= _IMAGE_SIZE and last in _IMAGE_CHANNELS


def _readers(name: str, layers: Iterable[LayerSpec]) -> Iterator[tuple[str, int | None]]:
    """The layers that read the input and can say how many channels it has, and what they say."""
    for layer in layers:
        if name in (layer.sources or ()) and isinstance(layer.definition, (Conv, ConvTranspose)):
            yield layer.name, layer.definition.in_channels


def _written(shape: Shape, flag: str | None) -> str:
    """A shape as the spec writes it, or as --input does."""
    if flag is None:
        return str(list(shape))
    return f"--input {flag}{','.join(map(str, shape))}"
