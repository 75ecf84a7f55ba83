"""The input of norm 1 to which one unit responds most strongly.

A unit's response is y_i = c_iᵀ x, where c_i is its row of the layer's own action A (the bias is
left out).  Among all x of norm 1 it is largest at

    2-norm      x = c_i / |c_i|₂,   with the response |c_i|₂
    max-norm    x = sign(c_i),      with the response |c_i|₁

For random inputs of norm 1 the root mean square of the response is

    2-norm      |c_i|₂ / sqrt(n),   for x uniform on the sphere in n dimensions
    max-norm    |c_i|₂,             for x of random signs

With `through`, c_i is a row of the composed action of all layers down to the network's input.  It
exists where they are all linear.  An image makes the others linear, too: it fixes the maxima,
signs and slopes.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt

import numpy as np
from numpy.typing import ArrayLike

from convt_cli.analysis.backward.reconstruct import as_batch, require_unit
from convt_cli.analysis.backward.run import Way, prepared, run, way_of, way_to
from convt_cli.arithmetic.convolution import Shape
from convt_cli.arithmetic.network import Network
from convt_cli.arithmetic.vocabulary import Norm
from convt_cli.errors import RequestError
from convt_cli.files.weights import Weights
from convt_cli.operators.dtypes import Array


@dataclass(frozen=True, slots=True, kw_only=True)
class Stimulus:
    """The input `x`, (channels, *sizes), of norm 1; `row` is c_i, of the shape of x.

    `source` is the layer or network input whose output x replaces; `notes` say what was assumed
    about the layers in between.
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
        """c_iᵀ x, the largest response to an input of norm 1."""
        return float(np.abs(self.row).sum() if self.norm == "inf" else _length(self.row))

    @property
    def random_share(self) -> float | None:
        """The root mean square response to random inputs of norm 1, divided by `response`.

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
) -> Stimulus:
    """The input of norm 1 to which `unit`, (channel, *position), of `layer` responds most.

    It is an input of the layer itself; with `through`, or with an image `at`, of the network's
    input shape, it is an input of the network.

    Raises RequestError: E502 for an unknown layer, E503 for a unit that it does not have, E507
    where a layer on the way is not linear and there is no image; ArrayError (E301, E302) for the
    image.

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
    # through linear layers the row does not depend on the image: zeros do, and take no memory
    zeros = np.broadcast_to(np.float32(0), way.input_shape)
    image = as_batch(zeros if at is None else at, way.input_shape)
    ready = prepared(way, Weights(network), image.dtype)
    record = run(ready, image[:1])
    # the unit vector of `unit`, taken back by A's transpose, is the row c_i
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
    """row / |row|₂, or zeros where that is 0; scaled first, so that no square overflows."""
    largest = np.abs(row).max()
    if not largest:
        return row
    scaled = row / largest
    unit: Array = (scaled / np.linalg.norm(scaled.ravel())).astype(row.dtype, copy=False)
    return unit


def _length(row: Array) -> float:
    """|row|₂, in float64."""
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
