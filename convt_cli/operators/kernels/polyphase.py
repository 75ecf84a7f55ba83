"""The polyphase decomposition of one axis: results that share taps, as branches.

A strided filter is decomposed into polyphase branches, each an ordinary filter at the lower rate,
which a matrix product can compute for all its results at once.  The terms, for one axis:

- *source* and *result*: the array read and the array made, x and y for C, y and x for Cᵀ.
- *phase*: the residue of a result's position modulo `result_step`.  Results of one phase share
  their taps, since the relation input = output * stride + tap * dilation - before ties a tap to a
  residue of the input modulo the stride.
- *branch*: the phases that read the very same sources, and differ in their taps alone, so that one
  matrix product with rows for each phase computes them all.

C has one branch of one phase: output o reads the inputs o * stride + t * dilation - before by all
the taps t, so sources are read `stride` apart and results written side by side.  Cᵀ has up to
`stride` phases: input i reads the outputs (i + before - t * dilation) / stride where that is
whole, so sources are read side by side, and the results of a phase lie `stride` apart.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from convt_cli.arithmetic.axis import Axis, ceil_div

_CACHED_AXES = 512
"""How many axes' branches are cached: a small layer takes less time to apply than to decompose."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Branch:
    """Results phases[p] + b * result_step for every p and b = 0, 1, ..., length - 1.

    Result b of phase number p is the sum over n of tap taps[p][n] times source starts[n] +
    b * source_step.  Sources outside the array are zero.  The last result of a phase can lie
    outside the array; nothing is written there.
    """

    phases: tuple[int, ...]
    taps: tuple[tuple[int, ...], ...]
    starts: tuple[int, ...]
    source_step: int
    result_step: int
    length: int

    def results(self, phase: int) -> slice:
        """Where the results of phase number `phase` lie on the axis."""
        return slice(self.phases[phase], None, self.result_step)


Branches = tuple[tuple[Branch, ...], ...]
"""The branches of every axis."""

UNIT = Branch(phases=(0,), taps=((0,),), starts=(0,), source_step=1, result_step=1, length=1)
"""An axis of size 1 with a window of size 1."""


@lru_cache(maxsize=_CACHED_AXES)
def forward_branches(axis: Axis) -> tuple[Branch, ...]:
    """(the one branch of C,), or () where no tap meets an input.

    It has the taps from the first that meets an input to the last.

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


@lru_cache(maxsize=_CACHED_AXES)
def transpose_branches(axis: Axis) -> tuple[Branch, ...]:
    """The branches of Cᵀ.  Inputs that no window reads belong to none of them.

    >>> axis = Axis.conv_transpose(input_size=4, kernel_size=4, stride=2, before=1, after=1)
    >>> [(branch.phases, branch.taps, branch.starts) for branch in transpose_branches(axis)]
    [((0,), ((3, 1),), (-1, 0)), ((1,), ((2, 0),), (0, 1))]
    """
    # Taps by phase, the last first: their starts grow with n then.
    taps_of: dict[int, list[int]] = {}
    for tap in reversed(_meeting(axis)):
        taps_of.setdefault((tap * axis.dilation - axis.before) % axis.stride, []).append(tap)
    # Phases by the outputs that their taps start at: equal starts make one branch.
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
            # of the longest phase
            length=max(0, ceil_div(axis.input_size - phases[0], axis.stride)),
        )
        for starts, phases in phases_of.items()
    )


def _meeting(axis: Axis) -> tuple[int, ...]:
    """The taps that some output reads inside the input."""
    return tuple(
        tap
        for tap in range(axis.kernel_size)
        if axis.outputs_of_tap(tap)[0] < axis.outputs_of_tap(tap)[1]
    )


def all_covered(branches: Branches) -> bool:
    """Whether every result belongs to a branch.  Where not, the others are zero."""
    return all(
        sum(len(branch.phases) for branch in axis) == axis[0].result_step for axis in branches
    )


def pitch(branches: tuple[Branch, ...], size: int) -> int:
    """The length of a padded row: `size` sources, or the results of the longest phase."""
    return max(size, *(branch.length for branch in branches))
