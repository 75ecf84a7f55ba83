"""Which kernel suits a layer, and how much of the result it computes at a time.

The rule counts in multiply-adds of a good matrix product.  A product of few rows is slower, and
one with few columns to sum over: n rows take the time of n + 16, n columns that of n + 8.
Beside the products a kernel passes over arrays: copying an element costs about as much as 25
multiply-adds, writing a product and adding it twice that, rearranging one of the weight 150.

These figures are round ones, measured with NumPy's OpenBLAS; what they decide depends on the
layer alone, never on the machine, the batch or a clock.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

from convt_cli.arithmetic.combs import Combs

_COPY = 25
_ADD = 50
_REARRANGE = 150
_FEW_ROWS = 16
_FEW_COLUMNS = 8

_TILE_BYTES = 4 * 2**20
_LARGEST_TILE_BYTES = 32 * 2**20
_FEWEST_POSITIONS = 1024
"""The arrays of a tile fit the cache, unless its products became too short for that."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """What there is to do in one group: the results' and the sources' channels, and positions.

    `positions` are those of the windows; `forward` says whether the result is C x.
    """

    combs: Combs
    rows: int
    inner: int
    positions: int
    forward: bool

    @property
    def costs(self) -> dict[str, float]:
        """The cost of every kernel that can do it."""
        costs = {"gather": self._gather(), "gather flat": self._gather_flat()}
        return costs if self.forward else costs | {"scatter": self._scatter()}

    @property
    def kernel(self) -> str:
        """The cheapest kernel."""
        return min(self.costs, key=self.costs.__getitem__)

    def numbers_per_position(self) -> int:
        """The numbers that the kernel holds for each position of a tile."""
        if self.kernel == "scatter":
            return self.rows * self._taps + self.inner
        first, *behind = self._most_starts
        columns = self.inner * prod(behind) * (first if self.kernel == "gather flat" else 1)
        return columns + 2 * self.rows * self._phases

    def _gather(self) -> float:
        first, *behind = self._most_starts
        return (
            self._products(self.rows * self._phases, self.inner * prod(behind))
            + _COPY * self.positions * self.inner * prod(self._starts[1:])
            + _ADD * self.positions * self.rows * self._steps * (first - 1)
            + _REARRANGE * self.rows * self.inner * self._taps
        )

    def _gather_flat(self) -> float:
        return (
            self._products(self.rows * self._phases, self.inner * prod(self._most_starts))
            + _COPY * self.positions * self.inner * prod(self._starts)
            + (0 if self.forward else _REARRANGE * self.rows * self.inner * self._taps)
        )

    def _scatter(self) -> float:
        return (
            self._products(self.rows * self._taps, self.inner)
            + _ADD * self.positions * self.rows * self._taps
        )

    def _products(self, rows: int, columns: int) -> float:
        """All the multiply-adds, done by matrix products of so many rows and columns."""
        share = (1 + _FEW_ROWS / rows) * (1 + _FEW_COLUMNS / columns)
        return self.rows * self.inner * self._taps * self.positions * share

    @property
    def _taps(self) -> int:
        return prod(
            sum(len(comb.phases) * len(comb.starts) for comb in axis) for axis in self.combs
        )

    @property
    def _steps(self) -> int:
        return prod(axis[0].result_step for axis in self.combs)

    @property
    def _phases(self) -> int:
        return prod(max(len(comb.phases) for comb in axis) for axis in self.combs)

    @property
    def _starts(self) -> list[int]:
        return [sum(len(comb.starts) for comb in axis) for axis in self.combs]

    @property
    def _most_starts(self) -> list[int]:
        return [max(len(comb.starts) for comb in axis) for axis in self.combs]


def positions_per_tile(bytes_per_position: int) -> int:
    """How many positions a tile has."""
    fitting = max(_TILE_BYTES // bytes_per_position, _FEWEST_POSITIONS)
    return max(1, min(fitting, _LARGEST_TILE_BYTES // bytes_per_position))
