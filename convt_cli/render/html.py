"""A `Table` as HTML, for notebooks."""

from __future__ import annotations

from html import escape

from convt_cli.errors import visible
from convt_cli.render.text import NUMBERS, for_people
from convt_cli.reports.table import Cell, Column, Table


def as_html(table: Table) -> str:
    """The rows under their titles, as text has them, with every name escaped."""
    shown = table.without_empty_columns()
    head = "".join(_cell("th", column, column.title) for column in shown.columns)
    rows = [_row(shown.columns, row) for row in (*shown.rows, *filter(None, (shown.total,)))]
    notes = "".join(f"<p>{_text(note)}</p>\n" for note in shown.notes)
    return (
        f"<table>\n<caption>{_text(shown.title)}</caption>\n<thead><tr>{head}</tr></thead>\n"
        f"<tbody>\n{''.join(rows)}</tbody>\n</table>\n{notes}"
    )


def _row(columns: tuple[Column, ...], row: tuple[Cell, ...]) -> str:
    cells = (
        _cell("td", column, for_people(column, cell))
        for column, cell in zip(columns, row, strict=True)
    )
    return f"<tr>{''.join(cells)}</tr>\n"


def _cell(tag: str, column: Column, text: str) -> str:
    side = "right" if column.kind in NUMBERS else "left"
    return f'<{tag} style="text-align: {side}">{_text(text)}</{tag}>'


def _text(text: str) -> str:
    """`text` with its invisible characters shown and its markup escaped."""
    return escape(visible(text))
