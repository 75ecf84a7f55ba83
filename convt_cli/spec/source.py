"""The text of a spec and the problems found in it, each with its line, column and excerpt."""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass, field
from typing import NamedTuple

from convt_cli.errors import Diagnostic, SpecError

MOST_BYTES = 4 * 2**20
"""Bytes of a spec."""

MOST_PROBLEMS = 1000
"""How many problems are collected before reading ends."""

NOT_YAML = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""A character that YAML does not allow."""

_LINE_END = re.compile("\r\n|[\n\r\x85\u2028\u2029]")


class Place(NamedTuple):
    """`width` characters of a line; `line` and `column` count from 0, as YAML's marks do.

    With an `option` they are in that text of the command line, and not in the spec's.
    """

    line: int
    column: int
    width: int = 1
    option: str = ""


@dataclass(slots=True)
class Problems:
    """The errors and warnings of one spec, collected while it is read.

    `spec` is its path, and `text` what stands in it.  A model has no text, and the numbers of its
    layers stand for lines, which tell its problems apart; no message shows them.
    """

    spec: str
    text: str
    is_model: bool = False
    _found: dict[tuple[str, str, Place], Diagnostic] = field(default_factory=dict)
    _lines: list[str] | None = None

    def add(
        self,
        place: Place,
        code: str,
        message: str,
        *,
        value: str = "",
        help: str = "",
        layer: str | None = None,
    ) -> None:
        """Note a problem; the same one at the same place is noted once.

        Raises SpecError when there are `MOST_PROBLEMS` of them: nobody reads on.
        """
        place, excerpt = self._in_range(place)
        diagnostic = Diagnostic(
            code=code,
            spec=self.spec,
            line=self.line(place),
            column=place.column + 1 if excerpt or not self.is_model else 0,
            width=max(1, place.width),
            layer=layer,
            message=message,
            value=value,
            help=help,
            excerpt=excerpt,
        )
        self._found.setdefault((code, message, place), diagnostic)
        if len(self._found) == MOST_PROBLEMS:
            self.add(place, "E007", f"a spec is read up to its first {MOST_PROBLEMS:,} problems")
        if len(self._found) > MOST_PROBLEMS:
            raise self.error()

    def line(self, place: Place) -> int:
        """The number of a place's line, counted from 1; 0 in a model, and in an option."""
        return 0 if self.is_model or place.option else place.line + 1

    @property
    def diagnostics(self) -> tuple[Diagnostic, ...]:
        """All problems and warnings, in the order of the spec's lines."""
        return tuple(sorted(self._found.values(), key=lambda found: (found.line, found.column)))

    @property
    def has_errors(self) -> bool:
        """Whether more than warnings was noted."""
        return any(found.severity == "error" for found in self._found.values())

    def raise_any(self) -> None:
        """Raise SpecError if more than warnings was noted."""
        if self.has_errors:
            raise self.error()

    def error(self) -> SpecError:
        """All that was noted, as one error."""
        return SpecError(self.diagnostics)

    def _in_range(self, place: Place) -> tuple[Place, str]:
        """`place`, or the end of the text where it lies behind, and the text of its line.

        The line of a place in an option is the option; a model has none.
        """
        if place.option or self.is_model:
            return place, place.option
        if self._lines is None:
            self._lines = _LINE_END.split(self.text)
        if place.line >= len(self._lines):
            place = Place(len(self._lines) - 1, len(self._lines[-1]))
        return place, self._lines[place.line]


def decode(spec: str, content: bytes) -> Problems:
    """The text of a spec, ready to collect its problems.  Raises SpecError (E001, E007).

    UTF-8, with or without a byte order mark, and UTF-16 with one.
    """
    if len(content) > MOST_BYTES:
        problems = Problems(spec, "")
        problems.add(Place(0, 0), "E007", f"a spec has at most {MOST_BYTES // 2**20} MiB")
        raise problems.error()
    encoding, mark = _encoding(content)
    try:
        problems = Problems(spec, content[mark:].decode(encoding))
    except UnicodeDecodeError as error:
        problems = Problems(spec, content[mark:].decode(encoding, errors="replace"))
        before = content[mark : mark + error.start].decode(encoding, errors="replace")
        problems.add(
            place_of(before),
            "E001",
            f"a spec is text in {encoding.upper()}",
            value=f"byte 0x{error.object[error.start]:02x} at offset {mark + error.start} is not",
            help="convert the file, for example with iconv -t UTF-8",
        )
        raise problems.error() from None
    wrong = NOT_YAML.search(problems.text)
    if wrong:
        problems.add(
            place_of(problems.text[: wrong.start()]),
            "E001",
            "a spec holds printable characters only",
            value=f"character U+{ord(wrong.group()):04X} at offset {wrong.start()}",
            help=f"is this a text file in {encoding.upper()}?",
        )
        raise problems.error()
    return problems


def _encoding(content: bytes) -> tuple[str, int]:
    """The encoding of a spec, and the length of its byte order mark, 0 without one."""
    marks = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"))
    for mark, encoding in (*marks, (codecs.BOM_UTF16_BE, "utf-16-be")):
        if content.startswith(mark):
            return encoding, len(mark)
    return "utf-8", 0


def place_of(before: str) -> Place:
    """The place behind the text `before`."""
    lines = _LINE_END.split(before)
    return Place(len(lines) - 1, len(lines[-1]))
