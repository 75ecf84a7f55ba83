"""The reports of `reconstruct` (what each picture is made of) and of `stimulus`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from convt_cli.reports.cells import number
from convt_cli.reports.table import VERSION, CellKind, Report, Table, column

if TYPE_CHECKING:
    from convt_cli.analysis.backward.reconstruct import Kept, Reconstruction
    from convt_cli.analysis.backward.stimulus import Stimulus

_DIGITS = 4
"""The significant digits of activations and responses in tables; documents have all."""

_COLUMNS = (
    column("picture", kind=CellKind.COUNT),
    column("image", kind=CellKind.COUNT),
    column("channel", kind=CellKind.COUNT),
    column("position"),
    column("activation", kind=CellKind.COUNT),
)


def reconstruction_report(spec: str, found: Reconstruction) -> Report:
    """One row for each picture: the image, and what was kept of the layer's activations."""
    return Report(
        tables=(
            Table(
                title=f"{found.layer} by {found.rule}",
                columns=_COLUMNS,
                rows=tuple(
                    (
                        picture,
                        kept.image,
                        kept.channel,
                        _position_text(kept),
                        number(kept.activation, _DIGITS),
                    )
                    for picture, kept in enumerate(found.kept)
                ),
                spec=spec,
            ),
        ),
        plain=lambda: {
            "version": VERSION,
            "spec": spec,
            "layer": found.layer,
            "rule": found.rule,
            "pictures": [_document(kept) for kept in found.kept],
            "notes": found.notes,
        },
    )


def _position_text(kept: Kept) -> str | None:
    return ",".join(map(str, kept.position)) if kept.position else None


def _document(kept: Kept) -> dict[str, object]:
    return {
        "image": kept.image,
        "channel": kept.channel,
        "position": kept.position,
        "activation": kept.activation,
    }


def stimulus_report(spec: str, found: Stimulus) -> Report:
    """The response that the stimulus reaches, and the share that random inputs reach."""
    share = found.random_share
    reads = int((found.row != 0).sum())
    return Report(
        tables=(
            Table(
                title=f"what excites {found.layer} most at {','.join(map(str, found.unit))}",
                columns=(
                    column("in_place_of"),
                    column("input", kind=CellKind.SHAPE),
                    column("reads", kind=CellKind.COUNT),
                    column("norm"),
                    column("response", kind=CellKind.COUNT),
                    column("random_share", kind=CellKind.COUNT),
                ),
                rows=(
                    (
                        found.source,
                        found.row.shape,
                        reads,
                        found.norm,
                        number(found.response, _DIGITS),
                        number(share, _DIGITS),
                    ),
                ),
                spec=spec,
            ),
        ),
        plain=lambda: {
            "version": VERSION,
            "spec": spec,
            "layer": found.layer,
            "unit": found.unit,
            "norm": found.norm,
            "in_place_of": found.source,
            "input": found.row.shape,
            "reads": reads,
            "response": found.response,
            "random_share": share,
            "notes": found.notes,
        },
    )
