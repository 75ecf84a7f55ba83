"""C x and Cᵀ y tap by tap, on existing elements only.

For one tap (t_1, ..., t_r) the relation input = output * stride + tap * dilation - before joins a
range of outputs to a range of inputs with step `stride`: two slices.  No zero of the padding is
multiplied, so this is right for weights with inf or nan too, where the 0 * inf of the other
kernels is nan.
"""

from __future__ import annotations

from itertools import product
from math import prod
from typing import ClassVar

import numpy as np

from convt_cli.operators.dtypes import Array
from convt_cli.operators.kernels.kernel import Kernel
from convt_cli.operators.kernels.polyphase import Branch, Branches
from convt_cli.operators.kernels.views import Places
from convt_cli.operators.kernels.workload import ADD, COPY, REARRANGE, Cost, Workload

_Move = tuple[int, slice, slice]
"""A tap of one axis, the sources that it reads, and the results that it is added to."""


class Taps(Kernel):
    """The kernel that adds tap by tap, slow and always right."""

    name: ClassVar = "taps"
    copies: ClassVar = "source"
    multiplies_padding: ClassVar = False

    @classmethod
    def cost(cls, work: Workload) -> Cost:
        """The cost of a product and two passes over the results for each tap."""
        moved = (COPY * work.inner + 2 * ADD * work.rows) * work.positions * work.tap_count
        return Cost(
            work=work.products(work.rows, work.inner)
            + moved
            + REARRANGE * work.rows * work.inner * work.tap_count,
            calls=3 * work.tap_count,
            elements=2 * work.rows + work.inner,
        )

    def __init__(self, weight: Array) -> None:
        self._weight = weight

    def __call__(self, branches: Branches, source: Array, result: Array) -> None:
        """Fill `result`, (batch, channels, *sizes), from `source`, (batch, channels, *sizes)."""
        groups, channels, inner, *_ = self._weight.shape
        result[...] = 0
        for moves in product(*map(_moves, branches, source.shape[2:], result.shape[2:])):
            taps, read, written = zip(*moves, strict=True)
            part = source[:, :, *read]
            batch, _, *sizes = part.shape
            # (batch, groups, source channels, positions)
            flat = np.ascontiguousarray(part).reshape(batch, groups, inner, prod(sizes))
            # per item and group (result channels, source channels) @ (source channels, positions)
            sent = np.matmul(self._weight[:, :, :, *taps], flat)
            # (batch, result channels, *positions)
            result[:, :, *written] += sent.reshape(batch, groups * channels, *sizes)


def _moves(branches: tuple[Branch, ...], source_size: int, result_size: int) -> list[_Move]:
    """The moves of an axis that join any elements, tap by tap from the first to the last."""
    moves = []
    for branch in branches:
        for phase, taps in zip(branch.phases, branch.taps, strict=True):
            results = Places(phase, branch.result_step, branch.length)
            _, end = results.inside(result_size)
            for tap, start in zip(taps, branch.starts, strict=True):
                sources = Places(start, branch.source_step, branch.length)
                low, past = sources.inside(source_size)
                if low < min(past, end):
                    span = low, min(past, end)
                    moves.append((tap, sources.elements(*span), results.elements(*span)))
    return sorted(moves, key=lambda move: move[0])
