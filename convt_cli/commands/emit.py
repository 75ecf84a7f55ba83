"""Putting a report where it belongs: the terminal, a pipe, or a file."""

from __future__ import annotations

import sys

from convt_cli.errors import FileError
from convt_cli.io.writing import STDOUT, output
from convt_cli.reports.table import Report

_NARROWEST = 40


def emit(report: Report, output_format: str, path: str | None, *, force: bool) -> None:
    """Write `report` to `path`, or to standard output.  Raises FileError."""
    if path is not None and path != STDOUT:
        text = _rendered(report, output_format, terminal=False)
        with output(path, force=force) as file:
            file.write(text.encode("utf-8", errors="surrogateescape"))
        return
    print_text(_rendered(report, output_format, terminal=True))


def print_text(text: str) -> None:
    """Write `text` to standard output; what its encoding lacks becomes '?'.

    Raises FileError (E402) where there is no standard output or it cannot be written.
    """
    if sys.stdout is None:
        raise FileError("E402", "standard output is closed", help="name a file with -o")
    encoding = sys.stdout.encoding or "utf-8"
    try:
        sys.stdout.write(text.encode(encoding, errors="replace").decode(encoding))
        sys.stdout.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        raise FileError(
            "E402", "cannot write standard output", value=(error.strerror or str(error)).lower()
        ) from None


def _rendered(report: Report, output_format: str, *, terminal: bool) -> str:
    if output_format == "text":
        return _text(report, terminal=terminal)
    from convt_cli.render.formats import RENDERERS

    return RENDERERS[output_format](report)


def _text(report: Report, *, terminal: bool) -> str:
    """The report as a terminal shows it, if that is where it goes; else as wide as it is."""
    from rich.console import Console

    from convt_cli.render.text import as_text

    if not terminal or sys.stdout is None:
        return as_text(report)
    console = Console()
    width = max(_NARROWEST, console.width) if sys.stdout.isatty() else None
    color = console.is_terminal and console.color_system is not None
    return as_text(report, width=width, color=color)
