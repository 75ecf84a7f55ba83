"""`Stencil`: which elements one window of an axis takes, and where the next window begins.

Beside it stands `each_axis`, which does something for every axis and names the one at fault.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, TypeVar

from convt_cli.errors import GeometryError

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Stencil:
    """`kernel_size` taps of one axis, `dilation` apart; the next window begins `stride` on.

    >>> Stencil(kernel_size=3, dilation=2).effective
    5
    """

    kernel_size: int
    stride: int = 1
    dilation: int = 1

    @property
    def effective(self) -> int:
        """The input elements that a window spans, the taps and what lies between them."""
        return effective_kernel(self.kernel_size, self.dilation)


def effective_kernel(kernel_size: int, dilation: int) -> int:
    """dilation * (kernel_size - 1) + 1: the input elements a window spans."""
    return dilation * (kernel_size - 1) + 1


def stencils_of(
    kernel_size: Iterable[int], stride: Iterable[int], dilation: Iterable[int]
) -> tuple[Stencil, ...]:
    """The stencil of every axis."""
    return tuple(
        Stencil(kernel_size=taps, stride=step, dilation=apart)
        for taps, step, apart in zip(kernel_size, stride, dilation, strict=True)
    )


def each_axis(make: Callable[..., _T], *values: Iterable[Any]) -> tuple[_T, ...]:
    """(make(the values of axis 0), ...); a GeometryError is raised with its axis's number."""
    made = []
    for number, of_axis in enumerate(zip(*values, strict=True)):
        try:
            made.append(make(*of_axis))
        except GeometryError as error:
            raise error.on_axis(number) from None
    return tuple(made)
