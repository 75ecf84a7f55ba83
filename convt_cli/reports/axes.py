"""One axis as table cells: its formula with the numbers put in, and its equivalent direct axis."""

from __future__ import annotations

from convt_cli.arithmetic.axis import Axis
from convt_cli.reports.table import Cell, CellKind, column

EQUIVALENT_COLUMNS = (
    column("stretched_size", "i'", CellKind.COUNT),
    column("equivalent_kernel_size", "k'", CellKind.COUNT, optional=1),
    column("equivalent_stride", "s'", CellKind.COUNT, optional=2),
    column("equivalent_padding", "p'", CellKind.TEXT),
)
"""The columns that `equivalent_cells` fills."""


def arithmetic_text(axis: Axis, transposed: bool) -> str:
    """The formula of the output size with its numbers put in.

    >>> arithmetic_text(Axis.conv(input_size=5, kernel_size=3, stride=2), False)
    'floor((5 + 0 + 0 - 3) / 2) + 1'
    """
    effective = axis.effective_kernel
    if transposed:
        stretched = f"({axis.output_size} - 1)*{axis.stride} + {effective}"
        return f"{stretched}{_less(axis.before)}{_less(axis.after)} + {axis.output_padding}"
    return f"floor(({_padded(axis, axis.after)} - {effective}) / {axis.stride}) + 1"


def ceiling_text(axis: Axis, asked_after: int, *, dropped: bool) -> str:
    """The formula of the output size of a pool with ceil_mode, `asked_after` being its pad after.

    `dropped` says that the last window would begin past the input, and is left out.


    >>> pool = Axis.conv(input_size=4, kernel_size=3, stride=2, after=1)
    >>> ceiling_text(pool, 0, dropped=False)
    'ceil((4 + 0 + 0 - 3) / 2) + 1'
    """
    room = f"ceil(({_padded(axis, asked_after)} - {axis.effective_kernel}) / {axis.stride})"
    return f"{room} + 1{' - 1' if dropped else ''}"


def _padded(axis: Axis, after: int) -> str:
    return f"{axis.input_size}{_plus(axis.before)}{_plus(after)}"


def _plus(term: int) -> str:
    return f" + {term}" if term >= 0 else f" - {-term}"


def _less(term: int) -> str:
    return f" - {term}" if term >= 0 else f" + {-term}"


def equivalent_cells(axis: Axis, transposed: bool) -> tuple[Cell, ...]:
    """i', k', s' and p' of the direct convolution that equals a transposed one.

    All None for an axis that is not transposed.
    """
    if not transposed:
        return (None,) * len(EQUIVALENT_COLUMNS)
    equal = axis.zero_inserted()
    return equal.input_size, equal.kernel_size, equal.stride, f"{equal.before}, {equal.after}"


def axis_document(axis: Axis, transposed: bool) -> dict[str, object]:
    """The axis as plain values; input and output size are those of the layer itself."""
    sizes = (axis.output_size, axis.input_size)
    document: dict[str, object] = {
        "transposed": transposed,
        "input_size": sizes[0] if transposed else sizes[1],
        "output_size": sizes[1] if transposed else sizes[0],
        "kernel_size": axis.kernel_size,
        "stride": axis.stride,
        "padding": [axis.before, axis.after],
        "dilation": axis.dilation,
        "left_over": axis.output_padding,
    }
    if transposed:
        equal = axis.zero_inserted()
        document["equivalent"] = {
            "stretched_size": equal.input_size,
            "kernel_size": equal.kernel_size,
            "stride": equal.stride,
            "padding": [equal.before, equal.after],
            "dilation": equal.dilation,
        }
    return document
