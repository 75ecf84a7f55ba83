"""The bounded input that excites one unit most.

A unit's response is y_i = c_iᵀ x, where c_i is its row of the layer's own action A (the bias is
left out).  Among all x of norm 1 it is largest at

    2-norm      x = c_i / |c_i|₂,   where it reaches |c_i|₂
    max-norm    x = sign(c_i),      where it reaches |c_i|₁

Of random inputs of the same norm, uniform on the sphere or of random signs, the root mean square
of the response is |c_i|₂ / sqrt(n) for n inputs, and |c_i|₂.

Through the layers below, c_i is the row of the composed action.  Where they are all linear there
is one; an image makes all of them linear, by the maxima, signs and slopes that it sets.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from convt_cli.analysis.backward.reconstruct import as_batch, require_unit
from convt_cli.analysis.backward.run import Way, prepared, run, way_of, way_to
from convt_cli.arithmetic.convolution import Shape
from convt_cli.arithmetic.network import Network
from convt_cli.errors import RequestError
from convt_cli.files.weights import Weights
from convt_cli.operators.dtypes import Array

Norm = Literal["2", "inf"]
NORMS: tuple[Norm, ...] = ("2", "inf")


@dataclass(frozen=True, slots=True, kw_only=True)
class Stimulus:
    """`x`, (channels, *sizes) of norm 1, excites the unit most; `row` is c_i, of x's shape.

    `source` is the layer or input that x stands in place of; `notes` say what was assumed about
    layers in between.
    """

    layer: str
    unit: Shape
    norm: Norm
    source: str
    row: Array
    x: Array
    notes: tuple[str, ...]

    @property
    def response(self) -> float:
        """c_iᵀ x: the largest that an input of norm 1 reaches."""
        return float(np.abs(self.row).sum() if self.norm == "inf" else _length(self.row))

    @property
    def random_share(self) -> float | None:
        """The root mean square response to random inputs of norm 1, over `response`.

        None where the unit reads nothing.
        """
        if not self.response:
            return None
        if self.norm == "2":
            return 1 / sqrt(self.row.size)
        return _length(self.row) / self.response


def stimulus(
    network: Network,
    *,
    layer: str,
    unit: Shape,
    norm: Norm = "2",
    through: bool = False,
    at: ArrayLike | None = None,
    allow_outside: bool = False,
) -> Stimulus:
    """The input of norm 1 that excites `unit`, (channel, *position), of `layer` most.

    It is an input of the layer itself; with `through`, or with an image `at`, (*input shape), one
    of the network.  Raises RequestError: E502 for an unknown layer, E503 for a unit that it does
    not have, E507 where a layer in the way is not linear and no image says what it does;
    ArrayError (E301, E302) for the image.

    >>> from convt_cli import load_spec
    >>> network = load_spec("examples/guide.yaml")
    >>> stimulus(network, layer="conv1", unit=(0, 1, 1), norm="inf").x[0].astype(int)
    array([[0, 0, 0, 0],
           [0, 1, 1, 1],
           [0, 1, 1, 1],
           [0, 1, 1, 1]])
    """
    way = way_to(network, layer) if through or at is not None else way_of(network, layer)
    require_unit(unit, way.layer.output)
    if at is None:
        _require_linear(way)
    way.require_back("gradient")
    nothing = np.broadcast_to(np.float32(0), way.input_shape)
    image = as_batch(nothing if at is None else at, way.input_shape)
    ready = prepared(way, Weights(network, allow_outside=allow_outside), image.dtype)
    record = run(ready, image[:1])
    signal = np.zeros_like(record.activations)
    signal[(0, *unit)] = 1
    row = record.down(signal, "gradient")[0]
    return Stimulus(
        layer=layer,
        unit=unit,
        norm=norm,
        source=way.source,
        row=row,
        x=np.sign(row) if norm == "inf" else _unit_vector(row),
        notes=way.notes,
    )


def _unit_vector(row: Array) -> Array:
    """row / |row|₂, or zeros; scaled first, so that no square passes the largest number."""
    largest = np.abs(row).max()
    if not largest:
        return row
    scaled = row / largest
    unit: Array = (scaled / np.linalg.norm(scaled.ravel())).astype(row.dtype, copy=False)
    return unit


def _length(row: Array) -> float:
    return float(np.linalg.norm(row.astype(np.float64).ravel()))


def _require_linear(way: Way) -> None:
    """Raise RequestError (E507) unless every layer of the way is linear."""
    others = way.layers_not_linear
    if others:
        first = others[-1]
        raise RequestError(
            "E507",
            "what excites a unit most is known through linear layers alone",
            value=f"{first.name} is {first.operation}",
            help="name an image with --at, whose maxima and signs make it linear",
        )
