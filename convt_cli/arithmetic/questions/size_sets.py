"""Sets of sizes as arithmetic progressions and a few sizes that stand alone.

Here belong the operations on such a set: what is in it, how many up to a bound, which are nearest,
and the same set with as few progressions as possible.  `closing` finds which sizes those are.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from heapq import merge
from itertools import chain


@dataclass(frozen=True, slots=True, kw_only=True)
class Progression:
    """first, first + step, first + 2 step, ..."""

    first: int
    step: int

    def __contains__(self, size: int) -> bool:
        return size >= self.first and (size - self.first) % self.step == 0

    def up_to(self, bound: int) -> range:
        """Its sizes up to `bound`, that included."""
        return range(self.first, bound + 1, self.step)

    def around(self, size: int) -> list[int]:
        """Its last size up to `size`, if there is one, and its first size from `size` on."""
        if size <= self.first:
            return [self.first]
        below = size - (size - self.first) % self.step
        return [below, below + (self.step if below < size else 0)]


@dataclass(frozen=True, slots=True, kw_only=True)
class SizeSet:
    """The sizes of `progressions`, which have none in common, and the single sizes of `alone`."""

    progressions: tuple[Progression, ...]
    alone: tuple[int, ...] = ()

    @classmethod
    def of(cls, period: int, firsts: Iterable[int], alone: Iterable[int]) -> SizeSet:
        """The set of progressions of step `period` from each of `firsts`, and of `alone`.

        It is written with the smallest step that fits, so with as few progressions as possible.

        >>> str(SizeSet.of(4, [4, 6, 9, 7], [2]))
        '2; 4; all from 6'
        """
        starts = {first % period: first for first in firsts}
        # The smallest step, a divisor of the period, whose progressions hold the same sizes.
        steps = (step for step in range(1, period + 1) if period % step == 0)
        tries = (_merged(starts, period, step) for step in steps)
        merged = next(found for found in tries if found is not None)
        # Sizes before the merged progressions begin stand alone, or extend one to the front.
        early = (range(first, first + 2 * period, period) for first in starts.values())
        left = {*alone, *chain.from_iterable(early)}
        left = {size for size in left if not any(size in one for one in merged)}
        return cls(
            progressions=tuple(sorted((_extended(one, left) for one in merged), key=_first)),
            alone=tuple(sorted(left)),
        )

    def __bool__(self) -> bool:
        return bool(self.progressions or self.alone)

    def __contains__(self, size: int) -> bool:
        return size in self.alone or any(size in one for one in self.progressions)

    def __str__(self) -> str:
        """The set in words; progressions that begin side by side are written together.

        >>> str(SizeSet(progressions=(Progression(first=188, step=16),)))
        '188 + 16 j'
        >>> str(SizeSet(progressions=(Progression(first=32, step=16),), alone=(7, 8)))
        '7; 8; multiples of 16 from 32'
        """
        groups: list[tuple[int, int, int]] = []  # (first, last, step) of progressions side by side
        for one in self.progressions:
            first, last, step = groups[-1] if groups else (0, 0, 0)
            if (one.first, one.step) == (last + 1, step):
                groups[-1] = (first, one.first, step)
            else:
                groups.append((one.first, one.first, one.step))
        return "; ".join([*map(str, self.alone), *(_words(*group) for group in groups)]) or "none"

    def up_to(self, bound: int) -> Iterator[int]:
        """Its sizes up to `bound`, in ascending order."""
        alone = (size for size in self.alone if size <= bound)
        return merge(alone, *(one.up_to(bound) for one in self.progressions))

    def count(self, bound: int) -> int:
        """How many of its sizes are at most `bound`."""
        alone = sum(size <= bound for size in self.alone)
        # len() stops at 2^63, bounds at 2^53.
        return alone + sum(len(one.up_to(bound)) for one in self.progressions)

    def nearest(self, size: int) -> list[int]:
        """Its last size up to `size` and its first size from `size` on, where there are any."""
        near = {*self.alone, *(end for one in self.progressions for end in one.around(size))}
        below = [end for end in near if end <= size]
        above = [end for end in near if end >= size]
        found = set()
        if below:
            found.add(max(below))
        if above:
            found.add(min(above))
        return sorted(found)


def _words(first: int, last: int, step: int) -> str:
    """A text for the sizes `first` to `last` and all that follow them in steps of `step`."""
    if step == 1:
        return "all" if first == 1 else f"all from {first}"
    if first < last:
        return f"{first}..{last} + {step} j"
    if first % step:
        return f"{first} + {step} j"
    return f"multiples of {step}" + ("" if first == step else f" from {first}")


def _first(progression: Progression) -> int:
    return progression.first


def _merged(starts: dict[int, int], period: int, step: int) -> list[Progression] | None:
    """The progressions of the smaller `step` with the same sizes, but for the first few.

    `starts` are the first sizes of the progressions of step `period`, by their remainders.  None
    where a step so small would include other sizes, or leave out two periods' sizes or more.
    """
    found = []
    for residue in range(step):
        firsts = [starts[n] for n in range(residue, period, step) if n in starts]
        if not firsts:
            continue
        if len(firsts) < period // step or max(firsts) - min(firsts) >= 2 * period:
            return None
        found.append(Progression(first=max(firsts) - period + step, step=step))
    return found


def _extended(progression: Progression, left: set[int]) -> Progression:
    """The progression, begun earlier by sizes of `left` that precede it; they are removed there."""
    first = progression.first
    while first - progression.step in left:
        first -= progression.step
        left.remove(first)
    return Progression(first=first, step=progression.step)
