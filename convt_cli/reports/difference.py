"""The report of `diff`: what differs between two networks, as a whole and layer by layer.

People are told in one line of the layers that have another name alone, and of those that differ
in nothing but a receptive field, which follows from the layers before; programs get a row of each.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from convt_cli.arithmetic.questions.difference import Difference, LayerDifference
from convt_cli.arithmetic.questions.facts import Facts
from convt_cli.errors import Diagnostic
from convt_cli.reports.cells import layer_words, sizes_text
from convt_cli.reports.table import VERSION, Cell, CellKind, Report, Table, column

_COLUMNS = (
    column("layer"),
    column("change"),
    column("what"),
    column("was", kind=CellKind.COUNT),
    column("is", kind=CellKind.COUNT),
)
_OF_NETWORK = (2, 3, 4)
"""The numbers of the columns that facts of a whole network have something in."""
_MAIN = ("layers", "parameters", "multiply_adds")
_WHOLE = ("framework", "inputs", "outputs", *_MAIN, "not_trained", "activations")
_FOLLOWING = {"name", "receptive_field", "receptive_field_is_bound"}
"""The facts that differ where nothing but a layer before does."""
_FEW = 3
"""How many of several names are told."""


def difference_report(found: Difference, problems: Sequence[Diagnostic], *, every: bool) -> Report:
    """The report of `found`; with `every` its tables leave out nothing that the document has."""
    return Report(
        tables=tuple(_tables(found, every=every)),
        plain=lambda: {
            "version": VERSION,
            "equal": found.is_equal,
            "was": found.was,
            "is": found.now,
            "layers": [_document(one) for one in found.layers],
            "renamed": [{"was": old, "is": new} for old, new in found.renamed],
            "not_compared": ["weights"],
            "problems": [problem.document() for problem in problems],
        },
    )


def unread_report(problems: Sequence[Diagnostic]) -> Report:
    """The document where a network could not be read: its `problems`, and no layers."""
    return Report(
        tables=(),
        plain=lambda: {
            "version": VERSION,
            "layers": [],
            "problems": [problem.document() for problem in problems],
        },
    )


def _document(one: LayerDifference) -> dict[str, object]:
    return {"layer": one.layer, "change": one.change, "was": one.was, "is": one.now}


def _tables(found: Difference, *, every: bool) -> tuple[Table, ...]:
    """One table of all that differs with `every`; else one of the networks, and one of layers."""
    following = [] if every else [one for one in found.layers if _follows(one)]
    rows = [row for one in found.layers if one not in following for row in _rows(one)]
    whole = Table(
        title=f"{found.was['spec']} → {found.now['spec']}",
        columns=_COLUMNS,
        rows=tuple(_whole_rows(found)),
    )
    if every:
        renamed = [(new, "renamed", "name", old, new) for old, new in found.renamed]
        return (replace(whole, rows=(*whole.rows, *rows, *renamed)),)
    tables = [whole.of_columns(_OF_NETWORK)]
    if rows:
        tables.append(Table(title="Layers", columns=_COLUMNS, rows=tuple(rows)))
    return (*tables[:-1], replace(tables[-1], notes=tuple(_notes(found, following))))


def _whole_rows(found: Difference) -> Iterator[tuple[Cell, ...]]:
    """What the networks differ in as wholes, and their main counts in any case."""
    for name in _WHOLE:
        was, now = _cell(name, found.was[name]), _cell(name, found.now[name])
        if was != now or name in _MAIN:
            yield (None, None, name, was, now)


def _follows(one: LayerDifference) -> bool:
    """Whether nothing but what layers before it read makes the layer another one."""
    return one.was is not None and one.now is not None and {*one.was, *one.now} <= _FOLLOWING


def _rows(one: LayerDifference) -> Iterator[tuple[Cell, ...]]:
    """One row for a layer that only one network has, else one for each fact that differs."""
    if one.was is None or one.now is None:
        yield (one.layer, one.change, "layer", _summary(one.was), _summary(one.now))
        return
    for name in {**one.was, **one.now}:
        if name == "inputs" and "output" in one.now:
            continue  # the output tells of it
        cells = (_cell(name, facts.get(name)) for facts in (one.was, one.now))
        yield (one.layer, one.change, name, *cells)


def _summary(facts: Facts | None) -> str | None:
    """A layer in one line: its type, window and output, and the number of its parameters."""
    if facts is None:
        return None
    words = f"{layer_words(facts)}, output {sizes_text(facts['output'])}"
    parameters = facts["parameters"]
    return f"{words}, {parameters:,} parameters" if parameters else words


def _notes(found: Difference, following: Sequence[LayerDifference]) -> Iterator[str]:
    if found.is_equal:
        yield "Nothing differs."
    if found.renamed:
        names = [f"{old} is now {new}" for old, new in found.renamed]
        yield f"The same under another name, {_counted(names)}."
    if following:
        names = [one.layer for one in following]
        yield f"Other receptive fields alone, which follow from the above, {_counted(names)}."
    yield "Types, sources, shapes, windows, keys and counts are compared; weights are not."


def _counted(texts: Sequence[str]) -> str:
    """How many layers these are about, and the first of them.

    >>> _counted(["a"]), _counted(["a", "b", "c", "d", "e"])
    ('1 layer: a', '5 layers: a, b, c and 2 more, which csv and json list')
    """
    rest = len(texts) - _FEW
    more = f" and {rest} more, which csv and json list" if rest > 0 else ""
    count = "1 layer" if len(texts) == 1 else f"{len(texts)} layers"
    return f"{count}: {', '.join(texts[:_FEW])}{more}"


def _cell(name: str, value: Any) -> Cell:
    """A fact as a cell of a table."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, Mapping):
        texts = [f"{key} {sizes_text(shape)}" for key, shape in value.items()]
        return ", ".join(texts) if len(texts) > 1 else next(iter(value.values()))
    if name == "from" and value is not None:
        return ", ".join(value)
    if name == "padding" and value is not None:
        return " ".join(f"({before},{after})" for before, after in value)
    cell: Cell = value
    return cell
