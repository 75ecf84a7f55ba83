"""Sparse constants: where each of the stored numbers lies in the whole array.

A sparse tensor is a tree.  Each level is an axis of the array, or one within blocks of an axis; it
holds all of its places, or lists for every node above those that are there, as the rows of a sparse
matrix do.  The leaves, in their order, are the stored numbers.
"""

from __future__ import annotations

from math import prod

import numpy as np

from convt_cli.errors import shown
from convt_cli.io import memory
from convt_cli.models.tflite.flatbuffer import Bytes, Table, damaged
from convt_cli.models.tflite.tensors import Tensor
from convt_cli.operators.dtypes import Array

_DENSE = 0
_INDEX_FORMS = {1: ("i", 4), 2: ("H", 2), 3: ("B", 1)}
"""The kind of the numbers in a list, and their bytes, by the number of the list's type."""


def dense(tensor: Tensor, values: Array, source: Bytes) -> Array:
    """The whole array of a sparse tensor, whose stored numbers are `values`, zeros elsewhere.

    Raises FileError (E405), RequestError (E501).
    """
    what = f"'{shown(tensor.name)}' of {shown(source.path)}"
    needed = (len(tensor.shape) + 4) * 8 * prod(tensor.shape)
    memory.require(needed, what, help="use a machine with more memory")
    places = _Tree(tensor, source).places(values.size)
    whole = np.zeros(tensor.shape, values.dtype)
    whole[tuple(places)] = values
    return whole


class _Tree:
    """The levels of one sparse tensor."""

    def __init__(self, tensor: Tensor, source: Bytes) -> None:
        table = tensor.sparsity
        self._tensor = tensor
        self._source = source
        if table is None:
            raise self._wrong("it has no levels")
        self._order = table.integers(0)  # by level, its axis, or the block axis behind those
        self._blocked = table.integers(1)  # by block axis, the axis whose blocks these are
        self._levels = table.tables(2)
        rank = len(tensor.shape)
        axes = [*range(rank + len(self._blocked))]
        if sorted(self._order) != axes or len(self._levels) != len(axes):
            raise self._wrong(f"its levels are {list(self._order)}")
        if not all(0 <= axis < rank for axis in self._blocked):
            raise self._wrong(f"it has blocks along {list(self._blocked)}")

    def places(self, count: int) -> list[Array]:
        """By axis of the array, the places of `count` stored numbers, (count,) each."""
        found: list[Array] = []  # by level, the places of all nodes so far
        nodes = 1
        for level in self._levels:
            parents, places = self._children(level, nodes)
            found = [*(one[parents] for one in found), places]
            nodes = len(places)
        if nodes != count:
            raise self._wrong(f"it has places for {nodes:,} numbers, and {count:,}")
        return self._joined(dict(zip(self._order, found)))

    def _children(self, level: Table, nodes: int) -> tuple[Array, Array]:
        """(parents, places): the nodes of a level below `nodes` others, in their order."""
        if level.integer(0, "b") == _DENSE:
            size = level.integer(1)
            if not 0 < size <= prod(self._tensor.shape) // max(1, nodes):
                raise self._wrong(f"a level has {size:,} places for each of {nodes:,}")
            return np.repeat(np.arange(nodes), size), np.tile(np.arange(size), nodes)
        begins, places = self._list(level, 2), self._list(level, 4)
        counts = np.diff(begins)
        are_whole = len(begins) == nodes + 1 and not begins[0] and begins[-1] == len(places)
        if not are_whole or (counts < 0).any() or (places < 0).any():
            raise self._wrong("a level does not list the places of its nodes")
        return np.repeat(np.arange(nodes), counts), places

    def _list(self, level: Table, field: int) -> Array:
        """The list of numbers in a field of a level, the kind of which is in the field before."""
        known, table = _INDEX_FORMS.get(level.integer(field, "B")), level.table(field + 1)
        if known is None or table is None:
            raise self._wrong("a level has no list of places")
        form, size = known
        place, count = table.vector(0, size)
        content = self._source.at(place, size * count)
        return np.frombuffer(content, np.dtype(form).newbyteorder("<")).astype(np.int64)

    def _joined(self, found: dict[int, Array]) -> list[Array]:
        """Places by axis, those in blocks added to where their block begins."""
        rank = len(self._tensor.shape)
        sizes = dict(zip(self._order, (level.integer(1) for level in self._levels)))
        places = [found[axis] for axis in range(rank)]
        for number, axis in enumerate(self._blocked, rank):
            places[axis] = places[axis] * sizes[number] + found[number]
        for one, size in zip(places, self._tensor.shape):
            if one.size and one.max() >= size:
                raise self._wrong(f"it has the place {one.max():,} along an axis of {size:,}")
        return places

    def _wrong(self, reason: str) -> Exception:
        name = shown(self._tensor.name)
        return damaged(self._source.path, f"of the sparse '{name}', {reason}")
