"""Receptive fields, held to index sets that are followed back element by element.

Without dilation, and with kernels no shorter than their stride, the extent is exact.  Elsewhere
holes can open inside an interval, and the extent is never too small.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import lcm

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from convt_cli.arithmetic.axis import Axis
from convt_cli.arithmetic.layers import Windows
from convt_cli.arithmetic.receptive import IDENTITY, Receptive, Trace, join
from tests.oracle import Join, Step, receptive_field

# Traces do not see the ends of an axis: any length that holds every window will do.
_LONG = 10_000

Chain = tuple[Step, ...]


def window_of(step: Step) -> Windows:
    """The step as the reach of a layer on one axis."""
    build = Axis.conv_transpose if step.transposed else Axis.conv
    axis = build(
        input_size=_LONG,
        kernel_size=step.kernel_size,
        stride=step.stride,
        before=step.before,
        dilation=step.dilation,
    )
    return Windows(axes=(axis,), adjoint=step.transposed)


def follow(layers: Sequence[Step | Join], receptive: Receptive) -> Receptive:
    """`receptive` seen from behind all the layers."""
    for layer in layers:
        if isinstance(layer, Join):
            receptive = join([follow(branch, receptive) for branch in layer.branches])
        else:
            receptive = receptive.behind(window_of(layer))
    return receptive


def extent(layers: Sequence[Step | Join]) -> int:
    """The extent of a chain's last layer on its one axis."""
    field = follow(layers, Receptive.of_input((1, _LONG))).field
    assert field is not None
    return field[0]


def counted(layers: Sequence[Step | Join]) -> int:
    """The oracle's extent, over as many positions as the layers have phases."""
    return receptive_field(layers, positions=phases(layers))


def phases(layers: Sequence[Step | Join]) -> int:
    """After so many positions, or a divisor of them, the layers read alike."""
    total = 1
    for layer in layers:
        if isinstance(layer, Join):
            total *= lcm(*(phases(branch) for branch in layer.branches))
        elif layer.transposed:
            total *= layer.stride
    return total


@st.composite
def steps(
    draw: st.DrawFn,
    *,
    stride: int | None = None,
    transposed: bool | None = None,
    dilation: int = 1,
    gaps: bool = False,
) -> Step:
    """A layer; with `gaps` its kernel may be shorter than its stride."""
    step = draw(st.integers(1, 3)) if stride is None else stride
    kernel_size = draw(st.integers(1 if gaps else step, 4))
    return Step(
        kernel_size=kernel_size,
        stride=step,
        before=draw(st.integers(-1, 3)),
        dilation=draw(st.integers(1, dilation)),
        transposed=draw(st.booleans()) if transposed is None else transposed,
    )


@st.composite
def branches(draw: st.DrawFn) -> Chain:
    """Layers that keep the pace: those with a stride go down and up again, or up and down."""
    chain: list[Step] = draw(st.lists(steps(stride=1), max_size=2))
    if draw(st.booleans()):
        stride, up_first = draw(st.integers(2, 3)), draw(st.booleans())
        chain += [
            draw(steps(stride=stride, transposed=up_first)),
            draw(steps(stride=stride, transposed=not up_first)),
        ]
    return tuple(chain)


def joins() -> st.SearchStrategy[Join]:
    return st.lists(branches(), min_size=2, max_size=3).map(lambda drawn: Join(tuple(drawn)))


class TestExactWithoutHoles:
    @settings(deadline=None, max_examples=150)
    @given(layers=st.lists(steps(), max_size=4))
    def test_a_chain_of_direct_and_transposed_layers(self, layers: list[Step]) -> None:
        assert extent(layers) == counted(layers)

    @settings(deadline=None, max_examples=150)
    @given(layers=st.lists(st.one_of(steps(), joins()), min_size=1, max_size=2))
    def test_branches_that_come_together_again(self, layers: list[Step | Join]) -> None:
        assert extent(layers) == counted(layers)

    @settings(deadline=None, max_examples=80)
    @given(layers=st.lists(steps(transposed=False, dilation=3, gaps=True), max_size=4))
    def test_direct_layers_have_the_extent_of_their_ends_whatever_lies_between(
        self, layers: list[Step]
    ) -> None:
        assert extent(layers) == counted(layers)


class TestNeverTooSmall:
    @settings(deadline=None, max_examples=150)
    @given(layers=st.lists(st.one_of(steps(dilation=3, gaps=True), joins()), max_size=3))
    def test_with_dilation_and_short_kernels(self, layers: list[Step | Join]) -> None:
        assert extent(layers) >= counted(layers)

    @pytest.mark.parametrize(
        "behind",
        [
            pytest.param([Step(2, 1, 0, dilation=3)], id="dilation"),
            pytest.param([Step(1, 3, 0), Step(2, 1, 0)], id="a kernel shorter than its stride"),
        ],
    )
    def test_a_hole_can_make_it_too_large(self, behind: list[Step]) -> None:
        """Outputs 0 and 3 of the first layer have one input between them, not two."""
        layers = [Step(1, 2, 0, transposed=True), *behind]
        assert (extent(layers), counted(layers)) == (2, 1)


class TestByHand:
    @pytest.mark.parametrize(
        ("layers", "expected"),
        [
            pytest.param([], 1, id="the input itself"),
            pytest.param([Step(3, 1, 1)] * 2, 5, id="two of 3"),
            pytest.param([Step(7, 2, 1), Step(3, 2, 0)], 11, id="7 by 2, then 3"),
            pytest.param([Step(3, 1, 0, dilation=4)], 9, id="dilated"),
            pytest.param([Step(4, 2, 1, transposed=True)], 2, id="transposed, k = 2s"),
            pytest.param([Step(3, 2, 1, transposed=True)], 2, id="transposed, uneven phases"),
            pytest.param([Step(1, 3, 0, transposed=True)], 1, id="transposed, k < s"),
        ],
    )
    def test_extents(self, layers: list[Step], expected: int) -> None:
        assert extent(layers) == expected

    def test_every_axis_has_its_own(self) -> None:
        axes = (
            Axis.conv(input_size=9, kernel_size=3),
            Axis.conv(input_size=9, kernel_size=5, stride=2),
        )
        seen = Receptive.of_input((3, 9, 9)).behind(Windows(axes=axes))
        assert seen.behind(Windows(axes=axes)).field == (5, 13)


class TestTheWholeInput:
    ONE = Receptive.of_input((3, 9))

    def test_same_changes_nothing(self) -> None:
        assert self.ONE.behind("same").field == (1,)

    def test_whole_is_all_of_it(self) -> None:
        assert self.ONE.behind("whole").field == (9,)

    def test_stays_whole_behind_a_window(self) -> None:
        assert self.ONE.behind("whole").behind(window_of(Step(3, 1, 0))).field == (9,)

    def test_is_what_a_join_with_it_sees(self) -> None:
        assert join([self.ONE, self.ONE.behind("whole")]).field == (9,)

    def test_stands_for_branches_that_move_at_different_paces(self) -> None:
        slow, fast = (self.ONE.behind(window_of(Step(3, stride, 0))) for stride in (1, 2))
        assert join([slow, fast]).field is None

    def test_stands_for_more_phases_than_are_followed(self) -> None:
        assert self.ONE.behind(window_of(Step(1, 5000, 0, transposed=True))).field is None

    def test_the_largest_of_two_inputs_is_named(self) -> None:
        other = Receptive.of_input((1, 12)).behind("whole")
        assert join([self.ONE, other]).field == (12,)


class TestTrace:
    def test_the_identity_reads_its_own_position(self) -> None:
        assert (IDENTITY.first(7), IDENTITY.last(7), IDENTITY.extent) == (7, 7, 1)

    @pytest.mark.parametrize(
        ("position", "interval"),
        [(0, (0, 2)), (1, (1, 3)), (2, (4, 6)), (5, (9, 11)), (-1, (-3, -1))],
    )
    def test_moves_by_its_jump_once_a_period(
        self, position: int, interval: tuple[int, int]
    ) -> None:
        trace = Trace(jump=4, intervals=((0, 2), (1, 3)))
        assert (trace.first(position), trace.last(position)) == interval
