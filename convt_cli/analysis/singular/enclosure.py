"""The smallest singular value of a banded C: an interval around it, found by factoring.

Let S be CᵀC or CCᵀ, whichever is smaller, its rows ordered by position first and channel last.
Then S is banded, and a Cholesky factorisation takes about rows * bandwidth² multiply-adds.  Inverse
iteration with the factors finds a unit vector v, and the smallest singular value s is at most
|C v|.  Where S - t I has a Cholesky factorisation, s² is at least t minus the rounding error of
the factorisation, which is at most `noise` (N. Higham, "Accuracy and Stability of Numerical
Algorithms", theorem 10.3).

The interval is not proved for every weight: |C v| is itself rounded, numbers may underflow, and
where the padding repeats the input the entries of C are rounded sums.
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
"""The relative widths of the interval that are tried, the narrowest first.

The factorisation is tried at t = |C v|² * (1 - gap).
"""


def band_shape(convolution: Convolution) -> tuple[int, int] | None:
    """(rows, upper bandwidth) of S for one group; None for circular padding, where S is no band."""
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
    # how many positions apart, in row-major order, two elements with an entry in S can be
    apart = 0
    for size, width in zip(sizes, widths):
        apart = apart * size + min(width, size - 1)
    count = prod(sizes) * channels
    return count, min(count - 1, channels * apart + channels - 1)


def smallest_singular_value(
    convolution: Convolution, matrix: csr_array
) -> tuple[float, float] | None:
    """(lower, upper) ends of an interval around the smallest singular value of `matrix`.

    `matrix` is the C of one group.  None where rounding hides the value: below about 1e-6 of the
    largest one.
    """
    shape = band_shape(convolution)
    if shape is None:
        return None
    tall = matrix if matrix.shape[1] <= matrix.shape[0] else matrix.T.tocsr()  # S = tallᵀ tall
    # the columns from (channel, position) order to (position, channel)
    sizes = convolution.input_shape if tall is matrix else convolution.output_shape
    order = np.arange(prod(sizes)).reshape(sizes[0], -1).T.ravel()
    band = _band(tall[:, order], shape[1])  # (bandwidth + 1, columns of tall)
    # the rounding error of S and of its factorisation: it grows with the products that are
    # summed in an entry, with the bandwidth, and with the largest diagonal entry
    products = int(np.diff(tall.tocsc().indptr).max())
    width = shape[1] + 1
    noise = 4 * (width + products) * width * np.finfo(float).eps * float(band[-1].max())
    vector = _smallest_vector(band, noise)  # (columns of tall,)
    if vector is None:
        return None
    upper = float(np.linalg.norm(tall[:, order] @ vector))
    for gap in _GAPS:
        shift = upper**2 * (1 - gap)
        if shift > noise and _is_definite(band, shift):
            return float(np.sqrt(shift - noise)), upper
    return None


def _band(matrix: csr_array, width: int) -> Array:
    """The upper bands of matrixᵀ matrix as LAPACK stores them: band[width + i - j, j] = S[i, j]."""
    inner = (matrix.T @ matrix).tocoo()  # S, (columns, columns)
    rows, columns = inner.row, inner.col
    upper = rows <= columns
    band = np.zeros((width + 1, inner.shape[0]))  # the last row is the diagonal
    band[width + rows[upper] - columns[upper], columns[upper]] = inner.data[upper]
    return band


def _smallest_vector(band: Array, noise: float) -> Array | None:
    """A unit vector close to the eigenvector of S for its smallest eigenvalue, (size,).

    None where S cannot be factored, or the iteration fails.
    """
    try:
        # shifted up by `noise`, so that rounding does not make a singular S indefinite; False: the
        # factors are upper ones
        factors = _factored(band, -noise), False
    except LinAlgError:
        return None
    size = band.shape[1]
    # the largest eigenvalue of S's inverse is that of the vector wanted
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
    """Whether S - shift * I is positive definite, as a Cholesky factorisation finds it."""
    try:
        _factored(band, shift)
    except LinAlgError:
        return False
    return True


def _factored(band: Array, shift: float) -> Array:
    """The upper Cholesky factor of S - shift * I, in the shape of `band`.  Raises LinAlgError."""
    shifted = band.copy()
    shifted[-1] -= shift
    factors: Array = cholesky_banded(shifted, overwrite_ab=True, check_finite=False)
    return factors
