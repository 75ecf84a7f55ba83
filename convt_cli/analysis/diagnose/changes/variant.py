"""A hypothesis: the subject with one thing changed, and what that change is called."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import permutations

from convt_cli.analysis.diagnose.bounds import Reckoning
from convt_cli.analysis.diagnose.subject import Subject
from convt_cli.arithmetic.convolution import Shape
from convt_cli.operators.dtypes import Array


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """A subject with one change; `was` and `becomes` are the value that changed, as JSON has it.

    `framework` is the one whose rule it follows; of variants with one `key`, or else equal
    `becomes`, only the first is named.  Changes that are `common` are also tried
    together with another.  `told` finds `becomes` and `text` where they follow from the arrays.
    """

    change: str
    subject: Subject
    was: object
    becomes: object
    text: str
    framework: str | None = None
    key: object = None
    common: bool = True
    told: Callable[[Reckoning, Array], tuple[object, str]] | None = None


_FARTHEST_TURN = 8
"""How many places the order of many things is turned by at most."""

Changes = Callable[[Subject], Iterator[Variant]]
"""All variants of a subject by one kind of change."""


def other_orders(count: int) -> list[Shape]:
    """All orders of `count` things but their own, where they are few.

    Of many the reverse, and those turned by up to `_FARTHEST_TURN` places.

    >>> other_orders(2), len(other_orders(5))
    ([(1, 0)], 5)
    """
    own = tuple(range(count))
    if count <= 4:
        return list(permutations(own))[1:]
    turns = [turn for turn in range(1, count) if min(turn, count - turn) <= _FARTHEST_TURN]
    return [own[::-1], *(own[turn:] + own[:turn] for turn in turns)]
