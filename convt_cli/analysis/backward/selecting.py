"""The steps of layers whose every output is one element of the source, or 0: slice, pad and crop.

On each axis an array holds, for every position of the output, the place that it reads.
"""

from __future__ import annotations

from typing import cast

import numpy as np

from convt_cli.analysis.backward.step import BackKind, PreparedLayer, Sources, Step, step_of
from convt_cli.arithmetic.layers import Spans, Windows
from convt_cli.arithmetic.layers.rearranging import Crop, Pad, Slice
from convt_cli.operators.dtypes import Array

_NOTHING = -1
"""The place of a position that reads a zero."""


def _slice(prepared: PreparedLayer[Slice], sources: Sources) -> Step:
    axis = prepared.definition.axis
    places = np.array(prepared.definition.elements(prepared.layer.inputs[0][axis]))
    return _taken(sources[0], {axis + 1: places})


def _pad(prepared: PreparedLayer[Pad], sources: Sources) -> Step:
    return _shifted(prepared, sources, prepared.definition.mode)


def _crop(prepared: PreparedLayer[Crop], sources: Sources) -> Step:
    return _shifted(prepared, sources, "zeros")


def _shifted(prepared: PreparedLayer[Pad | Crop], sources: Sources, mode: str) -> Step:
    """Every axis moved by so many elements; what then lies outside is read as `mode` says."""
    source, output = prepared.layer.inputs[0], prepared.layer.output
    befores = _elements_before(prepared)
    first = len(source) - len(befores)  # the first axis that is moved, without the batch
    places = {
        first + 1 + number: _folded(np.arange(output[first + number]) - before, size, mode)
        for number, (before, size) in enumerate(zip(befores, source[first:], strict=True))
    }
    return _taken(sources[0], places)


def _elements_before(prepared: PreparedLayer[Pad | Crop]) -> tuple[int, ...]:
    """How many elements each axis has more in front; below 0 where it has fewer."""
    dependence = prepared.layer.geometry.dependence
    if isinstance(dependence, Windows):
        return tuple(axis.before for axis in dependence.axes)
    (span,) = cast("Spans", dependence).channels or ()  # a vector's one axis
    return (-span.first,)


def _folded(places: Array, size: int, mode: str) -> Array:
    """The places on 0 ... size - 1 that are read for those asked for, `_NOTHING` for zeros."""
    if mode == "circular":
        return places % size
    if mode == "replicate":
        return places.clip(0, size - 1)
    if mode == "reflect":
        last = size - 1
        return last - abs(last - places % max(1, 2 * last))
    return np.where((places >= 0) & (places < size), places, _NOTHING)


def _taken(x: Array, places: dict[int, Array]) -> Step:
    """The elements of x at `places`, by axis; back, each place gets what was read from it."""
    value = x
    for axis, read in places.items():
        value = value.take(read, axis)
        if (read == _NOTHING).any():
            np.moveaxis(value, axis, 0)[read == _NOTHING] = 0

    def back(signal: Array) -> Array:
        for axis, read in places.items():
            signal = _returned(signal, axis, read, x.shape[axis])
        return signal

    return Step(value, lambda signal, _: (back(signal),))


def _returned(signal: Array, axis: int, read: Array, size: int) -> Array:
    """The transpose of taking `read` along one axis of `size`."""
    rows = np.moveaxis(signal, axis, 0)
    result = np.zeros((size, *rows.shape[1:]), signal.dtype)
    inside = read != _NOTHING
    np.add.at(result, read[inside], rows[inside])
    return np.moveaxis(result, 0, axis)


SELECTIONS = (
    step_of(Slice, BackKind.LINEAR, _slice),
    step_of(Pad, BackKind.LINEAR, _pad),
    step_of(Crop, BackKind.LINEAR, _crop),
)
