"""The legal layers of one axis that lead from one size to another, found by arithmetic.

A transposed layer with i inputs has

    (i - 1) * stride + base + sign * (before + after) + output_padding

outputs: a line in i.  `base` and `sign` are effective_kernel and -1 where padding pads C's input;
a framework that pads the stretched input has others.  A direct convolution from n to o is the same
line read backwards: n is the size that o leads back to, and the place of output_padding is taken
by the part of the input, shorter than the stride, that no window covers.

So kernel_size, stride and dilation leave only a range of paddings, and these are computed, not
tried.  Whether a framework takes them is left to the functions of `dialects`.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product
from math import gcd

from convt_cli.arithmetic.axis import Axis
from convt_cli.arithmetic.dialects.frameworks import Framework
from convt_cli.arithmetic.dialects.padding import WORDS, require_plain_stencils
from convt_cli.arithmetic.dialects.transposed import (
    ResolvedPads,
    WrittenAxis,
    require_output_padding,
    resolved_pads,
)
from convt_cli.arithmetic.keys import Pair
from convt_cli.arithmetic.layers import Conv, ConvTranspose
from convt_cli.arithmetic.questions.bounds import (
    MOST_TRIED,
    Bounds,
    pairs_with_sum,
    require_few,
    runs,
    too_many,
    within,
)
from convt_cli.arithmetic.stencil import Stencil
from convt_cli.errors import GeometryError

TYPES = ("conv", "conv_transpose")
"""The layer types that can be asked for."""
MOST_SOLUTIONS = 100_000
"""The most solutions, with paddings that were tried in vain, that one search may find."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """Which layers of a type lead from `input_size` to `output_size`?  None is any input size."""

    layer_type: str
    input_size: int | None
    output_size: int
    framework: Framework

    @property
    def is_transposed(self) -> bool:
        return self.layer_type == "conv_transpose"


@dataclass(frozen=True, slots=True, kw_only=True)
class Solution:
    """One layer, by the keys of a spec.

    `input_sizes` is the (first, last) size of an input that gives the output.  `word` is the
    padding word that, without output_padding, means the same layer; None if there is none.
    """

    kernel_size: int
    stride: int
    before: int
    after: int
    output_padding: int
    dilation: int
    input_sizes: Pair
    word: str | None = None

    @property
    def has_even_overlap(self) -> bool:
        """Whether, as a transposed layer, it adds equally many taps to every inner output."""
        return self.kernel_size % self.stride == 0 and gcd(self.dilation, self.stride) == 1


def solutions(question: Question, bounds: Bounds) -> list[Solution]:
    """Every solution within `bounds`, the simplest first.

    Symmetric padding comes before uneven, no dilation before some, no output_padding before some,
    and for transposed layers an even overlap before an uneven one; then small kernels, little
    padding, small strides.  Raises RequestError (E503) where there are too many.

    >>> from convt_cli.arithmetic.dialects.frameworks import FRAMEWORKS
    >>> question = Question(
    ...     layer_type="conv", input_size=7, output_size=4, framework=FRAMEWORKS["pytorch"]
    ... )
    >>> first = solutions(question, Bounds(kernel_size=[3], dilation=[1]))[0]
    >>> first.stride, first.before, first.after
    (2, 1, 1)
    """
    require_few(bounds)
    found: list[Solution] = []
    for tried, solution in enumerate(_found(question, bounds)):
        if tried >= MOST_SOLUTIONS:
            raise too_many(f"has at most {MOST_SOLUTIONS:,} solutions", "this one has more")
        if solution is not None:
            found.append(solution)
    uneven = question.is_transposed
    return sorted(found, key=lambda one: _complexity(one, uneven and not one.has_even_overlap))


def has_solution(question: Question, bounds: Bounds) -> bool:
    """Whether there is a solution within `bounds`: the first one ends the search."""
    return any(solution is not None for solution in _found(question, bounds))


def promising_strides(question: Question, bounds: Bounds) -> list[int]:
    """The strides nearest to the ratio of the sizes that would give solutions."""
    sizes = sorted((question.input_size or question.output_size, question.output_size))
    ratio, rest = divmod(sizes[1], sizes[0])
    nearest = replace(bounds, stride=[ratio, ratio + 1] if rest else [ratio])
    if len(bounds.kernel_size) * len(bounds.dilation) > MOST_TRIED // 2:
        return []
    return sorted({solution.stride for solution in solutions(question, nearest)})


def _complexity(one: Solution, uneven: bool) -> tuple[int, ...]:
    """The key by which solutions are sorted, the simplest first; see `solutions`."""
    return (
        abs(one.after - one.before),
        one.dilation,
        one.output_padding,
        uneven,
        one.kernel_size,
        one.before + one.after,
        one.stride,
        one.before,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Line:
    """The line of the module's docstring for one kernel_size, stride and dilation."""

    stencil: Stencil
    base: int
    sign: int

    @property
    def stride(self) -> int:
        return self.stencil.stride


def _found(question: Question, bounds: Bounds) -> Iterator[Solution | None]:
    """The solutions in no particular order, and None for each padding tried in vain."""
    for stride, dilation in product(bounds.stride, bounds.dilation):
        extras = _extras(question, stride, dilation, bounds.output_padding)
        for kernel_size in bounds.kernel_size if extras else ():
            # One line for each window; its paddings follow from the sizes.
            stencil = Stencil(kernel_size=kernel_size, stride=stride, dilation=dilation)
            line = _line(question, stencil)
            allowed = bounds.padding or range(stencil.effective)
            for run in extras:
                if question.input_size is None:
                    yield from _from_any_size(question, line, run, allowed)
                else:
                    yield from _from_size(question.input_size, question, line, run, allowed)


def _from_size(
    size: int, question: Question, line: _Line, extras: Pair, allowed: Sequence[int]
) -> Iterator[Solution]:
    """The layers from an input of `size`, found by their padding."""
    if question.is_transposed:
        short, long = size, question.output_size
    else:
        short, long = question.output_size, size
    # long = (short - 1) * stride + base + sign * padding + extra, so sign * padding = room - extra
    room = long - (short - 1) * line.stride - line.base
    totals = sorted(line.sign * (room - extra) for extra in extras)
    words: dict[ResolvedPads, str] | None = None  # found only if there is a solution
    for pair in pairs_with_sum(allowed, totals[0], totals[1]):
        if words is None:
            words = _words(question, line.stencil, size)
        extra = room - line.sign * sum(pair) if question.is_transposed else 0
        word = words.get(_own_pads(question, line.stencil, pair, extra))
        yield _solution(line, pair, extra, (size, size), word)


def _from_any_size(
    question: Question, line: _Line, extras: Pair, allowed: Sequence[int]
) -> Iterator[Solution | None]:
    """The layers from an input of any size, found by their padding; None for one without."""
    search = _transposed_sources if question.is_transposed else _direct_sources
    for pair in pairs_with_sum(allowed, 2 * allowed[0], 2 * allowed[-1]):
        found = False
        for extra, sizes in search(question.output_size, line, extras, sum(pair)):
            found = True
            yield _solution(line, pair, extra, sizes, None)
        if not found:
            yield None


def _direct_sources(
    size: int, line: _Line, extras: Pair, padding: int
) -> Iterator[tuple[int, Pair]]:
    """(0, the range of input sizes) of a convolution with `size` outputs.

    There are as many as its stride: each leaves another number of elements, one of `extras`, that
    no window covers.
    """
    least = (size - 1) * line.stride + line.base + line.sign * padding
    if least + extras[1] >= 1:
        yield 0, (max(1, least + extras[0]), least + extras[1])


def _transposed_sources(
    size: int, line: _Line, extras: Pair, padding: int
) -> Iterator[tuple[int, Pair]]:
    """The output_paddings that give `size` outputs, each with its input size, as a range of one."""
    # (i - 1) * stride = stretched - extra must be a multiple of the stride, and not negative.
    stretched = size - line.base - line.sign * padding
    first = extras[0] + (stretched - extras[0]) % line.stride
    for extra in range(first, min(extras[1], stretched) + 1, line.stride):
        source = (stretched - extra) // line.stride + 1
        yield extra, (source, source)


def _solution(line: _Line, pair: Pair, extra: int, sizes: Pair, word: str | None) -> Solution:
    return Solution(
        kernel_size=line.stencil.kernel_size,
        stride=line.stride,
        before=pair[0],
        after=pair[1],
        output_padding=extra,
        dilation=line.stencil.dilation,
        input_sizes=sizes,
        word=word,
    )


def _extras(
    question: Question, stride: int, dilation: int, wanted: Sequence[int] | None
) -> tuple[Pair, ...]:
    """The legal output_paddings as runs (first, last); for a conv the elements no window covers.

    Empty where the framework refuses this stride with this dilation.
    """
    stencil = Stencil(kernel_size=1, stride=stride, dilation=dilation)
    try:
        require_plain_stencils([stencil], question.framework)
    except GeometryError:
        return ()
    if not question.is_transposed:
        return ((0, stride - 1),)
    # All from some output_padding on are refused; bisection finds the first of them.
    past = bisect_left(
        range(max(stride, dilation)),
        True,
        key=lambda extra: _is_refused(extra, stride, dilation, question.framework),
    )
    if wanted is None:
        return ((0, past - 1),)
    return runs(within(wanted, 0, past - 1))


def _is_refused(extra: int, stride: int, dilation: int, framework: Framework) -> bool:
    try:
        require_output_padding(extra, stride, dilation, framework)
    except GeometryError:
        return True
    return False


def _line(question: Question, stencil: Stencil) -> _Line:
    """The line of a window; for a transposed layer it is drawn through two of its points."""
    if not question.is_transposed:
        return _Line(stencil=stencil, base=stencil.effective, sign=-1)
    # The sizes without padding and with one element show base and sign.
    sizes = []
    for pair in ((0, 0), (0, 1)):
        written = _written_out(stencil, pair, 0)
        found = resolved_pads(written, question.framework)
        sizes.append(written.full - found.before - found.after + found.output_padding)
    return _Line(stencil=stencil, base=sizes[0], sign=sizes[1] - sizes[0])


def _written_out(stencil: Stencil, pair: Pair, extra: int) -> WrittenAxis:
    """A transposed layer on one element, its padding and output_padding written as numbers."""
    return WrittenAxis(
        size=1,
        stencil=stencil,
        pair=pair,
        word=None,
        output_padding=extra,
        output_size=None,
    )


def _own_pads(question: Question, stencil: Stencil, pair: Pair, extra: int) -> ResolvedPads:
    """The zeros around C's input that a written pair stands for."""
    if question.is_transposed:
        return resolved_pads(_written_out(stencil, pair, extra), question.framework)
    return ResolvedPads(before=pair[0], after=pair[1], output_padding=0)


def _words(question: Question, stencil: Stencil, size: int) -> dict[ResolvedPads, str]:
    """The padding words by the pads that they mean on an input of `size`.

    Of several words with the same pads it is the first.
    """
    found: dict[ResolvedPads, str] = {}
    for word in WORDS:
        axis = _axis_of_word(question, stencil, size, word)
        if axis is not None:
            extra = axis.output_padding if question.is_transposed else 0
            pads = ResolvedPads(before=axis.before, after=axis.after, output_padding=extra)
            found.setdefault(pads, word)
    return found


def _axis_of_word(question: Question, stencil: Stencil, size: int, word: str) -> Axis | None:
    """The axis of the layer with this padding and no output_padding; None where it is illegal."""
    layer_type = ConvTranspose if question.is_transposed else Conv
    layer = layer_type(
        out_channels=1,
        kernel_size=stencil.kernel_size,
        stride=stencil.stride,
        dilation=stencil.dilation,
        padding=word,
    )
    try:
        convolution = layer.resolve(((1, size),), question.framework).convolution
    except GeometryError:
        return None
    return convolution.axes[0] if convolution is not None else None
