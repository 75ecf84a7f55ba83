"""Which part of the source a part of the result needs: C and Cᵀ box by box.

A tile is a box of the result, the box of the source that reaches it, and the axes between the
two, which are those of an ordinary smaller convolution.  Tiles of Cᵀ begin at multiples of the
stride, so that every tile has the phases of the whole.  The plan follows from the convolution
and the wanted size alone, never from memory, batch or threads: so a result has the same bytes
whichever way it is computed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import product
from math import prod

from convt_cli.arithmetic.axis import Axis
from convt_cli.arithmetic.convolution import Convolution, Shape

_SHORTEST = 8
"""Positions of an axis that a tile keeps before a later axis is cut: windows overlap there."""

_REMEMBERED = 512
"""Parts of axes that are kept: a small layer takes less time than finding them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tile:
    """A box of the result, the box of the source that it needs, and the axes between them."""

    results: tuple[slice, ...]
    sources: tuple[slice, ...]
    axes: tuple[Axis, ...]

    @property
    def result_sizes(self) -> Shape:
        """The sizes of the box of the result."""
        return tuple(part.stop - part.start for part in self.results)


def tiles(convolution: Convolution, positions: int, *, forward: bool) -> Iterator[Tile]:
    """The tiles of C x (`forward`) or Cᵀ y in row-major order, of about `positions` positions.

    Positions are those of y's side, where windows stand, in both directions.
    """
    counts = [_positions(axis, forward=forward) for axis in convolution.axes]
    lengths = tile_lengths(counts, positions)
    per_axis = [
        [_part(axis, first, length, forward=forward) for first in range(0, count, length)]
        for axis, count, length in zip(convolution.axes, counts, lengths, strict=True)
    ]
    for parts in product(*per_axis):
        results, sources, axes = zip(*parts, strict=True)
        yield Tile(results=results, sources=sources, axes=axes)


def tile_lengths(counts: list[int], positions: int) -> list[int]:
    """How many of each axis's positions a tile has: the last axes whole as long as they fit.

    Tiles of an axis are about as long as each other, and of an even number, so that two threads
    end at about the same time.

    >>> tile_lengths([100, 100], 1000), tile_lengths([100, 100], 80), tile_lengths([90], 50)
    ([10, 100], [8, 10], [45])
    """
    if prod(counts) <= positions:
        return counts
    lengths: list[int] = []
    for number in reversed(range(len(counts))):
        kept = prod(min(count, _SHORTEST) for count in counts[:number])
        room = max(1, positions // (prod(lengths) * kept))
        most = min(counts[number], room)
        parts = max(1, -(-counts[number] // max(1, most)))
        parts += parts % 2 if parts > 1 else 0
        lengths.insert(0, max(-(-counts[number] // parts), min(most, _SHORTEST)))
    return lengths


def _positions(axis: Axis, *, forward: bool) -> int:
    """Outputs of C, or steps of the stride in the result of Cᵀ."""
    return axis.output_size if forward else -(-axis.input_size // axis.stride)


@lru_cache(maxsize=_REMEMBERED)
def _part(axis: Axis, first: int, length: int, *, forward: bool) -> tuple[slice, slice, Axis]:
    if forward:
        past = min(first + length, axis.output_size)
        low, high, part = axis.part_of_outputs(first, past)
    else:
        first, past = first * axis.stride, min((first + length) * axis.stride, axis.input_size)
        low, high, part = axis.part_of_inputs(first, past)
    return slice(first, past), slice(low, high), part
