"""A `Report` as text for people.

Off a terminal there is no width to fit: columns are aligned, and nothing is ever cut.  Where
there is one, titles are broken, optional columns left out (a note says which) and long texts
wrapped, in this order and only as far as needed.  Columns with nothing in them are left out.
"""

from __future__ import annotations

from textwrap import wrap
from typing import Literal, NamedTuple
from unicodedata import combining, east_asian_width

from convt_cli.reports.table import Cell, Column, Kind, Report, Table

NUMBERS = (Kind.COUNT, Kind.AMOUNT)
"""The kinds of column whose cells stand on the right."""

_GAP = "  "
_NARROWEST_TEXT = 8
_UNITS = ("", " K", " M", " G", " T", " P", " E")


class Line(NamedTuple):
    """One line of a table, and what it is."""

    text: str
    role: Literal["title", "head", "rule", "row", "quiet", "total", "note"]


class _Grid(NamedTuple):
    """Every cell as its lines of text: the titles, the rows, the total."""

    columns: tuple[Column, ...]
    titles: list[list[str]]
    rows: list[list[list[str]]]
    total: list[list[str]] | None

    def widths(self) -> list[int]:
        every = [self.titles, *self.rows, *([self.total] if self.total else [])]
        return [max(columns_of(line) for cell in cells for line in cell) for cells in zip(*every)]


def as_text(report: Report) -> str:
    """The tables as lines, each column as wide as its widest cell."""
    return "\n".join(
        "".join(f"{line.text}\n" for line in table_lines(table)) for table in report.tables
    )


def table_lines(table: Table, width: int | None = None) -> list[Line]:
    """The lines of a table, at most `width` wide if it can be done."""
    grid, left_out = _fitted(table.without_empty_columns(), width)
    widths = grid.widths()
    rule = Line("─" * _total(widths), "rule")
    lines = [Line(table.title, "title"), Line("", "note")]
    lines += _row_lines(grid.columns, grid.titles, widths, "head")
    lines.append(rule)
    for number, row in enumerate(grid.rows):
        role: Literal["quiet", "row"] = "quiet" if number in table.quiet else "row"
        lines += _row_lines(grid.columns, row, widths, role)
    if grid.total:
        lines.append(rule)
        lines += _row_lines(grid.columns, grid.total, widths, "total")
    notes = [*table.notes, *([f"Not shown for want of width: {left_out}."] if left_out else [])]
    lines += [Line("", "note")] if notes else []
    return lines + [Line(part, "note") for note in notes for part in wrap(note, width or 10**6)]


def _fitted(table: Table, width: int | None) -> tuple[_Grid, str]:
    """The table as a grid of at most `width`, and the titles of the columns left out for it."""
    grid = _grid(table)
    if width is None or _total(grid.widths()) <= width:
        return grid, ""
    grid = _with_broken_titles(grid)
    dropped: list[str] = []
    while _total(grid.widths()) > width and any(one.optional for one in table.columns):
        last = max(range(len(table.columns)), key=lambda n: table.columns[n].optional)
        dropped.append(table.columns[last].title)
        table = table.of_columns([n for n in range(len(table.columns)) if n != last])
        grid = _with_broken_titles(_grid(table))
    return _wrapped(grid, width), ", ".join(dropped)


def _grid(table: Table) -> _Grid:
    """The cells of `table`, those of a column that stands under another below the other's."""
    names = [column.name for column in table.columns]
    below = {column.under: n for n, column in enumerate(table.columns) if column.under in names}
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

    return _Grid(
        columns=tuple(table.columns[n] for n in kept),
        titles=[[table.columns[n].title] for n in kept],
        rows=[cells(row) for row in table.rows],
        total=cells(table.total) if table.total else None,
    )


def _with_broken_titles(grid: _Grid) -> _Grid:
    """The grid with the titles that are wider than their columns broken at their spaces."""
    bodies = [
        max(columns_of(line) for row in grid.rows for line in row[n])
        for n in range(len(grid.columns))
    ]
    titles = [
        wrap(title[0], max(body, *map(len, title[0].split()))) if title[0] else title
        for title, body in zip(grid.titles, bodies, strict=True)
    ]
    return grid._replace(titles=titles)


def _wrapped(grid: _Grid, width: int) -> _Grid:
    """The grid with its widest texts wrapped, one column after the other, to fit `width`."""
    rows = grid.rows
    while True:
        widths = grid._replace(rows=rows).widths()
        excess = _total(widths) - width
        texts = [n for n, one in enumerate(grid.columns) if one.kind is Kind.TEXT]
        widest = max(texts, key=lambda n: widths[n], default=0)
        target = max(_NARROWEST_TEXT, widths[widest] - excess)
        if excess <= 0 or not texts or target >= widths[widest]:
            return grid._replace(rows=rows)
        rows = [_rewrapped(row, widest, target) for row in rows]
        if grid._replace(rows=rows).widths()[widest] == widths[widest]:
            return grid._replace(rows=rows)


def _rewrapped(row: list[list[str]], column: int, width: int) -> list[list[str]]:
    lines = [part for line in row[column] for part in wrap(line, width) or [""]]
    return [*row[:column], lines, *row[column + 1 :]]


def _total(widths: list[int]) -> int:
    return sum(widths) + len(_GAP) * (len(widths) - 1)


def _row_lines(
    columns: tuple[Column, ...],
    cells: list[list[str]],
    widths: list[int],
    role: Literal["head", "row", "quiet", "total"],
) -> list[Line]:
    """A row as its lines; titles stand at the bottom of theirs, all else at the top."""
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
