"""The model that a `.keras` or an `.h5` file describes."""

from __future__ import annotations

import os
from dataclasses import dataclass

from convt_cli.errors import FileError, RequestError, shown
from convt_cli.io.reading import Opened
from convt_cli.models.keras.archive import CONFIG, METADATA, open_archive
from convt_cli.models.keras.config import Layer, read_layer
from convt_cli.models.keras.hdf5 import Hdf5
from convt_cli.models.keras.json_text import mapping_in

_ATTRIBUTE = "model_config"


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """A model, and the version of Keras that wrote it, "" where the file does not say."""

    model: Layer
    version: str


def is_archive(path: str) -> bool:
    """Whether a file is a `.keras` by its suffix, and no `.h5`."""
    return os.path.splitext(path)[1].lower() == ".keras"


def read_document(path: str, opened: Opened) -> Document:
    """The model in the file `path`.

    Raises FileError (E401, E404, E405), RequestError (E501, E505).
    """
    found = _of_archive(path, opened) if is_archive(path) else _of_hdf5(path, opened)
    if not found.model.is_model:
        raise RequestError(
            "E505",
            "a spec has the layers of a Functional or Sequential model",
            value=f"{shown(path)} is a {shown(found.model.kind)}, which code of its own makes",
            help="save a model that is built from its inputs: keras.Model(inputs, outputs)",
        )
    return found


def _of_archive(path: str, opened: Opened) -> Document:
    with open_archive(path, opened) as archive:
        has_metadata = METADATA in archive.entries
        metadata = mapping_in(archive.read(METADATA), METADATA, path) if has_metadata else {}
        version = metadata.get("keras_version")
        model = read_layer(mapping_in(archive.read(CONFIG), CONFIG, path))
    return Document(model=model, version=version if isinstance(version, str) else "")


def _of_hdf5(path: str, opened: Opened) -> Document:
    with opened(path) as file:
        found = Hdf5(file, path)
        content, version = found.text("", _ATTRIBUTE), found.named("", "keras_version")
    if content is None:
        raise FileError(
            "E405",
            f"an .h5 model has the attribute {_ATTRIBUTE}",
            value=f"{shown(path)} has none, as files of weights alone have not",
            help="save the whole model with model.save",
        )
    return Document(model=read_layer(mapping_in(content, _ATTRIBUTE, path)), version=version)
