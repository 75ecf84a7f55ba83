"""A .npy file, and a stream of .npy."""

from __future__ import annotations

import os
from typing import BinaryIO

from convt_cli.errors import shown
from convt_cli.files.archive import write_npy
from convt_cli.files.array_formats.base import ArrayFormat
from convt_cli.files.npy import read_npy, row_major
from convt_cli.io.reading import Opened, standard_input
from convt_cli.operators.dtypes import Array


class Npy(ArrayFormat):
    """One array behind its header."""

    has_boxes = True

    def read(self, path: str, key: str, opened: Opened) -> Array:
        with opened(path) as file:
            return read_npy(file, shown(path), os.fstat(file.fileno()).st_size)

    def write(self, file: BinaryIO, array: Array, key: str) -> None:
        write_npy(file, row_major(array))


class Stream(Npy):
    """The same from standard input, whose length is not known, or to standard output."""

    has_boxes = False

    def read(self, path: str, key: str, opened: Opened) -> Array:
        return read_npy(standard_input(), "standard input", None)
