"""The verdict on every element of an array, by the proved bounds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from convt_cli.analysis.diagnose.bounds import Applied, Reckoning
from convt_cli.analysis.diagnose.precision import PRECISIONS
from convt_cli.analysis.diagnose.subject import Subject
from convt_cli.arithmetic.convolution import Shape
from convt_cli.operators.dtypes import Array

Verdict = Literal["equal", "rounding", "different"]

_UNITS_IN_NORM = 256
"""The units of the accumulator, relative to the result, up to which a difference is small in norm;
Winograd's algorithm for tiles of 4 by 4 stays below some dozens."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Largest:
    """The element that differs most: its place (batch, channel, *position), and its numbers."""

    at: Shape
    got: float
    expected: float
    bound: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """A subject beside what its layer gives: where they are equal, and where they agree.

    Where the shapes differ no element has a counterpart, and none is equal or agrees.
    """

    subject: Subject
    found: Reckoning
    equal: Array
    agrees: Array

    @classmethod
    def of(cls, subject: Subject, found: Reckoning) -> Judged:
        """The verdict on every element of the subject's array."""
        if subject.got.shape != subject.shape:
            nowhere = np.zeros(subject.got.shape, bool)
            return cls(subject=subject, found=found, equal=nowhere, agrees=nowhere)
        return cls(
            subject=subject,
            found=found,
            equal=found.equal(subject.got, subject.held),
            agrees=found.agrees(subject.got, subject.held),
        )

    @property
    def has_counterparts(self) -> bool:
        """Whether the array has the shape of the layer's output."""
        return self.subject.got.shape == self.subject.shape

    @property
    def verdict(self) -> Verdict:
        """The worst verdict on any element."""
        if not (self.has_counterparts and self.agrees.all()):
            return "different"
        return "equal" if self.equal.all() else "rounding"

    @property
    def worst_first(self) -> Array | None:
        """The row-major numbers of the elements that differ, the largest difference first.

        None where no element has a counterpart.
        """
        if not self.has_counterparts:
            return None
        wrong = np.flatnonzero(~self.agrees)
        order: Array = wrong[np.argsort(-self._distances.ravel()[wrong], kind="stable")]
        return order

    @property
    def largest(self) -> Largest | None:
        """The largest difference of the worst verdict; None where there is none to tell."""
        judged = ~(self.equal if self.agrees.all() else self.agrees)
        if not self.has_counterparts or not judged.any():
            return None
        distances = np.where(judged, self._distances, -1)
        at = np.unravel_index(int(distances.argmax()), distances.shape)
        return Largest(
            at=tuple(int(index) for index in at),
            got=float(self.subject.got[at]),
            expected=float(self.found.values[at]),
            bound=float(self.found.bounds(self.subject.held)[at]),
        )

    @property
    def is_small_in_norm(self) -> bool:
        """Whether the differences, all together, are small beside the result."""
        if not self.has_counterparts:
            return False
        distances, values = np.linalg.norm(self._distances), np.linalg.norm(self.found.values)
        allowed = _UNITS_IN_NORM * self.subject.accumulator.unit * values
        return bool(np.isfinite(allowed) and distances <= allowed)

    @property
    def _distances(self) -> Array:
        """|got - value|; infinite where either is no finite number and they are not equal."""
        distances = abs(self.subject.got - self.found.values)
        distances = np.where(np.isfinite(distances), distances, np.inf)
        settled: Array = np.where(self.equal, 0, distances)
        return settled

    def widest_precision(self, whole: Applied) -> str | None:
        """The name of the widest type in which sums explain every element; None for none."""
        if not self.has_counterparts:
            return None
        for one in PRECISIONS.values():
            if whole.summed_in(one).agrees(self.subject.got, self.subject.held).all():
                return one.name
        return None
