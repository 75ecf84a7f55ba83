"""How many products a convolution adds up in one element: what bounds of rounding grow with."""

from __future__ import annotations

from math import prod

from convt_cli.analysis.coverage import overlap_counts
from convt_cli.arithmetic.convolution import Convolution


def products_summed(convolution: Convolution, *, forward: bool) -> int:
    """The largest number of products that are summed in one element of C x, or of Cᵀ y."""
    out, inner, *kernel = convolution.weight_shape
    if forward:
        return inner * prod(kernel)
    counts = [overlap_counts(axis, convolution.padding_mode) for axis in convolution.axes]
    return max(1, out // convolution.groups * prod(max(count) for count in counts))
