"""The report of `invert`: the solution of A x = y, beside Aᵀy and its best multiple."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from convt_cli.analysis.invert import Candidate, Inverse, null_space_reasons
from convt_cli.arithmetic.network import Network, NetworkLayer
from convt_cli.reports.cells import number
from convt_cli.reports.table import VERSION, Cell, CellKind, Report, Table, column

_COLUMNS = (
    column("item", kind=CellKind.COUNT),
    column("candidate", ""),
    column("residual", "|Ax - y| / |y|"),
    column("norm", "|x|"),
    column("iterations", kind=CellKind.COUNT),
)


def inversion_report(
    network: Network,
    layer: NetworkLayer,
    found: Sequence[Inverse],
    *,
    damping: float,
    tolerance: float,
    output: str,
) -> Report:
    """A report with three rows, one for each candidate, for every item of the batch."""
    convolution = layer.require_convolution()
    action = "Cᵀ" if convolution.adjoint else "C"
    several = len(found) > 1
    return Report(
        tables=(
            Table(
                title=f"x with A x = y, where A is {action} of {layer.name} ({network.name})",
                columns=_COLUMNS,
                rows=tuple(
                    row
                    for item, one in enumerate(found)
                    for row in _rows(item if several else None, one)
                ),
                notes=tuple(_notes(layer, found, damping)),
                spec=network.spec,
            ),
        ),
        plain=lambda: {
            "version": VERSION,
            "spec": network.spec,
            "layer": layer.name,
            "action": action,
            "weight": str(layer.weight_source),
            "output": output,
            "damping": damping,
            "tolerance": tolerance,
            "null_space": null_space_reasons(convolution),
            "items": [_item(one) for one in found],
        },
    )


def _rows(item: int | None, found: Inverse) -> Iterator[tuple[Cell, ...]]:
    for one in _candidates(found):
        iterations = found.iterations if one is found.solution else None
        yield item, one.name, number(one.residual, 4), number(one.norm), iterations


def _notes(layer: NetworkLayer, found: Sequence[Inverse], damping: float) -> Iterator[str]:
    late = [str(item) for item, one in enumerate(found) if not one.converged]
    if not late:
        yield "The solver converged."
    elif len(found) == 1:
        yield "The solver did not converge: raise --max-iterations or --tolerance."
    else:
        yield f"The solver did not converge for item {', '.join(late)}: raise --max-iterations."
    reasons = null_space_reasons(layer.require_convolution())
    if reasons and damping == 0:
        yield f"Many x give this y ({'; '.join(reasons)}): the shortest is written."
    if damping:
        yield f"Damping {damping:g}: x is the minimum of |Ax - y|² + damping² |x|²."
    scales = ", ".join(f"{one.scale:.4g}" for one in found)
    yield f"alpha = <A Aᵀy, y> / |A Aᵀy|² = {scales}."


def _item(found: Inverse) -> dict[str, object]:
    return {
        "iterations": found.iterations,
        "converged": found.converged,
        "gradient": found.gradient,
        "alpha": found.scale,
        "candidates": [
            {"name": one.name, "residual": one.residual, "norm": one.norm}
            for one in _candidates(found)
        ],
    }


def _candidates(found: Inverse) -> tuple[Candidate, Candidate, Candidate]:
    return found.solution, found.transpose, found.scaled
