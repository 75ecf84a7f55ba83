"""One axis: its sizes, its pairs of outputs and taps, and the axis that undoes it.

The law behind all of them: C[output, input] holds tap t exactly where input = output * stride +
t * dilation - before, inside both sizes.
"""

from __future__ import annotations

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from convt_cli.arithmetic.axis import Axis, floor_sum
from convt_cli.arithmetic.stencil import effective_kernel
from convt_cli.errors import GeometryError
from tests import oracle
from tests.strategies import axes, direct_axes, transposed_axes

HUGE = 10**12

Ranged = tuple[Axis, int, int]


def walk(axis: Axis) -> oracle.Walk:
    """What the oracle counts on the same axis."""
    return oracle.walk(
        axis.input_size,
        kernel_size=axis.kernel_size,
        stride=axis.stride,
        pads=(axis.before, axis.after),
        dilation=axis.dilation,
        output_size=axis.output_size,
    )


def remainder(axis: Axis) -> int:
    """The elements of the padded input behind the last window of a direct convolution."""
    return (axis.input_size + axis.before + axis.after - axis.effective_kernel) % axis.stride


def transposed(
    input_size: int, *, kernel_size: int, stride: int = 1, padding: int = 0, output_padding: int = 0
) -> Axis:
    """A transposed axis with the same padding on both sides."""
    return Axis.conv_transpose(
        input_size=input_size,
        kernel_size=kernel_size,
        stride=stride,
        before=padding,
        after=padding,
        output_padding=output_padding,
    )


def transposed_back(axis: Axis, output_padding: int) -> Axis:
    """The axis of the transposed convolution that acts on `axis`'s output."""
    return Axis.conv_transpose(
        input_size=axis.output_size,
        kernel_size=axis.kernel_size,
        stride=axis.stride,
        before=axis.before,
        after=axis.after,
        dilation=axis.dilation,
        output_padding=output_padding,
    )


def longer(axis: Axis, elements: int) -> Axis:
    """The axis of the same direct convolution over a longer input."""
    return Axis.conv(
        input_size=axis.input_size + elements,
        kernel_size=axis.kernel_size,
        stride=axis.stride,
        before=axis.before,
        after=axis.after,
        dilation=axis.dilation,
    )


@st.composite
def huge_axes(draw: st.DrawFn) -> Axis:
    """Axes with few taps and all other numbers up to 10**12."""
    kernel_size, size = draw(st.integers(1, 50)), st.integers(1, HUGE)
    outputs, stride, dilation, least = (draw(size) for _ in range(4))
    padded = (outputs - 1) * stride + effective_kernel(kernel_size, dilation)
    before = draw(st.integers(-HUGE, HUGE))
    input_size = max(least, padded - before - draw(size))
    return Axis(
        input_size=input_size,
        output_size=outputs,
        kernel_size=kernel_size,
        stride=stride,
        before=before,
        after=padded - before - input_size,
        dilation=dilation,
    )


class TestSizes:
    @settings(deadline=None, max_examples=150)
    @given(axis=direct_axes(short=False))
    def test_a_direct_axis_has_as_many_outputs_as_windows_fit(self, axis: Axis) -> None:
        assert axis.output_size == walk(axis).outputs

    @settings(deadline=None, max_examples=150)
    @given(axis=transposed_axes())
    def test_a_transposed_axis_is_as_long_as_its_kernels_reach(self, axis: Axis) -> None:
        reached = [
            output * axis.stride + tap * axis.dilation - axis.before
            for output in range(axis.output_size)
            for tap in range(axis.kernel_size)
        ]
        assert axis.input_size == max(reached) + 1 - axis.after + axis.output_padding

    @pytest.mark.parametrize(
        ("input_size", "kernel_size", "stride", "padding", "output_size"),
        [
            (4, 3, 1, 0, 2),
            (5, 4, 1, 2, 6),
            (5, 3, 1, 1, 5),
            (5, 3, 1, 2, 7),
            (5, 3, 2, 0, 2),
            (5, 3, 2, 1, 3),
            (6, 3, 2, 1, 3),
            (224, 7, 2, 1, 110),
        ],
    )
    def test_direct_sizes_worked_by_hand(
        self, input_size: int, kernel_size: int, stride: int, padding: int, output_size: int
    ) -> None:
        axis = Axis.conv(
            input_size=input_size,
            kernel_size=kernel_size,
            stride=stride,
            before=padding,
            after=padding,
        )
        assert axis.output_size == output_size

    @pytest.mark.parametrize(
        ("axis", "sizes"),
        [
            (transposed(2, kernel_size=3), (2, 4)),
            (transposed(6, kernel_size=4, padding=2), (6, 5)),
            (transposed(5, kernel_size=3, padding=1), (5, 5)),
            (transposed(7, kernel_size=3, padding=2), (7, 5)),
            (transposed(2, kernel_size=3, stride=2), (2, 5)),
            (transposed(3, kernel_size=3, stride=2, padding=1), (3, 5)),
            (transposed(3, kernel_size=3, stride=2, padding=1, output_padding=1), (3, 6)),
            (transposed(1, kernel_size=4), (1, 4)),
            (transposed(1, kernel_size=2, stride=2, padding=1, output_padding=1), (1, 1)),
        ],
    )
    def test_transposed_sizes_worked_by_hand(self, axis: Axis, sizes: tuple[int, int]) -> None:
        assert (axis.output_size, axis.input_size) == sizes

    def test_a_kept_output_size_is_kept(self) -> None:
        axis = Axis.conv(input_size=9, kernel_size=3, output_size=4)
        assert (axis.output_size, axis.derived_output_size) == (4, 7)


class TestTranspositionGivesTheInputSizeBack:
    @settings(deadline=None, max_examples=150)
    @given(axis=direct_axes(short=False))
    def test_with_the_remainder_as_output_padding(self, axis: Axis) -> None:
        assert transposed_back(axis, remainder(axis)) == axis

    @settings(deadline=None, max_examples=100)
    @given(axis=direct_axes(short=False))
    def test_the_remainder_is_the_output_padding_of_a_direct_axis(self, axis: Axis) -> None:
        assert axis.output_padding == remainder(axis)

    @settings(deadline=None, max_examples=100)
    @given(axis=transposed_axes(), output_padding=st.integers(0, 5))
    def test_output_padding_is_what_it_was_built_with(
        self, axis: Axis, output_padding: int
    ) -> None:
        assert transposed_back(axis, output_padding + 5).output_padding == output_padding + 5

    @settings(deadline=None, max_examples=100)
    @given(axis=direct_axes(short=False))
    def test_the_sizes_of_one_output_are_told_apart_by_output_padding(self, axis: Axis) -> None:
        assume(axis.input_size > remainder(axis))
        shortest = transposed_back(axis, 0)
        family = [longer(shortest, extra) for extra in range(axis.stride)]
        assert {member.output_size for member in family} == {axis.output_size}
        assert [member.output_padding for member in family] == list(range(axis.stride))

    @settings(deadline=None, max_examples=100)
    @given(axis=direct_axes(short=False))
    def test_one_size_more_has_one_output_more(self, axis: Axis) -> None:
        assume(axis.input_size > remainder(axis))
        beyond = longer(transposed_back(axis, 0), axis.stride)
        assert (beyond.output_size, beyond.output_padding) == (axis.output_size + 1, 0)


class TestPairs:
    @settings(deadline=None, max_examples=150)
    @given(axis=axes())
    def test_outputs_of_a_tap_are_those_whose_input_exists(self, axis: Axis) -> None:
        spread = {
            (output, tap)
            for tap in range(axis.kernel_size)
            for output in range(*axis.outputs_of_tap(tap))
        }
        assert spread == {(output, tap) for output, tap, _ in walk(axis).meetings}

    @settings(deadline=None, max_examples=150)
    @given(axis=axes())
    def test_taps_of_an_output_are_those_whose_input_exists(self, axis: Axis) -> None:
        spread = {
            (output, tap)
            for output in range(axis.output_size)
            for tap in range(*axis.taps_of_output(output))
        }
        assert spread == {(output, tap) for output, tap, _ in walk(axis).meetings}

    @settings(deadline=None, max_examples=200)
    @given(axis=axes())
    def test_entries_are_the_pairs_counted_one_by_one(self, axis: Axis) -> None:
        assert axis.entries() == len(walk(axis).meetings)

    @settings(deadline=None, max_examples=150)
    @given(axis=huge_axes())
    def test_entries_of_huge_axes_are_the_outputs_added_up_over_the_taps(self, axis: Axis) -> None:
        ranges = [axis.outputs_of_tap(tap) for tap in range(axis.kernel_size)]
        assert axis.entries() == sum(past - first for first, past in ranges)

    @pytest.mark.parametrize(
        ("axis", "entries"),
        [
            pytest.param(
                Axis.conv(input_size=HUGE, kernel_size=3, before=1, after=1),
                3 * HUGE - 2,
                id="half padding loses a tap at each end",
            ),
            pytest.param(
                Axis.conv(input_size=HUGE, kernel_size=10**6),
                (HUGE - 10**6 + 1) * 10**6,
                id="without padding every window is whole",
            ),
            pytest.param(
                Axis.conv(input_size=HUGE, kernel_size=HUGE, before=HUGE - 1, after=HUGE - 1),
                HUGE * HUGE,
                id="full padding brings every tap to every input",
            ),
            pytest.param(
                Axis.conv(
                    input_size=HUGE,
                    kernel_size=5,
                    before=4 * HUGE,
                    after=4 * HUGE,
                    dilation=HUGE,
                ),
                5 * HUGE,
                id="full padding of a dilated kernel as well",
            ),
            pytest.param(
                Axis.conv(input_size=HUGE, kernel_size=10**4, stride=10**4),
                HUGE,
                id="windows side by side read every input once",
            ),
            pytest.param(
                Axis.conv(input_size=HUGE, kernel_size=3, stride=2, before=1, after=1),
                3 * HUGE // 2 - 1,
                id="half padding with stride 2 loses the first tap",
            ),
            pytest.param(
                Axis.conv_transpose(input_size=HUGE, kernel_size=4, stride=2, before=1, after=1),
                4 * HUGE - 2,
                id="a transposed axis loses what its padding cuts off",
            ),
            pytest.param(
                Axis.conv(input_size=1, kernel_size=1, before=HUGE, after=HUGE),
                1,
                id="windows in the padding read nothing",
            ),
            pytest.param(
                Axis.conv(input_size=3 * HUGE, kernel_size=1, before=-HUGE, after=-HUGE),
                HUGE,
                id="negative padding crops",
            ),
        ],
    )
    def test_entries_in_closed_form(self, axis: Axis, entries: int) -> None:
        assert axis.entries() == entries

    @settings(deadline=None, max_examples=100)
    @given(
        count=st.integers(0, 60),
        modulus=st.integers(1, 40),
        slope=st.integers(0, 90),
        offset=st.integers(0, 90),
    )
    def test_floor_sum_is_the_sum_written_out(
        self, count: int, modulus: int, slope: int, offset: int
    ) -> None:
        terms = ((slope * j + offset) // modulus for j in range(count))
        assert floor_sum(count, modulus, slope, offset) == sum(terms)


@st.composite
def with_ranges(draw: st.DrawFn, size: str) -> tuple[Axis, int, int]:
    """An axis and (first, past) of its inputs or outputs, at least one."""
    axis = draw(axes())
    first = draw(st.integers(0, getattr(axis, size) - 1))
    return axis, first, draw(st.integers(first + 1, getattr(axis, size)))


class TestParts:
    """The part of an axis between a range of outputs, or of inputs, and the other side."""

    @settings(deadline=None, max_examples=150)
    @given(drawn=with_ranges("output_size"))
    def test_of_outputs_meet_what_they_meet_in_the_whole(self, drawn: Ranged) -> None:
        axis, first, past = drawn
        low, high, part = axis.part_of_outputs(first, past)
        assert (part.output_size, part.input_size) == (past - first, high - low)
        met = {(output + first, tap, place + low) for output, tap, place in walk(part).meetings}
        assert met == {meeting for meeting in walk(axis).meetings if first <= meeting[0] < past}

    @settings(deadline=None, max_examples=150)
    @given(drawn=with_ranges("input_size"))
    def test_of_inputs_meet_what_they_meet_in_the_whole(self, drawn: Ranged) -> None:
        axis, first, past = drawn
        low, high, part = axis.part_of_inputs(first, past)
        assert (part.output_size, part.input_size) == (high - low, past - first)
        met = {(output + low, tap, place + first) for output, tap, place in walk(part).meetings}
        assert met == {meeting for meeting in walk(axis).meetings if first <= meeting[2] < past}

    @settings(deadline=None, max_examples=100)
    @given(drawn=with_ranges("output_size"))
    def test_of_outputs_read_a_range_no_longer_than_their_windows(self, drawn: Ranged) -> None:
        axis, first, past = drawn
        low, high, _ = axis.part_of_outputs(first, past)
        assert 0 <= low < high <= axis.input_size
        assert high - low <= (past - first - 1) * axis.stride + axis.effective_kernel

    @settings(deadline=None, max_examples=100)
    @given(drawn=with_ranges("input_size"))
    def test_of_inputs_are_read_by_no_more_than_windows_that_reach_them(
        self, drawn: Ranged
    ) -> None:
        axis, first, past = drawn
        low, high, _ = axis.part_of_inputs(first, past)
        assert 0 <= low < high <= axis.output_size
        assert high - low <= max(1, -(-(past - first + axis.effective_kernel - 1) // axis.stride))

    @settings(deadline=None, max_examples=100)
    @given(axis=huge_axes(), share=st.integers(0, 100), length=st.integers(1, HUGE))
    def test_of_huge_axes_keep_every_tap_in_its_place(
        self, axis: Axis, share: int, length: int
    ) -> None:
        """The part and the whole place the input of output 0 and tap 0 at the same element."""
        first = (axis.output_size - 1) * share // 100
        low, _, part = axis.part_of_outputs(first, min(first + length, axis.output_size))
        assert low - part.before == first * axis.stride - axis.before
        first = (axis.input_size - 1) * share // 100
        low, _, part = axis.part_of_inputs(first, min(first + length, axis.input_size))
        assert first - part.before == low * axis.stride - axis.before

    @settings(deadline=None, max_examples=60)
    @given(axis=axes())
    def test_of_all_outputs_meet_as_often_as_the_whole(self, axis: Axis) -> None:
        _, _, part = axis.part_of_outputs(0, axis.output_size)
        assert part.entries() == axis.entries()
        _, _, part = axis.part_of_inputs(0, axis.input_size)
        assert part.entries() == axis.entries()

    @pytest.mark.parametrize(
        ("axis", "outputs", "inputs"),
        [
            (Axis.conv(input_size=9, kernel_size=3), (2, 4), (2, 6)),
            (Axis.conv(input_size=9, kernel_size=3, before=1, after=1), (0, 1), (0, 2)),
            (Axis.conv(input_size=9, kernel_size=3, before=1, after=1), (8, 9), (7, 9)),
            (Axis.conv(input_size=9, kernel_size=3, stride=3), (1, 2), (3, 6)),
            (Axis.conv(input_size=9, kernel_size=2, dilation=4), (1, 3), (1, 7)),
            (Axis.conv(input_size=2, kernel_size=1, before=3, after=3), (0, 2), (0, 1)),
            (Axis.conv(input_size=2, kernel_size=1, before=3, after=3), (6, 8), (1, 2)),
        ],
    )
    def test_of_outputs_worked_by_hand(
        self, axis: Axis, outputs: tuple[int, int], inputs: tuple[int, int]
    ) -> None:
        assert axis.part_of_outputs(*outputs)[:2] == inputs

    @pytest.mark.parametrize(
        ("axis", "inputs", "outputs"),
        [
            (transposed(4, kernel_size=4, stride=2, padding=1), (0, 2), (0, 2)),
            (transposed(4, kernel_size=4, stride=2, padding=1), (2, 4), (0, 3)),
            (transposed(4, kernel_size=4, stride=2, padding=1), (6, 8), (2, 4)),
            (transposed(4, kernel_size=2, stride=2), (2, 6), (1, 3)),
            (transposed(4, kernel_size=1, stride=5), (6, 10), (2, 3)),
            (transposed(2, kernel_size=1, stride=1, output_padding=9), (8, 9), (1, 2)),
        ],
    )
    def test_of_inputs_worked_by_hand(
        self, axis: Axis, inputs: tuple[int, int], outputs: tuple[int, int]
    ) -> None:
        assert axis.part_of_inputs(*inputs)[:2] == outputs


class TestZeroInserted:
    @settings(deadline=None, max_examples=150)
    @given(axis=axes())
    def test_meets_the_same_elements_with_the_taps_flipped(self, axis: Axis) -> None:
        """On the stretched output all but every stride-th element are inserted zeros."""
        last = axis.kernel_size - 1
        met = {
            (stretched // axis.stride, last - tap, input_)
            for input_, tap, stretched in walk(axis.zero_inserted()).meetings
            if stretched % axis.stride == 0
        }
        assert met == set(walk(axis).meetings)

    @settings(deadline=None, max_examples=100)
    @given(axis=axes())
    def test_runs_from_the_stretched_output_to_the_input_with_stride_one(self, axis: Axis) -> None:
        inserted = axis.zero_inserted()
        assert inserted.input_size == (axis.output_size - 1) * axis.stride + 1
        assert inserted.output_size == inserted.derived_output_size == axis.input_size
        assert inserted.stride == 1

    @pytest.mark.parametrize(
        ("axis", "pads"),
        [
            (Axis.conv(input_size=4, kernel_size=3), (2, 2)),
            (Axis.conv(input_size=5, kernel_size=4, before=2, after=2), (1, 1)),
            (Axis.conv(input_size=5, kernel_size=3, before=2, after=2), (0, 0)),
            (Axis.conv(input_size=6, kernel_size=3, stride=2, before=1, after=1), (1, 2)),
            (Axis.conv(input_size=7, kernel_size=3, dilation=2), (4, 4)),
            (Axis.conv(input_size=5, kernel_size=2, before=3, after=4), (-2, -3)),
        ],
    )
    def test_pads_worked_by_hand(self, axis: Axis, pads: tuple[int, int]) -> None:
        inserted = axis.zero_inserted()
        assert (inserted.before, inserted.after) == pads


class TestRefusals:
    @pytest.mark.parametrize(
        "field", ["input_size", "output_size", "kernel_size", "stride", "dilation"]
    )
    @pytest.mark.parametrize("value", [0, -1])
    def test_nothing_is_smaller_than_one(self, field: str, value: int) -> None:
        sizes = {"input_size": 5, "output_size": 1, "kernel_size": 1, field: value}
        with pytest.raises(GeometryError, match=f"{field} must be at least 1") as caught:
            Axis(**sizes)
        assert (caught.value.code, caught.value.field) == ("E107", field)

    @pytest.mark.parametrize("field", ["kernel_size", "stride", "dilation"])
    @pytest.mark.parametrize("build", [Axis.conv, Axis.conv_transpose])
    def test_both_builders_name_the_field_that_is_zero(self, build: type[Axis], field: str) -> None:
        with pytest.raises(GeometryError) as caught:
            build(**{"input_size": 5, "kernel_size": 1, field: 0})
        assert (caught.value.code, caught.value.field) == ("E107", field)

    def test_a_window_larger_than_the_padded_input(self) -> None:
        with pytest.raises(GeometryError, match=r"a window of 9 over 5 \+ 1 \+ 2 = 8") as caught:
            Axis.conv(input_size=5, kernel_size=5, before=1, after=2, dilation=2)
        assert (caught.value.code, caught.value.field) == ("E110", "kernel_size")

    def test_a_transposed_axis_with_nothing_left(self) -> None:
        with pytest.raises(GeometryError, match=r"padding 2 \+ 3 takes all of 5") as caught:
            Axis.conv_transpose(input_size=2, kernel_size=3, stride=2, before=2, after=3)
        assert (caught.value.code, caught.value.field) == ("E112", "padding")

    def test_more_outputs_than_windows_fit(self) -> None:
        with pytest.raises(GeometryError, match="got 4 where 3 fit") as caught:
            Axis.conv(input_size=5, kernel_size=3, output_size=4)
        assert (caught.value.code, caught.value.field) == ("E118", "output_size")
