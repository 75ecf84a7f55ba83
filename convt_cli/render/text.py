"""A `Report` as text for people.

Columns are aligned and no text is cut; empty columns are left out.  In a pipe or a file there is no
width to fit; on a terminal, `render.fit` makes the grid of cells narrow enough.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Literal, NamedTuple
from unicodedata import combining, east_asian_width

from convt_cli.errors import visible
from convt_cli.reports.table import Cell, CellKind, Column, Report, Table

NUMBERS = (CellKind.COUNT, CellKind.TALLY, CellKind.AMOUNT)
"""The kinds of column whose cells are aligned on the right."""

NARROWEST = 40
"""Columns below which nothing is made to fit: a terminal that says less is taken to have these."""

_GAP = "  "  # between two columns
_UNITS = ("", " K", " M", " G", " T", " P", " E")  # of thousands, from 1000⁰ on


class Line(NamedTuple):
    """One line of a table, and its role in it."""

    text: str
    role: Literal["title", "head", "rule", "row", "quiet", "total", "note"]


class Grid(NamedTuple):
    """The cells of a table, each a list of lines: the titles, the rows and the total."""

    columns: tuple[Column, ...]
    titles: list[list[str]]
    rows: list[list[list[str]]]
    total: list[list[str]] | None

    def widths(self) -> list[int]:
        """The width of every column."""
        every = [self.titles, *self.rows, *([self.total] if self.total else [])]
        return [max(columns_of(line) for cell in cells for line in cell) for cells in zip(*every)]


def as_text(report: Report) -> str:
    """The tables as lines, each column as wide as its widest cell."""
    return "\n".join(
        "".join(f"{line.text}\n" for line in table_lines(table)) for table in report.tables
    )


def table_lines(table: Table) -> list[Line]:
    """The lines of a table, as wide as it needs to be."""
    return grid_lines(table, grid_of(table.without_empty_columns()), table.notes)


def grid_lines(table: Table, grid: Grid, notes: Sequence[str]) -> list[Line]:
    """The lines of `table` with its cells as in `grid`."""
    widths = grid.widths()
    rule = Line("─" * total_width(widths), "rule")
    lines = [Line(visible(table.title), "title"), Line("", "note")]
    lines += _row_lines(grid.columns, grid.titles, widths, "head")
    lines.append(rule)
    for number, row in enumerate(grid.rows):
        role: Literal["quiet", "row"] = "quiet" if number in table.quiet else "row"
        lines += _row_lines(grid.columns, row, widths, role)
    if grid.total:
        lines.append(rule)
        lines += _row_lines(grid.columns, grid.total, widths, "total")
    return lines + [Line(visible(note), "note") for note in (("", *notes) if notes else ())]


def grid_of(table: Table) -> Grid:
    """The cells of `table`; those of a column `under` another are second lines of the other's."""
    names = [column.name for column in table.columns]
    below = {column.under: n for n, column in enumerate(table.columns) if column.under in names}
    # `below`: the name of a column, and the number of the one under it; `kept`: all the others
    kept = [n for n in range(len(names)) if n not in below.values()]

    def cells(row: tuple[Cell, ...]) -> list[list[str]]:
        return [
            [
                for_people(table.columns[m], row[m])
                for m in (n, below.get(names[n]))
                if m is not None
            ]
            for n in kept
        ]

    return Grid(
        columns=tuple(table.columns[n] for n in kept),
        titles=[[table.columns[n].title] for n in kept],
        rows=[cells(row) for row in table.rows],
        total=cells(table.total) if table.total else None,
    )


def total_width(widths: list[int]) -> int:
    """The width of a line whose columns have `widths`."""
    return sum(widths) + len(_GAP) * (len(widths) - 1)


def _row_lines(
    columns: tuple[Column, ...],
    cells: list[list[str]],
    widths: list[int],
    role: Literal["head", "row", "quiet", "total"],
) -> list[Line]:
    """The lines of one row: titles at the bottom of its height, all other cells at the top."""
    height = max(len(cell) for cell in cells)
    blank = [[""] * (height - len(cell)) for cell in cells]
    full = [
        space + cell if role == "head" else cell + space
        for cell, space in zip(cells, blank, strict=True)
    ]
    return [
        Line(_GAP.join(map(_padded, columns, parts, widths)).rstrip(), role)
        for parts in zip(*full, strict=True)
    ]


def _padded(column: Column, cell: str, width: int) -> str:
    space = " " * (width - columns_of(cell))
    return space + cell if column.kind in NUMBERS else cell + space


@lru_cache(maxsize=4096)  # a table repeats its cells, and asks for each several times
def columns_of(text: str) -> int:
    """The terminal columns that `text` takes."""
    if text.isascii():
        return len(text)
    return sum(
        0 if combining(letter) else 2 if east_asian_width(letter) in "WF" else 1 for letter in text
    )


def for_people(column: Column, cell: Cell) -> str:
    """A cell as text for people, in the way of its column's kind."""
    if cell is None:
        return ""
    if column.kind is CellKind.AMOUNT and isinstance(cell, int):
        return amount(cell)
    if column.kind is CellKind.TALLY and cell == 0:
        return "-"
    if column.kind in NUMBERS and isinstance(cell, int):
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
    """A cell with every digit, (3, 4) as 3×4; invisible characters are escaped as in Python."""
    if isinstance(cell, tuple):
        return joined_sizes(cell, "×")
    return "" if cell is None else visible(str(cell))


def joined_sizes(cell: tuple[int | str, ...] | tuple[tuple[int, ...], ...], times: str) -> str:
    """The sizes of a shape with `times` between them; several shapes have commas in between."""
    return (
        ", ".join(joined_sizes(part, times) for part in cell)
        if cell and isinstance(cell[0], tuple)
        else times.join(str(size) for size in cell)
    )
