"""The fifteen relationships of Dumoulin and Visin's guide as a table, each with a worked example.

A transposed relationship is shown with the direct convolution that equals it: its stretched input
i', its k' and s' = 1, and its padding p' before and after.
"""

from __future__ import annotations

from convt_cli.arithmetic.questions.guide import RELATIONSHIPS, Relationship
from convt_cli.reports.axes import EQUIVALENT_COLUMNS, axis_document, equivalent_cells
from convt_cli.reports.table import VERSION, Cell, CellKind, Report, Table, column

_COLUMNS = (
    column("number", "#", CellKind.COUNT),
    column("name", "relationship"),
    column("example", under="name"),
    column("formula", "output size"),
    column("arithmetic", under="formula"),
    column("left_over", "a", CellKind.COUNT),
    *EQUIVALENT_COLUMNS,
)

_LETTERS = "i input, k kernel_size, s stride, p padding, d dilation; a is left over at the end."

_NOTES = (
    "Cᵀ equals a direct convolution with k', s' = 1 and p' (before, after) over its input, "
    + "stretched to i' by s - 1 zeros between elements.",
    "After Dumoulin and Visin, A guide to convolution arithmetic for deep learning (2016).",
)


def guide_report() -> Report:
    """The fifteen relationships, each with its worked example."""
    direct = [one for one in RELATIONSHIPS if not one.transposed]
    transposed = [one for one in RELATIONSHIPS if one.transposed]
    return Report(
        tables=(
            _table("Convolutions", direct, (_LETTERS,)),
            _table("Transposed convolutions", transposed, _NOTES),
        ),
        plain=lambda: {
            "version": VERSION,
            "relationships": [_document(one) for one in RELATIONSHIPS],
        },
    )


def _table(title: str, relationships: list[Relationship], notes: tuple[str, ...]) -> Table:
    return Table(title=title, columns=_COLUMNS, rows=tuple(map(_row, relationships)), notes=notes)


def _row(one: Relationship) -> tuple[Cell, ...]:
    axis = one.example
    dilation = f", d {axis.dilation}" if axis.dilation > 1 else ""
    size = axis.output_size if one.transposed else axis.input_size
    return (
        one.number,
        one.name,
        f"i {size}, k {axis.kernel_size}, s {axis.stride}, p {axis.before}{dilation}",
        one.symbolic,
        one.numeric if one.numeric == str(one.result) else f"{one.numeric} = {one.result}",
        axis.output_padding,
        *equivalent_cells(axis, one.transposed),
    )


def _document(one: Relationship) -> dict[str, object]:
    return {
        "number": one.number,
        "name": one.name,
        "formula": one.symbolic,
        "arithmetic": one.numeric,
        **axis_document(one.example, one.transposed),
    }
