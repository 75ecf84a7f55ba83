"""How each ONNX operator becomes layers of a spec: a `Translator` for each, and the table of them.

A translator gets an `Operation`, adds the layers that do what the node does, and returns what the
last of them gives.  Where no layer does it, it refuses; where a layer has the node's shapes and
other numbers, that layer stands in, and a note says so.

A new operator is a function in the file of its kind, and a line in that file's `OPERATORS`.
"""

from __future__ import annotations

from convt_cli.models.onnx.operation import Translator
from convt_cli.models.onnx.operators import (
    activations,
    convolutions,
    elementwise,
    joins,
    linear,
    norms,
    pools,
    preserving,
    reshaping,
    resizing,
    selecting,
)

OPERATORS: dict[str, Translator] = {
    **convolutions.OPERATORS,
    **pools.OPERATORS,
    **preserving.OPERATORS,
    **activations.OPERATORS,
    **norms.OPERATORS,
    **elementwise.OPERATORS,
    **joins.OPERATORS,
    **linear.OPERATORS,
    **reshaping.OPERATORS,
    **resizing.OPERATORS,
    **selecting.OPERATORS,
}
"""By the operator's name; those of other domains are called DOMAIN.NAME."""
