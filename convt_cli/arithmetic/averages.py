"""What an average pool divides by: padding counts or not, and a ceiling's overhang never does.

The divisor of a window is the product, over the axes, of how many of its taps lie in what counts:
the bare input, or the input with the padding that was asked for.  What a ceiling adds behind
counts in no framework.

Two pools with the same windows divide alike exactly where, on every axis, the sums of their
divisors over all windows are equal: what counts in one lies inside what counts in the other, so
that each divisor of the one is at most that of the other, and equal sums leave no room for a
difference.  `Axis.entries` has these sums in closed form, so no window is walked through.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from convt_cli.arithmetic.axis import Axis
from convt_cli.arithmetic.convolution import Shape
from convt_cli.arithmetic.dialects.frameworks import Framework
from convt_cli.arithmetic.dialects.padding import direct_pads
from convt_cli.arithmetic.keys import Pair
from convt_cli.arithmetic.layers import Definition
from convt_cli.arithmetic.layers.pools import AveragePool, MaxPool
from convt_cli.arithmetic.windows import Window


def counts_padding(definition: Definition, framework: Framework) -> bool:
    """Whether padding counts in the divisor of an average pool; False for all other layers."""
    if not isinstance(definition, AveragePool):
        return False
    if definition.count_include_pad is None:
        return framework.average_counts_padding
    return definition.count_include_pad


def asked_pads(
    pool: MaxPool | AveragePool, axes: Sequence[Axis], framework: Framework
) -> tuple[Pair, ...]:
    """A pool's pads as they were asked for, without what a ceiling adds behind."""
    sizes = tuple(axis.input_size for axis in axes)
    return direct_pads(pool.padding, sizes, Window.of(axes), framework, "a pool")


def divisor_sums(axes: Sequence[Axis], asked: Sequence[Pair], *, counts: bool) -> Shape:
    """The sum of all windows' divisors on every axis; `asked` are the pads that may count.

    >>> pool = Axis.conv(input_size=4, kernel_size=3, stride=2, after=1)
    >>> divisor_sums([pool], [(0, 0)], counts=True), divisor_sums([pool], [(0, 1)], counts=True)
    ((5,), (6,))
    """
    if not counts:
        return tuple(axis.entries() for axis in axes)
    return tuple(_counted(axis, pair).entries() for axis, pair in zip(axes, asked, strict=True))


def _counted(axis: Axis, pair: Pair) -> Axis:
    """The axis over an input that what counts of the padding is a part of."""
    before, after = pair
    return replace(
        axis,
        input_size=before + axis.input_size + after,
        before=axis.before - before,
        after=axis.after - after,
    )
