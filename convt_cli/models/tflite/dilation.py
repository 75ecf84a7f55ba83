"""Dilated convolutions that a converter has written as three operators, put together again.

SPACE_TO_BATCH_ND pads its input and puts every n-th element into a batch of its own, on which a
plain convolution works; BATCH_TO_SPACE_ND puts the elements back between each other, and crops.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace

from convt_cli.models.tflite.graph import Node

_CONVOLUTIONS = ("CONV_2D", "DEPTHWISE_CONV_2D")
_VALID = 1

Integers = Callable[[str], tuple[int, ...]]
"""The integers of the constant of a name, () where they are not known."""


def joined(nodes: tuple[Node, ...], outputs: tuple[str, ...], integers: Integers) -> list[Node]:
    """`nodes`, with one in place of each such three.

    It is a convolution with the options `before` and `after`: what it pads, or crops below 0.
    """
    readers = Counter((*outputs, *(name for node in nodes for name in node.reads)))
    givers = {name: node for node in nodes for name in node.outputs}
    found: dict[int, Node | None] = {}  # by the id of a node, what is there instead
    for last in nodes:
        three = _three(last, givers)
        if len(three) < 3 or any(readers[one.outputs[0]] > 1 for one in three[:2]):
            continue
        together = _joined(three, integers)
        if together is not None:
            found.update({id(one): None for one in three[:2]})
            found[id(last)] = together
    return list(_kept(nodes, found))


def _kept(nodes: tuple[Node, ...], found: dict[int, Node | None]) -> Iterator[Node]:
    for node in nodes:
        one = found.get(id(node), node)
        if one is not None:
            yield one


def _three(last: Node, givers: dict[str, Node]) -> tuple[Node, ...]:
    """The three nodes of which `last` may be the third."""
    if last.operator != "BATCH_TO_SPACE_ND" or not last.inputs:
        return ()
    middle = givers.get(last.inputs[0])
    if middle is None or middle.operator not in _CONVOLUTIONS:
        return ()
    first = givers.get(middle.inputs[0]) if middle.inputs else None
    if first is None or first.operator != "SPACE_TO_BATCH_ND" or len(first.inputs) != 3:
        return ()
    return first, middle, last


def _joined(three: tuple[Node, ...], integers: Integers) -> Node | None:
    """One dilated convolution that does what three nodes do; None where there is none."""
    first, middle, last = three
    block, pads = integers(first.inputs[1]), integers(first.inputs[2])
    crops = integers(last.inputs[2]) if len(last.inputs) == 3 else ()
    options = middle.options
    steps = [options[f"{name}_{axis}"] for name in ("stride", "dilation") for axis in "hw"]
    is_plain = options["padding"] == _VALID and steps == [1, 1, 1, 1]
    fits = len(block) == 2 and len(pads) == len(crops) == 4 and block == integers(last.inputs[1])
    if not is_plain or not fits:
        return None
    pads = tuple(pad - crop for pad, crop in zip(pads, crops))
    return replace(
        middle,
        inputs=(first.inputs[0], *middle.inputs[1:]),
        outputs=last.outputs,
        options={
            **options,
            "dilation_h": block[0],
            "dilation_w": block[1],
            "before": pads[::2],
            "after": pads[1::2],
        },
    )
