"""slice, pad, crop and linear along an axis: sizes by a naive count, and what is refused."""

from __future__ import annotations

from itertools import product
from math import prod
from typing import Any

import pytest

from convt_cli.arithmetic.convolution import Shape
from convt_cli.arithmetic.dialects.frameworks import FRAMEWORKS, at_opset
from convt_cli.arithmetic.keys import Inline
from convt_cli.arithmetic.layers import Definition
from convt_cli.arithmetic.layers.base import Spans, Windows
from convt_cli.arithmetic.layers.linear import Linear
from convt_cli.arithmetic.layers.rearranging import Crop, Pad, Slice
from convt_cli.arithmetic.spans import Span
from convt_cli.errors import GeometryError

PYTORCH = FRAMEWORKS["pytorch"]
Keys = dict[str, Any]
Refusal = tuple[str, str, int | None]


def refusal(layer: Definition, *sources: Shape, framework: str = "pytorch") -> Refusal:
    """The first thing that is wrong with a layer: code, field and axis."""
    rules = FRAMEWORKS[framework]
    for error in layer.problems(rules):
        return error.code, error.field, error.axis
    with pytest.raises(GeometryError) as caught:
        layer.resolve(sources, rules)
    return caught.value.code, caught.value.field, caught.value.axis


def onnx_places(size: int, start: int, end: int | None, step: int) -> list[int]:
    """The places of a slice, one after the other, as ONNX's text has it."""
    low, high = (0, size) if step > 0 else (-1, size - 1)
    if end is None:
        end = size if step > 0 else -size - 1
    start, end = (place + size if place < 0 else place for place in (start, end))
    start = min(max(start, 0), size if step > 0 else size - 1)
    end = min(max(end, low), high if step < 0 else size)
    places = []
    while (start < end) if step > 0 else (start > end):
        places.append(start)
        start += step
    return places


class TestSlice:
    @pytest.mark.parametrize("size", [1, 2, 5])
    @pytest.mark.parametrize("step", [-3, -2, -1, 1, 2, 3])
    def test_takes_what_onnx_takes(self, size: int, step: int) -> None:
        ends = (None, *range(-7, 8))
        for begin, end in product(range(-7, 8), ends):
            layer = Slice(axis=1, begin=begin, end=end, step=step)
            expected = onnx_places(size, begin, end, step)
            assert list(layer.elements(size)) == expected
            if expected:
                assert layer.resolve(((3, size, 4),), PYTORCH).output == (3, len(expected), 4)
            else:
                assert refusal(layer, (3, size, 4)) == ("E112", "begin", None)

    @pytest.mark.parametrize("axis", [0, 1, 2])
    def test_reads_its_own_elements_alone(self, axis: int) -> None:
        layer = Slice(axis=axis, begin=1, step=2)
        dependence = layer.resolve(((6, 6, 6),), PYTORCH).dependence
        assert isinstance(dependence, Spans)
        assert dependence.channels is not None
        for number, span in enumerate((*dependence.channels, *dependence.axes)):
            assert span is not None
            places = [1, 3, 5] if number == axis else [0, 1, 2]
            assert [span.of(q) for q in range(3)] == [(place, place) for place in places]

    def test_backwards_it_reads_somewhere_on_the_axis(self) -> None:
        dependence = Slice(axis=1, begin=-1, step=-2).resolve(((2, 9),), PYTORCH).dependence
        assert dependence == Spans(axes=(Span(step=0, last=8, exact=False),), channels=(Span(),))

    @pytest.mark.parametrize(
        ("keys", "clamped"),
        [
            ({"begin": 3}, False),
            ({"begin": 3, "end": -2}, False),
            ({"begin": 0, "end": 9}, True),
            ({"begin": -5}, True),
            ({"begin": -1, "step": -1}, False),
            ({"begin": -2, "end": 3, "step": -1}, False),
            ({"begin": 7, "step": -1}, True),
            ({"begin": -1, "end": -4, "step": -1}, True),
        ],
        ids=str,
    )
    def test_is_clamped_if_it_stops_growing(self, keys: Keys, clamped: bool) -> None:
        layer = Slice(axis=1, **keys)
        assert layer.is_clamped == clamped
        grown = [len(layer.elements(size)) for size in range(100, 110)]
        assert (len(set(grown)) == 1) == clamped

    @pytest.mark.parametrize(
        ("keys", "expected"),
        [
            ({"axis": 2, "begin": 0}, ("E107", "axis", None)),
            ({"axis": 1, "begin": 0, "step": 0}, ("E107", "step", None)),
        ],
        ids=str,
    )
    def test_refuses(self, keys: Keys, expected: Refusal) -> None:
        assert refusal(Slice(**keys), (3, 4)) == expected

    def test_caffe_has_no_step(self) -> None:
        layer = Slice(axis=1, begin=0, step=2)
        assert refusal(layer, (3, 4), framework="caffe") == ("E125", "step", None)
        assert not list(Slice(axis=1, begin=1).problems(FRAMEWORKS["caffe"]))


class TestPad:
    @pytest.mark.parametrize(
        ("framework", "modes"),
        [
            ("pytorch", {"zeros", "reflect", "replicate", "circular"}),
            ("onnx", {"zeros", "reflect", "replicate", "circular"}),
            ("jax", {"zeros", "reflect", "replicate", "circular"}),
            ("tensorflow", {"zeros", "reflect"}),
            ("keras", {"zeros", "reflect"}),
            ("caffe", {"zeros"}),
        ],
    )
    def test_has_the_modes_of_the_framework(self, framework: str, modes: set[str]) -> None:
        layers = {mode: Pad(padding=1, mode=mode) for mode in FRAMEWORKS["pytorch"].pad_modes}
        rules = FRAMEWORKS[framework]
        assert {mode for mode, one in layers.items() if not list(one.problems(rules))} == modes

    def test_onnx_wraps_from_opset_19_on(self) -> None:
        layer = Pad(padding=1, mode="circular")
        counts = [len(list(layer.problems(at_opset(FRAMEWORKS["onnx"], n)))) for n in (18, 19)]
        assert counts == [1, 0]

    @pytest.mark.parametrize(("mode", "most"), [("reflect", 3), ("circular", 4)])
    def test_reads_as_far_as_there_is_something(self, mode: str, most: int) -> None:
        legal = Pad(padding=((0, 0), (most, 0)), mode=mode)
        assert legal.resolve(((1, 9, 4),), PYTORCH).output == (1, 9, 4 + most)
        longer = Pad(padding=((0, 0), (0, most + 1)), mode=mode)
        assert refusal(longer, (1, 9, 4)) == ("E116", "padding", 1)

    @pytest.mark.parametrize(
        ("framework", "mode", "legal"),
        [
            ("onnx", "circular", True),
            ("onnx", "reflect", False),
            ("jax", "circular", True),
            ("jax", "reflect", True),
            ("tensorflow", "reflect", False),
            ("pytorch", "replicate", True),
        ],
    )
    def test_some_go_round_more_than_once(self, framework: str, mode: str, legal: bool) -> None:
        layer = Pad(padding=9, mode=mode)
        if legal:
            assert layer.resolve(((1, 4),), FRAMEWORKS[framework]).output == (1, 22)
        else:
            assert refusal(layer, (1, 4), framework=framework) == ("E116", "padding", 0)


class TestVectors:
    """On a vector pad and crop act on its one axis."""

    @pytest.mark.parametrize(
        ("layer", "size"),
        [
            (Pad(padding=2), 10),
            (Pad(padding=((1, 3),)), 10),
            (Pad(padding=5, mode="reflect"), 16),
            (Crop(padding=((1, 3),)), 2),
        ],
        ids=str,
    )
    def test_give(self, layer: Definition, size: int) -> None:
        geometry = layer.resolve(((6,),), PYTORCH)
        assert geometry.output == (size,)
        assert isinstance(geometry.dependence, Spans)

    def test_read_the_element_so_far_away(self) -> None:
        dependence = Crop(padding=((2, 0),)).resolve(((6,),), PYTORCH).dependence
        assert isinstance(dependence, Spans)
        assert dependence.channels is not None
        assert [span.of(3) for span in dependence.channels] == [(5, 5)]

    @pytest.mark.parametrize(
        ("layer", "expected"),
        [
            (Pad(padding=((1, 1), (1, 1))), ("E106", "padding", None)),
            (Pad(padding=6, mode="reflect"), ("E116", "padding", 0)),
            (Crop(padding=3), ("E112", "padding", 0)),
        ],
        ids=str,
    )
    def test_refuse(self, layer: Definition, expected: Refusal) -> None:
        assert refusal(layer, (6,)) == expected


class TestCropLike:
    @pytest.mark.parametrize(
        ("offset", "pairs"),
        [(None, ((0, 3), (0, 2))), (1, ((1, 2), (1, 1))), ((3, 0), ((3, 0), (0, 2)))],
        ids=str,
    )
    def test_leaves_the_other_layers_size(self, offset: Any, pairs: Any) -> None:
        geometry = Crop(like="b", offset=offset).resolve(((3, 9, 8), (7, 6, 6)), PYTORCH)
        assert geometry.output == (3, 6, 6)
        assert isinstance(geometry.dependence, Windows)
        assert [(-axis.before, -axis.after) for axis in geometry.dependence.axes] == [*pairs]

    @pytest.mark.parametrize(
        ("keys", "sources", "expected"),
        [
            ({"like": "b", "offset": (4, 0)}, ((3, 9, 8), (7, 6, 6)), ("E115", "like", None)),
            ({"like": "b"}, ((3, 9, 5), (7, 6, 6)), ("E115", "like", None)),
            ({"like": "b"}, ((3, 9, 5), (7, 6)), ("E119", "like", None)),
            ({"like": "b", "offset": (1,)}, ((3, 9, 8), (7, 6, 6)), ("E106", "offset", None)),
            ({"like": "b"}, ((3, 9), (3, 9), (3, 9)), ("E115", "from", None)),
            ({}, ((3, 9),), ("E102", "type", None)),
            ({"padding": 1, "like": "b"}, ((3, 9), (3, 9)), ("E122", "padding", None)),
            ({"padding": 1, "offset": 1}, ((3, 9),), ("E122", "offset", None)),
        ],
        ids=str,
    )
    def test_refuses(self, keys: Keys, sources: tuple[Shape, ...], expected: Refusal) -> None:
        assert refusal(Crop(**keys), *sources) == expected


class TestLinearAlongAnAxis:
    @pytest.mark.parametrize("axis", [0, 1, 2])
    @pytest.mark.parametrize("bias", [True, False])
    def test_changes_that_axis_alone(self, axis: int, bias: bool) -> None:
        source = (3, 4, 5)
        geometry = Linear(out_features=7, axis=axis, bias=bias).resolve((source,), PYTORCH)
        assert geometry.output == (*source[:axis], 7, *source[axis + 1 :])
        assert geometry.parameters == 7 * source[axis] + 7 * bias
        # every number of the output is a sum of as many products as the axis is long
        assert geometry.multiply_adds == prod(geometry.output) * source[axis]

    @pytest.mark.parametrize(
        ("keys", "expected"),
        [
            ({}, ("E119", "type", None)),
            ({"axis": 3}, ("E107", "axis", None)),
            ({"axis": 1, "in_features": 3}, ("E114", "in_features", None)),
            (
                {"axis": 1, "weight": Inline(shape=(2, 3), values=(1,) * 6)},
                ("E121", "weight", None),
            ),
        ],
        ids=str,
    )
    def test_refuses(self, keys: Keys, expected: Refusal) -> None:
        assert refusal(Linear(out_features=2, **keys), (3, 4, 5)) == expected

    def test_of_a_vector_is_the_whole_layer(self) -> None:
        along, plain = (Linear(out_features=2, axis=axis) for axis in (0, None))
        assert along.resolve(((9,),), PYTORCH) == plain.resolve(((9,),), PYTORCH)
