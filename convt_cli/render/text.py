"""A `Report` as text for people.

On a terminal a table takes the terminal's width and folds long cells; anywhere else it is as
wide as it needs to be and nothing is ever cut.
"""

from __future__ import annotations

import io

from rich import box
from rich.console import Console
from rich.table import Table as RichTable
from rich.text import Text

from convt_cli.render.formats import in_full
from convt_cli.reports.table import Cell, Column, Kind, Report, Table

_UNITS = ("", " K", " M", " G", " T", " P", " E")
_UNLIMITED = 100_000


def as_text(report: Report, *, width: int | None = None, color: bool = False) -> str:
    """The tables as a terminal shows them; without a `width` as wide as they need to be."""
    console = Console(
        file=io.StringIO(),
        width=width or _UNLIMITED,
        force_terminal=color,
        color_system="standard" if color else None,
        legacy_windows=False,
        emoji=False,
        highlight=False,
        markup=False,
    )
    with console.capture() as capture:
        for number, table in enumerate(report.tables):
            if number:
                console.print()
            console.print(table.title, style="bold")
            console.print(_rich_table(table))
            for note in table.notes:
                console.print(note, style="dim")
    return "\n".join(line.rstrip() for line in capture.get().split("\n"))


def _rich_table(table: Table) -> RichTable:
    shown = RichTable(box=box.SIMPLE_HEAD, pad_edge=False, show_footer=table.total is not None)
    total = table.total or (None,) * len(table.columns)
    for column, cell in zip(table.columns, total, strict=True):
        shown.add_column(
            Text(column.title),
            footer=Text(_for_people(column, cell)),
            justify="right" if column.kind in (Kind.COUNT, Kind.AMOUNT) else "left",
            overflow="fold",
        )
    for row in table.rows:
        shown.add_row(*(Text(_for_people(*pair)) for pair in zip(table.columns, row, strict=True)))
    return shown


def _for_people(column: Column, cell: Cell) -> str:
    if cell is None:
        return ""
    if column.kind is Kind.AMOUNT and isinstance(cell, int):
        return amount(cell)
    if column.kind is Kind.COUNT and isinstance(cell, int):
        return f"{cell:,}"
    return in_full(cell)


def amount(count: int) -> str:
    """A count with four significant digits at most.

    >>> amount(0), amount(999), amount(170755200)
    ('-', '999', '170.8 M')
    """
    if count == 0:
        return "-"
    size, unit = float(count), 0
    while size >= 999.95 and unit < len(_UNITS) - 1:
        size /= 1000
        unit += 1
    return f"{size:.1f}{_UNITS[unit]}" if unit else str(count)
