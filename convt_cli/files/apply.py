"""C or Cᵀ of a layer applied to one array file, the result written to another.

Between two .npy files this is done tile by tile, so that neither needs to fit into memory; other
formats, methods and padding modes read the whole array and write the whole result.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from convt_cli.arithmetic.network import NetworkLayer
from convt_cli.errors import RequestError
from convt_cli.files.arrays import is_text, locate, read_array
from convt_cli.files.batches import write_batch
from convt_cli.files.boxes import SUPPORTED
from convt_cli.files.layout import arrange
from convt_cli.files.tiled import Action, apply_by_tiles
from convt_cli.files.weights import Weights
from convt_cli.io.progress import Progress, no_progress
from convt_cli.io.writing import is_file
from convt_cli.operators.dtypes import require_numeric


def action_of(
    layer: NetworkLayer,
    weights: Weights,
    *,
    forward: bool,
    bias: bool = False,
    dtype: np.dtype[Any] | None = None,
) -> Action:
    """The action C (`forward`) or Cᵀ of a layer, its weight and `bias` read from their files.

    Raises RequestError (E305) where `bias` is asked for in the direction that has none, and what
    reading them raises.
    """
    convolution = layer.require_convolution()
    _require_own_action(layer, forward=forward, bias=bias)
    added = None
    if bias and layer.bias_source is not None:
        # (channels, 1, ..., 1)
        added = weights.bias(layer, dtype).reshape(-1, *(1 for _ in convolution.axes))
    return Action(
        convolution=convolution,
        weight=weights.weight(layer, dtype),
        forward=forward,
        bias=added,
        dtype=dtype,
    )


def _require_own_action(layer: NetworkLayer, *, forward: bool, bias: bool) -> None:
    """Raise RequestError (E305) where `bias` is asked for in the direction that has none."""
    adjoint = layer.require_convolution().adjoint
    if bias and forward == adjoint:
        own, other = ("Cᵀ", "C") if adjoint else ("C", "Cᵀ")
        raise RequestError(
            "E305",
            f"the bias of {layer.name} belongs to {own}",
            value=f"{other} was asked for",
            help="leave out --forward" if forward else "add --forward, or leave out --bias",
        )


def apply_file(
    action: Action,
    source: str,
    target: str,
    *,
    layout: str,
    method: str,
    force: bool,
    progress: Progress = no_progress,
) -> None:
    """Apply an action to the array file `source`, and write the array file `target`.

    Raises FileError (E401, E402, E403, E406), ArrayError (E301, E302, E303, E304), RequestError
    (E501, E503).
    """
    if _is_tiled(action, method, source, target):
        apply_by_tiles(action, source, target, layout, force=force, progress=progress)
    else:
        _apply_in_memory(action, method, source, target, layout, force=force)


def _is_tiled(action: Action, method: str, source: str, target: str) -> bool:
    """Whether both files and the method allow applying the layer tile by tile."""
    places = locate(source), locate(target)
    return (
        SUPPORTED
        and method in ("auto", "direct")
        and action.convolution.padding_mode == "zeros"
        and all(place.format.has_boxes for place in places)
        and is_file(places[1].path)
    )


def _apply_in_memory(
    action: Action, method: str, source: str, target: str, layout: str, *, force: bool
) -> None:
    """Read the whole array, apply the layer by any method, and write the whole result."""
    # these load SciPy, which takes time and is not needed for tiles
    from convt_cli.operators.functions import apply  # noqa: PLC0415
    from convt_cli.operators.routes import route  # noqa: PLC0415

    expected, _ = action.shapes
    applied = route(method, forward=action.forward)
    array = require_numeric(read_array(source), "the array")
    action.form(array.shape, layout, text=is_text(source))
    batch, form = arrange(array, expected, layout, text=is_text(source))
    result = apply(applied, action.convolution, action.weight, action.cast(batch), expected)
    write_batch(target, action.biased(result), form, force=force)
