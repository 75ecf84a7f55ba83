"""The fifteen relationships of the guide as a table, each with its worked example.

A transposed relationship is shown with the direct convolution that equals it: the stretched
input i', k', s' = 1 and p' before and after.
"""

from __future__ import annotations

from convt_cli.arithmetic.relationships import RELATIONSHIPS, Relationship
from convt_cli.reports.axes import EQUIVALENT_COLUMNS, axis_document, equivalent_cells
from convt_cli.reports.table import VERSION, Cell, Kind, Report, Table, column

_COLUMNS = (
    column("number", "#", Kind.COUNT),
    column("name", "relationship"),
    column("formula", "size"),
    column("example", "i k s p d of the direct one"),
    column("arithmetic", "with its numbers"),
    column("output_size", "=", Kind.COUNT),
    column("left_over", "a", Kind.COUNT),
    *EQUIVALENT_COLUMNS,
)

_NOTES = (
    "i input, k kernel_size, s stride, p padding, d dilation; a is left over at the end.",
    "8-14: Cᵀ equals a direct convolution with s' = 1 over its input stretched to i', padded p'.",
    "After Dumoulin and Visin, A guide to convolution arithmetic for deep learning (2016).",
)


def guide_report() -> Report:
    """The fifteen relationships, each with its worked example."""
    return Report(
        tables=(
            Table(
                title="Convolution arithmetic: 1-7 and 15 direct, 8-14 transposed",
                columns=_COLUMNS,
                rows=tuple(_row(one) for one in RELATIONSHIPS),
                notes=_NOTES,
            ),
        ),
        document={
            "version": VERSION,
            "relationships": [_document(one) for one in RELATIONSHIPS],
        },
    )


def _row(one: Relationship) -> tuple[Cell, ...]:
    axis = one.example
    sizes = (axis.input_size, axis.kernel_size, axis.stride, axis.before, axis.dilation)
    return (
        one.number,
        one.name,
        one.symbolic,
        " ".join(str(size) for size in sizes),
        one.numeric,
        one.result,
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
