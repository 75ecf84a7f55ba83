"""The one relation between inputs and outputs, per spatial axis; all of convt follows from it.

C[output, input] holds tap t exactly where

    input = output * stride + t * dilation - before,    0 <= input < input_size,
                                                        0 <= output < output_size.

An `Axis` stores both sizes of the *direct* convolution.  `Axis.conv` derives the output size
and `Axis.conv_transpose` the input size; after that nothing asks which of the two built it: a
convolution applies C, a transposed one applies Cᵀ.

Source: V. Dumoulin and F. Visin, "A guide to convolution arithmetic for deep learning" (2016).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from convt_cli.arithmetic.stencil import Stencil, effective_kernel
from convt_cli.errors import GeometryError


@dataclass(frozen=True, slots=True, kw_only=True)
class Axis:
    """One spatial axis of a direct convolution: its two sizes and its window.

    `before` and `after` are the zeros around the input, in elements; negative ones crop.

    >>> Axis.conv(input_size=5, kernel_size=3, stride=2, before=1, after=1).output_size
    3
    >>> Axis.conv_transpose(input_size=3, kernel_size=3, stride=2, before=1, after=1).input_size
    5
    """

    input_size: int
    output_size: int
    kernel_size: int
    stride: int = 1
    before: int = 0
    after: int = 0
    dilation: int = 1

    def __post_init__(self) -> None:
        for field in ("kernel_size", "stride", "dilation"):
            _require_at_least_one(field, getattr(self, field))
        for field in ("input_size", "output_size"):
            _require_at_least_one(field, getattr(self, field))
        if self.output_size > self.derived_output_size:
            raise GeometryError(
                "E118",
                "output_size is at most the derived one",
                field="output_size",
                value=f"got {self.output_size} where {self.derived_output_size} fit",
                help=f"use at most {self.derived_output_size}",
            )

    @classmethod
    def conv(
        cls,
        *,
        input_size: int,
        kernel_size: int,
        stride: int = 1,
        before: int = 0,
        after: int = 0,
        dilation: int = 1,
        output_size: int | None = None,
    ) -> Axis:
        """output_size = floor((input_size + before + after - effective_kernel) / stride) + 1.

        A smaller `output_size` keeps the first positions.  Raises GeometryError (E110) when the
        window is larger than the padded input.
        """
        effective = effective_kernel(kernel_size, dilation)
        padded = input_size + before + after
        if stride >= 1 and padded < effective:
            raise GeometryError(
                "E110",
                "the window must fit into the padded input",
                field="kernel_size",
                value=f"a window of {effective} over {_padded_text(input_size, before, after)}",
                help="pad more, or use a smaller kernel_size or dilation",
            )
        derived = (padded - effective) // max(stride, 1) + 1
        return cls(
            input_size=input_size,
            output_size=derived if output_size is None else output_size,
            kernel_size=kernel_size,
            stride=stride,
            before=before,
            after=after,
            dilation=dilation,
        )

    @classmethod
    def conv_transpose(
        cls,
        *,
        input_size: int,
        kernel_size: int,
        stride: int = 1,
        before: int = 0,
        after: int = 0,
        dilation: int = 1,
        output_padding: int = 0,
    ) -> Axis:
        """The axis whose Cᵀ maps `input_size` elements to

        (input_size - 1) * stride + effective_kernel - before - after + output_padding.

        In the result `output_size` is the argument `input_size`: C runs the other way.  Raises
        GeometryError (E112) when nothing is left.
        """
        full = (input_size - 1) * stride + effective_kernel(kernel_size, dilation)
        result = full - before - after + output_padding
        if result < 1:
            raise GeometryError(
                "E112",
                "the output must have at least one element",
                field="padding",
                value=f"padding {before} + {after} takes all of {full + output_padding}",
                help="use less padding, or more output_padding",
            )
        return cls(
            input_size=result,
            output_size=input_size,
            kernel_size=kernel_size,
            stride=stride,
            before=before,
            after=after,
            dilation=dilation,
        )

    @property
    def stencil(self) -> Stencil:
        """The window without its sizes and padding."""
        return Stencil(kernel_size=self.kernel_size, stride=self.stride, dilation=self.dilation)

    @property
    def effective_kernel(self) -> int:
        """dilation * (kernel_size - 1) + 1: the input elements a window spans."""
        return effective_kernel(self.kernel_size, self.dilation)

    @property
    def derived_output_size(self) -> int:
        """How many positions the window has; `output_size` may be smaller, never larger."""
        room = self.input_size + self.before + self.after - self.effective_kernel
        return room // self.stride + 1

    @property
    def output_padding(self) -> int:
        """The elements a transposed convolution adds to reach `input_size` from `output_size`.

        For a direct convolution this is the guide's a = (i + 2p - k) mod s: the padded elements
        at the end that no window covers.
        """
        spanned = (self.output_size - 1) * self.stride + self.effective_kernel
        return self.input_size + self.before + self.after - spanned

    @property
    def stretched_size(self) -> int:
        """Length of the output with stride - 1 zeros between its elements."""
        return (self.output_size - 1) * self.stride + 1

    def zero_inserted(self) -> Axis:
        """The direct axis, stride 1, over the stretched output that equals Cᵀ with taps flipped.

        Its padding is dilation * (kernel_size - 1) - before, and the same with `after` plus
        output_padding; negative where the padding exceeds the kernel: then it crops.
        """
        span = self.effective_kernel - 1
        return Axis(
            input_size=self.stretched_size,
            output_size=self.input_size,
            kernel_size=self.kernel_size,
            before=span - self.before,
            after=span - self.after + self.output_padding,
            dilation=self.dilation,
        )

    def outputs_of_tap(self, tap: int) -> tuple[int, int]:
        """(first, past the last) output whose window has tap `tap` inside the input.

        (p, p) where there is none.

        >>> Axis.conv(input_size=5, kernel_size=3, before=1, after=1).outputs_of_tap(0)
        (1, 5)
        """
        # The tap reads input = output * stride + offset: solve 0 <= input < input_size for output.
        offset = tap * self.dilation - self.before
        first = min(self.output_size, max(0, ceil_div(-offset, self.stride)))
        past = min(self.output_size, (self.input_size - 1 - offset) // self.stride + 1)
        return first, max(first, past)

    def taps_of_output(self, output: int) -> tuple[int, int]:
        """(first, past the last) tap of the window at `output` that lies inside the input.

        >>> Axis.conv(input_size=5, kernel_size=3, before=1, after=1).taps_of_output(4)
        (0, 2)
        """
        # Tap t reads input = start + t * dilation: solve 0 <= input < input_size for t.
        start = output * self.stride - self.before
        first = min(self.kernel_size, max(0, ceil_div(-start, self.dilation)))
        past = min(self.kernel_size, (self.input_size - 1 - start) // self.dilation + 1)
        return first, max(first, past)

    def part_of_outputs(self, first: int, past: int) -> tuple[int, int, Axis]:
        """(low, high, axis): outputs `first` to `past` - 1 read inputs `low` to `high` - 1.

        `axis` joins these inputs and these outputs alone.

        >>> Axis.conv(input_size=9, kernel_size=3, before=1, after=1).part_of_outputs(4, 6)[:2]
        (3, 7)
        """
        start = first * self.stride - self.before
        end = (past - 1) * self.stride - self.before + self.effective_kernel
        low, high = _range_inside(start, end, self.input_size)
        return low, high, self._part(high - low, past - first, low - first * self.stride)

    def part_of_inputs(self, first: int, past: int) -> tuple[int, int, Axis]:
        """(low, high, axis): inputs `first` to `past` - 1 are read by outputs `low` to `high` - 1.

        `axis` joins these inputs and these outputs alone.

        >>> axis = Axis.conv_transpose(input_size=8, kernel_size=4, stride=2, before=1, after=1)
        >>> axis.part_of_inputs(4, 8)[:2]
        (1, 5)
        """
        # The first window that reaches `first`, and the end of those that start before `past`.
        start = ceil_div(first + self.before - self.effective_kernel + 1, self.stride)
        end = (past - 1 + self.before) // self.stride + 1
        low, high = _range_inside(start, end, self.output_size)
        return low, high, self._part(past - first, high - low, first - low * self.stride)

    def _part(self, input_size: int, output_size: int, shift: int) -> Axis:
        """The axis between a part of the inputs and a part of the outputs.

        `shift` is by how much the padding before grows; the padding after is the elements that the
        last window covers past the part's inputs.
        """
        before = self.before + shift
        spanned = (output_size - 1) * self.stride + self.effective_kernel
        return Axis(
            input_size=input_size,
            output_size=output_size,
            kernel_size=self.kernel_size,
            stride=self.stride,
            before=before,
            after=spanned - input_size - before,
            dilation=self.dilation,
        )

    @lru_cache(maxsize=1024)  # noqa: B019  # values: the layers of a network share many axes
    def entries(self) -> int:
        """The number of (output, tap) pairs whose input element exists: nnz of this axis's C.

        Counted in O(log) steps: pairs reaching at most x lie under a line, and the pairs inside
        the input are those that reach its last element less those that stop before its first.
        """
        return self._pairs_up_to(self.input_size - 1) - self._pairs_up_to(-1)

    def _pairs_up_to(self, position: int) -> int:
        """#{(output, tap): output * stride + tap * dilation - before <= position}."""
        bound = position + self.before
        if bound < 0:
            return 0
        taps = min(self.kernel_size, bound // self.dilation + 1)
        # `complete` taps count for every output; each of the others, tap t, for
        # floor((bound - t*dilation) / stride) + 1 outputs, which floor_sum adds up.
        room = bound - (self.output_size - 1) * self.stride
        complete = 0 if room < 0 else min(taps, room // self.dilation + 1)
        partial = taps - complete
        shortest = bound - (taps - 1) * self.dilation  # the bound of the last tap
        below = floor_sum(partial, self.stride, self.dilation, shortest)
        return complete * self.output_size + below + partial


def ceil_div(dividend: int, divisor: int) -> int:
    """ceil(dividend / divisor), exact for integers of any size."""
    return -(-dividend // divisor)


def floor_sum(count: int, modulus: int, slope: int, offset: int) -> int:
    """The sum of floor((slope * j + offset) / modulus) for j = 0 ... count - 1.

    All arguments are at least 0 and `modulus` at least 1.  The Euclidean reduction of a
    lattice-point count: Graham, Knuth and Patashnik, "Concrete Mathematics", section 3.5.

    >>> floor_sum(4, 3, 2, 1)  # 0 + 1 + 1 + 2
    4
    """
    total = 0
    while count > 0:
        total += (slope // modulus) * (count * (count - 1) // 2) + (offset // modulus) * count
        slope %= modulus
        offset %= modulus
        highest = slope * count + offset
        count, offset = divmod(highest, modulus)
        modulus, slope = slope, modulus
    return total


def _range_inside(start: int, end: int, size: int) -> tuple[int, int]:
    """The part of the range `start` to `end` that lies in 0 to `size`, or one element next to it.

    An axis has at least one element, so a range that lies outside is not left empty.
    """
    low = min(max(0, start), size - 1)
    return low, min(max(low + 1, end), size)


def _require_at_least_one(field: str, value: int) -> None:
    if value < 1:
        raise GeometryError(
            "E107", f"{field} must be at least 1", field=field, value=f"got {value}"
        )


def _padded_text(size: int, before: int, after: int) -> str:
    return f"{size} + {before} + {after} = {size + before + after}"
