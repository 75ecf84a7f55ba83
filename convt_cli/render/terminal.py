"""A `Report` on a terminal: within its width, in its colours."""

from __future__ import annotations

from shutil import get_terminal_size

from rich.console import Console
from rich.text import Text

from convt_cli.render.fit import fitted_lines
from convt_cli.render.text import NARROWEST
from convt_cli.reports.table import Report

# rich's styles by the role of a line; other lines are plain.
_STYLES = {
    "title": "bold",
    "head": "bold",
    "rule": "dim",
    "quiet": "dim",
    "total": "bold",
    "note": "dim",
}


def on_terminal(report: Report) -> str:
    """The tables as text for the terminal of standard output; rows with nothing new are dim."""
    width = max(NARROWEST, get_terminal_size().columns)
    console = Console(width=width, emoji=False, highlight=False, markup=False, soft_wrap=True)
    with console.capture() as capture:
        for number, table in enumerate(report.tables):
            if number:
                console.print()
            for line in fitted_lines(table, width):
                console.print(Text(line.text, style=_STYLES.get(line.role, "")))
    return capture.get()
