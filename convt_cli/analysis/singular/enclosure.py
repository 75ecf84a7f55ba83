"""The smallest singular value of a banded C, enclosed by factoring.

Let S be CᵀC or CCᵀ, whichever is smaller, its rows ordered by position first and channel last:
then S is banded, and Cholesky's method factors it in rows * bandwidth² steps.  Inverse iteration
with the factors finds a unit vector v, and the smallest singular value s is at most |C v|.  That
S - t I has a factorisation shows that s² is at least t, up to the rounding of the method, at
most `noise` (N. Higham, "Accuracy and Stability of Numerical Algorithms", theorem 10.3).

This is no proof for every weight: |C v| is rounded itself, numbers may underflow, and where the
padding repeats the input the entries of C are rounded sums.
"""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np
from scipy.linalg import LinAlgError, cho_solve_banded, cholesky_banded
from scipy.sparse import csr_array
from scipy.sparse.linalg import ArpackError, LinearOperator, eigsh

from convt_cli.arithmetic.convolution import Convolution
from convt_cli.operators.dtypes import Array

_GAPS = (1e-9, 1e-6, 1e-3, 0.1)
"""How far below |C v| the factorisation is tried, relative to its square."""


def band_shape(convolution: Convolution) -> tuple[int, int] | None:
    """(rows, upper bandwidth) of S for one group; None where the padding wraps around."""
    if convolution.padding_mode == "circular":
        return None
    rows, columns = convolution.matrix_shape
    if columns <= rows:
        sizes = [axis.input_size for axis in convolution.axes]
        widths = [axis.effective_kernel - 1 for axis in convolution.axes]
        channels = convolution.in_channels
    else:
        sizes = [axis.output_size for axis in convolution.axes]
        widths = [(axis.effective_kernel - 1) // axis.stride for axis in convolution.axes]
        channels = convolution.out_channels
    positions = 0
    for size, far in zip(sizes, widths):
        positions = positions * size + min(far, size - 1)
    count = prod(sizes) * channels
    return count, min(count - 1, channels * positions + channels - 1)


def smallest_singular_value(
    convolution: Convolution, matrix: csr_array
) -> tuple[float, float] | None:
    """(at least, at most) the smallest singular value of `matrix`, the C of one group.

    None where rounding hides it: below about 1e-6 of the largest.
    """
    shape = band_shape(convolution)
    if shape is None:
        return None
    tall = matrix if matrix.shape[1] <= matrix.shape[0] else matrix.T.tocsr()
    channels = convolution.input_shape if tall is matrix else convolution.output_shape
    order = np.arange(prod(channels)).reshape(channels[0], -1).T.ravel()
    band = _band(tall[:, order], shape[1])
    products = int(np.diff(tall.tocsc().indptr).max())
    width = shape[1] + 1
    noise = 4 * (width + products) * width * np.finfo(float).eps * float(band[-1].max())
    vector = _smallest_vector(band, noise)
    if vector is None:
        return None
    most = float(np.linalg.norm(tall[:, order] @ vector))
    for gap in _GAPS:
        shift = most**2 * (1 - gap)
        if shift > noise and _is_definite(band, shift):
            return float(np.sqrt(shift - noise)), most
    return None


def _band(matrix: csr_array, width: int) -> Array:
    """The upper bands of matrixᵀ matrix as LAPACK stores them: band[width + i - j, j] = S[i, j]."""
    inner = (matrix.T @ matrix).tocoo()
    rows, columns = inner.row, inner.col
    upper = rows <= columns
    band = np.zeros((width + 1, inner.shape[0]))
    band[width + rows[upper] - columns[upper], columns[upper]] = inner.data[upper]
    return band


def _smallest_vector(band: Array, noise: float) -> Array | None:
    """A unit vector close to the one of the smallest eigenvalue."""
    try:
        factors = _factored(band, -noise), False
    except LinAlgError:
        return None
    size = band.shape[1]
    inverse: Any = LinearOperator(
        (size, size), matvec=lambda vector: cho_solve_banded(factors, vector), dtype=np.float64
    )
    start: Array = np.random.default_rng(0).standard_normal((size,))
    try:
        _, vectors = eigsh(inverse, k=1, which="LM", v0=start, tol=1e-10, maxiter=300)
    except ArpackError:
        return None
    vector: Array = vectors[:, 0]
    return vector


def _is_definite(band: Array, shift: float) -> bool:
    """Whether S - shift * I has a factorisation."""
    try:
        _factored(band, shift)
    except LinAlgError:
        return False
    return True


def _factored(band: Array, shift: float) -> Array:
    shifted = band.copy()
    shifted[-1] -= shift
    factors: Array = cholesky_banded(shifted, overwrite_ab=True, check_finite=False)
    return factors
