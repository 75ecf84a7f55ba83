"""How each layer of Keras becomes layers of a spec: a `Translator` for each, and the table.

A translator gets an `Operation`, adds the layers that do what the call does, and returns what the
last of them gives.  Where no layer does it, it refuses; where a layer has the shapes and other
numbers, that layer stands in, and a note says so.

A new layer is a function in the file of its kind, and a line in that file's `OPERATORS`.
"""

from __future__ import annotations

from convt_cli.models.keras.operation import Translator
from convt_cli.models.keras.operators import (
    activations,
    convolutions,
    joins,
    norms,
    pools,
    preprocessing,
    reshaping,
    resizing,
)

OPERATORS: dict[str, Translator] = {
    **convolutions.OPERATORS,
    **pools.OPERATORS,
    **activations.OPERATORS,
    **norms.OPERATORS,
    **joins.OPERATORS,
    **reshaping.OPERATORS,
    **resizing.OPERATORS,
    **preprocessing.OPERATORS,
}
"""By the class of a layer, or the name of a function of TensorFlow."""

FUNCTIONS: dict[str, Translator] = {**activations.FUNCTIONS, **joins.FUNCTIONS}
"""By the class that Keras 3 has for a function on arrays, in `keras.ops`."""
