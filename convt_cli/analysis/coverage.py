"""How often C reads each input: the overlap counts of Cᵀ1, in integers and without the map.

With ones for taps and one channel, position i of Cᵀ1 counts the (output, tap) pairs that meet
there, which is a product over the axes.  On one axis tap t meets the positions

    q * stride + t * dilation - before,    0 <= q < output_size,

so the taps of one residue of t * dilation modulo the stride are intervals of q that overlap,
and a sweep over their ends counts the positions of every count, however long the axis is.

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

from convt_cli.arithmetic.axis import Axis
from convt_cli.arithmetic.convolution import Convolution, Shape
from convt_cli.arithmetic.keys import Pair
from convt_cli.arithmetic.padding_modes import FOLDS


@dataclass(frozen=True, slots=True, kw_only=True)
class Coverage:
    """The least and the greatest overlap count of Cᵀ1, and what follows from the counts.

    `interior` is the least and the greatest count where no border is near, None where every
    position is near one; `period` is that of the counts there, per axis.  `unread_inputs` are
    the elements of the input of the layer's own action that nothing reads, all channels
    counted.  `even_kernel_size` is the nearest kernel_size whose counts are even in the
    interior, None where none is.
    """

    overlap_min: int
    overlap_max: int
    interior: Pair | None
    period: Shape
    unread_inputs: int
    even_kernel_size: Shape | None

    @property
    def is_even(self) -> bool | None:
        """Whether the counts do not vary in the interior; None where there is no saying."""
        if self.interior is not None:
            return self.interior[0] == self.interior[1]
        return True if self.overlap_min == self.overlap_max else None


def coverage(convolution: Convolution) -> Coverage:
    """The overlap counts of Cᵀ1, and the unread inputs of the layer's own action.

    >>> from convt_cli.operators.operator import ConvOperator
    >>> C = ConvOperator([[[1.0, 1.0, 1.0]]], 9, stride=2)
    >>> found = coverage(C.convolution)
    >>> found.overlap_min, found.overlap_max, found.interior, found.even_kernel_size
    (1, 2, (1, 2), (4,))
    """
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
    """{count: the number of input positions that so many (output, tap) pairs read}.

    >>> overlap_counts(Axis.conv(input_size=6, kernel_size=2, stride=3))
    {1: 4, 0: 2}
    """
    starts: dict[int, list[int]] = {}
    for tap in range(axis.kernel_size):
        row, residue = divmod(tap * axis.dilation, axis.stride)
        starts.setdefault(residue, []).append(row)
    totals = Counter[int]()
    for residue, rows in starts.items():
        first = -((residue - axis.before) // axis.stride)
        past = (axis.input_size - 1 + axis.before - residue) // axis.stride + 1
        totals.update(_swept(rows, axis.output_size, first, past))
    totals[0] += axis.input_size - totals.total()
    for position, extra in _folded_pairs(axis, mode).items():
        count = _count_at(axis, position)
        totals[count] -= 1
        totals[count + extra] += 1
    return {count: positions for count, positions in totals.items() if positions}


def _swept(starts: Iterable[int], length: int, first: int, past: int) -> dict[int, int]:
    """{count: how many of first ... past - 1 lie in so many of the intervals of `length`}."""
    steps = Counter[int]()
    for start in starts:
        steps[min(max(start, first), past)] += 1
        steps[min(max(start + length, first), past)] -= 1
    steps[first] += 0
    steps[past] += 0
    found = Counter[int]()
    count = 0
    for here, there in pairwise(sorted(steps)):
        count += steps[here]
        found[count] += there - here
    return found


def _folded_pairs(axis: Axis, mode: str) -> Counter[int]:
    """{input position: the (output, tap) pairs that read it through the padding}."""
    found = Counter[int]()
    if mode == "zeros":
        return found
    fold = FOLDS[mode]
    for tap in range(axis.kernel_size):
        first, past = axis.outputs_of_tap(tap)
        offset = tap * axis.dilation - axis.before
        for output in chain(range(first), range(past, axis.output_size)):
            found[fold(output * axis.stride + offset, axis.input_size)] += 1
    return found


def _count_at(axis: Axis, position: int) -> int:
    """#{(output, tap): output * stride + tap * dilation - before = position}."""
    common = gcd(axis.stride, axis.dilation)
    place = position + axis.before
    if place % common:
        return 0
    step = axis.stride // common
    residue = place // common * pow(axis.dilation // common, -1, step) % step
    room = place - (axis.output_size - 1) * axis.stride
    least = max(0, -(-room // axis.dilation))
    most = min(axis.kernel_size - 1, place // axis.dilation)
    return max(0, (most - residue) // step - (least - 1 - residue) // step)


def _endless_counts(axis: Axis) -> Pair:
    """The least and the greatest count on an axis without ends."""
    common = gcd(axis.stride, axis.dilation)
    step = axis.stride // common
    least = 0 if common > 1 else axis.kernel_size // step
    return least, -(-axis.kernel_size // step)


def _period(axis: Axis) -> int:
    """The period of the counts on an axis without ends."""
    common = gcd(axis.stride, axis.dilation)
    return axis.stride if axis.kernel_size % (axis.stride // common) else common


def _interior_length(axis: Axis) -> int:
    """The number of positions that every tap would reach, did the stride allow it."""
    first = max(0, axis.effective_kernel - 1 - axis.before)
    last = min(axis.input_size - 1, (axis.output_size - 1) * axis.stride - axis.before)
    return max(0, last - first + 1)


def _even_kernel_size(axes: Iterable[Axis]) -> Shape | None:
    """The multiples of stride nearest to kernel_size, of two the larger."""
    sizes = []
    for axis in axes:
        if gcd(axis.stride, axis.dilation) > 1:
            return None
        multiple = (2 * axis.kernel_size + axis.stride) // (2 * axis.stride)
        sizes.append(axis.stride * max(1, multiple))
    return tuple(sizes)


def unread_inputs(convolution: Convolution) -> int:
    """Elements of the input of the layer's own action that nothing reads."""
    return empty_rows(convolution) if convolution.adjoint else empty_columns(convolution)


def empty_columns(convolution: Convolution) -> int:
    """The number of columns of C without an entry: elements that no window reads."""
    counts = [overlap_counts(axis, convolution.padding_mode) for axis in convolution.axes]
    positions = prod(axis.input_size for axis in convolution.axes)
    read = prod(axis.input_size - count.get(0, 0) for axis, count in zip(convolution.axes, counts))
    return convolution.in_channels * (positions - read)


def empty_rows(convolution: Convolution) -> int:
    """The number of rows of C without an entry: windows that lie in the zeros altogether."""
    if convolution.padding_mode != "zeros":
        return 0
    positions = prod(axis.output_size for axis in convolution.axes)
    return convolution.out_channels * (positions - prod(map(_reading, convolution.axes)))


def _reading(axis: Axis) -> int:
    """The number of outputs with a tap inside the input."""
    total = reached = 0
    for first, past in sorted(axis.outputs_of_tap(tap) for tap in range(axis.kernel_size)):
        total += max(0, past - max(first, reached))
        reached = max(reached, past)
    return total
