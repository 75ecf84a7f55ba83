"""The report of a sweep: the output size of every combination of parameters, or why it has none."""

from __future__ import annotations

from itertools import product
from math import prod

from convt_cli.arithmetic.axis import Axis
from convt_cli.arithmetic.dialects.padding import legal_output_padding
from convt_cli.errors import GeometryError, RequestError
from convt_cli.reports.table import VERSION, Cell, CellKind, Report, Table, column

MOST_ROWS = 100_000
"""The most combinations that one report holds."""
SWEPT = ("input_size", "kernel_size", "stride", "padding", "output_padding", "dilation")
"""The parameters that vary, in the order of the columns; the last varies fastest."""


def sweep_report(layer_type: str, values: dict[str, list[int]]) -> Report:
    """Every combination of `values` with its output size; `values` has a list for each of `SWEPT`.

    Raises RequestError (E503) for more than `MOST_ROWS` combinations.
    """
    count = prod(len(values[name]) for name in SWEPT)
    if count > MOST_ROWS:
        raise RequestError(
            "E503",
            f"a sweep has at most {MOST_ROWS:,} rows",
            value=f"this one has {count:,}",
            help="give narrower ranges",
        )
    combinations = [
        dict(zip(SWEPT, combination)) for combination in product(*(values[name] for name in SWEPT))
    ]
    results = [_swept(layer_type, combination) for combination in combinations]
    documents = [
        {"type": layer_type, **combination, **result}
        for combination, result in zip(combinations, results)
    ]
    shown = [name for name in SWEPT if layer_type != "conv" or name != "output_padding"]
    return Report(
        tables=(
            Table(
                title=f"{layer_type}: {count:,} combination{'s' if count > 1 else ''}",
                columns=(
                    *(column(name, kind=CellKind.COUNT) for name in shown),
                    column("output_size", kind=CellKind.COUNT),
                    column("error", "why not"),
                ),
                rows=tuple(
                    (*(row[name] for name in shown), row["output_size"], row.get("error"))
                    for row in documents
                ),
            ),
        ),
        plain=lambda: {"version": VERSION, "rows": documents},
    )


def _swept(layer_type: str, values: dict[str, int]) -> dict[str, Cell]:
    """The output size of one combination; None and the reason where the combination is illegal."""
    try:
        if layer_type == "conv_transpose":
            return {"output_size": _transposed_axis(values).input_size}
        return {"output_size": _direct_axis(values).output_size}
    except GeometryError as error:
        return {"output_size": None, "error": str(error)}


def _direct_axis(values: dict[str, int]) -> Axis:
    return Axis.conv(
        input_size=values["input_size"],
        kernel_size=values["kernel_size"],
        stride=values["stride"],
        before=values["padding"],
        after=values["padding"],
        dilation=values["dilation"],
    )


def _transposed_axis(values: dict[str, int]) -> Axis:
    return Axis.conv_transpose(
        input_size=values["input_size"],
        kernel_size=values["kernel_size"],
        stride=values["stride"],
        before=values["padding"],
        after=values["padding"],
        dilation=values["dilation"],
        output_padding=legal_output_padding(
            values["output_padding"], values["stride"], values["dilation"]
        ),
    )
