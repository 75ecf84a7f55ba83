"""Reading model.tflite#name: the numbers of a constant, real ones where it is quantised."""

from __future__ import annotations

from difflib import get_close_matches
from math import prod
from typing import Any

import numpy as np

from convt_cli.errors import ArrayError, FileError, shown
from convt_cli.io import memory
from convt_cli.io.folders import Folder
from convt_cli.models.tflite.flatbuffer import Bytes, damaged
from convt_cli.models.tflite.graph import Graph, Node, read_graph
from convt_cli.models.tflite.schema import BFLOAT16, INT4, form_of
from convt_cli.models.tflite.tensors import Quantization, Tensor
from convt_cli.operators.dtypes import Array, widened

_SHOWN = 5  # names in a message


def open_weights(path: str, folder: Folder) -> TfliteWeights:
    """The constants of the file `path`."""
    return TfliteWeights(path, folder)


class TfliteWeights:
    """The constants of a file; each is read when it is asked for."""

    def __init__(self, path: str, folder: Folder) -> None:
        self._path = path
        self._folder = folder

    def read(self, key: str) -> Array:
        """The constant called `key`, or what DEQUANTIZE or RESHAPE makes of one.

        Raises FileError (E401, E404, E405), ArrayError (E302), RequestError (E501).
        """
        with self._folder.opened(self._path) as file:
            source = Bytes(file, self._path)
            graph = read_graph(source)
            return _found(graph, key, key, source)


def _found(graph: Graph, name: str, key: str, source: Bytes) -> Array:
    """The array `name`, on which `key` depends."""
    tensor = graph.tensors.get(name)
    if tensor is None:
        raise _unknown(source.path, key, graph)
    givers = [node for node in graph.nodes if name in node.outputs]
    if givers:
        return _folded(graph, givers[0], tensor, key, source)
    if tensor.extent is None or tensor.sparsity is not None:
        kind = "sparse" if tensor.sparsity is not None else "not kept in the file"
        raise _no_constant(source.path, key, f"'{shown(name)}' is {kind}")
    return _read(tensor, source)


def _folded(graph: Graph, node: Node, tensor: Tensor, key: str, source: Bytes) -> Array:
    """What a node gives that only brings a constant into another shape or type."""
    if node.operator not in ("DEQUANTIZE", "RESHAPE") or not node.inputs[0]:
        raise _no_constant(source.path, key, f"it is computed by {node.title}")
    given = _found(graph, node.inputs[0], key, source)
    if given.size != prod(tensor.shape):
        raise damaged(source.path, f"'{shown(key)}' is {list(tensor.shape)} of {given.size}")
    return given.reshape(tensor.shape)


def _read(tensor: Tensor, source: Bytes) -> Array:
    """The numbers of a tensor, quantised ones as real numbers in single precision."""
    stored = _stored(tensor, source)
    meaning = tensor.quantized()
    if meaning is None:
        return stored
    zeros, scales = _along(meaning, stored.ndim)
    # (stored - zero point) * scale, as the interpreter has it
    return np.asarray((stored.astype(np.float32) - zeros) * scales)


def _along(meaning: Quantization, rank: int) -> tuple[Array, Array]:
    """Zero points and scales that broadcast to a tensor of `rank` axes."""
    shape = [1] * rank
    if len(meaning.scales) > 1:
        shape[meaning.axis] = -1
    zeros, scales = (
        np.array(some, np.float32).reshape(shape) for some in (meaning.zero_points, meaning.scales)
    )
    return zeros, scales


def _stored(tensor: Tensor, source: Bytes) -> Array:
    """The numbers as they are stored; bfloat16 is widened, and so are those of 4 bits."""
    count = prod(tensor.shape)
    form = {BFLOAT16: "H", INT4: "B"}.get(tensor.type) or form_of(tensor.type)
    if not form:
        raise ArrayError(
            "E302",
            f"the array in {shown(source.path)} must hold numbers that NumPy has",
            value=f"'{shown(tensor.name)}' is of the type with number {tensor.type}",
            help="convert the model again, to float32",
        )
    dtype = np.dtype(form).newbyteorder("<")
    elements = (count + 1) // 2 if tensor.type == INT4 else count
    extent = tensor.extent
    if extent is None or extent.size != elements * dtype.itemsize:
        raise damaged(source.path, f"'{shown(tensor.name)}' does not have {count:,} numbers")
    what = f"'{shown(tensor.name)}' of {shown(source.path)}"
    memory.require(6 * extent.size, what, help="use a machine with more memory")
    flat: Array = np.frombuffer(source.at(*extent), dtype)
    if tensor.type == INT4:
        flat = _halves(flat)[:count]
    return (widened(flat) if tensor.type == BFLOAT16 else flat).reshape(tensor.shape)


def _halves(packed: Array) -> Array:
    """The signed numbers of 4 bits, two of which are in a byte, the lower bits first."""
    halves = np.stack((packed & 15, packed >> 4), axis=-1).ravel().astype(np.int8)
    return np.asarray(np.where(halves > 7, halves - 16, halves).astype(np.int8))


def _unknown(path: str, key: str, graph: Graph) -> FileError:
    names: list[Any] = [name for name in graph.constants if graph.tensors[name].extent]
    close = get_close_matches(key[:200], names[:10_000], n=1)
    listed = ", ".join(map(shown, names[:_SHOWN])) + (" and more" if len(names) > _SHOWN else "")
    return FileError(
        "E401",
        f"{shown(path)} has no constant '{shown(key)}'" if key else "a .tflite file needs a key",
        value=f"its constants are {listed or 'none'}",
        help=f"did you mean '{shown(close[0])}'?" if close else f"write {shown(path)}#NAME",
    )


def _no_constant(path: str, key: str, reason: str) -> FileError:
    return FileError(
        "E401",
        f"'{shown(key)}' in {shown(path)} is no constant",
        value=reason,
        help="name a constant of the model",
    )
