"""A `Report` on a terminal: within its width, in its colours."""

from __future__ import annotations

from rich import box
from rich.console import Console
from rich.table import Table as RichTable
from rich.text import Text

from convt_cli.render.text import NUMBERS, for_people
from convt_cli.reports.table import Report, Table

_NARROWEST = 40


def on_terminal(report: Report) -> str:
    """The tables as standard output's terminal shows them, long cells folded."""
    console = Console(emoji=False, highlight=False, markup=False)
    console.width = max(_NARROWEST, console.width)
    with console.capture() as capture:
        for number, table in enumerate(report.tables):
            if number:
                console.print()
            console.print(table.title, style="bold")
            console.print(_rich_table(table.without_empty_columns()))
            for note in table.notes:
                console.print(note, style="dim")
    return "\n".join(line.rstrip() for line in capture.get().split("\n"))


def _rich_table(table: Table) -> RichTable:
    shown = RichTable(box=box.SIMPLE_HEAD, pad_edge=False, show_footer=table.total is not None)
    total = table.total or (None,) * len(table.columns)
    for column, cell in zip(table.columns, total, strict=True):
        shown.add_column(
            Text(column.title),
            footer=Text(for_people(column, cell)),
            justify="right" if column.kind in NUMBERS else "left",
            overflow="fold",
        )
    for row in table.rows:
        shown.add_row(*(Text(for_people(*pair)) for pair in zip(table.columns, row, strict=True)))
    return shown
