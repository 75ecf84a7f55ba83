"""Reading model.onnx#name: a constant of a model, or the result of nodes on constants alone."""

from __future__ import annotations

from collections import Counter
from difflib import get_close_matches

import numpy as np

from convt_cli.errors import ArrayError, FileError, shown
from convt_cli.io import memory
from convt_cli.io.folders import Folder
from convt_cli.models.onnx.constants import fold
from convt_cli.models.onnx.file import Model, open_model
from convt_cli.models.onnx.folding import Unfoldable
from convt_cli.models.onnx.graph import Node
from convt_cli.models.onnx.quantised import in_real_numbers
from convt_cli.operators.dtypes import Array, widened

_SHOWN = 8
"""How many names of constants a message lists."""


def open_weights(path: str, folder: Folder) -> OnnxWeights:
    """The model `path`, to read its constants.  Raises as `OnnxWeights`."""
    return OnnxWeights(path, folder)


class OnnxWeights:
    """Reads constants of one ONNX model, which is opened once, inside the spec's `folder`."""

    def __init__(self, path: str, folder: Folder) -> None:
        """Raises RequestError (E501, E504), FileError (E401, E404, E405)."""
        self._model = open_model(path, within=folder)
        self._graph = in_real_numbers(self._model.graph)

    def read(self, name: str) -> Array:
        """The array that the model calls `name`; it may be a view that must not be written.

        Raises FileError (E401, E404, E405), ArrayError (E302), RequestError (E501).
        """
        graph = self._graph
        nodes = graph.needed_for((name,), inside=True)
        if name not in graph.constants and not nodes:
            raise _unknown(self._model, name)
        given = {*graph.constants, *(one for node in nodes for one in node.outputs)}
        for one in (one for node in nodes for one in node.reads if one not in given):
            reason = f"it is computed from the input '{shown(one)}'"
            raise _no_constant(self._model, name, reason)
        return self._computed(name, nodes)

    def _computed(self, name: str, nodes: tuple[Node, ...]) -> Array:
        """The array `name`, the result of `nodes`; others are let go of once nothing reads them."""
        # how often each array is still to be read
        readers = Counter([name, *(one for node in nodes for one in node.inputs)])
        held = _Held(self._model.path)
        for node in nodes:
            inputs = [self._found(one, name, held) if one else None for one in node.inputs]
            try:
                result = fold(node, inputs, held.require)
            except Unfoldable as error:
                raise _no_constant(self._model, name, f"{node.title}: {error}") from None
            for one in node.outputs[:1]:
                held.add(one, result)
            readers.subtract(node.inputs)
            for one in {*node.inputs, *node.outputs[:1]}.intersection(held.arrays):
                if not readers[one]:
                    held.drop(one)
        return self._found(name, name, held)

    def _found(self, one: str, name: str, held: _Held) -> Array:
        """The array `one`, from which `name` is computed; it is held from now on."""
        if one not in held.arrays:
            if one not in self._model.graph.constants:
                raise _no_constant(self._model, name, "it is not the first output of its node")
            held.require(0)
            held.add(one, self._constant(one))
        return held.arrays[one]

    def _constant(self, name: str) -> Array:
        """A constant of the model.  Raises ArrayError (E302) for types that NumPy lacks."""
        tensor = self._model.graph.constants[name]
        if not tensor.element:
            raise ArrayError(
                "E302",
                f"the array in {shown(self._model.path)} must hold numbers",
                value=f"'{shown(name)}' is of a type that NumPy has not",
                help="store it as float32",
            )
        content = self._model.content(name)
        if tensor.element == "bfloat16":
            return widened(np.frombuffer(content, "<u2")).reshape(tensor.shape)
        stored = np.dtype(tensor.element).newbyteorder("<")
        return np.frombuffer(content, stored).reshape(tensor.shape)


class _Held:
    """Arrays by name, and the memory that they take: arrays that share it are counted once."""

    def __init__(self, path: str) -> None:
        self.arrays: dict[str, Array] = {}
        self._path = path
        self._views: Counter[int] = (
            Counter()
        )  # how many of the arrays held share memory, by the id of its owner
        self._size = 0  # bytes held
        self._granted = 0  # bytes that memory has been asked for, and had

    def add(self, name: str, array: Array) -> None:
        """Hold one more array."""
        owner = _owner(array)
        self._size += 0 if self._views[id(owner)] else owner.nbytes
        self._views[id(owner)] += 1
        self.arrays[name] = array

    def drop(self, name: str) -> None:
        """Let go of an array; its memory is free once no other shares it."""
        owner = _owner(self.arrays.pop(name))
        self._views[id(owner)] -= 1
        self._size -= 0 if self._views[id(owner)] else owner.nbytes

    def require(self, needed: int) -> None:
        """Raise RequestError (E501) unless there is memory for `needed` bytes more.

        What is held counts once more, so that it never takes more than half of the memory that
        there was at first.  Small further needs are granted with a large one.
        """
        if needed + self._size > self._granted:
            what = f"what a constant of {shown(self._path)} is computed from"
            memory.require(needed + self._size, what, help="use a machine with more memory")
            self._granted = needed + self._size + memory.NEGLIGIBLE


def _owner(array: Array) -> Array:
    """The array whose memory `array` is a view of, or itself."""
    while isinstance(array.base, np.ndarray):
        array = array.base
    return array


def _unknown(model: Model, name: str) -> FileError:
    names = list(model.graph.constants)
    close = get_close_matches(name[:200], names[:10_000], n=1)
    listed = ", ".join(map(shown, names[:_SHOWN])) + (" and more" if len(names) > _SHOWN else "")
    return FileError(
        "E401",
        f"{shown(model.path)} has no constant '{shown(name)}'"
        if name
        else "an .onnx file needs a key",
        value=f"its constants are {listed or 'none'}",
        help=f"did you mean '{shown(close[0])}'?" if close else f"write {shown(model.path)}#NAME",
    )


def _no_constant(model: Model, name: str, reason: str) -> FileError:
    return FileError(
        "E401",
        f"'{shown(name)}' in {shown(model.path)} is no constant",
        value=reason,
        help="name an initializer of the model",
    )
