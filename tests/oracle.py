"""Convolutions by brute force: nested loops over indices that share no code with the package.

Arrays are (channels, *spatial), without a batch axis, and a weight is (out_channels,
in_channels // groups, *kernel_size).  `pads` holds a (before, after) pair per axis; negative
ones crop.  Nothing here is fast, and where a size can be counted it is counted.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from math import prod
from typing import Any, Literal, NotRequired, TypedDict, Unpack

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Index = tuple[int, ...]
Sizes = Sequence[int]
Pads = Sequence[tuple[int, int]]

_NUMPY_MODES: dict[str, Literal["wrap", "reflect", "edge"]] = {
    "circular": "wrap",
    "reflect": "reflect",
    "replicate": "edge",
}


class Window(TypedDict):
    """A window on every axis, and the groups that the channels fall into."""

    stride: Sizes
    pads: Pads
    dilation: Sizes
    groups: int


class Geometry(Window):
    """A direct convolution: how its padding reads, and how many outputs of each axis are kept."""

    padding_mode: NotRequired[str]
    output_size: NotRequired[Sizes]


def direct(x: Array, weight: Array, **geometry: Unpack[Geometry]) -> Array:
    """y[row] = the sum of weight[tap] * x[column] over all the products of that row."""
    walks = _walks(weight, x.shape[1:], geometry)
    y = np.zeros((len(weight), *(walk.outputs for walk in walks)), np.result_type(x, weight))
    for row, column, tap in _products(weight, walks, geometry["groups"]):
        y[row] += weight[tap] * x[column]
    return y


def matrix(weight: Array, input_size: Sizes, **geometry: Unpack[Geometry]) -> Array:
    """The dense C with y.ravel() = C @ x.ravel()."""
    walks = _walks(weight, input_size, geometry)
    rows = (len(weight), *(walk.outputs for walk in walks))
    columns = (weight.shape[1] * geometry["groups"], *input_size)
    dense = np.zeros((*rows, *columns), weight.dtype)
    for row, column, tap in _products(weight, walks, geometry["groups"]):
        dense[*row, *column] += weight[tap]
    return dense.reshape(prod(rows), prod(columns))


def transposed(
    y: Array, weight: Array, *, output_padding: Sizes, **window: Unpack[Window]
) -> Array:
    """Every element of y sets down its copy of the kernel; then the pads are cut off."""
    stride, dilation = window["stride"], window["dilation"]
    per_group, inner = len(weight) // window["groups"], weight.shape[1]
    steps = zip(y.shape[1:], weight.shape[2:], stride, dilation, output_padding, strict=True)
    sizes = [(i - 1) * s + (k - 1) * d + 1 + extra for i, k, s, d, extra in steps]
    x = np.zeros((inner * window["groups"], *sizes), np.result_type(y, weight))
    for channel, *place in np.ndindex(y.shape):
        for inside, *tap in np.ndindex(weight.shape[1:]):
            onto = [o * s + t * d for o, s, t, d in zip(place, stride, tap, dilation, strict=True)]
            target = (channel // per_group * inner + inside, *onto)
            x[target] += weight[channel, inside, *tap] * y[channel, *place]
    return _cropped(x, window["pads"])


def _cropped(x: Array, pads: Pads) -> Array:
    """x without its first `before` and last `after` elements; negative ones add zeros."""
    added = [(max(0, -before), max(0, -after)) for before, after in pads]
    larger = np.pad(x, [(0, 0), *added])
    cuts = zip(larger.shape[1:], pads, strict=True)
    return larger[:, *(slice(max(0, b), size - max(0, a)) for size, (b, a) in cuts)]


@dataclass(frozen=True)
class Walk:
    """One axis: how many outputs there are, and every (output, tap, input) in which they meet."""

    outputs: int
    meetings: list[tuple[int, int, int]]


def walk(
    input_size: int,
    *,
    kernel_size: int,
    stride: int = 1,
    pads: tuple[int, int] = (0, 0),
    dilation: int = 1,
    padding_mode: str = "zeros",
    output_size: int | None = None,
) -> Walk:
    """The window set down on the padded axis, again and again until it no longer fits."""
    padded = _padded_positions(input_size, pads, padding_mode)
    span = (kernel_size - 1) * dilation + 1
    starts = [at for at in range(0, len(padded), stride) if at + span <= len(padded)]
    meetings = [
        (output, tap, source)
        for output, start in enumerate(starts[:output_size])
        for tap in range(kernel_size)
        if (source := padded[start + tap * dilation]) is not None
    ]
    return Walk(len(starts[:output_size]), meetings)


def _padded_positions(size: int, pads: tuple[int, int], padding_mode: str) -> list[int | None]:
    """The input position that each position of the padded axis shows; None is a zero."""
    before, after = pads
    if padding_mode == "zeros":
        return [at if 0 <= at < size else None for at in range(-before, size + after)]
    shown: list[int] = np.pad(np.arange(size), pads, mode=_NUMPY_MODES[padding_mode]).tolist()
    return [*shown]


def _walks(weight: Array, input_size: Sizes, geometry: Geometry) -> list[Walk]:
    kept = geometry.get("output_size")
    return [
        walk(
            size,
            kernel_size=weight.shape[2 + axis],
            stride=geometry["stride"][axis],
            pads=geometry["pads"][axis],
            dilation=geometry["dilation"][axis],
            padding_mode=geometry.get("padding_mode", "zeros"),
            output_size=None if kept is None else kept[axis],
        )
        for axis, size in enumerate(input_size)
    ]


def _products(
    weight: Array, walks: Sequence[Walk], groups: int
) -> Iterator[tuple[Index, Index, Index]]:
    """Every (row, column, tap): index tuples into y, x and the weight."""
    per_group, inner = len(weight) // groups, weight.shape[1]
    for channel, inside in product(range(len(weight)), range(inner)):
        for meeting in product(*(walk.meetings for walk in walks)):
            outputs, taps, inputs = zip(*meeting, strict=True)
            source = channel // per_group * inner + inside
            yield (channel, *outputs), (source, *inputs), (channel, inside, *taps)


def pool_size(
    input_size: int,
    *,
    kernel_size: int,
    stride: int,
    pads: tuple[int, int] = (0, 0),
    dilation: int = 1,
    ceil_mode: bool = False,
) -> int:
    """The number of windows of a pool, counted.

    With `ceil_mode` a window counts as well that sticks out by less than a stride, as long as it
    begins before the padding at the end.
    """
    before, after = pads
    end = before + input_size + after
    span = (kernel_size - 1) * dilation + 1
    count = start = 0
    while start + span <= end or (
        ceil_mode and start + span < end + stride and start < before + input_size
    ):
        start += stride
        count += 1
    return count


@dataclass(frozen=True)
class Step:
    """A layer with a window, on one axis; a transposed one sets its kernel down instead."""

    kernel_size: int
    stride: int
    before: int
    dilation: int = 1
    transposed: bool = False


@dataclass(frozen=True)
class Join:
    """Chains of layers side by side, whose results are added up."""

    branches: tuple[tuple[Step, ...], ...]


def receptive_field(layers: Sequence[Step | Join], positions: int) -> int:
    """The widest span of inputs that one of the first `positions` outputs depends on."""
    spans = (_span(_inputs_of({position}, layers)) for position in range(positions))
    return max(spans)


def _span(positions: set[int]) -> int:
    return max(positions) - min(positions) + 1 if positions else 0


def _inputs_of(positions: set[int], layers: Sequence[Step | Join]) -> set[int]:
    """The inputs that `positions` of the last layer depend on; axes have no ends here."""
    for layer in reversed(layers):
        if isinstance(layer, Join):
            reached = (_inputs_of(positions, branch) for branch in layer.branches)
            positions = set().union(*reached)
        else:
            positions = {source for position in positions for source in _sources(position, layer)}
    return positions


def _sources(position: int, step: Step) -> list[int]:
    taps = [tap * step.dilation for tap in range(step.kernel_size)]
    if not step.transposed:
        return [position * step.stride - step.before + tap for tap in taps]
    reached = (position + step.before - tap for tap in taps)
    return [place // step.stride for place in reached if place % step.stride == 0]
