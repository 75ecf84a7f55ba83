"""Tables that are wider than a terminal, made to fit.

Titles are broken at their spaces, optional columns left out (a note says which) and long texts
wrapped, in this order and only as far as needed.
"""

from __future__ import annotations

import re
from textwrap import wrap

from convt_cli.errors import visible
from convt_cli.render.text import Grid, Line, columns_of, grid_lines, grid_of, total_width
from convt_cli.reports.table import CellKind, Table

_NOWHERE = re.compile(r"(?!)")
_BREAKS = {
    CellKind.TEXT: re.compile(r"(?<=[ _./])"),
    CellKind.COUNT: re.compile(r"(?<= )"),  # words among numbers, which have no spaces
}
"""Where a cell may be broken, by the kind of its column; other numbers may be nowhere."""


def fitted_lines(table: Table, width: int) -> list[Line]:
    """The lines of `table`, at most `width` columns wide if that is possible."""
    grid, left_out = _fitted(table.without_empty_columns(), width)
    notes = [
        *table.notes,
        *(
            [f"Not shown for want of width: {left_out}; a pipe or a file has them."]
            if left_out
            else []
        ),
    ]
    return grid_lines(table, grid, [part for note in notes for part in wrap(visible(note), width)])


def _fitted(table: Table, width: int) -> tuple[Grid, str]:
    """(a grid at most `width` wide if possible, the titles of the columns left out for it)."""
    grid = grid_of(table)
    if total_width(grid.widths()) <= width:
        return grid, ""
    grid = _with_broken_titles(grid)
    dropped: list[str] = []
    while total_width(grid.widths()) > width and any(one.optional for one in table.columns):
        # `optional` is a rank: the highest is left out first
        last = max(range(len(table.columns)), key=lambda n: table.columns[n].optional)
        dropped.append(table.columns[last].title)
        table = table.of_columns([n for n in range(len(table.columns)) if n != last])
        grid = _with_broken_titles(grid_of(table))
    return _wrapped(grid, width), ", ".join(dropped)


def _with_broken_titles(grid: Grid) -> Grid:
    """The grid, its titles broken at spaces where they are wider than their columns' cells."""
    bodies = grid._replace(titles=[[""] for _ in grid.titles]).widths()
    titles = [
        wrap(title[0], max(body, *map(len, title[0].split()))) if title[0] else title
        for title, body in zip(grid.titles, bodies, strict=True)
    ]
    return grid._replace(titles=titles)


def _wrapped(grid: Grid, width: int) -> Grid:
    """The grid with texts wrapped, until it fits or no text can be broken further.

    One column at a time is taken from the widest text that can still be narrower.
    """
    widths = grid.widths()
    least = [_least_width(grid, n) for n in range(len(widths))]
    while total_width(widths) > width:
        widest = max(range(len(widths)), key=lambda n: (widths[n] > least[n], widths[n]))
        if widths[widest] <= least[widest]:
            break
        widths[widest] -= 1
    rows = [
        [
            [part for line in cell for part in _broken(_pieces(line, column.kind), width)]
            for cell, column, width in zip(row, grid.columns, widths)
        ]
        for row in grid.rows
    ]
    return grid._replace(rows=rows)


def _least_width(grid: Grid, column: int) -> int:
    """The least width of a column: its longest unbreakable piece."""
    kind = grid.columns[column].kind
    lines = [line for row in (grid.titles, *grid.rows) for line in row[column]]
    return max(columns_of(piece.rstrip()) for line in lines for piece in _pieces(line, kind))


def _pieces(line: str, kind: CellKind) -> list[str]:
    """The unbreakable pieces of a line in a column of this kind."""
    return _BREAKS.get(kind, _NOWHERE).split(line)


def _broken(pieces: list[str], width: int) -> list[str]:
    """Lines of the pieces, each at most `width` wide if a break allows it."""
    lines = [""]
    for piece in pieces:
        if lines[-1] and columns_of(lines[-1] + piece.rstrip()) > width:
            lines.append("")
        lines[-1] += piece
    return [part.rstrip() for part in lines]
