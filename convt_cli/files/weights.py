"""A layer's weight and bias in C's layout: (out_channels, in_channels // groups, *kernel_size).

A file is opened when its numbers are asked for, never before: an array file, or one of the
`weight_formats`, none of them outside the spec's folder.
"""

from __future__ import annotations

from functools import cached_property
from math import prod
from typing import Any

import numpy as np

from convt_cli.arithmetic.convolution import Convolution, Shape
from convt_cli.arithmetic.dialects.weight_layout import WeightLayout, other_order
from convt_cli.arithmetic.keys import FileReference, Fill, Inline, WeightSource
from convt_cli.arithmetic.network import MatrixLayer, Network
from convt_cli.errors import ArrayError, shape_text
from convt_cli.files.arrays import located, read_located
from convt_cli.files.weight_formats import WEIGHT_FORMATS, WeightFile, weight_format
from convt_cli.io.folders import Folder
from convt_cli.operators.dtypes import Array, require_numeric
from convt_cli.operators.fills import filled, written


class Weights:
    """Finds the numbers of a network's layers; `allow_outside` admits files outside the folder."""

    def __init__(self, network: Network, *, allow_outside: bool = False) -> None:
        self._spec = network.spec
        self._allow_outside = allow_outside
        self._files: dict[str, WeightFile] = {}  # each is opened once

    def weight(self, layer: MatrixLayer, dtype: np.dtype[Any] | None = None) -> Array:
        """The kernel of a layer, as `dtype` where one is given.

        Raises FileError, ArrayError (E121, E302, E303).
        """
        shape = layer.layout.stored_shape(layer.convolution)
        what = f"weight of {layer.name}"
        stored = self.numbers(layer.weight, shape, what, dtype, layer.layout.taps_first)
        return as_c(stored, layer.layout, layer.convolution)

    def bias(self, layer: MatrixLayer, dtype: np.dtype[Any] | None = None) -> Array:
        """(channels of the layer's output): the bias that the spec names, else zeros."""
        shape = layer.convolution.action_shapes[1][:1]
        if isinstance(layer.bias, bool):
            return np.zeros(shape, dtype)
        return self.numbers(layer.bias, shape, f"bias of {layer.name}", dtype)

    def numbers(
        self,
        source: WeightSource,
        shape: Shape,
        what: str,
        dtype: np.dtype[Any] | None = None,
        taps_first: bool = False,
    ) -> Array:
        """The numbers at `source`, of `shape`; a message calls them `what`.

        Raises FileError, ArrayError (E121, E302, E303).
        """
        array = self._array(source, shape, taps_first)
        if array.shape != shape:
            raise ArrayError(
                "E121",
                f"the {what} must be {shape_text(shape)}",
                value=f"{source} is {shape_text(array.shape)}",
                help=other_order(array.shape, shape, "numpy.transpose(w, {})")
                or "correct the layer, or name another array",
            )
        numbers = require_numeric(array, f"the {what}")
        return numbers if dtype is None else cast(numbers, dtype, what)

    def _array(self, source: WeightSource, shape: Shape, taps_first: bool) -> Array:
        if isinstance(source, Fill):
            return filled(source, shape, taps_first=taps_first)
        if isinstance(source, Inline):
            return as_vector(written(source), shape)
        path = self._folder.resolved(source.file)
        chosen = weight_format(path)
        if chosen is None:
            location = located(path, source.key, also=tuple(WEIGHT_FORMATS))
            return rearranged(read_located(location, self._folder.opened), source)
        if path not in self._files:
            self._files[path] = chosen.opened(path, self._folder)
        array = rearranged(self._files[path].read(source.key), source)
        return as_vector(array, shape) if chosen.spreads_vectors else array

    @cached_property
    def _folder(self) -> Folder:
        return Folder.of(self._spec, allow_outside=self._allow_outside)


def rearranged(stored: Array, source: FileReference) -> Array:
    """`stored` with its axes in the order, and then in the shape, that `source` says.

    Raises ArrayError (E121) for an array of another number of axes or elements.
    """
    if source.axes is not None and len(source.axes) != stored.ndim:
        raise _not_rearranged(source, f"axes {list(source.axes)}", stored)
    turned = stored if source.axes is None else stored.transpose(source.axes)
    if source.shape is None:
        return turned
    if prod(source.shape) != turned.size:
        raise _not_rearranged(source, f"shape {list(source.shape)}", stored)
    return turned.reshape(source.shape)


def _not_rearranged(source: FileReference, wanted: str, stored: Array) -> ArrayError:
    return ArrayError(
        "E121",
        f"an array that is brought to {wanted} must fit it",
        value=f"{source} is {shape_text(stored.shape)}",
        help="correct it, or name another array",
    )


def as_vector(stored: Array, shape: Shape) -> Array:
    """`stored` as a vector of `shape` where it can be broadcast to one; otherwise unchanged.

    ONNX models hold one number per channel as (channels, 1, 1), or one number for all channels.
    """
    if (
        len(shape) == 1
        and stored.size in (1, *shape)
        and max(stored.shape, default=1) == stored.size
    ):
        return np.broadcast_to(stored.ravel(), shape)
    return stored


def as_c(stored: Array, layout: WeightLayout, convolution: Convolution) -> Array:
    """A stored weight in C's layout: (out_channels, in_channels // groups, *kernel_size)."""
    rank = len(convolution.axes)
    taps = tuple(range(rank))
    if layout.flipped:  # (*kernel_size, out_channels, in_channels), the taps in reverse
        return np.flip(stored, taps).transpose(rank, rank + 1, *taps)
    if layout.taps_first:  # (*kernel_size, in_channels // groups, out_channels)
        return stored.transpose(rank + 1, rank, *taps)
    return stored


def cast(array: Array, dtype: np.dtype[Any], what: str) -> Array:
    """`array` as `dtype`.  Raises ArrayError (E302) where integers cannot hold its values."""
    if array.dtype.kind == "c" and dtype.kind != "c":
        raise ArrayError(
            "E302",
            f"the {what} is complex",
            value=f"--dtype is {dtype}",
            help="leave --dtype out",
            dtype="complex128",
        )
    with np.errstate(all="ignore"):  # what does not fit is told below, by name
        converted = array.astype(dtype)
    if dtype.kind in "iu" and not np.array_equal(converted, array):
        raise ArrayError(
            "E302",
            f"the {what} must hold integers that fit {dtype}",
            value=f"got {array.dtype} values that do not",
            help="choose another --dtype",
            dtype="float64",
        )
    return converted
