"""C x and Cᵀ y without the matrix: tile by tile, with the cheapest kernel for the layer.

All `kernels` compute the same sums, each fast for other channels and sizes, and `choice` estimates
which is cheapest.  Fast ones multiply the zeros of the padding too, so items that a weight of inf
or nan has a part in are computed again, by `taps`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cached_property
from itertools import islice
from math import prod

import numpy as np

from convt_cli.arithmetic.axis import Axis
from convt_cli.arithmetic.convolution import Convolution
from convt_cli.operators.dtypes import Array
from convt_cli.operators.kernels.choice import Choice, cheapest, positions_per_tile
from convt_cli.operators.kernels.polyphase import Branches, forward_branches, transpose_branches
from convt_cli.operators.kernels.scratch import lent
from convt_cli.operators.kernels.taps import Taps
from convt_cli.operators.kernels.workload import Workload
from convt_cli.operators.padding import pad, pad_transpose, without_padding
from convt_cli.operators.threads import each
from convt_cli.operators.tiles import Tile, tiles

_TOGETHER_BYTES = 2 * 2**20
"""The bytes of the small items that one call computes, their copies for each tap included: one
call for several saves calls of NumPy, as long as all stays in the cache."""

Route = Callable[[Convolution, Array, Array], Array]
"""(convolution, weight, batch of arrays) to the batch of results, all in the working dtype."""


class MatrixFree:
    """C (`forward`) or Cᵀ of one convolution with zero padding, to be applied tile by tile.

    `weight` is (out_channels, in_channels // groups, *kernel_size), in the working dtype.
    """

    def __init__(self, convolution: Convolution, weight: Array, *, forward: bool) -> None:
        self._convolution, self._forward = convolution, forward
        grouped = np.ascontiguousarray(weight).reshape(convolution.groups, -1, *weight.shape[1:])
        # (groups, result channels, source channels, *kernel_size), channels per group
        self._weight = grouped if forward else grouped.swapaxes(1, 2)
        self._choice = self._chosen(self._branches_of(convolution.axes))
        self._kernel = self._choice.kernel(self._weight)

    def tiles(self) -> Iterator[Tile]:
        """The tiles whose results make up the whole, in row-major order."""
        return tiles(self._convolution, self._choice.positions, forward=self._forward)

    def fill(self, tile: Tile, source: Array, result: Array) -> None:
        """Fill a tile of the result from its part of the source.

        Both are (batch, channels, *sizes) of the tile's boxes, in the working dtype.
        """
        branches = self._branches_of(tile.axes)
        if not all(branches):  # no tap meets any source
            result[...] = 0
            return
        with lent():
            self._kernel(branches, source, result)
            for item in self._to_redo(result):
                one = slice(item, item + 1)
                Taps(self._weight)(branches, source[one], result[one])

    def filled(self, source: Array, result: Array) -> Array:
        """`result`, (batch, channels, *sizes), with every tile of every item filled."""

        def fill(task: tuple[Tile, slice]) -> None:
            tile, some = task
            self.fill(tile, source[some, :, *tile.sources], result[some, :, *tile.results])

        together = self.items_together if len(source) > 1 else 1
        items = [slice(first, first + together) for first in range(0, len(source), together)]
        tasks = [(tile, some) for tile in self.tiles() for some in items]
        each(fill, tasks, use_default_pool=len(tasks) > 1 and self._is_undivided())
        return result

    @cached_property
    def items_together(self) -> int:
        """How many items of a batch one call computes: 1, or more if an item is one small tile."""
        if len(list(islice(self.tiles(), 2))) > 1:
            return 1
        shapes = self._convolution.input_shape, self._convolution.output_shape
        source, result = shapes if self._forward else shapes[::-1]
        channels = {"source": source[0], "result": result[0]}[self._choice.kernel.copies]
        copies = channels * prod(source[1:]) * prod(self._convolution.kernel_size)
        return max(1, _TOGETHER_BYTES // ((copies + prod(result)) * self._weight.itemsize))

    def _is_undivided(self) -> bool:
        """Whether BLAS computes all products in a single thread, and threads of ours help."""
        return self._kernel.are_undivided(self._branches_of(self._convolution.axes))

    def _to_redo(self, result: Array) -> list[int]:
        """The items that are to be computed again by `taps`, as the weight has an inf or nan.

        Such a weight leaves an inf or nan in each item that it has a part in.  So where the weight
        is larger than a result, the results are searched first.
        """
        if not self._choice.kernel.multiplies_padding:
            return []
        items = list(range(len(result)))
        if self._weight.size > result[:1].size:
            items = [item for item in items if not np.isfinite(result[item].sum())]
        return items if items and not self._finite else []

    @cached_property
    def _finite(self) -> bool:
        # A finite sum has finite terms only, and is computed faster than isfinite for each; the
        # sum of finite terms may overflow, hence the second test.
        with np.errstate(all="ignore"):
            return bool(np.isfinite(self._weight.sum()) or np.isfinite(self._weight).all())

    def _branches_of(self, axes: tuple[Axis, ...]) -> Branches:
        return tuple(map(forward_branches if self._forward else transpose_branches, axes))

    def _chosen(self, branches: Branches) -> Choice:
        groups, rows, inner, *_ = self._weight.shape
        size = groups * self._weight.itemsize
        if not all(branches):  # C has no entry: a tile is its boxes, and nothing to compute
            steps = prod(axis.stride for axis in self._convolution.axes)
            positions = positions_per_tile(size * (rows + inner) * steps, Taps.tile_bytes)
            return Choice(kernel=Taps, cost=0, positions=positions)
        work = Workload(
            branches=branches,
            rows=rows,
            inner=inner,
            sizes=self._convolution.output_shape[1:],
            groups=groups,
            itemsize=self._weight.itemsize,
            forward=self._forward,
        )
        return cheapest(work)


def apply_forward(convolution: Convolution, weight: Array, x: Array) -> Array:
    """C x: (batch, in_channels, *input sizes) to (batch, out_channels, *output sizes).

    Both arrays have the working dtype.
    """
    if convolution.padding_mode != "zeros":
        return apply_forward(without_padding(convolution), weight, pad(convolution, x))
    y = np.empty((len(x), *convolution.output_shape), x.dtype)
    return MatrixFree(convolution, weight, forward=True).filled(x, y)


def apply_transpose(convolution: Convolution, weight: Array, y: Array) -> Array:
    """Cᵀ y: (batch, out_channels, *output sizes) to (batch, in_channels, *input sizes).

    Both arrays have the working dtype.
    """
    if convolution.padding_mode != "zeros":
        padded = apply_transpose(without_padding(convolution), weight, y)
        return pad_transpose(convolution, padded)
    x = np.empty((len(y), *convolution.input_shape), y.dtype)
    return MatrixFree(convolution, weight, forward=False).filled(y, x)


def own_actions(convolution: Convolution) -> tuple[Route, Route]:
    """(A, Aᵀ) of the layer: its own action A is C, or Cᵀ for a transposed convolution."""
    return convolution.as_the_layer((apply_forward, apply_transpose))
