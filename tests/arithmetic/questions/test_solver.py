"""The solver against every combination tried on the real layers, and the order of its answers."""

from __future__ import annotations

from collections import defaultdict
from functools import cache
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from convt_cli.arithmetic.axis import Axis
from convt_cli.arithmetic.dialects.frameworks import FRAMEWORKS
from convt_cli.arithmetic.keys import Padding
from convt_cli.arithmetic.layers import Conv, ConvTranspose
from convt_cli.arithmetic.questions.bounds import Bounds
from convt_cli.arithmetic.questions.solver import (
    TYPES,
    Question,
    Solution,
    promising_strides,
    solutions,
)
from convt_cli.arithmetic.stencil import effective_kernel
from convt_cli.errors import GeometryError, RequestError

Combination = tuple[int, int, int, int, int, int]
"""kernel_size, stride, before, after, output_padding, dilation."""

SMALL = Bounds(kernel_size=[1, 2, 3], stride=[1, 2, 3], dilation=[1, 3])
SIZES = (1, 5)
"""The input sizes on which every combination is tried."""


def question(
    layer_type: str, input_size: int | None, output_size: int, framework: str = "pytorch"
) -> Question:
    return Question(
        layer_type=layer_type,
        input_size=input_size,
        output_size=output_size,
        framework=FRAMEWORKS[framework],
    )


def combination(one: Solution) -> Combination:
    return (
        one.kernel_size,
        one.stride,
        one.before,
        one.after,
        one.output_padding,
        one.dilation,
    )


def axis(layer_type: str, framework: str, size: int, padding: Padding, **keys: int) -> Axis | None:
    """The axis of the layer that a spec with these keys has; None where it is illegal."""
    make = ConvTranspose if layer_type == "conv_transpose" else Conv
    layer = make(out_channels=1, padding=padding, **keys)  # type: ignore[arg-type]
    rules = FRAMEWORKS[framework]
    try:
        if any(layer.problems(rules)):
            return None
        convolution = layer.resolve(((1, size),), rules).convolution
    except GeometryError:
        return None
    assert convolution is not None
    return convolution.axes[0]


def output_size(layer_type: str, found: Axis) -> int:
    return found.input_size if layer_type == "conv_transpose" else found.output_size


@cache
def tried(layer_type: str, framework: str, size: int) -> dict[int, set[Combination]]:
    """Every combination within `SMALL` that the layers accept on `size`, by its output size."""
    found: dict[int, set[Combination]] = defaultdict(set)
    extras = range(5) if layer_type == "conv_transpose" else (0,)
    for kernel, stride, dilation in product(SMALL.kernel_size, SMALL.stride, SMALL.dilation):
        pads = range(effective_kernel(kernel, dilation))
        for before, after, extra in product(pads, pads, extras):
            keys = {"kernel_size": kernel, "stride": stride, "dilation": dilation}
            if layer_type == "conv_transpose":
                keys["output_padding"] = extra
            one = axis(layer_type, framework, size, ((before, after),), **keys)
            if one is not None:
                key = (kernel, stride, before, after, extra, dilation)
                found[output_size(layer_type, one)].add(key)
    return found


@pytest.mark.parametrize("framework", FRAMEWORKS)
@pytest.mark.parametrize("layer_type", TYPES)
class TestEveryCombination:
    @pytest.mark.parametrize("size", SIZES)
    def test_that_the_layers_take_is_found_and_no_other(
        self, layer_type: str, framework: str, size: int
    ) -> None:
        by_output = tried(layer_type, framework, size)
        assert len(by_output) > 5
        for output in range(1, max(by_output) + 2):
            found = solutions(question(layer_type, size, output, framework), SMALL)
            assert sorted(map(combination, found)) == sorted(by_output[output])

    def test_is_found_without_an_input_size_too(self, layer_type: str, framework: str) -> None:
        output = 4
        found = solutions(question(layer_type, None, output, framework), SMALL)
        for size in SIZES:
            there = [one for one in found if one.input_sizes[0] <= size <= one.input_sizes[1]]
            assert sorted(map(combination, there)) == sorted(
                tried(layer_type, framework, size)[output]
            )

    def test_with_a_word_is_what_the_word_alone_comes_to(
        self, layer_type: str, framework: str
    ) -> None:
        found = solutions(question(layer_type, 5, 5, framework), SMALL)
        worded = [one for one in found if one.word is not None]
        assert len({one.word for one in worded}) >= 2
        for one in worded:
            keys = {
                "kernel_size": one.kernel_size,
                "stride": one.stride,
                "dilation": one.dilation,
            }
            extra = {"output_padding": one.output_padding} if layer_type != "conv" else {}
            pads = ((one.before, one.after),)
            by_word = axis(layer_type, framework, 5, one.word or "", **keys)
            assert by_word == axis(layer_type, framework, 5, pads, **keys, **extra) is not None


class TestWords:
    @pytest.mark.parametrize(
        ("framework", "word"),
        [("pytorch", None), ("tensorflow", "same"), ("onnx", "same"), ("caffe", None)],
    )
    def test_same_is_named_where_the_framework_has_it(
        self, framework: str, word: str | None
    ) -> None:
        bounds = Bounds(kernel_size=[3], stride=[2], dilation=[1])
        found = solutions(question("conv", 224, 112, framework), bounds)
        words = {(one.before, one.after): one.word for one in found}
        lower = "same_lower" if framework == "onnx" else None
        assert words == {
            (0, 1): word,
            (1, 0): lower,
            (1, 1): "half",
            (0, 2): None,
            (2, 0): "causal",
        }

    def test_the_plainest_of_several_is_named(self) -> None:
        one, *_ = solutions(question("conv", 5, 5, "onnx"), Bounds(kernel_size=[1], padding=[0]))
        assert one.word == "valid"

    def test_none_is_named_where_the_input_is_open(self) -> None:
        assert {one.word for one in solutions(question("conv", None, 4), SMALL)} == {None}


class TestOrder:
    def test_the_usual_doublings_come_first(self) -> None:
        first, second, *_ = solutions(question("conv_transpose", 7, 14), Bounds())
        assert combination(first) == (2, 2, 0, 0, 0, 1)
        assert combination(second) == (4, 2, 1, 1, 0, 1)

    @settings(max_examples=30)
    @given(st.sampled_from(TYPES), st.integers(1, 9), st.integers(1, 9))
    def test_what_is_simpler_comes_first(self, layer_type: str, size: int, output: int) -> None:
        found = solutions(question(layer_type, size, output), SMALL)
        gaps = [abs(one.before - one.after) for one in found]
        assert gaps == sorted(gaps)
        level = [one for one in found if one.before == one.after]
        assert [one.dilation for one in level] == sorted(one.dilation for one in level)
        plain = [one for one in level if one.dilation == 1]
        extras = [one.output_padding for one in plain]
        assert extras == sorted(extras)
        bare = [one for one in plain if one.output_padding == 0]
        if layer_type == "conv_transpose":
            even = [one.has_even_overlap for one in bare]
            assert even == sorted(even, reverse=True)
            bare = [one for one in bare if one.has_even_overlap]
        assert [one.kernel_size for one in bare] == sorted(one.kernel_size for one in bare)

    @settings(max_examples=60)
    @given(kernel=st.integers(1, 7), stride=st.integers(1, 4), dilation=st.integers(1, 4))
    def test_overlap_is_even_where_the_counts_are(
        self, kernel: int, stride: int, dilation: int
    ) -> None:
        inner = range(kernel * dilation * stride, kernel * dilation * stride + stride)
        counts = {
            sum((place - tap * dilation) % stride == 0 for tap in range(kernel)) for place in inner
        }
        one = Solution(
            kernel_size=kernel,
            stride=stride,
            before=0,
            after=0,
            output_padding=0,
            dilation=dilation,
            input_sizes=(1, 1),
        )
        assert one.has_even_overlap == (len(counts) == 1)


class TestBounds:
    @pytest.mark.parametrize("layer_type", TYPES)
    @pytest.mark.parametrize("size", [5, None])
    @pytest.mark.parametrize(
        "narrower",
        [
            {"kernel_size": [2]},
            {"stride": [2, 3]},
            {"dilation": [3]},
            {"padding": [0, 2]},
            {"padding": [1]},
            {"output_padding": [0, 2]},
        ],
    )
    def test_that_are_narrower_leave_the_others_out(
        self, layer_type: str, size: int | None, narrower: dict[str, list[int]]
    ) -> None:
        if layer_type == "conv" and "output_padding" in narrower:
            return
        wide = {
            "kernel_size": SMALL.kernel_size,
            "stride": SMALL.stride,
            "dilation": SMALL.dilation,
            "padding": range(9),
        }
        asked = question(layer_type, size, 5)
        (name, values), *_ = narrower.items()
        names = ("before", "after") if name == "padding" else (name,)
        expected = [
            one
            for one in solutions(asked, Bounds(**wide))
            if all(getattr(one, key) in values for key in names)
        ]
        assert expected
        assert solutions(asked, Bounds(**(wide | narrower))) == expected

    @pytest.mark.parametrize("layer_type", TYPES)
    @pytest.mark.parametrize("size", [10**15, None])
    def test_large_sizes_are_no_more_work(self, layer_type: str, size: int | None) -> None:
        bounds = Bounds(kernel_size=[3], dilation=[1])
        ratio = 2 if layer_type == "conv_transpose" else 1
        found = solutions(question(layer_type, size, ratio * 10**15), bounds)
        assert 0 < len(found) < 300

    @pytest.mark.parametrize("size", [7, None])
    def test_large_strides_are_no_more_work(self, size: int | None) -> None:
        bounds = Bounds(kernel_size=[3], stride=[10**15], dilation=[1])
        found = solutions(question("conv_transpose", size, 6 * 10**15 + 3), bounds)
        assert [one.output_padding for one in found if one.before + one.after == 0] == [0]

    @pytest.mark.parametrize(
        ("bounds", "size"),
        [
            (Bounds(kernel_size=range(1, 102), stride=range(1, 1000)), 10**9),
            (Bounds(padding=range(1000)), 10**9),
            (Bounds(kernel_size=[10**9], stride=[1], dilation=[1]), 10**9),
            (Bounds(kernel_size=[10**9], stride=[1], dilation=[1]), None),
        ],
    )
    def test_too_wide_are_refused(self, bounds: Bounds, size: int | None) -> None:
        with pytest.raises(RequestError) as caught:
            solutions(question("conv", size, 10**9), bounds)
        assert caught.value.code == "E503"
        assert "--stride" in caught.value.help

    @pytest.mark.parametrize(
        ("layer_type", "size", "output", "strides"),
        [
            ("conv", 200, 10, [20]),
            ("conv", 205, 10, [20, 21]),
            ("conv_transpose", 10, 200, [20]),
            ("conv", 5, 500, []),
        ],
    )
    def test_promising_strides_have_solutions(
        self, layer_type: str, size: int, output: int, strides: list[int]
    ) -> None:
        assert solutions(question(layer_type, size, output), Bounds()) == []
        assert promising_strides(question(layer_type, size, output), Bounds()) == strides
