"""What a format of array files has."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import BinaryIO

from convt_cli.io.reading import Opened
from convt_cli.operators.dtypes import Array


class ArrayFormat(ABC):
    """A format of array files, by the suffix of their names."""

    has_keys = False
    """Whether a file holds several arrays, which file.suffix#key names."""
    is_text = False
    """Whether a file holds lines of numbers, and so at most two axes."""
    has_boxes = False
    """Whether parts of a file can be read and written in place, by `files.boxes`."""

    @abstractmethod
    def read(self, path: str, key: str, opened: Opened) -> Array:
        """The array `key`, "" for the only one, of the file `path`, which `opened` opens.

        Raises FileError (E401), ArrayError (E301, E302, E303), RequestError (E501).
        """

    @abstractmethod
    def write(self, file: BinaryIO, array: Array, key: str) -> None:
        """Write `array` row-major, so that equal arrays make equal bytes.

        Raises ArrayError (E301), FileError (E402) where a file cannot hold it as `key`.
        """
