"""How each TensorFlow Lite operator becomes layers of a spec: a `Translator` for each, by name.

A translator gets an `Operation`, adds the layers that do what the node does, and returns what the
last of them gives.  Where no layer does it, it refuses; where a layer has the node's shapes and
other numbers, that layer stands in, and a note says so.
"""

from __future__ import annotations

from convt_cli.models.tflite.operation import Translator
from convt_cli.models.tflite.operators import (
    activations,
    convolutions,
    elementwise,
    linear,
    padding,
    parts,
    pools,
    preserving,
    reshaping,
    resizing,
)

OPERATORS: dict[str, Translator] = {
    **convolutions.OPERATORS,
    **linear.OPERATORS,
    **pools.OPERATORS,
    **preserving.OPERATORS,
    **activations.OPERATORS,
    **elementwise.OPERATORS,
    **padding.OPERATORS,
    **parts.OPERATORS,
    **reshaping.OPERATORS,
    **resizing.OPERATORS,
}
"""By the operator's name; that of a custom one is CUSTOM.NAME."""
