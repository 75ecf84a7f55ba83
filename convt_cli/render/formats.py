"""A `Report` as JSON, CSV or markdown, in which no number is rounded or shortened."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Mapping
from math import isfinite

from convt_cli.errors import visible
from convt_cli.render.text import NUMBERS, in_full, joined_sizes
from convt_cli.reports.table import Cell, Report, Table

_SHORT = 88  # characters of a list that stays on one line of JSON
_MARKDOWN = "\\|*_<>`[]~&!#$"  # the characters that mean something in GitHub's markdown
_FORMULA = tuple("=+-@＝＋－＠")
"""The beginnings of a formula in a spreadsheet; the wide ones count in East Asian versions."""


def as_json(report: Report) -> str:
    """The report's document, indented, short lists on one line; nan and infinities are null."""
    return _json_text(report.document, 0) + "\n"


def as_csv(report: Report) -> str:
    """The rows of every table under its column names, which are not repeated if they are the same.

    Where a table is about a spec, the first column names it.  A text that a spreadsheet would run
    as a formula has a ' in front, as spreadsheets themselves write it; numbers have none.
    """
    target = io.StringIO()
    writer = csv.writer(target, lineterminator="\n")
    head: list[str] = []
    for table in report.tables:
        about = [] if table.spec is None else [("spec", table.spec)]
        names = [name for name, _ in about] + [column.name for column in table.columns]
        if names != head:
            writer.writerow(names)
            head = names
        for row in table.rows:
            writer.writerow([_csv_cell(cell) for cell in (*(spec for _, spec in about), *row)])
    return target.getvalue()


def as_markdown(report: Report) -> str:
    """Every table under its title, in GitHub's markdown."""
    return "\n".join(_markdown_table(table) for table in report.tables)


RENDERERS: dict[str, Callable[[Report], str]] = {
    "json": as_json,
    "csv": as_csv,
    "markdown": as_markdown,
}


def _csv_cell(cell: Cell) -> str:
    if isinstance(cell, tuple):
        return joined_sizes(cell, "x")
    text = in_full(cell)
    return f"'{text}" if isinstance(cell, str) and _is_formula(text) else text


def _is_formula(text: str) -> bool:
    """Whether a spreadsheet would take `text` for a formula; a lone dash and -1 are not one."""
    if len(text) < 2 or not text.startswith(_FORMULA):
        return False
    try:
        float(text)
    except ValueError:
        return True
    return False


def _markdown_table(table: Table) -> str:
    right = {column for column in table.columns if column.kind in NUMBERS}
    lines = [
        f"**{_markdown_text(table.title)}**",
        "",
        _markdown_row([column.title for column in table.columns]),
        _markdown_row(["---:" if column in right else "---" for column in table.columns]),
    ]
    rows = [*table.rows, table.total] if table.total else table.rows
    lines += [_markdown_row([_markdown_text(in_full(cell)) for cell in row or ()]) for row in rows]
    lines += ["", *(f"{_markdown_text(note)}  " for note in table.notes)] if table.notes else []
    return "\n".join(lines) + "\n"


def _markdown_row(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _markdown_text(text: str) -> str:
    shown = visible(" ".join(text.split()))
    return "".join(f"\\{letter}" if letter in _MARKDOWN else letter for letter in shown)


def _json_text(value: object, depth: int) -> str:
    """`value` as JSON: each entry of a mapping on its own line, a short list on one line."""
    inner = "  " * (depth + 1)
    if isinstance(value, Mapping):
        entries = [f"{_json(str(key))}: {_json_text(one, depth + 1)}" for key, one in value.items()]
        opening, closing = "{", "}"
    elif isinstance(value, (list, tuple)):
        short = _json(value)
        if len(short) <= _SHORT and not any(isinstance(one, Mapping) for one in value):
            return short
        entries = [_json_text(one, depth + 1) for one in value]
        opening, closing = "[", "]"
    else:
        return _json(value)
    if not entries:
        return opening + closing
    lines = ",\n".join(inner + entry for entry in entries)
    return f"{opening}\n{lines}\n{'  ' * depth}{closing}"


def _json(value: object) -> str:
    r"""`value` on one line of JSON, with `\u` escapes for the characters that no line shows.

    A file name's undecodable byte 0x80 becomes `\udc80`, from which Python's os.fsencode makes the
    byte again; so the text is always UTF-8.
    """
    text = json.dumps(_finite(value), ensure_ascii=False, allow_nan=False)
    if text.isprintable():
        return text
    return "".join(one if one.isprintable() else json.dumps(one)[1:-1] for one in text)


def _finite(value: object) -> object:
    """`value` with None in place of nan and infinities, which JSON does not have."""
    if isinstance(value, (list, tuple)):
        return [_finite(one) for one in value]
    return None if isinstance(value, float) and not isfinite(value) else value
