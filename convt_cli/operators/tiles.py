"""Tiles: C x and Cᵀ y cut into boxes that can be computed one by one.

A tile is a box of the result, the box of the source that it depends on (its halo included), and
the axes between the two, which are those of an ordinary smaller convolution.  Tiles of Cᵀ begin
at multiples of the stride, so that every tile has the phases of the whole.  The cut follows from
the convolution and the wanted size alone, never from memory, batch or threads: so a result has
the same bytes whichever way it is computed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import product
from math import prod

from convt_cli.arithmetic.axis import Axis, ceil_div
from convt_cli.arithmetic.convolution import Convolution, Shape

_SHORTEST = 8
"""The fewest positions per axis: later axes are cut first, and in shorter tiles windows overlap
too much, so that too many elements of the source are read twice."""

_CACHED_PARTS = 512
"""How many parts of axes are cached: a small layer takes less time to apply than to cut."""


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

    In both directions positions are counted on y's side, one for each place of the window.
    """
    counts = [_positions(axis, forward=forward) for axis in convolution.axes]
    lengths = tile_lengths(counts, positions)
    parts_per_axis = [
        [part_of_axis(axis, first, length, forward=forward) for first in range(0, count, length)]
        for axis, count, length in zip(convolution.axes, counts, lengths, strict=True)
    ]
    for parts in product(*parts_per_axis):
        results, sources, axes = zip(*parts, strict=True)
        yield Tile(results=results, sources=sources, axes=axes)


def tile_lengths(counts: list[int], positions: int) -> list[int]:
    """The length of a tile on each axis: the last axes stay whole as long as they fit.

    An axis that is cut has an even number of tiles of about the same length, so that two threads
    end at about the same time.

    >>> tile_lengths([100, 100], 1000), tile_lengths([100, 100], 80), tile_lengths([90], 50)
    ([10, 100], [8, 10], [45])
    """
    if prod(counts) <= positions:
        return counts
    lengths: list[int] = []
    for number in reversed(range(len(counts))):
        # Earlier axes are cut later, but to no less than this; it is set aside for them.
        kept = prod(min(count, _SHORTEST) for count in counts[:number])
        room = max(1, positions // (prod(lengths) * kept))
        most = min(counts[number], room)
        parts = max(1, ceil_div(counts[number], max(1, most)))
        parts += parts % 2 if parts > 1 else 0
        lengths.insert(0, max(ceil_div(counts[number], parts), min(most, _SHORTEST)))
    return lengths


def _positions(axis: Axis, *, forward: bool) -> int:
    """The outputs of C, or the strides that the result of Cᵀ is long (the last may be partial)."""
    return axis.output_size if forward else ceil_div(axis.input_size, axis.stride)


@lru_cache(maxsize=_CACHED_PARTS)
def part_of_axis(
    axis: Axis, first: int, length: int, *, forward: bool
) -> tuple[slice, slice, Axis]:
    """(results, sources, the axis between them) of positions `first` to first + length - 1."""
    if forward:
        past = min(first + length, axis.output_size)
        low, high, part = axis.part_of_outputs(first, past)
    else:
        first, past = first * axis.stride, min((first + length) * axis.stride, axis.input_size)
        low, high, part = axis.part_of_inputs(first, past)
    return slice(first, past), slice(low, high), part
