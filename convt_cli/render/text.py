"""A `Report` as text for people.

Off a terminal there is no width to fit: columns are aligned, and nothing is ever cut.  On one,
`render.terminal` folds them into its width.  Columns with nothing in them are left out.
"""

from __future__ import annotations

from unicodedata import combining, east_asian_width

from convt_cli.reports.table import Cell, Column, Kind, Report, Table

NUMBERS = (Kind.COUNT, Kind.AMOUNT)
"""The kinds of column whose cells stand on the right."""

_GAP = "   "
_UNITS = ("", " K", " M", " G", " T", " P", " E")


def as_text(report: Report) -> str:
    """The tables as lines, each column as wide as its widest cell."""
    return "\n".join(_table_text(table.without_empty_columns()) for table in report.tables)


def _table_text(table: Table) -> str:
    titles = [column.title for column in table.columns]
    rows = [[for_people(*pair) for pair in zip(table.columns, row)] for row in table.rows]
    total = [[for_people(*pair) for pair in zip(table.columns, table.total)]] if table.total else []
    widths = [max(map(columns_of, cells)) for cells in zip(titles, *rows, *total)]
    rule = "─" * (sum(widths) + len(_GAP) * (len(widths) - 1))
    body = [_line(table.columns, cells, widths) for cells in rows]
    foot = [rule, *(_line(table.columns, cells, widths) for cells in total)] if total else []
    notes = ["", *table.notes] if table.notes else []
    head = [table.title, "", _line(table.columns, titles, widths), rule]
    return "\n".join([*head, *body, *foot, *notes]) + "\n"


def _line(columns: tuple[Column, ...], cells: list[str], widths: list[int]) -> str:
    padded = []
    for column, cell, width in zip(columns, cells, widths, strict=True):
        space = " " * (width - columns_of(cell))
        padded.append(space + cell if column.kind in NUMBERS else cell + space)
    return _GAP.join(padded).rstrip()


def columns_of(text: str) -> int:
    """The terminal columns that `text` takes."""
    if text.isascii():
        return len(text)
    return sum(
        0 if combining(letter) else 2 if east_asian_width(letter) in "WF" else 1 for letter in text
    )


def for_people(column: Column, cell: Cell) -> str:
    """A cell as its column's kind reads best."""
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


def in_full(cell: Cell) -> str:
    """A cell with every digit: (3, 4) as 3×4."""
    if isinstance(cell, tuple):
        return "×".join(str(size) for size in cell)
    return "" if cell is None else str(cell)
