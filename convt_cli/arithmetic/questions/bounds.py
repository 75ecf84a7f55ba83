"""The values that a search for layers may try, and how many combinations they make.

Here belong ranges and lists of values, all in ascending order.  What a layer with these values
does is the business of `solver`.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import prod

from convt_cli.arithmetic.keys import Pair
from convt_cli.errors import RequestError

MOST_TRIED = 100_000
"""The most combinations of values that one search goes through, so that it ends soon."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """The values a solution may have, each list in ascending order and without repetition.

    None for `padding` allows 0 to effective_kernel - 1 on each side, None for `output_padding`
    all that the framework takes.
    """

    kernel_size: Sequence[int] = range(1, 12)
    stride: Sequence[int] = range(1, 9)
    dilation: Sequence[int] = range(1, 5)
    padding: Sequence[int] | None = None
    output_padding: Sequence[int] | None = None


def require_few(bounds: Bounds) -> None:
    """Raise RequestError (E503) for bounds with too many combinations to go through."""
    lists = (bounds.kernel_size, bounds.stride, bounds.dilation, bounds.padding or [0])
    count = prod(map(len, lists)) * len(runs(bounds.output_padding or [0]))
    if count > MOST_TRIED:
        raise too_many(f"goes through at most {MOST_TRIED:,} combinations", f"got {count:,}")


def too_many(rule: str, value: str) -> RequestError:
    """The error (E503) for a search that would go through, or find, too much."""
    return RequestError(
        "E503",
        f"a search {rule}",
        value=value,
        help="give fewer values for --kernel-size, --stride, --padding or --dilation",
    )


def pairs_with_sum(allowed: Sequence[int], least: int, most: int) -> Iterator[Pair]:
    """The (before, after) among `allowed` whose sum is `least` to `most`."""
    for before in within(allowed, least - allowed[-1], most - allowed[0]):
        for after in within(allowed, least - before, most - before):
            yield before, after


def within(values: Sequence[int], least: int, most: int) -> Sequence[int]:
    """The ascending `values` from `least` to `most`."""
    return values[bisect_left(values, least) : bisect_right(values, most)]


def runs(values: Sequence[int]) -> tuple[Pair, ...]:
    """The (first, last) of each stretch of ascending values without a gap.

    >>> runs([0, 1, 2, 5])
    ((0, 2), (5, 5))
    """
    # indices of the values that begin a stretch, and of those that follow its end
    firsts = [n for n, value in enumerate(values) if n == 0 or value > values[n - 1] + 1]
    ends = [*firsts[1:], len(values)]
    return tuple((values[first], values[end - 1]) for first, end in zip(firsts, ends))
