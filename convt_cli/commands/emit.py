"""Writing a command's results: to the terminal, a pipe, or a file."""

from __future__ import annotations

import sys

from convt_cli.commands.main import complain
from convt_cli.errors import ReaderGone
from convt_cli.render.text import as_text
from convt_cli.reports.table import Report


def is_stdout(path: str | None) -> bool:
    """Whether what is written to `path` goes to standard output: no path, '-' or /dev/stdout."""
    from convt_cli.io import writing

    return path is None or writing.is_stdout(path)


def emit(report: Report, output_format: str, path: str | None, *, force: bool) -> None:
    """Write `report` to `path`, or to standard output.  Raises FileError."""
    text = _rendered(report, output_format, terminal=is_stdout(path))
    put(text, path, force=force)


def emit_beside(report: Report, output_format: str, output: str) -> None:
    """Write `report` to standard output, or to standard error where `output` has taken the other.

    Raises FileError.
    """
    if is_stdout(output):
        complain(as_text(report).rstrip("\n"))
    else:
        emit(report, output_format, None, force=False)


def put(text: str, path: str | None, *, force: bool) -> None:
    """Write `text` to `path`, whole or not at all, or to standard output.  Raises FileError."""
    if path is None or is_stdout(path):
        print_text(text)
    else:
        put_bytes(text.encode("utf-8", errors="backslashreplace"), path, force=force)


def put_bytes(content: bytes, path: str | None, *, force: bool) -> None:
    """Write `content` as it is to `path`, or to standard output.  Raises FileError."""
    if path is None or is_stdout(path):
        _print(content)
        return
    from convt_cli.io.writing import output

    with output(path, force=force) as file:
        file.write(content)


def print_text(text: str) -> None:
    """Write `text` to standard output; characters that its encoding lacks become '?'.

    A pipe whose reader has gone is no error.  Raises FileError (E402) where there is no standard
    output or it cannot be written.
    """
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    _print(text.encode(encoding, errors="replace"))


def _print(content: bytes) -> None:
    from convt_cli.io.writing import STDOUT, failed_write, standard_output

    try:
        standard_output().write(content)
        sys.stdout.flush()
    except OSError as error:
        failure = failed_write(STDOUT, error)
        if not isinstance(failure, ReaderGone):
            raise failure from None


def _rendered(report: Report, output_format: str, *, terminal: bool) -> str:
    """`report` in a format; `terminal` says that it goes to standard output."""
    if output_format != "text":
        from convt_cli.render.formats import RENDERERS

        return RENDERERS[output_format](report)
    if terminal and sys.stdout is not None and sys.stdout.isatty():
        from convt_cli.render.terminal import on_terminal

        return on_terminal(report)
    return as_text(report)
