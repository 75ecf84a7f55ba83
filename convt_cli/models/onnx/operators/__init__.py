"""What each ONNX operator is in a spec: one function an operator, and the table of them.

A function gets an `Operation`, adds the layers that do what the node does, and gives back what
the last of them gives.  Where no layer does it, it refuses; where one has the node's shapes and
other numbers, it stands in, and that is noted.
"""

from __future__ import annotations

from collections.abc import Callable

from convt_cli.models.onnx.operation import Activation, Operation
from convt_cli.models.onnx.operators import elementwise, joins, preserving, reshaping, windows

Rule = Callable[[Operation], Activation]

OPERATORS: dict[str, Rule] = {
    **windows.OPERATORS,
    **preserving.OPERATORS,
    **elementwise.OPERATORS,
    **joins.OPERATORS,
    **reshaping.OPERATORS,
}
