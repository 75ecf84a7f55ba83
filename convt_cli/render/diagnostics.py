"""A diagnostic as text: its place, the line it stands on, a caret and a way out."""

from __future__ import annotations

from convt_cli.errors import ConvtError, Diagnostic, SpecError
from convt_cli.render.text import columns_of

_MOST_CARETS = 60
_EXCERPT_BEFORE = 60
_EXCERPT_WIDTH = 100


def error_text(error: ConvtError) -> str:
    """Any convt error as the lines that go to standard error."""
    if isinstance(error, SpecError):
        return "\n".join(diagnostic_text(one) for one in error.diagnostics)
    value = f": {error.value}" if error.value else ""
    return f"error[{error.code}]: {error.message}{value}\n{_help_line('', error.help, error.code)}"


def diagnostic_text(one: Diagnostic) -> str:
    """A problem of a spec, with its source line and a caret under the value at fault."""
    head = f"{_one_line(one.spec)}:{one.line}:{one.column}: error[{one.code}]: {one.message}"
    margin = " " * len(str(one.line))
    excerpt, start = _window(one.excerpt, one.column - 1)
    carets = "^" * max(1, min(one.width, _MOST_CARETS, len(excerpt) - start))
    pointer = " " * columns_of(excerpt[:start]) + f"{carets} {one.value}".rstrip()
    return "\n".join(
        (
            head,
            f"{margin} |",
            f"{one.line} | {excerpt}",
            f"{margin} | {pointer}",
            _help_line(margin + " ", one.help, one.code),
        )
    )


def _help_line(margin: str, help: str, code: str) -> str:
    remedy = f"{help}{' ' if help.endswith('?') else '; '}" if help else ""
    return f"{margin}= help: {remedy}`convt explain {code}` says why"


def _window(line: str, column: int) -> tuple[str, int]:
    """The part of a line around `column` that a message shows, and the column within it."""
    line = line.replace("\t", " ")
    cut = max(0, column - _EXCERPT_BEFORE) if len(line) > _EXCERPT_WIDTH else 0
    return line[cut : cut + _EXCERPT_WIDTH], column - cut


def _one_line(path: str) -> str:
    return path if path.isprintable() else ascii(path)
