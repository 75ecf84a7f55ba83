"""Numbers in .csv and .txt files, read a few thousand at a time.

A file of whole numbers is exact: int64, or uint64 where it has larger ones and none below 0.  Any
other file is float64, with decimals rounded as usual.  A number that float64 would change more than
that is refused with its place: one that is too large, or a whole number that it cannot hold.
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

_BLOCK = 2**20
"""Bytes of one read of the first look through a file."""
_PART = 2**16
"""Characters that are split into numbers at a time."""
_LONGEST = 4000
"""The most characters of a number; Python refuses to convert more than 4,300 digits."""
_OVERHEAD = 100 * _PART + 2 * _BLOCK
"""Bytes of memory for the numbers of a part as Python objects, and for their text."""

_MARK = b"\xef\xbb\xbf"  # the byte order mark that some programs put in front of UTF-8
_FOREIGN = re.compile(rb"[^-+.0-9A-Za-z, \t\r\n]")  # a byte that no file of numbers has
_NOT_WHOLE = re.compile(rb"[^-+0-9, \t\r\n]")  # a byte that no file of whole numbers has
_LINE_END = re.compile(rb"\r\n?|\n")
_DIGITS = re.compile(r"[-+]?[0-9]+")
_SIGNED = (-(2**63), 2**63 - 1)  # the bounds of int64
_UNSIGNED = (0, 2**64 - 1)  # the bounds of uint64
_NO_NUMBER = "is no number"
_TOO_LARGE = "is too large for float64"
_EXACT = 2.0**53
"""float64 holds every whole number below this exactly."""


class _Content(NamedTuple):
    """What a first look through a file tells.

    `most` bounds how many numbers it has; `whole` and `signed` say whether all of them are whole
    numbers, and whether it has a minus sign.
    """

    most: int
    whole: bool
    signed: bool


class _Part(NamedTuple):
    """A part of the text: some whole lines, or a stretch of one line between two numbers.

    `line` is the number of its first line, counted from 1; `ends` says whether its last line is
    complete, and not continued in the next part.
    """

    text: str
    line: int
    ends: bool


def read_text(file: BinaryIO, path: str, delimiter: str | None) -> Array:
    """The numbers of an open file, (rows, columns); without a delimiter, white space parts them.

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
    """Write one line per row, each number with the fewest digits that give it back exactly."""
    for row in np.atleast_2d(array) if array.ndim == 2 else array.reshape(-1, 1):
        file.write(((delimiter or " ").join(row.astype(str)) + "\n").encode())


def _content(file: BinaryIO, path: str, delimiter: str | None) -> _Content:
    """What a first look through the file tells.  Raises ArrayError (E303) for foreign bytes."""
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
        # The part ends with the last whole line; in a longer line, between two numbers.
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
    """Collects the rows of one file, which must all be as long as the first."""

    def __init__(self, path: str, delimiter: str | None, content: _Content) -> None:
        self._path = path
        self._delimiter = delimiter
        self._whole = content.whole
        self._bounds = _SIGNED if content.signed else _UNSIGNED
        whole = np.int64 if content.signed else np.uint64
        self._numbers = np.empty(content.most, whole if content.whole else np.float64)
        self._done = 0  # numbers taken so far
        self._columns = 0  # of the first row; 0 until it is complete
        self._in_row = 0  # numbers of the row that the last part began and did not end

    def take(self, part: _Part) -> None:
        """Take the next part of the file.  Raises ArrayError (E302, E303)."""
        lines = part.text.split("\n")
        goes_on = self._in_row > 0
        # Blank lines are left out, unless a row of the part before goes on there.
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
        """Compare the lengths of the rows with that of the first.  Raises ArrayError (E303)."""
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
        """Raise ArrayError for the first of the cells with these numbers that cannot be taken."""
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
    """Where the cells of a part stand: their rows, the rows' lines, and `before`, which is how
    many numbers of the first row an earlier part has taken.
    """

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
    """Why a cell is no whole number within the bounds; "" where it is one."""
    if not _DIGITS.fullmatch(cell):
        return _NO_NUMBER
    low, high = bounds
    fits = len(cell) <= _LONGEST and low <= int(cell) <= high
    return "" if fits else f"must be from {low} to {high}, as in a file of whole numbers"


def _float_flaw(cell: str) -> str:
    """Why a cell is no number that float64 holds; "" where it is one."""
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
