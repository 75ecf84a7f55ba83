"""Values that an operation in place has changed behind their name.

PyTorch's graphs hold operations that write over their first argument.  What they give has a name
of its own, by which later nodes read it; a node that still reads the old name, or a view of the
same memory, reads other numbers than the graph says.
"""

from __future__ import annotations

from collections.abc import Iterable

from convt_cli.errors import shown
from convt_cli.models.pt2.graph import Node, Reference

_VIEWS = (
    *("view", "reshape", "_reshape_alias", "flatten", "unflatten", "squeeze", "unsqueeze"),
    *("permute", "transpose", "t", "slice", "narrow", "select", "expand", "expand_as", "view_as"),
    *("detach", "alias", "contiguous", "to", "chunk", "split", "split_with_sizes", "unbind"),
    *("dropout", "feature_dropout", "movedim", "swapaxes", "unfold", "diagonal", "type_as"),
)
"""Operators whose result can share memory with their first argument."""


def stale_reads(nodes: Iterable[Node]) -> dict[str, str]:
    """By a node's name, why what it reads is not what its name says."""
    owners: dict[str, str] = {}  # by a value's name, the first value in its memory
    sharing: dict[str, list[str]] = {}  # by that first value, all names in its memory so far
    changed: dict[str, str] = {}  # by a value's name, the node that has written over it
    found: dict[str, str] = {}
    for node in nodes:
        for name in node.reads:
            if name in changed:
                reason = f"it reads '{shown(name)}', which {changed[name]} has changed in place"
                found.setdefault(node.name, reason)
        first = next(iter(node.arguments.values()), None)
        own = owners.get(first.name, first.name) if isinstance(first, Reference) else None
        if own is not None and node.changes_in_place:
            changed.update(dict.fromkeys(sharing.get(own, [own]), node.title))
        if own is not None and (node.changes_in_place or node.operator in _VIEWS):
            names = sharing.setdefault(own, [own])
            names.extend(node.outputs)
            owners.update(dict.fromkeys(node.outputs, own))
    return found
