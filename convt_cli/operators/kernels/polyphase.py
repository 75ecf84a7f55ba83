"""Results of one axis that read their sources alike: what lets many be computed as one product.

Along an axis, C takes output o from the inputs o * stride + t * dilation - before.  So outputs
read with one step, `stride`, all by the same taps.  Cᵀ takes input i from the outputs
(i + before - t * dilation) / stride where that is whole: inputs of one residue modulo the
stride, a phase, share their taps, and read with step 1.  Phases whose taps start at the same
outputs read the very same elements and differ in their taps alone; such phases are one `Branch`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from convt_cli.arithmetic.axis import Axis

_REMEMBERED = 512
"""Axes whose branches are kept: a small layer takes less time than finding them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Branch:
    """Results phase + b * result_step, for every phase and b = 0, 1, ..., `length` - 1.

    Tap number n of `taps[p]`, the taps of phase p, reads source `starts[n]` + b * source_step.
    A phase can have one result fewer than `length`; sources outside the array are zero.
    """

    phases: tuple[int, ...]
    taps: tuple[tuple[int, ...], ...]
    starts: tuple[int, ...]
    source_step: int
    result_step: int
    length: int

    def results(self, phase: int) -> slice:
        """The results of phase number `phase`."""
        return slice(self.phases[phase], None, self.result_step)


Branches = tuple[tuple[Branch, ...], ...]
"""The branches of every axis."""

UNIT = Branch(phases=(0,), taps=((0,),), starts=(0,), source_step=1, result_step=1, length=1)
"""An axis of size 1 with a window of size 1."""


@lru_cache(maxsize=_REMEMBERED)
def forward_branches(axis: Axis) -> tuple[Branch, ...]:
    """The one branch of C, from the first tap that meets an input to the last; none without any.

    >>> forward_branches(Axis.conv(input_size=7, kernel_size=3, stride=2, before=1))[0].starts
    (-1, 0, 1)
    """
    meeting = _meeting(axis)
    if not meeting:
        return ()
    taps = tuple(range(meeting[0], meeting[-1] + 1))
    return (
        Branch(
            phases=(0,),
            taps=(taps,),
            starts=tuple(tap * axis.dilation - axis.before for tap in taps),
            source_step=axis.stride,
            result_step=1,
            length=axis.output_size,
        ),
    )


@lru_cache(maxsize=_REMEMBERED)
def transpose_branches(axis: Axis) -> tuple[Branch, ...]:
    """The branches of Cᵀ; inputs that no window reads are in none.

    >>> axis = Axis.conv_transpose(input_size=4, kernel_size=4, stride=2, before=1, after=1)
    >>> [(branch.phases, branch.taps, branch.starts) for branch in transpose_branches(axis)]
    [((0,), ((3, 1),), (-1, 0)), ((1,), ((2, 0),), (0, 1))]
    """
    taps_of: dict[int, list[int]] = {}
    for tap in reversed(_meeting(axis)):
        taps_of.setdefault((tap * axis.dilation - axis.before) % axis.stride, []).append(tap)
    phases_of: dict[tuple[int, ...], list[int]] = {}
    for phase, taps in sorted(taps_of.items()):
        starts = tuple((phase + axis.before - tap * axis.dilation) // axis.stride for tap in taps)
        phases_of.setdefault(starts, []).append(phase)
    return tuple(
        Branch(
            phases=tuple(phases),
            taps=tuple(tuple(taps_of[phase]) for phase in phases),
            starts=starts,
            source_step=1,
            result_step=axis.stride,
            length=max(0, -((phases[0] - axis.input_size) // axis.stride)),
        )
        for starts, phases in phases_of.items()
    )


def _meeting(axis: Axis) -> tuple[int, ...]:
    """The taps that join some output to some input."""
    return tuple(
        tap
        for tap in range(axis.kernel_size)
        if axis.outputs_of_tap(tap)[0] < axis.outputs_of_tap(tap)[1]
    )


def all_covered(branches: Branches) -> bool:
    """Whether every result belongs to a branch; the others read nothing."""
    return all(
        sum(len(branch.phases) for branch in axis) == axis[0].result_step for axis in branches
    )


def pitch(branches: tuple[Branch, ...], size: int) -> int:
    """How long rows of `size` sources have to be to hold the results of each phase as well."""
    return max(size, *(branch.length for branch in branches))
