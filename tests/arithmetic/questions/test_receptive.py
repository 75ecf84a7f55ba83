"""Receptive fields, compared with index sets that are followed back element by element.

Without dilation, and with kernels no shorter than their stride, the extent is exact.  Elsewhere
holes can open inside an interval, and the extent is never too small.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from math import ceil, floor, lcm, prod
from typing import ClassVar

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from convt_cli.arithmetic.axis import Axis
from convt_cli.arithmetic.convolution import Shape
from convt_cli.arithmetic.dialects.frameworks import FRAMEWORKS
from convt_cli.arithmetic.keys import Ratio
from convt_cli.arithmetic.layers import (
    Conv,
    ConvTranspose,
    Definition,
    Dependence,
    Permuted,
    Reshaped,
    Spans,
    Windows,
)
from convt_cli.arithmetic.layers.adaptive_pools import AdaptivePool, GlobalPool
from convt_cli.arithmetic.layers.pools import MaxPool
from convt_cli.arithmetic.layers.rearranging import Crop, Pad, Transpose
from convt_cli.arithmetic.layers.resampling import PixelShuffle, PixelUnshuffle, Upsample
from convt_cli.arithmetic.questions.receptive import Receptive, View, join
from convt_cli.arithmetic.questions.traces import IDENTITY, Trace
from convt_cli.arithmetic.spans import Span, nearest_span
from convt_cli.errors import GeometryError
from tests.oracle import Join, Step, receptive_field

# Traces do not see the ends of an axis: any length that holds every window will do.
_LONG = 10_000

PYTORCH = FRAMEWORKS["pytorch"]

Chain = tuple[Step, ...]


def window_of(step: Step) -> Windows:
    """The dependence of a layer on one axis whose window is the step."""
    build = Axis.conv_transpose if step.transposed else Axis.conv
    axis = build(
        input_size=_LONG,
        kernel_size=step.kernel_size,
        stride=step.stride,
        before=step.before,
        dilation=step.dilation,
    )
    return Windows(axes=(axis,), adjoint=step.transposed)


def behind(seen: Receptive, *dependences: Dependence) -> Receptive:
    """The field behind more layers, all of the shape of `seen`."""
    for dependence in dependences:
        seen = seen.behind(dependence, seen.shape)
    return seen


def follow(layers: Sequence[Step | Join], receptive: Receptive) -> Receptive:
    """The field behind all the layers."""
    for layer in layers:
        if isinstance(layer, Join):
            receptive = join([follow(branch, receptive) for branch in layer.branches])
        else:
            receptive = behind(receptive, window_of(layer))
    return receptive


def extent(layers: Sequence[Step | Join]) -> int:
    """The extent of a chain's last layer on its one axis."""
    return follow(layers, Receptive.of_input((1, _LONG))).field[0]


def counted(layers: Sequence[Step | Join]) -> int:
    """The oracle's extent, over as many positions as the layers have phases."""
    return receptive_field(layers, positions=phases(layers))


def phases(layers: Sequence[Step | Join]) -> int:
    """The number of positions after which the layers read alike again, or a multiple of it."""
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
    """One layer; with `gaps` its kernel may be shorter than its stride."""
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
        seen = follow(layers, Receptive.of_input((1, _LONG)))
        assert seen.field[0] >= counted(layers)
        assert seen.is_bound or seen.field[0] == counted(layers)

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
        assert follow(layers, Receptive.of_input((1, _LONG))).is_bound


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
        window = Windows(axes=axes)
        assert behind(Receptive.of_input((3, 9, 9)), window, window).field == (5, 13)


class TestTheWholeInput:
    ONE = Receptive.of_input((3, 9))

    def test_same_changes_nothing(self) -> None:
        assert behind(self.ONE, "same").field == (1,)

    def test_whole_is_all_of_it(self) -> None:
        assert behind(self.ONE, "whole").field == (9,)

    def test_stays_whole_behind_a_window(self) -> None:
        assert behind(self.ONE, "whole", window_of(Step(3, 1, 0))).field == (9,)

    def test_is_what_a_join_with_it_sees(self) -> None:
        assert join([self.ONE, behind(self.ONE, "whole")]).field == (9,)

    def test_bounds_more_phases_than_are_followed(self) -> None:
        seen = behind(self.ONE, window_of(Step(1, 5000, 0, transposed=True)))
        assert (seen.field, seen.is_bound) == ((9,), True)

    def test_the_largest_of_two_inputs_is_named(self) -> None:
        other = behind(Receptive.of_input((1, 12)), "whole")
        assert join([self.ONE, other]).field == (12,)


class TestTrace:
    def test_the_identity_reads_its_own_position(self) -> None:
        assert (IDENTITY.at(7), IDENTITY.extent) == ((7, 7), 1)

    @pytest.mark.parametrize(
        ("position", "interval"),
        [(0, (0, 2)), (1, (1, 3)), (2, (4, 6)), (5, (9, 11)), (-1, (-3, -1))],
    )
    def test_moves_by_its_jump_once_a_period(
        self, position: int, interval: tuple[int, int]
    ) -> None:
        trace = Trace(jump=4, intervals=((0, 2), (1, 3)))
        assert trace.at(position) == interval


class TestSourcesThatDriftApart:
    """A size that was rounded on the way down comes back up by an uneven factor."""

    def drifting(self, length: int) -> Receptive:
        """A join of the input and a pool of 2 that is stretched from 6 positions to 13."""
        one = replace(Receptive.of_input((3, 13)), shape=(3, length))
        stretched = Spans(axes=(nearest_span(Ratio.of(13, 6)),))
        return join([one, behind(one, window_of(Step(2, 2, 0)), stretched)])

    def test_the_field_is_a_bound_for_all_positions_that_there_are(self) -> None:
        read = [{q, *(q * 6 // 13 * 2 + tap for tap in range(2))} for q in range(13)]
        assert max(max(one) - min(one) + 1 for one in read) == 3
        seen = self.drifting(13)
        assert (seen.field, seen.is_bound) == ((4,), True)

    def test_more_positions_drift_further(self) -> None:
        assert self.drifting(130).field == (13,)

    def test_it_is_not_known_for_very_many(self) -> None:
        seen = self.drifting(2**40)
        assert (seen.field, seen.is_bound) == ((13,), True)

    def test_they_move_at_the_pace_of_the_simplest(self) -> None:
        assert self.drifting(13).jump == (Ratio(numerator=1),)


class TestJump:
    @pytest.mark.parametrize(
        ("layers", "jump"),
        [
            pytest.param([], "1", id="the input itself"),
            pytest.param([Step(3, 2, 0), Step(3, 3, 0)], "6", id="two strides"),
            pytest.param([Step(4, 2, 1, transposed=True)], "1/2", id="transposed"),
            pytest.param([Step(4, 2, 1, transposed=True), Step(3, 3, 1)], "3/2", id="both"),
            pytest.param([Step(2, 2, 0), Step(2, 2, 0, transposed=True)], "1", id="and back"),
        ],
    )
    def test_is_the_product_of_the_strides(self, layers: list[Step], jump: str) -> None:
        found = follow(layers, Receptive.of_input((1, _LONG))).jump
        assert found is not None
        assert [str(one) for one in found] == [jump]

    def test_is_none_where_positions_see_the_same(self) -> None:
        assert behind(Receptive.of_input((3, 9)), "whole").jump is None

    def test_is_none_where_one_axis_cannot_be_followed(self) -> None:
        spans = Spans(axes=(Span(), Span(per=5000)))
        seen = behind(Receptive.of_input((3, 9, 9)), spans)
        assert (seen.field, seen.is_bound) == ((1, 9), True)
        assert seen.jump == (Ratio(numerator=1), None)

    def test_tells_axes_apart(self) -> None:
        seen = behind(Receptive.of_input((3, 9, 9)), Spans(axes=(None, Span(step=2))))
        assert (seen.jump, seen.field) == ((None, Ratio(numerator=2)), (9, 1))


class TestPermutedAxes:
    SEEN = Receptive.of_input((3, 9, 8)).behind(
        Windows(
            axes=(
                Axis.conv(input_size=9, kernel_size=3),
                Axis.conv(input_size=8, kernel_size=5, stride=2),
            )
        ),
        (3, 7, 2),
    )

    def test_keep_what_is_seen_of_every_axis(self) -> None:
        assert behind(self.SEEN, Permuted(axes=(0, 2, 1))).field == self.SEEN.field == (3, 5)

    def test_a_window_acts_on_the_axis_that_stands_there_now(self) -> None:
        first = Spans(axes=(Span(last=1), Span()))
        assert behind(self.SEEN, Permuted(axes=(0, 2, 1)), first).field == (3, 7)

    def test_every_position_sees_the_axis_that_became_the_channels(self) -> None:
        seen = behind(self.SEEN, Permuted(axes=(1, 0, 2)))
        assert (seen.field, seen.jump) == ((9, 5), (None, Ratio(numerator=2)))

    def test_a_sum_with_the_transposed_sees_all(self) -> None:
        joined = join([self.SEEN, behind(self.SEEN, Permuted(axes=(0, 2, 1)))])
        assert (joined.field, joined.is_bound) == ((9, 8), True)

    def test_channels_that_were_positions_become_positions_again(self) -> None:
        there, back = Permuted(axes=(1, 0, 2)), Permuted(axes=(1, 0, 2))
        assert behind(self.SEEN, there, back) == self.SEEN

    def test_a_window_over_all_channels_sees_all_that_became_channels(self) -> None:
        mixed = Spans(axes=(Span(), Span()), channels=None)
        swap = Permuted(axes=(1, 0, 2))
        assert behind(self.SEEN, swap, mixed, swap).field == (9, 5)


Reads = Callable[[int], set[int]]
"""The positions of the source that a position reads, on one axis without ends."""


@dataclass(frozen=True)
class Op:
    """A layer type, and the positions it reads on its two axes, written independently of convt."""

    layer: Definition
    reads: tuple[Reads, Reads]
    swaps: bool = False


@dataclass(frozen=True)
class Sum:
    """The sum of branches that end in the same sizes."""

    branches: tuple[tuple[Op, ...], ...]


def same(position: int) -> set[int]:
    return {position}


def window(kernel_size: int, stride: int, before: int) -> Reads:
    return lambda q: {q * stride - before + tap for tap in range(kernel_size)}


def set_down(kernel_size: int, stride: int, before: int) -> Reads:
    """The places p at which a transposed convolution's kernel covers q."""
    near = range(-kernel_size, kernel_size + 1)
    return lambda q: {
        p
        for p in (q // stride + step for step in near)
        if 0 <= q + before - p * stride < kernel_size
    }


def shared(input_size: int, output_size: int) -> Reads:
    """The source elements, each of length 1, that overlap share q of `output_size` equal shares."""
    begin = Fraction(input_size, output_size)
    return lambda q: set(range(floor(q * begin), ceil((q + 1) * begin)))


def nearest(factor: Fraction) -> Reads:
    return lambda q: {floor(q / factor)}


def between(factor: Fraction) -> Reads:
    """The source elements on both sides of the place where the middle of q lies."""
    return lambda q: {
        rounded((q + Fraction(1, 2)) / factor - Fraction(1, 2)) for rounded in (floor, ceil)
    }


def written(factor: Fraction) -> Ratio:
    return Ratio(numerator=factor.numerator, denominator=factor.denominator)


CHANNELS = 4
SHAPE: Shape = (CHANNELS, 48, 48)
"""Sizes that every layer below divides."""

STRIDED = st.sampled_from([(3, 1, 1), (2, 1, 0), (4, 2, 1), (2, 2, 0), (3, 3, 0), (5, 2, 2)])
FACTORS = st.sampled_from([Fraction(2), Fraction(3), Fraction(1, 2), Fraction(3, 2), Fraction(1)])


def op_strategies() -> st.SearchStrategy[Op]:
    return st.one_of(
        st.tuples(STRIDED, STRIDED).map(conv_op),
        st.tuples(STRIDED, STRIDED).map(transposed_op),
        st.tuples(STRIDED, STRIDED).map(pool_op),
        st.tuples(FACTORS, FACTORS).map(nearest_op),
        st.tuples(FACTORS, FACTORS).map(linear_op),
        st.integers(-2, 2).map(shift_op),
        st.just(SWAP),
    )


Pairs = tuple[tuple[int, int, int], tuple[int, int, int]]
Factors = tuple[Fraction, Fraction]


def conv_op(axes: Pairs) -> Op:
    kernel_size, stride, before = zip(*axes)
    layer = Conv(out_channels=CHANNELS, kernel_size=kernel_size, stride=stride, padding=before)
    return Op(layer, (window(*axes[0]), window(*axes[1])))


def transposed_op(axes: Pairs) -> Op:
    kernel_size, stride, before = zip(*axes)
    layer = ConvTranspose(
        out_channels=CHANNELS, kernel_size=kernel_size, stride=stride, padding=before
    )
    return Op(layer, (set_down(*axes[0]), set_down(*axes[1])))


def pool_op(axes: Pairs) -> Op:
    kernel_size, stride, before = zip(*axes)
    layer = MaxPool(kernel_size=kernel_size, stride=stride, padding=before)
    return Op(layer, (window(*axes[0]), window(*axes[1])))


def nearest_op(factors: Factors) -> Op:
    layer = Upsample(scale_factor=(written(factors[0]), written(factors[1])))
    return Op(layer, (nearest(factors[0]), nearest(factors[1])))


def linear_op(factors: Factors) -> Op:
    layer = Upsample(scale_factor=(written(factors[0]), written(factors[1])), mode="bilinear")
    return Op(layer, (between(factors[0]), between(factors[1])))


def shift_op(shift: int) -> Op:
    around = ((abs(shift), 0), (0, abs(shift)))
    layer: Definition = Pad(padding=around) if shift > 0 else Crop(padding=around)
    return Op(layer, (lambda q: {q - shift}, same))


SWAP = Op(Transpose(axes=(0, 2, 1)), (same, same), swaps=True)


@st.composite
def chains(draw: st.DrawFn) -> tuple[list[Op | Sum], Receptive]:
    """A chain of legal layers, and the receptive field that convt gives for the last."""
    shape, seen = SHAPE, Receptive.of_input(SHAPE)
    layers: list[Op | Sum] = []
    for op in draw(st.lists(op_strategies(), min_size=1, max_size=5)):
        try:
            geometry = op.layer.resolve((shape,), PYTORCH)
        except GeometryError:
            continue
        if draw(st.booleans()) and geometry.output[1:] == shape[1:] and not op.swaps:
            layers.append(Sum(((op,), ())))
            seen = join([seen.behind(geometry.dependence, shape), seen])
        else:
            layers.append(op)
            seen, shape = seen.behind(geometry.dependence, geometry.output), geometry.output
    return layers, seen


def read_by(layers: Sequence[Op | Sum], places: tuple[set[int], set[int]]) -> list[set[int]]:
    """The positions of the input's two axes that `places` of the last layer depend on."""
    found = list(places)
    for layer in reversed(layers):
        if isinstance(layer, Sum):
            parts = [read_by(branch, (found[0], found[1])) for branch in layer.branches]
            found = [set().union(*axis) for axis in zip(*parts)]
        else:
            found = [
                set().union(*(reads(q) for q in axis))
                for reads, axis in zip(layer.reads, found, strict=True)
            ]
            found = found[::-1] if layer.swaps else found
    return found


def widest(layers: Sequence[Op | Sum], positions: int) -> Shape:
    """The widest span on both axes of the input, over the first positions on both axes at once."""
    reads = [read_by(layers, ({q}, {q})) for q in range(positions)]
    return tuple(max(max(one) - min(one) + 1 for one in axis) for axis in zip(*reads))


def trace_of(view: View) -> Trace:
    """The one trace of a view."""
    ((_, trace),) = view.traces
    assert trace is not None
    return trace


class TestAllLayerTypes:
    """No kernel is shorter than its stride here, and nothing is dilated: the field is exact."""

    @settings(deadline=None, max_examples=150)
    @given(chain=chains())
    def test_see_what_is_found_by_following_every_position(
        self, chain: tuple[list[Op | Sum], Receptive]
    ) -> None:
        layers, seen = chain
        periods = [trace_of(view).period for view in seen.views]
        assume(lcm(*periods) <= 1000)
        assert not seen.is_bound
        assert seen.field == widest(layers, 6 * lcm(*periods))

    @settings(deadline=None, max_examples=150)
    @given(chain=chains())
    def test_see_as_much_further_on_as_their_jump_says(
        self, chain: tuple[list[Op | Sum], Receptive]
    ) -> None:
        layers, seen = chain
        assert seen.jump is not None
        for number, (view, jump) in enumerate(zip(seen.views, seen.jump, strict=True)):
            period = trace_of(view).period
            assert jump is not None
            here, there = (read_by(layers, ({q}, {q}))[number] for q in (0, period))
            moved = Fraction(jump.numerator, jump.denominator) * period
            assert {position + moved for position in here} == there

    @pytest.mark.parametrize(
        ("mode", "factor", "extent"),
        [
            ("linear", Fraction(2), 2),
            ("linear", Fraction(1), 1),
            ("linear", Fraction(1, 3), 1),
            ("linear", Fraction(1, 2), 2),
            ("cubic", Fraction(2), 4),
            ("cubic", Fraction(1, 2), 4),
            ("cubic", Fraction(1), 1),
            ("cubic", Fraction(1, 3), 1),
            ("nearest", Fraction(3, 2), 1),
            ("area", Fraction(1, 3), 3),
            ("area", Fraction(2, 3), 2),
        ],
    )
    def test_an_upsample_sees_as_many_as_its_mode_weighs(
        self, mode: str, factor: Fraction, extent: int
    ) -> None:
        layer = Upsample(scale_factor=written(factor), mode=mode)
        rules = FRAMEWORKS["onnx"] if mode == "cubic" else PYTORCH  # which has it on two axes alone
        geometry = layer.resolve(((1, 36),), rules)
        assert behind(Receptive.of_input((1, 36)), geometry.dependence).field == (extent,)

    @pytest.mark.parametrize(("size", "output_size"), [(7, 3), (10, 4), (3, 7), (12, 4), (5, 5)])
    def test_an_adaptive_pool_sees_its_largest_window(self, size: int, output_size: int) -> None:
        geometry = AdaptivePool(output_size=output_size).resolve(((1, size),), PYTORCH)
        field = behind(Receptive.of_input((1, size)), geometry.dependence).field
        reads = shared(size, output_size)
        assert field == (max(len(reads(q)) for q in range(output_size)),)

    def test_a_large_ratio_in_low_terms_has_few_phases(self) -> None:
        geometry = AdaptivePool(output_size=9000).resolve(((1, 18000),), PYTORCH)
        assert behind(Receptive.of_input((1, 18000)), geometry.dependence).field == (2,)

    def test_an_adaptive_pool_to_one_is_a_global_one(self) -> None:
        seen = behind(Receptive.of_input((1, 8, 8)), Windows(axes=(PADDED, PADDED)))
        adaptive, to_all = (
            layer.resolve(((1, 8, 8),), PYTORCH).dependence
            for layer in (AdaptivePool(output_size=1), GlobalPool())
        )
        assert behind(seen, adaptive) == behind(seen, to_all)


class TestReshapes:
    """Positions through reshapes and transposes, compared with the elements themselves."""

    SHAPE = (4, 6, 8)
    CHAINS: ClassVar[dict[str, list[Shape | str]]] = {
        "the same shape": [(4, 6, 8)],
        "channels split and joined": [(2, 2, 6, 8), "0132", (4, 8, 6)],
        "a channel shuffle": [(2, 2, 6, 8), "1023", (4, 6, 8)],
        "blocks to channels": [(4, 3, 2, 4, 2), "02413", (16, 3, 4)],
        "positions in a row, and back": [(4, 48), (4, 6, 8)],
        "positions in a row, exchanged": [(4, 48), "10", (6, 8, 4), "201"],
        "channels behind": ["120", (48, 4), (6, 8, 4), "201"],
        "an axis of one": [(4, 1, 6, 8), (4, 6, 8, 1)],
        "thirds that cut across halves": [(4, 4, 12)],
        "everything in a row": [(192,)],
        "rows as channels": ["102", (3, 2, 4, 8)],
    }
    EXACT = frozenset(CHAINS) - {"thirds that cut across halves"}

    @pytest.mark.parametrize("name", CHAINS)
    def test_a_position_reads_what_its_elements_were(self, name: str) -> None:
        """Each element carries its own place; a position spans the places of all its channels."""
        seen, elements = Receptive.of_input(self.SHAPE), np.arange(prod(self.SHAPE))
        elements = elements.reshape(self.SHAPE)
        for change in self.CHAINS[name]:
            reach: Dependence
            if isinstance(change, str):
                axes = tuple(map(int, change))
                elements, reach = elements.transpose(axes), Permuted(axes=axes)
            else:
                elements = elements.reshape(change)
                reach = Reshaped(target=change)
            seen = seen.behind(reach, elements.shape)
        places = np.unravel_index(elements, self.SHAPE)[1:]
        spans = tuple(int((p.max(axis=0) - p.min(axis=0)).max()) + 1 for p in places)
        assert all(ours >= read for ours, read in zip(seen.field, spans, strict=True))
        assert seen.is_bound == (name not in self.EXACT)
        assert seen.is_bound or seen.field == spans

    @pytest.mark.parametrize(
        ("layers", "extent"),
        [
            ((PixelUnshuffle(factor=2),), 2),
            ((PixelShuffle(factor=2),), 1),
            ((PixelUnshuffle(factor=2), PixelShuffle(factor=2)), 1),
            ((PixelShuffle(factor=2), PixelUnshuffle(factor=2)), 1),
            ((PixelUnshuffle(factor=2), Conv(out_channels=4, kernel_size=3)), 6),
        ],
    )
    def test_pixels_become_channels_and_come_back(
        self, layers: tuple[Definition, ...], extent: int
    ) -> None:
        seen = Receptive.of_input((4, 12, 12))
        for layer in layers:
            geometry = layer.resolve((seen.shape,), PYTORCH)
            seen = seen.behind(geometry.dependence, geometry.output)
        assert (seen.field, seen.is_bound) == ((extent, extent), False)

    def test_a_window_over_positions_in_a_row_turns_the_corner(self) -> None:
        """Places 7, 8 and 9 of rows of 8 lie in two rows, at columns 7, 0 and 1."""
        row = Reshaped(target=(4, 48))
        axis = Axis.conv(input_size=48, kernel_size=3)
        seen = behind(Receptive.of_input(self.SHAPE).behind(row, (4, 48)), Windows(axes=(axis,)))
        assert seen.field == (2, 8)


PADDED = Axis.conv(input_size=8, kernel_size=3, before=1, after=1)
