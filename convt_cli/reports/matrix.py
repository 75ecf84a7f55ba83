"""C before it is built: its shape, entries and bytes; and a small C, entry by entry."""

from __future__ import annotations

from collections.abc import Sequence

from convt_cli.arithmetic.network import NetworkLayer
from convt_cli.reports.table import VERSION, Cell, CellKind, Report, Table, column


def size_report(layer: NetworkLayer, itemsize: int, *, transpose: bool) -> Report:
    """The shape, number of entries and CSR bytes of C, or of Cᵀ with `transpose`."""
    convolution = layer.require_convolution()
    rows, columns = convolution.matrix_shape
    shape = [columns, rows] if transpose else [rows, columns]
    size = convolution.matrix_bytes(itemsize, transpose=transpose)
    return Report(
        tables=(
            Table(
                title=f"{'Cᵀ' if transpose else 'C'} of {layer.name}",
                columns=(
                    column("rows", kind=CellKind.COUNT),
                    column("columns", kind=CellKind.COUNT),
                    column("nnz", kind=CellKind.COUNT),
                    column("bytes", kind=CellKind.COUNT),
                    column("index_dtype"),
                ),
                rows=((*shape, convolution.nnz, size, convolution.index_dtype),),
            ),
        ),
        plain=lambda: {
            "version": VERSION,
            "shape": shape,
            "nnz": convolution.nnz,
            "bytes": size,
            "index_dtype": convolution.index_dtype,
        },
    )


def entries_report(title: str, entries: Sequence[Sequence[Cell]]) -> Report:
    """A small matrix, a row of `entries` for each of its rows; None marks an entry not stored."""
    width = len(entries[0])
    return Report(
        tables=(
            Table(
                title=title,
                columns=(column("row", ""), *(column(str(number)) for number in range(width))),
                rows=tuple(
                    (str(number), *("" if entry is None else entry for entry in row))
                    for number, row in enumerate(entries)
                ),
            ),
        ),
        plain=lambda: {"version": VERSION, "matrix": [list(row) for row in entries]},
    )
