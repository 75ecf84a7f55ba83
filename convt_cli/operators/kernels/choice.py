"""The choice of a kernel for a layer, and of the size of its tiles, by estimated costs.

Each kernel says what it costs, in the units of `workload`; the cheapest is taken.  The choice
depends on the layer alone, never on the machine, the batch or a clock.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from math import ceil

from convt_cli.arithmetic.axis import ceil_div
from convt_cli.operators.kernels import KERNELS
from convt_cli.operators.kernels.kernel import Kernel
from convt_cli.operators.kernels.workload import Cost, Workload

_CALL = 100_000  # a call of NumPy, in multiply-adds of a large matrix product

_LARGEST_TILE_BYTES = 32 * 2**20
"""The bound on a tile's arrays that holds even where it then has fewer positions."""
_FEWEST_POSITIONS = 2048
"""The fewest positions of a tile that is cut to fit the cache: shorter products are slow."""
_WORTH_TWO_THREADS = 10**8
"""A layer of a higher cost is cut into at least two tiles, for two threads, if each still has
`_FEWEST_POSITIONS`."""

_CACHED_CHOICES = 512
"""How many choices are cached: a small layer takes less time to apply than to estimate."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """A kernel, its cost for the whole layer, and the positions of a tile."""

    kernel: type[Kernel]
    cost: float
    positions: int


@lru_cache(maxsize=_CACHED_CHOICES)
def cheapest(work: Workload) -> Choice:
    """The kernel of the lowest cost."""
    return min(choices(work), key=lambda choice: choice.cost)


def choices(work: Workload) -> Iterator[Choice]:
    """Every kernel that can do the work."""
    for kernel in KERNELS:
        cost = kernel.cost(work)
        if cost is not None:
            yield _choice(kernel, cost, work)


def _choice(kernel: type[Kernel], cost: Cost, work: Workload) -> Choice:
    """The choice of `kernel`, which costs `cost` in each group."""
    # elements of the tile's boxes of the result and of the source, for each position
    boxes = work.rows * work.result_steps + work.inner * work.source_steps
    size = ceil(cost.elements + boxes) * work.groups * work.itemsize
    positions = positions_per_tile(size, kernel.tile_bytes)
    if work.groups * cost.work > _WORTH_TWO_THREADS:
        positions = min(positions, max(_FEWEST_POSITIONS, ceil_div(work.positions, 2)))
    calls = cost.calls * ceil_div(work.positions, positions)
    return Choice(kernel=kernel, cost=work.groups * cost.work + _CALL * calls, positions=positions)


def positions_per_tile(bytes_per_position: int, tile_bytes: int) -> int:
    """The positions of a tile: as many as fit `tile_bytes`, within the bounds above."""
    fitting = max(tile_bytes // bytes_per_position, _FEWEST_POSITIONS)
    return max(1, min(fitting, _LARGEST_TILE_BYTES // bytes_per_position))
