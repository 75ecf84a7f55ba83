"""Reading model.onnx#name: a constant of a model, or what nodes of constants come to."""

from __future__ import annotations

from difflib import get_close_matches

import numpy as np

from convt_cli.errors import ArrayError, FileError, shown
from convt_cli.files.safetensors import widened
from convt_cli.io import memory
from convt_cli.io.folders import Folder
from convt_cli.io.onnx_file import Model, open_model
from convt_cli.operators.dtypes import Array
from convt_cli.spec.onnx.folding import Unfoldable, fold

_SHOWN = 8


class OnnxWeights:
    """The constants of one model, which has been opened; it lies in `folder`."""

    def __init__(self, path: str, folder: Folder) -> None:
        """Raises RequestError (E501, E504), FileError (E401, E404, E405)."""
        self._model = open_model(path, within=folder)

    def read(self, name: str) -> Array:
        """The array that the model calls `name`; it may be a view that must not be written.

        Raises FileError (E401, E404, E405), ArrayError (E302), RequestError (E501).
        """
        graph = self._model.graph
        nodes = graph.needed_for((name,))
        if name not in graph.constants and not nodes:
            raise _unknown(self._model, name)
        given = {"", *graph.constants, *(one for node in nodes for one in node.outputs)}
        for one in (one for node in nodes for one in node.inputs if one not in given):
            reason = f"it is computed from the input '{shown(one)}'"
            raise _no_constant(self._model, name, reason)
        arrays: dict[str, Array] = {}
        for node in nodes:
            inputs = [self._found(one, arrays) if one else None for one in node.inputs]
            try:
                result = fold(node, inputs, self._require)
            except Unfoldable as error:
                raise _no_constant(self._model, name, f"{node.title}: {error}") from None
            arrays.update(dict.fromkeys(node.outputs[:1], result))
        return self._found(name, arrays)

    def _found(self, name: str, arrays: dict[str, Array]) -> Array:
        if name in arrays:
            return arrays[name]
        if name in self._model.graph.constants:
            return self._constant(name)
        raise _no_constant(self._model, name, "it is not the first output of its node")

    def _constant(self, name: str) -> Array:
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

    def _require(self, needed: int) -> None:
        what = f"a constant of {shown(self._model.path)}"
        memory.require(needed, what, help="use a machine with more memory")


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
