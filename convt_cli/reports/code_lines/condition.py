"""The input sizes for which a line of code holds, among them the one it was written for.

A line is right for every input size for which the same text would be written.  The text depends on
pads, on whether windows fit, and on divisors.  On an axis that is not transposed these depend only
on the remainder of the input size by the stride, once the input is so large that no window meets
both of its ends; on a transposed one they do not depend on the input size at all.

So from a certain size on, the settled size, the text repeats with the stride.  There it is enough
to write it for one size of every remainder; below, it is written for every size, unless those are
too many.  A text that contains a size itself, such as Caffe's Crop, changes from one stride to the
next, and holds for its own size alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import product
from math import prod

from convt_cli.arithmetic.axis import Axis
from convt_cli.arithmetic.convolution import Shape
from convt_cli.arithmetic.network import NetworkLayer
from convt_cli.arithmetic.questions.comparison import axes_of

_MOST_TEXTS = 64
"""The most texts that are written to find one line's condition; each takes about 0.1 ms."""

Writes = Callable[[Shape], str | None]
"""The line for a layer on these spatial sizes; None where the layer refuses them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    """The input sizes start, start + step, start + 2*step, ...; with step 0, `start` alone."""

    start: int
    step: int

    def __contains__(self, size: int) -> bool:
        if self.step == 0:
            return size == self.start
        return size >= self.start and (size - self.start) % self.step == 0

    def __str__(self) -> str:
        if self.step == 0:
            return "this input size"
        if self.step == 1:
            return "any input size" if self.start == 1 else f"input sizes of at least {self.start}"
        if self.step == 2 and self.start <= 2:
            return "odd input sizes" if self.start == 1 else "even input sizes"
        first = (self.start + self.step * n for n in range(3))
        return f"input sizes {', '.join(map(str, first))}, ..."


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """The input sizes of each spatial axis; a line holds for every combination of them."""

    axes: tuple[Sizes, ...]

    @property
    def is_narrow(self) -> bool:
        """Whether some sizes above the first are left out."""
        return any(sizes.step != 1 for sizes in self.axes)

    def __str__(self) -> str:
        groups: dict[str, list[str]] = {}
        for number, sizes in enumerate(self.axes):
            groups.setdefault(str(sizes), []).append(str(number))
        if len(groups) == 1:
            return next(iter(groups))
        return ", ".join(
            f"{text} on {'axis' if len(numbers) == 1 else 'axes'} {' and '.join(numbers)}"
            for text, numbers in groups.items()
        )


def condition_of(layer: NetworkLayer, writes: Writes) -> Condition:
    """The sizes for which `writes` gives the same text as for the layer's own input."""
    sizes, axes = layer.inputs[0][1:], axes_of(layer.geometry)
    text = writes(sizes)
    strides = [axis.stride for axis in axes]
    # per axis the first settled size with the remainder of the layer's own
    bases = [
        _first_from(_settled(axis, layer), size, stride)
        for axis, size, stride in zip(axes, sizes, strides, strict=True)
    ]

    def holds(combinations: Iterable[Shape]) -> bool:
        return all(writes(each) in (text, None) for each in combinations)

    # does the text repeat with the stride at all?
    further = tuple(base + stride for base, stride in zip(bases, strides, strict=True))
    if not axes or {writes(tuple(bases)), writes(further)} != {text}:
        return Condition(axes=tuple(Sizes(start=size, step=0) for size in sizes))
    steps = _steps(bases, strides, holds)
    repeats = [stride if step == 1 else 1 for stride, step in zip(strides, steps, strict=True)]
    # from the least size of these remainders on if possible, else from the layer's own size on:
    # every size below the settled ones is tried
    for starts in (_least(bases, steps), list(map(min, sizes, bases))):
        below = [
            range(start, base + repeat, step)
            for start, base, repeat, step in zip(starts, bases, repeats, steps, strict=True)
        ]
        if prod(map(len, below)) <= _MOST_TEXTS and holds(product(*below)):
            return _condition(starts, steps)
    # too many to try, or another text among them: the settled sizes alone
    settled = [
        _settled(axis, layer) if step == 1 else base
        for axis, base, step in zip(axes, bases, steps, strict=True)
    ]
    if all(size >= start for size, start in zip(sizes, settled, strict=True)):
        return _condition(settled, steps)
    return Condition(axes=tuple(Sizes(start=size, step=0) for size in sizes))


def _condition(starts: Sequence[int], steps: Sequence[int]) -> Condition:
    pairs = zip(starts, steps, strict=True)
    return Condition(axes=tuple(Sizes(start=start, step=step) for start, step in pairs))


def _least(bases: Sequence[int], steps: Sequence[int]) -> list[int]:
    """Per axis the least size from 1 on with the remainder of `bases` by the step."""
    return [1 + (base - 1) % step for base, step in zip(bases, steps, strict=True)]


def _steps(
    bases: Sequence[int], strides: Sequence[int], holds: Callable[[Iterable[Shape]], bool]
) -> list[int]:
    """The step of each axis: 1 where all remainders have the same text, else the stride."""
    every = [range(base, base + stride) for base, stride in zip(bases, strides, strict=True)]
    one = [range(base, base + 1) for base in bases]
    # the axes on which all remainders have it while the others keep theirs, then all at once
    free = [
        n
        for n in range(len(bases))
        if strides[n] <= _MOST_TEXTS and holds(product(*one[:n], every[n], *one[n + 1 :]))
    ]
    chosen = [every[n] if n in free else one[n] for n in range(len(bases))]
    if prod(map(len, chosen)) > _MOST_TEXTS or not holds(product(*chosen)):
        return list(strides)
    return [1 if n in free else stride for n, stride in enumerate(strides)]


def _settled(axis: Axis, layer: NetworkLayer) -> int:
    """The input size above which only the remainder by the stride matters."""
    if layer.type == "conv_transpose":
        return 1
    return axis.effective_kernel + abs(axis.before) + abs(axis.after) + axis.stride


def _first_from(least: int, size: int, step: int) -> int:
    """The least number >= `least` with the same remainder by `step` as `size`."""
    return least + (size - least) % step
