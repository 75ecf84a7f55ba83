"""How often C reads each input: the overlap counts of Cᵀ1, in integers, without building C.

With one channel and all taps 1, element i of Cᵀ1 is the number of (output, tap) pairs that read
input i.  It is a product over the axes.  On one axis tap t reads the positions

    q * stride + t * dilation - before,    0 <= q < output_size,

so the taps with one residue of t * dilation modulo the stride read overlapping intervals of one
lattice.  A sweep over the ends of these intervals finds how many positions have each count, in
time that does not depend on the length of the axis.

Away from the borders the count depends on the residue alone: it is even exactly when stride
divides kernel_size and has no factor in common with dilation.  Where it is not, a transposed
convolution, and the gradient of a direct one, shows the pattern known as checkerboard.

Source: A. Odena, V. Dumoulin and C. Olah, "Deconvolution and Checkerboard Artifacts" (2016).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import chain, pairwise
from math import gcd, prod

from convt_cli.arithmetic.axis import Axis, ceil_div
from convt_cli.arithmetic.convolution import Convolution, Shape
from convt_cli.arithmetic.keys import Pair
from convt_cli.arithmetic.padding_modes import FOLDS
from convt_cli.operators.operator import ConvOperator, HasOperator, convolution_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Coverage:
    """The least and the greatest overlap count of Cᵀ1, and what follows from the counts.

    `interior` is the least and the greatest count away from the borders, None where every
    position is near a border; `period` is the period of the counts there, per axis.
    `unread_inputs` is how many elements of the layer's own input (x of a conv, y of a
    conv_transpose) no output reads, over all channels.  `even_kernel_size` is the nearest
    kernel_size whose counts are all equal in the interior, None where there is none.
    """

    overlap_min: int
    overlap_max: int
    interior: Pair | None
    period: Shape
    unread_inputs: int
    even_kernel_size: Shape | None

    @property
    def is_even(self) -> bool | None:
        """Whether the interior counts are all equal; None without an interior, if counts vary."""
        if self.interior is not None:
            return self.interior[0] == self.interior[1]
        return True if self.overlap_min == self.overlap_max else None


def coverage(subject: ConvOperator | HasOperator) -> Coverage:
    """The overlap counts of Cᵀ1, and the unread inputs of the own action, of an operator or layer.

    Raises RequestError (E502) for a layer without a convolution.

    >>> found = coverage(ConvOperator([[[1.0, 1.0, 1.0]]], 9, stride=2))
    >>> found.overlap_min, found.overlap_max, found.interior, found.even_kernel_size
    (1, 2, (1, 2), (4,))
    """
    convolution = convolution_of(subject)
    axes, mode = convolution.axes, convolution.padding_mode
    counts = [overlap_counts(axis, mode) for axis in axes]
    endless = [_endless_counts(axis) for axis in axes]
    has_interior = all(_interior_length(axis) >= axis.stride for axis in axes)
    return Coverage(
        overlap_min=prod(min(count) for count in counts),
        overlap_max=prod(max(count) for count in counts),
        interior=(prod(low for low, _ in endless), prod(high for _, high in endless))
        if has_interior
        else None,
        period=tuple(_period(axis) for axis in axes),
        unread_inputs=unread_inputs(convolution),
        even_kernel_size=_even_kernel_size(axes),
    )


def overlap_counts(axis: Axis, mode: str = "zeros") -> dict[int, int]:
    """{count: the number of input positions that are read by `count` (output, tap) pairs}.

    >>> overlap_counts(Axis.conv(input_size=6, kernel_size=2, stride=3))
    {1: 4, 0: 2}
    """
    # {residue: the first row of the lattice that each tap reads}; row q is position
    # q * stride + residue - before
    starts: dict[int, list[int]] = {}
    for tap in range(axis.kernel_size):
        row, residue = divmod(tap * axis.dilation, axis.stride)
        starts.setdefault(residue, []).append(row)
    totals = Counter[int]()
    for residue, rows in starts.items():
        # the rows of this lattice inside the input: 0 <= position < input_size
        first = -((residue - axis.before) // axis.stride)
        past = (axis.input_size - 1 + axis.before - residue) // axis.stride + 1
        totals.update(_swept(rows, axis.output_size, first, past))
    totals[0] += axis.input_size - totals.total()  # residues that no tap has
    # padding that repeats the input adds reads near the borders: move those positions
    for position, extra in _folded_pairs(axis, mode).items():
        count = _count_at(axis, position)
        totals[count] -= 1
        totals[count + extra] += 1
    return {count: positions for count, positions in totals.items() if positions}


def _swept(starts: Iterable[int], length: int, first: int, past: int) -> dict[int, int]:
    """{count: how many of first ... past - 1 lie in `count` intervals}.

    The intervals are start ... start + length - 1, one for each of `starts`.
    """
    # {position: how much the count rises there}, every interval cut to the range
    rises = Counter[int]()
    for start in starts:
        rises[min(max(start, first), past)] += 1
        rises[min(max(start + length, first), past)] -= 1
    rises[first] += 0  # both ends of the range are keys, so that the sweep covers all of it
    rises[past] += 0
    positions = Counter[int]()
    count = 0
    for here, there in pairwise(sorted(rises)):
        count += rises[here]
        positions[count] += there - here
    return positions


def _folded_pairs(axis: Axis, mode: str) -> Counter[int]:
    """{input position: the number of (output, tap) pairs that read it through the padding}."""
    pairs = Counter[int]()
    if mode == "zeros":
        return pairs
    fold = FOLDS[mode]
    for tap in range(axis.kernel_size):
        first, past = axis.outputs_of_tap(tap)
        offset = tap * axis.dilation - axis.before
        for output in chain(range(first), range(past, axis.output_size)):
            pairs[fold(output * axis.stride + offset, axis.input_size)] += 1
    return pairs


def _count_at(axis: Axis, position: int) -> int:
    """The number of (output, tap) with output * stride + tap * dilation - before = position."""
    common = gcd(axis.stride, axis.dilation)
    padded = position + axis.before  # = output * stride + tap * dilation
    if padded % common:
        return 0
    # the taps that solve it modulo the stride: residue, residue + step, ...
    step = axis.stride // common
    residue = padded // common * pow(axis.dilation // common, -1, step) % step
    # of them those between least and most have an output in 0 ... output_size - 1
    room = padded - (axis.output_size - 1) * axis.stride
    least = max(0, ceil_div(room, axis.dilation))
    most = min(axis.kernel_size - 1, padded // axis.dilation)
    return max(0, (most - residue) // step - (least - 1 - residue) // step)


def _endless_counts(axis: Axis) -> Pair:
    """The least and the greatest count on an axis that is infinite both ways."""
    common = gcd(axis.stride, axis.dilation)
    step = axis.stride // common
    least = 0 if common > 1 else axis.kernel_size // step
    return least, ceil_div(axis.kernel_size, step)


def _period(axis: Axis) -> int:
    """The period of the counts on an axis that is infinite both ways."""
    common = gcd(axis.stride, axis.dilation)
    return axis.stride if axis.kernel_size % (axis.stride // common) else common


def _interior_length(axis: Axis) -> int:
    """The number of input positions far enough from both ends that no tap is missing there."""
    first = max(0, axis.effective_kernel - 1 - axis.before)
    last = min(axis.input_size - 1, (axis.output_size - 1) * axis.stride - axis.before)
    return max(0, last - first + 1)


def _even_kernel_size(axes: Iterable[Axis]) -> Shape | None:
    """Per axis the multiple of stride nearest to kernel_size; of two equally near, the larger.

    None where stride and dilation share a factor: then no kernel_size makes the counts equal.
    """
    sizes = []
    for axis in axes:
        if gcd(axis.stride, axis.dilation) > 1:
            return None
        multiple = (2 * axis.kernel_size + axis.stride) // (2 * axis.stride)
        sizes.append(axis.stride * max(1, multiple))
    return tuple(sizes)


def unread_inputs(convolution: Convolution) -> int:
    """The number of elements of the layer's own input that no output reads."""
    count, _ = convolution.as_the_layer((empty_columns, empty_rows))
    return count(convolution)


def empty_columns(convolution: Convolution) -> int:
    """The number of columns of C without an entry: elements of x that no window reads."""
    counts = [overlap_counts(axis, convolution.padding_mode) for axis in convolution.axes]
    positions = prod(axis.input_size for axis in convolution.axes)
    read = prod(axis.input_size - count.get(0, 0) for axis, count in zip(convolution.axes, counts))
    return convolution.in_channels * (positions - read)


def empty_rows(convolution: Convolution) -> int:
    """The number of rows of C without an entry: windows that lie entirely in zero padding."""
    if convolution.padding_mode != "zeros":
        return 0
    positions = prod(axis.output_size for axis in convolution.axes)
    return convolution.out_channels * (positions - prod(map(_outputs_reading, convolution.axes)))


def _outputs_reading(axis: Axis) -> int:
    """The number of outputs with a tap inside the input: the size of a union of intervals."""
    total = counted = 0  # outputs below `counted` are in the total already
    for first, past in sorted(axis.outputs_of_tap(tap) for tap in range(axis.kernel_size)):
        total += max(0, past - max(first, counted))
        counted = max(counted, past)
    return total
