"""Reading model.keras#conv1/kernel or model.h5#conv1/kernel: a variable of a layer by its name."""

from __future__ import annotations

import io
from difflib import get_close_matches
from typing import BinaryIO, cast

import numpy as np

from convt_cli.errors import ArrayError, FileError, shown
from convt_cli.io import memory
from convt_cli.io.folders import Folder
from convt_cli.models.keras.archive import WEIGHTS, damaged, open_archive
from convt_cli.models.keras.document import is_archive, read_document
from convt_cli.models.keras.hdf5 import Hdf5
from convt_cli.models.keras.variables import Variable, variables_of
from convt_cli.operators.dtypes import Array, widened

_ROOTS = ("layers", "_layer_checkpoint_dependencies")
"""The groups that hold a model's layers: of Keras 3, and of TensorFlow 2.12 to 2.15."""

_NUMBERS = ("i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f2", "f4", "f8", "bfloat16")
"""The types of numbers that are read."""

_SHOWN = 5  # names in a message


def open_weights(path: str, folder: Folder) -> KerasWeights:
    """The variables of the model `path`.  Raises as `read_document`."""
    return KerasWeights(path, folder)


class KerasWeights:
    """The variables of a model; each is read when it is asked for."""

    def __init__(self, path: str, folder: Folder) -> None:
        self._path = path
        self._folder = folder
        self._variables = variables_of(read_document(path, folder.opened).model)
        self._is_checked = False

    def read(self, key: str) -> Array:
        """The variable called `key`; bfloat16 is widened.

        Raises FileError (E401, E404, E405), ArrayError (E302), RequestError (E501).
        """
        variable = self._variables.get(key)
        if variable is None:
            raise _unknown(self._path, key, list(self._variables))
        found = self._of_archive(variable) if is_archive(self._path) else self._of_hdf5(variable)
        if found is None:
            raise damaged(self._path, f"it has no numbers for '{shown(key)}'")
        return found

    def _of_archive(self, variable: Variable) -> Array | None:
        with open_archive(self._path, self._folder.opened) as archive:
            if not self._is_checked:
                archive.require_whole(WEIGHTS)
                self._is_checked = True
            file = cast("BinaryIO", io.BufferedReader(archive.part(WEIGHTS)))
            found = Hdf5(file, self._path)
            return _array(found, _numbered(found, variable))

    def _of_hdf5(self, variable: Variable) -> Array | None:
        with self._folder.opened(self._path) as file:
            found = Hdf5(file, self._path)
            return _array(found, _listed(found, variable))


def _array(found: Hdf5, place: str) -> Array | None:
    """The array at a place; None where there is none.

    Raises FileError (E404, E405), ArrayError (E302), RequestError (E501).
    """
    stored = found.stored(place)
    if stored is None:
        return None
    kind = stored.kind
    number = kind.number
    if number == "V2" and found.named(place, "dtype") == "bfloat16":
        number = "bfloat16"
    if number not in _NUMBERS:
        raise ArrayError(
            "E302",
            f"the array in {shown(found.path)} must hold numbers that NumPy has",
            value=f"'{shown(place)}' is of another type",
            help="save the model in float32",
        )
    what = f"'{shown(place)}' of {shown(found.path)}"
    memory.require(2 * stored.size, what, help="use a machine with more memory")
    is_bfloat16 = number == "bfloat16"
    dtype = np.dtype(f"{kind.order}{'u2' if is_bfloat16 else number}")
    array = np.frombuffer(found.numbers(stored), dtype).reshape(stored.shape)
    return widened(array.ravel()).reshape(stored.shape) if is_bfloat16 else array


def _numbered(found: Hdf5, variable: Variable) -> str:
    """The place of a variable in a `.keras`, which numbers those of each layer."""
    for root in _ROOTS:
        if found.has(root):
            groups = "/".join(f"{root}/{group}" for group in variable.folder)
            return f"{groups}/vars/{variable.number}"
    return ""


def _listed(found: Hdf5, variable: Variable) -> str:
    """The place of a variable in an `.h5`, which lists those of each outermost layer.

    Those of a layer further inside are the ones whose names have its path before their last part.
    """
    outer, *inner = variable.path
    root = f"model_weights/{outer}"
    listed = found.texts(root, "weight_names")
    if inner:
        listed = _inside(listed, "/".join(inner).split("/"))
    return f"{root}/{listed[variable.number]}" if variable.number < len(listed) else ""


def _inside(listed: list[str], path: list[str]) -> list[str]:
    """The names of variables that belong to the layer `path`; Keras 2 writes its last part alone.

    None where several layers have that last part.
    """
    for wanted in (path, path[-1:]):
        folders = [name.split("/")[:-1] for name in listed]
        found = [name for name, own in zip(listed, folders) if own[-len(wanted) :] == wanted]
        if found:
            return found if len({name.rpartition("/")[0] for name in found}) == 1 else []
    return []


def _unknown(path: str, key: str, names: list[str]) -> FileError:
    close = get_close_matches(key[:200], names[:10_000], n=1)
    listed = ", ".join(map(shown, names[:_SHOWN])) + (" and more" if len(names) > _SHOWN else "")
    return FileError(
        "E401",
        f"{shown(path)} has no variable '{shown(key)}'" if key else "a Keras model needs a key",
        value=f"its variables are {listed or 'none'}",
        help=f"did you mean '{shown(close[0])}'?" if close else f"write {shown(path)}#NAME",
    )
