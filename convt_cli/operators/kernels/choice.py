"""The choice of a kernel for a layer, and of the size of its tiles, by estimated costs.

The unit of every cost is one multiply-add of a large matrix product.  In a product of a matrix of
n rows and m columns each takes 1 + 16/n + 8/m, as BLAS is slower with few rows and with short
sums.  `rows` computes many products in a call of NumPy: each costs 5,000 to start, and a
multiply-add of it 1 + 8/n + 8/m + 8/w, where w is the width of a row of the result.  The passes
over arrays come on top:

- copying an element costs 40, and more where elements lie apart, up to a cache line for each;
- adding an element of one product to another costs 35;
- writing an element of a product and adding it at its position costs 55;
- rearranging an element of the weight costs 200;
- a call of NumPy costs 100,000 for each tile.

These are rounded measurements with NumPy's OpenBLAS.  The choice depends on the layer alone, never
on the machine, the batch or a clock.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from math import ceil, prod

from convt_cli.arithmetic.convolution import Shape
from convt_cli.operators.kernels.col2im import ROWS_AT_ONCE
from convt_cli.operators.kernels.polyphase import Branch, Branches, pitch
from convt_cli.operators.kernels.products import LONGEST
from convt_cli.operators.kernels.scratch import LINE

# Costs, in multiply-adds of a large matrix product.
_COPY = 40  # copy an element of the source
_SUM = 35  # add an element of a product to that of another
_ADD = 55  # write an element of a product and add it at its position
_REARRANGE = 200  # copy an element of the weight into another order
_CALL = 100_000  # a call of NumPy
_PRODUCT = 5_000  # start one of the many products of a call, in `rows`

_CALLS_PER_COPY = 6  # calls of NumPy to copy what one tap, or branch, reads

# A multiply-add costs 1 + _FEW_ROWS / rows + _FEW_COLUMNS / columns of the matrix; in `rows`
# 1 + _SHORT_ROW / (each of rows, columns and the width of a row of the result).
_FEW_ROWS = 16
_FEW_COLUMNS = 8
_SHORT_ROW = 8

_TILE_BYTES = 8 * 2**20
"""The size of a tile's arrays: they fit the cache, if `_FEWEST_POSITIONS` of them do."""
_OVERLAPPING_TILE_BYTES = 16 * 2**20
"""The same for `col2im`, whose neighbouring tiles both compute the products along their border."""
_LARGEST_TILE_BYTES = 32 * 2**20
"""The bound on a tile's arrays that holds even where it then has fewer positions."""
_FEWEST_POSITIONS = 2048
"""The fewest positions of a tile that is cut to fit the cache: shorter products are slow."""
_WORTH_TWO_THREADS = 10**8
"""A layer of a higher cost is cut into at least two tiles, for two threads, if each still has
`_FEWEST_POSITIONS`."""
_FEWEST_ROWS = 8
"""The fewest positions of the first axis that a tile has, or all (see `tiles`): it bounds the share
of the halo."""

_CACHED_CHOICES = 512
"""How many choices are cached: a small layer takes less time to apply than to estimate."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """A kernel by name, its cost for the whole layer, and the positions of a tile."""

    kernel: str
    cost: float
    positions: int


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

    def choices(self) -> Iterator[Choice]:
        """The cost of each kernel that can do the work."""
        yield self._im2col_partial()
        yield self._im2col_full()
        yield self._rows()
        yield self._taps()
        # col2im adds shifted rows, so it needs sources that are read side by side.
        if self._source_steps == 1:
            yield self._col2im()

    def _im2col_partial(self) -> Choice:
        first, *behind = self._most_starts
        # Elements copied, and partial sums added, for each position.
        copied = self.inner * prod(self._starts[1:]) * self._depth
        summed = self.rows * self._result_steps * (first - 1)
        return self._choice(
            "im2col partial",
            self._products(self.rows * self._phases, self.inner * prod(behind))
            + self._positions * (_COPY * copied + _SUM * summed)
            + _REARRANGE * self.rows * self.inner * self._tap_count,
            calls=_CALLS_PER_COPY
            * prod(map(len, self.branches[1:]))
            * len(_residues(self.branches[0]))
            + 2 * first * prod(map(len, self.branches)),
            elements=self.inner * (prod(behind) * self._depth + self._source_steps)
            + 2 * self.rows * self._phases,
        )

    def _im2col_full(self) -> Choice:
        rearranged = 0 if self.forward else self.rows * self.inner * self._tap_count
        return self._choice(
            "im2col full",
            self._products(self.rows * self._phases, self.inner * prod(self._most_starts))
            + _COPY * self._positions * self.inner * prod(self._starts)
            + _REARRANGE * rearranged,
            calls=(_CALLS_PER_COPY + 1) * prod(map(len, self.branches)) + self._phases,
            elements=self.inner * (prod(self._most_starts) + self._source_steps)
            + 2 * self.rows * self._phases,
        )

    def _rows(self) -> Choice:
        # Each product is (rows, inner) @ (inner, positions behind the first axis).
        inner = self.inner * prod(self._most_starts)
        rows = self.rows * self._phases
        share = 1 + _SHORT_ROW * (1 / prod(self.sizes[1:]) + 1 / rows + 1 / inner)
        products = self.sizes[0] * prod(map(len, self.branches))
        # A sum this long is not cut into small products: BLAS copies the matrix for each.
        matrix = rows * inner if inner > LONGEST else 0
        copied = self.inner * prod(self._starts[1:]) * self._rows_between
        # Reading every step-th element loads the cache lines in between as well.
        apart = 1 + self.itemsize * (self.branches[-1][0].source_step - 1) / LINE
        return self._choice(
            "rows",
            self._multiply_adds * share
            + products * (_PRODUCT + _COPY * matrix)
            + self._positions * _COPY * copied * apart
            + _REARRANGE * self.rows * self.inner * self._tap_count,
            calls=_CALLS_PER_COPY * (prod(self._starts[1:]) + prod(map(len, self.branches))),
            elements=self.inner * prod(self._most_starts[1:]) * self._rows_between
            + self.rows * self._phases,
        )

    def _col2im(self) -> Choice:
        products = self._products(self.rows * self._tap_count, self.inner)
        summed = _ADD * self._positions * self.rows * self._tap_count
        rearranged = self.rows * self.inner * self._tap_count if self.forward else 0
        return self._choice(
            "col2im",
            (products + summed) * self._stretch + _REARRANGE * rearranged,
            calls=self._tap_count,
            elements=(min(self.rows * self._tap_count, ROWS_AT_ONCE) + self.inner) * self._stretch,
            tile_bytes=_OVERLAPPING_TILE_BYTES,
        )

    def _taps(self) -> Choice:
        moved = (_COPY * self.inner + 2 * _ADD * self.rows) * self._positions * self._tap_count
        return self._choice(
            "taps",
            self._products(self.rows, self.inner)
            + moved
            + _REARRANGE * self.rows * self.inner * self._tap_count,
            calls=3 * self._tap_count,
            elements=2 * self.rows + self.inner,
        )

    def _choice(
        self,
        kernel: str,
        cost: float,
        *,
        calls: int,
        elements: float,
        tile_bytes: int = _TILE_BYTES,
    ) -> Choice:
        """The choice of `kernel`, which costs `cost` in a group, beside `calls` for each tile.

        `elements` are those of the intermediate arrays for each position, in a group.
        """
        boxes = self.rows * self._result_steps + self.inner * self._source_steps
        size = ceil(elements + boxes) * self.groups * self.itemsize
        per_tile = positions_per_tile(size, tile_bytes)
        if self.groups * cost > _WORTH_TWO_THREADS:
            per_tile = min(per_tile, max(_FEWEST_POSITIONS, -(-self._positions // 2)))
        cost = self.groups * cost + _CALL * calls * -(-self._positions // per_tile)
        return Choice(kernel=kernel, cost=cost, positions=per_tile)

    def _products(self, rows: int, columns: int) -> float:
        """The cost of all multiply-adds, in products with matrices of (rows, columns)."""
        share = 1 + _FEW_ROWS / rows + _FEW_COLUMNS / columns
        return self._multiply_adds * share

    @property
    def _multiply_adds(self) -> int:
        """Those of one group, the zeros of the padding included."""
        return self.rows * self.inner * self._tap_count * self._positions

    @property
    def _positions(self) -> int:
        return prod(self.sizes)

    @property
    def _tap_count(self) -> int:
        """The taps of all phases."""
        return prod(
            sum(len(branch.phases) * len(branch.starts) for branch in axis)
            for axis in self.branches
        )

    @property
    def _phases(self) -> int:
        """The most phases that one branch of every axis has: a product has rows for each."""
        return prod(max(len(branch.phases) for branch in axis) for axis in self.branches)

    @property
    def _result_steps(self) -> int:
        """Results for each position: prod(stride) for Cᵀ, 1 for C."""
        return prod(axis[0].result_step for axis in self.branches)

    @property
    def _source_steps(self) -> int:
        """Sources for each position: prod(stride) for C, 1 for Cᵀ."""
        return prod(axis[0].source_step for axis in self.branches)

    @property
    def _starts(self) -> list[int]:
        """The starts of all branches of an axis: each is a copy of the source."""
        return [sum(len(branch.starts) for branch in axis) for axis in self.branches]

    @property
    def _most_starts(self) -> list[int]:
        """The most starts that one branch of an axis has: the longest sum of a product."""
        return [max(len(branch.starts) for branch in axis) for axis in self.branches]

    @property
    def _depth(self) -> float:
        """Rows gathered for each position of the first axis, in the shortest tile: 1 and a halo."""
        first = self.branches[0]
        starts = [start for branch in first for start in branch.starts]
        span = (max(starts) - min(starts)) / first[0].source_step
        return len(_residues(first)) * (1 + span / min(_FEWEST_ROWS, self.sizes[0]))

    @property
    def _rows_between(self) -> float:
        """`_depth` of the kernel `rows`, which also copies the rows between those that are read."""
        first = self.branches[0]
        starts = [start for branch in first for start in branch.starts]
        return first[0].source_step + (max(starts) - min(starts)) / min(_FEWEST_ROWS, self.sizes[0])

    @property
    def _stretch(self) -> float:
        """The factor by which padded rows (`pitch`) are longer than the source's."""
        return prod(
            pitch(axis, size) / size
            for axis, size in zip(self.branches[1:], self.sizes[1:], strict=True)
        )


@lru_cache(maxsize=_CACHED_CHOICES)
def cheapest(work: Workload) -> Choice:
    """The kernel of the lowest cost."""
    return min(work.choices(), key=lambda choice: choice.cost)


def _residues(axis: tuple[Branch, ...]) -> set[int]:
    """The residues of the starts modulo the source step: `im2col` lays each out by itself."""
    return {start % branch.source_step for branch in axis for start in branch.starts}


def positions_per_tile(bytes_per_position: int, tile_bytes: int = _TILE_BYTES) -> int:
    """The positions of a tile: as many as fit `tile_bytes`, within the bounds above."""
    fitting = max(tile_bytes // bytes_per_position, _FEWEST_POSITIONS)
    return max(1, min(fitting, _LARGEST_TILE_BYTES // bytes_per_position))
