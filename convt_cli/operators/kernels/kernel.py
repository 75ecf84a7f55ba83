"""`Kernel`: what every kernel has, for the choice between them and for running the chosen one."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar, Literal

from convt_cli.operators.dtypes import Array
from convt_cli.operators.kernels.polyphase import Branches
from convt_cli.operators.kernels.workload import Cost, Workload


class Kernel(ABC):
    """One way to compute C x and Cᵀ y.  The class knows the cost, an instance has one weight.

    `name` is the kernel's name.  Where it `copies` the source or the result, it holds a copy for
    each tap.  Tiles are cut so that their arrays take about `tile_bytes`, small enough for the
    cache.  A kernel that `multiplies_padding` is wrong for weights with inf or nan: 0 * inf is nan.
    """

    name: ClassVar[str]
    copies: ClassVar[Literal["source", "result"]]
    tile_bytes: ClassVar[int] = 8 * 2**20
    multiplies_padding: ClassVar[bool] = True

    @classmethod
    @abstractmethod
    def cost(cls, work: Workload) -> Cost | None:
        """What the kernel costs for one group; None if it cannot do the work."""

    @abstractmethod
    def __init__(self, weight: Array) -> None:
        """The kernel for (groups, result channels, source channels, *kernel_size).

        Channels are those of a group.
        """

    @abstractmethod
    def __call__(self, branches: Branches, source: Array, result: Array) -> None:
        """Fill `result`, (batch, channels, *sizes), from `source`, (batch, channels, *sizes)."""

    def are_undivided(self, branches: Branches) -> bool:  # noqa: ARG002  # for kernels that know
        """Whether BLAS is known to compute every product for `branches` in a single thread."""
        return False
