"""The types of every report: columns, rows, totals, notes, and the document for programs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum

Cell = int | str | tuple[int | str, ...] | tuple[tuple[int, ...], ...] | None
"""An integer, a text, a shape, several shapes, or None for an empty cell.

A shape may hold fractions and marked numbers as text.
"""

VERSION = 1
"""The version of every JSON document."""


class CellKind(Enum):
    """How a column's cells are written for people."""

    TEXT = "text"
    COUNT = "count"
    """An integer written with all its digits."""
    TALLY = "tally"
    """The same, with a dash for 0: for columns in which most rows have none."""
    AMOUNT = "amount"
    """A large number, rounded and with a unit: 170.8 M."""
    SHAPE = "shape"


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A column of a table: `name` is for programs, `title` for people.

    In text a column can stand `under` the column of that name, on a second line.  Where the width
    does not suffice, columns with `optional` above 0 are left out, the largest number first.
    """

    name: str
    title: str
    kind: CellKind = CellKind.TEXT
    under: str | None = None
    optional: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Rows under columns; `total` is one more row, in text and markdown only.

    `quiet` are the numbers of rows that matter less and are shown dimmed; `spec` is the spec that
    the table is about, for programs.
    """

    title: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]
    total: tuple[Cell, ...] | None = None
    notes: tuple[str, ...] = ()
    quiet: frozenset[int] = frozenset()
    spec: str | None = None

    def of_columns(self, kept: Sequence[int]) -> Table:
        """The same table with these columns alone, by number."""
        return replace(
            self,
            columns=tuple(self.columns[n] for n in kept),
            rows=tuple(tuple(row[n] for n in kept) for row in self.rows),
            total=self.total and tuple(self.total[n] for n in kept),
        )

    def without_empty_columns(self) -> Table:
        """The same table without the columns in which no row has anything."""
        if not self.rows:
            return self
        numbers = range(len(self.columns))
        return self.of_columns([n for n in numbers if any(row[n] is not None for row in self.rows)])


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """Tables, and a function that returns the same as plain lists, mappings, numbers and strings.

    It is a function because only one of the two forms is written, and making the plain form of a
    long report takes as long as making its tables.
    """

    tables: tuple[Table, ...]
    plain: Callable[[], Mapping[str, object]]

    @property
    def document(self) -> Mapping[str, object]:
        """The report as plain lists, mappings, numbers and strings."""
        return self.plain()


def column(
    name: str,
    title: str | None = None,
    kind: CellKind = CellKind.TEXT,
    *,
    under: str | None = None,
    optional: int = 0,
) -> Column:
    """A column; its title, unless given, is its name with spaces."""
    shown = name.replace("_", " ") if title is None else title
    return Column(name=name, title=shown, kind=kind, under=under, optional=optional)
