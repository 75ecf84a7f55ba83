"""A diagnostic as text: its place, the line it stands on, a caret and a way out."""

from __future__ import annotations

from convt_cli.errors import ConvtError, Diagnostic, SpecError, shown
from convt_cli.render.text import columns_of

_WIDTH = 100
"""Columns of a message where the terminal does not say how many there are."""
_NARROWEST = 40
_CUT = "…"


def error_text(error: ConvtError, width: int = _WIDTH) -> str:
    """Any convt error as the lines that go to standard error."""
    if isinstance(error, SpecError):
        return "\n".join(diagnostic_text(one, width) for one in error.diagnostics)
    value = f": {error.value}" if error.value else ""
    return f"error[{error.code}]: {error.message}{value}\n{_help_line('', error.help, error.code)}"


def diagnostic_text(one: Diagnostic, width: int = _WIDTH) -> str:
    """A problem of a spec, with its source line and a caret under the value at fault.

    The source line is cut around the caret to fit `width` columns; a value that does not fit
    behind the caret stands below it.
    """
    margin = " " * len(str(one.line))
    room = max(_NARROWEST, width) - len(margin) - 3
    excerpt, start = _around(one.excerpt.replace("\t", " "), one.column - 1, room)
    carets = "^" * max(1, min(one.width, len(excerpt.removesuffix(_CUT)) - start))
    pointer = " " * columns_of(excerpt[:start]) + carets
    fits = len(pointer) + 1 + columns_of(one.value) <= room
    below = [f"{pointer} {one.value}".rstrip()] if fits else [pointer, one.value]
    return "\n".join(
        (
            f"{shown(one.spec)}:{one.line}:{one.column}: {one.severity}[{one.code}]: {one.message}",
            f"{margin} |",
            f"{one.line} | {excerpt}",
            *(f"{margin} | {line}" for line in below),
            _help_line(margin + " ", one.help, one.code),
        )
    )


def _around(line: str, column: int, room: int) -> tuple[str, int]:
    """The part of `line` around `column` that fits into `room`, and the column within it."""
    if len(line) <= room:
        return line, column
    first = max(0, min(column - room // 2, len(line) - room + 1))
    part = line[first : first + room - 2]
    head = _CUT if first else ""
    tail = _CUT if first + len(part) < len(line) else ""
    return head + part + tail, column - first + len(head)


def _help_line(margin: str, help: str, code: str) -> str:
    remedy = f"{help}{' ' if help.endswith('?') else '; '}" if help else ""
    return f"{margin}= help: {remedy}`convt explain {code}` says why"
