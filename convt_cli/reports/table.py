"""The shape of every report: columns, rows, totals, notes, and the document behind them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum

Cell = int | str | tuple[int | str, ...] | tuple[tuple[int, ...], ...] | None
"""An integer, a text, a shape, several shapes, or nothing; a shape may hold fractions as text."""

VERSION = 1
"""The version of every JSON document."""


class CellKind(Enum):
    """How a column's cells are read by people."""

    TEXT = "text"
    COUNT = "count"
    """A number of which every digit counts."""
    TALLY = "tally"
    """The same, where most rows have none: a zero is a dash."""
    AMOUNT = "amount"
    """A number of which the size counts: 170.8 M."""
    SHAPE = "shape"


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """`name` is for programs, `title` for people.

    For people a column can stand `under` another of that name, and where the width does not
    suffice `optional` columns are left out, those with the larger number first.
    """

    name: str
    title: str
    kind: CellKind = CellKind.TEXT
    under: str | None = None
    optional: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Rows under columns; `total` is one more row, in text and markdown only.

    `quiet` are the rows that bring nothing new, by number; `spec` is the spec that the table is
    about, for programs.
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
    """Tables, and a function that makes the same of plain lists, mappings, numbers and strings.

    Nobody reads both, and the plain form of a long report takes as long as its tables.
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
    """A column; its title is its name with spaces unless it has one of its own."""
    shown = name.replace("_", " ") if title is None else title
    return Column(name=name, title=shown, kind=kind, under=under, optional=optional)
