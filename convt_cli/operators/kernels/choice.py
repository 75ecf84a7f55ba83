"""Which kernel suits a layer, and how much of the result it computes at a time.

The rule counts in multiply-adds of a good matrix product.  A product of few rows is slower, and
one with few columns to sum over: with n rows and m columns a multiply-add takes 1 + 16/n + 8/m.
The products of `rows`, many for one call of NumPy, take 5,000 each, and a multiply-add of theirs
1 + 8/n + 8/m + 8/w where w results are computed at a time.  Beside the products a kernel passes
over arrays: copying an element costs about as much as 40 multiply-adds, and more for elements
that lie apart, up to a line of the cache each; adding one of a product to another 35, writing one
and adding it here or there 55, rearranging one of the weight 200; and every call of NumPy, for
every tile, 100,000.

These figures are round ones, measured with NumPy's OpenBLAS; what they decide depends on the
layer alone, never on the machine, the batch or a clock.
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

_COPY = 40
_SUM = 35
_ADD = 55
_REARRANGE = 200
_CALL = 100_000
_CALLS_TO_GATHER = 6
_FEW_ROWS = 16
_FEW_COLUMNS = 8
_SHORT = 8
_PRODUCT = 5_000

_TILE_BYTES = 8 * 2**20
_OVERLAPPING_TILE_BYTES = 16 * 2**20
_LARGEST_TILE_BYTES = 32 * 2**20
_FEWEST_POSITIONS = 2048
"""The arrays of a tile fit the cache, unless its products became too short for that; they are
larger where neighbouring tiles compute the products along their border twice."""
_WORTH_TWO_THREADS = 10**8
"""A layer that costs more has at least two tiles, unless its products became too short."""
_FEWEST_ROWS = 8
"""Of the first axis a tile has at least so many, or all of them; see `tiles`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """A kernel, what it costs, and the positions that it computes at a time."""

    kernel: str
    cost: float
    positions: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """What there is to do in one group: the results' and the sources' channels, and positions.

    `sizes` are the positions of the windows on each axis, `itemsize` the bytes of a number, and
    `forward` says that the result is C x.
    """

    branches: Branches
    rows: int
    inner: int
    sizes: Shape
    groups: int
    itemsize: int
    forward: bool

    def choices(self) -> Iterator[Choice]:
        """Every kernel that can do it."""
        yield self._gather()
        yield self._gather_flat()
        yield self._rows()
        yield self._taps()
        if self._source_steps == 1:
            yield self._scatter()

    def _gather(self) -> Choice:
        first, *behind = self._most_starts
        copied = self.inner * prod(self._starts[1:]) * self._depth
        summed = self.rows * self._result_steps * (first - 1)
        return self._choice(
            "im2col partial",
            self._products(self.rows * self._phases, self.inner * prod(behind))
            + self._positions * (_COPY * copied + _SUM * summed)
            + _REARRANGE * self.rows * self.inner * self._tap_count,
            calls=_CALLS_TO_GATHER
            * prod(map(len, self.branches[1:]))
            * len(_residues(self.branches[0]))
            + 2 * first * prod(map(len, self.branches)),
            numbers=self.inner * (prod(behind) * self._depth + self._source_steps)
            + 2 * self.rows * self._phases,
        )

    def _gather_flat(self) -> Choice:
        rearranged = 0 if self.forward else self.rows * self.inner * self._tap_count
        return self._choice(
            "im2col full",
            self._products(self.rows * self._phases, self.inner * prod(self._most_starts))
            + _COPY * self._positions * self.inner * prod(self._starts)
            + _REARRANGE * rearranged,
            calls=(_CALLS_TO_GATHER + 1) * prod(map(len, self.branches)) + self._phases,
            numbers=self.inner * (prod(self._most_starts) + self._source_steps)
            + 2 * self.rows * self._phases,
        )

    def _rows(self) -> Choice:
        inner = self.inner * prod(self._most_starts)
        rows = self.rows * self._phases
        share = 1 + _SHORT * (1 / prod(self.sizes[1:]) + 1 / rows + 1 / inner)
        products = self.sizes[0] * prod(map(len, self.branches))
        matrix = rows * inner if inner > LONGEST else 0
        copied = self.inner * prod(self._starts[1:]) * self._rows_between
        apart = 1 + self.itemsize * (self.branches[-1][0].source_step - 1) / LINE
        return self._choice(
            "rows",
            self._multiply_adds * share
            + products * (_PRODUCT + _COPY * matrix)
            + self._positions * _COPY * copied * apart
            + _REARRANGE * self.rows * self.inner * self._tap_count,
            calls=_CALLS_TO_GATHER * (prod(self._starts[1:]) + prod(map(len, self.branches))),
            numbers=self.inner * prod(self._most_starts[1:]) * self._rows_between
            + self.rows * self._phases,
        )

    def _scatter(self) -> Choice:
        products = self._products(self.rows * self._tap_count, self.inner)
        summed = _ADD * self._positions * self.rows * self._tap_count
        rearranged = self.rows * self.inner * self._tap_count if self.forward else 0
        return self._choice(
            "col2im",
            (products + summed) * self._stretch + _REARRANGE * rearranged,
            calls=self._tap_count,
            numbers=(min(self.rows * self._tap_count, ROWS_AT_ONCE) + self.inner) * self._stretch,
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
            numbers=2 * self.rows + self.inner,
        )

    def _choice(
        self,
        kernel: str,
        cost: float,
        *,
        calls: int,
        numbers: float,
        tile_bytes: int = _TILE_BYTES,
    ) -> Choice:
        boxes = self.rows * self._result_steps + self.inner * self._source_steps
        size = ceil(numbers + boxes) * self.groups * self.itemsize
        per_tile = positions_per_tile(size, tile_bytes)
        if self.groups * cost > _WORTH_TWO_THREADS:
            per_tile = min(per_tile, max(_FEWEST_POSITIONS, -(-self._positions // 2)))
        cost = self.groups * cost + _CALL * calls * -(-self._positions // per_tile)
        return Choice(kernel=kernel, cost=cost, positions=per_tile)

    def _products(self, rows: int, columns: int) -> float:
        """All the multiply-adds, done by matrix products of so many rows and columns."""
        share = 1 + _FEW_ROWS / rows + _FEW_COLUMNS / columns
        return self._multiply_adds * share

    @property
    def _multiply_adds(self) -> int:
        return self.rows * self.inner * self._tap_count * self._positions

    @property
    def _positions(self) -> int:
        return prod(self.sizes)

    @property
    def _tap_count(self) -> int:
        return prod(
            sum(len(branch.phases) * len(branch.starts) for branch in axis)
            for axis in self.branches
        )

    @property
    def _phases(self) -> int:
        return prod(max(len(branch.phases) for branch in axis) for axis in self.branches)

    @property
    def _result_steps(self) -> int:
        return prod(axis[0].result_step for axis in self.branches)

    @property
    def _source_steps(self) -> int:
        return prod(axis[0].source_step for axis in self.branches)

    @property
    def _starts(self) -> list[int]:
        return [sum(len(branch.starts) for branch in axis) for axis in self.branches]

    @property
    def _most_starts(self) -> list[int]:
        return [max(len(branch.starts) for branch in axis) for axis in self.branches]

    @property
    def _depth(self) -> float:
        """Rows of the first axis that are gathered for each of its positions, in a short tile."""
        first = self.branches[0]
        starts = [start for branch in first for start in branch.starts]
        span = (max(starts) - min(starts)) / first[0].source_step
        return len(_residues(first)) * (1 + span / min(_FEWEST_ROWS, self.sizes[0]))

    @property
    def _rows_between(self) -> float:
        """Rows of the first axis, read or not, for each of its positions, in a short tile."""
        first = self.branches[0]
        starts = [start for branch in first for start in branch.starts]
        return first[0].source_step + (max(starts) - min(starts)) / min(_FEWEST_ROWS, self.sizes[0])

    @property
    def _stretch(self) -> float:
        """How much longer the zeros behind them make the other axes."""
        return prod(
            pitch(axis, size) / size
            for axis, size in zip(self.branches[1:], self.sizes[1:], strict=True)
        )


@lru_cache(maxsize=512)
def cheapest(work: Workload) -> Choice:
    """The kernel that suits the work; of those asked for last it is known."""
    return min(work.choices(), key=lambda choice: choice.cost)


def _residues(axis: tuple[Branch, ...]) -> set[int]:
    return {start % branch.source_step for branch in axis for start in branch.starts}


def positions_per_tile(bytes_per_position: int, tile_bytes: int = _TILE_BYTES) -> int:
    """How many positions a tile has."""
    fitting = max(tile_bytes // bytes_per_position, _FEWEST_POSITIONS)
    return max(1, min(fitting, _LARGEST_TILE_BYTES // bytes_per_position))
