"""The formats of files that hold the weights of many layers: what each offers, and their table.

A format is a module with `open_weights` and one line in `WEIGHT_FORMATS`.  Modules are named here
and imported when a file of theirs is read: few specs name one, and the others need not load them.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from importlib import import_module
from typing import Protocol

from convt_cli.io.folders import Folder
from convt_cli.operators.dtypes import Array


class WeightFile(Protocol):
    """What `open_weights(path, folder)` of a format's module gives, for a file in that folder."""

    def read(self, name: str) -> Array:
        """The array called `name`; "" is the only one, where the format allows that.

        Raises FileError (E401, E404, E405), ArrayError (E302, E303), RequestError (E501).
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class WeightFormat:
    """A format, by the module that reads it.

    `spreads_vectors`: one number per channel may be stored with axes of size 1 behind it, or as
    one number for all channels.
    """

    module: str
    spreads_vectors: bool = False

    def opened(self, path: str, folder: Folder) -> WeightFile:
        """The file `path`.  Raises FileError (E401, E404, E405), RequestError (E501, E504)."""
        found: WeightFile = import_module(self.module).open_weights(path, folder)
        return found


WEIGHT_FORMATS = {
    ".safetensors": WeightFormat(module="convt_cli.files.safetensors"),
    ".onnx": WeightFormat(module="convt_cli.models.onnx.weights", spreads_vectors=True),
    ".pt2": WeightFormat(module="convt_cli.models.pt2.weights", spreads_vectors=True),
    ".tflite": WeightFormat(module="convt_cli.models.tflite.weights", spreads_vectors=True),
    ".keras": WeightFormat(module="convt_cli.models.keras.weights"),
    ".h5": WeightFormat(module="convt_cli.models.keras.weights"),
    ".hdf5": WeightFormat(module="convt_cli.models.keras.weights"),
}
"""The formats by the suffix of their files, beside those of `array_formats`."""


def weight_format(path: str) -> WeightFormat | None:
    """The format of a file by its suffix; None for the others, which are array files or none."""
    return WEIGHT_FORMATS.get(os.path.splitext(path)[1].lower())
