"""How each operator of PyTorch becomes layers of a spec: a `Translator` for each, and the table.

A translator gets an `Operation`, adds the layers that do what the node does, and returns what the
last of them gives.  Where no layer does it, it refuses; where a layer has the node's shapes and
other numbers, that layer stands in, and a note says so.

A new operator is a function in the file of its kind, and a line in that file's `OPERATORS`.
"""

from __future__ import annotations

from convt_cli.models.pt2.operation import Translator
from convt_cli.models.pt2.operators import (
    convolutions,
    elementwise,
    linear,
    parts,
    pools,
    preserving,
    reshaping,
    resizing,
)

OPERATORS: dict[str, Translator] = {
    **convolutions.OPERATORS,
    **pools.OPERATORS,
    **preserving.OPERATORS,
    **elementwise.OPERATORS,
    **linear.OPERATORS,
    **reshaping.OPERATORS,
    **parts.OPERATORS,
    **resizing.OPERATORS,
}
"""By the name of a function of ATen, without its overload and the `_` of one in place."""
