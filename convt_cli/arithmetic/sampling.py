"""Whether two frameworks give an upsample the same values, where its output sizes agree.

Every framework has half-pixel centres for linear, cubic and area; apart are where nearest rounds,
what a factor that does not give a whole size scales by, Keys' parameter of cubic, whether a
smaller output is smoothed, and how an area mean weighs what lies at its window's ends.
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
    """Whether both read the same elements of `source`, (channels, *spatial), and weigh them so."""
    mine, theirs = own.upsampling, other.upsampling
    sizes = list(zip(source[1:], output[1:], strict=True))
    kind = interpolation(layer.mode)
    if mine == theirs or all(n == o for n, o in sizes):
        return True
    if mine.scales_by != theirs.scales_by and not scales_exactly(layer, sizes):
        return False
    return all(_axis_alike(kind, n, o, mine, theirs) for n, o in sizes)


def scales_exactly(layer: Upsample, sizes: Sequence[tuple[int, int]]) -> bool:
    """Output over input size is the very factor on every axis; `sizes` are (input, output)."""
    factor = layer.scale_factor
    if factor is None:
        return True
    factors = factor if isinstance(factor, tuple) else (factor,) * len(sizes)
    exact = (Fraction(str(each)) for each in factors)
    return all(o == n * each for (n, o), each in zip(sizes, exact))


def _axis_alike(kind: str, n: int, o: int, mine: Upsampling, theirs: Upsampling) -> bool:
    if kind == "nearest":
        return mine.nearest_rounds == theirs.nearest_rounds or o % n == 0
    if kind == "area":
        return mine.area_shares == theirs.area_shares or _has_whole_shares(n, o)
    smoothed_alike = mine.smooths == theirs.smooths or o >= n
    if kind == "cubic":
        return smoothed_alike and mine.cubic_kernel == theirs.cubic_kernel
    return smoothed_alike or (n, o) == (2, 1)  # half of each either way


def _has_whole_shares(n: int, o: int) -> bool:
    """The elements of every area window have the same share in it.

    Window q is [q*n, (q + 1)*n) in units of 1/o, and windows repeat after o / gcd(n, o).
    """
    for q in range(o // gcd(n, o)):
        start, end = q * n, (q + 1) * n
        first, last = start // o, ceil_div(end, o) - 1
        shares = {min(end, (i + 1) * o) - max(start, i * o) for i in (first, first + 1, last)}
        if first < last and len(shares) > 1:
            return False
    return True
