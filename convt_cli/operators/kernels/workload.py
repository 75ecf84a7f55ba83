"""The work that a layer is, and the units in which kernels say what they cost.

The unit of every cost is one multiply-add of a large matrix product.  In a product of a matrix of
n rows and m columns each takes 1 + 16/n + 8/m, as BLAS is slower with few rows and with short
sums.  The passes over arrays come on top.  All are rounded measurements with NumPy's OpenBLAS.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

from convt_cli.arithmetic.convolution import Shape
from convt_cli.operators.kernels.polyphase import Branches

COPY = 40  # copy an element of the source; more where elements lie apart
SUM = 35  # add an element of a product to that of another
ADD = 55  # write an element of a product and add it at its position
REARRANGE = 200  # copy an element of the weight into another order

CALLS_PER_COPY = 6  # calls of NumPy to copy what one tap, or branch, reads

# A multiply-add costs 1 + _FEW_ROWS / rows + _FEW_COLUMNS / columns of the matrix.
_FEW_ROWS = 16
_FEW_COLUMNS = 8

_FEWEST_ROWS = 8
"""The fewest positions of the first axis that a tile has, or all (see `tiles`): it bounds the share
of the halo."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What a kernel costs in one group of a layer.

    `work` is for the whole layer, in multiply-adds; `calls` are the calls of NumPy for each tile;
    `elements` are those of the intermediate arrays for each position.
    """

    work: float
    calls: int
    elements: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """The work that a layer is: what the costs of all kernels are estimated from.

    Each of `groups` has `rows` result channels and `inner` source channels.  `sizes` are those of
    y, one position for each place of the window; `itemsize` is in bytes; `forward` means C x.
    """

    branches: Branches
    rows: int
    inner: int
    sizes: Shape
    groups: int
    itemsize: int
    forward: bool

    def products(self, rows: int, columns: int) -> float:
        """The cost of all multiply-adds, in products with matrices of (rows, columns)."""
        share = 1 + _FEW_ROWS / rows + _FEW_COLUMNS / columns
        return self.multiply_adds * share

    @property
    def multiply_adds(self) -> int:
        """Those of one group, the zeros of the padding included."""
        return self.rows * self.inner * self.tap_count * self.positions

    @property
    def positions(self) -> int:
        """The places of the window."""
        return prod(self.sizes)

    @property
    def tap_count(self) -> int:
        """The taps of all phases."""
        return prod(
            sum(len(branch.phases) * len(branch.starts) for branch in axis)
            for axis in self.branches
        )

    @property
    def phases(self) -> int:
        """The most phases that one branch of every axis has: a product has rows for each."""
        return prod(max(len(branch.phases) for branch in axis) for axis in self.branches)

    @property
    def result_steps(self) -> int:
        """Results for each position: prod(stride) for Cᵀ, 1 for C."""
        return prod(axis[0].result_step for axis in self.branches)

    @property
    def source_steps(self) -> int:
        """Sources for each position: prod(stride) for C, 1 for Cᵀ."""
        return prod(axis[0].source_step for axis in self.branches)

    @property
    def starts(self) -> list[int]:
        """The starts of all branches of an axis: each is a copy of the source."""
        return [sum(len(branch.starts) for branch in axis) for axis in self.branches]

    @property
    def most_starts(self) -> list[int]:
        """The most starts that one branch of an axis has: the longest sum of a product."""
        return [max(len(branch.starts) for branch in axis) for axis in self.branches]

    @property
    def span(self) -> int:
        """The rows between the first start and the last: the halo of a tile."""
        starts = [start for branch in self.branches[0] for start in branch.starts]
        return max(starts) - min(starts)

    @property
    def shortest(self) -> int:
        """The rows of the shortest tile."""
        return min(_FEWEST_ROWS, self.sizes[0])
