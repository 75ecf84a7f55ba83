"""Numbers in .csv and .txt files, read a few thousand at a time.

A file of whole numbers is exact: int64, or uint64 where it has larger ones and none below 0.  Any
other file is float64, rounded as usual; what float64 would change by more than its rounding of
decimals is refused with its place: a number too large for it, or a whole one that it cannot hold.
"""

from __future__ import annotations

import io
import os
import re
from collections.abc import Iterable, Iterator
from itertools import chain
from math import inf
from typing import BinaryIO, NamedTuple

import numpy as np

from convt_cli.errors import ArrayError, shown
from convt_cli.io import memory
from convt_cli.io.writing import Sink
from convt_cli.operators.dtypes import Array

TEXT_DELIMITERS: dict[str, str | None] = {".csv": ",", ".txt": None}

_BLOCK = 2**20
"""Bytes that are looked through at a time."""
_PART = 2**16
"""Characters that are split into numbers at a time."""
_LONGEST = 4000
"""Characters of a number; Python refuses to convert more than 4,300 digits."""
_OVERHEAD = 100 * _PART + 2 * _BLOCK
"""Bytes for the numbers of a part as Python objects, and for the text they come from."""

_MARK = b"\xef\xbb\xbf"
_FOREIGN = re.compile(rb"[^-+.0-9A-Za-z, \t\r\n]")
_NOT_WHOLE = re.compile(rb"[^-+0-9, \t\r\n]")
_LINE_END = re.compile(rb"\r\n?|\n")
_DIGITS = re.compile(r"[-+]?[0-9]+")
_SIGNED = (-(2**63), 2**63 - 1)
_UNSIGNED = (0, 2**64 - 1)
_NO_NUMBER = "is no number"
_TOO_LARGE = "is too large for float64"
_EXACT = 2.0**53
"""float64 holds every whole number below it."""


class _Content(NamedTuple):
    """What a first look through a file tells: how many numbers it has at most, and their kind."""

    most: int
    whole: bool
    signed: bool


class _Part(NamedTuple):
    """A part of the text: some whole lines, or a stretch of one line between two numbers.

    `line` is the number of the first, from 1; `ends` says whether its last line ends with it.
    """

    text: str
    line: int
    ends: bool


def read_text(file: BinaryIO, path: str, delimiter: str | None) -> Array:
    """The numbers of an open file, (rows, columns); without a delimiter, spaces part them.

    Raises ArrayError (E302 for a number that would change, E303), RequestError (E501).
    """
    begin = len(_MARK) if file.read(len(_MARK)) == _MARK else 0
    file.seek(begin)
    content = _content(file, path, delimiter)
    memory.require(
        8 * content.most + _OVERHEAD, f"the numbers in {shown(path)}", help="use a .npy file"
    )
    file.seek(begin)
    text = io.TextIOWrapper(file, "ascii")
    try:
        rows = _Rows(path, delimiter, content)
        for part in _parts(text, path, delimiter):
            rows.take(part)
        return rows.array()
    finally:
        text.detach()  # or the file would be closed with it


def write_text(file: Sink, array: Array, delimiter: str | None) -> None:
    """One line per row; every number with as many digits as tell it from all others."""
    for row in np.atleast_2d(array) if array.ndim == 2 else array.reshape(-1, 1):
        file.write(((delimiter or " ").join(row.astype(str)) + "\n").encode())


def _content(file: BinaryIO, path: str, delimiter: str | None) -> _Content:
    """A first look through the file.  Raises ArrayError (E303) for bytes that no number has."""
    most, lines, whole, signed, before = 1, 0, True, False, b""
    while block := file.read(_BLOCK):
        halved = before.endswith(b"\r") and block.startswith(b"\n")  # one line end in two blocks
        if foreign := _FOREIGN.search(block):
            line = lines + len(_LINE_END.findall(block[: foreign.start()])) + 1 - halved
            file.seek(foreign.start() - len(block), os.SEEK_CUR)
            letter = file.read(4).decode("utf-8", "backslashreplace")[0]
            raise _malformed(path, f"line {line} has the character {shown(letter)}")
        ends = block.count(b"\n") + block.count(b"\r") - block.count(b"\r\n") - halved
        lines, before = lines + ends, block
        most += ends + block.count(b",") if delimiter else len(block.split()) + 1
        whole = whole and not _NOT_WHOLE.search(block)
        signed = signed or b"-" in block
    return _Content(most, whole, signed)


def _parts(text: io.TextIOWrapper, path: str, delimiter: str | None) -> Iterator[_Part]:
    """The text in parts of about `_PART` characters.  Raises ArrayError (E303)."""
    line, rest = 1, ""
    while piece := text.read(_PART):
        rest += piece
        cut = rest.rfind("\n")
        ends = cut >= 0
        if not ends:
            cut = max(map(rest.rfind, delimiter or " \t"))
        if cut >= 0:
            yield _Part(rest[:cut], line, ends)
            line += rest.count("\n", 0, cut + 1)
            rest = rest[cut + 1 :]
        elif len(rest) > _LONGEST:
            raise _malformed(path, f"line {line} has a number of more than {_LONGEST:,} characters")
    yield _Part(rest, line, ends=True)


class _Rows:
    """The rows of one file, all as long as the first, while they are read."""

    def __init__(self, path: str, delimiter: str | None, content: _Content) -> None:
        self._path = path
        self._delimiter = delimiter
        self._whole = content.whole
        self._bounds = _SIGNED if content.signed else _UNSIGNED
        whole = np.int64 if content.signed else np.uint64
        self._numbers = np.empty(content.most, whole if content.whole else np.float64)
        self._done = 0
        self._columns = 0
        self._in_row = 0

    def take(self, part: _Part) -> None:
        """Take the next part of the file.  Raises ArrayError (E302, E303)."""
        lines = part.text.split("\n")
        goes_on = self._in_row > 0
        kept = [
            number
            for number, line in enumerate(lines)
            if line.strip() or (goes_on and number == 0) or not part.ends
        ]
        rows = [lines[number].split(self._delimiter) for number in kept]
        places = _Places([part.line + number for number in kept], rows, self._in_row)
        converted = self._converted(list(chain.from_iterable(rows)), places)
        self._numbers[self._done : self._done + len(converted)] = converted
        self._done += len(converted)
        self._count(places, ends=part.ends)

    def array(self) -> Array:
        """All rows, once they have been taken.  Raises ArrayError (E303)."""
        if not self._done:
            raise _malformed(self._path, "it is empty")
        found = self._numbers[: self._done].reshape(-1, self._columns)
        fits = found.dtype == np.uint64 and found.max() <= _SIGNED[1]
        return found.view(np.int64) if fits else found

    def _count(self, places: _Places, *, ends: bool) -> None:
        """Hold the lengths of rows against that of the first."""
        counts = [len(row) for row in places.rows]
        if counts:
            counts[0] += self._in_row
            self._in_row = 0 if ends else counts.pop()
        self._columns = self._columns or next(iter(counts), 0)
        for line, count in zip(places.lines, counts):
            if count != self._columns:
                reason = f"line {line} has {count:,} numbers, the first has {self._columns:,}"
                raise _malformed(self._path, reason)

    def _converted(self, cells: list[str], places: _Places) -> Array:
        """The cells as numbers.  Raises ArrayError for the first that cannot be taken."""
        convert = int if self._whole else float
        try:
            numbers = np.fromiter(map(convert, cells), self._numbers.dtype, len(cells))
        except (ValueError, OverflowError):
            self._refuse_flaws(cells, range(len(cells)), places)
            raise
        if not self._whole:
            large = np.flatnonzero(np.abs(numbers) >= _EXACT).tolist()
            self._refuse_flaws(cells, large, places)
        return numbers

    def _refuse_flaws(self, cells: list[str], numbers: Iterable[int], places: _Places) -> None:
        """Raise ArrayError for the first of these cells, by number, that cannot be taken."""
        for number in numbers:
            cell = cells[number].strip()
            flaw = _whole_flaw(cell, self._bounds) if self._whole else _float_flaw(cell)
            if flaw:
                raise self._flawed(places.of(number), cell, flaw)

    def _flawed(self, place: str, cell: str, flaw: str) -> ArrayError:
        got = f"got {shown(cell)}"
        if flaw == _NO_NUMBER:
            return _malformed(self._path, f"{place} is none, {got if cell else 'it is empty'}")
        rounded = "write it with a point, as in 1.5e30, if the nearest float64 will do"
        return ArrayError(
            "E302",
            f"{place} in {shown(self._path)} {flaw}",
            value=got,
            help="write a smaller number, or inf" if flaw == _TOO_LARGE else rounded,
        )


class _Places(NamedTuple):
    """Rows as lists of cells, their lines, and the cells of the first that came before."""

    lines: list[int]
    rows: list[list[str]]
    before: int

    def of(self, number: int) -> str:
        """Where the cell of this number, counted from 0 through all rows, stands."""
        before = self.before
        for line, row in zip(self.lines, self.rows):
            if number < len(row):
                return f"number {before + number + 1:,} of line {line:,}"
            number, before = number - len(row), 0
        raise IndexError(number)


def _whole_flaw(cell: str, bounds: tuple[int, int]) -> str:
    """Why a cell is no whole number within the bounds; nothing where it is one."""
    if not _DIGITS.fullmatch(cell):
        return _NO_NUMBER
    low, high = bounds
    fits = len(cell) <= _LONGEST and low <= int(cell) <= high
    return "" if fits else f"must be from {low} to {high}, as in a file of whole numbers"


def _float_flaw(cell: str) -> str:
    """Why a cell is no number that float64 holds; nothing where it is one."""
    try:
        number = float(cell)
    except ValueError:
        return _NO_NUMBER
    if abs(number) == inf and "n" not in cell.lower():
        return _TOO_LARGE
    exact = not _DIGITS.fullmatch(cell) or int(cell.lstrip("+-0") or "0") == abs(number)
    return "" if exact else "is a whole number that float64 cannot hold, in a file of float64"


def _malformed(path: str, reason: str) -> ArrayError:
    return ArrayError(
        "E303",
        f"cannot read an array from {shown(path)}",
        value=reason,
        help="a file has rows of as many numbers each, such as 12, -1.5e-3, nan and inf",
    )
