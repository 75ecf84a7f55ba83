"""The changes that explain all of an array: each tried on a few elements first, then on all.

A change is named only if with it every element agrees to rounding.  As the layer without it does
not, a change that changes nothing is never named; where several fit, all of them are.  Two changes
at once are tried where one alone does not do.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from convt_cli.analysis.diagnose.bounds import Reckoning
from convt_cli.analysis.diagnose.changes import ALONE, CHANGES, Variant
from convt_cli.analysis.diagnose.sampled import Places, places_to_look, sampled
from convt_cli.analysis.diagnose.subject import Subject
from convt_cli.arithmetic.layers.linear import Linear
from convt_cli.operators.dtypes import Array

MOST_NAMED = 3
"""How many explanations are given."""
_MOST_APPLIED = 16
"""How many changes are tried on all elements, two applications of the layer each at most."""
_FIRST_LOOK = 8
"""The elements that are looked at first, the worst ones: they rule out nearly everything."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """Changes to a layer that make all of an array agree: one, or two at once.

    `was` and `becomes` are what changed, as JSON has it; explanations of one `key` are the same.
    """

    change: str
    was: object
    becomes: object
    text: str
    framework: str | None
    key: str
    also: Explanation | None = None

    @property
    def keys(self) -> tuple[str, ...]:
        """What tells two explanations apart: what was changed, and into what."""
        return (self.key, *(self.also.keys if self.also else ()))


class Search:
    """The search for what explains `subject`, whose own reckoning is `base`.

    `wrong` has the row-major numbers of the elements that differ, the worst first; None where the
    shapes differ.
    """

    def __init__(self, subject: Subject, base: Reckoning, wrong: Array | None) -> None:
        self._subject, self._base, self._wrong = subject, base, wrong
        self._places: dict[tuple[int, ...], Places] = {}
        self._applied = 0

    def explanations(self) -> tuple[Explanation, ...]:
        """All single changes that explain the array, simplest first, or else pairs of changes."""
        if not self._subject.got.size:
            return ()  # whatever is said of no element at all would be true
        one = tuple(self._fitting(_variants(self._subject)))
        if one:
            return one[:MOST_NAMED]
        return tuple(self._fitting(_pairs(self._subject)))[:MOST_NAMED]

    def _fitting(self, variants: Iterable[tuple[Variant, ...]]) -> Iterator[Explanation]:
        seen: set[tuple[str, ...]] = set()
        for chain in variants:
            if len(seen) >= MOST_NAMED or self._applied >= _MOST_APPLIED:
                return
            found = self._explanation(chain) if self._is_worth_it(chain[-1].subject) else None
            if found is not None and found.keys not in seen:
                seen.add(found.keys)
                yield found

    def _explanation(self, chain: tuple[Variant, ...]) -> Explanation | None:
        """The explanation by these changes; None if it does not explain every element."""
        subject = chain[-1].subject
        bare = self._bare(subject)
        finished = subject.finished(bare, subject.got)
        if finished is None or finished.values.shape != subject.got.shape:
            return None
        if not finished.agrees(subject.got, subject.held).all():
            return None
        return _named(chain, bare)

    def _bare(self, subject: Subject) -> Reckoning:
        own = self._subject
        if subject.prepared is own.prepared and subject.sources is own.sources:
            return self._base
        self._applied += 1
        return subject.bare()

    def _is_worth_it(self, subject: Subject) -> bool:
        """Whether the subject agrees with its array on the elements that are looked at."""
        if subject.finish and subject.prepared is self._subject.prepared:
            return True  # no application is needed for it
        if subject.shape != subject.got.shape:
            return False
        if subject.convolution is None:
            return self._one_channel_agrees(subject) and self._some_features_agree(subject)
        places = self._looked_at(subject.got.shape)
        for part in (slice(_FIRST_LOOK), slice(_FIRST_LOOK, None)):
            some = tuple(index[part] for index in places)
            if not some[0].size:
                break
            got = subject.got[some]
            found = subject.finished(sampled(subject, subject.convolution, some), got)
            if found is None or not found.agrees(got, subject.held).all():
                return False
        return True

    def _looked_at(self, shape: tuple[int, ...]) -> Places:
        if shape not in self._places:
            wrong = self._wrong if shape == self._subject.got.shape else None
            self._places[shape] = places_to_look(shape, wrong)
        return self._places[shape]

    def _one_channel_agrees(self, subject: Subject) -> bool:
        """Whether the worst channel of a pool agrees; other layers cost little as a whole."""
        if not subject.axes or len(subject.sources) > 1:
            return True
        worst = 0 if self._wrong is None else self._wrong[0]
        item, channel, *_ = np.unravel_index(worst, self._subject.got.shape)
        one = slice(item, item + 1), slice(channel, channel + 1)
        got = subject.got[one]
        part = subject.with_sources(subject.sources[0][one])
        found = part.finished(part.bare(), got)
        return found is not None and bool(found.agrees(got, subject.held).all())

    def _some_features_agree(self, subject: Subject) -> bool:
        """Whether the first and the worst features of a matrix agree."""
        if not isinstance(subject.prepared.definition, Linear) or subject.got.ndim != 2:
            return True
        features = self._looked_at(subject.got.shape)[1][:_FIRST_LOOK]
        arrays = {name: array[features] for name, array in subject.prepared.parameters.items()}
        part, got = subject.with_parameters(**arrays), subject.got[:, features]
        found = part.finished(part.bare(), got)
        return found is not None and bool(found.agrees(got, subject.held).all())


def _variants(subject: Subject) -> Iterator[tuple[Variant, ...]]:
    """Every single change."""
    return ((variant,) for make in CHANGES.values() for variant in make(subject))


def _pairs(subject: Subject) -> Iterator[tuple[Variant, ...]]:
    """Every two common changes of different kinds, in the order of the table."""
    kinds = [make for kind, make in CHANGES.items() if kind not in ALONE]
    for number, make in enumerate(kinds):
        for first in make(subject):
            if not first.common:
                continue
            for other in kinds[number + 1 :]:
                yield from ((first, one) for one in other(first.subject) if one.common)


def _named(chain: tuple[Variant, ...], bare: Reckoning) -> Explanation:
    """The changes as an explanation, the first with the second behind it."""
    first, *rest = chain
    becomes, text = first.becomes, first.text
    if first.told is not None:
        becomes, text = first.told(bare, chain[-1].subject.got)
    return Explanation(
        change=first.change,
        was=first.was,
        becomes=becomes,
        text=text,
        framework=first.framework,
        key=f"{first.change} {becomes if first.key is None else first.key}",
        also=_named(tuple(rest), first.subject.finished(bare, first.subject.got) or bare)
        if rest
        else None,
    )
