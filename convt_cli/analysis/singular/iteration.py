"""The largest singular value of an operator, by iteration, with an estimate of its error.

The search space grows by the residual of its best vector, as in the Lanczos method.  When it is
full it is restarted with its best vectors and the best one of the step before, which converges
nearly as fast as a space that is never restarted (Stathopoulos and Saad's "thick restart with plus
one").

An operator of independent blocks, such as the groups of a convolution, has one space for each
block, and all spaces grow at the same time: a single space could stop at any one of several blocks
whose largest values nearly agree.

For unit vectors u and v with A v = s u, some singular value lies within |Aᵀu - s v| / sqrt(2) of
s (Weyl's inequality for the symmetric matrix [[0, A], [Aᵀ, 0]]), and s is never larger than the
largest one.  This estimates the error and does not bound it: nothing shows that the value nearby is
the largest.  The iteration can miss a larger one, for instance among values that nearly agree.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from convt_cli.io import memory
from convt_cli.operators.dtypes import Array

_LARGEST_SPACE = 20
"""The most vectors in a block's search space; a full space is restarted."""
_SMALLEST_SPACE = 6
"""The same where memory is short: `_KEPT` + 1 of them are in use after a restart, two are free."""
_SPACE_BYTES = 192 * 2**20
"""The memory for the spaces of all blocks, unless `_SMALLEST_SPACE` vectors need more."""
_KEPT = 3
"""How many best vectors of a full space are kept, beside the best one of the step before."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """A computed singular value, and how far off it is likely to be: an estimate, not a bound."""

    value: float
    error_estimate: float


def largest_singular_value(
    matrix: Any, *, tolerance: float, most_steps: int, blocks: int = 1
) -> Estimate:
    """The largest singular value of a LinearOperator.

    The iteration stops when the residual is at most `tolerance` times the value, or after
    `most_steps`, in which case the error estimate is larger.  The operator is block diagonal with
    `blocks` blocks of equal shape.  Raises RequestError (E501) where the vectors do not fit into
    memory.
    """
    rows, columns = matrix.shape
    bytes_needed = 4 * 8 * (rows + columns)  # four vectors of each length, in float64
    memory.require(bytes_needed, "the iteration", help="use a smaller input")
    tall = matrix if columns <= rows else matrix.T
    size = min(rows, columns) // blocks
    space = _Space(blocks, size)
    # (blocks, size): the next vector of each block's space
    candidates = np.random.default_rng(0).standard_normal((blocks, size))
    for _ in range(most_steps):
        if not space.extend(candidates, tall):
            break
        candidates = space.residuals()
        if space.is_found(np.linalg.norm(candidates, axis=1), tolerance):
            break
    return _estimate(tall, space.best())


def _estimate(matrix: Any, vectors: Array) -> Estimate:
    """The largest singular value of all blocks, from their unit vectors, (blocks, size)."""
    images = (matrix @ vectors.ravel()).reshape(len(vectors), -1)  # A v, (blocks, rows / blocks)
    values = np.linalg.norm(images, axis=1)  # s, (blocks,)
    largest = float(values.max())
    if largest == 0:
        return Estimate(value=0.0, error_estimate=0.0)
    lengths = np.where(values > 0, values, 1)[:, np.newaxis]  # (blocks, 1), for division
    # Aᵀ u, (blocks, size)
    back = (matrix.T @ (images / lengths).ravel()).reshape(vectors.shape)
    residuals = np.linalg.norm(back - lengths * vectors, axis=1)
    rounding = np.finfo(float).eps * np.sqrt(sum(matrix.shape)) * largest
    # the upper end over all blocks: one with a smaller value may have the larger residual
    upper = float((values + residuals / np.sqrt(2)).max()) + float(rounding)
    return Estimate(value=largest, error_estimate=upper - largest)


class _Space:
    """For each block an orthonormal basis, its images under AᵀA, and the best vectors in it.

    The eigenvalues of the block's small matrix `_inner` (basis * AᵀA * basisᵀ) approximate those
    of AᵀA, the squares of the singular values; `count` vectors of the basis are in use.
    """

    def __init__(self, blocks: int, size: int) -> None:
        whole = blocks * size
        most = max(_SMALLEST_SPACE, min(_LARGEST_SPACE, _SPACE_BYTES // (16 * whole)))
        memory.require(16 * most * whole, "the space of the iteration", help="use a smaller input")
        self._basis, self._images = np.zeros((2, blocks, most, size))  # each (blocks, most, size)
        self._inner = np.zeros((blocks, most, most))
        self._count = 0
        # coordinates in the basis of the best vector of the step before
        self._before = np.zeros((blocks, most))
        # eigenvalues of `_inner`, (blocks, count), the largest last, and its eigenvectors
        self._values = np.zeros((blocks, 1))
        self._vectors = np.ones((blocks, 1, 1))  # (blocks, count, count), a column each

    def is_found(self, residuals: Array, tolerance: float) -> bool:
        """Whether each block has converged, or seems to have no value as large as another block's.

        `residuals` are the norms of the vectors that the method `residuals` returns, (blocks,).
        """
        values = self._values[:, -1]
        largest = values.max()
        done = (residuals <= tolerance * largest) | (values + residuals < largest)
        return bool(done.all())

    def extend(self, vectors: Array, matrix: Any) -> bool:
        """Add the part of each vector, (blocks, size), that is orthogonal to its block's basis.

        False where no block has such a part.  A block without one gets a vector of zeros, so that
        every block's basis has the same number of vectors.
        """
        if self._count == self._basis.shape[1]:
            self._shrink()
        number = self._count
        sizes = np.linalg.norm(vectors, axis=1)  # (blocks,)
        basis = self._basis[:, :number]  # (blocks, number, size)
        for _ in range(2):  # Gram-Schmidt, a second time for what rounding left
            vectors = vectors - _combined(_products(basis, vectors), basis)
        lengths = np.linalg.norm(vectors, axis=1)
        # what is left of a vector inside the space is rounding
        is_new = lengths > 1e-10 * sizes
        if not is_new.any():
            return False
        factors = np.divide(1, lengths, out=np.zeros_like(lengths), where=is_new)
        added = vectors * factors[:, np.newaxis]  # (blocks, size), of norm 1 or 0
        self._basis[:, number] = added
        self._images[:, number] = (matrix.T @ (matrix @ added.ravel())).reshape(added.shape)
        self._count += 1
        # the new row and column of the symmetric `_inner`, (blocks, count)
        row = _products(self._basis[:, : self._count], self._images[:, number])
        self._inner[:, number, : self._count] = self._inner[:, : self._count, number] = row
        # the best vector so far has no part along the new basis vector
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
        """Keep the best vectors of each block, and its best one of the step before.

        The basis is full when this is called: `count` is all of it.
        """
        # (blocks, count, _KEPT + 1): the last eigenvectors, the best first, then the one before
        chosen = np.concatenate(
            [self._vectors[..., : -_KEPT - 1 : -1], self._before[..., np.newaxis]], axis=2
        )
        kept = np.linalg.qr(chosen)[0].swapaxes(1, 2)  # (blocks, kept, count)
        count = kept.shape[1]
        # the kept vectors are the new basis; their images and inner products follow linearly
        self._basis[:, :count] = kept @ self._basis
        self._images[:, :count] = kept @ self._images
        self._inner[:, :count, :count] = kept @ self._inner @ kept.swapaxes(1, 2)
        self._count = count
        self._values, self._vectors = np.linalg.eigh(self._inner[:, :count, :count])


def _products(basis: Array, vectors: Array) -> Array:
    """Inner products of each block's basis, (blocks, count, size), and vector: (blocks, count)."""
    products: Array = np.matmul(basis, vectors[..., np.newaxis])[..., 0]
    return products


def _combined(factors: Array, basis: Array) -> Array:
    """The sum over count of factors, (blocks, count), times basis: (blocks, size)."""
    combined: Array = np.matmul(factors[:, np.newaxis], basis)[:, 0]
    return combined
