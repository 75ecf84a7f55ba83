"""The largest singular value of an operator, by iteration, with an estimate of its error.

The search space grows by the residual of its best vector, as in Lanczos's method; when it is
full it shrinks to its best vectors and the best one of the step before, which keeps nearly the
pace of a space that never shrinks (Stathopoulos and Saad's "thick restart with plus one").

An operator that is made of independent blocks, as the groups of a convolution are, has a space
for each of them, and all spaces grow at once: among blocks whose values nearly agree, a common
space would stop at any of them.

For unit vectors u and v with A v = s u, some singular value lies within |Aᵀu - s v| / sqrt(2) of
s (Weyl, of the symmetric matrix that has A and Aᵀ beside its diagonal), and s is never larger than
the largest one.  That is an estimate of the error and no bound: it does not show that the value
nearby is the largest.  The iteration can miss a larger one, as among values that nearly agree.
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
    """About the largest singular value; some singular value is within `error_estimate` of it."""

    value: float
    error_estimate: float


def largest_singular_value(
    matrix: Any, *, tolerance: float, most_steps: int, blocks: int = 1
) -> Estimate:
    """The largest singular value of a LinearOperator, a residual of `tolerance` times it away.

    Rows and columns fall into `blocks` equal parts that have nothing to do with each other.  After
    `most_steps` the value is what it is, and its error estimate is larger.  Raises RequestError
    (E501) where the vectors do not fit into memory.
    """
    rows, columns = matrix.shape
    vectors = 4 * 8 * (rows + columns)
    memory.require(vectors, "the iteration", help="use a smaller input")
    tall = matrix if columns <= rows else matrix.T
    size = min(rows, columns) // blocks
    space = _Space(blocks, size)
    candidates = np.random.default_rng(0).standard_normal((blocks, size))
    for _ in range(most_steps):
        if not space.extend(candidates, tall):
            break
        candidates = space.residuals()
        if space.is_found(np.linalg.norm(candidates, axis=1), tolerance):
            break
    return _estimate(tall, space.best())


def _estimate(matrix: Any, vectors: Array) -> Estimate:
    """The largest of the blocks' values, each from its vector, (blocks, size)."""
    images = (matrix @ vectors.ravel()).reshape(len(vectors), -1)
    values = np.linalg.norm(images, axis=1)
    largest = float(values.max())
    if largest == 0:
        return Estimate(value=0.0, error_estimate=0.0)
    lengths = np.where(values > 0, values, 1)[:, np.newaxis]
    back = (matrix.T @ (images / lengths).ravel()).reshape(vectors.shape)
    residuals = np.linalg.norm(back - lengths * vectors, axis=1)
    rounding = np.finfo(float).eps * np.sqrt(sum(matrix.shape)) * largest
    reached = float((values + residuals / np.sqrt(2)).max()) + float(rounding)
    return Estimate(value=largest, error_estimate=reached - largest)


class _Space:
    """For each block an orthonormal basis, its images under AᵀA, and the best vector in it."""

    def __init__(self, blocks: int, size: int) -> None:
        whole = blocks * size
        most = max(_SMALLEST_SPACE, min(_LARGEST_SPACE, _SPACE_BYTES // (16 * whole)))
        memory.require(16 * most * whole, "the space of the iteration", help="use a smaller input")
        self._basis, self._images = np.zeros((2, blocks, most, size))
        self._inner = np.zeros((blocks, most, most))
        self._count = 0
        self._before = np.zeros((blocks, most))
        self._values = np.zeros((blocks, 1))
        self._vectors = np.ones((blocks, 1, 1))

    def is_found(self, residuals: Array, tolerance: float) -> bool:
        """Whether each block is done, or seems to have no value as large as another block's.

        `residuals` are the lengths of what `residuals` gives, (blocks,).
        """
        values = self._values[:, -1]
        largest = values.max()
        done = (residuals <= tolerance * largest) | (values + residuals < largest)
        return bool(done.all())

    def extend(self, vectors: Array, matrix: Any) -> bool:
        """Add the part of each vector that is new to its block; False where no block has one.

        A block that has none gets a vector of zeros, so that all have as many.
        """
        if self._count == self._basis.shape[1]:
            self._shrink()
        number = self._count
        sizes = np.linalg.norm(vectors, axis=1)
        basis = self._basis[:, :number]
        for _ in range(2):  # once more, for what rounding left
            vectors = vectors - _combined(_products(basis, vectors), basis)
        lengths = np.linalg.norm(vectors, axis=1)
        is_new = lengths > 1e-10 * sizes
        if not is_new.any():
            return False
        factors = np.divide(1, lengths, out=np.zeros_like(lengths), where=is_new)
        added = vectors * factors[:, np.newaxis]
        self._basis[:, number] = added
        self._images[:, number] = (matrix.T @ (matrix @ added.ravel())).reshape(added.shape)
        self._count += 1
        row = _products(self._basis[:, : self._count], self._images[:, number])
        self._inner[:, number, : self._count] = self._inner[:, : self._count, number] = row
        self._before[:, :number] = self._vectors[..., -1] if number else 0
        self._before[:, number] = 0
        inner = self._inner[:, : self._count, : self._count]
        self._values, self._vectors = np.linalg.eigh(inner)
        return True

    def best(self) -> Array:
        """The unit vector of each block's largest eigenvalue, (blocks, size)."""
        vectors = _combined(self._vectors[..., -1], self._basis[:, : self._count])
        lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
        unit: Array = vectors / np.where(lengths > 0, lengths, 1)
        return unit

    def residuals(self) -> Array:
        """AᵀA v - value * v of each block's best vector v, (blocks, size)."""
        best, values = self._vectors[..., -1], self._values[:, -1:]
        images, basis = self._images[:, : self._count], self._basis[:, : self._count]
        return _combined(best, images) - values * _combined(best, basis)

    def _shrink(self) -> None:
        """Keep the best vectors of each block, and its best one of the step before."""
        chosen = np.concatenate(
            [self._vectors[..., : -_KEPT - 1 : -1], self._before[..., np.newaxis]], axis=2
        )
        kept = np.linalg.qr(chosen)[0].swapaxes(1, 2)  # (blocks, kept, count)
        count = kept.shape[1]
        self._basis[:, :count] = kept @ self._basis
        self._images[:, :count] = kept @ self._images
        self._inner[:, :count, :count] = kept @ self._inner @ kept.swapaxes(1, 2)
        self._count = count
        self._values, self._vectors = np.linalg.eigh(self._inner[:, :count, :count])


def _products(basis: Array, vectors: Array) -> Array:
    """The inner products of each block's vector with its basis, (blocks, count)."""
    products: Array = np.matmul(basis, vectors[..., np.newaxis])[..., 0]
    return products


def _combined(factors: Array, basis: Array) -> Array:
    """The sum of each block's basis, (blocks, count, size), times its factors, (blocks, count)."""
    combined: Array = np.matmul(factors[:, np.newaxis], basis)[:, 0]
    return combined
