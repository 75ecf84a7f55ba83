"""The divisors of an average pool: how many elements each of its windows is divided by.

The divisor of a window is the product, over the axes, of the number of its taps that lie in the
counted range: the bare input, or the input with the padding that was asked for.  What ceil_mode
adds behind the padding counts in no framework.

Two pools with the same windows have equal divisors exactly if the sums of their divisors over all
windows are equal on every axis.  The counted range of one contains that of the other, so each
divisor of the one is at most that of the other, and equal sums leave no room for a difference.
`Axis.entries` computes these sums in closed form, so no window is walked through.
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


def counts_padding(definition: Definition, framework: Framework) -> bool:
    """Whether padding counts in the divisors of this layer; False unless it is an average pool."""
    if not isinstance(definition, AveragePool):
        return False
    if definition.count_include_pad is None:
        return framework.average_counts_padding
    return definition.count_include_pad


def asked_pads(
    pool: MaxPool | AveragePool, axes: Sequence[Axis], framework: Framework
) -> tuple[Pair, ...]:
    """A pool's pads as the spec asks for them, without what ceil_mode adds behind."""
    sizes, stencils = [axis.input_size for axis in axes], [axis.stencil for axis in axes]
    return direct_pads(pool.padding, sizes, stencils, framework, "a pool")


def divisor_sums(axes: Sequence[Axis], asked: Sequence[Pair], *, counts: bool) -> Shape:
    """The sum of all windows' divisors on every axis.

    `asked` are the pads that count where `counts` is true.

    >>> pool = Axis.conv(input_size=4, kernel_size=3, stride=2, after=1)
    >>> divisor_sums([pool], [(0, 0)], counts=True), divisor_sums([pool], [(0, 1)], counts=True)
    ((5,), (6,))
    """
    if not counts:
        return tuple(axis.entries() for axis in axes)
    return tuple(_counted(axis, pair).entries() for axis, pair in zip(axes, asked, strict=True))


def _counted(axis: Axis, pair: Pair) -> Axis:
    """The same windows over a longer input, which takes in the counted padding `pair`."""
    before, after = pair
    # Padding that moves into the input is no longer padding, so all windows stay where they are.
    return replace(
        axis,
        input_size=before + axis.input_size + after,
        before=axis.before - before,
        after=axis.after - after,
    )
