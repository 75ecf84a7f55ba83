"""Whether two frameworks give an upsample the same values, where its output sizes agree.

Every framework has half-pixel centres for linear, cubic and area.  They differ in how nearest
rounds, what a factor that gives no whole size scales by, Keys' parameter of cubic, whether a
smaller output is smoothed, and how an area mean weighs the elements at the ends of its window.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from math import gcd

from convt_cli.arithmetic.axis import ceil_div
from convt_cli.arithmetic.convolution import Shape
from convt_cli.arithmetic.dialects.frameworks import Framework, Upsampling, interpolation
from convt_cli.arithmetic.layers.resampling import Upsample


def sampled_alike(
    layer: Upsample, source: Shape, output: Shape, own: Framework, other: Framework
) -> bool:
    """Whether both frameworks read the same elements of `source` with the same weights.

    `source` and `output` are (channels, *spatial).
    """
    mine, theirs = own.upsampling, other.upsampling
    sizes = list(zip(source[1:], output[1:], strict=True))
    kind = interpolation(layer.mode)
    if mine == theirs or all(before == after for before, after in sizes):
        return True
    if mine.scales_by != theirs.scales_by and not scales_exactly(layer, sizes):
        return False
    return all(_axis_alike(kind, size, result, mine, theirs) for size, result in sizes)


def scales_exactly(layer: Upsample, sizes: Sequence[tuple[int, int]]) -> bool:
    """Whether output size / input size is exactly the factor on every axis.

    `sizes` are pairs (input, output).
    """
    factor = layer.scale_factor
    if factor is None:
        return True
    factors = factor if isinstance(factor, tuple) else (factor,) * len(sizes)
    exact = (Fraction(str(each)) for each in factors)
    return all(result == size * each for (size, result), each in zip(sizes, exact))


def _axis_alike(kind: str, size: int, result: int, mine: Upsampling, theirs: Upsampling) -> bool:
    """Whether two frameworks' rules agree on an axis that goes from `size` to `result` elements."""
    if kind == "nearest":
        return mine.nearest_rounds == theirs.nearest_rounds or result % size == 0
    if kind == "area":
        return mine.area_shares == theirs.area_shares or _has_whole_shares(size, result)
    smoothed_alike = mine.smooths == theirs.smooths or result >= size
    if kind == "cubic":
        return smoothed_alike and mine.cubic_kernel == theirs.cubic_kernel
    return smoothed_alike or (size, result) == (2, 1)  # either way half of each element


def _has_whole_shares(size: int, result: int) -> bool:
    """Whether the elements of every area window have equal shares in it.

    In units of 1/result of an element, window q is [q*size, (q + 1)*size) and element i is
    [i*result, (i + 1)*result).  Windows repeat after result / gcd(size, result).
    """
    for window in range(result // gcd(size, result)):
        start, end = window * size, (window + 1) * size
        first, last = start // result, ceil_div(end, result) - 1
        # Only the elements at both ends can be cut; the second one stands for all between.
        shares = {
            min(end, (element + 1) * result) - max(start, element * result)
            for element in (first, first + 1, last)
        }
        if first < last and len(shares) > 1:
            return False
    return True
