"""The zip file that a `.keras` is: the text of the model, and the file of its weights."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from convt_cli.errors import FileError, shown
from convt_cli.io.reading import Opened
from convt_cli.models.json_text import MEMORY_PER_BYTE, Fields, mapping_in
from convt_cli.models.stored_zip import StoredZip, open_zip

CONFIG = "config.json"
METADATA = "metadata.json"
WEIGHTS = "model.weights.h5"


@contextmanager
def open_archive(path: str, opened: Opened) -> Iterator[StoredZip]:
    """The `.keras` file `path`, open during the block.

    Raises FileError (E401, E405), RequestError (E501), within the block too.
    """
    with open_zip(path, opened, damaged) as found:
        yield found


def read_json(archive: StoredZip, name: str) -> Fields:
    """The mapping in the JSON text `name`.  Raises FileError (E405), RequestError (E501)."""
    return decoded(archive.read(name, factor=MEMORY_PER_BYTE), name, archive.path)


def decoded(content: bytes, name: str, path: str) -> Fields:
    """The mapping in the JSON text `content`, called `name`.  Raises FileError (E405)."""
    try:
        return mapping_in(content)
    except ValueError as error:
        raise damaged(path, f"{shown(name)} is no JSON text: {shown(str(error))}") from None


def damaged(path: str, reason: str) -> FileError:
    """The error (E405) for a file that is no whole model of Keras."""
    return FileError(
        "E405",
        f"{shown(path)} is no whole Keras model",
        value=reason,
        help="save it again with model.save of Keras 2 or 3",
    )
