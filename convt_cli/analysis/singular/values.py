"""The largest and the smallest singular value of C, each with an estimate of its error.

Where the layer is circular they are those of its symbols (`symbol`), found for every frequency.
A small C is taken as it is, group by group.  For a large one the largest is found by iteration
(`iteration`), with a search for each group; the smallest is 0 where C has too few rows or columns
that are not empty, is enclosed by factoring where C is banded and narrow (`definite`), and else
is not known.

The error estimates are no bounds.  That of a decomposition is what rounding usually does.  That
of the iteration is how far some singular value can be from the one it came to; it says nothing of
a larger one in a direction that the iteration never took.

Beside them stand what people take for the largest one: the norm of the reshaped kernel, the same
times the root of the number of taps, and the value of the circular convolution with the same
kernel.  What is worth the time is decided by the sizes, never by a clock.
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
from convt_cli.analysis.singular.iteration import largest_singular_value
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

_MOST_DENSE_ENTRIES = 2**23
_MOST_DENSE_WORK = 10**10
_MOST_SYMBOL_WORK = 10**9
_MOST_BAND_ENTRIES = 2**25
_MOST_BAND_WORK = 2 * 10**10
_MOST_ITERATION_WORK = 3 * 10**11
"""Multiply-adds, or entries, that are worth a few seconds."""
_FEW = 10**7
_AS_LONG = 8
"""Symbols of so few multiply-adds cost nothing; those of `_AS_LONG` times the convolution's take
as long as iterating, for one of a singular value decomposition takes much longer."""

_TOLERANCE = 1e-6
_ROUGH = 1e-4
_FEWEST_STEPS = 30
_MOST_STEPS = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimated:
    """A number and how far it is likely to be from the true one: an estimate, not a bound."""

    value: float
    error_estimate: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Spectrum:
    """The largest singular value, the smallest of min(rows, columns), and how they were found.

    `smallest` is None where it cannot be told.  `method` is fft, svd or iteration.
    """

    largest: Estimated
    smallest: Estimated | None
    method: str

    @property
    def condition_number(self) -> float | None:
        """largest / smallest; None where the smallest is 0 or not known."""
        if self.smallest is None or self.smallest.value == 0:
            return None
        return self.largest.value / self.smallest.value


@dataclass(frozen=True, slots=True, kw_only=True)
class Shortcuts:
    """What people take for the largest singular value.

    `reshaped` is the norm of the kernel as (out_channels, in_channels // groups * taps), and
    `reshaped_root_taps` that times the root of the number of taps, which the largest singular
    value does not exceed where no input is read more often than there are taps.  `circular` is
    the value of the circular convolution with the same kernel, None where there is none or it
    takes too long.
    """

    reshaped: float
    reshaped_root_taps: float
    circular: float | None


def singular_values(convolution: Convolution, weight: Array) -> Spectrum:
    """The largest and the smallest singular value of C, with estimates of their errors.

    `weight` is (out_channels, in_channels // groups, *kernel_size), real and finite.  Raises
    ArrayError (E302), RequestError (E501) where not even the vectors fit into memory.

    >>> from convt_cli.operators.operator import ConvOperator
    >>> C = ConvOperator([[[3.0, 4.0]]], 6, stride=2)
    >>> found = singular_values(C.convolution, C.weight)
    >>> found.method, round(found.largest.value, 12), round(found.smallest.value, 12)
    ('fft', 5.0, 5.0)
    """
    taps = real(weight, "the weight")
    if is_circular(convolution) and _symbol_work(convolution) <= _MOST_SYMBOL_WORK:
        return _by_symbols(convolution, taps)
    if _is_small(convolution):
        return _by_svd(convolution, taps)
    return _by_iteration(convolution, taps)


def shortcuts(convolution: Convolution, weight: Array) -> Shortcuts:
    """What people take for the largest singular value.  Raises as `singular_values` does."""
    taps = real(weight, "the weight")
    kernels = taps.reshape(convolution.groups, -1, prod(taps.shape[1:]))
    reshaped = max(map(_matrix_norm, kernels))
    return Shortcuts(
        reshaped=reshaped,
        reshaped_root_taps=reshaped * sqrt(prod(convolution.kernel_size)),
        circular=_circular_value(convolution, taps),
    )


def _matrix_norm(kernel: Array) -> float:
    """The largest singular value of a dense matrix; of a large one by iteration."""
    short, long = sorted(kernel.shape)
    if long * short**2 <= _MOST_SYMBOL_WORK:
        return float(np.linalg.norm(kernel, 2))
    operator = aslinearoperator(kernel)
    return largest_singular_value(operator, tolerance=_ROUGH, most_steps=_MOST_STEPS).value


def _by_symbols(convolution: Convolution, weight: Array) -> Spectrum:
    largest, smallest = symbol_extremes(convolution, weight)
    taps = prod(convolution.kernel_size)
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
    """Both with the same error; a smallest one that is no larger than that may as well be 0."""
    return Spectrum(
        largest=Estimated(value=largest, error_estimate=error),
        smallest=Estimated(value=smallest if smallest > error else 0.0, error_estimate=error),
        method=method,
    )


def _by_iteration(convolution: Convolution, weight: Array) -> Spectrum:
    found = _iterated(convolution, weight, _TOLERANCE)
    return Spectrum(largest=found, smallest=_smallest(convolution, weight), method="iteration")


def _iterated(convolution: Convolution, weight: Array, tolerance: float) -> Estimated:
    steps = _MOST_ITERATION_WORK // (2 * convolution.multiply_adds)
    found = largest_singular_value(
        LinearMap(convolution, weight),
        tolerance=tolerance,
        most_steps=min(_MOST_STEPS, max(_FEWEST_STEPS, steps)),
        blocks=convolution.groups,
    )
    return Estimated(value=found.value, error_estimate=found.error_estimate)


def _smallest(convolution: Convolution, weight: Array) -> Estimated | None:
    rows, columns = convolution.matrix_shape
    if (rows >= columns and empty_columns(convolution)) or (
        rows <= columns and empty_rows(convolution)
    ):
        return Estimated(value=0.0, error_estimate=0.0)
    if not _is_narrow(convolution):
        return None
    ends = [
        smallest_singular_value(group, build_matrix(group, taps))
        for group, taps in _groups(convolution, weight)
    ]
    known = [end for end in ends if end is not None]
    if len(known) < len(ends):
        return None
    least, most = min(low for low, _ in known), min(high for _, high in known)
    return Estimated(value=most, error_estimate=most - least)


def _circular_value(convolution: Convolution, weight: Array) -> float | None:
    """The largest singular value of the circular convolution with as many outputs."""
    try:
        axes = tuple(map(_circular_axis, convolution.axes))
        circular = replace(convolution, axes=axes, padding_mode="circular", adjoint=False)
    except GeometryError:  # the kernel goes around more than once
        return None
    if _symbol_work(circular) <= max(_FEW, _AS_LONG * circular.multiply_adds):
        return symbol_extremes(circular, weight)[0]
    return _iterated(circular, weight, _ROUGH).value


def _circular_axis(axis: Axis) -> Axis:
    return Axis.conv(
        input_size=axis.output_size * axis.stride,
        kernel_size=axis.kernel_size,
        stride=axis.stride,
        after=axis.effective_kernel - 1,
        dilation=axis.dilation,
    )


def _groups(convolution: Convolution, weight: Array) -> Iterator[tuple[Convolution, Array]]:
    """The convolution and the weight of every group by itself: C is made of their matrices."""
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
    short, long = sorted(symbol_shape(convolution))
    return symbol_count(convolution) * long * short**2


def _is_small(convolution: Convolution) -> bool:
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
    there = memory.available()
    return there is None or 40 * entries <= there


def _epsilon() -> float:
    return float(np.finfo(float).eps)
