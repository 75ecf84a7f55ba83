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
from convt_cli.arithmetic.layers.linear import Linear
from convt_cli.arithmetic.layers.norms import Norm
from convt_cli.arithmetic.layers.pointwise import PRelu
from convt_cli.arithmetic.network import Network, NetworkLayer
from convt_cli.errors import ArrayError, RequestError, shape_text, shown
from convt_cli.files.arrays import located, read_located
from convt_cli.files.weight_formats import WEIGHT_FORMATS, WeightFile, weight_format
from convt_cli.io.folders import Folder
from convt_cli.io.stand_ins import telling_stand_ins
from convt_cli.models.foreign import require_no_torch
from convt_cli.operators.dtypes import Array, require_numeric
from convt_cli.operators.fills import filled, written


class Weights:
    """Finds the numbers of a network's layers, in the spec's folder unless it may lie outside."""

    def __init__(self, network: Network) -> None:
        self._network = network
        self._files: dict[str, WeightFile] = {}  # each is opened once

    def weight(self, layer: NetworkLayer, dtype: np.dtype[Any] | None = None) -> Array:
        """The weight of a layer, as `dtype` where one is given.

        A kernel is in C's layout, (out_channels, in_channels // groups, *kernel_size); the weight
        of a linear layer is (out_features, in_features), that of a norm or a prelu as the framework
        stores it, that of a scale (channels,).  Raises FileError, ArrayError (E121, E302, E303),
        and RequestError (E502) for a layer without one.
        """
        if layer.weight_source is None:
            raise RequestError(
                "E502",
                "a layer with a weight is wanted",
                value=f"{shown(layer.name)} is {layer.type}",
                help="choose a layer that has one",
            )
        what, layout = f"weight of {layer.name}", layer.weight_layout
        shape = self._stored_shape(layer)
        stored = self.numbers(layer.weight_source, shape, what, dtype, layout.taps_first)
        if layer.convolution is not None:
            return as_c(stored, layout, layer.convolution)
        is_turned = isinstance(layer.definition, Linear) and self._network.rules.taps_first
        return stored.T if is_turned else stored

    def bias(self, layer: NetworkLayer, dtype: np.dtype[Any] | None = None) -> Array:
        """(channels of the layer's output): the bias that the spec names, else zeros.

        That of a linear layer is (out_features,), that of a norm as the framework stores it.
        """
        if isinstance(layer.definition, Norm):
            shape = self._stored_shape(layer)
        elif isinstance(layer.definition, Linear):
            shape = (layer.definition.out_features,)
        else:
            shape = layer.output[:1]
        if layer.bias_source is None:
            return np.zeros(shape, dtype)
        return self.numbers(layer.bias_source, shape, f"bias of {layer.name}", dtype)

    def _stored_shape(self, layer: NetworkLayer) -> Shape:
        """The shape in which the layer's weight is stored."""
        if layer.convolution is not None:
            return layer.weight_layout.stored_shape(layer.convolution)
        if isinstance(layer.definition, Linear | Norm | PRelu):
            return layer.definition.stored_shape(layer.inputs[0], self._network.rules)
        return layer.output[:1]

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
            require_no_torch(path)
            location = located(path, source.key, also=tuple(WEIGHT_FORMATS))
            return rearranged(read_located(location, self._folder.opened), source)
        with telling_stand_ins(path, self._folder.opened):
            if path not in self._files:
                self._files[path] = chosen.opened(path, self._folder)
            stored = self._files[path].read(source.key)
        array = rearranged(stored, source)
        return as_vector(array, shape) if chosen.spreads_vectors else array

    @cached_property
    def _folder(self) -> Folder:
        return Folder.of(self._network.spec, allow_outside=self._network.allow_outside)


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
