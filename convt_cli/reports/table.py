"""The shape of every report: columns, rows, totals, notes, and the document behind them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import Enum

Cell = int | str | tuple[int, ...] | None
"""An integer, a text, a shape, or nothing."""

VERSION = 1
"""The version of every JSON document."""


class Kind(Enum):
    """How a column's cells are read by people."""

    TEXT = "text"
    COUNT = "count"
    """A number of which every digit counts."""
    AMOUNT = "amount"
    """A number of which the size counts: 170.8 M."""
    SHAPE = "shape"


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """`name` is for programs, `title` for people."""

    name: str
    title: str
    kind: Kind = Kind.TEXT


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Rows under columns; `total` is one more row, in text and markdown only."""

    title: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]
    total: tuple[Cell, ...] | None = None
    notes: tuple[str, ...] = ()

    def without_empty_columns(self) -> Table:
        """The same table without the columns in which no row has anything."""
        kept = [n for n in range(len(self.columns)) if any(row[n] is not None for row in self.rows)]
        return replace(
            self,
            columns=tuple(self.columns[n] for n in kept),
            rows=tuple(tuple(row[n] for n in kept) for row in self.rows),
            total=self.total and tuple(self.total[n] for n in kept),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """Tables, and the same as plain lists, mappings, numbers and strings."""

    tables: tuple[Table, ...]
    document: Mapping[str, object]


def column(name: str, title: str | None = None, kind: Kind = Kind.TEXT) -> Column:
    """A column; its title is its name with spaces unless it has one of its own."""
    return Column(name=name, title=name.replace("_", " ") if title is None else title, kind=kind)
