"""A layer's weight and bias in C's layout: (out_channels, in_channels // groups, *kernel_size).

A file is opened when its numbers are asked for, never before: .npy, .npz#key, .safetensors#key,
model.onnx#name or model.pt2#name, none of them outside the spec's folder.
"""

from __future__ import annotations

import os
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from convt_cli.arithmetic.convolution import Convolution, Shape
from convt_cli.arithmetic.dialects.weight_layout import WeightLayout, other_order
from convt_cli.arithmetic.keys import Fill, Inline, WeightSource
from convt_cli.arithmetic.network import MatrixLayer, Network
from convt_cli.errors import ArrayError, shape_text
from convt_cli.files.arrays import located, read_located
from convt_cli.io.folders import Folder
from convt_cli.operators.dtypes import Array, require_numeric
from convt_cli.operators.fills import filled, written

if TYPE_CHECKING:
    from convt_cli.models.onnx.weights import OnnxWeights


class Weights:
    """Finds the numbers of a network's layers; `allow_outside` admits files outside the folder."""

    def __init__(self, network: Network, *, allow_outside: bool = False) -> None:
        self._spec = network.spec
        self._allow_outside = allow_outside
        self._models: dict[str, OnnxWeights] = {}

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
        return self._read(self._folder.resolved(source.file), source.key, shape)

    @cached_property
    def _folder(self) -> Folder:
        return Folder.of(self._spec, allow_outside=self._allow_outside)

    def _read(self, path: str, key: str, shape: Shape) -> Array:
        """The array `key` of a file, read in the format of its suffix."""
        match os.path.splitext(path)[1].lower():
            case ".onnx":
                return as_vector(self._model(path).read(key), shape)
            case ".pt2":
                from convt_cli.models.pt2.weights import Pt2Weights  # noqa: PLC0415  # rare

                return as_vector(Pt2Weights(path, self._folder).read(key), shape)
            case ".safetensors":
                # Few specs name such a file, and the others need not load its reader.
                from convt_cli.files.safetensors import read_safetensors  # noqa: PLC0415

                return read_safetensors(path, key, self._folder.opened)
            case _:
                location = located(path, key, also=(".safetensors", ".onnx", ".pt2"))
                return read_located(location, self._folder.opened)

    def _model(self, path: str) -> OnnxWeights:
        """The model in a file, which is opened once and kept."""
        if path not in self._models:
            from convt_cli.models.onnx.weights import OnnxWeights  # noqa: PLC0415  # slow, and rare

            self._models[path] = OnnxWeights(path, self._folder)
        return self._models[path]


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
