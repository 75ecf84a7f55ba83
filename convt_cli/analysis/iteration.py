"""The largest singular value of an operator, by iteration, with a bound on its error.

The search space grows by the residual of its best vector, as in Lanczos's method; when it is
full it shrinks to its best vectors and the best one of the step before, which keeps nearly the
pace of a space that never shrinks (Stathopoulos and Saad's "thick restart with plus one").

For unit vectors u and v with A v = s u, some singular value lies within |Aᵀu - s v| / sqrt(2) of
s (Weyl, of the symmetric matrix that has A and Aᵀ beside its diagonal), and none above the
largest is found: s is never larger than that.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from convt_cli.io import memory
from convt_cli.operators.dtypes import Array

_LARGEST_SPACE = 20
_SMALLEST_SPACE = 6
_SPACE_BYTES = 192 * 2**20
_KEPT = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """A singular value within `bound` of `value`; `vector` is its unit vector in A's columns."""

    value: float
    bound: float
    vector: Array


def largest_singular_value(matrix: Any, *, tolerance: float, most_steps: int) -> Estimate:
    """The largest singular value of a LinearOperator, a residual of `tolerance` times it away.

    After `most_steps` the estimate is what it is, and its bound says so.  Raises RequestError
    (E501) where the vectors do not fit into memory.
    """
    rows, columns = matrix.shape
    vectors = 4 * 8 * (rows + columns)
    memory.require(vectors, "the iteration", help="use a smaller input")
    tall = matrix if columns <= rows else matrix.T
    space = _Space(min(rows, columns))
    candidate = np.random.default_rng(0).standard_normal(min(rows, columns))
    for _ in range(most_steps):
        if not space.extend(candidate, tall):
            break
        candidate = space.residual()
        if np.linalg.norm(candidate) <= tolerance * space.value:
            break
    return _estimate(tall, space.best())


def _estimate(matrix: Any, vector: Array) -> Estimate:
    image = matrix @ vector
    value = float(np.linalg.norm(image))
    if value == 0:
        return Estimate(value=0.0, bound=0.0, vector=vector)
    residual = matrix.T @ (image / value) - value * vector
    rounding = np.finfo(float).eps * np.sqrt(sum(matrix.shape)) * value
    bound = float(np.linalg.norm(residual)) / np.sqrt(2) + rounding
    return Estimate(value=value, bound=float(bound), vector=vector)


class _Space:
    """An orthonormal basis, its images under AᵀA, and the best vector in it."""

    def __init__(self, size: int) -> None:
        most = max(_SMALLEST_SPACE, min(_LARGEST_SPACE, _SPACE_BYTES // (16 * size)))
        memory.require(16 * most * size, "the space of the iteration", help="use a smaller input")
        self._basis, self._images = np.empty((2, most, size))
        self._inner = np.empty((most, most))
        self._count = 0
        self._before = np.zeros(most)
        self._values = np.zeros(1)
        self._vectors = np.ones((1, 1))

    @property
    def value(self) -> float:
        """The largest eigenvalue of AᵀA on the space."""
        return float(self._values[-1])

    def extend(self, vector: Array, matrix: Any) -> bool:
        """Add the part of `vector` that is new; False where there is none."""
        if self._count == len(self._basis):
            self._shrink()
        size = np.linalg.norm(vector)
        basis = self._basis[: self._count]
        for _ in range(2):  # once more, for what rounding left
            vector = vector - (basis @ vector) @ basis
        length = np.linalg.norm(vector)
        if not length > 1e-10 * size:
            return False
        number = self._count
        self._basis[number] = vector / length
        self._images[number] = matrix.T @ (matrix @ self._basis[number])
        self._count += 1
        row = self._basis[: self._count] @ self._images[number]
        self._inner[number, : self._count] = self._inner[: self._count, number] = row
        self._before[:number] = self._vectors[:, -1] if number else 0
        self._before[number] = 0
        inner = self._inner[: self._count, : self._count]
        self._values, self._vectors = np.linalg.eigh(inner)
        return True

    def best(self) -> Array:
        """The unit vector of the largest eigenvalue."""
        vector = self._vectors[:, -1] @ self._basis[: self._count]
        unit: Array = vector / np.linalg.norm(vector)
        return unit

    def residual(self) -> Array:
        """AᵀA v - value * v of the best vector v."""
        best = self._vectors[:, -1]
        images, basis = self._images[: self._count], self._basis[: self._count]
        residual: Array = best @ images - self.value * (best @ basis)
        return residual

    def _shrink(self) -> None:
        """Keep the best vectors, and the best one of the step before."""
        chosen = np.column_stack([self._vectors[:, : -_KEPT - 1 : -1], self._before])
        kept = np.linalg.qr(chosen)[0].T
        count = len(kept)
        self._basis[:count] = kept @ self._basis
        self._images[:count] = kept @ self._images
        self._inner[:count, :count] = kept @ self._inner @ kept.T
        self._count = count
        self._values, self._vectors = np.linalg.eigh(self._inner[:count, :count])
