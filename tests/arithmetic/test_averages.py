"""The divisors of averages: their closed sums against a walk through every window."""

from __future__ import annotations

from hypothesis import assume, given
from hypothesis import strategies as st

from convt_cli.arithmetic.averages import asked_pads, counts_padding, divisor_sums
from convt_cli.arithmetic.axis import Axis
from convt_cli.arithmetic.dialects.frameworks import FRAMEWORKS, Framework
from convt_cli.arithmetic.layers import Geometry
from convt_cli.arithmetic.layers.pools import AveragePool
from convt_cli.arithmetic.network import NetworkLayer
from convt_cli.arithmetic.questions.comparison import axes_of, readings
from tests.written import layers

Divisors = tuple[tuple[int, ...], ...]


def divisors(pool: AveragePool, geometry: Geometry, framework: Framework) -> Divisors:
    """The divisor of every window of every axis, counted tap by tap."""
    axes = axes_of(geometry)
    asked = asked_pads(pool, axes, framework)
    counts = counts_padding(pool, framework)
    return tuple(
        tuple(
            sum(counted(axis, pair, output, tap, counts=counts) for tap in range(axis.kernel_size))
            for output in range(axis.output_size)
        )
        for axis, pair in zip(axes, asked, strict=True)
    )


def counted(axis: Axis, pair: tuple[int, int], output: int, tap: int, *, counts: bool) -> bool:
    place = output * axis.stride + tap * axis.dilation - axis.before
    before, after = pair if counts else (0, 0)
    return -before <= place < axis.input_size + after


@given(layers("avg_pool"))
def test_the_sums_are_those_of_all_windows(drawn: tuple[NetworkLayer, str]) -> None:
    layer, own = drawn
    pool, rules = layer.definition, FRAMEWORKS[own]
    assert isinstance(pool, AveragePool)
    axes = axes_of(layer.geometry)
    sums = divisor_sums(axes, asked_pads(pool, axes, rules), counts=counts_padding(pool, rules))
    assert sums == tuple(map(sum, divisors(pool, layer.geometry, rules)))


@given(layers("avg_pool"), st.sampled_from(sorted(FRAMEWORKS)))
def test_averages_are_equal_where_every_divisor_is(
    drawn: tuple[NetworkLayer, str], name: str
) -> None:
    layer, own = drawn
    pool = layer.definition
    assert isinstance(pool, AveragePool)
    mine, theirs = readings(layer, FRAMEWORKS[own], [FRAMEWORKS[name]])
    assume(theirs.geometry is not None)
    assert theirs.geometry is not None
    starts = [axis.before for axis in mine.axes], [axis.before for axis in theirs.axes]
    assume(mine.geometry is not None and mine.geometry.output == theirs.geometry.output)
    assume(starts[0] == starts[1])
    alike = divisors(pool, layer.geometry, FRAMEWORKS[own]) == divisors(
        pool, theirs.geometry, FRAMEWORKS[name]
    )
    assert theirs.is_equal == alike
    assert (theirs.difference == "divisor") == (not alike)
