"""Reading model.tflite#name: the numbers of a constant, real ones where it is quantised."""

from __future__ import annotations

from difflib import get_close_matches
from math import prod
from typing import Any

import numpy as np

from convt_cli.errors import ArrayError, FileError, shown
from convt_cli.io import memory
from convt_cli.io.folders import Folder
from convt_cli.models.tflite.flatbuffer import Bytes, Extent, damaged
from convt_cli.models.tflite.graph import FOLDED, Graph, read_graph
from convt_cli.models.tflite.schema import BFLOAT16, INT4, form_of
from convt_cli.models.tflite.sparse import dense
from convt_cli.models.tflite.tensors import Quantization, Tensor
from convt_cli.operators.dtypes import Array, widened

_SHOWN = 5  # names in a message


def open_weights(path: str, folder: Folder) -> TfliteWeights:
    """The constants of the file `path`."""
    return TfliteWeights(path, folder)


class TfliteWeights:
    """The constants of a file; each is read when it is asked for, and the graph with the first."""

    def __init__(self, path: str, folder: Folder) -> None:
        self._path = path
        self._folder = folder
        self._graph: Graph | None = None

    def read(self, key: str) -> Array:
        """The constant called `key`, or what DEQUANTIZE or RESHAPE makes of one.

        Raises FileError (E401, E404, E405), ArrayError (E302), RequestError (E501).
        """
        with self._folder.opened(self._path) as file:
            if self._graph is None:
                self._graph = read_graph(Bytes(file, self._path))
            source = self._graph.table.source
            source.reopen(file)
            return _found(self._graph, key, source)


def _found(graph: Graph, key: str, source: Bytes) -> Array:
    """The array `key`, through the nodes that only bring it into another shape or type."""
    wanted = graph.tensors.get(key)
    if wanted is None:
        raise _unknown(source.path, key, graph)
    name, is_widened = key, False
    while (node := graph.givers.get(name)) is not None:
        name = node.inputs[0] if node.inputs else ""
        if node.operator not in FOLDED or not name:
            raise _no_constant(source.path, key, f"it is computed by {node.title}")
        is_widened = is_widened or node.operator == "DEQUANTIZE"
    stored = graph.tensors[name]
    if stored.extent is None:
        raise _no_constant(source.path, key, f"'{shown(name)}' is not kept in the file")
    array = _read(stored, source)
    if array.size != prod(wanted.shape):
        raise damaged(source.path, f"'{shown(key)}' is {list(wanted.shape)} of {array.size:,}")
    whole = array.reshape(wanted.shape)
    return whole.astype(np.float32) if is_widened else whole


def _read(tensor: Tensor, source: Bytes) -> Array:
    """The numbers of a tensor, quantised ones as real numbers in single precision."""
    stored = _stored(tensor, source)
    meaning = tensor.quantized()
    if meaning is None:
        return stored
    zeros, scales = _along(meaning, stored.ndim)
    with np.errstate(all="ignore"):  # a scale can be any number
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
    form = {BFLOAT16: "H", INT4: "B"}.get(tensor.type) or form_of(tensor.type)
    if not form:
        raise ArrayError(
            "E302",
            f"the array in {shown(source.path)} must hold numbers that NumPy has",
            value=f"'{shown(tensor.name)}' is of the type with number {tensor.type}",
            help="convert the model again, to float32",
        )
    dtype = np.dtype(form).newbyteorder("<")
    extent = tensor.extent or Extent(0, 0)
    what = f"'{shown(tensor.name)}' of {shown(source.path)}"
    memory.require(6 * extent.size, what, help="use a machine with more memory")
    content = source.at(extent.place, extent.size // dtype.itemsize * dtype.itemsize)
    flat = _widened(np.frombuffer(content, dtype), tensor)
    if tensor.sparsity is not None:
        return dense(tensor, flat, source)
    if flat.size != prod(tensor.shape) or len(content) != extent.size:
        count = f"{prod(tensor.shape):,}"
        raise damaged(source.path, f"'{shown(tensor.name)}' does not have {count} numbers")
    return flat.reshape(tensor.shape)


def _widened(flat: Array, tensor: Tensor) -> Array:
    """The numbers of a tensor, whatever its type, in a type that NumPy has."""
    if tensor.type == INT4:
        return _halves(flat)[: prod(tensor.shape)]
    return widened(flat) if tensor.type == BFLOAT16 else flat


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
