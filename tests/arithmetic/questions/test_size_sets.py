"""Sets of sizes as progressions: the same set however it is written."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from convt_cli.arithmetic.questions.size_sets import Progression, SizeSet


def size_set(*progressions: tuple[int, int], alone: tuple[int, ...] = ()) -> SizeSet:
    found = tuple(Progression(first=first, step=step) for first, step in progressions)
    return SizeSet(progressions=found, alone=alone)


@st.composite
def pieces(draw: st.DrawFn) -> tuple[int, list[int], set[int]]:
    """A period, first sizes with different remainders, and single sizes."""
    period = draw(st.sampled_from([1, 2, 4, 6, 12]))
    rests = draw(st.lists(st.integers(1, period), unique=True))
    firsts = [rest + period * draw(st.integers(0, 4)) for rest in rests]
    return period, firsts, draw(st.sets(st.integers(1, 60), max_size=5))


class TestShortestForm:
    @given(pieces())
    def test_holds_the_same_sizes(self, drawn: tuple[int, list[int], set[int]]) -> None:
        period, firsts, alone = drawn
        expected = alone | {size for first in firsts for size in range(first, 201, period)}
        found = SizeSet.of(period, firsts, alone)
        assert list(found.up_to(200)) == sorted(expected)
        assert found.count(200) == len(expected)
        assert {size for size in range(1, 201) if size in found} == expected

    @given(pieces(), st.integers(1, 150))
    def test_knows_its_neighbours(self, drawn: tuple[int, list[int], set[int]], size: int) -> None:
        found = SizeSet.of(*drawn)
        sizes = list(found.up_to(300))
        below = [one for one in sizes if one <= size][-1:]
        above = [one for one in sizes if one >= size][:1]
        assert found.nearest(size) == sorted({*below, *above})

    def test_uses_the_smallest_step(self) -> None:
        assert SizeSet.of(4, [5, 6, 3, 8], []) == size_set((5, 1), alone=(3,))

    def test_counts_what_nobody_could_list(self) -> None:
        assert size_set((16, 16)).count(2**53) == 2**49


@pytest.mark.parametrize(
    ("found", "words"),
    [
        (size_set((1, 1)), "all"),
        (size_set((32, 1)), "all from 32"),
        (size_set((16, 16)), "multiples of 16"),
        (size_set((48, 16)), "multiples of 16 from 48"),
        (size_set((188, 16)), "188 + 16 j"),
        (size_set((19, 32), (20, 32), (21, 32), (40, 32)), "19..21 + 32 j; 40 + 32 j"),
        (size_set(alone=(8, 9)), "8; 9"),
        (size_set(), "none"),
    ],
)
def test_words(found: SizeSet, words: str) -> None:
    assert str(found) == words
    assert bool(found) == (words != "none")
