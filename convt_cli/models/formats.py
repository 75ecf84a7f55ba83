"""The formats of model files: what a format offers, and the table of them by suffix.

A format is a folder beside this file with a module that offers `read_model`, and one line in
`FORMATS`.  Modules are named here and imported by `load` when a file of theirs is read, because
a format may need packages that are slow or not installed.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Protocol

from convt_cli.arithmetic.convolution import Shape
from convt_cli.models.imported import ImportedModel

FORMATS = {
    ".onnx": "convt_cli.models.onnx.read",
    ".pt2": "convt_cli.models.pt2.read",
    ".tflite": "convt_cli.models.tflite.read",
    ".keras": "convt_cli.models.keras.read",
    ".h5": "convt_cli.models.keras.read",
    ".hdf5": "convt_cli.models.keras.read",
}
"""The module that reads a format, by the suffix of its files in lower case."""


def is_model(path: str) -> bool:
    """Whether the file `path` is a model, by its suffix."""
    return os.path.splitext(path)[1].lower() in FORMATS


class Format(Protocol):
    """What the module of a format offers."""

    def read_model(
        self,
        path: str,
        reference: str,
        *,
        override: Mapping[str, Shape],
        partial: bool,
        allow_outside: bool,
    ) -> ImportedModel:
        """The network in the file `path`, whose weights a spec names as arrays of `reference`.

        `override` gives inputs another shape by their names, "" being the only input there is.
        With `partial`, what a spec cannot say is left out, and so is all that depends on it.
        `allow_outside` lets the model's data lie outside the model's folder.

        Raises Unsayable for what a spec cannot say, FileError (E401, E404, E405), and
        RequestError: E501 for too little memory, E503 for an input that is not there, E504
        without the format's package, E505 where no layer is left, E506 for an input whose sizes
        are not known.
        """
        ...
