"""What is assumed about layers when a network is run."""

from __future__ import annotations

from collections.abc import Sequence

from convt_cli.analysis.backward.layers import step_type
from convt_cli.arithmetic.dialects.frameworks import Framework
from convt_cli.arithmetic.keys import FILL_NOTE
from convt_cli.arithmetic.network import NetworkLayer


def notes_of(layers: Sequence[NetworkLayer], rules: Framework) -> tuple[str, ...]:
    """What is assumed about layers for which the spec does not say enough."""
    layers_by_note: dict[str, list[str]] = {}
    for layer in layers:
        known = step_type(layer, rules)
        said = known.note(layer.definition, rules) if known else ""
        if said:
            layers_by_note.setdefault(f"{layer.type} {said}", []).append(layer.name)
    filled = [layer.name for layer in layers if layer.is_filled]
    if filled:
        layers_by_note[FILL_NOTE] = filled
    return tuple(f"{_listed(names)}: {note}" for note, names in layers_by_note.items())


def _listed(names: list[str]) -> str:
    """Names for a message: the first six, and how many more there are."""
    more = f" and {len(names) - 6} more" if len(names) > 6 else ""
    return ", ".join(names[:6]) + more
