"""Numbers as text, a line for each row."""

from __future__ import annotations

from dataclasses import dataclass
from typing import BinaryIO

from convt_cli.errors import ArrayError
from convt_cli.files.array_formats.base import ArrayFormat
from convt_cli.files.damage import reporting_damage
from convt_cli.files.text import read_text, write_text
from convt_cli.io.reading import Opened
from convt_cli.operators.dtypes import Array


@dataclass(frozen=True, kw_only=True)
class Text(ArrayFormat):
    """One or two axes of numbers, two when read; the `delimiter` None is any white space.

    The dtype that is read is an integer's if all numbers are integers, else float64.
    """

    suffix: str
    delimiter: str | None
    is_text = True

    def read(self, path: str, key: str, opened: Opened) -> Array:
        with opened(path) as file, reporting_damage(path):
            return read_text(file, path, self.delimiter)

    def write(self, file: BinaryIO, array: Array, key: str) -> None:
        if array.ndim > 2 or array.dtype.kind == "c":
            raise ArrayError(
                "E301",
                f"a {self.suffix} file holds one or two axes of real numbers",
                value=f"got {array.dtype} of shape {array.shape}",
                help="write a .npy file",
            )
        write_text(file, array, self.delimiter)
