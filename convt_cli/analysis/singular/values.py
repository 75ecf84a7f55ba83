"""The largest and the smallest singular value of C, each with an estimate of its error.

Where the layer is circular they are those of its symbols (`symbol`), computed for every frequency.
A small C is decomposed as a dense matrix, group by group.  For a large C the largest value is found
by iteration (`iteration`), with a search space for each group.  The smallest is 0 where C has empty
rows or columns that lower its rank; it is enclosed by factoring where C is banded and narrow
(`enclosure`); otherwise it is not known.

The error estimates are not bounds.  For a decomposition it is the usual size of rounding errors.
For the iteration it is the distance within which some singular value lies; it does not exclude a
larger singular value in a direction that the iteration never searched.

`shortcuts` are three numbers that are commonly taken for the largest singular value.  Sizes alone
decide which method is worth its time, never a clock, so that results are reproducible.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from math import prod, sqrt

import numpy as np
from scipy.sparse.linalg import aslinearoperator

from convt_cli.analysis.coverage import empty_columns, empty_rows
from convt_cli.analysis.linear_map import LinearMap, real
from convt_cli.analysis.singular.enclosure import band_shape, smallest_singular_value
from convt_cli.analysis.singular.iteration import Estimate, largest_singular_value
from convt_cli.analysis.singular.symbol import (
    is_circular,
    symbol_count,
    symbol_extremes,
    symbol_shape,
)
from convt_cli.arithmetic.axis import Axis
from convt_cli.arithmetic.convolution import Convolution
from convt_cli.errors import GeometryError
from convt_cli.io import memory
from convt_cli.operators.dtypes import Array
from convt_cli.operators.matrix.build import build_matrix
from convt_cli.operators.operator import ConvOperator, HasOperator, own_action

# Budgets, each of a few seconds: entries are numbers held at a time, work is multiply-adds.
_MOST_DENSE_ENTRIES = 2**23
_MOST_DENSE_WORK = 10**10
_MOST_SYMBOL_WORK = 10**9
_MOST_BAND_ENTRIES = 2**25
_MOST_BAND_WORK = 2 * 10**10
_MOST_ITERATION_WORK = 3 * 10**11

_CHEAP_SYMBOL_WORK = 10**7
"""Symbols of at most this many multiply-adds are always decomposed: they take no time."""
_SYMBOL_WORK_RATIO = 8
"""Others are decomposed up to this many times the multiply-adds of the convolution.

Above it iterating is faster: a multiply-add of a singular value decomposition takes much longer
than one of a convolution.
"""

_TOLERANCE = 1e-6
"""The residual, relative to the value, at which the iteration for C stops."""
_SHORTCUT_TOLERANCE = 1e-4
"""The same for `shortcuts`, which differ from the true value by far more than this."""
_FEWEST_STEPS = 30
_MOST_STEPS = 1000
"""The steps of an iteration: as many as its budget allows, but between these two."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Spectrum:
    """The largest and the smallest of the min(rows, columns) singular values, and the method.

    `smallest` is None where it is not known.  `method` is fft, svd or iteration.
    """

    largest: Estimate
    smallest: Estimate | None
    method: str

    @property
    def condition_number(self) -> float | None:
        """largest / smallest; None where the smallest is 0 or not known."""
        if self.smallest is None or self.smallest.value == 0:
            return None
        return self.largest.value / self.smallest.value


@dataclass(frozen=True, slots=True, kw_only=True)
class Shortcuts:
    """Three numbers that are commonly taken for the largest singular value.

    `reshaped` is the largest singular value of the kernel as a matrix (out_channels,
    in_channels // groups * taps).  `reshaped_root_taps` is `reshaped` times the square root of the
    number of taps: the true value is at most this where no input is read more often than there
    are taps.  `circular` is the largest singular value of the circular convolution with the same
    kernel, None where the kernel would go around its input more than once.
    """

    reshaped: float
    reshaped_root_taps: float
    circular: float | None


def singular_values(subject: ConvOperator | HasOperator) -> Spectrum:
    """The largest and the smallest singular value of an operator, or of a layer's C.

    Raises ArrayError (E302) for a weight that is not real and finite, RequestError (E501) where not
    even the vectors fit into memory, and what reading the layer's weight raises.

    >>> found = singular_values(ConvOperator([[[3.0, 4.0]]], 6, stride=2))
    >>> found.method, round(found.largest.value, 12), round(found.smallest.value, 12)
    ('fft', 5.0, 5.0)
    """
    action = own_action(subject)
    convolution, taps = action.convolution, real(action.weight, "the weight")
    if is_circular(convolution) and _symbol_work(convolution) <= _MOST_SYMBOL_WORK:
        return _by_symbols(convolution, taps)
    if _is_small(convolution):
        return _by_svd(convolution, taps)
    return _by_iteration(convolution, taps)


def shortcuts(subject: ConvOperator | HasOperator) -> Shortcuts:
    """Numbers commonly taken for the largest singular value.  Raises as `singular_values` does."""
    action = own_action(subject)
    convolution, taps = action.convolution, real(action.weight, "the weight")
    # (groups, out_channels // groups, in_channels // groups * taps)
    kernels = taps.reshape(convolution.groups, -1, prod(taps.shape[1:]))
    reshaped = max(map(_matrix_norm, kernels))
    return Shortcuts(
        reshaped=reshaped,
        reshaped_root_taps=reshaped * sqrt(prod(convolution.kernel_size)),
        circular=_circular_value(convolution, taps),
    )


def _matrix_norm(kernel: Array) -> float:
    """The largest singular value of a dense matrix; by iteration where the matrix is large."""
    short, long = sorted(kernel.shape)
    if long * short**2 <= _MOST_SYMBOL_WORK:
        return float(np.linalg.norm(kernel, 2))
    operator = aslinearoperator(kernel)
    return largest_singular_value(
        operator, tolerance=_SHORTCUT_TOLERANCE, most_steps=_MOST_STEPS
    ).value


def _by_symbols(convolution: Convolution, weight: Array) -> Spectrum:
    largest, smallest = symbol_extremes(convolution, weight)
    taps = prod(convolution.kernel_size)
    # the rounding of the decompositions, and that of the Fourier factors in the symbols
    factors = 8 * sqrt(taps) * float(np.linalg.norm(weight))
    error = _epsilon() * (sum(symbol_shape(convolution)) * largest + factors)
    return _with_rounding(largest, smallest, error, "fft")


def _by_svd(convolution: Convolution, weight: Array) -> Spectrum:
    largest, smallest = 0.0, np.inf
    for group, taps in _groups(convolution, weight):
        values = np.linalg.svd(build_matrix(group, taps).toarray(), compute_uv=False)
        largest, smallest = max(largest, float(values[0])), min(smallest, float(values[-1]))
    sizes = sum(convolution.matrix_shape) // convolution.groups
    return _with_rounding(largest, smallest, _epsilon() * sizes * largest, "svd")


def _with_rounding(largest: float, smallest: float, error: float, method: str) -> Spectrum:
    """Both values with the same error; a smallest value of at most the error is given as 0."""
    return Spectrum(
        largest=Estimate(value=largest, error_estimate=error),
        smallest=Estimate(value=smallest if smallest > error else 0.0, error_estimate=error),
        method=method,
    )


def _by_iteration(convolution: Convolution, weight: Array) -> Spectrum:
    largest = _iterated(convolution, weight, _TOLERANCE)
    return Spectrum(largest=largest, smallest=_smallest(convolution, weight), method="iteration")


def _iterated(convolution: Convolution, weight: Array, tolerance: float) -> Estimate:
    steps = _MOST_ITERATION_WORK // (2 * convolution.multiply_adds)  # a step applies C and Cᵀ
    return largest_singular_value(
        LinearMap(convolution, weight),
        tolerance=tolerance,
        most_steps=min(_MOST_STEPS, max(_FEWEST_STEPS, steps)),
        blocks=convolution.groups,
    )


def _smallest(convolution: Convolution, weight: Array) -> Estimate | None:
    """The smallest singular value of a C too large to decompose; None where it is not known."""
    rows, columns = convolution.matrix_shape
    # on the shorter side an empty row or column is a singular value of 0
    if (rows >= columns and empty_columns(convolution)) or (
        rows <= columns and empty_rows(convolution)
    ):
        return Estimate(value=0.0, error_estimate=0.0)
    if not _is_narrow(convolution):
        return None
    ends = [
        smallest_singular_value(group, build_matrix(group, taps))
        for group, taps in _groups(convolution, weight)
    ]
    known = [end for end in ends if end is not None]
    if len(known) < len(ends):
        return None
    # C's smallest singular value is the smallest of its groups'
    lower, upper = min(low for low, _ in known), min(high for _, high in known)
    return Estimate(value=upper, error_estimate=upper - lower)


def _circular_value(convolution: Convolution, weight: Array) -> float | None:
    """The largest singular value of the circular convolution with the same output size."""
    try:
        axes = tuple(map(_circular_axis, convolution.axes))
        circular = replace(convolution, axes=axes, padding_mode="circular", adjoint=False)
    except GeometryError:  # the kernel would go around its input more than once
        return None
    if _symbol_work(circular) <= max(
        _CHEAP_SYMBOL_WORK, _SYMBOL_WORK_RATIO * circular.multiply_adds
    ):
        return symbol_extremes(circular, weight)[0]
    return _iterated(circular, weight, _SHORTCUT_TOLERANCE).value


def _circular_axis(axis: Axis) -> Axis:
    return Axis.conv(
        input_size=axis.output_size * axis.stride,
        kernel_size=axis.kernel_size,
        stride=axis.stride,
        after=axis.effective_kernel - 1,
        dilation=axis.dilation,
    )


def _groups(convolution: Convolution, weight: Array) -> Iterator[tuple[Convolution, Array]]:
    """The convolution and the weight of each group: C consists of their matrices."""
    one = _one_group(convolution)
    for taps in weight.reshape(convolution.groups, -1, *weight.shape[1:]):
        yield one, taps


def _one_group(convolution: Convolution) -> Convolution:
    return replace(
        convolution,
        out_channels=convolution.out_channels // convolution.groups,
        in_channels=convolution.in_channels // convolution.groups,
        groups=1,
    )


def _symbol_work(convolution: Convolution) -> int:
    """The multiply-adds of the symbols' decompositions, each of long * short²."""
    short, long = sorted(symbol_shape(convolution))
    return symbol_count(convolution) * long * short**2


def _is_small(convolution: Convolution) -> bool:
    """Whether dense decompositions of all groups are within the budget."""
    groups = convolution.groups
    short, long = sorted(size // groups for size in convolution.matrix_shape)
    work = groups * long * short**2
    return short * long <= _MOST_DENSE_ENTRIES and work <= _MOST_DENSE_WORK


def _is_narrow(convolution: Convolution) -> bool:
    """Whether factoring for the smallest singular value is within the budget."""
    one = _one_group(convolution)
    shape = band_shape(one)
    if shape is None:
        return False
    size, width = shape
    work = convolution.groups * size * (width + 1) ** 2
    entries = max(size * (width + 1), one.nnz)
    return entries <= _MOST_BAND_ENTRIES and work <= _MOST_BAND_WORK and _fits(entries)


def _fits(entries: int) -> bool:
    """Whether the arrays of the factoring fit into memory, at about 40 bytes an entry."""
    available = memory.available()
    return available is None or 40 * entries <= available


def _epsilon() -> float:
    """The distance from 1.0 to the next float64."""
    return float(np.finfo(float).eps)
