"""Equal, shifted or neither: the verdict on two readings, compared with their matrices C.

Two layers agree up to a shift where moving the columns of one C makes it the other: with every
axis of both inputs lined up `shift` apart, the entries that both have room for are the same.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from convt_cli.arithmetic.axis import Axis
from convt_cli.arithmetic.convolution import Convolution, Shape
from convt_cli.arithmetic.dialects.frameworks import FRAMEWORKS, Framework, at_opset
from convt_cli.arithmetic.keys import Inline, Ratio
from convt_cli.arithmetic.layers import LAYER_TYPES
from convt_cli.arithmetic.layers.pools import MaxPool, MaxUnpool
from convt_cli.arithmetic.network import NetworkLayer
from convt_cli.arithmetic.questions.comparison import Reading, axes_shift, readings, symmetric
from convt_cli.errors import GeometryError
from tests.oracle import Array, matrix
from tests.strategies import Limits, axes, direct_axes, geometry, transposed_axes

SMALL = Limits(kernel_size=3, outputs=3)


def dense(convolution: Convolution) -> Array:
    """C as (out_channels, *output, in_channels, *input), for a kernel whose taps all differ."""
    shape = convolution.weight_shape
    weight = np.arange(1, 1 + int(np.prod(shape))).reshape(shape)
    sizes = [axis.input_size for axis in convolution.axes]
    c = matrix(weight, sizes, **geometry(convolution))
    return c.reshape(*convolution.output_shape, *convolution.input_shape)


def agree_after(own: Convolution, other: Convolution, shift: Shape) -> bool:
    """Whether C'[row, column] = C[row, column - shift] wherever both columns are."""
    if own.output_shape != other.output_shape or own.input_shape != other.input_shape:
        return False
    sizes = own.input_shape[1:]
    mine, theirs = dense(own), dense(other)
    here: tuple[Any, ...] = (
        ...,
        *(
            slice(max(0, -d), max(0, size - max(0, d)))
            for d, size in zip(shift, sizes, strict=True)
        ),
    )
    there: tuple[Any, ...] = (
        ...,
        *(
            slice(max(0, d), max(0, size - max(0, -d)))
            for d, size in zip(shift, sizes, strict=True)
        ),
    )
    return np.array_equal(mine[here], theirs[there])


def convolution(axes: tuple[Axis, ...], *, adjoint: bool = False) -> Convolution:
    return Convolution(out_channels=2, in_channels=1, axes=axes, adjoint=adjoint)


@st.composite
def pairs_of_axes(draw: st.DrawFn, drawn: st.SearchStrategy[Axis]) -> tuple[Axis, Axis]:
    """Two axes with the same window and different pads; their sizes may differ."""
    own = draw(drawn)
    moved = draw(st.integers(-2, 2))
    other = replace(
        own, before=own.before + moved, after=own.after + draw(st.integers(0, 2)) - moved
    )
    if draw(st.booleans()):
        more = draw(st.integers(-1, 1))
        assume(own.input_size + more >= 1)
        try:
            other = replace(other, input_size=own.input_size + more)
        except GeometryError:
            assume(False)
    return own, other


@st.composite
def pairs(draw: st.DrawFn) -> tuple[Convolution, Convolution]:
    adjoint = draw(st.booleans())
    rank = draw(st.integers(1, 2))
    one = transposed_axes(SMALL) if adjoint else direct_axes(SMALL)
    both = [draw(pairs_of_axes(one)) for _ in range(rank)]
    own, other = zip(*both, strict=True)
    return convolution(own, adjoint=adjoint), convolution(other, adjoint=adjoint)


class TestShift:
    @given(pairs())
    def test_it_moves_the_columns_of_one_c_onto_those_of_the_other(
        self, both: tuple[Convolution, Convolution]
    ) -> None:
        own, other = both
        shift = axes_shift(own.axes, other.axes)
        sizes_agree = own.input_shape == other.input_shape
        assert (shift is not None) == sizes_agree
        assert shift is None or agree_after(own, other, shift)

    @given(pairs())
    def test_noughts_are_equality_and_only_they(
        self, both: tuple[Convolution, Convolution]
    ) -> None:
        own, other = both
        assume(own.nnz or other.nnz)
        shift = axes_shift(own.axes, other.axes)
        equal = own.input_shape == other.input_shape and np.array_equal(dense(own), dense(other))
        assert (shift is not None and not any(shift)) == equal

    @given(pairs(), st.lists(st.integers(-3, 3), min_size=2, max_size=2))
    def test_no_other_shift_does_it_where_a_row_has_an_entry_that_both_have_room_for(
        self, both: tuple[Convolution, Convolution], drawn: list[int]
    ) -> None:
        own, other = both
        shift, wrong = axes_shift(own.axes, other.axes), tuple(drawn[: len(own.axes)])
        assume(shift is not None and shift != wrong)
        assume(any_entry_stays(own, wrong) or any_entry_stays(other, tuple(-d for d in wrong)))
        assert not agree_after(own, other, wrong)

    @given(axes())
    def test_the_zeros_behind_do_not_matter(self, axis: Axis) -> None:
        assert axes_shift([axis], [replace(axis, after=axis.after + 1)]) == (0,)


def any_entry_stays(own: Convolution, shift: Shape) -> bool:
    """Whether some entry of C, its column moved by `shift`, still has one."""
    columns = np.nonzero(dense(own))[-len(shift) :]
    inside = np.ones(len(columns[0]), bool)
    for place, d, size in zip(columns, shift, own.input_shape[1:], strict=True):
        inside &= (place + d >= 0) & (place + d < size)
    return bool(inside.any())


class TestSymmetric:
    @given(st.booleans(), st.data())
    def test_it_has_the_sizes_and_the_shift_that_it_says(
        self, adjoint: bool, data: st.DataObject
    ) -> None:
        own = data.draw(transposed_axes() if adjoint else direct_axes(short=False))
        found = symmetric([own], adjoint=adjoint)
        assume(found is not None)
        assert found is not None
        (padding,), (extra,), (shift,) = found.padding, found.output_padding, found.shift
        keys = {"kernel_size": own.kernel_size, "stride": own.stride, "dilation": own.dilation}
        pads = {"before": padding, "after": padding}
        axis = (
            Axis.conv_transpose(input_size=own.output_size, output_padding=extra, **keys, **pads)
            if adjoint
            else Axis.conv(input_size=own.input_size, **keys, **pads)
        )
        assert (axis.input_size, axis.output_size) == (own.input_size, own.output_size)
        assert axes_shift([own], [axis]) == (shift,)

    def test_a_symmetric_one_has_none(self) -> None:
        own = Axis.conv(input_size=5, kernel_size=3, stride=2, before=1, after=1)
        assert symmetric([own], adjoint=False) is None

    def test_there_need_not_be_one(self) -> None:
        own = Axis.conv(input_size=5, kernel_size=2, before=0, after=1)
        assert symmetric([own], adjoint=False) is None


def layer_of(
    rules: Framework, layer_type: str, source: Shape, keys: dict[str, Any]
) -> NetworkLayer:
    """One layer resolved by its own framework's rules."""
    if layer_type.startswith("conv"):
        keys = {"out_channels": 2, **keys}
    definition = LAYER_TYPES[layer_type](**keys)
    return NetworkLayer(
        name="one",
        type=layer_type,
        line=1,
        definition=definition,
        sources=("input",),
        inputs=(source,),
        geometry=definition.resolve((source,), rules),
    )


def read(framework: str, layer_type: str, source: Shape, **keys: Any) -> dict[str, Reading]:
    """The readings of a layer written for `framework`, by framework, its own first."""
    rules = FRAMEWORKS[framework]
    others = [other for other in FRAMEWORKS.values() if other is not rules]
    found = readings(layer_of(rules, layer_type, source, keys), rules, others)
    return {one.framework.name: one for one in found}


class TestFrameworks:
    def test_the_strided_same_layer(self) -> None:
        found = read("keras", "conv", (3, 224, 224), kernel_size=7, stride=2, padding="same")
        assert next(iter(found)) == "keras"
        accepted = {name for name, one in found.items() if one.geometry is not None}
        assert accepted == {"keras", "tensorflow", "onnx", "jax"}
        assert all(found[name].is_equal for name in accepted)
        assert found["pytorch"].errors == (
            "padding 'same' needs stride 1 in pytorch: got stride 2",
        )
        assert found["pytorch"].shift is None

    def test_the_odd_element_on_the_other_side_shifts(self) -> None:
        found = read("onnx", "conv_transpose", (1, 5), kernel_size=2, padding="same_lower")
        assert (found["onnx"].axes[0].before, found["jax"].axes[0].before) == (1, 0)
        assert found["jax"].shift == (1,)

    def test_another_size_is_no_shift(self) -> None:
        found = read("tensorflow", "conv_transpose", (1, 3), kernel_size=2, stride=3)
        assert found["tensorflow"].geometry is not None
        assert found["tensorflow"].geometry.output == (2, 9)
        assert found["pytorch"].geometry is not None
        assert found["pytorch"].geometry.output == (2, 8)
        assert found["pytorch"].shift is None

    def test_the_stretched_pads_of_jax_shift(self) -> None:
        keys = {"kernel_size": 4, "padding": ((1, 2),)}
        found = read("pytorch", "conv_transpose", (1, 5), **keys)
        assert found["jax"].axes[0].before == 2
        assert found["jax"].shift == (-1,)

    @pytest.mark.parametrize(("kernel_size", "flipped"), [(3, True), (1, False)])
    def test_the_kernel_of_jax_is_unflipped(self, kernel_size: int, flipped: bool) -> None:
        found = read("pytorch", "conv_transpose", (1, 5), kernel_size=kernel_size)
        assert found["jax"].is_flipped == flipped
        assert found["jax"].is_equal != flipped
        assert not found["keras"].is_flipped

    def test_transpose_kernel_is_no_reason_to_refuse(self) -> None:
        found = read(
            "jax", "conv_transpose", (1, 5), kernel_size=3, padding="valid", transpose_kernel=True
        )
        assert all(one.is_equal for one in found.values())

    def test_a_weight_in_the_layout_of_one_is_no_reason_to_refuse(self) -> None:
        weight = Inline(shape=(2, 1, 3), values=(1, 2, 3, 4, 5, 6))
        found = read("pytorch", "conv", (1, 5), kernel_size=3, weight=weight)
        assert all(one.is_equal for one in found.values())

    def test_padding_that_repeats_is_refused_or_equal(self) -> None:
        found = read("pytorch", "conv", (1, 5), kernel_size=3, padding=1, padding_mode="reflect")
        assert found["pytorch"].is_equal
        assert {name for name, one in found.items() if one.errors} == set(FRAMEWORKS) - {"pytorch"}


class TestAverages:
    def test_padding_in_the_divisor_or_not_is_no_shift(self) -> None:
        found = read("pytorch", "avg_pool", (1, 6), kernel_size=2, padding=1)
        assert found["caffe"].is_equal
        assert found["onnx"].geometry is not None
        assert found["onnx"].shift is None

    def test_the_divisor_can_be_written(self) -> None:
        keys = {"kernel_size": 2, "padding": 1, "count_include_pad": False}
        assert read("pytorch", "avg_pool", (1, 6), **keys)["onnx"].is_equal

    @pytest.mark.parametrize("keys", [
        {"kernel_size": 3, "stride": 2, "ceil_mode": True},
        {"kernel_size": 3, "stride": 2, "padding": ((0, 1),), "count_include_pad": False},
    ])  # fmt: skip
    def test_the_divisors_decide_and_not_the_keys(self, keys: dict[str, Any]) -> None:
        """Elements that ceil_mode adds count nowhere, so count_include_pad makes no difference."""
        found = read("onnx", "avg_pool", (1, 4), **keys)
        assert {name for name, one in found.items() if one.geometry is not None} >= {"onnx"}
        assert all(one.is_equal for one in found.values() if one.geometry is not None)

    def test_without_padding_there_is_one_divisor(self) -> None:
        found = read("pytorch", "avg_pool", (1, 6), kernel_size=2)
        assert all(one.is_equal for one in found.values())


class TestDissents:
    @pytest.mark.parametrize(
        ("layer_type", "source", "keys", "words"),
        [
            ("conv_transpose", (1, 3), {"kernel_size": 3, "stride": 4, "padding": "same"},
             ["11 in ONNX Runtime", "11 in shape inference", "12 in the reference"]),
            ("conv_transpose", (1, 3),
             {"kernel_size": 3, "stride": 2, "padding": "same", "output_padding": 1},
             ["6 in ONNX Runtime", "7 in shape inference", "6 in the reference"]),
            ("conv_transpose", (1, 3), {"kernel_size": 3, "stride": 2, "padding": "same"},
             ["until October 2025 (openvino#32608)", "an output of 7"]),
            ("conv_transpose", (1, 3), {"kernel_size": 3, "stride": 2, "padding": 1}, []),
            ("conv_transpose", (2, 3), {"kernel_size": 3, "groups": 2}, ["a group above 1"]),
            ("conv_transpose", (1, 3), {"kernel_size": 3, "stride": 2, "output_size": 6},
             ["output_shape"]),
            ("conv", (1, 7), {"kernel_size": 3, "padding": "same", "dilation": 2},
             ["ONNX Runtime refuses"]),
            ("conv", (1, 7), {"kernel_size": 3, "padding": "same"}, []),
            ("conv", (1, 8), {"kernel_size": 1, "stride": 4, "padding": "same"},
             ["moves the windows"]),
            ("conv", (1, 6), {"kernel_size": 1, "stride": 2, "padding": "same"}, []),
            ("max_pool", (1, 7), {"kernel_size": 3, "padding": "same", "dilation": 2},
             ["forgets the dilations"]),
            ("max_pool", (1, 4), {"kernel_size": 1, "stride": 2, "padding": "same"},
             ["a window ends before"]),
            ("max_pool", (1, 4), {"kernel_size": 1, "stride": 2, "ceil_mode": True}, []),
        ],
    )  # fmt: skip
    def test_of_the_tools_of_onnx(
        self, layer_type: str, source: Shape, keys: dict[str, Any], words: list[str]
    ) -> None:
        told = "; ".join(read("onnx", layer_type, source, **keys)["onnx"].disagreements)
        assert bool(told) == bool(words), told
        assert all(word in told for word in words), told

    def test_of_a_ceiling_before_opset_22(self) -> None:
        keys = {"kernel_size": 2, "stride": 3, "padding": 1, "ceil_mode": True}
        rules = at_opset(FRAMEWORKS["onnx"], 21)
        layer = layer_of(rules, "max_pool", (1, 5), keys)
        ((told,),) = (one.disagreements for one in readings(layer, rules, []))
        assert "2 in ONNX Runtime and 3 in shape inference" in told

    @pytest.mark.parametrize(("opset", "told"), [(10, True), (11, False)])
    def test_of_uneven_halves_before_opset_11(self, opset: int, *, told: bool) -> None:
        keys = {"kernel_size": 3, "stride": 2, "padding": "same"}
        rules = at_opset(FRAMEWORKS["onnx"], opset)
        layer = layer_of(rules, "conv_transpose", (1, 3), keys)
        (found,) = (one.disagreements for one in readings(layer, rules, []))
        assert any("the other side" in one for one in found) == told

    def test_of_tensorflow_and_a_dilated_transposed_layer(self) -> None:
        found = read("pytorch", "conv_transpose", (1, 5), kernel_size=2, dilation=2)
        assert "oneDNN" in found["keras"].disagreements[0]

    @pytest.mark.parametrize(
        ("kernel_size", "stride", "told"),
        [(3, 2, True), (4, 2, False), (5, 2, True), (4, 3, True), (3, 1, False), (2, 3, False)],
    )
    def test_of_keras_before_its_torch_backend_was_mended(
        self, kernel_size: int, stride: int, *, told: bool
    ) -> None:
        keys = {"kernel_size": kernel_size, "stride": stride, "padding": "same"}
        found = read("keras", "conv_transpose", (1, 5), **keys)["keras"].disagreements
        assert any("keras#22876" in one for one in found) == told

    @pytest.mark.parametrize(
        ("padding", "words"),
        [(0, ["jax#32268", "an output of 7"]), (1, []), (4, ["no output at all"]), ("same", [])],
    )
    def test_of_jax_since_it_has_consistent_padding(
        self, padding: int | str, words: list[str]
    ) -> None:
        keys = {"kernel_size": 3, "stride": 2, "padding": padding}
        told = "; ".join(read("jax", "conv_transpose", (1, 3), **keys)["jax"].disagreements)
        assert bool(told) == bool(words), told
        assert all(word in told for word in words)

    @pytest.mark.parametrize("layer_type", ["pixel_shuffle", "pixel_unshuffle"])
    def test_of_operators_that_order_channels_otherwise(self, layer_type: str) -> None:
        found = read("pytorch", layer_type, (4, 4, 4), factor=2)
        told = {name for name, one in found.items() if one.disagreements}
        assert told == {"tensorflow", "keras", "onnx"}
        assert found["tensorflow"].is_equal

    @pytest.mark.parametrize(("output_size", "told"), [(1, True), (2, False)])
    def test_of_keras_where_one_element_is_left(self, output_size: int, *, told: bool) -> None:
        found = read("keras", "adaptive_max_pool", (1, 6), output_size=output_size)
        assert bool(found["keras"].disagreements) == told
        found = read("keras", "adaptive_avg_pool", (1, 6), output_size=output_size)
        assert not found["keras"].disagreements


class TestResizing:
    @pytest.mark.parametrize(
        ("keys", "apart"),
        [
            ({"scale_factor": Ratio(numerator=2)}, set()),
            ({"output_size": 5}, {"tensorflow", "keras", "jax"}),
            ({"output_size": 5, "mode": "linear"}, set()),
            ({"output_size": 2, "mode": "linear"}, {"jax"}),
            ({"output_size": 8, "mode": "cubic"}, {"tensorflow", "keras", "jax"}),
            ({"output_size": 2, "mode": "area"}, set()),
            ({"output_size": 3, "mode": "area"}, {"tensorflow"}),
        ],
    )
    def test_who_reads_or_weighs_otherwise(self, keys: dict[str, Any], apart: set[str]) -> None:
        found = read("pytorch", "upsample", (1, 4, 4), **keys)
        assert {name for name, one in found.items() if one.difference == "samples"} == apart
        taken = {name for name, one in found.items() if one.geometry is not None}
        assert {name for name, one in found.items() if one.is_equal} == taken - apart

    def test_an_adaptive_pool_is_refused_where_it_is_none_of_the_plain_ones(self) -> None:
        found = read("pytorch", "adaptive_avg_pool", (1, 8), output_size=3)
        assert {name for name, one in found.items() if one.is_equal} == {"pytorch", "keras"}
        assert "plain pool" in found["onnx"].errors[0]

    def test_a_pixel_shuffle_takes_axes_that_can_be_reordered(self) -> None:
        found = read("pytorch", "pixel_shuffle", (4, 4, 4), factor=2)
        assert {name for name, one in found.items() if one.errors} == {"caffe"}

    def test_max_unpool_is_refused_where_there_is_none(self) -> None:
        for name, rules in FRAMEWORKS.items():
            pool = MaxPool(kernel_size=2)
            refused = list(MaxUnpool(pool=pool).problems(rules))
            assert bool(refused) == (name not in ("pytorch", "onnx"))
