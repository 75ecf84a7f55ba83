"""The formats of array files: a module with an `ArrayFormat` each, and their table by suffix."""

from __future__ import annotations

from convt_cli.files.array_formats.base import ArrayFormat
from convt_cli.files.array_formats.npy import Npy, Stream
from convt_cli.files.array_formats.npz import Npz
from convt_cli.files.array_formats.text import Text

ARRAY_FORMATS: dict[str, ArrayFormat] = {
    ".npy": Npy(),
    ".npz": Npz(),
    ".csv": Text(suffix=".csv", delimiter=","),
    ".txt": Text(suffix=".txt", delimiter=None),
}
"""The format of a file, by its suffix in lower case."""

STREAM = Stream()
"""The format of standard input and output."""
