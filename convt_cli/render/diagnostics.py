"""A diagnostic as text: its place, the spec's line, a caret under the fault, and the remedy."""

from __future__ import annotations

from convt_cli.errors import ConvtError, Diagnostic, FileError, SpecError, shown, visible
from convt_cli.io.environment import UNKNOWN_WIDTH
from convt_cli.render.text import NARROWEST, columns_of

_CUT = "…"
"""What stands for the part of a source line that is not shown."""
_HIDDEN = "\N{REPLACEMENT CHARACTER}"
"""What stands in a source line for an invisible character: one column wide, so that the caret still
points at the right place."""


def error_text(error: ConvtError, width: int = UNKNOWN_WIDTH) -> str:
    """Any convt error as the lines that are printed to standard error."""
    if isinstance(error, SpecError):
        return "\n".join(diagnostic_text(one, width) for one in error.diagnostics)
    pasted = error.pasted if isinstance(error, FileError) else ()
    first = f"error[{error.code}]: {_message(error)}\n{_help_line('', error.help, error.code)}"
    return "\n".join([first, *(f"  {visible(line)}" for line in pasted)])


def diagnostic_text(one: Diagnostic, width: int = UNKNOWN_WIDTH) -> str:
    """A problem of a spec, with its source line and a caret under the value at fault.

    The source line is cut around the caret to fit `width` columns; a value that does not fit
    behind the caret stands below it.  A problem of a model, which has no lines, is its message and
    its remedy, if there is one.  The source line may be an option, which has no number.
    """
    if not one.excerpt and not one.line:
        first = f"{shown(one.spec)}: {one.severity}[{one.code}]: {_message(one)}"
        return f"{first}\n{_help_line('', one.help, one.code)}" if one.help else first
    number = str(one.line) if one.line else ""
    margin = " " * len(number)
    room = max(NARROWEST, width) - len(margin) - 3
    part, start = _around(one.excerpt, one.column - 1, room)
    excerpt = _on_one_line(part)
    carets = "^" * max(1, min(one.width, len(excerpt.removesuffix(_CUT)) - start))
    pointer = " " * columns_of(excerpt[:start]) + carets
    value = visible(one.value)
    fits = len(pointer) + 1 + columns_of(value) <= room
    below = [f"{pointer} {value}".rstrip()] if fits else [pointer, value]
    place = shown(one.spec) + (f":{one.line}:{one.column}" if one.line else "")
    return "\n".join(
        (
            f"{place}: {one.severity}[{one.code}]: {visible(one.message)}",
            f"{margin} |",
            f"{number} | {excerpt}",
            *(f"{margin} | {line}" for line in below),
            _help_line(margin + " ", one.help, one.code),
        )
    )


def _on_one_line(source: str) -> str:
    """A line of a spec, each character that is not visible replaced by one that is."""
    spaced = source.replace("\t", " ")
    return "".join(letter if letter.isprintable() else _HIDDEN for letter in spaced)


def _around(line: str, column: int, room: int) -> tuple[str, int]:
    """The part of `line` around `column` that fits into `room`, and the column within it."""
    if len(line) <= room:
        return line, column
    # The column in the middle, or nearer to an end; two columns are left for the cut marks.
    first = max(0, min(column - room // 2, len(line) - room + 1))
    part = line[first : first + room - 2]
    head = _CUT if first else ""
    tail = _CUT if first + len(part) < len(line) else ""
    return head + part + tail, column - first + len(head)


def _message(one: ConvtError | Diagnostic) -> str:
    """The rule that was broken, and the value that broke it, on one line."""
    return visible(f"{one.message}: {one.value}" if one.value else one.message)


def _help_line(margin: str, help: str, code: str) -> str:
    """The end of a message: the remedy, and where to read why."""
    remedy = visible(help)
    joined = f"{remedy}{' ' if remedy.endswith('?') else '; '}" if remedy else ""
    return f"{margin}= help: {joined}`convt explain {code}` says why"
